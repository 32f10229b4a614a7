"""The files of `docs/examples/credentials/`: `python -m tests.apps.volunteers.credentials.samples` writes them.

Their keys are no secret (each of 32 equal bytes), and nobody in them exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from apps.volunteers.credentials import did as dids
from apps.volunteers.credentials.certificate import schema, write_file
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.presentation import Asked, present
from tests.apps.volunteers.credentials.issuing import (
    CERTIFICATE,
    HACHIOJI,
    HOLDER_KEY,
    ISSUER_KEY,
    NOW,
    issued,
    lists,
)

FOLDER = Path(__file__).parents[4] / "docs" / "examples" / "credentials"
REVOKED, SUSPENDED = 90_001, 17
CHALLENGE, DOMAIN = "b3JhbmdlIGJsb3Nzb20", "https://facility.example.lg.jp"
MADE_MS = NOW - 3_600_000


def make() -> Iterator[tuple[str, JsonObject]]:
    """Each file with what it holds."""
    revocation, suspension = lists(revoked=[REVOKED], suspended=[SUSPENDED], made_ms=MADE_MS)
    yield "did.json", dids.web_document(HACHIOJI.did, [ISSUER_KEY.public_key])
    yield "revocation.json", revocation
    yield "suspension.json", suspension
    yield "schema.json", schema()
    yield "certificate.json", issued()
    yield "holders-copy.json", issued(replace(CERTIFICATE, name="青木 花子"))
    suspended = replace(CERTIFICATE, number="132012-000007", pseudonym="v-77d01b", status_index=SUSPENDED)
    yield "suspended.json", issued(suspended)
    subject = issued()["credentialSubject"]
    if isinstance(subject, dict):
        yield "altered.json", {**issued(), "credentialSubject": {**subject, "skills": ["flower-beds", "medicine"]}}
    yield "presentation.json", present(issued(), HOLDER_KEY, Asked(CHALLENGE, DOMAIN), NOW)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, value in make():
        (FOLDER / name).write_bytes(write_file(value))
