"""The volunteers' application being served on the real contract, and the people of its tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.tables import Mail, User
from apps.common.web import Kit
from apps.volunteers.accounts import app_account, officer_account
from apps.volunteers.copy import COPY
from apps.volunteers.signing import ADMIN, FACILITY, OFFICER, REQUESTER, SHOP, VOLUNTEER, requester_of
from apps.volunteers.site import POINTS, make_site
from ledger.encoding import Value
from ledger.refusal import Text
from ledger.schema import to_plain
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import PASSWORD_HASH, Browser, Running, database_url, serve, settings
from tests.apps.volunteers.chain import CorpsChain, keyring
from tests.contracts.world import HACHIOJI, TACHIKAWA

NAMES = {HACHIOJI: Text("八王子市", "Hachioji City"), TACHIKAWA: Text("立川市", "Tachikawa City")}
HOUR, DAY = 3_600_000, 86_400_000
HANA, KEN, FOREIGN_VOLUNTEER = "hana@example.jp", "ken@example.jp", "volunteer.t@example.jp"
NEIGHBOUR, HOME, FOREIGN_HOME = "neighbour@example.jp", "home@example.jp", "home.t@example.jp"
SHOP_MAIL, ADMIN_MAIL = "shop@example.jp", "admin@example.jp"
OFFICER_MAIL, SECOND_MAIL, FOREIGN_MAIL = "officer1@example.jp", "officer2@example.jp", "officer.t@example.jp"
PEOPLE = (
    (HANA, VOLUNTEER, HACHIOJI, ""),
    (KEN, VOLUNTEER, HACHIOJI, ""),
    (FOREIGN_VOLUNTEER, VOLUNTEER, TACHIKAWA, ""),
    (NEIGHBOUR, REQUESTER, HACHIOJI, ""),
    (HOME, FACILITY, HACHIOJI, ""),
    (FOREIGN_HOME, FACILITY, TACHIKAWA, ""),
    (SHOP_MAIL, SHOP, HACHIOJI, ""),
    (OFFICER_MAIL, OFFICER, HACHIOJI, officer_account(1, HACHIOJI)),
    (SECOND_MAIL, OFFICER, HACHIOJI, officer_account(2, HACHIOJI)),
    (FOREIGN_MAIL, OFFICER, TACHIKAWA, officer_account(1, TACHIKAWA)),
    (ADMIN_MAIL, ADMIN, HACHIOJI, ""),
)


@dataclass
class Corps:
    """The application and what tests do with it."""

    running: Running
    chain: CorpsChain
    clock: FakeClock

    @property
    def kit(self) -> Kit:
        return self.running.kit

    @asynccontextmanager
    async def as_(self, email: str = "") -> AsyncIterator[Browser]:
        async with self.running.browser(email) as browser:
            browser.before_get, browser.is_patient = self.copied, True
            yield browser

    async def copied(self) -> None:
        """Until the application's copy shows all that is in the chain: what one did, the others see a moment later."""
        async with asyncio.timeout(30):
            for copy in (COPY, POINTS.copy):
                while await self.kit.database.read(copy.height) < len(self.chain.blocks):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)

    def row(self, method: str, **arguments: object) -> dict[str, Any]:
        """A row as the contract has it."""
        found = to_plain(self.chain.world.query("volunteers", method, **arguments))
        assert isinstance(found, dict), (method, arguments)
        return found

    def act(self, sender: str, method: str, **arguments: Value) -> dict[str, Any]:
        """A call past the application's pages; it must be done."""
        return self.chain.act(sender, "volunteers", method, **arguments)

    def pseudonym(self, email: str) -> str:
        query = select(User.pseudonym).where(User.email == email)
        return str(self.kit.database.read_now(lambda session: session.scalars(query).one()))

    def mails(self, kind: str) -> list[Mail]:
        return list(self.kit.database.read_now(lambda s: s.scalars(select(Mail).where(Mail.kind == kind)).all()))

    def volunteer(self, email: str = HANA, *skills: str, municipality: str = HACHIOJI, days: int = 365) -> str:
        """Somebody registered, with a certificate; their pseudonym."""
        who = self.pseudonym(email)
        self.act(app_account(municipality), "apply_as_volunteer", volunteer=who, skills=list(skills))
        until = self.clock() // 1_000 * 1_000 + days * DAY
        self.act(officer_account(1, municipality), "register_volunteer", volunteer=who, valid_until_ms=until)
        return who

    def requester(self, email: str = HOME, municipality: str = HACHIOJI) -> str:
        """A facility or resident who may ask for help; their pseudonym as such."""

        def find(session: Session) -> tuple[str, str]:
            user = session.scalars(select(User).where(User.email == email)).one()
            return requester_of(user), "facility" if FACILITY in user.roles else "resident"

        who, kind = self.kit.database.read_now(find)
        self.act(app_account(municipality), "register_requester", requester=who, kind=kind)
        return who


@asynccontextmanager
async def open_corps(folder: Path, clock: FakeClock, chain: CorpsChain, database_kind: str) -> AsyncIterator[Corps]:
    """The application with its workers, and people of every role."""
    kit_settings = settings(database_url(database_kind, folder), work=True)
    async with serve(make_site(NAMES), kit_settings, chain, keyring(), clock) as running:
        running.kit.database.write_now(_add_people)
        yield Corps(running, chain, clock)


def _add_people(session: Session) -> None:
    for email, role, code, account in PEOPLE:
        accounts.create(
            session, email=email, name=f"テスト {email.partition('@')[0]}", password_hash=PASSWORD_HASH, roles=[role],
            now_ms=0, organisation=code, chain_account=account, is_confirmed=True,
        )  # fmt: skip
