"""ポイント付与: a settled period paid by a rule, proposed by one officer and released by another (E4d, E6a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Settled
from apps.common.tables import Write
from apps.common.web import Flash, Kit, View, Visit
from apps.ecopoints.books.figures import by_year, show_kg
from apps.ecopoints.books.looking import Sure, ask, last_write, officer_names, own_period, rules_of, runs_of
from apps.ecopoints.books.periods import DETAIL_ROWS, next_step
from apps.ecopoints.books.tables import RuleRow, RunRow
from apps.ecopoints.home import methodology_title
from apps.ecopoints.signing import OFFICERS, READERS, app_call, officer_call
from apps.ecopoints.tables import PeriodRow
from contracts.ecopoints.queries import GrantPage

RELEASE, PAY = "grants.release", "grants.pay"


@dataclass(frozen=True)
class NewGrant:
    """E4d, E6a."""

    rule: str = forms.choice()


@dataclass(frozen=True, slots=True)
class OwnGrant:
    """A grant of the visitor's municipality."""

    period: PeriodRow
    rule: RuleRow
    run: RunRow
    officers: Mapping[str, str]
    paying: Write | None


async def own_grant(visit: Visit) -> OwnGrant:
    period = await own_period(visit)
    rule_id = visit.part("rule")[:48]

    def look(session: Session) -> OwnGrant | None:
        run, rule = session.get(RunRow, (period.period, rule_id)), session.get(RuleRow, rule_id)
        if run is None or rule is None:
            return None
        paying = last_write(session, PAY, f"grants:{period.period}/{rule_id}")
        return OwnGrant(period, rule, run, officer_names(session, period.municipality), paying)

    found = await visit.kit.database.read(look)
    if found is None:
        raise web.HTTPNotFound
    return found


async def show_grant(visit: Visit) -> web.StreamResponse:
    """Who proposed and released it, what is paid of the budget, and what each member got."""
    grant = await own_grant(visit)
    page = await ask(
        visit, GrantPage, "grants", period=grant.period.period, rule=grant.rule.rule,
        after=visit.query("after", 128), limit=DETAIL_ROWS,
    )  # fmt: skip
    return visit.render(
        "ecopoints/books/grant.html", grant=grant, rows=page.rows, more=page.next,
        kilograms={row.member: show_kg(Fraction(row.kilograms)) for row in page.rows},
        title=methodology_title(visit, grant.period.methodology),
    )  # fmt: skip


# -- proposing ---------------------------------------------------------------------------------------------------------


def fitting_rules(session: Session, period: PeriodRow) -> Sequence[RuleRow]:
    """The rules by which the period can be paid and is not yet."""
    used = {run.rule for run in runs_of(session, period.period)}
    return [
        rule
        for rule in rules_of(session, period.municipality)
        if not rule.ended
        and rule.rule not in used
        and period.methodology in rule.methodologies
        and rule.first_month <= period.last_month
        and period.first_month <= rule.last_month
        and (rule.when == "provisional" or period.status == "certified")
    ]


async def _propose_context(visit: Visit) -> Mapping[str, object]:
    period = await own_period(visit)
    if period.status not in ("settled", "certified"):
        raise web.HTTPNotFound
    rules = await visit.kit.database.read(lambda session: fitting_rules(session, period))
    kilograms = max(Fraction(0), sum((year.reduction for year in by_year(period.years)), Fraction(0)))
    return {
        "period": period,
        "rules": rules,
        "title": methodology_title(visit, period.methodology),
        "kilograms": show_kg(kilograms),
        "at_most": {rule.rule: int(kilograms * Fraction(rule.rate_points, rule.rate_kg)) for rule in rules},
    }


async def _propose_options(visit: Visit) -> Options:
    period = await own_period(visit)
    rules = await visit.kit.database.read(lambda session: fitting_rules(session, period))
    return {
        "rule": [
            Option(
                rule.rule,
                visit.t(
                    "rules.choice", kg=rule.rate_kg, points=rule.rate_points, first=rule.first_month,
                    last=rule.last_month, left=f"{rule.budget - rule.paid:,}",
                ),
            )
            for rule in rules
        ]
    }  # fmt: skip


def _propose(session: Session, visit: Visit, value: NewGrant) -> Outcome:
    period = visit.part("period")
    call = officer_call(visit.signed_in, "propose_grants", {"period": period, "rule": value.rule})
    reference = f"grants:{period}/{value.rule}"
    write = visit.kit.outbox.put(session, "grants.propose", call, reference=reference, user=visit.user)
    location = visit.kit.path("grant", period=period, rule=value.rule)
    return Outcome(location, Flash("grant_propose.done", {}), write)


# -- releasing and paying ----------------------------------------------------------------------------------------------


async def _release_context(visit: Visit) -> Mapping[str, object]:
    grant = await own_grant(visit)
    if grant.run.status != "proposed":
        raise web.HTTPNotFound
    return {
        "grant": grant,
        "is_own": grant.run.proposed_by == visit.signed_in.chain_account,
        "title": methodology_title(visit, grant.period.methodology),
    }


def _release(session: Session, visit: Visit, value: Sure) -> Outcome:
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    period, rule = visit.part("period"), visit.part("rule")
    call = officer_call(visit.signed_in, "release_grants", {"period": period, "rule": rule})
    reference = f"grants:{period}/{rule}"
    write = visit.kit.outbox.put(session, RELEASE, call, reference=reference, user=visit.user)
    return Outcome(visit.kit.path("grant", period=period, rule=rule), Flash("grant_release.done", {}), write)


def begin_paying(kit: Kit, settled: Settled) -> None:
    """A released grant is paid at once, by the application, in as many calls as it takes."""
    if not settled.done:
        return
    period, rule = settled.write.reference.partition(":")[2].split("/")
    row = settled.session.get_one(PeriodRow, period)
    call = app_call(row.municipality, "pay_grants", {"period": period, "rule": rule})
    kit.outbox.put(settled.session, PAY, call, reference=settled.write.reference)


FOLLOW_UPS = {RELEASE: begin_paying, PAY: next_step}
PAGES = (
    FormPage(
        "grant_propose", "/periods/{period}/grants/new", OFFICERS, NewGrant, _propose, options=_propose_options,
        context=_propose_context, template="ecopoints/books/grant_propose.html",
    ),
    View("grant", "/periods/{period}/grants/{rule}", show_grant, READERS),
    FormPage(
        "grant_release", "/periods/{period}/grants/{rule}/release", OFFICERS, Sure, _release, context=_release_context,
        review=False, template="ecopoints/books/grant_release.html",
    ),
)  # fmt: skip
