"""訂正: readings that arrive, or are reviewed, after their month was closed.

The month, the device's and the member's reductions, and the points already paid follow, each through an adjustment that
stays on the record (E6c). What is certified stays as certified: only the points follow then.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from contracts import points
from contracts.ecopoints import exact, grants, periods, readings
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    ADJUSTMENTS,
    CARRIES,
    DEVICE_REDUCTIONS,
    GRANTS,
    MEMBER_REDUCTIONS,
    MEMBERS,
    OWED,
    RUNS,
    Adjustment,
    Carry,
    Device,
    DeviceEntry,
    DeviceMonth,
    DeviceReduction,
    Grant,
    GrantRun,
    Member,
    MonthEntry,
    Owed,
    Period,
    Rule,
)
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused

MAX_RULES = 20
"""Rules that can have paid one period."""


def record(ctx: Context, root: bytes, count: int, entry: DeviceEntry) -> Result:
    """E6c: one device's readings for closed months; each period they touch gets an adjustment."""
    batch_id = ctx.new_id("batch")
    readings.well_formed(count, (entry,))
    device = readings.record_entry(ctx, batch_id, entry)
    readings.save_batch(ctx, batch_id, root, count, 1)
    touched: dict[str, list[MonthEntry]] = {}
    for month in entry.months:
        period_id = readings.closed_period(ctx, device, month.month)
        if not period_id:
            raise Refused(EcoReason.MONTH_OPEN, month=month.month)
        touched.setdefault(period_id, []).append(month)
    for period_id, months in touched.items():
        adjust(ctx, periods.in_status(ctx, period_id, "settled", "certified"), device, months)
    return {"batch": batch_id}


def adjust(ctx: Context, period: Period, device: Device, entries: list[MonthEntry]) -> None:
    """The period's books with these months of the device as they are now."""
    row_id = f"{period.period}/{device.device}"
    found = DEVICE_REDUCTIONS.get(ctx.state, row_id)
    months = {month.month: month for month in found.months} if found else {}
    member = MEMBERS.get(ctx.state, device.member)
    if member is None:
        raise BrokenInvariant(f"device {device.device} belongs to nobody")
    before = member_kilograms(ctx, period, member)
    for entry in entries:
        row = readings.put_month(ctx, device, entry)
        new = periods.reckon(period, device, entry.month, row)
        period = replace_month(ctx, period, device, months.get(entry.month), new)
        months[entry.month] = new
    reductions = DeviceReduction(device.device, device.member, tuple(months[name] for name in sorted(months)))
    DEVICE_REDUCTIONS.put(ctx.state, row_id, reductions)
    if found is None:
        period = msgspec.structs.replace(period, devices=period.devices + 1)
    periods.save(ctx, period)
    change = adjust_points(ctx, period, member, before)
    after = member_kilograms(ctx, period, member)
    difference = sum(after.values(), Fraction(0)) - sum(before.values(), Fraction(0))
    adjustment = Adjustment(
        ctx.new_id("adjustment"), period.period, device.device, device.member, exact.text(difference), change,
        after_certification=period.status == "certified", recorded_ms=ctx.time_ms,
    )  # fmt: skip
    ADJUSTMENTS.put(ctx.state, f"{period.period}/{ctx.time_ms:015d}/{adjustment.adjustment}", adjustment)
    ctx.emit(
        "adjusted",
        [f"device:{device.device}", f"member:{device.member}", f"period:{period.period}"],
        points=change, after_certification=adjustment.after_certification,
    )  # fmt: skip


def member_kilograms(ctx: Context, period: Period, member: Member) -> dict[str, Fraction]:
    """The member's exact kilograms in the period by month."""
    row = MEMBER_REDUCTIONS.get(ctx.state, f"{period.period}/{member.number:08d}")
    return {} if row is None else {month: Fraction(kg) for month, kg in row.months.items()}


