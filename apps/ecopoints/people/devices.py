"""Devices: registered with serial number and supply point or VIN, each only once; changed, retired (E4c, E4e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.web import Flash, View, Visit
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.copy import own_writes
from apps.ecopoints.home import methodology_title
from apps.ecopoints.people.amounts import UNITS, channels_of, show_amount
from apps.ecopoints.people.figures import MonthFigure, figures_of
from apps.ecopoints.people.looking import (
    PAGE_ROWS,
    active_member,
    device_in_use,
    device_label,
    identity,
    note_look,
    plates_of,
    seen_device,
)
from apps.ecopoints.people.members import programme_region
from apps.ecopoints.people.tables import EcoPlate
from apps.ecopoints.signing import MEMBERS, OFFICERS, READERS, officer_call
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow
from contracts.ecopoints.methodology import METHODOLOGIES
from ledger.encoding import Value

KEY = r"([0-9a-f]{64})?"
MONTH_ROWS = 24


@dataclass(frozen=True)
class NewDevice:
    """What every kind needs; numbers that only some kinds have are `_Needs`."""

    label: str = forms.text(required=False, max_length=60)
    serial: str = forms.text(max_length=60)
    place: str = forms.text(max_length=60)
    key: str = forms.text(required=False, max_length=64, pattern=KEY)


@dataclass(frozen=True)
class NewSolar(NewDevice):
    capacity_w: int = forms.number(minimum=100, maximum=10_000_000, unit="unit.watts")


@dataclass(frozen=True)
class NewGenerator(NewDevice):
    capacity_w: int = forms.number(minimum=100, maximum=10_000_000, unit="unit.watts")
    fuel: str = forms.choice()
    efficiency_permille: int | None = forms.optional_number(minimum=50, maximum=700, unit="unit.permille")


@dataclass(frozen=True)
class NewCar(NewDevice):
    baseline_km_per_l_x10: int = forms.number(minimum=10, maximum=500, unit="unit.tenth_km_per_l")
    baseline_fuel: str = forms.choice()
    fuel: str = forms.choice(required=False)
    km_per_kwh_x10: int | None = forms.optional_number(minimum=10, maximum=200, unit="unit.tenth_km_per_kwh")


@dataclass(frozen=True)
class NewMeter(NewDevice):
    pass


@dataclass(frozen=True)
class NewKey:
    key: str = forms.text(required=False, max_length=64, pattern=KEY)


@dataclass(frozen=True)
class Retire:
    sure: bool = forms.tick(required=True)


# -- looking -----------------------------------------------------------------------------------------------------------


async def show_devices(visit: Visit) -> web.StreamResponse:
    """The municipality's devices by kind and state; the look is recorded, since numbers lead to people."""
    await own_writes(visit)
    municipality, page = visit.signed_in.organisation, visit.page_number()
    kind, search = visit.query("kind", 10), visit.query("q", 60)
    await note_look(visit, "devices", "", municipality)

    def look(session: Session) -> tuple[Sequence[DeviceRow], int, Mapping[tuple[str, str], EcoPlate]]:
        rows = select(DeviceRow).where(DeviceRow.municipality == municipality)
        if kind:
            rows = rows.where(DeviceRow.kind == kind)
        if search:
            wanted = identity(visit.kit, search)
            rows = rows.where(
                (DeviceRow.serial == wanted) | (DeviceRow.place == wanted) | (DeviceRow.device == search)
            )  # fmt: skip
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        order = rows.order_by(DeviceRow.registered_ms.desc(), DeviceRow.device)
        shown = session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all()
        return shown, count, plates_of(session, [device.member for device in shown])

    devices, count, plates = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/people/devices.html", devices=devices, count=count, page=page, page_rows=PAGE_ROWS, kind=kind,
        search=search, kinds=("pv", "ev", "phv", "generator", "grid"),
        labels={d.device: device_label(visit, d, plates.get((d.member, d.serial))) for d in devices},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month on a device's page."""

    month: str
    amounts: str
    kilograms: Fraction | None
    figure: MonthFigure | None
    row: DeviceMonthRow | None


