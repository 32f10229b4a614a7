"""付与規則: how many points for how many kilograms, from when to when, within which budget and cap (E6b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.web import Flash, View, Visit
from apps.ecopoints.books.looking import (
    Sure,
    methodology_options,
    month_options,
    own_rule,
    rules_of,
)
from apps.ecopoints.books.tables import RunRow
from apps.ecopoints.copy import own_writes
from apps.ecopoints.home import methodology_title
from apps.ecopoints.signing import OFFICERS, READERS, officer_call
from apps.ecopoints.tables import PeriodRow
from contracts.ecopoints.methodology.calendar import fiscal_year_of, month_of

BEFORE, AFTER = 24, 36
MAX_BUDGET = 10**12
WHEN = ("provisional", "certified")


@dataclass(frozen=True)
class NewRule:
    """E6b."""

    methodologies: tuple[str, ...] = forms.several(required=True)
    rate_points: int = forms.number(minimum=1, maximum=1_000_000, unit="unit.points")
    rate_kg: int = forms.number(minimum=1, maximum=1_000_000, unit="unit.kg")
    first_month: str = forms.choice()
    last_month: str = forms.choice()
    budget: int = forms.number(minimum=1, maximum=MAX_BUDGET, unit="unit.points")
    cap: int | None = forms.optional_number(minimum=1, maximum=MAX_BUDGET, unit="unit.points")
    when: str = forms.radio()
    lot_months: int = forms.number(minimum=1, maximum=60, unit="unit.months")


async def show_rules(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    municipality = visit.signed_in.organisation
    rules = await visit.kit.database.read(lambda session: rules_of(session, municipality))
    return visit.render(
        "ecopoints/books/rules.html", rules=rules, now=month_of(visit.now_ms),
        methodology_title=lambda code: methodology_title(visit, code),
    )  # fmt: skip


async def show_rule(visit: Visit) -> web.StreamResponse:
    """A rule, what is left of its budget, and the grants that it made."""
    rule = await own_rule(visit)

    def look(session: Session) -> Sequence[tuple[RunRow, PeriodRow]]:
        rows = select(RunRow, PeriodRow).join(PeriodRow, PeriodRow.period == RunRow.period)
        found = rows.where(RunRow.rule == rule.rule).order_by(PeriodRow.first_month, PeriodRow.period).limit(200)
        return [(run, period) for run, period in session.execute(found)]

    runs = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/books/rule.html", rule=rule, runs=runs,
        methodology_title=lambda code: methodology_title(visit, code),
    )  # fmt: skip


async def _options(visit: Visit) -> Options:
    months = month_options(visit.now_ms, BEFORE, AFTER)
    return {
        "methodologies": methodology_options(visit),
        "first_month": months,
        "last_month": months,
        "when": [Option(w, visit.t(f"grant_time.{w}"), visit.t(f"grant_time.{w}_hint")) for w in WHEN],
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    year = fiscal_year_of(visit.now_ms)
    return {
        "rate_points": ("1",), "rate_kg": ("1",), "first_month": (f"{year}-04",), "last_month": (f"{year + 1}-03",),
        "when": ("provisional",), "lot_months": ("12",),
    }  # fmt: skip


async def _check(visit: Visit, value: NewRule) -> Mapping[str, Problem]:
    return {"last_month": Problem("period_open.backwards")} if value.last_month < value.first_month else {}


def _set(session: Session, visit: Visit, value: NewRule) -> Outcome:
    call = officer_call(
        visit.signed_in, "set_rule",
        {
            "methodologies": value.methodologies, "rate_points": value.rate_points, "rate_kg": value.rate_kg,
            "first_month": value.first_month, "last_month": value.last_month, "budget": value.budget,
            "cap": value.cap or 0, "when": value.when, "lot_months": value.lot_months,
        },
    )  # fmt: skip
    write = visit.kit.outbox.put(session, "rule.set", call, reference="rule", user=visit.user)
    return Outcome("/rules/{rule}", Flash("rule_new.done", {}), write)


async def _about_rule(visit: Visit) -> Mapping[str, object]:
    rule = await own_rule(visit)
    if rule.ended:
        raise web.HTTPNotFound
    return {"rule": rule}


def _end(session: Session, visit: Visit, value: Sure) -> Outcome:
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    rule = visit.part("rule")
    call = officer_call(visit.signed_in, "end_rule", {"rule": rule})
    write = visit.kit.outbox.put(session, "rule.end", call, reference=f"rule:{rule}", user=visit.user)
    return Outcome(visit.kit.path("rule", rule=rule), Flash("rule_end.done", {}), write)


PAGES = (
    View("rules", "/rules", show_rules, READERS),
    FormPage("rule_new", "/rules/new", OFFICERS, NewRule, _set, options=_options, initial=_initial, check=_check),
    View("rule", "/rules/{rule}", show_rule, READERS),
    FormPage(
        "rule_end", "/rules/{rule}/end", OFFICERS, Sure, _end, context=_about_rule, review=False,
        template="ecopoints/books/about_rule.html",
    ),
)  # fmt: skip
