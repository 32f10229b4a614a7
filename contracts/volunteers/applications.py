"""申込: places held to the capacity, a waiting list in its order, no two places at one time, a deadline to withdraw."""

from __future__ import annotations

import msgspec

from contracts.points.types import newest_first
from contracts.volunteers import certificates, members, postings, tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import APPLICATIONS, APPLICATIONS_OF, BUSY, LIVE, LIVE_AT, QUEUE, at
from contracts.volunteers.transitions import APPLICATION, OFFICER, POSTING
from contracts.volunteers.types import (
    MAX_LIVE,
    MAX_POSTING_MS,
    MAX_WAITING,
    Application,
    ApplicationStatus,
    Posting,
    Volunteer,
)
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused

PENDING: tuple[ApplicationStatus, ...] = ("applied", "waiting")
HOLDING: tuple[ApplicationStatus, ...] = ("accepted", "present", "no_show")
"""Have a place: one that did not come has had it too."""
MAX_BUSY = 100
"""Places of one volunteer that are compared: they hold 20, and work in few at a time."""
PROMOTED_AT_ONCE = 10
"""Promotions that follow from one change; `promote` goes on with more."""


def known(ctx: Context, made: Posting, volunteer_id: str) -> Application:
    found = APPLICATIONS.get(ctx.state, f"{made.posting}/{volunteer_id}")
    if found is None:
        raise Refused(VolunteersReason.NO_APPLICATION)
    return found


def subjects(made: Posting, application: Application) -> list[str]:
    return [*postings.subjects(made), members.subject(application.volunteer)]


def busy(made: Posting, volunteer_id: str) -> str:
    return f"{volunteer_id}/{at(made.starts_ms)}/{made.posting}"


def overlapping(ctx: Context, volunteer_id: str, made: Posting) -> str:
    """The posting in which the volunteer has a place at the same time; empty if there is none."""
    prefix = f"{volunteer_id}/"
    earliest = max(made.starts_ms - MAX_POSTING_MS, 0)
    page = BUSY.page(ctx.state, prefix=prefix, after=f"{prefix}{at(earliest)}", limit=MAX_BUSY)
    for _, row in page:
        other = postings.there(ctx.state, row.id)
        if other.starts_ms >= made.ends_ms:
            break
        if other.ends_ms > made.starts_ms and other.posting != made.posting:
            return other.posting
    return ""


def _move(ctx: Context, made: Posting, application: Application, status: ApplicationStatus) -> Posting:
    """The one place where applications are written: with the posting's counts and the indexes."""
    row_id = f"{made.posting}/{application.volunteer}"
    before = APPLICATIONS.get(ctx.state, row_id)
    was = before.status if before is not None else None
    taken = made.taken + application.people * ((status in HOLDING) - (was in HOLDING))
    pending = made.pending + (status in PENDING) - (was in PENDING)
    made = postings.save(ctx, msgspec.structs.replace(made, taken=taken, pending=pending))
    application = msgspec.structs.replace(application, status=status, changed_ms=ctx.time_ms)
    APPLICATIONS.put(ctx.state, row_id, application)
    person, live = members.there(ctx.state, application.volunteer), (*PENDING, "accepted")
    if (status in live) != (was in live):
        members.save(ctx, msgspec.structs.replace(person, live=person.live + (1 if status in live else -1)))
    volunteer_id = application.volunteer
    tables.index(ctx.state, LIVE, f"{volunteer_id}/{made.posting}", row_id, listed=status in live)
    tables.index(ctx.state, LIVE_AT, f"{made.posting}/{volunteer_id}", volunteer_id, listed=status in live)
    following = f"{newest_first(made.starts_ms)}/{made.posting}"
    tables.index(ctx.state, APPLICATIONS_OF, f"{volunteer_id}/{following}", row_id, listed=True)
    tables.index(ctx.state, BUSY, busy(made, volunteer_id), made.posting, listed=status in ("accepted", "present"))
    if before is not None and before.number != application.number:
        tables.index(ctx.state, QUEUE, f"{made.posting}/{before.number:08d}", volunteer_id, listed=False)
    queued = f"{made.posting}/{application.number:08d}"
    tables.index(ctx.state, QUEUE, queued, volunteer_id, listed=status == "waiting")
    return made


# -- applying ----------------------------------------------------------------------------------------------------------


def apply(ctx: Context, posting_id: str, volunteer_id: str, people: int) -> Result:
    """V3c, V3e: who applies first has the place; the rest wait in their order; or an officer reviews it first."""
    made, person = postings.published(ctx, posting_id), members.registered(ctx, volunteer_id)
    _may_apply(ctx, made, person, people)
    before = APPLICATIONS.get(ctx.state, f"{posting_id}/{volunteer_id}")
    if before is not None:
        APPLICATION.after("apply", before.status, volunteer_id)
    made = promote(ctx, made)
    fits = made.taken + people <= made.capacity
    status: ApplicationStatus = "applied" if made.selection == "reviewed" else "accepted" if fits else "waiting"
    if status != "accepted" and made.pending >= MAX_WAITING:
        raise Refused(VolunteersReason.QUEUE_FULL)
    application = Application(posting_id, volunteer_id, status, people, made.applications, ctx.time_ms, ctx.time_ms)
    made = msgspec.structs.replace(made, applications=made.applications + 1)
    _move(ctx, made, application, status)
    ctx.emit(f"application_{status}", subjects(made, application), people=people)
    return {"status": status}


