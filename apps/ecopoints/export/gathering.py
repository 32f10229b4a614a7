"""A settled period as it is exported: read from the chain and from the copy of it, and found to agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.chain import ChainUnavailable, Step
from apps.common.copying import Asker
from apps.common.web import Kit
from apps.ecopoints.copy import COPY
from apps.ecopoints.export import proofs
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow
from contracts.ecopoints.methodology import METHODOLOGIES, fiscal_year_of_month, table
from contracts.ecopoints.periods import month_reduction
from contracts.ecopoints.queries import AdjustmentPage, DeviceReductionPage
from contracts.ecopoints.types import ECOPOINTS, Adjustment, DeviceMonth, DeviceReduction, MonthRow, Period
from ledger.refusal import Reason, Refused, Text

PAGE = 100
TOGETHER = 500
TRIES, PAUSE_S = 20, 0.25
PROVED = frozenset({"period_opened", "period_closed", "reduction_settled", "period_settled", "adjusted"})
"""Events of a period on which its figures rest: what was paid or applied for later changes none of them."""
P = TypeVar("P", AdjustmentPage, DeviceReductionPage)


class ExportReason(Reason):
    NO_PERIOD = Text("期間 {period} は登録されていません", "there is no period {period}")
    NOT_SETTLED = Text(
        "期間 {period} の削減量はまだ確定していません",
        "the period {period} is not settled yet: close it and let its reductions be reckoned first",
    )


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A transaction on which the figures rest."""

    transaction_id: bytes
    height: int
    time_ms: int
    events: tuple[str, ...]
    """What it says of the period, each kind once."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is exported of a period. Rows of devices, members and months are those of the devices that count."""

    chain_id: bytes
    period: Period
    period_proof: bytes
    reductions: Sequence[DeviceReduction]
    adjustments: Sequence[Adjustment]
    members: Mapping[str, MemberRow]
    devices: Mapping[str, DeviceRow]
    months: Mapping[tuple[str, str], DeviceMonthRow]
    proofs: Sequence[ProofFile]

    @property
    def closed_ms(self) -> int:
        return next(proof.time_ms for proof in self.proofs if "period_closed" in proof.events)


async def gather(kit: Kit, period_id: str) -> Gathered:
    """`Refused(ExportReason)`; `ChainUnavailable` if chain and copy do not come to agree within a few seconds."""
    for _ in range(TRIES):
        found = await _gather(kit, period_id)
        if found is not None:
            return found
        await asyncio.sleep(PAUSE_S)
    raise ChainUnavailable("the copy of the chain is behind")


async def _gather(kit: Kit, period_id: str) -> Gathered | None:
    """None if something changed meanwhile, or the copy is behind."""
    asker = Asker(kit.chain, ECOPOINTS, await kit.database.read(COPY.height))
    period = await asker.one(Period, "period", {"period": period_id})
    if period is None:
        raise Refused(ExportReason.NO_PERIOD, period=period_id)
    if period.status not in ("settled", "certified"):
        raise Refused(ExportReason.NOT_SETTLED, period=period_id)
    reductions = [
        row for page in await _pages(asker, DeviceReductionPage, "device_reductions", period_id) for row in page.rows
    ]
    adjustments = [row for page in await _pages(asker, AdjustmentPage, "adjustments", period_id) for row in page.rows]
    devices, members, months = await kit.database.read(lambda session: _copied(session, reductions))
    period_proof = await proofs.period_row(kit, period)
    if period_proof is None or not await asyncio.to_thread(_agree, period, reductions, devices, members, months):
        return None
    files = [await _proof_file(kit, steps) for steps in await _transactions(kit, period_id)]
    told = sum(1 for file in files if "adjusted" in file.events)
    if told != len(adjustments):
        return None
    return Gathered(
        kit.chain.chain_id, period, period_proof, reductions, adjustments, members, devices, months, files
    )  # fmt: skip


async def _pages(asker: Asker, kind: type[P], method: str, period: str) -> list[P]:
    found: list[P] = []
    after = ""
    while True:
        page = await asker.one(kind, method, {"period": period, "after": after, "limit": PAGE})
        if page is None:
            return found
        found.append(page)
        after = page.next
        if not after:
            return found


def _copied(
    session: Session, reductions: Sequence[DeviceReduction]
) -> tuple[Mapping[str, DeviceRow], Mapping[str, MemberRow], Mapping[tuple[str, str], DeviceMonthRow]]:
    devices: dict[str, DeviceRow] = {}
    members: dict[str, MemberRow] = {}
    months: dict[tuple[str, str], DeviceMonthRow] = {}
    for start in range(0, len(reductions), TOGETHER):
        part = reductions[start : start + TOGETHER]
        ids = [row.device for row in part]
        names = sorted({row.member for row in part})
        wanted = {(row.device, month.month) for row in part for month in row.months}
        devices |= {d.device: d for d in session.scalars(select(DeviceRow).where(DeviceRow.device.in_(ids)))}
        members |= {m.member: m for m in session.scalars(select(MemberRow).where(MemberRow.member.in_(names)))}
        rows = session.scalars(select(DeviceMonthRow).where(DeviceMonthRow.device.in_(ids)))
        months |= {(m.device, m.month): m for m in rows if (m.device, m.month) in wanted}
    return devices, members, months


def _agree(
    period: Period,
    reductions: Sequence[DeviceReduction],
    devices: Mapping[str, DeviceRow],
    members: Mapping[str, MemberRow],
    months: Mapping[tuple[str, str], DeviceMonthRow],
) -> bool:
    """Whether what the copy shows of the devices gives the reductions that the contract reckoned."""
    for row in reductions:
        if row.device not in devices or row.member not in members:
            return False
        for month in row.months:
            found = months.get((row.device, month.month))
            if found is None or reckoned(period, devices[row.device], found) != month:
                return False
    return True


def reckoned(period: Period, device: DeviceRow, month: DeviceMonthRow) -> DeviceMonth:
    factors = table(period.table).factors(fiscal_year_of_month(month.month), period.region)
    row = MonthRow(
        month.totals, month.covered, month.expected, month.quarantined, tuple(month.estimated), tuple(month.manual)
    )
    return month_reduction(METHODOLOGIES[period.methodology], factors, device.parameters, month.month, row)


def kilograms(reduction: DeviceReduction) -> Fraction:
    """The device's exact reduction in the period, corrections included."""
    return sum((Fraction(month.reduction) for month in reduction.months), Fraction(0))


# -- proofs ------------------------------------------------------------------------------------------------------------


async def _transactions(kit: Kit, period_id: str) -> list[list[Step]]:
    """The steps of the period's story on which its figures rest, by transaction, in order."""
    found: dict[bytes, list[Step]] = {}
    after = ""
    while True:
        steps, after = await kit.chain.history(f"period:{period_id}", after, PAGE)
        for step in steps:
            if step.event.name in PROVED:
                found.setdefault(step.transaction_id, []).append(step)
        if not after:
            return list(found.values())


async def _proof_file(kit: Kit, steps: Sequence[Step]) -> ProofFile:
    first = steps[0]
    data = await proofs.transaction(kit, first.transaction_id)
    names = tuple(dict.fromkeys(step.event.name for step in steps))
    return ProofFile(first.transaction_id, first.height, first.time_ms, names, data)
