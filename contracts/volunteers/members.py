"""実施者 and 依頼者: who takes part, registered by an officer, under pseudonyms."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from contracts import points
from contracts.volunteers import tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import ANY, CANDIDATES, PEOPLE, PEOPLE_IN, REQUESTERS, REQUESTERS_IN, at
from contracts.volunteers.transitions import VOLUNTEER
from contracts.volunteers.types import Requester, RequesterKind, Volunteer, VolunteerKind
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused


def own(ctx: Context, municipality: str) -> None:
    """X6: everybody acts for their own municipality only."""
    if municipality != ctx.sender.organisation:
        raise Refused(VolunteersReason.OTHER_MUNICIPALITY, municipality=municipality)


# -- volunteers --------------------------------------------------------------------------------------------------------


def there(state: Reader, volunteer_id: str) -> Volunteer:
    """A volunteer to whom one of our own rows leads."""
    found = PEOPLE.get(state, volunteer_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the volunteer {volunteer_id}, who is not there")
    return found


def known(ctx: Context, volunteer_id: str) -> Volunteer:
    """A volunteer of the sender's municipality, in any status."""
    found = PEOPLE.get(ctx.state, volunteer_id)
    if found is None:
        raise Refused(VolunteersReason.NO_VOLUNTEER, volunteer=volunteer_id)
    own(ctx, found.municipality)
    return found


def registered(ctx: Context, volunteer_id: str) -> Volunteer:
    found = known(ctx, volunteer_id)
    if found.status != "registered":
        raise Refused(VolunteersReason.VOLUNTEER_STATE, volunteer=volunteer_id, status=found.status)
    return found


def subject(volunteer_id: str) -> str:
    return f"volunteer:{volunteer_id}"


def save(ctx: Context, person: Volunteer) -> Volunteer:
    """Write a volunteer with the indexes: by status, and by skill in the order of who was asked least lately."""
    before = PEOPLE.get(ctx.state, person.volunteer)
    was, now = _places(before), _places(person)
    for table, row_id in was:
        if (table, row_id) not in now:
            table.delete(ctx.state, row_id)
    for table, row_id in now:
        tables.index(ctx.state, table, row_id, person.volunteer, listed=True)
    PEOPLE.put(ctx.state, person.volunteer, person)
    return person


def _places(person: Volunteer | None) -> list[tuple[tables.Index, str]]:
    if person is None:
        return []
    places = [(PEOPLE_IN, f"{person.municipality}/{person.status}/{at(person.applied_ms)}/{person.volunteer}")]
    if person.status == "registered":
        tail = f"{at(person.last_asked_ms)}/{person.volunteer}"
        places += [(CANDIDATES, f"{person.municipality}/{skill}/{tail}") for skill in (ANY, *person.skills)]
    return places


def in_order(skills: Iterable[str]) -> tuple[str, ...]:
    """Each skill once, in the order of their codes."""
    return tuple(sorted(set(skills)))


def apply(
    ctx: Context, volunteer_id: str, kind: VolunteerKind, skills: Iterable[str], listed: bool, application: str
) -> Result:
    """V2a: a resident or group applies, or applies again after the application was returned. An id is used once."""
    before = PEOPLE.get(ctx.state, volunteer_id)
    if before is None:
        municipality = ctx.sender.organisation
    else:
        municipality = known(ctx, volunteer_id).municipality
        VOLUNTEER.after("apply", before.status, volunteer_id)
    person = Volunteer(
        volunteer_id, municipality, kind, "applied", in_order(skills), listed, application, certificate="", asked=0,
        last_asked_ms=0, live=0, activities=0, minutes=0, no_shows=0, applied_ms=ctx.time_ms, registered_ms=None,
        left_ms=None,
    )  # fmt: skip
    save(ctx, person)
    ctx.emit("volunteer_applied", [subject(volunteer_id)], municipality=municipality, again=before is not None)
    return {"volunteer": volunteer_id}