def _month_lines(visit: Visit, rows: Sequence[DeviceMonthRow], figures: Sequence[MonthFigure]) -> list[MonthLine]:
    by_month = {row.month: row for row in rows}
    figured = {figure.month: figure for figure in figures}
    lines = []
    for month in sorted({*by_month, *figured}, reverse=True)[:MONTH_ROWS]:
        row, figure = by_month.get(month), figured.get(month)
        totals = row.totals if row is not None else {}
        amounts = visit.t("layout.comma").join(
            f"{visit.t(f'channel_value.{channel}')} {show_amount(amount)} {UNITS[channel]}"
            for channel, amount in sorted(totals.items())
        )
        lines.append(MonthLine(month, amounts, figure.kilograms if figure is not None else None, figure, row))
    return lines


async def show_device(visit: Visit) -> web.StreamResponse:
    device = await seen_device(visit)
    await note_look(visit, "device", device.member, device.device)
    region = await programme_region(visit, device.municipality)

    def look(session: Session) -> tuple[EcoPlate | None, list[DeviceMonthRow], list[MonthFigure]]:
        plate = session.get(EcoPlate, (device.member, device.serial))
        rows = session.scalars(select(DeviceMonthRow).where(DeviceMonthRow.device == device.device)).all()
        return plate, list(rows), figures_of(session, [device], region, visit.now_ms)

    plate, rows, figures = await visit.kit.database.read(look)
    rules = METHODOLOGIES.get(device.methodology)
    titles = {p.name: p.title.ja if visit.language == "ja" else p.title.en for p in rules.parameters} if rules else {}
    return visit.render(
        "ecopoints/people/device.html", device=device, plate=plate, label=device_label(visit, device, plate),
        lines=_month_lines(visit, rows, figures), kg=show_kg, titles=titles, enter=f"enter_{enter_kind(device.kind)}",
        methodology=methodology_title(visit, device.methodology) if rules else "",
        channels=channels_of(device.kind, device.methodology),
    )  # fmt: skip


def enter_kind(kind: str) -> str:
    """Which form takes values of such a device."""
    return {"ev": "car", "phv": "car", "pv": "solar", "generator": "generator"}.get(kind, "meter")


# -- registering -------------------------------------------------------------------------------------------------------


async def _about_member(visit: Visit) -> Mapping[str, object]:
    member = await active_member(visit)
    return {"member": member}


async def _fuels(visit: Visit) -> Options:
    fuels = [Option(fuel, visit.t(f"fuel.{fuel}")) for fuel in ("gasoline", "diesel")]
    return {"baseline_fuel": fuels, "fuel": fuels}


async def _generator_fuels(visit: Visit) -> Options:
    codes = ("kerosene", "diesel", "gasoline", "heavy_oil_a")
    return {"fuel": [Option(fuel, visit.t(f"fuel.{fuel}")) for fuel in codes]}


async def _check(visit: Visit, value: NewDevice) -> Mapping[str, Problem]:
    """E4e: what is registered already is refused beside its field (the contract has the last word)."""
    kind = _kind_of(value)
    hidden = {"serial": identity(visit.kit, value.serial), "place": identity(visit.kit, value.place)}

    def look(session: Session) -> dict[str, Problem]:
        found = {}
        for name, commitment in hidden.items():
            taken = session.scalar(
                select(DeviceRow).where(
                    DeviceRow.kind == kind, DeviceRow.retired_ms.is_(None),
                    (DeviceRow.serial == commitment) | (DeviceRow.place == commitment),
                ).limit(1)
            )  # fmt: skip
            if taken is not None:
                key = (
                    "new_device.taken" if taken.municipality == visit.signed_in.organisation else "new_device.elsewhere"
                )
                found[name] = Problem(key, {"device": taken.device})
        return found

    return await visit.kit.database.read(look)


def _kind_of(value: NewDevice) -> str:
    match value:
        case NewSolar():
            return "pv"
        case NewGenerator():
            return "generator"
        case NewCar():
            return "phv" if value.fuel else "ev"
        case _:
            return "grid"


