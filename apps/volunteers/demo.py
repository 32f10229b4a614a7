"""The demonstration of volunteers: people registered, activities of the coming days, work that has earned points.

All names and addresses are made up; the domains are those that nobody can own (RFC 2606).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.codes import new_code
from apps.common.outbox import Call
from apps.common.passwords import hash_now
from apps.common.seeding import Seeder
from apps.common.tables import User
from apps.common.web import Kit
from apps.volunteers.accounts import officer_account
from apps.volunteers.signing import ADMIN, FACILITY, OFFICER, REQUESTER, SHOP, VOLUNTEER, app_call
from apps.volunteers.words import code_of, keep_words
from contracts.ecopoints.methodology.calendar import DAY_MS, fiscal_year_of_month, month_of
from contracts.points import commitment
from contracts.volunteers.types import VOLUNTEERS
from ledger.encoding import Value

PASSWORD = "daicho-demo-2026"
DOMAIN = "example.jp"
JST = timezone(timedelta(hours=9))
HOUR_MS = 3_600_000
SKILLS = (
    ("vietnamese", "english"),
    ("gardening",),
    ("computers", "driving"),
    ("reading_aloud",),
    ("first_aid", "cooking"),
)
"""Of the registered volunteers; one more has applied."""
VOLUNTEERS_OF_TOWN = len(SKILLS) + 1
WORKED = 2
"""So many have done something already."""


@dataclass(frozen=True, slots=True)
class Town:
    code: str
    name: str
    """For addresses: `hachioji`."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An activity of the coming days, at an hour of Japan's time."""

    title: str
    kind: str
    place: str
    day: int
    hour: int
    hours: int
    capacity: int


WEEK = (
    Planned("駅前花壇の植え替え", "garden", "central", 2, 9, 2, 2),
    Planned("子ども食堂の手伝い", "kids_meal", "north", 3, 15, 3, 4),
    Planned("絵本の読み聞かせ", "reading", "east", 4, 10, 1, 2),
    Planned("スマートフォン相談会", "phone_help", "central", 5, 13, 2, 3),
    Planned("河川敷の清掃", "cleanup", "south", 6, 8, 3, 20),
)


def volunteer_id(town: Town, number: int) -> str:
    return f"demo-{town.code}-volunteer-{number}"


def shop_id(town: Town) -> str:
    return f"demo-{town.code}-shop"


def facility_id(town: Town) -> str:
    return f"demo-{town.code}-facility"


def people(towns: Sequence[Town]) -> list[tuple[str, str]]:
    """What the command line prints: a role and an address each."""
    name = towns[0].name
    return [
        (VOLUNTEER, f"volunteer1.{name}@{DOMAIN}"),
        (REQUESTER, f"requester.{name}@{DOMAIN}"),
        (FACILITY, f"facility.{name}@{DOMAIN}"),
        (SHOP, f"vol-shop.{name}@{DOMAIN}"),
        (OFFICER, f"vol1.{name}@{DOMAIN}"),
        (OFFICER, f"vol2.{name}@{DOMAIN}"),
        (ADMIN, f"vol-admin.{name}@{DOMAIN}"),
    ]


async def seed(kit: Kit, towns: Sequence[Town]) -> None:
    """Once: a second start finds everything there."""
    password_hash = hash_now(PASSWORD)
    await kit.database.write(lambda session: _add_people(session, towns, password_hash, kit.clock()))
    seeder = Seeder(kit)
    for town in towns:
        if not await seeder.rows(VOLUNTEERS, "rules", municipality=town.code):
            await _register(seeder, town)
            await _plan(seeder, town)
            await _reward(seeder, town, await _work(seeder, town))


def _add_people(session: Session, towns: Sequence[Town], password_hash: str, now_ms: int) -> None:
    """An account for every role in each municipality."""
    if session.scalar(select(User.id).limit(1)) is not None:
        return

    def add(email: str, name: str, role: str, town: Town, account: str = "") -> User:
        return accounts.create(
            session, email=f"{email}.{town.name}@{DOMAIN}", name=name, password_hash=password_hash, roles=[role],
            now_ms=now_ms, organisation=town.code, chain_account=account, is_confirmed=True,
        )  # fmt: skip

    for town in towns:
        for number in range(1, VOLUNTEERS_OF_TOWN + 1):
            volunteer = add(f"volunteer{number}", f"実施者 {number}", VOLUNTEER, town)
            volunteer.pseudonym = volunteer_id(town, number)
        add("requester", "依頼者", REQUESTER, town)
        add("facility", f"{town.name} 福祉施設", FACILITY, town).pseudonym = facility_id(town)
        add("vol-shop", f"{town.name} 商店", SHOP, town).pseudonym = shop_id(town)
        for number in (1, 2):
            add(f"vol{number}", f"{town.name} 協働課 {number}", OFFICER, town, officer_account(number, town.code))
        add("vol-admin", f"{town.name} 管理者", ADMIN, town)


