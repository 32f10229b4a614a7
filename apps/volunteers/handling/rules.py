"""付与規則: how many points for which work, from one day to another, within a daily and a yearly cap (V6b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Options, Problem
from apps.common.outbox import Call
from apps.common.web import Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling.looking import one_call
from apps.volunteers.signing import MUNICIPAL, OFFICER, admin_call, officer_call
from apps.volunteers.tables import RuleRow
from contracts.ecopoints.methodology.calendar import day_of, fiscal_year_of
from ledger.encoding import Value

MAX_RULES = 200
MAX_CAP = 10**7


@dataclass(frozen=True)
class NewRule:
    kinds: tuple[str, ...] = forms.several()
    points: int = forms.number(minimum=1, maximum=100_000, unit="unit.points")
    unit_minutes: int | None = forms.optional_number(minimum=1, maximum=1_440, unit="unit.minutes")
    first_day: date = forms.day()
    last_day: date = forms.day()
    daily_cap: int | None = forms.optional_number(minimum=1, maximum=MAX_CAP, unit="unit.points")
    yearly_cap: int | None = forms.optional_number(minimum=1, maximum=MAX_CAP, unit="unit.points")
    lot_months: int = forms.number(minimum=1, maximum=60, unit="unit.months")


@dataclass(frozen=True)
class EndRule:
    last_day: date = forms.day()


def _signed(visit: Visit, method: str, arguments: Mapping[str, Value]) -> Call:
    user = visit.signed_in
    return officer_call(user, method, arguments) if OFFICER in user.roles else admin_call(user, method, arguments)


async def show_rules(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    rows = select(RuleRow).where(RuleRow.municipality == visit.signed_in.organisation)
    newest = rows.order_by(RuleRow.last_day.desc(), RuleRow.rule).limit(MAX_RULES)
    rules = await visit.kit.database.read(lambda session: session.scalars(newest).all())
    return visit.render("volunteers/handling/rules.html", rules=rules, today=day_of(visit.now_ms), label=words.label)


async def _options(visit: Visit) -> Options:
    return {"kinds": words.options(visit, "kind", words.KINDS)}


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    year = fiscal_year_of(visit.now_ms)
    return {
        "points": ("100",), "unit_minutes": ("60",), "first_day": (day_of(visit.now_ms),),
        "last_day": (f"{year + 1}-03-31",), "lot_months": ("12",),
    }  # fmt: skip


async def _check(visit: Visit, value: NewRule) -> Mapping[str, Problem]:
    return {"last_day": Problem("rule_new.backwards")} if value.last_day < value.first_day else {}


def _set(session: Session, visit: Visit, value: NewRule) -> Outcome:
    arguments: dict[str, Value] = {
        "kinds": list(value.kinds),
        "points": value.points,
        "unit_minutes": value.unit_minutes or 0,
        "first_day": value.first_day.isoformat(),
        "last_day": value.last_day.isoformat(),
        "daily_cap": value.daily_cap or 0,
        "yearly_cap": value.yearly_cap or 0,
        "lot_months": value.lot_months,
    }
    call = _signed(visit, "set_rule", arguments)
    write = visit.kit.outbox.put(session, "rule_new", call, reference="rule", user=visit.user)
    return Outcome(visit.kit.path("rules"), Flash("rule_new.done", {}), write)


async def _own_rule(visit: Visit) -> RuleRow:
    await own_writes(visit)
    rule_id = visit.part("rule")[:48]
    rule = await visit.kit.database.read(lambda session: session.get(RuleRow, rule_id))
    if rule is None or rule.municipality != visit.signed_in.organisation:
        raise web.HTTPNotFound
    return rule


async def _about(visit: Visit) -> Mapping[str, object]:
    return {"rule": await _own_rule(visit), "label": words.label}


async def _check_end(visit: Visit, value: EndRule) -> Mapping[str, Problem]:
    rule = await _own_rule(visit)
    fits = day_of(visit.now_ms) <= value.last_day.isoformat() < rule.last_day
    return {} if fits else {"last_day": Problem("rule_end.bad_day")}


def _end(visit: Visit, value: EndRule) -> Call:
    return _signed(visit, "end_rule", {"rule": visit.part("rule"), "last_day": value.last_day.isoformat()})


PAGES = (
    View("rules", "/rules", show_rules, MUNICIPAL),
    FormPage("rule_new", "/rules/new", MUNICIPAL, NewRule, _set, options=_options, initial=_initial, check=_check),
    FormPage(
        "rule_end", "/rules/{rule}/end", MUNICIPAL, EndRule,
        one_call("rule_end", _end, lambda visit: visit.kit.path("rules")), context=_about, check=_check_end,
        template="volunteers/handling/about_rule.html",
    ),
)  # fmt: skip