def parameters_of(value: NewDevice) -> dict[str, Value]:
    """The facts that the methodology asks for; what was left blank is not there."""
    match value:
        case NewSolar():
            found: dict[str, Value] = {"capacity_w": value.capacity_w}
        case NewGenerator():
            found = {
                "capacity_w": value.capacity_w, "fuel": value.fuel, "efficiency_permille": value.efficiency_permille
            }  # fmt: skip
        case NewCar():
            found = {
                "baseline_km_per_l_x10": value.baseline_km_per_l_x10, "baseline_fuel": value.baseline_fuel,
                "fuel": value.fuel, "km_per_kwh_x10": value.km_per_kwh_x10,
            }  # fmt: skip
        case _:
            found = {}
    return {name: fact for name, fact in found.items() if fact not in (None, "")}


METHODOLOGY_OF = {kind: m.code for m in METHODOLOGIES.values() for kind in m.device_kinds}


def _register(session: Session, visit: Visit, value: NewDevice) -> Outcome:
    member = session.get_one(MemberRow, visit.part("member"))
    kind, serial = _kind_of(value), identity(visit.kit, value.serial)
    session.merge(
        EcoPlate(
            member=member.member, serial=serial, label=value.label, serial_text=value.serial, place_text=value.place
        )
    )
    arguments: dict[str, Value] = {
        "member": member.member, "kind": kind, "serial": serial, "place": identity(visit.kit, value.place),
        "methodology": METHODOLOGY_OF.get(kind), "parameters": parameters_of(value), "key": value.key,
    }  # fmt: skip
    call = officer_call(visit.signed_in, "register_device", arguments)
    write = visit.kit.outbox.put(session, "device.register", call, reference=f"member:{member.member}", user=visit.user)
    return Outcome("/devices/{device}", Flash("new_device.done", {}), write)


# -- changed, retired --------------------------------------------------------------------------------------------------


async def _about_device(visit: Visit) -> Mapping[str, object]:
    device = await device_in_use(visit)
    await note_look(visit, "device", device.member, device.device)
    plate = await visit.kit.database.read(lambda session: session.get(EcoPlate, (device.member, device.serial)))
    return {"device": device, "plate": plate, "label": device_label(visit, device, plate)}


def _change_key(session: Session, visit: Visit, value: NewKey) -> Outcome:
    device = visit.part("device")
    call = officer_call(visit.signed_in, "change_device_key", {"device": device, "key": value.key})
    write = visit.kit.outbox.put(session, "device.key", call, reference=f"device:{device}", user=visit.user)
    return Outcome(visit.kit.path("device", device=device), Flash("device_key.done", {}), write)


def _retire(session: Session, visit: Visit, value: Retire) -> Outcome:
    device = visit.part("device")
    call = officer_call(visit.signed_in, "retire_device", {"device": device})
    write = visit.kit.outbox.put(session, "device.retire", call, reference=f"device:{device}", user=visit.user)
    return Outcome(visit.kit.path("device", device=device), Flash("device_retire.done", {}), write)


PAGES = (
    View("devices", "/devices", show_devices, READERS),
    View("device", "/devices/{device}", show_device, READERS | MEMBERS),
    FormPage(
        "new_solar", "/members/{member}/devices/solar", OFFICERS, NewSolar, _register, check=_check,
        context=_about_member,
    ),
    FormPage(
        "new_car", "/members/{member}/devices/car", OFFICERS, NewCar, _register, check=_check, options=_fuels,
        context=_about_member,
    ),
    FormPage(
        "new_generator", "/members/{member}/devices/generator", OFFICERS, NewGenerator, _register, check=_check,
        options=_generator_fuels, context=_about_member,
    ),
    FormPage(
        "new_meter", "/members/{member}/devices/meter", OFFICERS, NewMeter, _register, check=_check,
        context=_about_member,
    ),
    FormPage(
        "device_key", "/devices/{device}/key", OFFICERS, NewKey, _change_key, context=_about_device,
        template="ecopoints/people/about_device.html",
    ),
    FormPage(
        "device_retire", "/devices/{device}/retire", OFFICERS, Retire, _retire, context=_about_device, review=False,
        template="ecopoints/people/about_device.html",
    ),
)  # fmt: skip
