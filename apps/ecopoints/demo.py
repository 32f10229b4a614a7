"""The demonstration of eco-points: members whose devices have sent the last month, points that were paid and spent,
credits of the fiscal year before.

All names, addresses and numbers are made up; the domains are those that nobody can own (RFC 2606). Readings are those
of simulated households, with the gaps and lies that real ones have, through the application's own intake.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.codes import new_code
from apps.common.outbox import Call
from apps.common.passwords import hash_now
from apps.common.seeding import Seeder
from apps.common.tables import User
from apps.common.web import Kit
from apps.ecopoints.broker import publish
from apps.ecopoints.devices.households import SimulatedDevice
from apps.ecopoints.devices.simulator import Arrival, Simulator
from apps.ecopoints.intake.mqtt import Broker
from apps.ecopoints.intake.tables import EcoPacket, EcoReading
from apps.ecopoints.intake.taking import Intake
from apps.ecopoints.people.demo import Plate, name_of, seed_people
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import (
    ADMIN,
    MEMBER,
    OFFICER,
    SHOP,
    VERIFIER,
    admin_account,
    app_account,
    app_call,
    gateway_account,
)
from contracts.ecopoints.methodology import LATEST_TABLE
from contracts.ecopoints.methodology.calendar import (
    DAY_MS,
    fiscal_year_of_month,
    month_after,
    month_of,
    month_start_ms,
    months_between,
)
from contracts.ecopoints.methodology.jcredit import REPORT_YEN_PER_TONNE
from contracts.ecopoints.types import ECOPOINTS
from contracts.points import commitment
from edge.init import AccountPlan
from ledger.crypto import sha256
from ledger.encoding import Value

PASSWORD = "daicho-demo-2026"
DOMAIN = "example.jp"
SEED = 2026
METHODOLOGIES = ("EN-R-002", "EN-S-012")
LAST_YEAR = 2026
"""Of the factor table: a demonstration that is begun later tells of its last months."""
PACKETS_TOGETHER = 100
KWH_PER_KW = (78, 82, 98, 106, 112, 92, 98, 104, 84, 78, 70, 68)
"""What a plant in Tokyo generates a month, from January on: about 1,070 kWh a year for each kW."""
READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class EcoTown:
    code: str
    name: str
    """For addresses: `hachioji`."""
    households: int


def officer_account(number: int, code: str) -> str:
    return f"eco-officer-{number}.{code}"


def chain_accounts(codes: Sequence[str]) -> list[AccountPlan]:
    """Of each municipality: its application, gateway and administrator, and two officers."""
    found = []
    for code in codes:
        found.append(AccountPlan(app_account(code), code, ("ecopoints.app",)))
        found.append(AccountPlan(gateway_account(code), code, ("ecopoints.gateway",)))
        found.append(AccountPlan(admin_account(code), code, ("ecopoints.admin",)))
        found += [AccountPlan(officer_account(n, code), code, ("ecopoints.officer",)) for n in (1, 2)]
    return found


def people(towns: Sequence[EcoTown]) -> list[tuple[str, str]]:
    """What the command line prints: a role and an address each."""
    first = towns[0]
    return [
        (MEMBER, member_email(first, 1)),
        (SHOP, f"shop1.{first.name}@{DOMAIN}"),
        (OFFICER, f"eco1.{first.name}@{DOMAIN}"),
        (OFFICER, f"eco2.{first.name}@{DOMAIN}"),
        (VERIFIER, f"verifier.{first.name}@{DOMAIN}"),
        (ADMIN, f"eco-admin.{first.name}@{DOMAIN}"),
    ]


def member_email(town: EcoTown, number: int) -> str:
    return f"member{number}.{town.name}@{DOMAIN}"


def member_id(town: EcoTown, number: int) -> str:
    return f"demo-{town.code}-member-{number}"


def shop_id(town: EcoTown, number: int) -> str:
    return f"demo-{town.code}-shop-{number}"


def demo_month(now_ms: int) -> str:
    """The last whole month for which there are factors."""
    month = month_after(month_of(now_ms), -1)
    return month if fiscal_year_of_month(month) <= LAST_YEAR else f"{LAST_YEAR + 1}-03"


async def seed(kit: Kit, towns: Sequence[EcoTown], broker: Broker | None = None) -> None:
    """Once, with the readings through `broker` if there is one.

    What an earlier start has written is left as it is, so that a second start finds everything there.
    """
    password_hash = hash_now(PASSWORD)
    await kit.database.write(lambda session: _add_people(session, towns, password_hash, kit.clock()))
    seeder = Seeder(kit)
    for town in towns:
        if not await seeder.rows(ECOPOINTS, "periods", municipality=town.code):
            await _join(seeder, town)
            await _send_readings(seeder, town, broker)
            await _settle(seeder, town)
            await _spend(seeder, town)
        await _introduce(seeder, town)
        if not await seeder.rows(ECOPOINTS, "applications", municipality=town.code):
            await _certify_last_year(seeder, town)


# -- members and their devices -----------------------------------------------------------------------------------------


async def _join(seeder: Seeder, town: EcoTown) -> None:
    if await seeder.ask(ECOPOINTS, "programme", municipality=town.code) is None:
        await seeder.write(Call(admin_account(town.code), ECOPOINTS, "set_programme", {"region": "tepco"}))
    known = {str(row["member"]) for row in await seeder.rows(ECOPOINTS, "members", municipality=town.code)}
    numbers = [n for n in range(1, town.households + 1) if member_id(town, n) not in known]
    for number in numbers:  # in order, because the order of joining is the order in which a budget is paid
        kind = "firm" if number % 6 == 0 else "household"
        await seeder.write(_app(town, "register_member", member=member_id(town, number), kind=kind))
    there = {
        str(row["serial"])
        for number in range(1, town.households + 1)
        for row in await seeder.rows(ECOPOINTS, "devices", member=member_id(town, number))
    }
    missing = [d for d in _simulator(town, {}, 0, 1).devices if _hidden(town, d.serial) not in there]
    await seeder.write(*(_register(town, device) for device in missing))


def _register(town: EcoTown, device: SimulatedDevice) -> Call:
    return _app(
        town, "register_device", member=member_id(town, device.household), kind=device.kind,
        methodology=device.methodology, parameters=dict(device.parameters), key=device.key.public_key.hex(),
        serial=_hidden(town, device.serial), place=_hidden(town, device.place),
    )  # fmt: skip


def _hidden(town: EcoTown, text: str) -> str:
    """Stands for a serial number; those of real devices are keyed with the application's secret."""
    return sha256(f"daicho/demo/{town.code}/{text}".encode()).hex()


