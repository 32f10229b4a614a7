"""The sample and its evidence: each drawn member's devices, months and readings, every reading with its proof (E5d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.chain import ChainUnavailable
from apps.common.web import View, Visit
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.books.looking import ask, own_period
from apps.ecopoints.export import proofs
from apps.ecopoints.home import methodology_title
from apps.ecopoints.intake.batcher import ReadingProof, proof_of
from apps.ecopoints.intake.tables import EcoReading
from apps.ecopoints.people.documents import PAGE_ROWS, check_documents
from apps.ecopoints.people.tables import EcoDocument
from apps.ecopoints.signing import READERS
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow, PeriodRow
from apps.ecopoints.verifying.reading_file import reading_file
from apps.ecopoints.verifying.sampling import Sample, block_of, draw
from contracts.ecopoints.methodology import METHODOLOGIES, Step, fiscal_year_of_month, month_start_ms, next_month, table
from contracts.ecopoints.methodology.model import Measured
from contracts.ecopoints.queries import MemberReductionPage
from contracts.ecopoints.types import MemberReduction
from ledger.refusal import Refused

PAGE = 100
READINGS = 50
"""On a page: it stays below 60 kB."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A period's sample, with what each of its members saved."""

    sample: Sample
    height: int
    """Of the block whose hash is the seed."""
    kilograms: Mapping[str, Fraction]


async def settled_period(visit: Visit) -> PeriodRow:
    period = await own_period(visit)
    if period.status not in ("settled", "certified"):
        raise web.HTTPNotFound
    return period


async def drawn(visit: Visit, period: PeriodRow) -> Drawn:
    rows: list[MemberReduction] = []
    after = ""
    while True:
        page = await ask(visit, MemberReductionPage, "member_reductions", period=period.period, after=after, limit=PAGE)
        rows += page.rows
        after = page.next
        if not after:
            break
    height, seed = block_of(await _closing_proof(visit, period))
    kilograms = {row.member: sum((Fraction(kg) for kg in row.months.values()), Fraction(0)) for row in rows}
    return Drawn(draw(seed, kilograms), height, kilograms)


async def _closing_proof(visit: Visit, period: PeriodRow) -> bytes:
    """The proof of the transaction that closed the period: it comes soon in the story, after the opening."""
    after = ""
    try:
        while True:
            steps, after = await visit.kit.chain.history(f"period:{period.period}", after, PAGE)
            for step in steps:
                if step.event.name == "period_closed":
                    return await proofs.transaction(visit.kit, step.transaction_id)
            if not after:
                raise web.HTTPNotFound
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None


async def show_sample(visit: Visit) -> web.StreamResponse:
    period = await settled_period(visit)
    found = await drawn(visit, period)
    return visit.render(
        "ecopoints/verifying/sample.html", period=period, found=found,
        kilograms={member: show_kg(found.kilograms[member]) for member in found.sample.members},
        title=methodology_title(visit, period.methodology),
    )  # fmt: skip


# -- one member --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownMonth:
    """A month of a device with the formula's symbols, as the methodology's source names them."""

    row: DeviceMonthRow
    steps: tuple[Step, ...]
    reduction: Fraction
    problem: str
    """Why the month earns nothing, as the reason's code; empty where it earns."""


@dataclass(frozen=True, slots=True)
class ShownDevice:
    row: DeviceRow
    months: Sequence[ShownMonth]


async def show_evidence(visit: Visit) -> web.StreamResponse:
    """What a member's reduction rests on, reckoned anew before the verifier's eyes."""
    period = await settled_period(visit)
    name = visit.part("member")[:64]

    def look(session: Session) -> tuple[MemberRow | None, list[ShownDevice], Sequence[EcoDocument]]:
        rows = select(DeviceRow).where(DeviceRow.member == name, DeviceRow.methodology == period.methodology)
        devices = session.scalars(rows.order_by(DeviceRow.device)).all()
        documents = select(EcoDocument).where(
            EcoDocument.member == name, EcoDocument.device.in_(["", *(device.device for device in devices)])
        )
        newest = documents.order_by(EcoDocument.uploaded_ms.desc(), EcoDocument.document).limit(PAGE_ROWS)
        shown = [_shown(session, period, device) for device in devices]
        return session.get(MemberRow, name), shown, session.scalars(newest).all()

    member, devices, documents = await visit.kit.database.read(look)
    if member is None or member.municipality != period.municipality:
        raise web.HTTPNotFound
    return visit.render(
        "ecopoints/verifying/evidence.html", period=period, member=member, devices=devices, kg=show_kg,
        exact=lambda step: show_exact(step.value), units=units_of(period),
        total=show_kg(sum((month.reduction for device in devices for month in device.months), Fraction(0))),
        documents=await check_documents(visit, documents), is_drawn=name in (await drawn(visit, period)).sample.members,
    )  # fmt: skip


