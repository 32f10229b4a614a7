"""What a resident sees of their points: balance, lots with their expiry, history (E3c, V7c, V8)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from apps.common.web import Page, View, Visit
from apps.points.copy import account_topic
from apps.points.looking import PAGE_ROWS, ask, own_account
from apps.points.use import Use
from contracts.points.queries import EntryPage

SOME_ENTRIES = 5


async def show_balance(use: Use, visit: Visit) -> web.StreamResponse:
    """E3c: balance, next expiry, lots, and the newest lines of the book."""
    account = await own_account(use, visit)
    me = visit.signed_in.pseudonym
    entries = await ask(use, visit, EntryPage, "points_history", account=me, limit=SOME_ENTRIES)
    return visit.render(
        "points/balance.html", account=account, entries=entries.rows if entries else [], me=me, story_of=use.story_of,
        topic=account_topic(me),
    )  # fmt: skip


async def show_history(use: Use, visit: Visit) -> web.StreamResponse:
    """V7c: every line of the book, newest first."""
    await use.copy.own_writes(visit)
    me, after = visit.signed_in.pseudonym, visit.query("after", 128)
    if after and not after.startswith(f"{me}/"):
        raise web.HTTPNotFound
    found = await ask(use, visit, EntryPage, "points_history", account=me, after=after, limit=PAGE_ROWS)
    return visit.render(
        "points/history.html", entries=found.rows if found else [], more=found.next if found else "", me=me,
        story_of=use.story_of,
    )  # fmt: skip


def pages(use: Use) -> tuple[Page, ...]:
    return (
        View("points", "/points", partial(show_balance, use), use.residents),
        View("points_history", "/points/history", partial(show_history, use), use.residents),
    )