def _app(town: Town, method: str, **arguments: Value) -> Call:
    return app_call(town.code, method, arguments)


def _officer(town: Town, method: str, **arguments: Value) -> Call:
    return Call(officer_account(1, town.code), VOLUNTEERS, method, arguments)


async def _register(seeder: Seeder, town: Town) -> None:
    """Those who applied; all but the last are registered, each with a certificate for three years."""
    until_ms = (seeder.kit.clock() // 1_000) * 1_000 + 3 * 365 * DAY_MS
    for number in range(1, VOLUNTEERS_OF_TOWN + 1):
        skills = [code_of(skill) for skill in SKILLS[(number - 1) % len(SKILLS)]]
        who = volunteer_id(town, number)
        if await seeder.ask(VOLUNTEERS, "volunteer", volunteer=who) is not None:
            continue
        await seeder.write(_app(town, "apply_as_volunteer", volunteer=who, skills=skills))
        if number <= len(SKILLS):
            await seeder.write(_officer(town, "register_volunteer", volunteer=who, valid_until_ms=until_ms))
    if not await seeder.rows(VOLUNTEERS, "requesters", municipality=town.code):
        requester = f"{facility_id(town)}-r"
        await seeder.write(_app(town, "register_requester", requester=requester, kind="facility"))


async def _plan(seeder: Seeder, town: Town) -> None:
    """The coming days; the first activity has more applicants than places."""
    if await seeder.rows(VOLUNTEERS, "postings", municipality=town.code, status="published"):
        return
    today = datetime.fromtimestamp(seeder.kit.clock() / 1_000, JST).replace(hour=0, minute=0, second=0, microsecond=0)
    for planned in WEEK:
        starts_ms = int((today + timedelta(days=planned.day, hours=planned.hour)).timestamp() * 1_000)
        posting = await _post(seeder, town, planned, starts_ms)
        if planned is WEEK[0]:
            for number in (3, 4, 5):
                await seeder.write(_app(town, "apply", posting=posting, volunteer=volunteer_id(town, number)))


async def _post(seeder: Seeder, town: Town, planned: Planned, starts_ms: int) -> str:
    now_ms = seeder.kit.clock()
    detail = await seeder.kit.database.write(lambda session: keep_words(session, now_ms, planned.title))
    (made,) = await seeder.write(
        _officer(
            town, "post", kind=code_of(planned.kind), place=planned.place, starts_ms=starts_ms,
            ends_ms=starts_ms + planned.hours * HOUR_MS, withdraw_until_ms=starts_ms, capacity=planned.capacity,
            detail=detail, requester=f"{facility_id(town)}-r",
        )
    )  # fmt: skip
    return str(made["posting"])


async def _work(seeder: Seeder, town: Town) -> str:
    """Today's work of two volunteers, from check-in to a report that waits for an officer; the first one's activity."""
    facility = f"{facility_id(town)}-r"
    today = Planned("昼食会の準備", "cafe", "central", 0, 0, 3, WORKED)
    posting = await _post(seeder, town, today, seeder.kit.clock() + HOUR_MS // 2)
    activities = []
    for number in range(1, WORKED + 1):
        who = volunteer_id(town, number)
        await seeder.write(_app(town, "apply", posting=posting, volunteer=who))
        (begun,) = await seeder.write(_app(town, "check_in_with_pin", posting=posting, volunteer=who))
        activity = str(begun["activity"])
        await seeder.write(_app(town, "check_out", activity=activity, requester=facility))
        await seeder.write(_app(town, "report", activity=activity, outcome="well", requester=facility))
        activities.append(activity)
    return activities[0]


async def _reward(seeder: Seeder, town: Town, activity: str) -> None:
    """A hundred points for each activity of this fiscal year: one report is approved, and some points are spent."""
    year = fiscal_year_of_month(month_of(seeder.kit.clock()))
    await seeder.write(
        _officer(
            town, "set_rule", points=100, first_day=f"{year}-04-01", last_day=f"{year + 1}-03-31", unit_minutes=0,
            daily_cap=300, yearly_cap=5_000,
        )
    )  # fmt: skip
    await seeder.write(_officer(town, "approve_report", activity=activity))
    if await seeder.ask(VOLUNTEERS, "points_account", account=shop_id(town)) is None:
        await seeder.write(_officer(town, "open_shop", shop=shop_id(town)))
    code = new_code()
    who = volunteer_id(town, 1)
    await seeder.write(_app(town, "open_payment", account=who, points=30, commitment=commitment(code)))
    await seeder.write(_app(town, "confirm_payment", code=code, shop=shop_id(town)))
