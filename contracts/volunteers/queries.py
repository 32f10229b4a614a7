"""What can be asked of the volunteers contract: bounded pages over one index each."""

from __future__ import annotations

import msgspec

from contracts.ecopoints.methodology.calendar import month_of
from contracts.points.queries import listed
from contracts.volunteers import activities, certificates, members, rules
from contracts.volunteers.tables import (
    ACTIVITIES,
    ACTIVITIES_IN,
    ACTIVITIES_OF,
    ANY,
    APPLICATIONS,
    APPLICATIONS_OF,
    ASKS,
    ASKS_IN,
    ASKS_OF,
    CALENDAR,
    CANDIDATES,
    CERTIFICATES,
    CERTIFICATES_IN,
    CERTIFICATES_OF,
    CONTRIBUTIONS,
    PEOPLE,
    PEOPLE_IN,
    POSTINGS,
    POSTINGS_IN,
    POSTINGS_OF,
    PRESENTATIONS,
    REQUESTERS,
    REQUESTERS_IN,
    RULES,
    RULES_IN,
    STATUS_BITS,
    at,
)
from contracts.volunteers.types import (
    Activity,
    Application,
    Ask,
    Certificate,
    Contribution,
    Posting,
    Presentation,
    Requester,
    Rule,
    Standing,
    Volunteer,
)
from ledger.kv import Reader


class VolunteerView(msgspec.Struct, frozen=True):
    """A volunteer with what the newest certificate is worth now; None before the first."""

    volunteer: Volunteer
    standing: Standing | None


class CertificateView(msgspec.Struct, frozen=True):
    certificate: Certificate
    standing: Standing


class PresentationView(msgspec.Struct, frozen=True):
    """What a shown code leads to. `usable`: not used yet, and not too old."""

    presentation: Presentation
    certificate: Certificate
    standing: Standing
    usable: bool


class DueView(msgspec.Struct, frozen=True):
    """What approving an activity with so many minutes would pay, and what the caps leave before."""

    minutes: int
    rule: str
    earned: int
    paid: int
    clipped: str
    daily_left: int | None
    yearly_left: int | None


class VolunteerPage(msgspec.Struct, frozen=True):
    rows: list[VolunteerView]
    next: str


class RequesterPage(msgspec.Struct, frozen=True):
    rows: list[Requester]
    next: str


class CertificatePage(msgspec.Struct, frozen=True):
    rows: list[CertificateView]
    next: str


class BitPage(msgspec.Struct, frozen=True):
    """Places that are set in a municipality's status lists."""

    rows: list[int]
    next: str


class PostingPage(msgspec.Struct, frozen=True):
    rows: list[Posting]
    next: str


class ApplicationPage(msgspec.Struct, frozen=True):
    rows: list[Application]
    next: str


class AskPage(msgspec.Struct, frozen=True):
    rows: list[Ask]
    next: str


class ActivityPage(msgspec.Struct, frozen=True):
    rows: list[Activity]
    next: str


class RulePage(msgspec.Struct, frozen=True):
    rows: list[Rule]
    next: str


class PublicActivity(msgspec.Struct, frozen=True):
    """V1b: coarse place and month. `volunteer` is empty where they do not want to be shown."""

    volunteer: str
    month: str
    kind: str
    place: str
    minutes: int
    people: int


class PublicPage(msgspec.Struct, frozen=True):
    rows: list[PublicActivity]
    next: str


class ContributionView(msgspec.Struct, frozen=True):
    month: str
    kind: str
    place: str
    sum: Contribution


class ContributionPage(msgspec.Struct, frozen=True):
    rows: list[ContributionView]
    next: str


def _volunteer_view(state: Reader, person: Volunteer, now_ms: int) -> VolunteerView:
    if not person.certificate:
        return VolunteerView(person, None)
    return VolunteerView(person, certificates.standing(certificates.there(state, person.certificate), now_ms))


def volunteer(state: Reader, volunteer_id: str, now_ms: int) -> VolunteerView | None:
    person = PEOPLE.get(state, volunteer_id)
    return None if person is None else _volunteer_view(state, person, now_ms)


def volunteers(state: Reader, municipality: str, status: str, now_ms: int, after: str, limit: int) -> VolunteerPage:
    rows, following = listed(state, PEOPLE_IN, PEOPLE, f"{municipality}/{status}/", after, limit)
    return VolunteerPage([_volunteer_view(state, person, now_ms) for person in rows], following)


def candidates(state: Reader, municipality: str, skill: str, now_ms: int, after: str, limit: int) -> VolunteerPage:
    rows, following = listed(state, CANDIDATES, PEOPLE, f"{municipality}/{skill or ANY}/", after, limit)
    return VolunteerPage([_volunteer_view(state, person, now_ms) for person in rows], following)


def requesters(state: Reader, municipality: str, after: str, limit: int) -> RequesterPage:
    return RequesterPage(*listed(state, REQUESTERS_IN, REQUESTERS, f"{municipality}/", after, limit))


def certificate(state: Reader, certificate_id: str, now_ms: int) -> CertificateView | None:
    made = CERTIFICATES.get(state, certificate_id)
    return None if made is None else CertificateView(made, certificates.standing(made, now_ms))


