"""V2c, V5d: when somebody is registered, the application signs their certificate and the chain gets its digest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.copying import Asker, Copy
from apps.common.web import Kit
from apps.volunteers.issuing.issuer import digest_of, open_issuer, own_key
from apps.volunteers.signing import app_call
from apps.volunteers.words import people_by_pseudonym
from contracts.volunteers.queries import CertificateView, VolunteerView
from contracts.volunteers.types import VOLUNTEERS, Certificate

CURSOR = "volunteers-credentials-1"
SIGNED_ANEW = frozenset({"certificate_issued", "skills_changed"})
"""Events after which a volunteer's certificate says something that was not signed yet."""
RECORD = "credential"


@dataclass(frozen=True, slots=True)
class Due:
    certificate: Certificate
    skills: tuple[str, ...]


@dataclass(slots=True)
class Changed:
    """Volunteers whose certificate is to be signed."""

    kit: Kit
    volunteers: set[str] = field(default_factory=set)

    def note(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if step.event.name in SIGNED_ANEW:
                named = dict(subject.split(":", 1) for subject in step.event.subjects)
                self.volunteers.add(named["volunteer"])

    def __len__(self) -> int:
        return len(self.volunteers)

    @property
    def topics(self) -> list[str]:
        return []

    async def read(self, asker: Asker) -> Signing:
        found = Signing(self.kit)
        for volunteer in sorted(self.volunteers):
            view = await asker.one(VolunteerView, "volunteer", {"volunteer": volunteer})
            if view is None or not view.volunteer.certificate:
                continue
            named = {"certificate": view.volunteer.certificate}
            made = await asker.one(CertificateView, "certificate", named)
            if made is not None and made.certificate.status in ("issued", "suspended"):
                found.due.append(Due(made.certificate, view.volunteer.skills))
        return found


@dataclass(slots=True)
class Signing:
    """Written in the transaction that moves the cursor: none is left out, and none is recorded twice."""

    kit: Kit
    due: list[Due] = field(default_factory=list)

    def put(self, session: Session) -> None:
        for one in self.due:
            made = one.certificate
            if made.volunteer not in people_by_pseudonym(session, [made.volunteer]):
                continue  # erased since: nobody signs for them any more
            issuer = open_issuer(session, self.kit, made.municipality)
            holder = own_key(session, self.kit, made.volunteer)
            digest = digest_of(issuer.sign(issuer.certificate(made, holder, one.skills)))
            if digest != made.digest:
                named = {"certificate": made.certificate, "digest": digest}
                call = app_call(made.municipality, "record_credential", named)
                self.kit.outbox.put(session, RECORD, call, reference=made.certificate)


async def record_credentials(kit: Kit) -> None:
    """Follow the chain until cancelled."""
    await Copy(CURSOR, VOLUNTEERS, lambda: Changed(kit)).keep(kit)
