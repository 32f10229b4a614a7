"""A municipality as the issuer of certificates: its key, what it signs, and the digest that the chain gets (V2c, V5d).

Nothing that is signed is kept: rows, key and time give the same bytes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy.orm import Session

from apps.common.web import Kit
from apps.volunteers.credentials import certificate as credentials
from apps.volunteers.credentials.certificate import Publisher
from apps.volunteers.credentials.custody import holder_key
from apps.volunteers.credentials.did import key_did, web_document
from apps.volunteers.credentials.jcs import JsonObject, canonical
from apps.volunteers.credentials.statuslist import ListTerms, issue_list
from contracts.volunteers.types import Certificate
from ledger.crypto import SigningKey

ISSUER = "issuer:"
"""Before the code of a municipality, this names its key in the same custody; no pseudonym has a colon."""
LIST_COUNTS_MS = 24 * 3_600_000
"""How long a revocation may stay unseen by somebody who keeps an old list."""
LIST_STEP_MS = 60_000
"""A list is the same for a minute, as long as nothing changes."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A municipality with its key."""

    publisher: Publisher
    key: SigningKey

    def did_document(self) -> JsonObject:
        return web_document(self.publisher.did, [self.key.public_key])

    def certificate(
        self, made: Certificate, holder: SigningKey, skills: tuple[str, ...], name: str = ""
    ) -> credentials.Certificate:
        """What the chain's certificate says as a file; `name` only in the holder's copy."""
        return credentials.Certificate(
            number=made.certificate,
            pseudonym=made.volunteer,
            holder=key_did(holder.public_key),
            skills=tuple(sorted(skills)),
            valid_from_ms=made.valid_from_ms,
            valid_until_ms=made.valid_until_ms,
            status_index=made.status_index,
            name=name,
        )

    def sign(self, certificate: credentials.Certificate) -> JsonObject:
        return credentials.issue(certificate, self.publisher, self.key, certificate.valid_from_ms)

    def status_list(self, purpose: str, number: int, indices: list[int], now_ms: int) -> JsonObject:
        """List `number`, counted from 1; `indices` within it."""
        url = f"{self.publisher.base_url}/{self.publisher.municipality}/status/{purpose}/{number}"
        made_ms = now_ms - now_ms % LIST_STEP_MS
        terms = ListTerms(url, purpose, self.publisher.did, made_ms, made_ms + LIST_COUNTS_MS)
        return issue_list(indices, terms, self.key)


def open_issuer(session: Session, kit: Kit, municipality: str) -> Issuer:
    """The municipality's key is made when it is first asked for."""
    name = kit.catalogue.text("ja", f"municipality.{municipality}", {})
    publisher = Publisher.at(kit.settings.base_url, municipality, name)
    return Issuer(publisher, holder_key(session, kit.settings.secret, f"{ISSUER}{municipality}", kit.clock()))


def own_key(session: Session, kit: Kit, volunteer: str) -> SigningKey:
    return holder_key(session, kit.settings.secret, volunteer, kit.clock())


def digest_of(secured: JsonObject) -> str:
    """What the chain has of a signed certificate without the name: SHA-256 of its canonical form."""
    return sha256(canonical(secured)).hexdigest()
