"""The demonstration's people: an account for every role, contacts of shelters, and the codes of the sample's boxes.

All names, addresses and numbers are made up; the domains are those that nobody can own (RFC 2606).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.passwords import hash_now
from apps.common.tables import User
from apps.common.web import Kit
from apps.donations.signing import ADMIN, CONTRACT, OFFICER, SHELTER, SUPPORTER
from apps.donations.tables import BoxToken, Contact
from contracts.donations.queries import BoxView
from ledger.schema import from_plain

PASSWORD = "daicho-demo-2026"
DOMAIN = "example.jp"


@dataclass(frozen=True, slots=True)
class Town:
    code: str
    name: str
    """For addresses: `hachioji`."""
    shelters: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays in the demonstration, and which boxes its sample week has packed."""

    towns: Sequence[Town]
    parties: Sequence[str]
    """Pseudonyms of the sample's supporters, first those who have something to do."""
    codes: Sequence[str]


def town_accounts(cast: Cast) -> list[tuple[str, str]]:
    """What the command line prints: a role and an address each."""
    first = cast.towns[0]
    return [
        (SUPPORTER, supporter_email(1)),
        (SHELTER, f"{first.shelters[0]}@{DOMAIN}"),
        (OFFICER, f"officer.{first.name}@{DOMAIN}"),
        (ADMIN, f"admin.{first.name}@{DOMAIN}"),
    ]


def supporter_email(number: int) -> str:
    return f"supporter{number}@{DOMAIN}"


async def seed(kit: Kit, cast: Cast) -> None:
    """Once: a second start finds everything there."""
    if await kit.database.read(lambda session: session.scalar(select(User.id).limit(1))) is not None:
        return
    boxes = [box for code in cast.codes if (box := await _box(kit, code)) is not None]
    password_hash = hash_now(PASSWORD)
    await kit.database.write(lambda session: _add(session, cast, boxes, password_hash, kit.clock()))


async def _box(kit: Kit, code: str) -> BoxToken | None:
    found = await kit.chain.query(CONTRACT, "box", {"token": code})
    if not isinstance(found, dict):
        return None
    view = from_plain(BoxView, found)
    return BoxToken(token=code, write_id=None, request=view.box.request, number=view.box.number)


def _add(session: Session, cast: Cast, boxes: Sequence[BoxToken], password_hash: str, now_ms: int) -> None:
    def add(email: str, name: str, role: str, town: str = "", place: str = "", account: str = "") -> User:
        return accounts.create(
            session, email=email, name=name, password_hash=password_hash, roles=[role], now_ms=now_ms,
            organisation=town, place=place, chain_account=account, is_confirmed=True,
        )  # fmt: skip

    for number, party in enumerate(cast.parties, start=1):
        add(supporter_email(number), f"支援者 {number}", SUPPORTER).pseudonym = party
    for town in cast.towns:
        add(f"officer.{town.name}@{DOMAIN}", f"{town.name} 職員", OFFICER, town.code)
        add(f"admin.{town.name}@{DOMAIN}", f"{town.name} 管理者", ADMIN, town.code)
        for number, shelter in enumerate(town.shelters, start=1):
            add(f"{shelter}@{DOMAIN}", f"{shelter} 担当", SHELTER, town.code, shelter, f"shelter.{shelter}")
            contact = Contact(
                shelter=shelter, address=f"東京都 架空町 {number}-{number}-{number}", person=f"担当 {number}番",
                email=f"{shelter}@{DOMAIN}", phone=f"042-000-{number:04d}", language="ja",
            )  # fmt: skip
            session.add(contact)
    session.add_all([BoxToken(token=b.token, write_id=None, request=b.request, number=b.number) for b in boxes])
