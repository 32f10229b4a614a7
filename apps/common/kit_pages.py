"""Pages that every application has: a form on its way to the chain, live updates, health."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common.form_page import fill_location
from apps.common.tables import FormUse, Write
from apps.common.web import EVERYBODY, View, Visit

HEARTBEAT_S = 20.0
LONGEST_STREAM_S = 15 * 60.0


async def show_sent(visit: Visit) -> web.StreamResponse:
    """Where a sent form is: on its way, done, or refused with the reason. Only its sender knows the key."""

    def look(session: Session) -> tuple[FormUse | None, Write | None]:
        used = session.get(FormUse, visit.part("key"))
        return used, session.get(Write, used.write_id) if used is not None and used.write_id is not None else None

    used, write = await visit.kit.database.read(look)
    if used is None or write is None:
        raise web.HTTPNotFound
    if write.state == "done":
        return visit.redirect(fill_location(used.location, write))
    response = visit.render("common/sent.html", write=write)
    if write.state == "waiting":
        response.headers["Refresh"] = "2"
    return response


async def stream_topic(visit: Visit) -> web.StreamResponse:
    """Server-sent events: one `change` whenever the topic changed (see `apps/common/live.py`)."""
    live = visit.kit.live
    if not live.join():
        raise web.HTTPServiceUnavailable
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    topic = visit.part("topic")
    seen = live.version(topic)
    try:
        await response.prepare(visit.request)
        await response.write(b"retry: 3000\n\n")
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(LONGEST_STREAM_S):
                while not live.is_closing:
                    try:
                        async with asyncio.timeout(HEARTBEAT_S):
                            seen = await live.next_version(topic, seen)
                        await response.write(b"event: change\ndata: %d\n\n" % seen)
                    except TimeoutError:
                        await response.write(b": still here\n\n")
    finally:
        live.leave()
    return response


async def health(_: web.Request) -> web.Response:
    """For the operator's monitoring: the process answers."""
    return web.json_response({"status": "ok"})


KIT_PAGES = (
    View("sent", "/sent/{key}", show_sent, EVERYBODY),
    View("live", "/live/{topic}", stream_topic, EVERYBODY),
)
KIT_ROUTES = (("/health/live", health),)
