"""The start page: what is needed most, and the way in for each of those who come here."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.web import EVERYBODY, View, Visit
from apps.donations import lists
from apps.donations.copy import own_writes
from apps.donations.lists import NeedSearch
from apps.donations.names import load_names
from apps.donations.signing import RECEIVING, SUPPORTER
from apps.donations.tables import BoxRow, NeedRow, RequestRow, ShelterRow

SHOWN = 6


async def show_home(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    names = await load_names(visit)
    user = visit.user
    own = [s.shelter for s in names.own_shelters(user)] if user is not None else []

    def look(session: Session) -> tuple[Sequence[NeedRow], int, int, int, int]:
        needs, open_needs = lists.find_needs(session, NeedSearch(), 1)
        shelters = select(func.count()).select_from(ShelterRow).where(ShelterRow.status != "closed")
        boxes = select(func.count()).select_from(BoxRow).where(BoxRow.status == "received")
        waiting = select(func.count()).select_from(RequestRow)
        if user is not None and SUPPORTER in user.roles:
            waiting = waiting.where(RequestRow.supporter == user.pseudonym, RequestRow.status == "requested")
        else:
            waiting = waiting.where(RequestRow.shelter.in_(own), RequestRow.status == "shipped")
        counts = [session.scalar(q) or 0 for q in (shelters, boxes, waiting)]
        return needs[:SHOWN], open_needs, counts[0], counts[1], counts[2]

    needs, open_needs, shelters, boxes, waiting = await visit.kit.database.read(look)
    return visit.render(
        "donations/home.html", names=names, needs=needs, open_needs=open_needs, shelters=shelters, boxes=boxes,
        waiting=waiting, is_receiving=user is not None and not RECEIVING.isdisjoint(user.roles),
        is_supporter=user is not None and SUPPORTER in user.roles,
    )  # fmt: skip


PAGES = (View("home", "/", show_home, EVERYBODY),)
