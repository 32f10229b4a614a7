"""A town whose members have points, with two shops that take them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.tables import User
from apps.ecopoints.signing import SHOP
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import PASSWORD_HASH, Browser
from tests.apps.ecopoints.books.year import Books
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.town import MEMBER_MAIL, RIVAL_MAIL, SHOP_MAIL, Town, open_town
from tests.contracts.world import HACHIOJI, TACHIKAWA

OTHER_SHOP_MAIL, FOREIGN_SHOP_MAIL = "shop2@example.jp", "shop.t@example.jp"
UNOPENED_MAIL = "shop3@example.jp"
PSEUDONYMS = {MEMBER_MAIL: "member-0", RIVAL_MAIL: "member-1", SHOP_MAIL: "shop-1", OTHER_SHOP_MAIL: "shop-2"}
BALANCE = 505
"""1,200 kWh of sun used at home: 505.2 kg, a point for each whole kilogram."""

CODE = re.compile(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}")


@dataclass
class HighStreet(Town):
    """`member` and `rival` have `BALANCE` points each; `SHOP_MAIL` and `OTHER_SHOP_MAIL` are open."""

    @property
    def books(self) -> Books:
        return Books(self.chain)


@asynccontextmanager
async def open_high_street(
    folder: Path, clock: FakeClock, chain: EcoChain, database_kind: str
) -> AsyncIterator[HighStreet]:
    async with open_town(folder, clock, chain, database_kind) as town:
        street = HighStreet(town.running, chain, clock)
        town.kit.database.write_now(_name_people)
        street.books.plants(2)
        street.books.paid(street.books.settled(), street.books.rule())
        for shop in ("shop-1", "shop-2"):
            street.books.officer("open_shop", shop=shop)
        await street.copied()
        yield street


def _name_people(session: Session) -> None:
    """Those of the town get the names by which the contract knows them, and two shops come to it."""
    for email, code in ((OTHER_SHOP_MAIL, HACHIOJI), (UNOPENED_MAIL, HACHIOJI), (FOREIGN_SHOP_MAIL, TACHIKAWA)):
        accounts.create(
            session, email=email, name=f"テスト {email.partition('@')[0]}", password_hash=PASSWORD_HASH, roles=[SHOP],
            now_ms=0, organisation=code, is_confirmed=True,
        )  # fmt: skip
    for email, pseudonym in PSEUDONYMS.items():
        session.scalars(select(User).where(User.email == email)).one().pseudonym = pseudonym


async def opened(member: Browser, points: int) -> str:
    """The resident types points, reviews, and has the code."""
    await member.get("/points/pay")
    assert str(points) in (await member.send({"points": str(points)})).main
    page = await member.send({"step": "confirm"})
    assert page.status == 200 and "/points/payments/" in page.url
    found = CODE.search(page.main)
    assert found, page.main
    return found[0]