def give_back(ctx: Context, volunteer_id: str, why: str) -> Result:
    """V2b: an officer returns an application; the words for it stay in the application."""
    person = known(ctx, volunteer_id)
    status = VOLUNTEER.after("return", person.status, volunteer_id)
    save(ctx, msgspec.structs.replace(person, status=status))
    ctx.emit("volunteer_returned", [subject(volunteer_id)], why=why)
    return None


def register(ctx: Context, volunteer_id: str) -> Volunteer:
    """V2b, V7b: an officer registers who applied; with it comes an account for points."""
    person = known(ctx, volunteer_id)
    status = VOLUNTEER.after("register", person.status, volunteer_id)
    person = save(ctx, msgspec.structs.replace(person, status=status, registered_ms=ctx.time_ms))
    points.open_account(ctx, volunteer_id, "resident", person.municipality)
    ctx.emit("volunteer_registered", [subject(volunteer_id), f"account:{volunteer_id}"], kind=person.kind)
    return person


def change_skills(ctx: Context, volunteer_id: str, skills: Iterable[str]) -> Result:
    """V2b: other skills, as an officer has checked them. A certificate that names the old ones is to be reissued."""
    person = registered(ctx, volunteer_id)
    save(ctx, msgspec.structs.replace(person, skills=in_order(skills)))
    ctx.emit("skills_changed", [subject(volunteer_id)], skills=len(in_order(skills)))
    return None


def set_listed(ctx: Context, volunteer_id: str, listed: bool) -> Result:
    """V1b: shown on the public page of contributions, or not any more."""
    person = registered(ctx, volunteer_id)
    save(ctx, msgspec.structs.replace(person, listed=listed))
    ctx.emit("listing_changed", [subject(volunteer_id)], listed=listed)
    return None


def set_left(ctx: Context, person: Volunteer) -> None:
    status = VOLUNTEER.after("leave", person.status, person.volunteer)
    save(ctx, msgspec.structs.replace(person, status=status, left_ms=ctx.time_ms))
    if person.status == "registered":
        points.close_account(ctx, person.volunteer)
    ctx.emit("volunteer_left", [subject(person.volunteer)])


# -- requesters --------------------------------------------------------------------------------------------------------


def register_requester(ctx: Context, requester_id: str, kind: RequesterKind) -> Result:
    """V3b, V11: a facility, or a resident who wants a small hand, may ask for help."""
    if REQUESTERS.get(ctx.state, requester_id) is not None:
        raise Refused(VolunteersReason.REQUESTER_EXISTS, requester=requester_id)
    municipality = ctx.sender.organisation
    REQUESTERS.put(ctx.state, requester_id, Requester(requester_id, municipality, kind, ctx.time_ms, None))
    tables.index(ctx.state, REQUESTERS_IN, f"{municipality}/{requester_id}", requester_id, listed=True)
    ctx.emit("requester_registered", [requester_subject(requester_id)], municipality=municipality, kind=kind)
    return {"requester": requester_id}


def requester_subject(requester_id: str) -> str:
    return f"requester:{requester_id}"


def requester(ctx: Context, requester_id: str) -> Requester:
    """A requester of the sender's municipality who has not left."""
    found = REQUESTERS.get(ctx.state, requester_id)
    if found is None:
        raise Refused(VolunteersReason.NO_REQUESTER, requester=requester_id)
    own(ctx, found.municipality)
    if found.left_ms is not None:
        raise Refused(VolunteersReason.REQUESTER_LEFT, requester=requester_id)
    return found


def requester_leaves(ctx: Context, requester_id: str) -> Result:
    """V11: asks for no more help. What was asked stays; an officer cancels, confirms and reports what is open."""
    found = requester(ctx, requester_id)
    REQUESTERS.put(ctx.state, requester_id, msgspec.structs.replace(found, left_ms=ctx.time_ms))
    ctx.emit("requester_left", [requester_subject(requester_id)])
    return None


def acts_for(ctx: Context, requester_id: str, owner: str, roles: Iterable[str]) -> None:
    """An officer acts for any requester; the application only for the one who is signed in (`requester_id`)."""
    if not set(roles) & set(ctx.sender.roles) and (not requester_id or requester_id != owner):
        raise Refused(VolunteersReason.OTHER_REQUESTER)
