"""Whether a certificate holds, by the issuer's DID document and its status lists alone: no network, no chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.volunteers.credentials.certificate import Certificate, Publisher, read_certificate
from apps.volunteers.credentials.did import DidDocument
from apps.volunteers.credentials.findings import (
    CertificateFault,
    Expired,
    ForeignIssuer,
    NotYetValid,
    Revoked,
    StatusFault,
    Suspended,
    UnknownStatusList,
    Unreadable,
    WrongStatusList,
)
from apps.volunteers.credentials.integrity import ASSERTION, Proved, check_proof
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.statuslist import LIST_ENTRIES, PURPOSES, SUSPENSION, StatusList, list_id, read_list
from ledger.refusal import Refused


@dataclass(frozen=True, slots=True)
class Terms:
    """What a certificate is checked against. Whoever hands in an issuer's document trusts that issuer."""

    issuers: Sequence[DidDocument]
    lists: Sequence[JsonObject]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Valid:
    """The issuer signed it, it is within its time, and neither revoked nor suspended."""

    certificate: Certificate
    publisher: Publisher
    issued_ms: int
    as_of_ms: int
    """When the older of its status lists was made."""


@dataclass(frozen=True, slots=True)
class Genuine:
    """Signed by its issuer, as far as the certificate alone tells."""

    certificate: Certificate
    publisher: Publisher
    issuer: DidDocument
    issued_ms: int


def check_certificate(secured: JsonObject, terms: Terms) -> Valid | CertificateFault:
    """The whole check: first fault first, in the order issuer, proof, form, time, status."""
    genuine = check_genuine(secured, terms.issuers, terms.now_ms)
    if not isinstance(genuine, Genuine):
        return genuine
    late = check_time(genuine.certificate, terms.now_ms)
    if late is not None:
        return late
    as_of = check_status(genuine, terms)
    if not isinstance(as_of, int):
        return as_of
    return Valid(genuine.certificate, genuine.publisher, genuine.issued_ms, as_of)


def check_genuine(secured: JsonObject, issuers: Sequence[DidDocument], now_ms: int) -> Genuine | CertificateFault:
    """Whether one of `issuers` signed it, whatever has become of it since."""
    claimed = issuer_of(secured)
    issuer = next((document for document in issuers if document.did == claimed), None)
    if issuer is None:
        return ForeignIssuer(claimed[:200] or "?")
    proved = check_proof(secured, issuer, ASSERTION, now_ms)
    if not isinstance(proved, Proved):
        return proved
    try:
        certificate, publisher = read_certificate(proved.document)
    except Refused as refused:
        return Unreadable(str(refused)[:200])
    except ValueError as error:  # msgspec's is one
        return Unreadable(str(error)[:200])
    if not _may_issue(publisher):
        return ForeignIssuer(publisher.did)
    return Genuine(certificate, publisher, issuer, proved.created_ms)


def issuer_of(secured: JsonObject) -> str:
    """Who it says has issued it, unchecked; empty if it does not say."""
    issuer = secured.get("issuer")
    if isinstance(issuer, dict):
        issuer = issuer.get("id")
    return issuer if isinstance(issuer, str) else ""


def _may_issue(publisher: Publisher) -> bool:
    """An issuer whose DID names a municipality (did:web:…:132012) issues for that one only."""
    named = publisher.did.rsplit(":", 1)[-1]
    return named == publisher.municipality or not (len(named) == 6 and named.isdigit())


def check_time(certificate: Certificate, now_ms: int) -> NotYetValid | Expired | None:
    if now_ms < certificate.valid_from_ms:
        return NotYetValid(certificate.valid_from_ms)
    # The second that `validUntil` names is still within it.
    if now_ms >= certificate.valid_until_ms + 1_000:
        return Expired(certificate.valid_until_ms)
    return None


def check_status(genuine: Genuine, terms: Terms) -> int | StatusFault:
    """When the lists were made by which it is neither revoked nor suspended (the older of the two)."""
    index = genuine.certificate.status_index
    made = []
    for purpose in PURPOSES:
        url = genuine.publisher.status_url(purpose, index)
        status = _find_list(url, purpose, genuine.issuer, terms)
        if not isinstance(status, StatusList):
            return status
        if status.is_set(index % LIST_ENTRIES):
            return Suspended(status.made_ms) if purpose == SUSPENSION else Revoked(status.made_ms)
        made.append(status.made_ms)
    return min(made)


def _find_list(url: str, purpose: str, issuer: DidDocument, terms: Terms) -> StatusList | StatusFault:
    """The newest list handed in for this address; what is wrong with it if none of them holds."""
    read = [read_list(secured, issuer, terms.now_ms) for secured in terms.lists if list_id(secured) == url]
    good = [found for found in read if isinstance(found, StatusList)]
    if not good:
        return next((found for found in read if not isinstance(found, StatusList)), UnknownStatusList(url))
    newest = max(good, key=lambda found: found.made_ms)
    if purpose not in newest.purposes:
        return WrongStatusList(url, f"it is not a list of {purpose}")
    return newest