def _may_apply(ctx: Context, made: Posting, person: Volunteer, people: int) -> None:
    if made.direct:
        raise Refused(VolunteersReason.NOT_OPEN, posting=made.posting)
    if made.starts_ms <= ctx.time_ms:
        raise Refused(VolunteersReason.STARTED, posting=made.posting)
    if people > 1 and person.kind != "group":
        raise Refused(VolunteersReason.NOT_A_GROUP)
    if people > made.capacity:
        raise Refused(VolunteersReason.LARGER_THAN_POSTING, capacity=made.capacity)
    missing = [skill for skill in made.skills if skill not in person.skills]
    if missing:
        raise Refused(VolunteersReason.SKILLS_MISSING, skill=missing[0])
    if person.live >= MAX_LIVE:
        raise Refused(VolunteersReason.TOO_MANY_LIVE, limit=MAX_LIVE)
    certificates.valid_at(ctx, person, ctx.time_ms)
    _no_overlap(ctx, person.volunteer, made)


def _no_overlap(ctx: Context, volunteer_id: str, made: Posting) -> None:
    other = overlapping(ctx, volunteer_id, made)
    if other:
        raise Refused(VolunteersReason.OVERLAP, posting=other)


def accept(ctx: Context, posting_id: str, volunteer_id: str) -> Result:
    """V3d: an officer accepts; without a place left the volunteer waits."""
    made = postings.published(ctx, posting_id)
    application = known(ctx, made, volunteer_id)
    status = APPLICATION.after("accept", application.status, volunteer_id)
    if made.starts_ms <= ctx.time_ms:
        raise Refused(VolunteersReason.STARTED, posting=posting_id)
    person = members.registered(ctx, volunteer_id)
    certificates.valid_at(ctx, person, ctx.time_ms)
    _no_overlap(ctx, volunteer_id, made)
    made = promote(ctx, made)
    if made.taken + application.people > made.capacity:
        status = APPLICATION.after("wait", application.status, volunteer_id)
    _move(ctx, made, application, status)
    ctx.emit(f"application_{status}", subjects(made, application), people=application.people)
    return {"status": status}


def take_directly(ctx: Context, made: Posting, person: Volunteer) -> Posting:
    """V4d: the place of a direct request whose volunteer has consented."""
    if person.live >= MAX_LIVE:
        raise Refused(VolunteersReason.TOO_MANY_LIVE, limit=MAX_LIVE)
    certificates.valid_at(ctx, person, ctx.time_ms)
    _no_overlap(ctx, person.volunteer, made)
    application = Application(made.posting, person.volunteer, "accepted", 1, 0, ctx.time_ms, ctx.time_ms)
    return _move(ctx, msgspec.structs.replace(made, applications=1), application, "accepted")


# -- withdrawing, and who comes next -----------------------------------------------------------------------------------


def withdraw(ctx: Context, posting_id: str, volunteer_id: str) -> Result:
    """V3e: until the deadline by the volunteer, after it by an officer; the next on the waiting list has the place."""
    made = postings.known(ctx, posting_id)
    application = known(ctx, made, volunteer_id)
    late = application.status == "accepted" and ctx.time_ms > made.withdraw_until_ms
    if late and OFFICER not in ctx.sender.roles:
        APPLICATION.after("withdraw", application.status, volunteer_id)
        raise Refused(VolunteersReason.TOO_LATE)
    return _end(ctx, made, application, "withdraw", "")


def decline(ctx: Context, posting_id: str, volunteer_id: str, why: str) -> Result:
    """V3d: an officer does not accept an application, or takes a place back."""
    made = postings.known(ctx, posting_id)
    return _end(ctx, made, known(ctx, made, volunteer_id), "decline", why)


def _end(ctx: Context, made: Posting, application: Application, name: str, why: str) -> Result:
    status = APPLICATION.after(name, application.status, application.volunteer)
    made = _move(ctx, made, application, status)
    ctx.emit(f"application_{status}", subjects(made, application), why=why)
    before = made.taken
    return {"promoted": promote(ctx, made).taken - before}


