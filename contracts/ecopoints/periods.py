"""モニタリング期間: opening, closing, and settling a period into reductions of devices, members and fiscal years.

Settling goes through the devices in the order of their ids, a bounded number a call, and keeps its place in the
period's row; when the last one is done the period is settled. What it rests on is in the row: the methodology's
version, and the factor table with its digest, so that the same figures come out years later.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from contracts.ecopoints import exact
from contracts.ecopoints.members import MAX_DEVICES, own, programme
from contracts.ecopoints.methodology import (
    METHODOLOGIES,
    Factors,
    Measured,
    Methodology,
    MethodologyReason,
    fiscal_year_of_month,
    month_after,
    month_start_ms,
    months_between,
    next_month,
    table,
)
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    DEVICE_REDUCTIONS,
    DEVICES,
    DEVICES_IN,
    MAX_PERIOD_MONTHS,
    MEMBER_REDUCTIONS,
    MEMBERS,
    MONTH_PERIODS,
    MONTHS,
    PERIODS,
    PERIODS_IN,
    Device,
    DeviceMonth,
    DeviceReduction,
    Found,
    MemberReduction,
    MonthRow,
    Period,
    YearSum,
)
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

NO_YEAR = YearSum(exact.ZERO, exact.ZERO, exact.ZERO, exact.ZERO)
INCOMPLETE = (MethodologyReason.MISSING_CHANNEL, MethodologyReason.SOLD_OVER_GENERATED)
"""A month that lacks a value, or contradicts itself, earns nothing; everything else that is wrong is refused."""


def known(ctx: Context, period_id: str) -> Period:
    """The period of the sender's municipality."""
    period = PERIODS.get(ctx.state, period_id)
    if period is None:
        raise Refused(EcoReason.NO_PERIOD, period=period_id)
    own(ctx, period.municipality)
    return period


def in_status(ctx: Context, period_id: str, *statuses: str) -> Period:
    period = known(ctx, period_id)
    if period.status not in statuses:
        raise Refused(EcoReason.PERIOD_STATE, period=period_id, status=period.status)
    return period


def subjects(period: Period) -> list[str]:
    return [f"period:{period.period}"]


def months_of(period: Period) -> tuple[str, ...]:
    return months_between(period.first_month, period.last_month)


def save(ctx: Context, period: Period) -> None:
    PERIODS.put(ctx.state, period.period, period)


def open_period(ctx: Context, *, code: str, first_month: str, last_month: str, version: str) -> Result:
    """E5a, E5b: months of a methodology are counted together; no month in two periods."""
    place = programme(ctx)
    rules = METHODOLOGIES.get(code)
    if rules is None:
        raise Refused(MethodologyReason.UNKNOWN_METHODOLOGY, methodology=code)
    factors = table(version)
    if first_month > last_month or last_month >= month_after(first_month, MAX_PERIOD_MONTHS):
        raise Refused(EcoReason.BAD_PERIOD, limit=MAX_PERIOD_MONTHS)
    period = Period(
        ctx.new_id("period"), place.municipality, code, rules.version, place.region, first_month, last_month,
        factors.version, factors.digest, status="open", cursor="", devices=0, years={}, application="",
        closed_by="", retain_until_ms=0,
    )  # fmt: skip
    for month in months_of(period):
        row_id = f"{place.municipality}/{code}/{month}"
        taken = MONTH_PERIODS.get(ctx.state, row_id)
        if taken is not None:
            raise Refused(EcoReason.OVERLAP, month=month, period=taken.id)
        MONTH_PERIODS.put(ctx.state, row_id, Found(period.period))
    PERIODS_IN.put(ctx.state, f"{place.municipality}/{first_month}/{period.period}", Mark())
    save(ctx, period)
    ctx.emit("period_opened", subjects(period), methodology=code, first_month=first_month, last_month=last_month)
    return {"period": period.period}


def close(ctx: Context, period_id: str) -> Result:
    """The period's months take no more readings; what comes later is a correction."""
    period = in_status(ctx, period_id, "open")
    if ctx.time_ms < month_start_ms(next_month(period.last_month)):
        raise Refused(EcoReason.NOT_OVER, month=period.last_month)
    save(ctx, msgspec.structs.replace(period, status="closed", closed_by=ctx.sender.account_id))
    ctx.emit("period_closed", subjects(period))
    return None


