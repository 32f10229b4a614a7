"""J-クレジット: applications for settled periods, certified credits by serial number, and their sales (E5b, E5c)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from apps.common import forms, sheets
from apps.common.charts import Chart
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.language import jst
from apps.common.web import Flash, View, Visit
from apps.ecopoints.books.figures import by_year, tonnes_of
from apps.ecopoints.books.looking import PAGE_ROWS, Sure
from apps.ecopoints.books.tables import ApplicationRow, CreditRow, SaleRow
from apps.ecopoints.copy import own_writes
from apps.ecopoints.home import methodology_title
from apps.ecopoints.signing import OFFICERS, READERS, officer_call
from apps.ecopoints.tables import PeriodRow
from contracts.ecopoints.methodology.calendar import fiscal_year_of
from contracts.ecopoints.methodology.jcredit import REPORT_YEN_PER_TONNE
from ledger.encoding import Value

BUYERS = ("company", "municipality", "broker", "event", "other")
MAX_SERIAL = 10**11
MAX_YEN = 10**9
REGISTER_ROWS = 20_000


@dataclass(frozen=True)
class NewApplication:
    """E5a."""

    periods: tuple[str, ...] = forms.several(required=True)


@dataclass(frozen=True)
class NewCredits:
    """E5b."""

    prefix: str = forms.text(max_length=32, pattern=r"[A-Z0-9][A-Z0-9-]{0,31}")
    first: int = forms.number(minimum=1, maximum=MAX_SERIAL)
    last: int = forms.number(minimum=1, maximum=MAX_SERIAL)


@dataclass(frozen=True)
class NewSale:
    """E5b."""

    tonnes: int = forms.number(minimum=1, maximum=MAX_SERIAL, unit="unit.tonnes")
    yen_per_tonne: int = forms.number(minimum=0, maximum=MAX_YEN, unit="unit.yen")
    buyer: str = forms.radio()


# -- the register ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Year:
    """A fiscal year in which credits were certified or sold."""

    year: int
    certified: int
    sold: int
    revenue_yen: int


def years_of(session: Session, municipality: str) -> list[Year]:
    """Tonnes certified and sold and the revenue, by the fiscal year in which that happened."""
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for block in session.scalars(select(CreditRow).where(CreditRow.municipality == municipality)):
        found[fiscal_year_of(block.certified_ms)][0] += block.tonnes
    for sale in session.scalars(_sales_of(municipality)):
        year = found[fiscal_year_of(sale.sold_ms)]
        year[1] += sale.tonnes
        year[2] += sale.revenue_yen
    return [Year(year, *figures) for year, figures in sorted(found.items())]


def _sales_of(municipality: str) -> Select[SaleRow]:
    blocks = select(CreditRow.block).where(CreditRow.municipality == municipality)
    return select(SaleRow).where(SaleRow.block.in_(blocks))


async def show_credits(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    municipality, page = visit.signed_in.organisation, visit.page_number()

    def look(session: Session) -> tuple[list[Year], Sequence[ApplicationRow], int, int]:
        rows = select(ApplicationRow).where(ApplicationRow.municipality == municipality)
        order = rows.order_by(ApplicationRow.applied_ms.desc(), ApplicationRow.application)
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all()
        blocks = select(CreditRow).where(CreditRow.municipality == municipality)
        left = sum(block.left for block in session.scalars(blocks))
        return years_of(session, municipality), shown, count, left

    years, applications, count, left = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/books/credits.html", years=years, chart=_chart(visit, years), applications=applications,
        count=count, page=page, page_rows=PAGE_ROWS, left=left,
        methodology_title=lambda code: methodology_title(visit, code),
    )  # fmt: skip


def _chart(visit: Visit, years: Sequence[Year]) -> Chart:
    """A bar for what was certified and one for what was sold in each year: the one is no part of the other."""
    certified, sold = visit.t("credits.certified"), visit.t("credits.sold")
    rows: list[tuple[str, tuple[int, ...]]] = []
    for year in years:
        label = visit.t("fiscal_year", year=year.year)
        rows += [(f"{label} {certified}", (year.certified, 0)), (f"{label} {sold}", (0, year.sold))]
    return Chart(visit.t("credits.by_year"), visit.t("home.year"), (certified, sold), tuple(rows), unit="t")


async def own_application(visit: Visit) -> ApplicationRow:
    """The application of the address, if it is the visitor's municipality's."""
    await own_writes(visit)
    name = visit.part("application")[:48]
    found = await visit.kit.database.read(lambda session: session.get(ApplicationRow, name))
    if found is None or found.municipality != visit.signed_in.organisation:
        raise web.HTTPNotFound
    return found


async def show_application(visit: Visit) -> web.StreamResponse:
    """The periods applied for, the credits certified of them by serial number, and to whom they were sold."""
    application = await own_application(visit)

    def look(session: Session) -> tuple[Sequence[PeriodRow], Sequence[CreditRow], Sequence[SaleRow]]:
        blocks = session.scalars(
            select(CreditRow).where(CreditRow.application == application.application).order_by(CreditRow.first)
        ).all()
        sales = select(SaleRow).where(SaleRow.block.in_([block.block for block in blocks]))
        periods = select(PeriodRow).where(PeriodRow.period.in_(application.periods))
        return (
            session.scalars(periods.order_by(PeriodRow.first_month)).all(),
            blocks,
            session.scalars(sales.order_by(SaleRow.sold_ms, SaleRow.first).limit(500)).all(),
        )

    periods, blocks, sales = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/books/application.html", application=application, periods=periods, blocks=blocks, sales=sales,
        prefixes={block.block: block.prefix for block in blocks},
        title=methodology_title(visit, application.methodology),
    )  # fmt: skip


COLUMNS = ("serials", "tonnes", "fiscal_years", "certified_at", "sold_at", "buyer", "price", "revenue")


async def download_register(visit: Visit) -> web.StreamResponse:
    """E5b: every serial number once: those of each sale, and those that are not sold."""
    await own_writes(visit)
    municipality = visit.signed_in.organisation

    def look(session: Session) -> list[list[sheets.Cell]]:
        blocks = select(CreditRow).where(CreditRow.municipality == municipality)
        order = blocks.order_by(CreditRow.prefix, CreditRow.first).limit(REGISTER_ROWS)
        return [row for block in session.scalars(order) for row in _register_rows(session, visit, block)]

    rows = await visit.kit.database.read(look)
    heading = [visit.t(f"register_csv.{column}") for column in COLUMNS]
    return visit.download(
        sheets.write_csv(heading, rows), f"credits-{municipality}-{jst(visit.now_ms):%Y%m%d}.csv", sheets.CSV_TYPE
    )


def _register_rows(session: Session, visit: Visit, block: CreditRow) -> list[list[sheets.Cell]]:
    application = session.get_one(ApplicationRow, block.application)
    years = " ".join(sorted(application.tonnes_by_year))
    certified = jst(block.certified_ms).date()
    rows: list[list[sheets.Cell]] = [
        [
            show_serials(block.prefix, sale.first, sale.last), sale.tonnes, years, certified, jst(sale.sold_ms).date(),
            visit.t(f"buyer_value.{sale.buyer}"), sale.yen_per_tonne, sale.revenue_yen,
        ]
        for sale in session.scalars(select(SaleRow).where(SaleRow.block == block.block).order_by(SaleRow.first))
    ]  # fmt: skip
    if block.left:
        first = block.first + block.sold
        rows.append([show_serials(block.prefix, first, block.last), block.left, years, certified, None, "", None, None])
    return rows


def show_serials(prefix: str, first: int, last: int) -> str:
    """`JC-7 〜 JC-9`, or one alone."""
    return f"{prefix}-{first}" if first == last else f"{prefix}-{first} 〜 {prefix}-{last}"


# -- applying ----------------------------------------------------------------------------------------------------------


def _free_periods(session: Session, municipality: str) -> Sequence[PeriodRow]:
    rows = select(PeriodRow).where(
        PeriodRow.municipality == municipality, PeriodRow.status == "settled", PeriodRow.application == ""
    )
    return session.scalars(rows.order_by(PeriodRow.first_month, PeriodRow.methodology).limit(100)).all()


async def _apply_options(visit: Visit) -> Options:
    await own_writes(visit)
    municipality = visit.signed_in.organisation
    periods = await visit.kit.database.read(lambda session: _free_periods(session, municipality))
    return {
        "periods": [
            Option(
                period.period,
                f"{period.first_month} 〜 {period.last_month} {methodology_title(visit, period.methodology)}",
                visit.t("credit_apply.tonnes", tonnes=tonnes_of(by_year(period.years)).total),
            )
            for period in periods
        ]
    }


def _apply(session: Session, visit: Visit, value: NewApplication) -> Outcome:
    call = officer_call(visit.signed_in, "apply_for_credits", {"periods": value.periods})
    write = visit.kit.outbox.put(session, "credits.apply", call, reference="credits", user=visit.user)
    return Outcome("/credits/{application}", Flash("credit_apply.done", {}), write)


# -- certified, or not -------------------------------------------------------------------------------------------------


async def _register_context(visit: Visit) -> Mapping[str, object]:
    application = await own_application(visit)
    if application.status not in ("applied", "certified") or application.approved >= application.tonnes:
        raise web.HTTPNotFound
    return {"application": application, "title": methodology_title(visit, application.methodology)}


async def _register_check(visit: Visit, value: NewCredits) -> Mapping[str, Problem]:
    application = await own_application(visit)
    if value.last < value.first:
        return {"last": Problem("credit_register.backwards")}
    left = application.tonnes - application.approved
    if value.last - value.first + 1 > left:
        return {"last": Problem("credit_register.too_many", {"left": left})}
    return {}


def _register(session: Session, visit: Visit, value: NewCredits) -> Outcome:
    application = visit.part("application")
    serials: dict[str, Value] = {"prefix": value.prefix, "first": value.first, "last": value.last}
    call = officer_call(visit.signed_in, "register_credits", {"application": application, **serials})
    reference = f"application:{application}"
    write = visit.kit.outbox.put(session, "credits.register", call, reference=reference, user=visit.user)
    location = visit.kit.path("application", application=application)
    return Outcome(location, Flash("credit_register.done", {}), write)


async def _reject_context(visit: Visit) -> Mapping[str, object]:
    application = await own_application(visit)
    if application.status != "applied":
        raise web.HTTPNotFound
    return {"application": application, "title": methodology_title(visit, application.methodology)}


def _reject(session: Session, visit: Visit, value: Sure) -> Outcome:
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    application = visit.part("application")
    call = officer_call(visit.signed_in, "reject_application", {"application": application})
    reference = f"application:{application}"
    write = visit.kit.outbox.put(session, "credits.reject", call, reference=reference, user=visit.user)
    location = visit.kit.path("application", application=application)
    return Outcome(location, Flash("credit_reject.done", {}), write)


# -- selling -----------------------------------------------------------------------------------------------------------


async def _own_block(visit: Visit) -> CreditRow:
    await own_writes(visit)
    name = visit.part("block")[:48]
    block = await visit.kit.database.read(lambda session: session.get(CreditRow, name))
    if block is None or block.municipality != visit.signed_in.organisation or not block.left:
        raise web.HTTPNotFound
    return block


async def _sell_context(visit: Visit) -> Mapping[str, object]:
    block = await _own_block(visit)
    return {"block": block, "next_serial": f"{block.prefix}-{block.first + block.sold}"}


async def _sell_options(visit: Visit) -> Options:
    return {"buyer": [Option(buyer, visit.t(f"buyer_value.{buyer}")) for buyer in BUYERS]}


async def _sell_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"yen_per_tonne": (str(REPORT_YEN_PER_TONNE),)}


async def _sell_check(visit: Visit, value: NewSale) -> Mapping[str, Problem]:
    block = await _own_block(visit)
    return {"tonnes": Problem("credit_sell.too_many", {"left": block.left})} if value.tonnes > block.left else {}


def _sell(session: Session, visit: Visit, value: NewSale) -> Outcome:
    block = session.get_one(CreditRow, visit.part("block"))
    arguments: dict[str, Value] = {
        "credits_block": block.block, "tonnes": value.tonnes, "yen_per_tonne": value.yen_per_tonne,
        "buyer": value.buyer,
    }  # fmt: skip
    call = officer_call(visit.signed_in, "sell_credits", arguments)
    write = visit.kit.outbox.put(session, "credits.sell", call, reference=f"credits:{block.block}", user=visit.user)
    location = visit.kit.path("application", application=block.application)
    return Outcome(location, Flash("credit_sell.done", {"yen": value.tonnes * value.yen_per_tonne}), write)


PAGES = (
    View("credits", "/credits", show_credits, READERS),
    View("credits_csv", "/credits.csv", download_register, READERS),
    FormPage(
        "credit_apply", "/credits/apply", OFFICERS, NewApplication, _apply, options=_apply_options,
        template="ecopoints/books/credit_apply.html",
    ),
    View("application", "/credits/{application}", show_application, READERS),
    FormPage(
        "credit_register", "/credits/{application}/register", OFFICERS, NewCredits, _register,
        context=_register_context, check=_register_check, template="ecopoints/books/about_application.html",
    ),
    FormPage(
        "credit_reject", "/credits/{application}/reject", OFFICERS, Sure, _reject, context=_reject_context,
        review=False, template="ecopoints/books/about_application.html",
    ),
    FormPage(
        "credit_sell", "/credits/blocks/{block}/sell", OFFICERS, NewSale, _sell, context=_sell_context,
        options=_sell_options, initial=_sell_initial, check=_sell_check, template="ecopoints/books/credit_sell.html",
    ),
)  # fmt: skip