def certificates_of(state: Reader, volunteer_id: str, now_ms: int, after: str, limit: int) -> CertificatePage:
    rows, following = listed(state, CERTIFICATES_OF, CERTIFICATES, f"{volunteer_id}/", after, limit)
    return CertificatePage([CertificateView(made, certificates.standing(made, now_ms)) for made in rows], following)


def certificates_in(state: Reader, municipality: str, now_ms: int, after: str, limit: int) -> CertificatePage:
    rows, following = listed(state, CERTIFICATES_IN, CERTIFICATES, f"{municipality}/", after, limit)
    return CertificatePage([CertificateView(made, certificates.standing(made, now_ms)) for made in rows], following)


def status_bits(state: Reader, municipality: str, purpose: str, after: str, limit: int) -> BitPage:
    page = STATUS_BITS.page(state, prefix=f"{municipality}/{purpose}/", after=after, limit=limit)
    return BitPage([int(row_id.rsplit("/", 1)[1]) for row_id, _ in page], page[-1][0] if len(page) == limit else "")


def presentation(state: Reader, commitment: str, now_ms: int) -> PresentationView | None:
    shown = PRESENTATIONS.get(state, commitment)
    if shown is None:
        return None
    made = certificates.there(state, shown.certificate)
    usable = shown.used_ms is None and now_ms < shown.expires_ms
    return PresentationView(shown, made, certificates.standing(made, now_ms), usable)


def postings(state: Reader, municipality: str, status: str, after: str, limit: int) -> PostingPage:
    return PostingPage(*listed(state, POSTINGS_IN, POSTINGS, f"{municipality}/{status}/", after, limit))


def calendar(state: Reader, from_ms: int, after: str, limit: int) -> PostingPage:
    return PostingPage(*listed(state, CALENDAR, POSTINGS, "", after or at(from_ms), limit))


def postings_of(state: Reader, requester_id: str, after: str, limit: int) -> PostingPage:
    return PostingPage(*listed(state, POSTINGS_OF, POSTINGS, f"{requester_id}/", after, limit))


def applications_to(state: Reader, posting_id: str, after: str, limit: int) -> ApplicationPage:
    page = APPLICATIONS.page(state, prefix=f"{posting_id}/", after=after, limit=limit)
    return ApplicationPage([row for _, row in page], page[-1][0] if len(page) == limit else "")


def applications_of(state: Reader, volunteer_id: str, after: str, limit: int) -> ApplicationPage:
    return ApplicationPage(*listed(state, APPLICATIONS_OF, APPLICATIONS, f"{volunteer_id}/", after, limit))


def asks_in(state: Reader, municipality: str, status: str, after: str, limit: int) -> AskPage:
    return AskPage(*listed(state, ASKS_IN, ASKS, f"{municipality}/{status}/", after, limit))


def asks_of(state: Reader, who: str, after: str, limit: int) -> AskPage:
    return AskPage(*listed(state, ASKS_OF, ASKS, f"{who}/", after, limit))


def activities_in(state: Reader, municipality: str, status: str, after: str, limit: int) -> ActivityPage:
    return ActivityPage(*listed(state, ACTIVITIES_IN, ACTIVITIES, f"{municipality}/{status}/", after, limit))


def activities_of(state: Reader, who: str, after: str, limit: int) -> ActivityPage:
    return ActivityPage(*listed(state, ACTIVITIES_OF, ACTIVITIES, f"{who}/", after, limit))


def public_activities(state: Reader, municipality: str, after: str, limit: int) -> PublicPage:
    rows, following = listed(state, ACTIVITIES_IN, ACTIVITIES, f"{municipality}/approved/", after, limit)
    return PublicPage([_public(state, made) for made in rows], following)


def _public(state: Reader, made: Activity) -> PublicActivity:
    person = members.there(state, made.volunteer)
    shown = made.volunteer if person.listed and person.status == "registered" else ""
    return PublicActivity(shown, month_of(made.started_ms), made.kind, made.place, made.minutes, made.people)


def contributions(state: Reader, municipality: str, after: str, limit: int) -> ContributionPage:
    page = CONTRIBUTIONS.page(state, prefix=f"{municipality}/", after=after, limit=limit)
    return ContributionPage(
        [_contribution(row_id, row) for row_id, row in page], page[-1][0] if len(page) == limit else ""
    )


def _contribution(row_id: str, row: Contribution) -> ContributionView:
    _, month, kind, place = row_id.split("/")
    return ContributionView(month, kind, place, row)


def rules_in(state: Reader, municipality: str, after: str, limit: int) -> RulePage:
    return RulePage(*listed(state, RULES_IN, RULES, f"{municipality}/", after, limit))


def due(state: Reader, activity_id: str, minutes: int | None) -> DueView | None:
    """What approving would pay now."""
    made = ACTIVITIES.get(state, activity_id)
    if made is None:
        return None
    counted = activities.elapsed_minutes(made) if minutes is None else minutes
    found = rules.due(state, made, counted, left=members.there(state, made.volunteer).status == "left")
    return DueView(counted, found.rule, found.earned, found.paid, found.clipped, found.daily_left, found.yearly_left)
