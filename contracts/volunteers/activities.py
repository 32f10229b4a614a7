"""活動: from check-in, with the certificate as it was then, to the end that the requester confirms, and the report."""

from __future__ import annotations

import msgspec

from contracts.points.types import newest_first
from contracts.volunteers import applications, certificates, members, postings, tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import ACTIVITIES, ACTIVITIES_AT, ACTIVITIES_IN, ACTIVITIES_OF, BUSY
from contracts.volunteers.transitions import ACTIVITY, OFFICER
from contracts.volunteers.types import Activity, ActivityStatus, Application, Certificate, Outcome, Path, Posting
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused

MINUTE_MS = 60_000
EARLY_MS = 60 * MINUTE_MS
"""A check-in can be an hour before the start."""
OVERTIME_MS = 24 * 60 * MINUTE_MS
"""Work ends a day after the end that was posted, at the latest."""


def known(ctx: Context, activity_id: str) -> Activity:
    found = ACTIVITIES.get(ctx.state, activity_id)
    if found is None:
        raise Refused(VolunteersReason.NO_ACTIVITY, activity=activity_id)
    members.own(ctx, found.municipality)
    return found


def there(state: Reader, activity_id: str) -> Activity:
    found = ACTIVITIES.get(state, activity_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the activity {activity_id}, which is not there")
    return found


def subjects(made: Activity) -> list[str]:
    told = [f"activity:{made.activity}", members.subject(made.volunteer), f"posting:{made.posting}"]
    told.append(f"certificate:{made.certificate}")
    return [*told, members.requester_subject(made.requester)] if made.requester else told


def save(ctx: Context, made: Activity, status: ActivityStatus) -> Activity:
    before = ACTIVITIES.get(ctx.state, made.activity)
    if before is not None:
        ACTIVITIES_IN.delete(ctx.state, _place(before))
    made = msgspec.structs.replace(made, status=status, changed_by=ctx.sender.account_id)
    ACTIVITIES.put(ctx.state, made.activity, made)
    tables.index(ctx.state, ACTIVITIES_IN, _place(made), made.activity, listed=True)
    for who in dict.fromkeys((made.volunteer, made.requester)):
        if who:
            row_id = f"{who}/{newest_first(made.started_ms)}/{made.activity}"
            tables.index(ctx.state, ACTIVITIES_OF, row_id, made.activity, listed=True)
    return made


def _place(made: Activity) -> str:
    return f"{made.municipality}/{made.status}/{newest_first(made.started_ms)}/{made.activity}"


def elapsed_minutes(made: Activity) -> int:
    """Minutes from start to end as clocks show them: from 10:00:40 to 12:00:10 it is 120; 0 while it goes on."""
    return 0 if made.ended_ms is None else minutes_between(made.started_ms, made.ended_ms)


def minutes_between(started_ms: int, ended_ms: int) -> int:
    return ended_ms // MINUTE_MS - started_ms // MINUTE_MS


# -- the start ---------------------------------------------------------------------------------------------------------


def check_in_with_code(ctx: Context, *, posting_id: str, code: str, requester_id: str, occurred_ms: int) -> Result:
    """V5a, V5b: the receiving side has read the code that the volunteer's phone shows; now, or kept and sent later."""
    made = postings.published(ctx, posting_id)
    postings.acting(ctx, made, requester_id)
    shown = certificates.presented(ctx, code, occurred_ms)
    application = applications.known(ctx, made, shown.volunteer)
    certificate = certificates.known(ctx, shown.certificate)
    if certificates.standing(certificate, occurred_ms) != "valid":
        raise certificates.not_valid(certificate, occurred_ms)
    begun = _begin(ctx, made, application, certificate, "code", occurred_ms)
    certificates.spend(ctx, code, shown, begun.activity)
    return {"activity": begun.activity}


def check_in_with_pin(ctx: Context, *, posting_id: str, volunteer_id: str, occurred_ms: int) -> Result:
    """V5b, V5d: the requester has no phone and confirmed with the PIN of the household card, which the application
    has checked.
    """
    made = postings.published(ctx, posting_id)
    application = applications.known(ctx, made, volunteer_id)
    certificate = certificates.valid_at(ctx, members.registered(ctx, volunteer_id), occurred_ms)
    return {"activity": _begin(ctx, made, application, certificate, "pin", occurred_ms).activity}


def enter(ctx: Context, *, posting_id: str, volunteer_id: str, started_ms: int, ended_ms: int, path: Path) -> Result:
    """V5d: an officer enters work that was recorded on paper or kept without a network, start and end together.

    The certificate counts as it was when the work began. Somebody marked as not having come is put right.
    """
    made = postings.published(ctx, posting_id)
    application = applications.known(ctx, made, volunteer_id)
    certificate = certificates.valid_at(ctx, members.known(ctx, volunteer_id), started_ms)
    if application.status == "no_show":
        application = applications.unmiss(ctx, made, application)
        made = postings.known(ctx, posting_id)
    begun = _begin(ctx, made, application, certificate, path, started_ms)
    _end(ctx, begun, ended_ms)
    return {"activity": begun.activity}


def _begin(
    ctx: Context, made: Posting, application: Application, certificate: Certificate, path: Path, started_ms: int
) -> Activity:
    if not made.starts_ms - EARLY_MS <= started_ms <= min(ctx.time_ms, made.ends_ms):
        raise Refused(VolunteersReason.BAD_MOMENT)
    applications.begin(ctx, made, application)
    begun = Activity(
        activity=ctx.new_id("activity"),
        municipality=made.municipality,
        posting=made.posting,
        volunteer=application.volunteer,
        requester=made.requester,
        kind=made.kind,
        place=made.place,
        people=application.people,
        certificate=certificate.certificate,
        path=path,
        status="started",
        started_ms=started_ms,
        ended_ms=None,
        entered_ms=ctx.time_ms,
        outcome="",
        report="",
        minutes=0,
        points=0,
        unpaid=0,
        clipped="",
        rule="",
        changed_by=ctx.sender.account_id,
    )
    begun = save(ctx, begun, "started")
    row_id = f"{made.posting}/{application.volunteer}"
    tables.index(ctx.state, ACTIVITIES_AT, row_id, begun.activity, listed=True)
    ctx.emit("activity_started", subjects(begun), path=path, started_ms=started_ms)
    return begun


# -- the end -----------------------------------------------------------------------------------------------------------


def check_out(ctx: Context, activity_id: str, requester_id: str, occurred_ms: int) -> Result:
    """V5c: over, with the requester's confirmation."""
    made = known(ctx, activity_id)
    members.acts_for(ctx, requester_id, made.requester, (OFFICER,))
    _end(ctx, made, occurred_ms)
    return None


def _end(ctx: Context, made: Activity, ended_ms: int) -> None:
    status = ACTIVITY.after("end", made.status, made.activity)
    ended = _with_end(ctx, made, ended_ms)
    save(ctx, ended, status)
    free(ctx, made)
    ctx.emit("activity_ended", subjects(made), ended_ms=ended_ms, minutes=elapsed_minutes(ended))


def _with_end(ctx: Context, made: Activity, ended_ms: int) -> Activity:
    latest = postings.there(ctx.state, made.posting).ends_ms + OVERTIME_MS
    if not made.started_ms < ended_ms <= min(ctx.time_ms, latest):
        raise Refused(VolunteersReason.BAD_MOMENT)
    return msgspec.structs.replace(made, ended_ms=ended_ms)


def free(ctx: Context, made: Activity) -> None:
    """The volunteer is not at work any more."""
    row_id = applications.busy(postings.there(ctx.state, made.posting), made.volunteer)
    tables.index(ctx.state, BUSY, row_id, made.posting, listed=False)


def correct_end(ctx: Context, activity_id: str, ended_ms: int) -> Result:
    """V5c: an officer puts the end right, until the work is approved."""
    made = known(ctx, activity_id)
    if made.status not in ("ended", "reported"):
        raise Refused(VolunteersReason.ACTIVITY_STATE, activity=activity_id, status=made.status)
    ended = save(ctx, _with_end(ctx, made, ended_ms), made.status)
    ctx.emit("end_corrected", subjects(made), ended_ms=ended_ms, minutes=elapsed_minutes(ended))
    return None


def void(ctx: Context, activity_id: str, why: str) -> Result:
    """V5b: the check-in was a mistake. The place counts as taken, and nothing is paid for it."""
    made = known(ctx, activity_id)
    save(ctx, made, ACTIVITY.after("void", made.status, activity_id))
    free(ctx, made)
    ctx.emit("activity_voided", subjects(made), why=why)
    return None


# -- the report --------------------------------------------------------------------------------------------------------


def report(ctx: Context, activity_id: str, requester_id: str, outcome: Outcome, text: str) -> Result:
    """V6a: the facility or resident reports on the work; the words stay in the application."""
    made = known(ctx, activity_id)
    members.acts_for(ctx, requester_id, made.requester, (OFFICER,))
    status = ACTIVITY.after("report", made.status, activity_id)
    save(ctx, msgspec.structs.replace(made, outcome=outcome, report=text), status)
    ctx.emit("activity_reported", subjects(made), outcome=outcome)
    return None


def give_back(ctx: Context, activity_id: str, why: str) -> Result:
    """V6b: an officer asks for another report."""
    made = known(ctx, activity_id)
    save(ctx, made, ACTIVITY.after("return", made.status, activity_id))
    ctx.emit("report_returned", subjects(made), why=why)
    return None


def reject(ctx: Context, activity_id: str, why: str) -> Result:
    """V6b: an officer does not approve it; nothing is paid."""
    made = known(ctx, activity_id)
    save(ctx, made, ACTIVITY.after("reject", made.status, activity_id))
    ctx.emit("report_rejected", subjects(made), why=why)
    return None
