"""The access log (X5): who looked at personal data in an officer's role is recorded on the chain, under pseudonyms.

A page that shows personal data of others calls `note_view` before it answers. The auditor's page shows the record.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.chain import ChainUnavailable
from apps.common.personal import Viewed
from apps.common.story import PAGE_STEPS, Told, tell
from apps.common.tables import User, Write
from apps.common.web import Handler, Visit

SAME_VIEW_MS = 10 * 60 * 1000
"""Looking at the same thing again within this time is one view."""
KIND = "kit.viewed"


async def note_view(visit: Visit, kind: str, about: str = "") -> None:
    """Record that this visitor sees personal data. The view is in the outbox before the page is shown."""
    user, record, now_ms = visit.signed_in, visit.kit.record_view, visit.now_ms
    if record is None:
        return
    reference = f"{kind}:{about}"[:120]
    viewed = Viewed(user.pseudonym, user.organisation, user.chain_account, kind, about, now_ms)

    def put(session: Session) -> None:
        same = select(Write.id).where(
            Write.kind == KIND, Write.reference == reference, Write.user_id == user.id,
            Write.created_ms > now_ms - SAME_VIEW_MS,
        )  # fmt: skip
        if session.scalar(same.limit(1)) is None:
            visit.kit.outbox.put(session, KIND, record(viewed), reference=reference, user=user)

    await visit.kit.database.write(put)
    visit.kit.outbox.wake()


def show_access_log(subject: Callable[[User], str]) -> Handler:
    """The auditor's page. `subject(user)`: the chain's subject under which views in their municipality are recorded."""

    async def show(visit: Visit) -> web.StreamResponse:
        after = visit.query("after", 60)
        try:
            steps, more = await visit.kit.chain.history(subject(visit.signed_in), after, PAGE_STEPS)
        except ChainUnavailable:
            raise web.HTTPServiceUnavailable from None
        told = [Told(tell(visit, step), step) for step in steps]
        return visit.render("common/access_log.html", told=told, more=more)

    return show
