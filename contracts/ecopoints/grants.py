"""ポイント付与: rules, and the grants that turn a settled period's kilograms into points.

A grant is proposed by one officer, released by another, and then paid to the members in the order in which they joined:
when a budget runs out, it is the last to join who get nothing, and the one at its edge gets what is left.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from contracts import points
from contracts.ecopoints import exact, periods
from contracts.ecopoints.members import own
from contracts.ecopoints.methodology import METHODOLOGIES, month_after, month_of, month_start_ms
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    CARRIES,
    GRANTS,
    MEMBER_REDUCTIONS,
    MEMBERS,
    OWED,
    RULES,
    RULES_IN,
    RUNS,
    Carry,
    Grant,
    GrantRun,
    MemberReduction,
    Owed,
    Period,
    Rule,
)
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

MAX_PAID = 50
"""Members that one call pays."""


def set_rule(ctx: Context, rule: Rule) -> Result:
    """E6b: how many points for how many kilograms, from which month to which, within which budget and cap."""
    if rule.first_month > rule.last_month:
        raise Refused(EcoReason.BAD_RULE, detail="it ends before it begins")
    if not rule.methodologies or any(code not in METHODOLOGIES for code in rule.methodologies):
        raise Refused(EcoReason.BAD_RULE, detail="it names no methodology, or one that does not exist")
    RULES.put(ctx.state, rule.rule, rule)
    RULES_IN.put(ctx.state, f"{rule.municipality}/{rule.first_month}/{rule.rule}", Mark())
    ctx.emit("rule_set", [f"rule:{rule.rule}"], budget=rule.budget, rate_points=rule.rate_points, rate_kg=rule.rate_kg)
    return {"rule": rule.rule}


def known_rule(ctx: Context, rule_id: str) -> Rule:
    rule = RULES.get(ctx.state, rule_id)
    if rule is None:
        raise Refused(EcoReason.NO_RULE, rule=rule_id)
    own(ctx, rule.municipality)
    return rule


def end_rule(ctx: Context, rule_id: str) -> Result:
    """E6b: no new grant by this rule; those proposed go on."""
    rule = known_rule(ctx, rule_id)
    if rule.ended:
        raise Refused(EcoReason.RULE_ENDED, rule=rule_id)
    RULES.put(ctx.state, rule_id, msgspec.structs.replace(rule, ended=True))
    ctx.emit("rule_ended", [f"rule:{rule_id}"])
    return None


def propose(ctx: Context, period_id: str, rule_id: str) -> Result:
    """E4d, E6a: an officer proposes to pay a settled period by a rule."""
    period, rule = periods.in_status(ctx, period_id, "settled", "certified"), known_rule(ctx, rule_id)
    if rule.ended:
        raise Refused(EcoReason.RULE_ENDED, rule=rule_id)
    outside = period.last_month < rule.first_month or period.first_month > rule.last_month
    if outside or period.methodology not in rule.methodologies:
        raise Refused(EcoReason.RULE_ELSEWHERE, rule=rule_id, period=period_id)
    if rule.when == "certified" and period.status != "certified":
        raise Refused(EcoReason.NOT_CERTIFIED)
    if RUNS.get(ctx.state, f"{period_id}/{rule_id}") is not None:
        raise Refused(EcoReason.RUN_EXISTS, period=period_id, rule=rule_id)
    _save(ctx, GrantRun(period_id, rule_id, "proposed", ctx.sender.account_id, "", "", 0, 0))
    ctx.emit("grants_proposed", subjects(period_id, rule_id))
    return None


def subjects(period_id: str, rule_id: str) -> list[str]:
    return [f"period:{period_id}", f"rule:{rule_id}"]


def _run(ctx: Context, period_id: str, rule_id: str, status: str) -> GrantRun:
    periods.known(ctx, period_id)
    run = RUNS.get(ctx.state, f"{period_id}/{rule_id}")
    if run is None:
        raise Refused(EcoReason.NO_RUN, period=period_id, rule=rule_id)
    if run.status != status:
        raise Refused(EcoReason.RUN_STATE, status=run.status)
    return run


def _save(ctx: Context, run: GrantRun) -> None:
    RUNS.put(ctx.state, f"{run.period}/{run.rule}", run)


def release(ctx: Context, period_id: str, rule_id: str) -> Result:
    """E4d: another officer than the one who proposed it releases the grant."""
    run = _run(ctx, period_id, rule_id, "proposed")
    if run.proposed_by == ctx.sender.account_id:
        raise Refused(EcoReason.SAME_OFFICER)
    _save(ctx, msgspec.structs.replace(run, status="released", released_by=ctx.sender.account_id))
    ctx.emit("grants_released", subjects(period_id, rule_id))
    return None


def pay(ctx: Context, period_id: str, rule_id: str, limit: int) -> Result:
    """E6a: pay the next members of a released grant, in the order of joining, until the budget is used up."""
    run = _run(ctx, period_id, rule_id, "released")
    period, rule = periods.known(ctx, period_id), known_rule(ctx, rule_id)
    page = MEMBER_REDUCTIONS.page(ctx.state, prefix=f"{period_id}/", after=run.cursor, limit=limit + 1)
    for row_id, row in page[:limit]:
        grant = _pay_member(ctx, period, rule, row)
        GRANTS.put(ctx.state, f"{period_id}/{rule_id}/{row_id.rsplit('/', 1)[1]}", grant)
        rule = msgspec.structs.replace(rule, paid=rule.paid + grant.points)
        run = msgspec.structs.replace(run, cursor=row_id, members=run.members + 1, points=run.points + grant.points)
    left = len(page) > limit
    if not left:
        run = msgspec.structs.replace(run, status="paid")
        ctx.emit("grants_paid", subjects(period_id, rule_id), members=run.members, points=run.points)
    save_rule(ctx, rule)
    _save(ctx, run)
    return {"left": left, "members": run.members, "points": run.points}


def save_rule(ctx: Context, rule: Rule) -> None:
    if not 0 <= rule.paid <= rule.budget:
        raise BrokenInvariant(f"rule {rule.rule} has paid {rule.paid} of a budget of {rule.budget}")
    RULES.put(ctx.state, rule.rule, rule)


def _pay_member(ctx: Context, period: Period, rule: Rule, row: MemberReduction) -> Grant:
    kilograms = in_rule(rule, row)
    earned, remainder = due(rule, kilograms, carried(ctx, rule, row.member))
    member = MEMBERS.get(ctx.state, row.member)
    if member is None or member.left_ms is not None:
        return Grant(row.member, exact.text(kilograms), 0, earned, 0)
    CARRIES.put(ctx.state, f"{rule.rule}/{row.member}", Carry(exact.text(remainder)))
    paid = min(earned, rule.cap or earned, rule.budget - rule.paid)
    kept_back = repay(ctx, row.member, paid)
    if paid > kept_back:
        issue(ctx, rule, row.member, paid - kept_back, source=f"{period.period}/{rule.rule}")
    ctx.emit(
        "points_granted", [f"member:{row.member}", *subjects(period.period, rule.rule)], points=paid,
        kept_back=kept_back, unpaid=earned - paid,
    )  # fmt: skip
    return Grant(row.member, exact.text(kilograms), paid, earned - paid, kept_back)


def in_rule(rule: Rule, row: MemberReduction) -> Fraction:
    """The member's kilograms in the months of the rule: a change of rules in mid-period splits the period (E6b)."""
    counted = (Fraction(kg) for month, kg in row.months.items() if rule.first_month <= month <= rule.last_month)
    return sum(counted, Fraction(0))


