"""The start page: what the municipalities' volunteers have done, and the way in for each of those who come here."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.web import EVERYBODY, View, Visit
from apps.volunteers.copy import own_writes
from apps.volunteers.tables import ActivityRow, PostingRow, VolunteerRow


async def show_home(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)

    def look(session: Session) -> list[int]:
        open_ones = select(func.count()).select_from(PostingRow).where(
            PostingRow.status == "published", PostingRow.direct.is_(False), PostingRow.starts_ms > visit.now_ms
        )  # fmt: skip
        volunteers = select(func.count()).select_from(VolunteerRow).where(VolunteerRow.status == "registered")
        done = select(func.count()).select_from(ActivityRow).where(ActivityRow.status == "approved")
        return [session.scalar(query) or 0 for query in (open_ones, volunteers, done)]

    open_postings, volunteers, activities = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/home.html", open_postings=open_postings, volunteers=volunteers, activities=activities
    )


PAGES = (View("home", "/", show_home, EVERYBODY),)
