"""付与規則 and 承認: the rule in force on the day of the work, its caps, and the points, which are paid once."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from contracts import points
from contracts.ecopoints.methodology.calendar import day_of, fiscal_year_of, month_after, month_of, month_start_ms
from contracts.points.types import Found
from contracts.volunteers import activities, members, tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import ANY, CONTRIBUTIONS, EARNED, RULES, RULES_FOR, RULES_IN
from contracts.volunteers.transitions import ACTIVITY
from contracts.volunteers.types import Activity, Clipped, Contribution, Earned, Rule
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused

LATEST_DAY = 10**8


# -- rules -------------------------------------------------------------------------------------------------------------


def set_rule(ctx: Context, rule: Rule) -> Result:
    """V6b: so many points, from one day to another, within caps. Two rules for one kind never hold on one day."""
    if rule.first_day > rule.last_day:
        raise Refused(VolunteersReason.BAD_RULE, detail="it ends before it begins")
    if len(set(rule.kinds)) != len(rule.kinds):
        raise Refused(VolunteersReason.BAD_RULE, detail="it names a kind twice")
    for kind in rule.kinds or (ANY,):
        other = _latest(ctx.state, rule.municipality, kind, rule.last_day)
        if other is not None and other.last_day >= rule.first_day:
            raise Refused(VolunteersReason.RULE_OVERLAP, rule=other.rule)
        RULES_FOR.put(ctx.state, _place(rule.municipality, kind, rule.first_day), Found(rule.rule))
    RULES.put(ctx.state, rule.rule, rule)
    row_id = f"{rule.municipality}/{rule.first_day}/{rule.rule}"
    tables.index(ctx.state, RULES_IN, row_id, rule.rule, listed=True)
    ctx.emit(
        "rule_set", [f"rule:{rule.rule}"], points=rule.points, unit_minutes=rule.unit_minutes,
        daily_cap=rule.daily_cap, yearly_cap=rule.yearly_cap, first_day=rule.first_day, last_day=rule.last_day,
    )  # fmt: skip
    return {"rule": rule.rule}


def _place(municipality: str, kind: str, first_day: str) -> str:
    return f"{municipality}/{kind}/{LATEST_DAY - _number(first_day)}"


def _number(day: str) -> int:
    return int(day.replace("-", ""))


def _latest(state: Reader, municipality: str, kind: str, day: str) -> Rule | None:
    """The rule for a kind that began last, on that day or before."""
    before = f"{municipality}/{kind}/{LATEST_DAY - _number(day) - 1}"
    for _, row in RULES_FOR.page(state, prefix=f"{municipality}/{kind}/", after=before, limit=1):
        return there(state, row.id)
    return None


def there(state: Reader, rule_id: str) -> Rule:
    found = RULES.get(state, rule_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the rule {rule_id}, which is not there")
    return found


def in_force(state: Reader, municipality: str, kind: str, day: str) -> Rule | None:
    """V6b: the rule for this kind on that day; without one, that for every kind."""
    for wanted in (kind, ANY):
        rule = _latest(state, municipality, wanted, day)
        if rule is not None and rule.last_day >= day:
            return rule
    return None


def end_rule(ctx: Context, rule_id: str, last_day: str) -> Result:
    """V6b: it ends earlier than was set, today at the earliest: what was done under it stays under it.

    One that has not begun can be taken back: it then ends before it begins.
    """
    rule = RULES.get(ctx.state, rule_id)
    if rule is None:
        raise Refused(VolunteersReason.NO_RULE, rule=rule_id)
    members.own(ctx, rule.municipality)
    if not day_of(ctx.time_ms) <= last_day < rule.last_day:
        raise Refused(VolunteersReason.BAD_RULE, detail="it can end only between today and the day that was set")
    if last_day < rule.first_day:
        for kind in rule.kinds or (ANY,):
            RULES_FOR.delete(ctx.state, _place(rule.municipality, kind, rule.first_day))
    RULES.put(ctx.state, rule_id, msgspec.structs.replace(rule, last_day=last_day))
    ctx.emit("rule_ended", [f"rule:{rule_id}"], last_day=last_day)
    return None


# -- points ------------------------------------------------------------------------------------------------------------


class Due(NamedTuple):
    """What an activity earns: `earned` by the rule, `paid` of it within the caps."""

    rule: str
    earned: int
    paid: int
    clipped: Clipped
    lot_months: int
    daily_left: int | None
    """Under the caps before it is paid; None: no cap."""
    yearly_left: int | None


def due(state: Reader, made: Activity, minutes: int, *, left: bool) -> Due:
    """V6b: by the rule in force on the day on which the work began, clipped to what the caps leave."""
    day = day_of(made.started_ms)
    rule = in_force(state, made.municipality, made.kind, day)
    if rule is None:
        return Due("", 0, 0, "no_rule", 0, None, None)
    units = minutes // rule.unit_minutes if rule.unit_minutes else 1
    earned = units * rule.points
    daily_left = _under(state, rule.daily_cap, _day_id(made))
    yearly_left = _under(state, rule.yearly_cap, _year_id(made))
    paid, clipped = earned, _uncut(earned)
    if daily_left is not None and daily_left < paid:
        paid, clipped = daily_left, "daily_cap"
    if yearly_left is not None and yearly_left < paid:
        paid, clipped = yearly_left, "yearly_cap"
    if left:
        paid, clipped = 0, "left"
    return Due(rule.rule, earned, paid, clipped, rule.lot_months, daily_left, yearly_left)


def _uncut(earned: int) -> Clipped:
    return "" if earned else "too_short"


def _under(state: Reader, cap: int, row_id: str) -> int | None:
    """What a cap leaves: never less than nothing, also where an earlier rule had a higher one."""
    return max(cap - earned_in(state, row_id), 0) if cap else None


def earned_in(state: Reader, row_id: str) -> int:
    found = EARNED.get(state, row_id)
    return found.points if found is not None else 0


def _day_id(made: Activity) -> str:
    return f"{made.volunteer}/{day_of(made.started_ms)}"


def _year_id(made: Activity) -> str:
    return f"{made.volunteer}/{fiscal_year_of(made.started_ms)}"


def approve(ctx: Context, activity_id: str, minutes: int | None) -> Result:
    """V6b: an officer approves a report: once, and with it the points. `minutes`: fewer than from start to end."""
    made = activities.known(ctx, activity_id)
    status = ACTIVITY.after("approve", made.status, activity_id)
    elapsed = activities.elapsed_minutes(made)
    counted = elapsed if minutes is None else minutes
    if counted > elapsed:
        raise Refused(VolunteersReason.BAD_MINUTES, minutes=elapsed)
    person = members.there(ctx.state, made.volunteer)
    found = due(ctx.state, made, counted, left=person.status == "left")
    made = msgspec.structs.replace(
        made, minutes=counted, points=found.paid, unpaid=found.earned - found.paid, clipped=found.clipped,
        rule=found.rule,
    )  # fmt: skip
    made = activities.save(ctx, made, status)
    more = msgspec.structs.replace(person, activities=person.activities + 1, minutes=person.minutes + counted)
    members.save(ctx, more)
    _count(ctx, made)
    told = [*activities.subjects(made), f"account:{made.volunteer}"]
    ctx.emit(
        "report_approved", [*told, f"rule:{found.rule}"] if found.rule else told, minutes=counted, points=found.paid,
        unpaid=made.unpaid, clipped=found.clipped,
    )  # fmt: skip
    if found.paid:
        for row_id in (_day_id(made), _year_id(made)):
            EARNED.put(ctx.state, row_id, Earned(earned_in(ctx.state, row_id) + found.paid))
        expires_ms = month_start_ms(month_after(month_of(ctx.time_ms), found.lot_months))
        points.issue(ctx, made.volunteer, found.paid, expires_ms, made.activity)
    return {"points": found.paid, "unpaid": made.unpaid, "clipped": found.clipped, "rule": found.rule}


def _count(ctx: Context, made: Activity) -> None:
    """V13: the contributions of a month, by kind and area."""
    row_id = f"{made.municipality}/{month_of(made.started_ms)}/{made.kind}/{made.place}"
    before = CONTRIBUTIONS.get(ctx.state, row_id) or Contribution(0, 0, 0)
    more = Contribution(before.activities + 1, before.people + made.people, before.minutes + made.minutes * made.people)
    CONTRIBUTIONS.put(ctx.state, row_id, more)
