"""How the applications' tests start a site and use it as a browser without JavaScript would."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, FormData
from aiohttp.test_utils import TestServer
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from apps.common import accounts
from apps.common.application import Site, make_application, make_kit
from apps.common.chain import Chain, Keyring
from apps.common.language import Clock
from apps.common.passwords import hash_now
from apps.common.settings import Settings
from apps.common.tables import User
from apps.common.web import Kit
from ledger.crypto import SigningKey

PASSWORD = "correct horse battery staple"
PASSWORD_HASH = hash_now(PASSWORD)
POSTGRES_URL = os.environ.get("DAICHO_TEST_POSTGRES_URL", "")
DATABASES = ["sqlite", *(["postgresql"] if POSTGRES_URL else [])]
"""What database tests run on: PostgreSQL too where DAICHO_TEST_POSTGRES_URL names a server."""


def database_url(kind: str, folder: Path) -> str:
    """An empty database of its own for one test."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'app.db'}"
    name = "t" + re.sub(r"[^a-z0-9]", "", f"{folder.parent.name}{folder.name}".lower())[-50:]
    admin = make_url(POSTGRES_URL).set(drivername="postgresql+psycopg")
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return admin.set(database=name).render_as_string(hide_password=False)


def keyring(*accounts: str) -> Keyring:
    return Keyring({account: SigningKey(account.encode().ljust(32, b"\x01")[:32]) for account in accounts})


def settings(url: str, **changes: object) -> Settings:
    values: dict[str, object] = {
        "database_url": url,
        "base_url": "http://127.0.0.1",
        "secret": b"s" * 32,
        "work": False,
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def add_user(kit: Kit, role: str, *, email: str = "", organisation: str = "132012", place: str = "") -> User:
    """An account with a confirmed address and the password `PASSWORD`."""
    return kit.database.write_now(
        lambda session: accounts.create(
            session,
            email=email or f"{role}@example.jp",
            name=f"テスト {role}",
            password_hash=PASSWORD_HASH,
            roles=[role],
            now_ms=kit.clock(),
            organisation=organisation,
            place=place,
            is_confirmed=True,
        )
    )


@dataclass
class Seen:
    """An answer, read."""

    status: int
    url: str
    text: str
    headers: Mapping[str, str]
    data: bytes = b""
    """The answer as it came: what was downloaded."""

    @property
    def inputs(self) -> dict[str, list[str]]:
        """What a browser would send of the page's last form, as it stands."""
        form = self.text[self.text.rindex("<main") :]
        found: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>", form):
            name = re.search(r'name="([^"]*)"', tag)
            if (
                name is None
                or 'type="file"' in tag
                or (('type="checkbox"' in tag or 'type="radio"' in tag) and " checked" not in tag)
            ):
                continue
            value = re.search(r'value="([^"]*)"', tag)
            found.setdefault(name[1], []).append(unescape(value[1]) if value else "")
        for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
            chosen = re.search(r'value="([^"]*)" selected', options)
            found[name] = [unescape(chosen[1]) if chosen else ""]
        for name, typed in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.S):
            found[name] = [unescape(typed)]
        return found

    @property
    def main(self) -> str:
        return unescape(re.sub(r"<[^>]+>", " ", self.text[self.text.index("<main") :]))


class Browser:
    """A visitor with cookies of its own; follows redirects, keeps the page it is on."""

    def __init__(self, session: ClientSession, base: str) -> None:
        self._session = session
        self.base = base
        self.page = Seen(0, base, "", {})

    is_patient = False
    """Whether it stays on the page that says that a write is on its way until it has arrived."""
    before_get: Callable[[], Awaitable[None]] | None = None
    """Awaited before every page: for applications whose pages follow the chain a moment later."""

    async def get(self, path: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> Seen:
        if self.before_get is not None:
            await self.before_get()
        async with self._session.get(urljoin(self.base, path), allow_redirects=follow, headers=headers) as response:
            return await self._see(response)

    async def post(
        self, path: str, fields: Mapping[str, str | Iterable[str]], *, follow: bool = True,
        files: Mapping[str, tuple[str, bytes]] | None = None, headers: Mapping[str, str] | None = None,
    ) -> Seen:  # fmt: skip
        form = FormData()
        for name, value in fields.items():
            for item in [value] if isinstance(value, str) else value:
                form.add_field(name, item)
        for name, (filename, data) in (files or {}).items():
            form.add_field(name, data, filename=filename)
        async with self._session.post(
            urljoin(self.base, path), data=form, allow_redirects=follow, headers=headers
        ) as response:
            await self._see(response)
        for _ in range(300 if self.is_patient and follow else 0):
            if "/sent/" not in self.page.url:
                break
            # The chain has not answered yet (a busy machine): the page looks again by itself, and so do we.
            await asyncio.sleep(0.1)
            await self.get(self.page.url)
        return self.page

    async def send(
        self,
        changes: Mapping[str, str | Iterable[str]] | None = None,
        *,
        follow: bool = True,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """Send the form of the page the browser is on, with `changes` typed in."""
        fields: dict[str, str | Iterable[str]] = {**self.page.inputs, **(changes or {})}
        return await self.post(self.page.url, fields, follow=follow, files=files, headers=headers)

    async def sign_in(self, email: str, password: str = PASSWORD) -> Seen:
        await self.get("/sign-in")
        return await self.send({"email": email, "password": password})

    async def _see(self, response: ClientResponse) -> Seen:
        data = await response.read()
        body = await response.text() if response.content_type.startswith("text/") else ""
        self.page = Seen(response.status, str(response.url), body, response.headers, data)
        return self.page


@dataclass
class Running:
    """A site that is being served."""

    kit: Kit
    base: str

    @asynccontextmanager
    async def browser(self, email: str = "") -> AsyncIterator[Browser]:
        """A visitor; with `email` signed in."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            browser = Browser(session, self.base)
            if email:
                page = await browser.sign_in(email)
                assert page.status == 200 and "sign-in" not in page.url, page.main
            yield browser


@asynccontextmanager
async def serve(
    site: Site, kit_settings: Settings, chain: Chain, keys: Keyring, clock: Clock
) -> AsyncIterator[Running]:
    """Serve a site on a free port of this machine until the block ends."""
    kit = make_kit(site, kit_settings, chain, keys, clock)
    server = TestServer(make_application(site, kit), host="127.0.0.1")
    await server.start_server()
    try:
        yield Running(kit, str(server.make_url("")))
    finally:
        await server.close()


on_both_databases = pytest.mark.parametrize("database_kind", DATABASES)
