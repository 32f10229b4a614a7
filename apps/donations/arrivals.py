"""到着物資確認: what has arrived, totals and what is still missing, the situation as a chart, CSV (D7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import sheets
from apps.common.charts import Chart
from apps.common.language import jst
from apps.common.web import View, Visit
from apps.donations import lists
from apps.donations.copy import own_writes
from apps.donations.lists import Arrival, Total
from apps.donations.names import Names, load_names, split_goods
from apps.donations.signing import MUNICIPAL, OFFICER
from apps.donations.tables import NeedRow

CHART_ROWS = 30
OLDEST_ROWS = 10


def seen_shelters(visit: Visit, names: Names) -> list[str]:
    """Whose records these pages show: the municipality's or, to a shelter's staff, their own; one of them by choice."""
    user = visit.signed_in
    if user.roles == ["shelter"]:
        own = [s.shelter for s in names.own_shelters(user)]
    else:
        own = sorted(s.shelter for s in names.shelters.values() if s.municipality == user.organisation)
    chosen = visit.query("shelter", 48)
    return [chosen] if chosen in own else own


async def show_arrivals(visit: Visit) -> web.StreamResponse:
    """D7a."""
    await own_writes(visit)
    names, page = await load_names(visit), visit.page_number()
    shelters = seen_shelters(visit, names)
    arrivals, count = await visit.kit.database.read(
        lambda session: lists.find_arrivals(session, shelters, page, lists.PAGE_ROWS)
    )
    return visit.render(
        "donations/arrivals.html", names=names, arrivals=arrivals, count=count, page=page, page_rows=lists.PAGE_ROWS,
        chosen=visit.query("shelter", 48), shelters=_choices(visit, names),
    )  # fmt: skip


def _choices(visit: Visit, names: Names) -> Sequence[str]:
    user = visit.signed_in
    return sorted(s.shelter for s in names.shelters.values() if s.municipality == user.organisation)


def _moment(time_ms: int | None) -> datetime | None:
    return jst(time_ms) if time_ms is not None else None


def arrival_rows(visit: Visit, names: Names, arrivals: Sequence[Arrival]) -> list[list[sheets.Cell]]:
    return [
        [
            _moment(a.box.occurred_ms), _moment(a.box.received_ms), names.place(a.box.received_at),
            names.shelter(a.box.received_at), names.item(a.request.item), a.request.size, a.box.quantity,
            a.box.received, visit.t(f"reason_value.{a.box.reason}") if a.box.reason else "",
            "" if a.box.received_at == a.request.shelter else names.shelter(a.request.shelter), a.request.request,
            a.box.number,
        ]
        for a in arrivals
    ]  # fmt: skip


ARRIVAL_COLUMNS = (
    "occurred", "recorded", "municipality", "shelter", "item", "size", "sent", "received", "reason", "meant_for",
    "request", "box",
)  # fmt: skip
TOTAL_COLUMNS = ("shelter", "item", "size", "quantity", "open", "pledged", "requested", "shipped", "arrived")


async def download_arrivals(visit: Visit) -> web.StreamResponse:
    """D7b: for the municipality's own report."""
    await own_writes(visit)
    names = await load_names(visit)
    shelters = seen_shelters(visit, names)
    arrivals, _ = await visit.kit.database.read(
        lambda session: lists.find_arrivals(session, shelters, 1, lists.EXPORT_ROWS)
    )
    heading = [visit.t(f"arrivals.{c}") for c in ARRIVAL_COLUMNS]
    data = sheets.write_csv(heading, arrival_rows(visit, names, arrivals))
    return visit.download(data, f"arrivals-{jst(visit.now_ms):%Y%m%d-%H%M}.csv", sheets.CSV_TYPE)


