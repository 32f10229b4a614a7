"""募集: asked for by facilities and residents or by the municipality itself, published by an officer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.donations.types import SHELTERS
from contracts.points.types import newest_first
from contracts.volunteers import members, tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import CALENDAR, POSTINGS, POSTINGS_IN, POSTINGS_OF, at
from contracts.volunteers.transitions import OFFICER, POSTING
from contracts.volunteers.types import MAX_POSTING_MS, Posting, PostingStatus, Selection
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused


class Wanted(NamedTuple):
    """What a posting asks for."""

    kind: str
    place: str
    starts_ms: int
    ends_ms: int
    withdraw_until_ms: int
    capacity: int
    skills: Iterable[str]
    selection: Selection
    detail: str
    shelter: str = ""


def known(ctx: Context, posting_id: str) -> Posting:
    found = POSTINGS.get(ctx.state, posting_id)
    if found is None:
        raise Refused(VolunteersReason.NO_POSTING, posting=posting_id)
    members.own(ctx, found.municipality)
    return found


def there(state: Reader, posting_id: str) -> Posting:
    """A posting to which one of our own rows leads."""
    found = POSTINGS.get(state, posting_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the posting {posting_id}, which is not there")
    return found


def published(ctx: Context, posting_id: str) -> Posting:
    found = known(ctx, posting_id)
    if found.status != "published":
        raise Refused(VolunteersReason.POSTING_STATE, posting=posting_id, status=found.status)
    return found


def subjects(made: Posting) -> list[str]:
    """Whose history it enters: its own, its requester's, and that of the shelter it sends people to."""
    told = [f"posting:{made.posting}"]
    if made.requester:
        told.append(members.requester_subject(made.requester))
    if made.shelter:
        told.append(f"shelter:{made.shelter}")
    return told


def save(ctx: Context, made: Posting) -> Posting:
    """Write a posting with its indexes. Its capacity holds here, at every write."""
    if not 0 <= made.taken <= made.capacity or made.pending < 0 or made.begun < 0:
        raise BrokenInvariant(f"posting {made.posting} has {made.taken} of {made.capacity} places taken")
    before = POSTINGS.get(ctx.state, made.posting)
    was, now = _places(before), _places(made)
    for table, row_id in was:
        if (table, row_id) not in now:
            table.delete(ctx.state, row_id)
    for table, row_id in now:
        tables.index(ctx.state, table, row_id, made.posting, listed=True)
    POSTINGS.put(ctx.state, made.posting, made)
    return made


def _places(made: Posting | None) -> list[tuple[tables.Index, str]]:
    if made is None:
        return []
    places: list[tuple[tables.Index, str]] = []
    if not made.direct:
        places.append((POSTINGS_IN, f"{made.municipality}/{made.status}/{at(made.starts_ms)}/{made.posting}"))
        if made.status == "published":
            places.append((CALENDAR, f"{at(made.starts_ms)}/{made.posting}"))
    if made.requester:
        places.append((POSTINGS_OF, f"{made.requester}/{newest_first(made.starts_ms)}/{made.posting}"))
    return places


def new(ctx: Context, requester_id: str, wanted: Wanted, status: PostingStatus, *, direct: bool = False) -> Posting:
    """A posting that is not written yet."""
    check_times(ctx, wanted.starts_ms, wanted.ends_ms, wanted.withdraw_until_ms)
    if wanted.shelter:
        shelter = SHELTERS.get(ctx.state, wanted.shelter)
        if shelter is None or shelter.status == "closed":
            raise Refused(VolunteersReason.NO_SHELTER, shelter=wanted.shelter)
    return Posting(
        posting=ctx.new_id("posting"),
        municipality=ctx.sender.organisation,
        requester=requester_id,
        kind=wanted.kind,
        place=wanted.place,
        starts_ms=wanted.starts_ms,
        ends_ms=wanted.ends_ms,
        withdraw_until_ms=wanted.withdraw_until_ms,
        capacity=wanted.capacity,
        skills=members.in_order(wanted.skills),
        selection=wanted.selection,
        detail=wanted.detail,
        shelter=wanted.shelter,
        direct=direct,
        status=status,
        taken=0,
        pending=0,
        applications=0,
        begun=0,
        asked_ms=ctx.time_ms,
        published_ms=ctx.time_ms if status == "published" else None,
        changed_by=ctx.sender.account_id,
    )


def check_times(ctx: Context, starts_ms: int, ends_ms: int, withdraw_until_ms: int) -> None:
    if not (ctx.time_ms < starts_ms < ends_ms <= starts_ms + MAX_POSTING_MS and withdraw_until_ms <= starts_ms):
        raise Refused(VolunteersReason.BAD_TIMES)


def ask(ctx: Context, requester_id: str, wanted: Wanted) -> Result:
    """V3b: a facility, or a resident who wants a small hand, asks the municipality to publish it."""
    members.requester(ctx, requester_id)
    made = save(ctx, new(ctx, requester_id, wanted, "asked"))
    ctx.emit("posting_asked", subjects(made), kind=made.kind, capacity=made.capacity)
    return {"posting": made.posting}


def post(ctx: Context, requester_id: str, wanted: Wanted) -> Result:
    """V3b, V13: an officer publishes the municipality's own, one asked for on paper, or one for a shelter."""
    if requester_id:
        members.requester(ctx, requester_id)
    made = save(ctx, new(ctx, requester_id, wanted, "published"))
    ctx.emit("posting_published", subjects(made), kind=made.kind, capacity=made.capacity)
    return {"posting": made.posting}


def publish(ctx: Context, posting_id: str, selection: Selection) -> Result:
    """V3b: an officer publishes what was asked for."""
    made = known(ctx, posting_id)
    status = POSTING.after("publish", made.status, posting_id)
    if made.starts_ms <= ctx.time_ms:
        raise Refused(VolunteersReason.STARTED, posting=posting_id)
    made = msgspec.structs.replace(
        made, status=status, selection=selection, published_ms=ctx.time_ms, changed_by=ctx.sender.account_id
    )
    save(ctx, made)
    ctx.emit("posting_published", subjects(made), kind=made.kind, capacity=made.capacity)
    return None


def decline(ctx: Context, posting_id: str, why: str) -> Result:
    """V3b: an officer does not publish it."""
    made = known(ctx, posting_id)
    status = POSTING.after("decline", made.status, posting_id)
    save(ctx, msgspec.structs.replace(made, status=status, changed_by=ctx.sender.account_id))
    ctx.emit("posting_declined", subjects(made), why=why)
    return None


def acting(ctx: Context, made: Posting, requester_id: str) -> None:
    """Whoever may act for the receiving side of a posting: an officer, or its requester through the application."""
    members.acts_for(ctx, requester_id, made.requester, (OFFICER,))
