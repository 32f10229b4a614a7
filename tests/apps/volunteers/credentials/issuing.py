"""A municipality that issues, and one of its volunteers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from apps.volunteers.credentials import did as dids
from apps.volunteers.credentials.certificate import Certificate, Publisher, issue
from apps.volunteers.credentials.checking import Terms, Valid, check_certificate
from apps.volunteers.credentials.findings import CertificateFault
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.statuslist import PURPOSES, REVOCATION, SUSPENSION, ListTerms, issue_list
from apps.volunteers.credentials.times import read_stamp
from ledger.crypto import SigningKey

HACHIOJI = Publisher.at("https://volunteers.example.lg.jp", "132012", "八王子市")
TACHIKAWA = Publisher.at("https://volunteers.example.lg.jp", "132021", "立川市")
ISSUER_KEY, OTHER_KEY, HOLDER_KEY = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3))
HOLDER = dids.key_did(HOLDER_KEY.public_key)

APRIL = read_stamp("2026-04-01T00:00:00+09:00")
MARCH_END = read_stamp("2027-03-31T23:59:59+09:00")
NOW = read_stamp("2026-07-15T10:00:00+09:00")
DAY_MS = 24 * 60 * 60 * 1000

CERTIFICATE = Certificate(
    number="132012-000042",
    pseudonym="v-3f9a2c",
    holder=HOLDER,
    skills=("flower-beds", "vietnamese"),
    valid_from_ms=APRIL,
    valid_until_ms=MARCH_END,
    status_index=4711,
)


def did_document(publisher: Publisher = HACHIOJI, *keys: SigningKey) -> dids.DidDocument:
    return dids.read_document(dids.web_document(publisher.did, [key.public_key for key in keys or (ISSUER_KEY,)]))


def issued(certificate: Certificate = CERTIFICATE, key: SigningKey = ISSUER_KEY) -> JsonObject:
    return issue(certificate, HACHIOJI, key, APRIL)


def lists(
    *, revoked: Iterable[int] = (), suspended: Iterable[int] = (), made_ms: int = NOW - 60_000, **changed: Any
) -> list[JsonObject]:
    """Both lists of Hachioji."""
    return [
        issue_list(
            indices,
            ListTerms(HACHIOJI.status_url(purpose, 0), purpose, HACHIOJI.did, made_ms, made_ms + DAY_MS),
            changed.get("key", ISSUER_KEY),
        )
        for purpose, indices in ((REVOCATION, revoked), (SUSPENSION, suspended))
    ]


def checked(
    secured: JsonObject, given: Sequence[JsonObject] | None = None, now_ms: int = NOW
) -> Valid | CertificateFault:
    return check_certificate(secured, Terms([did_document()], lists() if given is None else given, now_ms))


assert len(PURPOSES) == 2
