"""Monitoring periods: opened, closed, settled step by step, with their sums, factors and corrections (E5a, E6c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Call, Settled
from apps.common.tables import Write
from apps.common.web import Flash, Kit, View, Visit
from apps.ecopoints.books.figures import by_year, show_kg, tonnes_of
from apps.ecopoints.books.looking import (
    PAGE_ROWS,
    Sure,
    ask,
    last_write,
    methodology_options,
    month_options,
    officer_names,
    own_period,
    rules_of,
    runs_of,
)
from apps.ecopoints.books.tables import RuleRow, RunRow
from apps.ecopoints.copy import own_writes
from apps.ecopoints.home import methodology_title
from apps.ecopoints.signing import OFFICERS, READERS, officer_call
from apps.ecopoints.tables import DeviceRow, PeriodRow
from contracts.ecopoints.methodology import LATEST_TABLE, METHODOLOGIES, TABLES, month_start_ms, next_month
from contracts.ecopoints.queries import AdjustmentPage, DeviceReductionPage
from contracts.ecopoints.types import ECOPOINTS

SETTLE = "period.settle"
STATES = ("open", "closed", "settled", "certified")
BEFORE, AFTER = 36, 12
"""Months before and after the present one that a period may be opened for."""
DETAIL_ROWS = 50


@dataclass(frozen=True)
class NewPeriod:
    """E5a."""

    methodology: str = forms.choice()
    first_month: str = forms.choice()
    last_month: str = forms.choice()
    factor_table: str = forms.choice()


# -- the list and one period -------------------------------------------------------------------------------------------


async def show_periods(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    page, municipality = visit.page_number(), visit.signed_in.organisation

    def look(session: Session) -> tuple[Sequence[PeriodRow], int]:
        rows = select(PeriodRow).where(PeriodRow.municipality == municipality)
        order = rows.order_by(PeriodRow.first_month.desc(), PeriodRow.methodology, PeriodRow.period)
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        return session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all(), count

    periods, count = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/books/periods.html", periods=periods, count=count, page=page, page_rows=PAGE_ROWS,
        kilograms={p.period: show_kg(sum((y.reduction for y in by_year(p.years)), Fraction(0))) for p in periods},
        methodology_title=lambda code: methodology_title(visit, code),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around a period on its page."""

    devices: int
    """Registered for its methodology: as many as can be settled."""
    settling: Write | None
    runs: Sequence[RunRow]
    rules: Mapping[str, RuleRow]
    officers: Mapping[str, str]


def _around(session: Session, period: PeriodRow) -> Around:
    devices = select(func.count()).where(
        DeviceRow.municipality == period.municipality, DeviceRow.methodology == period.methodology
    )
    return Around(
        session.scalar(devices) or 0,
        last_write(session, SETTLE, f"period:{period.period}"),
        runs_of(session, period.period),
        {rule.rule: rule for rule in rules_of(session, period.municipality)},
        officer_names(session, period.municipality),
    )


async def show_period(visit: Visit) -> web.StreamResponse:
    period = await own_period(visit)
    around = await visit.kit.database.read(lambda session: _around(session, period))
    years = by_year(period.years)
    return visit.render(
        "ecopoints/books/period.html", period=period, around=around, years=years, tonnes=tonnes_of(years), kg=show_kg,
        steps=[(state, STATES.index(state) <= STATES.index(period.status)) for state in STATES],
        title=methodology_title(visit, period.methodology), source=METHODOLOGIES[period.methodology].source,
        is_over=visit.now_ms >= month_start_ms(next_month(period.last_month)),
    )  # fmt: skip


async def show_devices(visit: Visit) -> web.StreamResponse:
    """E4a, E5a: what the period's sum is made of."""
    period = await own_period(visit)
    page = await ask(
        visit, DeviceReductionPage, "device_reductions", period=period.period, after=visit.query("after", 128),
        limit=DETAIL_ROWS,
    )  # fmt: skip
    totals = {
        row.device: show_kg(sum((Fraction(month.reduction) for month in row.months), Fraction(0))) for row in page.rows
    }
    missing = {row.device: [month for month in row.months if month.missing] for row in page.rows}
    return visit.render(
        "ecopoints/books/period_devices.html", period=period, rows=page.rows, more=page.next, totals=totals,
        missing=missing,
    )  # fmt: skip


