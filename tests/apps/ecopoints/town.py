"""The eco-point application being served on the real contract, and the people of its tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.web import Kit
from apps.ecopoints.copy import COPY
from apps.ecopoints.signing import ADMIN, MEMBER, OFFICER, SHOP, VERIFIER, admin_account
from apps.ecopoints.site import POINTS, make_site
from ledger.refusal import Text
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import PASSWORD_HASH, Browser, Running, database_url, serve, settings
from tests.apps.ecopoints.chain import MUNICIPALITIES, EcoChain, keyring
from tests.contracts.world import HACHIOJI, TACHIKAWA

NAMES = {HACHIOJI: Text("八王子市", "Hachioji City"), TACHIKAWA: Text("立川市", "Tachikawa City")}
MEMBER_MAIL, RIVAL_MAIL = "member@example.jp", "rival@example.jp"
SHOP_MAIL, VERIFIER_MAIL, ADMIN_MAIL = "shop@example.jp", "verifier@example.jp", "admin@example.jp"
OFFICER_MAIL, SECOND_MAIL, FOREIGN_MAIL = "officer1@example.jp", "officer2@example.jp", "officer.t@example.jp"
PEOPLE = (
    (MEMBER_MAIL, MEMBER, HACHIOJI, ""),
    (RIVAL_MAIL, MEMBER, HACHIOJI, ""),
    (SHOP_MAIL, SHOP, HACHIOJI, ""),
    (OFFICER_MAIL, OFFICER, HACHIOJI, f"eco-officer-1.{HACHIOJI}"),
    (SECOND_MAIL, OFFICER, HACHIOJI, f"eco-officer-2.{HACHIOJI}"),
    (FOREIGN_MAIL, OFFICER, TACHIKAWA, f"eco-officer-1.{TACHIKAWA}"),
    (VERIFIER_MAIL, VERIFIER, HACHIOJI, ""),
    (ADMIN_MAIL, ADMIN, HACHIOJI, ""),
)


@dataclass
class Town:
    """The application and what tests do with it."""

    running: Running
    chain: EcoChain
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


@asynccontextmanager
async def open_town(folder: Path, clock: FakeClock, chain: EcoChain, database_kind: str) -> AsyncIterator[Town]:
    """The application with its workers, people of every role, and a programme in both municipalities."""
    kit_settings = settings(database_url(database_kind, folder), work=True)
    for code in MUNICIPALITIES:
        chain.world.done(admin_account(code), "ecopoints", "set_programme", region="tepco")
    async with serve(make_site(NAMES), kit_settings, chain, keyring(), clock) as running:
        running.kit.database.write_now(_add_people)
        yield Town(running, chain, clock)


def _add_people(session: Session) -> None:
    for email, role, code, account in PEOPLE:
        accounts.create(
            session, email=email, name=f"テスト {email.partition('@')[0]}", password_hash=PASSWORD_HASH, roles=[role],
            now_ms=0, organisation=code, chain_account=account, is_confirmed=True,
        )  # fmt: skip