def units_of(period: PeriodRow) -> Mapping[str, str]:
    """The unit of each channel of the period's methodology."""
    return {channel.name: channel.unit for channel in METHODOLOGIES[period.methodology].channels}


def _shown(session: Session, period: PeriodRow, device: DeviceRow) -> ShownDevice:
    rows = select(DeviceMonthRow).where(
        DeviceMonthRow.device == device.device,
        DeviceMonthRow.month >= period.first_month,
        DeviceMonthRow.month <= period.last_month,
    )
    return ShownDevice(
        device, [_month(period, device, row) for row in session.scalars(rows.order_by(DeviceMonthRow.month))]
    )


def _month(period: PeriodRow, device: DeviceRow, row: DeviceMonthRow) -> ShownMonth:
    factors = table(period.table).factors(fiscal_year_of_month(row.month), period.region)
    try:
        found = METHODOLOGIES[period.methodology].reduce(
            Measured(row.totals, frozenset(row.estimated)), device.parameters, factors
        )
    except Refused as refusal:
        return ShownMonth(row, (), Fraction(0), refusal.reason.code)
    return ShownMonth(row, found.steps, found.reduction_kg, "")


def show_exact(value: Fraction) -> str:
    """A figure of a formula: as a decimal where it ends, else as the fraction that it is."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator != 1:
        return f"{value.numerator:,}/{value.denominator:,}"
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    whole, rest = divmod(abs((value * 10**digits).numerator), 10**digits)
    return f"{'-' if value < 0 else ''}{whole:,}" + (f".{rest:0{digits}d}" if digits else "")


# -- readings ----------------------------------------------------------------------------------------------------------


async def show_readings(visit: Visit) -> web.StreamResponse:
    """A device's raw readings of a month, each with the proof that it is under the chain's Merkle root."""
    period, device, month = await _device_month(visit)
    page = visit.page_number()

    def look(session: Session) -> tuple[Sequence[EcoReading], int]:
        rows = select(EcoReading).where(
            EcoReading.device == device.device, EcoReading.end_ms > month_start_ms(month),
            EcoReading.end_ms <= month_start_ms(next_month(month)),
        )  # fmt: skip
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        order = rows.order_by(EcoReading.end_ms, EcoReading.channel)
        return session.scalars(order.offset((page - 1) * READINGS).limit(READINGS)).all(), count

    readings, count = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/verifying/readings.html", period=period, device=device, month=month, readings=readings, count=count,
        page=page, page_rows=READINGS, units=units_of(period),
    )  # fmt: skip


async def _device_month(visit: Visit) -> tuple[PeriodRow, DeviceRow, str]:
    period = await settled_period(visit)
    name, month = visit.part("device")[:48], visit.part("month")
    device = await visit.kit.database.read(lambda session: session.get(DeviceRow, name))
    in_period = period.first_month <= month <= period.last_month and len(month) == len(period.first_month)
    if device is None or device.municipality != period.municipality or not in_period:
        raise web.HTTPNotFound
    return period, device, month


async def download_reading_proof(visit: Visit) -> web.StreamResponse:
    """A reading with its path to the root of its batch, and the proof that the chain has this root."""
    _, device, _ = await _device_month(visit)
    channel, end = visit.part("channel")[:32], visit.part("end")
    end_ms = int(end) if end.isascii() and end.isdecimal() and len(end) <= 15 else 0

    def look(session: Session) -> tuple[EcoReading | None, ReadingProof | None]:
        reading = session.get(EcoReading, (device.device, channel, end_ms))
        return reading, proof_of(session, device.device, channel, end_ms)

    reading, proof = await visit.kit.database.read(look)
    if reading is None or proof is None:
        raise web.HTTPNotFound
    try:
        steps, _ = await visit.kit.chain.history(f"batch:{proof.batch}", "", 1)
        if not steps:
            raise web.HTTPNotFound
        of_chain = await proofs.transaction(visit.kit, steps[0].transaction_id)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None
    data = reading_file(device.device, channel, end_ms, reading.value, proof, of_chain)
    return visit.download(data, f"reading-{device.device}-{channel}-{end_ms}.json", "application/json")


PAGES = (
    View("sample", "/periods/{period}/sample", show_sample, READERS),
    View("evidence", "/periods/{period}/evidence/{member}", show_evidence, READERS),
    View("evidence_readings", "/periods/{period}/readings/{device}/{month}", show_readings, READERS),
    View(
        "reading_proof", "/periods/{period}/readings/{device}/{month}/{channel}/{end}.json", download_reading_proof,
        READERS,
    ),
)  # fmt: skip
