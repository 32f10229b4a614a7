"""One request as a page's author sees it (`Visit`), what all pages share (`Kit`), and what a page is (`Page`)."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from apps.common.chain import Chain
from apps.common.database import Database
from apps.common.forms import Posted
from apps.common.language import Clock
from apps.common.live import Live
from apps.common.mail import Mails
from apps.common.outbox import Outbox
from apps.common.personal import RecordView
from apps.common.render import Renderer
from apps.common.settings import Settings
from apps.common.tables import User
from apps.common.text import Catalogue
from ledger.refusal import Language

EVERYBODY = frozenset({"*"})
"""Also visitors who did not sign in."""
SIGNED_IN = frozenset({"+"})
"""Whoever signed in, whatever the role."""


@dataclass(frozen=True, slots=True)
class Flash:
    """A message on the next page: a key of the catalogue and what fills it. Not personal data: it sits in a cookie."""

    key: str
    params: Mapping[str, str | int]
    kind: str = "done"
    """done, note, warning."""


class Page(Protocol):
    """What an application is made of: where it is, who may see it, what it does."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def roles(self) -> frozenset[str]: ...

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def takes_files(self) -> bool: ...

    @property
    def renews_form(self) -> bool:
        """Whether the page itself shows its form again when the form's token is stale (else: a page that says so)."""
        ...

    async def handle(self, visit: Visit) -> web.StreamResponse: ...


Handler = Callable[["Visit"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class View:
    """A page made by a function. `methods` holds POST only if it changes something (its form carries a token)."""

    name: str
    path: str
    show: Handler
    roles: frozenset[str]
    methods: tuple[str, ...] = ("GET",)
    takes_files: bool = False
    renews_form: bool = False

    async def handle(self, visit: Visit) -> web.StreamResponse:
        return await self.show(visit)


def may_open(roles: frozenset[str], user: User | None) -> bool:
    """The one rule of who may open what: roles of the page against roles of the user."""
    if roles == EVERYBODY:
        return True
    if user is None:
        return False
    return roles == SIGNED_IN or not roles.isdisjoint(user.roles)


@dataclass(frozen=True)
class Kit:
    """What every page of an application may use."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    renderer: Renderer
    chain: Chain
    outbox: Outbox
    mails: Mails
    live: Live
    clock: Clock
    pages: Mapping[str, Page]
    record_view: RecordView | None

    def path(self, page_name: str, **parts: str | int) -> str:
        """The path of a page, its `{parts}` filled in."""
        return self.pages[page_name].path.format(**{k: quote(str(v), safe="") for k, v in parts.items()})

    def url(self, page_name: str, **parts: str | int) -> str:
        """The whole address of a page, for mails and QR codes."""
        return self.settings.base_url + self.path(page_name, **parts)


class Visit:
    """One request: who asks, in which language, and the ways to answer."""

    def __init__(
        self,
        request: web.Request,
        kit: Kit,
        page: Page | None,
        user: User | None,
        session_token: str,
        language: Language,
        flash: Flash | None,
    ) -> None:
        self.request = request
        self.kit = kit
        self.page = page
        self.user = user
        self.session_token = session_token
        self.language: Language = language
        self.flash = flash
        self.new_flash: Flash | None = None
        self.new_session_token: str | None = None
        """Set on signing in (a new token) and out (empty): the answer's cookie follows."""
        self.needs_cookie = False
        self.noted: dict[str, object] = {}
        """What a form's check leaves for what comes after it: the template, `perform`."""
        self._posted: Posted | None = None

    @property
    def now_ms(self) -> int:
        return self.kit.clock()

    @property
    def signed_in(self) -> User:
        """The user of a page that only signed-in people reach; `HTTPForbidden` elsewhere."""
        if self.user is None:
            raise web.HTTPForbidden
        return self.user

    def t(self, key: str, /, **params: object) -> str:
        """The sentence of a catalogue key in the visitor's language."""
        return self.kit.catalogue.text(self.language, key, params)

    def part(self, name: str) -> str:
        """A `{part}` of the page's path."""
        return self.request.match_info[name]

    def query(self, name: str, maximum: int = 200) -> str:
        """A parameter behind the `?`, trimmed and cut; empty if it is not there."""
        return self.request.query.get(name, "").strip()[:maximum]

    def page_number(self) -> int:
        """The `page` parameter of a list, from 1."""
        value = self.query("page", 6)
        return max(1, int(value)) if value.isascii() and value.isdecimal() else 1

    async def posted(self) -> Posted:
        """What the form sent."""
        if self._posted is None:
            self._posted = await self.request.post()
        return self._posted

    @property
    def form_token(self) -> str:
        """The token that a form of this visitor must carry: only our own pages can know it."""
        self.needs_cookie = True
        secret = self.kit.settings.secret
        return hmac.new(secret, b"form-token\x00" + self.session_token.encode(), sha256).hexdigest()

    def may_open(self, page_name: str) -> bool:
        return may_open(self.kit.pages[page_name].roles, self.user)

    def render(self, template: str, /, status: int = 200, **context: object) -> web.Response:
        """A page from a template of the application or the kit."""
        body = self.kit.renderer.render(template, self, context)
        return web.Response(text=body, status=status, content_type="text/html", charset="utf-8")

    def redirect(self, location: str, flash: Flash | None = None) -> web.Response:
        """See other (303), within the application, with a message for the next page."""
        if not location.startswith("/") or location.startswith(("//", "/\\")):
            raise ValueError("a redirect stays within the application")
        self.new_flash = flash
        return web.Response(status=303, headers={"Location": location})

    def download(self, data: bytes, name: str, content_type: str) -> web.Response:
        """A file to keep. `name` may be Japanese."""
        disposition = f"attachment; filename=\"download\"; filename*=UTF-8''{quote(name, safe='')}"
        return web.Response(body=data, content_type=content_type, headers={"Content-Disposition": disposition})