async def download_needs(visit: Visit) -> web.StreamResponse:
    """D7b: needs by bucket, one row a need."""
    await own_writes(visit)
    names = await load_names(visit)
    shelters = seen_shelters(visit, names)

    def look(session: Session) -> Sequence[NeedRow]:
        rows = select(NeedRow).where(NeedRow.shelter.in_(shelters)).order_by(NeedRow.shelter, NeedRow.registered_ms)
        return session.scalars(rows.limit(lists.EXPORT_ROWS)).all()

    needs = await visit.kit.database.read(look)
    heading = [visit.t("arrivals.occurred"), *(visit.t(f"situation.{c}") for c in TOTAL_COLUMNS)]
    rows: list[list[sheets.Cell]] = [
        [
            _moment(n.occurred_ms), names.shelter(n.shelter), names.item(n.item), n.size, n.quantity,
            0 if n.closed else n.shown, n.pledged, n.requested, n.shipped, n.arrived,
        ]
        for n in needs
    ]  # fmt: skip
    data = sheets.write_csv(heading, rows)
    return visit.download(data, f"needs-{jst(visit.now_ms):%Y%m%d-%H%M}.csv", sheets.CSV_TYPE)


# -- the situation -----------------------------------------------------------------------------------------------------


async def show_situation(visit: Visit) -> web.StreamResponse:
    """What is met, promised, under way and missing, by item and by shelter; the oldest unmet needs first."""
    await own_writes(visit)
    names = await load_names(visit)
    shelters = seen_shelters(visit, names)

    def look(session: Session) -> tuple[list[Total], list[Total], Sequence[NeedRow]]:
        oldest = select(NeedRow).where(NeedRow.shelter.in_(shelters), NeedRow.closed.is_(False), NeedRow.shown > 0)
        return (
            lists.totals(session, shelters, by_shelter=False),
            lists.totals(session, shelters, by_shelter=True),
            session.scalars(oldest.order_by(NeedRow.occurred_ms, NeedRow.need).limit(OLDEST_ROWS)).all(),
        )

    by_item, by_shelter, oldest = await visit.kit.database.read(look)
    items = [(names.item(*split_goods(t.key)), t) for t in by_item]
    return visit.render(
        "donations/situation.html",
        names=names,
        oldest=oldest,
        items=_chart(visit, "situation.by_item", "situation.item", items),
        shelters=_chart(
            visit, "situation.by_shelter", "situation.shelter", [(names.shelter(t.key), t) for t in by_shelter]
        ),
        totals=by_item,
        met=sum(t.arrived for t in by_item),
        missing=sum(t.open for t in by_item),
        under_way=sum(t.pledged + t.requested + t.shipped for t in by_item),
        municipality=names.municipality(visit.signed_in.organisation),
        is_officer=OFFICER in visit.signed_in.roles,
    )


def _chart(visit: Visit, title: str, heading: str, rows: Sequence[tuple[str, Total]]) -> Chart:
    """Shares of what was asked for in per cent: units of different items cannot be added."""
    busiest = sorted(rows, key=lambda row: (-_open_share(row[1]), row[0]))[:CHART_ROWS]
    series = ("arrived", "moving", "pledged", "open")
    return Chart(
        title=visit.t(title),
        label_heading=visit.t(heading),
        series=tuple(visit.t(f"situation.{s}") for s in series),
        rows=tuple((name, shares(total)) for name, total in busiest if total.quantity),
        unit="%",
        shows=0,
    )


def _open_share(total: Total) -> int:
    return 100 * total.open // total.quantity if total.quantity else 0


def shares(total: Total) -> tuple[int, int, int, int]:
    """Arrived, requested or shipped, pledged, open: whole per cent that add up to 100 (largest remainders)."""
    parts = (total.arrived, total.requested + total.shipped, total.pledged, total.open)
    whole = sum(parts)
    if not whole:
        return (0, 0, 0, 0)
    floors = [100 * part // whole for part in parts]
    missing = 100 - sum(floors)
    for place in sorted(range(4), key=lambda p: -(100 * parts[p] % whole))[:missing]:
        floors[place] += 1
    return (floors[0], floors[1], floors[2], floors[3])


PAGES = (
    View("arrivals", "/arrivals", show_arrivals, MUNICIPAL),
    View("arrivals_csv", "/arrivals.csv", download_arrivals, MUNICIPAL),
    View("needs_csv", "/needs.csv", download_needs, MUNICIPAL),
    View("situation", "/situation", show_situation, MUNICIPAL),
)
