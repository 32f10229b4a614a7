"""The relief application being served, and the people of its tests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.tables import Mail
from apps.common.web import Kit
from apps.donations.copy import COPY
from apps.donations.site import make_site
from apps.donations.tables import BoxToken, Contact
from ledger.refusal import Text
from ledger.schema import to_plain
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import PASSWORD_HASH, Browser, Running, Seen, database_url, serve, settings
from tests.apps.donations.chain import ContractChain, keyring
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA

NAMES = {
    HACHIOJI: Text("八王子市", "Hachioji City"),
    TACHIKAWA: Text("立川市", "Tachikawa City"),
    OSHIMA: Text("大島町", "Oshima Town"),
}
SHELTERS = (
    ("hachioji-01", HACHIOJI, "第一小学校体育館", "First School Gymnasium"),
    ("hachioji-02", HACHIOJI, "第六中学校体育館", "Sixth School Gymnasium"),
    ("tachikawa-01", TACHIKAWA, "第三小学校体育館", "Third School Gymnasium"),
)
ITEMS = (
    ("blanket", "blanket", "毛布", "Blanket", "枚", (), False),
    ("diaper", "infant-diaper", "乳児用おむつ", "Infant diapers", "枚", ("S", "M"), False),
    ("water-2l", "water", "飲料水 2L", "Drinking water 2 L", "本", (), True),
)
STAFF = "staff@example.jp"
STAFF_2 = "staff2@example.jp"
FOREIGN = "tachikawa@example.jp"
OFFICER = "officer@example.jp"
FOREIGN_OFFICER = "officer.tachikawa@example.jp"
ADMIN = "admin@example.jp"
SUPPORTER = "supporter@example.jp"
RIVAL = "rival@example.jp"
PEOPLE = (
    (STAFF, "shelter", HACHIOJI, "hachioji-01"),
    (STAFF_2, "shelter", HACHIOJI, "hachioji-02"),
    (FOREIGN, "shelter", TACHIKAWA, "tachikawa-01"),
    (OFFICER, "officer", HACHIOJI, ""),
    (FOREIGN_OFFICER, "officer", TACHIKAWA, ""),
    (ADMIN, "admin", HACHIOJI, ""),
    (SUPPORTER, "supporter", "", ""),
    (RIVAL, "supporter", "", ""),
)
CONTACT = "shelter1@example.jp"


@dataclass
class Relief:
    """The application and what tests do with it."""

    running: Running
    chain: ContractChain
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
            while await self.kit.database.read(COPY.height) < len(self.chain.blocks):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    def mails(self, kind: str) -> list[Mail]:
        return list(self.kit.database.read_now(lambda s: s.scalars(select(Mail).where(Mail.kind == kind)).all()))

    def codes(self, request: str) -> list[str]:
        rows = select(BoxToken.token).where(BoxToken.request == request).order_by(BoxToken.number)
        return list(self.kit.database.read_now(lambda s: s.scalars(rows).all()))

    def row(self, method: str, **arguments: object) -> dict[str, object]:
        """A row as the contract has it."""
        found = to_plain(self.chain.world.query("donations", method, **arguments))
        assert isinstance(found, dict), (method, arguments)
        return found

    # -- steps that many stories have in common

    async def need(self, browser: Browser, *, goods: str = "blanket/", quantity: int = 100, **more: str) -> str:
        """A need registered by shelter staff; its id."""
        await browser.get("/needs/new")
        await browser.send({"goods": goods, "quantity": str(quantity), **more})
        await browser.send({"step": "confirm"})
        return last_part(browser.page, "/needs/")

    async def pledge(self, browser: Browser, need: str, quantity: int, **more: str) -> str:
        await browser.get(f"/needs/{need}/pledge")
        await browser.send({"quantity": str(quantity), **more})
        await browser.send({"step": "confirm"})
        return last_part(browser.page, "/offers/")

    async def request(self, browser: Browser, offer: str, quantity: int, boxes: int = 1, need: str = "") -> str:
        await browser.get(f"/offers/{offer}/request")
        await browser.send({"quantity": str(quantity), "boxes": str(boxes), **({"need": need} if need else {})})
        await browser.send({"step": "confirm"})
        return last_part(browser.page, "/requests/")

    async def ship(self, browser: Browser, request: str) -> Seen:
        await browser.get(f"/mine/requests/{request}/ship")
        return await browser.send({"sure": "1"})

    async def receive(self, browser: Browser, code: str, changes: Mapping[str, str] | None = None) -> Seen:
        await browser.get(f"/box/{code}")
        return await browser.send(changes or {})

    async def shipped_boxes(self, quantity: int = 40, boxes: int = 2) -> tuple[str, str, list[str]]:
        """From a need to boxes under way: need, request, codes."""
        async with self.as_(STAFF) as staff, self.as_(SUPPORTER) as supporter:
            need = await self.need(staff, quantity=quantity)
            offer = await self.pledge(supporter, need, quantity)
            request = await self.request(staff, offer, quantity, boxes)
            await self.ship(supporter, request)
        return need, request, self.codes(request)


def last_part(page: Seen, prefix: str) -> str:
    """The id in the address of the page, which must be the page of a record."""
    found = re.search(re.escape(prefix) + r"([a-z]+-[0-9a-z-]+)$", page.url)
    assert found is not None and page.status == 200, (page.status, page.url, page.main[:800])
    return found[1]


@asynccontextmanager
async def open_relief(
    folder: Path, clock: FakeClock, chain: ContractChain, database_kind: str = "sqlite", **changes: object
) -> AsyncIterator[Relief]:
    """The application with its workers, the masters and an account for everybody."""
    register_masters(chain)
    kit_settings = settings(database_url(database_kind, folder), work=True, **changes)
    async with serve(make_site(NAMES), kit_settings, chain, keyring(), clock) as running:
        running.kit.database.write_now(lambda session: add_people(session, clock()))
        yield Relief(running, chain, clock)


def register_masters(chain: ContractChain) -> None:
    for shelter, code, name_ja, name_en in SHELTERS:
        arguments = {"name_ja": name_ja, "name_en": name_en, "staff": [f"staff.{code}"]}
        submit(chain, f"admin.{code}", "register_shelter", shelter=shelter, **arguments)
    for item, category, name_ja, name_en, unit, sizes, needs_expiry in ITEMS:
        submit(
            chain, f"admin.{HACHIOJI}", "register_item", item=item, category=category, name_ja=name_ja,
            name_en=name_en, unit_ja=unit, sizes=list(sizes), needs_expiry=needs_expiry,
        )  # fmt: skip


def submit(chain: ContractChain, sender: str, method: str, **arguments: object) -> None:
    """A call by another system: past the application."""
    chain.world.time_ms = max(chain.clock(), chain.world.time_ms)
    committed = chain._commit(chain.world.transaction(sender, "donations", method, **arguments))  # type: ignore[arg-type]
    assert committed.receipt.done, committed.receipt.reason


def add_people(session: Session, now_ms: int) -> None:
    for email, role, organisation, place in PEOPLE:
        accounts.create(
            session, email=email, name=f"テスト {email.split('@')[0]}", password_hash=PASSWORD_HASH, roles=[role],
            now_ms=now_ms, organisation=organisation, place=place, is_confirmed=True,
        )  # fmt: skip
    contact = Contact(
        shelter="hachioji-01", address="八王子市元本郷町9-99-9", person="山田 花子", email=CONTACT,
        phone="042-999-0001", language="ja",
    )  # fmt: skip
    session.add(contact)
