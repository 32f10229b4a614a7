"""A member's own page: CO2 saved by month and year; what was measured, estimated and typed; where gaps are (E3a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import false, or_, select
from sqlalchemy.orm import Session

from apps.common.tables import Write
from apps.common.web import View, Visit
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.home import methodology_title
from apps.ecopoints.people.amounts import UNITS, show_amount
from apps.ecopoints.people.figures import by_year, months_chart, total
from apps.ecopoints.people.looking import named_devices, note_look, own_member, seen_member
from apps.ecopoints.people.members import look_at_member, points_of, programme_region
from apps.ecopoints.people.tables import EcoPerson
from apps.ecopoints.people.values import ENTER
from apps.ecopoints.signing import MEMBERS, READERS
from ledger.encoding import decode

MONTH_ROWS = 24
ENTRY_ROWS = 40


async def show_mine(visit: Visit) -> web.StreamResponse:
    member = await own_member(visit)
    user = visit.signed_in
    if member is None or member.left_ms is not None:
        person = await visit.kit.database.read(lambda session: session.get(EcoPerson, user.pseudonym))
        return visit.render("ecopoints/people/not_yet.html", person=person)
    region = await programme_region(visit, member.municipality)
    found = await visit.kit.database.read(lambda session: look_at_member(session, visit, member, region))
    figures = sorted(found.figures, key=lambda f: (f.month, f.device), reverse=True)
    return visit.render(
        "ecopoints/people/mine.html", member=member, found=found, points=await points_of(visit, member.member),
        chart=months_chart(visit, found.figures, visit.t("mine.by_month")), figures=figures[:MONTH_ROWS], kg=show_kg,
        settled=show_kg(total(found.figures, settled=True)), forecast=show_kg(total(found.figures, settled=False)),
        years=by_year(found.figures), labels={d.row.device: d.label for d in found.devices},
        title=lambda code: methodology_title(visit, code),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a value that was entered by hand."""

    device: str
    month: str
    channel: str
    amount: str
    estimated: bool
    write: Write


def _entered(labels: dict[str, str], write: Write) -> Entered | None:
    arguments = decode(write.arguments)
    if not isinstance(arguments, dict):
        return None
    channel, value = str(arguments["channel"]), arguments["value"]
    amount = f"{show_amount(value if isinstance(value, int) else 0)} {UNITS[channel]}"
    device = labels.get(str(arguments["device"]), str(arguments["device"]))
    return Entered(device, str(arguments["month"]), channel, amount, bool(arguments["estimated"]), write)


async def show_entries(visit: Visit) -> web.StreamResponse:
    """The latest values that were entered for a member, each with what the chain said of it."""
    member = await seen_member(visit)
    await note_look(visit, "member", member.member)

    def look(session: Session) -> Sequence[Entered]:
        labels = {d.row.device: d.label for d in named_devices(session, visit, member.member)}
        about = [Write.reference.like(f"value:{device}/%") for device in labels]
        rows = select(Write).where(Write.kind == ENTER, or_(false(), *about)).order_by(Write.id.desc())
        return [e for w in session.scalars(rows.limit(ENTRY_ROWS)) if (e := _entered(labels, w)) is not None]

    entries = await visit.kit.database.read(look)
    return visit.render("ecopoints/people/entries.html", member=member, entries=entries)


PAGES = (
    View("mine", "/mine", show_mine, MEMBERS),
    View("entries", "/members/{member}/entries", show_entries, MEMBERS | READERS),
)