def replace_month(ctx: Context, period: Period, device: Device, old: DeviceMonth | None, new: DeviceMonth) -> Period:
    """One month of a device in the books of its member and, unless it is certified, of the fiscal year."""
    difference = Fraction(new.reduction) - (Fraction(old.reduction) if old else Fraction(0))
    periods.credit_member(ctx, period, device, new.month, difference)
    if period.status == "certified":
        return period
    if old is not None:
        period = periods.credit_year(period, old, sign=-1)
    return periods.credit_year(period, new, sign=1)


def adjust_points(ctx: Context, period: Period, member: Member, before: dict[str, Fraction]) -> int:
    """The points of every grant that has passed the member already: paid more, or taken back. Returns the sum."""
    row_id = f"{period.period}/{member.number:08d}"
    row = MEMBER_REDUCTIONS.get(ctx.state, row_id)
    if row is None or member.left_ms is not None:
        return 0
    change = 0
    for _, run in RUNS.page(ctx.state, prefix=f"{period.period}/", limit=MAX_RULES):
        if run.status != "paid" and run.cursor < row_id:
            continue
        rule = grants.known_rule(ctx, run.rule)
        after = {month: Fraction(kg) for month, kg in row.months.items()}
        change += _adjust_grant(ctx, run, rule, member, earning(rule, after) - earning(rule, before), after)
    return change


def earning(rule: Rule, months: dict[str, Fraction]) -> Fraction:
    """Kilograms that earn points by the rule: its own months, and nothing below zero."""
    counted = (kg for month, kg in months.items() if rule.first_month <= month <= rule.last_month)
    return max(sum(counted, Fraction(0)), Fraction(0))


def _adjust_grant(
    ctx: Context, run: GrantRun, rule: Rule, member: Member, kilograms: Fraction, after: dict[str, Fraction]
) -> int:
    row_id = f"{run.period}/{run.rule}/{member.number:08d}"
    grant = GRANTS.get(ctx.state, row_id) or Grant(member.member, exact.ZERO, 0, 0, 0)
    exactly = kilograms * Fraction(rule.rate_points, rule.rate_kg) + grants.carried(ctx, rule, member.member)
    whole = int(exactly // 1)
    CARRIES.put(ctx.state, f"{rule.rule}/{member.member}", Carry(exact.text(exactly - whole)))
    change = more(ctx, rule, grant, member, whole) if whole > 0 else less(ctx, run, grant, member, -whole)
    counted = sum((kg for month, kg in after.items() if rule.first_month <= month <= rule.last_month), Fraction(0))
    GRANTS.put(
        ctx.state, row_id,
        msgspec.structs.replace(
            grant, kilograms=exact.text(counted), points=grant.points + change, unpaid=grant.unpaid + whole - change
        ),
    )  # fmt: skip
    return change


def more(ctx: Context, rule: Rule, grant: Grant, member: Member, whole: int) -> int:
    """Pay what a correction adds, within the cap and the budget."""
    paid = min(whole, max(rule.cap - grant.points, 0) if rule.cap else whole, rule.budget - rule.paid)
    grants.save_rule(ctx, msgspec.structs.replace(rule, paid=rule.paid + paid))
    kept_back = grants.repay(ctx, member.member, paid)
    if paid > kept_back:
        grants.issue(ctx, rule, member.member, paid - kept_back, source=f"correction/{rule.rule}")
    return paid


def less(ctx: Context, run: GrantRun, grant: Grant, member: Member, whole: int) -> int:
    """Take back what a correction removes: first what was never paid, then lots, and the rest is owed."""
    wanted = min(max(whole - grant.unpaid, 0), grant.points)
    if not wanted:
        return 0
    taken = points.reverse(ctx, member.member, wanted, f"correction/{run.rule}")
    if taken < wanted:
        owed = OWED.get(ctx.state, member.member) or Owed(0)
        OWED.put(ctx.state, member.member, Owed(owed.points + wanted - taken))
    return -wanted