def carried(ctx: Context, rule: Rule, member: str) -> Fraction:
    found = CARRIES.get(ctx.state, f"{rule.rule}/{member}")
    return Fraction(found.remainder) if found else Fraction(0)


def due(rule: Rule, kilograms: Fraction, carry: Fraction) -> tuple[int, Fraction]:
    """E6a: floor(kg × rate) with what was left over before; a negative result earns nothing (E1f)."""
    exactly = max(kilograms, Fraction(0)) * Fraction(rule.rate_points, rule.rate_kg) + carry
    whole = exactly // 1
    return int(whole), exactly - whole


def repay(ctx: Context, member: str, points_paid: int) -> int:
    """How many of the points repay what the member owes from a correction (E6c)."""
    owed = OWED.get(ctx.state, member)
    if owed is None:
        return 0
    kept_back = min(owed.points, points_paid)
    if kept_back == owed.points:
        OWED.delete(ctx.state, member)
    else:
        OWED.put(ctx.state, member, Owed(owed.points - kept_back))
    return kept_back


def issue(ctx: Context, rule: Rule, member: str, count: int, *, source: str) -> None:
    """A lot of points for a member, until the beginning (JST) of the month in which they expire."""
    expires_ms = month_start_ms(month_after(month_of(ctx.time_ms), rule.lot_months))
    points.issue(ctx, member, count, expires_ms, source)
