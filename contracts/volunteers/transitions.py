"""The state machines as tables: which transition leads from where to where, and which role may make it.

`roles` empty: nobody asks for it, it follows from another transition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.types import (
    ActivityStatus,
    ApplicationStatus,
    AskStatus,
    CertificateStatus,
    PostingStatus,
    VolunteerStatus,
)
from ledger.refusal import Refused, Scalar

ADMIN = "volunteers.admin"
"""システム管理者 of the municipality: sets rules for points."""
OFFICER = "volunteers.officer"
"""事業担当の職員 of the municipality."""
APP = "volunteers.app"
"""The application of a municipality, acting for volunteers and requesters, who are no members of the ledger."""

Status = TypeVar("Status", bound=str)


@dataclass(frozen=True, slots=True)
class Transition(Generic[Status]):
    sources: tuple[Status, ...]
    target: Status
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine(Generic[Status]):
    name: str
    subject: str
    """What the refusal names."""
    reason: VolunteersReason
    transitions: Mapping[str, Transition[Status]]

    def after(self, name: str, status: Status, thing: str) -> Status:
        """The status after a transition; `Refused` if it cannot be made from here."""
        transition = self.transitions[name]
        if status not in transition.sources:
            named: dict[str, Scalar] = {self.subject: thing, "status": status}
            raise Refused(self.reason, **named)
        return transition.target

    def roles(self, name: str) -> tuple[str, ...]:
        return self.transitions[name].roles


VOLUNTEER: Machine[VolunteerStatus] = Machine(
    "volunteer",
    "volunteer",
    VolunteersReason.VOLUNTEER_STATE,
    {
        "apply": Transition(("returned",), "applied", (APP, OFFICER)),
        "return": Transition(("applied",), "returned", (OFFICER,)),
        "register": Transition(("applied",), "registered", (OFFICER,)),
        "leave": Transition(("applied", "returned", "registered"), "left", (APP, OFFICER)),
    },
)
CERTIFICATE: Machine[CertificateStatus] = Machine(
    "certificate",
    "certificate",
    VolunteersReason.CERTIFICATE_STATE,
    {
        "suspend": Transition(("issued",), "suspended", (OFFICER,)),
        "resume": Transition(("suspended",), "issued", (OFFICER,)),
        "revoke": Transition(("issued", "suspended"), "revoked", (OFFICER,)),
        "expire": Transition(("issued", "suspended"), "expired", (APP, OFFICER)),
    },
)
POSTING: Machine[PostingStatus] = Machine(
    "posting",
    "posting",
    VolunteersReason.POSTING_STATE,
    {
        "publish": Transition(("asked",), "published", (OFFICER,)),
        "decline": Transition(("asked",), "declined", (OFFICER,)),
        "cancel": Transition(("asked", "published"), "cancelled", (APP, OFFICER)),
    },
)
APPLICATION: Machine[ApplicationStatus] = Machine(
    "application",
    "volunteer",
    VolunteersReason.APPLICATION_STATE,
    {
        "apply": Transition(("withdrawn",), "applied", (APP,)),
        "accept": Transition(("applied",), "accepted", (OFFICER,)),
        "wait": Transition(("applied",), "waiting"),
        "promote": Transition(("waiting",), "accepted"),
        "withdraw": Transition(("applied", "waiting", "accepted"), "withdrawn", (APP, OFFICER)),
        "decline": Transition(("applied", "waiting", "accepted"), "declined", (OFFICER,)),
        "cancel": Transition(("applied", "waiting", "accepted"), "cancelled"),
        "begin": Transition(("accepted",), "present", (APP, OFFICER)),
        "miss": Transition(("accepted",), "no_show", (APP, OFFICER)),
        "unmiss": Transition(("no_show",), "accepted"),
    },
)
ASK: Machine[AskStatus] = Machine(
    "ask",
    "ask",
    VolunteersReason.ASK_STATE,
    {
        "forward": Transition(("asked",), "forwarded", (OFFICER,)),
        "refuse": Transition(("asked",), "refused", (OFFICER,)),
        "consent": Transition(("forwarded",), "confirmed", (APP,)),
        "decline": Transition(("forwarded",), "declined", (APP,)),
        "cancel": Transition(("asked", "forwarded"), "cancelled", (APP, OFFICER)),
    },
)
ACTIVITY: Machine[ActivityStatus] = Machine(
    "activity",
    "activity",
    VolunteersReason.ACTIVITY_STATE,
    {
        "end": Transition(("started",), "ended", (APP, OFFICER)),
        "report": Transition(("ended",), "reported", (APP, OFFICER)),
        "return": Transition(("reported",), "ended", (OFFICER,)),
        "approve": Transition(("reported",), "approved", (OFFICER,)),
        "reject": Transition(("reported",), "rejected", (OFFICER,)),
        "void": Transition(("started", "ended"), "voided", (OFFICER,)),
    },
)
MACHINES = (VOLUNTEER, CERTIFICATE, POSTING, APPLICATION, ASK, ACTIVITY)