def promote(ctx: Context, made: Posting) -> Posting:
    """V3e: places that are free go to those who wait, in their order, to the first who fits and can come.

    Who has another place at that time, or whose certificate does not count now, stays in the list. Ten in one call.
    """
    if made.status != "published" or made.starts_ms <= ctx.time_ms:
        return made
    promoted = 0
    for _, row in QUEUE.page(ctx.state, prefix=f"{made.posting}/", limit=MAX_WAITING):
        if made.taken == made.capacity or promoted == PROMOTED_AT_ONCE:
            break
        application = APPLICATIONS.get(ctx.state, f"{made.posting}/{row.id}")
        if application is None:
            raise BrokenInvariant(f"{row.id} waits for {made.posting} without having applied")
        person = members.there(ctx.state, row.id)
        fits = made.taken + application.people <= made.capacity
        if not fits or not can_come(ctx, made, person):
            continue
        made = _move(ctx, made, application, APPLICATION.after("promote", application.status, row.id))
        ctx.emit("application_promoted", subjects(made, application), people=application.people)
        promoted += 1
    return made


def can_come(ctx: Context, made: Posting, person: Volunteer) -> bool:
    newest = certificates.there(ctx.state, person.certificate)
    return certificates.standing(newest, ctx.time_ms) == "valid" and not overlapping(ctx, person.volunteer, made)


def go_on_promoting(ctx: Context, posting_id: str) -> Result:
    """V3e: once more, when more places were free than one call fills, or somebody can come now who could not."""
    made = postings.published(ctx, posting_id)
    return {"promoted": promote(ctx, made).taken - made.taken}


def change_capacity(ctx: Context, posting_id: str, capacity: int) -> Result:
    """V3e: more places, which those who wait get; or fewer, but not fewer than are taken."""
    made = postings.published(ctx, posting_id)
    if capacity < made.taken:
        raise Refused(VolunteersReason.BELOW_TAKEN, taken=made.taken)
    made = postings.save(ctx, msgspec.structs.replace(made, capacity=capacity, changed_by=ctx.sender.account_id))
    ctx.emit("capacity_changed", postings.subjects(made), capacity=capacity)
    return {"promoted": promote(ctx, made).taken - made.taken}


def cancel_posting(ctx: Context, posting_id: str, requester_id: str, why: str) -> Result:
    """V3b: it will not take place; everybody who applied is told."""
    made = postings.known(ctx, posting_id)
    postings.acting(ctx, made, requester_id)
    status = POSTING.after("cancel", made.status, posting_id)
    if made.begun:
        raise Refused(VolunteersReason.BEGUN, posting=posting_id)
    made = postings.save(ctx, msgspec.structs.replace(made, status=status, changed_by=ctx.sender.account_id))
    ctx.emit("posting_cancelled", postings.subjects(made), why=why)
    ended = 0
    for _, row in LIVE_AT.page(ctx.state, prefix=f"{posting_id}/", limit=made.capacity + MAX_WAITING):
        application = known(ctx, made, row.id)
        made = _move(ctx, made, application, APPLICATION.after("cancel", application.status, row.id))
        ctx.emit("application_cancelled", subjects(made, application), why=why)
        ended += 1
    return {"applications": ended}


def withdraw_all(ctx: Context, person: Volunteer) -> None:
    """Of somebody who leaves: every place and application, so that others can have them."""
    for _, row in LIVE.page(ctx.state, prefix=f"{person.volunteer}/", limit=MAX_LIVE):
        posting_id = row.id.split("/", 1)[0]
        made = postings.there(ctx.state, posting_id)
        _end(ctx, made, known(ctx, made, person.volunteer), "withdraw", "left")


# -- coming or not -----------------------------------------------------------------------------------------------------


def begin(ctx: Context, made: Posting, application: Application) -> Posting:
    """The volunteer is there."""
    status = APPLICATION.after("begin", application.status, application.volunteer)
    return _move(ctx, msgspec.structs.replace(made, begun=made.begun + 1), application, status)


def miss(ctx: Context, posting_id: str, volunteer_id: str, requester_id: str) -> Result:
    """V3e: somebody who was accepted did not come. An officer can still enter their work if they did."""
    made = postings.published(ctx, posting_id)
    postings.acting(ctx, made, requester_id)
    application = known(ctx, made, volunteer_id)
    status = APPLICATION.after("miss", application.status, volunteer_id)
    if made.starts_ms > ctx.time_ms:
        raise Refused(VolunteersReason.NOT_STARTED, posting=posting_id)
    _move(ctx, made, application, status)
    person = members.there(ctx.state, volunteer_id)
    members.save(ctx, msgspec.structs.replace(person, no_shows=person.no_shows + 1))
    ctx.emit("no_show", subjects(made, application))
    return None


def unmiss(ctx: Context, made: Posting, application: Application) -> Application:
    """V3e, V5d: they did come, as an officer has learned from a paper; the place was theirs all the time."""
    status = APPLICATION.after("unmiss", application.status, application.volunteer)
    _move(ctx, made, application, status)
    person = members.there(ctx.state, application.volunteer)
    members.save(ctx, msgspec.structs.replace(person, no_shows=person.no_shows - 1))
    ctx.emit("no_show_corrected", subjects(made, application))
    return msgspec.structs.replace(application, status=status)