def _app(town: EcoTown, method: str, **arguments: Value) -> Call:
    return app_call(town.code, method, arguments)


async def _introduce(seeder: Seeder, town: EcoTown) -> None:
    """Who the members are, their papers, and somebody who has applied."""
    plates = [
        Plate(member_id(town, d.household), d.kind, _hidden(town, d.serial), d.serial, d.place)
        for d in _simulator(town, {}, 0, 1).devices
    ]
    applicant = f"applicant.{town.name}@{DOMAIN}"
    await seed_people(seeder, town.code, applicant, plates, demo_month(seeder.kit.clock()))


# -- a month and what has come of the next -----------------------------------------------------------------------------


def _simulator(town: EcoTown, ids: Mapping[str, str], start_ms: int, days: int) -> Simulator:
    seed = SEED + int(town.code)
    return Simulator(
        seed=seed, households=town.households, days=days, kinds=("pv", "ev"), start_ms=start_ms, per_packet=48, ids=ids
    )


async def _send_readings(seeder: Seeder, town: EcoTown, broker: Broker | None) -> None:
    """What the devices have sent since the month began, until all of it is in batches on the chain."""
    kit = seeder.kit
    ids = await _device_ids(seeder, town)
    await _until(kit, lambda session: len(CopiedRegistry().devices(session, set(ids.values()))) == len(ids))
    now_ms = kit.clock()
    start_ms = month_start_ms(demo_month(now_ms))
    simulator = _simulator(town, ids, start_ms, min((now_ms - start_ms) // DAY_MS, 61))
    if broker is None:
        await _hand_in(kit, simulator.stream())
    else:
        sent = [(arrival.packet, arrival.signed) for arrival in simulator.stream()]
        distinct = len({(packet.device, packet.sequence) for packet, _ in sent})
        await publish(broker, sent)
        await _until(kit, lambda session: _count(session, ids.values()) == distinct)
    await _until(kit, lambda session: not session.scalar(select(exists().where(EcoReading.batch_id.is_(None)))))


async def _hand_in(kit: Kit, arrivals: Iterator[Arrival]) -> None:
    intake = Intake(kit.database, CopiedRegistry())
    try:
        while together := list(itertools.islice(arrivals, PACKETS_TOGETHER)):
            await intake.take([arrival.signed for arrival in together], kit.clock())
    finally:
        intake.close()


def _count(session: Session, devices: Iterable[str]) -> int:
    """Distinct packets of these devices that are stored."""
    query = select(func.count()).select_from(EcoPacket).where(EcoPacket.device.in_(list(devices)))
    return session.scalar(query) or 0


async def _device_ids(seeder: Seeder, town: EcoTown) -> dict[str, str]:
    """The simulated devices' labels and the ids under which the chain knows them."""
    by_serial = {
        str(row["serial"]): str(row["device"])
        for number in range(1, town.households + 1)
        for row in await seeder.rows(ECOPOINTS, "devices", member=member_id(town, number))
    }
    return {d.label: by_serial[_hidden(town, d.serial)] for d in _simulator(town, {}, 0, 1).devices}


async def _until(kit: Kit, holds: Callable[[Session], bool]) -> None:
    """The copy of the chain and the batcher work beside this: look until they are through."""
    async with asyncio.timeout(READY_WITHIN_S):
        while not await kit.database.read(holds):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


# -- points for the month, and what they were spent on -----------------------------------------------------------------


async def _settle(seeder: Seeder, town: EcoTown) -> None:
    """The month is closed and settled for each methodology; the plants' points are paid, the cars' wait for release."""
    month = demo_month(seeder.kit.clock())
    year = fiscal_year_of_month(month)
    first, second = officer_account(1, town.code), officer_account(2, town.code)
    rule = await _made(
        seeder, first, "set_rule", methodologies=list(METHODOLOGIES), rate_points=5, rate_kg=1,
        first_month=f"{year}-04", last_month=f"{year + 1}-03", budget=100_000, lot_months=12,
    )  # fmt: skip
    for methodology in METHODOLOGIES:
        period = await _made(
            seeder, first, "open_period", methodology=methodology, first_month=month, last_month=month,
            factor_table=LATEST_TABLE,
        )  # fmt: skip
        await seeder.write(_as(first, "close_period", period=period))
        await _repeat(seeder, _app(town, "settle_period", period=period))
        await seeder.write(_as(first, "propose_grants", period=period, rule=rule))
        if methodology == METHODOLOGIES[0]:
            await seeder.write(_as(second, "release_grants", period=period, rule=rule))
            await _repeat(seeder, _app(town, "pay_grants", period=period, rule=rule))


async def _certify_last_year(seeder: Seeder, town: EcoTown) -> None:
    """The fiscal year before, from the meter statements of the plants: applied for, certified, and half of it sold."""
    officer = officer_account(1, town.code)
    year = fiscal_year_of_month(demo_month(seeder.kit.clock())) - 1
    months = months_between(f"{year}-04", f"{year + 1}-03")
    ids = await _device_ids(seeder, town)
    plants = [d for d in _simulator(town, {}, 0, 1).devices if d.methodology == METHODOLOGIES[0]]
    await seeder.write(
        *(
            _app(town, "enter_value", device=ids[plant.label], month=month, channel=channel, value=value)
            for plant in plants
            for month in months
            for channel, value in _statement(plant, month).items()
        )
    )
    period = await _made(
        seeder, officer, "open_period", methodology=METHODOLOGIES[0], first_month=months[0], last_month=months[-1],
        factor_table=LATEST_TABLE,
    )  # fmt: skip
    await seeder.write(_as(officer, "close_period", period=period))
    await _repeat(seeder, _app(town, "settle_period", period=period))
    (applied,) = await seeder.write(_as(officer, "apply_for_credits", periods=[period]))
    tonnes = int(applied["tonnes"] or 0)
    block = await _made(
        seeder, officer, "register_credits", application=applied["application"],
        prefix=f"JC-{year}-{town.code}", first=1, last=tonnes,
    )  # fmt: skip
    await seeder.write(
        _as(
            officer, "sell_credits", credits_block=block, tonnes=max(1, tonnes // 2),
            yen_per_tonne=REPORT_YEN_PER_TONNE, buyer="company",
        )
    )  # fmt: skip


def _statement(plant: SimulatedDevice, month: str) -> dict[str, int]:
    """Watt-hours that the electricity company's statement of a month says: the most in May, the least in December."""
    generated = int(plant.parameters["capacity_w"]) * KWH_PER_KW[int(month[-2:]) - 1]
    return {"generated": generated, "sold": generated * 3 // 5}


async def _repeat(seeder: Seeder, call: Call) -> None:
    """A call that does a part of its work each time."""
    while (await seeder.write(call))[0]["left"]:
        pass


async def _made(seeder: Seeder, account: str, method: str, **arguments: Value) -> str:
    """The id of what a call has made."""
    result = (await seeder.write(_as(account, method, **arguments)))[0]
    return str(next(iter(result.values())))


def _as(account: str, method: str, **arguments: Value) -> Call:
    return Call(account, ECOPOINTS, method, arguments)


async def _spend(seeder: Seeder, town: EcoTown) -> None:
    """Two shops, a reward, a few payments, and a statement that waits for an officer."""
    officer = officer_account(1, town.code)
    await seeder.write(*(_as(officer, "open_shop", shop=shop_id(town, number)) for number in (1, 2)))
    reward = {"name_ja": "市民まつり 入場券", "name_en": "Ticket to the town festival"}
    await seeder.write(_as(officer, "register_reward", **reward, points=150, stock=40))
    for number in range(1, town.households + 1):
        member = member_id(town, number)
        account = await seeder.ask(ECOPOINTS, "points_account", account=member)
        held = account["points"] if isinstance(account, dict) else 0
        if number % 2 and isinstance(held, int) and held > 0:
            code = new_code()
            points = max(1, held // 3)
            await seeder.write(_app(town, "open_payment", account=member, points=points, commitment=commitment(code)))
            await seeder.write(_app(town, "confirm_payment", code=code, shop=shop_id(town, 1 + number // 2 % 2)))
    await seeder.write(_app(town, "close_statement", shop=shop_id(town, 2)))


def _add_people(session: Session, towns: Sequence[EcoTown], password_hash: str, now_ms: int) -> None:
    """An account for every role in each municipality."""
    if session.scalar(select(User.id).limit(1)) is not None:
        return

    def add(email: str, name: str, role: str, town: EcoTown, account: str = "") -> User:
        return accounts.create(
            session, email=email, name=name, password_hash=password_hash, roles=[role], now_ms=now_ms,
            organisation=town.code, chain_account=account, is_confirmed=True,
        )  # fmt: skip

    for town in towns:
        for number in range(1, town.households + 1):
            add(member_email(town, number), name_of(number), MEMBER, town).pseudonym = member_id(town, number)
        for number in (1, 2):
            shop = add(f"shop{number}.{town.name}@{DOMAIN}", f"{town.name} 商店 {number}", SHOP, town)
            shop.pseudonym = shop_id(town, number)
            account = officer_account(number, town.code)
            add(f"eco{number}.{town.name}@{DOMAIN}", f"{town.name} 環境課 {number}", OFFICER, town, account)
        add(f"verifier.{town.name}@{DOMAIN}", f"{town.name} 検証機関", VERIFIER, town)
        add(f"eco-admin.{town.name}@{DOMAIN}", f"{town.name} 管理者", ADMIN, town)
