"""Pages about mails: what was sent and what could not be (for officers), and the demonstration's mailbox."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.tables import Letter, Mail
from apps.common.web import EVERYBODY, View, Visit

PAGE_ROWS = 50
STATES = ("waiting", "sent", "failed")


async def show_mails(visit: Visit) -> web.StreamResponse:
    """Mails by state, newest first; failed ones with the mail server's answer. Addresses are shown to nobody here."""
    state, page = visit.query("state", 10), visit.page_number()

    def look(session: Session) -> tuple[Sequence[Mail], int]:
        rows = select(Mail)
        if state in STATES:
            rows = rows.where(Mail.state == state)
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = rows.order_by(Mail.id.desc()).offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)
        return session.scalars(shown).all(), count

    mails, count = await visit.kit.database.read(look)
    return visit.render(
        "common/mails.html", mails=mails, count=count, page=page, page_rows=PAGE_ROWS, state=state, states=STATES
    )


async def show_mailbox(visit: Visit) -> web.StreamResponse:
    """Demonstration only: every letter that the built-in mail server took in."""
    page, recipient = visit.page_number(), visit.query("to", 254)

    def look(session: Session) -> tuple[Sequence[Letter], int]:
        rows = select(Letter)
        if recipient:
            rows = rows.where(Letter.recipient == recipient.lower())
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = rows.order_by(Letter.id.desc()).offset((page - 1) * 20).limit(20)
        return session.scalars(shown).all(), count

    letters, count = await visit.kit.database.read(look)
    return visit.render("common/mailbox.html", letters=letters, count=count, page=page, recipient=recipient)


def mail_pages(officers: frozenset[str], *, demo: bool) -> tuple[View, ...]:
    pages = (View("mails", "/mails", show_mails, officers),)
    return (*pages, View("mailbox", "/mailbox", show_mailbox, EVERYBODY)) if demo else pages
