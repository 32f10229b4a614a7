"""依頼: a requester asks one volunteer; an officer checks it and passes it on; the volunteer consents, or does not.

Why they do not is nowhere on the chain. Who was asked least lately comes first in the list of candidates.
"""

from __future__ import annotations

import msgspec

from contracts.points.types import newest_first
from contracts.volunteers import applications, certificates, members, postings, tables
from contracts.volunteers.postings import Wanted
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import ASKS, ASKS_IN, ASKS_OF, OPEN_ASKS, at
from contracts.volunteers.transitions import ASK, OFFICER
from contracts.volunteers.types import MAX_ASKS, Ask, AskStatus, Volunteer
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused

OPEN: tuple[AskStatus, ...] = ("asked", "forwarded")


def known(ctx: Context, ask_id: str) -> Ask:
    found = ASKS.get(ctx.state, ask_id)
    if found is None:
        raise Refused(VolunteersReason.NO_ASK, ask=ask_id)
    members.own(ctx, found.municipality)
    return found


def there(state: Reader, ask_id: str) -> Ask:
    found = ASKS.get(state, ask_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the request {ask_id}, which is not there")
    return found


def subjects(made: Ask) -> list[str]:
    told = [f"ask:{made.ask}", members.requester_subject(made.requester), members.subject(made.volunteer)]
    return [*told, f"posting:{made.posting}"] if made.posting else told


def _save(ctx: Context, made: Ask, status: AskStatus) -> Ask:
    before = ASKS.get(ctx.state, made.ask)
    if before is not None:
        ASKS_IN.delete(ctx.state, _place(before))
    made = msgspec.structs.replace(made, status=status, changed_ms=ctx.time_ms)
    ASKS.put(ctx.state, made.ask, made)
    tables.index(ctx.state, ASKS_IN, _place(made), made.ask, listed=True)
    for who in (made.volunteer, made.requester):
        row_id = f"{who}/{newest_first(made.asked_ms)}/{made.ask}"
        tables.index(ctx.state, ASKS_OF, row_id, made.ask, listed=True)
    tables.index(ctx.state, OPEN_ASKS, f"{made.volunteer}/{made.ask}", made.ask, listed=status in OPEN)
    return made


def _place(made: Ask) -> str:
    return f"{made.municipality}/{made.status}/{at(made.asked_ms)}/{made.ask}"


def ask(
    ctx: Context, *, requester_id: str, volunteer_id: str, kind: str, place: str, starts_ms: int, ends_ms: int,
    detail: str,
) -> Result:  # fmt: skip
    """V4b: a facility or resident asks one volunteer; the municipality is told first."""
    members.requester(ctx, requester_id)
    person = members.registered(ctx, volunteer_id)
    postings.check_times(ctx, starts_ms, ends_ms, starts_ms)
    if len(OPEN_ASKS.page(ctx.state, prefix=f"{volunteer_id}/", limit=MAX_ASKS)) == MAX_ASKS:
        raise Refused(VolunteersReason.TOO_MANY_ASKS)
    made = Ask(
        ctx.new_id("ask"), person.municipality, requester_id, volunteer_id, kind, place, starts_ms, ends_ms, detail,
        status="asked", posting="", asked_ms=ctx.time_ms, changed_ms=ctx.time_ms,
    )  # fmt: skip
    _save(ctx, made, "asked")
    ctx.emit("volunteer_asked", subjects(made), kind=kind)
    return {"ask": made.ask}


def forward(ctx: Context, ask_id: str) -> Result:
    """V4c, V4e: an officer finds that it fits and passes it on; from now on the volunteer was asked lately."""
    made = known(ctx, ask_id)
    status = ASK.after("forward", made.status, ask_id)
    person = members.registered(ctx, made.volunteer)
    certificates.valid_at(ctx, person, ctx.time_ms)
    if made.starts_ms <= ctx.time_ms:
        raise Refused(VolunteersReason.BAD_TIMES)
    made = _save(ctx, made, status)
    members.save(ctx, msgspec.structs.replace(person, asked=person.asked + 1, last_asked_ms=ctx.time_ms))
    ctx.emit("ask_forwarded", subjects(made))
    return None


def consent(ctx: Context, ask_id: str, volunteer_id: str) -> Result:
    """V4d: the volunteer's consent is recorded, and with it a place that is theirs."""
    made = _asked(ctx, ask_id, volunteer_id)
    status = ASK.after("consent", made.status, ask_id)
    person = members.registered(ctx, volunteer_id)
    wanted = Wanted(
        made.kind, made.place, made.starts_ms, made.ends_ms, withdraw_until_ms=made.starts_ms, capacity=1, skills=(),
        selection="first_come", detail=made.detail,
    )  # fmt: skip
    posting = postings.new(ctx, made.requester, wanted, "published", direct=True)
    posting = applications.take_directly(ctx, posting, person)
    made = _save(ctx, msgspec.structs.replace(made, posting=posting.posting), status)
    ctx.emit("ask_confirmed", subjects(made))
    return {"posting": posting.posting}


def decline(ctx: Context, ask_id: str, volunteer_id: str) -> Result:
    """V4e: the volunteer says no. No reason is taken, so that none can be seen."""
    made = _asked(ctx, ask_id, volunteer_id)
    return _end(ctx, made, ASK.after("decline", made.status, ask_id))


def _asked(ctx: Context, ask_id: str, volunteer_id: str) -> Ask:
    made = known(ctx, ask_id)
    if made.volunteer != volunteer_id:
        raise Refused(VolunteersReason.OTHER_VOLUNTEER)
    return made


def refuse(ctx: Context, ask_id: str) -> Result:
    """V4c: an officer finds that it does not fit."""
    made = known(ctx, ask_id)
    return _end(ctx, made, ASK.after("refuse", made.status, ask_id))


def cancel(ctx: Context, ask_id: str, requester_id: str) -> Result:
    """V4b: the requester, or an officer, takes it back before it is confirmed."""
    made = known(ctx, ask_id)
    members.acts_for(ctx, requester_id, made.requester, (OFFICER,))
    return _end(ctx, made, ASK.after("cancel", made.status, ask_id))


def _end(ctx: Context, made: Ask, status: AskStatus) -> Result:
    _save(ctx, made, status)
    ctx.emit(f"ask_{status}", subjects(made))
    return None


def end_all(ctx: Context, person: Volunteer) -> None:
    """Of somebody who leaves."""
    for _, row in OPEN_ASKS.page(ctx.state, prefix=f"{person.volunteer}/", limit=MAX_ASKS):
        made = there(ctx.state, row.id)
        _end(ctx, made, ASK.after("cancel", made.status, made.ask))
