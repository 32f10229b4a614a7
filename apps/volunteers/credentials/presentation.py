"""A certificate shown to somebody who asked for it: signed by its holder for this occasion, so that a copy is no use.

A Verifiable Presentation, bound by a challenge of who asks and by who that is (`domain`). It is for machines and for
holders who keep a key themselves; on a phone without JavaScript the one-time code of `showing.py` does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.volunteers.credentials.certificate import BASE_CONTEXT
from apps.volunteers.credentials.checking import Terms, Valid, check_certificate
from apps.volunteers.credentials.did import BadDid, key_did, key_method, resolve_key_did
from apps.volunteers.credentials.findings import Fault, StalePresentation, Unreadable, WrongChallenge, WrongHolder
from apps.volunteers.credentials.integrity import AUTHENTICATION, ProofOptions, Proved, add_proof, check_proof
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.statuslist import CLOCK_SKEW_MS
from ledger.crypto import SigningKey

PRESENTATION = "VerifiablePresentation"
MEMBERS = frozenset({"@context", "type", "holder", "verifiableCredential", "proof"})
MAX_AGE_MS = 10 * 60 * 1000
"""How long after it was signed a presentation still counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: a random text, never used twice, and who asks."""

    challenge: str
    domain: str = ""
    max_age_ms: int = MAX_AGE_MS


def present(secured_certificate: JsonObject, holder: SigningKey, asked: Asked, now_ms: int) -> JsonObject:
    """The presentation that `holder` signs in answer to what was asked."""
    did = key_did(holder.public_key)
    document: JsonObject = {
        "@context": [BASE_CONTEXT],
        "type": [PRESENTATION],
        "holder": did,
        "verifiableCredential": [secured_certificate],
    }
    options = ProofOptions(key_method(did), now_ms, AUTHENTICATION, asked.challenge, asked.domain)
    return add_proof(document, holder, options)


def is_presentation(secured: JsonObject) -> bool:
    types = secured.get("type")
    return types == PRESENTATION or (isinstance(types, list) and PRESENTATION in types)


def check_presentation(secured: JsonObject, asked: Asked, terms: Terms) -> Valid | Fault:
    """Whether the holder of a valid certificate signed this in answer to `asked`. What is used up, who asked knows."""
    holder, certificate = secured.get("holder"), certificate_in(secured)
    if certificate is None or not isinstance(holder, str) or secured.keys() != MEMBERS or not is_presentation(secured):
        return Unreadable("it is no presentation of one certificate")
    try:
        signer = resolve_key_did(holder)
    except BadDid as error:
        return Unreadable(str(error))
    proved = check_proof(secured, signer, AUTHENTICATION, terms.now_ms)
    if not isinstance(proved, Proved):
        return proved
    if (proved.challenge, proved.domain) != (asked.challenge, asked.domain) or not asked.challenge:
        return WrongChallenge()
    if not terms.now_ms - asked.max_age_ms <= proved.created_ms <= terms.now_ms + CLOCK_SKEW_MS:
        return StalePresentation()
    found = check_certificate(certificate, terms)
    if isinstance(found, Valid) and found.certificate.holder != holder:
        return WrongHolder()
    return found


def certificate_in(secured: JsonObject) -> JsonObject | None:
    """The one certificate of a presentation, unchecked; None if there is none, or more than one."""
    found = secured.get("verifiableCredential")
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict):
        return found[0]
    return None