async def show_corrections(visit: Visit) -> web.StreamResponse:
    """E6c: late and reviewed readings of closed months, each with what it changed. Nothing is changed silently."""
    period = await own_period(visit)
    page = await ask(
        visit, AdjustmentPage, "adjustments", period=period.period, after=visit.query("after", 128), limit=DETAIL_ROWS
    )
    kilograms = {row.adjustment: show_kg(Fraction(row.kilograms)) for row in page.rows}
    return visit.render(
        "ecopoints/books/corrections.html", period=period, rows=page.rows, more=page.next, kilograms=kilograms
    )


# -- what an officer does ----------------------------------------------------------------------------------------------


async def _options(visit: Visit) -> Options:
    months = month_options(visit.now_ms, BEFORE, AFTER)
    return {
        "methodology": methodology_options(visit),
        "first_month": months,
        "last_month": months,
        "factor_table": [Option(version, version) for version in sorted(TABLES, reverse=True)],
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"factor_table": (LATEST_TABLE,)}


async def _check(visit: Visit, value: NewPeriod) -> Mapping[str, Problem]:
    return {"last_month": Problem("period_open.backwards")} if value.last_month < value.first_month else {}


def _open(session: Session, visit: Visit, value: NewPeriod) -> Outcome:
    arguments = {
        "methodology": value.methodology, "first_month": value.first_month, "last_month": value.last_month,
        "factor_table": value.factor_table,
    }  # fmt: skip
    call = officer_call(visit.signed_in, "open_period", arguments)
    write = visit.kit.outbox.put(session, "period.open", call, reference="period", user=visit.user)
    return Outcome("/periods/{period}", Flash("period_open.done", {}), write)


async def _about_period(visit: Visit) -> Mapping[str, object]:
    period = await own_period(visit)
    return {"period": period, "title": methodology_title(visit, period.methodology)}


def _close(session: Session, visit: Visit, value: Sure) -> Outcome:
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    period = visit.part("period")
    call = officer_call(visit.signed_in, "close_period", {"period": period})
    write = visit.kit.outbox.put(session, "period.close", call, reference=f"period:{period}", user=visit.user)
    return Outcome(visit.kit.path("period", period=period), Flash("period_close.done", {}), write)


async def settle_period(visit: Visit) -> web.StreamResponse:
    """The first step of settling; each receipt that says that more are left leads to the next one."""
    period = await own_period(visit)
    reference = f"period:{period.period}"

    def begin(session: Session) -> None:
        before = last_write(session, SETTLE, reference)
        if before is None or before.state != "waiting":
            call = officer_call(visit.signed_in, "settle_period", {"period": period.period})
            visit.kit.outbox.put(session, SETTLE, call, reference=reference, user=visit.user)

    await visit.kit.database.write(begin)
    visit.kit.outbox.wake()
    return visit.redirect(visit.kit.path("period", period=period.period), Flash("period_settle.begun", {}))


def next_step(kit: Kit, settled: Settled) -> None:
    """A call that does a part of its work each time is made again, by the same account, while there is more."""
    if not settled.done or settled.receipt is None or not settled.receipt.result["left"]:
        return
    write = settled.write
    kind, _, ids = write.reference.partition(":")
    names = ("period",) if kind == "period" else ("period", "rule")
    arguments = dict(zip(names, ids.split("/"), strict=True))
    call = Call(write.account, ECOPOINTS, write.method, arguments)
    kit.outbox.put(settled.session, write.kind, call, reference=write.reference)


FOLLOW_UPS = {SETTLE: next_step}
PAGES = (
    View("periods", "/periods", show_periods, READERS),
    FormPage(
        "period_open", "/periods/open", OFFICERS, NewPeriod, _open, options=_options, initial=_initial, check=_check
    ),
    View("period", "/periods/{period}", show_period, READERS),
    View("period_devices", "/periods/{period}/devices", show_devices, READERS),
    View("corrections", "/periods/{period}/corrections", show_corrections, READERS),
    FormPage(
        "period_close", "/periods/{period}/close", OFFICERS, Sure, _close, context=_about_period, review=False,
        template="ecopoints/books/about_period.html",
    ),
    View("period_settle", "/periods/{period}/settle", settle_period, OFFICERS, methods=("POST",)),
)  # fmt: skip
