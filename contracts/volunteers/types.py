"""The rows of the volunteers contract.

Volunteers and requesters are pseudonyms, places are coarse codes, what people write is a commitment: names, addresses,
texts and the reason of a "no" stay in the application. Times are milliseconds since 1970 (UTC), days those of Japan.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ledger.encoding import Wire
from ledger.types import AccountId, Hash, MunicipalCode, TimeMs, whole

VOLUNTEERS = "volunteers"

Code = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
"""The id of something that this contract has made, or a code of the municipality's own lists."""
Pseudonym = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,63}")]
"""A volunteer or requester, as the application calls them here: it leads to nobody without its own records."""
OptionalCode = Annotated[str, whole(r"([a-z0-9][a-z0-9-]{0,63})?")]
"""Empty: none, or everything."""
Skill = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,39}")]
Kind = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,31}")]
"""What is done: `garden`, `lightbulb`, `disaster` …; the application has the words."""
Place = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,31}")]
"""A coarse area, never an address."""
Commitment = Annotated[str, whole(r"([0-9a-f]{64})?")]
"""Salted SHA-256 of something kept off the chain, or empty."""
Digest = Annotated[str, whole(r"[0-9a-f]{64}")]
Day = Annotated[str, whole(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")]
"""A day of Japan's time: `2026-07-15`."""
Capacity = Annotated[int, msgspec.Meta(ge=1, le=100)]
People = Annotated[int, msgspec.Meta(ge=1, le=30)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

VolunteerKind = Literal["person", "group"]
VolunteerStatus = Literal["applied", "returned", "registered", "left"]
RequesterKind = Literal["facility", "resident"]
CertificateStatus = Literal["issued", "suspended", "revoked", "expired"]
Standing = Literal["valid", "suspended", "revoked", "expired", "not_yet_valid"]
"""What a certificate is worth at a moment."""
Purpose = Literal["revocation", "suspension"]
Selection = Literal["first_come", "reviewed"]
"""`first_come`: who applies first has the place; `reviewed`: an officer accepts."""
PostingStatus = Literal["asked", "published", "declined", "cancelled"]
ApplicationStatus = Literal[
    "applied", "waiting", "accepted", "present", "no_show", "withdrawn", "declined", "cancelled"
]
AskStatus = Literal["asked", "forwarded", "refused", "confirmed", "declined", "cancelled"]
ActivityStatus = Literal["started", "ended", "reported", "approved", "rejected", "voided"]
Path = Literal["code", "pin", "paper", "offline"]
"""How the start was recorded: a shown one-time code; the requester's PIN; on paper, or kept offline, entered later."""
Outcome = Literal["well", "partly", "problem"]
Clipped = Literal["", "daily_cap", "yearly_cap", "no_rule", "too_short", "left"]
"""Why there are fewer points than the work would earn, or none; empty: nothing was cut."""
MailKind = Literal[
    "registered", "returned", "certificate", "accepted", "waiting", "promoted", "declined", "cancelled", "asked",
    "consent", "confirmed", "points",
]  # fmt: skip

MAX_SKILLS = 20
MAX_KINDS = 20
MAX_CHANGES = 50
"""Changes of one certificate's status that are kept with it; after that it can only be revoked."""
MAX_LIVE = 20
"""Places that a volunteer holds, waits for or has applied for at one time, so that leaving stays one call."""
MAX_WAITING = 100
"""Applications to one posting that wait or are reviewed: cancelling it ends them all in one call, an event each."""
MAX_ASKS = 10
"""Direct requests to one volunteer that are neither confirmed nor ended."""
MAX_POSTING_MS = 7 * 24 * 3_600_000
MAX_VALID_MS = 10 * 366 * 24 * 3_600_000


class Requester(Wire, frozen=True):
    """受入施設 or 依頼者: who asks for help, and confirms when it is over."""

    requester: Pseudonym
    municipality: MunicipalCode
    kind: RequesterKind
    registered_ms: TimeMs
    left_ms: TimeMs | None


class Volunteer(Wire, frozen=True):
    """ボランティア実施者, a person or a group. `listed`: shown, pseudonymous, on the public page of contributions."""

    volunteer: Pseudonym
    municipality: MunicipalCode
    kind: VolunteerKind
    status: VolunteerStatus
    skills: tuple[Skill, ...]
    listed: bool
    application: Commitment
    certificate: str
    """The newest one's number; empty before the first."""
    asked: int
    """How often an officer has passed a request on to them."""
    last_asked_ms: TimeMs
    """0: never. Who was asked least lately comes first (V4)."""
    live: int
    """Applications that wait, are reviewed or accepted."""
    activities: int
    """Approved ones, and their minutes."""
    minutes: int
    no_shows: int
    applied_ms: TimeMs
    registered_ms: TimeMs | None
    left_ms: TimeMs | None


class Change(Wire, frozen=True):
    status: CertificateStatus
    at_ms: TimeMs


class Certificate(Wire, frozen=True):
    """証明書. `status_index` is its place in the lists of revoked and of suspended ones, given once.

    It is valid from `valid_from_ms` to the end of the second `valid_until_ms`, while issued. `changes` has what it was
    when, so that work entered later is judged by its own time.
    """

    certificate: Code
    volunteer: Pseudonym
    municipality: MunicipalCode
    status: CertificateStatus
    status_index: int
    digest: Commitment
    """Of the signed credential; empty until the application has made it."""
    valid_from_ms: TimeMs
    valid_until_ms: TimeMs
    issued_ms: TimeMs
    issued_by: AccountId
    changes: tuple[Change, ...]
    why: str
    replaced_by: str


class Register(Wire, frozen=True):
    """A municipality's counters: the next place in its status lists."""

    certificates: int


class Presentation(Wire, frozen=True):
    """提示: the commitment of a one-time code that a volunteer's phone shows. Used once."""

    certificate: Code
    volunteer: Pseudonym
    shown_ms: TimeMs
    expires_ms: TimeMs
    used_ms: TimeMs | None
    activity: str


class Posting(Wire, frozen=True):
    """募集. `requester` is empty for the municipality's own. `direct`: of a direct request, open to nobody else."""

    posting: Code
    municipality: MunicipalCode
    requester: str
    kind: Kind
    place: Place
    starts_ms: TimeMs
    ends_ms: TimeMs
    withdraw_until_ms: TimeMs
    capacity: int
    """In people: a group takes as many places as it brings."""
    skills: tuple[Skill, ...]
    selection: Selection
    detail: Commitment
    shelter: str
    """V13: the shelter of the donations contract to which disaster volunteers go."""
    direct: bool
    status: PostingStatus
    taken: int
    """People accepted, present or missed: never more than `capacity`."""
    pending: int
    """Applications that wait or are reviewed."""
    applications: int
    """How many there ever were: the next one's number."""
    begun: int
    """Check-ins."""
    asked_ms: TimeMs
    published_ms: TimeMs | None
    changed_by: AccountId


class Application(Wire, frozen=True):
    """申込 of a volunteer for a posting; `number` is its place in the order of applying."""

    posting: Code
    volunteer: Pseudonym
    status: ApplicationStatus
    people: int
    number: int
    applied_ms: TimeMs
    changed_ms: TimeMs


class Ask(Wire, frozen=True):
    """依頼: one volunteer is asked directly. Why they say no is nowhere on the chain."""

    ask: Code
    municipality: MunicipalCode
    requester: Pseudonym
    volunteer: Pseudonym
    kind: Kind
    place: Place
    starts_ms: TimeMs
    ends_ms: TimeMs
    detail: Commitment
    status: AskStatus
    posting: str
    """Once confirmed."""
    asked_ms: TimeMs
    changed_ms: TimeMs


class Activity(Wire, frozen=True):
    """活動, from check-in to points. Its day is the day on which it began."""

    activity: Code
    municipality: MunicipalCode
    posting: Code
    volunteer: Pseudonym
    requester: str
    kind: Kind
    place: Place
    people: int
    certificate: Code
    path: Path
    status: ActivityStatus
    started_ms: TimeMs
    ended_ms: TimeMs | None
    entered_ms: TimeMs
    """When the start came to the chain; later than `started_ms` for what is entered afterwards."""
    outcome: str
    report: Commitment
    minutes: int
    """As approved."""
    points: int
    unpaid: int
    clipped: Clipped
    rule: str
    changed_by: AccountId


class Rule(Wire, frozen=True):
    """付与規則: `points` for every full `unit_minutes`, or for each activity where that is 0. Never changed, but ended.

    The caps hold for all points that a volunteer gets for the work of one day, and of one fiscal year (April to March).
    """

    rule: Code
    municipality: MunicipalCode
    kinds: tuple[Kind, ...]
    """Empty: every kind that has no rule of its own."""
    points: int
    unit_minutes: int
    first_day: Day
    last_day: Day
    daily_cap: int
    """0: no cap, here and below."""
    yearly_cap: int
    lot_months: int
    """Points expire at the beginning of the month that many months after they are paid."""
    set_by: AccountId


class Earned(Wire, frozen=True):
    """Points that a volunteer got for one day or one fiscal year."""

    points: int


class Contribution(Wire, frozen=True):
    """V13: approved activities of one kind in one area and month."""

    activities: int
    people: int
    minutes: int
    """Of all the people together."""


class Mail(Wire, frozen=True):
    """V9: the fact that a mail was sent: its kind and a salted hash of whom it went to."""

    kind: MailKind
    recipient: Hash
    volunteer: Pseudonym
    about: str
    sent_ms: TimeMs
