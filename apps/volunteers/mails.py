"""V9: the mails about what happened on the chain, queued once for each event, whoever caused it.

They are queued in the transaction that takes the event, so that none is lost or doubled. An application that is built
anew reads old events again; what is older than a day is told nobody any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.follower import Follower
from apps.common.tables import User
from apps.common.web import Kit
from apps.volunteers.accounts import app_account
from apps.volunteers.signing import OFFICER, mail_reference
from apps.volunteers.words import people_by_pseudonym

TOLD_WITHIN_MS = 24 * 3_600_000
MAX_OFFICERS = 20
TO_VOLUNTEER: Mapping[str, str] = {
    "volunteer_registered": "registered",
    "volunteer_returned": "returned",
    "certificate_issued": "certificate",
    "application_accepted": "accepted",
    "application_waiting": "waiting",
    "application_promoted": "promoted",
    "application_declined": "declined",
    "application_cancelled": "cancelled",
    "ask_forwarded": "consent",
    "ask_confirmed": "confirmed",
    "report_approved": "points",
}
"""Event -> the mail to the volunteer whom it names."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an event tells whom: `kind` names the mail's texts."""

    kind: str
    user: User
    volunteer: str
    about: str
    link: str


async def tell(kit: Kit) -> None:
    """Follow the chain until cancelled."""

    def apply(session: Session, steps: Sequence[Step]) -> Iterable[str]:
        for step in steps:
            if step.time_ms > kit.clock() - TOLD_WITHIN_MS:
                for told in mails_of(kit, session, step):
                    _queue(kit, session, told, step)
        return ()

    await Follower("volunteers-mails-1", apply).run(kit)


def mails_of(kit: Kit, session: Session, step: Step) -> Iterator[Told]:
    named = dict(subject.split(":", 1) for subject in step.event.subjects)
    volunteer, name = named.get("volunteer", ""), step.event.name
    about = next((named[kind] for kind in ("activity", "ask", "posting") if kind in named), "")
    if name in TO_VOLUNTEER:
        user = people_by_pseudonym(session, [volunteer]).get(volunteer)
        if user is not None:  # erased since, or of another application
            yield Told(TO_VOLUNTEER[name], user, volunteer, about, kit.url("home"))
    if name == "volunteer_asked":
        asking = people_by_pseudonym(session, [named["requester"]]).get(named["requester"])
        for officer in officers_of(session, asking.organisation) if asking is not None else ():
            yield Told("asked", officer, volunteer, about, kit.url("ask", ask=about))


def officers_of(session: Session, municipality: str) -> Sequence[User]:
    rows = select(User).where(User.organisation == municipality, User.suspended_ms.is_(None)).order_by(User.id)
    return [user for user in session.scalars(rows) if OFFICER in user.roles][:MAX_OFFICERS]


def _queue(kit: Kit, session: Session, told: Told, step: Step) -> None:
    municipality = told.user.organisation
    kit.mails.tell(
        session, told.user, told.kind, reference=mail_reference(municipality, told.volunteer, told.about),
        account=app_account(municipality), link=told.link, points=step.event.data.get("points", ""),
        minutes=step.event.data.get("minutes", ""),
    )  # fmt: skip