def settle(ctx: Context, period_id: str, limit: int) -> Result:
    """Reckon the reductions of the next `limit` devices; `left` says whether there are more."""
    period = in_status(ctx, period_id, "closed")
    prefix = f"{period.municipality}/{period.methodology}/"
    page = DEVICES_IN.page(ctx.state, prefix=prefix, after=period.cursor, limit=limit + 1)
    for row_id, _ in page[:limit]:
        period = settle_device(ctx, period, row_id.rsplit("/", 1)[1])
        period = msgspec.structs.replace(period, cursor=row_id)
    left = len(page) > limit
    if not left:
        period = msgspec.structs.replace(period, status="settled")
        ctx.emit("period_settled", subjects(period), devices=period.devices)
    save(ctx, period)
    return {"left": left, "devices": period.devices}


def settle_device(ctx: Context, period: Period, device_id: str) -> Period:
    device = DEVICES.get(ctx.state, device_id)
    if device is None:
        raise BrokenInvariant(f"device {device_id} is in the index and not there")
    months = tuple(month for name in months_of(period) if (month := reduction(ctx, period, device, name)) is not None)
    if not months:
        return period
    DEVICE_REDUCTIONS.put(ctx.state, f"{period.period}/{device_id}", DeviceReduction(device_id, device.member, months))
    for month in months:
        credit_member(ctx, period, device, month.month, Fraction(month.reduction))
        period = credit_year(period, month, sign=1)
    total = sum((Fraction(month.reduction) for month in months), Fraction(0))
    ctx.emit(
        "reduction_settled", [f"device:{device_id}", f"member:{device.member}", *subjects(period)],
        kilograms=int(total // 1), months=len(months),
    )  # fmt: skip
    return msgspec.structs.replace(period, devices=period.devices + 1)


def reduction(ctx: Context, period: Period, device: Device, month: str) -> DeviceMonth | None:
    """The device's reduction in a month of the period, by its methodology; None where nothing was measured."""
    row = MONTHS.get(ctx.state, f"{device.device}/{month}")
    return None if row is None or not row.totals else reckon(period, device, month, row)


def reckon(period: Period, device: Device, month: str, row: MonthRow) -> DeviceMonth:
    """E1d, E2: the methodology's formula with the factors of the fiscal year in which the month lies."""
    factors = table(period.table).factors(fiscal_year_of_month(month), period.region)
    return month_reduction(METHODOLOGIES[period.methodology], factors, device.parameters, month, row)


def month_reduction(
    rules: Methodology, factors: Factors, parameters: Mapping[str, int | str], month: str, row: MonthRow
) -> DeviceMonth:
    """The same of figures that somebody hands in: an export is checked with it."""
    measured = Measured(row.totals, frozenset(row.estimated))
    try:
        found = rules.reduce(measured, parameters, factors)
    except Refused as refusal:
        if refusal.reason not in INCOMPLETE:
            raise
        return DeviceMonth(month, exact.ZERO, exact.ZERO, exact.ZERO, estimated=False, missing=refusal.reason.code)
    return DeviceMonth(
        month, exact.text(found.baseline_kg), exact.text(found.project_kg), exact.text(found.reduction_kg),
        estimated=found.estimated, missing="",
    )  # fmt: skip


def credit_member(ctx: Context, period: Period, device: Device, month: str, kilograms: Fraction) -> None:
    member = MEMBERS.get(ctx.state, device.member)
    if member is None:
        raise BrokenInvariant(f"device {device.device} belongs to nobody")
    row_id = f"{period.period}/{member.number:08d}"
    row = MEMBER_REDUCTIONS.get(ctx.state, row_id) or MemberReduction(member.member, {})
    months = {**row.months, month: exact.add(row.months.get(month, exact.ZERO), kilograms)}
    MEMBER_REDUCTIONS.put(ctx.state, row_id, MemberReduction(member.member, months))


def credit_year(period: Period, month: DeviceMonth, *, sign: int) -> Period:
    """The period with the month added to (`sign` 1), or taken from (-1), its fiscal year."""
    year = str(fiscal_year_of_month(month.month))
    before = period.years.get(year, NO_YEAR)
    reduced = sign * Fraction(month.reduction)
    after = YearSum(
        exact.add(before.baseline, sign * Fraction(month.baseline)),
        exact.add(before.project, sign * Fraction(month.project)),
        exact.add(before.reduction, reduced),
        exact.add(before.estimated, reduced if month.estimated else Fraction(0)),
    )
    if Fraction(after.baseline) - Fraction(after.project) != Fraction(after.reduction):
        raise BrokenInvariant(f"period {period.period}: the reduction is not baseline less project")
    return msgspec.structs.replace(period, years={**period.years, year: after})


MAX_SETTLED = MAX_DEVICES
"""Devices that one call settles."""
