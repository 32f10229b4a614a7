"""Certificates made and checked offline: what holds, and each way in which one does not."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.volunteers.credentials import did as dids
from apps.volunteers.credentials.certificate import (
    Certificate,
    CertificateReason,
    Publisher,
    certificate_document,
    issue,
    read_certificate,
    schema,
    write_file,
)
from apps.volunteers.credentials.checking import Terms, Valid, check_certificate
from apps.volunteers.credentials.findings import (
    Altered,
    Expired,
    ForeignIssuer,
    NotYetValid,
    Revoked,
    RevokedKey,
    StaleStatusList,
    Suspended,
    UnknownKey,
    UnknownStatusList,
    Unreadable,
    WrongProof,
    WrongStatusList,
)
from apps.volunteers.credentials.integrity import ProofOptions, add_proof
from apps.volunteers.credentials.jcs import BadJson, Json, JsonObject, read_object
from apps.volunteers.credentials.statuslist import LIST_ENTRIES, ListTerms, issue_list
from ledger.refusal import Refused
from tests.apps.volunteers.credentials.issuing import (
    APRIL,
    CERTIFICATE,
    DAY_MS,
    HACHIOJI,
    HOLDER_KEY,
    ISSUER_KEY,
    MARCH_END,
    NOW,
    OTHER_KEY,
    TACHIKAWA,
    checked,
    did_document,
    issued,
    lists,
)


@pytest.mark.function("V5a", "V5d")
def test_a_certificate_is_valid_and_says_what_was_put_in() -> None:
    secured = read_object(write_file(issued()))
    found = checked(secured)
    assert isinstance(found, Valid)
    assert found.certificate == CERTIFICATE
    assert found.publisher == HACHIOJI
    assert (found.issued_ms, found.as_of_ms) == (APRIL, NOW - 60_000)


def test_the_same_certificate_made_again_has_the_same_bytes() -> None:
    assert write_file(issued()) == write_file(issued())


def test_the_form_is_that_of_the_data_model() -> None:
    document = certificate_document(CERTIFICATE, HACHIOJI)
    assert document["type"] == ["VerifiableCredential", "VolunteerCertificate"]
    assert document["issuer"] == {"id": "did:web:volunteers.example.lg.jp:132012", "name": "八王子市"}
    assert document["validUntil"] == "2027-03-31T23:59:59+09:00"
    assert document["credentialStatus"] == [
        {
            "id": f"https://volunteers.example.lg.jp/132012/status/{purpose}/1#4711",
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "statusListIndex": "4711",
            "statusListCredential": f"https://volunteers.example.lg.jp/132012/status/{purpose}/1",
        }
        for purpose in ("revocation", "suspension")
    ]


def test_the_name_is_only_in_the_holders_copy() -> None:
    own = issued(replace(CERTIFICATE, name="青木 花子"))
    assert "青木" in write_file(own).decode()
    assert "青木" not in write_file(issued()).decode()
    found = checked(own)
    assert isinstance(found, Valid)
    assert found.certificate.without_name() == CERTIFICATE


def _paths(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [path, *(found for name, inner in value.items() for found in _paths(inner, (*path, name)))]
    if isinstance(value, list):
        return [path, *(found for place, inner in enumerate(value) for found in _paths(inner, (*path, place)))]
    return [path]


ALL_PATHS = [path for path in _paths(issued()) if path]


@pytest.mark.function("V5a")
@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: ".".join(map(str, path)))
def test_no_part_of_a_certificate_can_be_changed_or_left_out(path: tuple[str | int, ...]) -> None:
    for change in ("replace", "remove", "add"):
        secured: Any = copy.deepcopy(issued())
        place = secured
        for step in path[:-1]:
            place = place[step]
        if change == "remove":
            del place[path[-1]]
        elif change == "replace":
            place[path[-1]] = "2026-05-01T00:00:00+09:00"
        elif isinstance(place, dict):
            place["added"] = "more"
        else:
            place.append("more")
        assert not isinstance(checked(secured), Valid), (change, path)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_bit_of_the_file_can_be_flipped(place: int, bit: int) -> None:
    data = bytearray(write_file(issued()))
    place %= len(data)
    data[place] ^= 1 << bit
    try:
        secured = read_object(bytes(data))
    except BadJson:
        return
    # White space that became other white space is the same JSON.
    assert secured == issued() or not isinstance(checked(secured), Valid)


def test_what_another_key_signed_in_the_issuers_name_is_altered() -> None:
    forged = add_proof(
        certificate_document(CERTIFICATE, HACHIOJI),
        OTHER_KEY,
        ProofOptions(did_document().asserts[0].id, APRIL),
    )
    assert checked(forged) == Altered()


def test_a_key_that_the_issuer_does_not_publish_is_named() -> None:
    found = checked(issued(key=OTHER_KEY))
    assert isinstance(found, UnknownKey)
    assert found.method.startswith(HACHIOJI.did + "#z6Mk")


def test_an_issuer_that_is_not_trusted_is_foreign() -> None:
    own = Publisher.at("https://volunteers.example.com", "132012", "八王子市")
    assert checked(issue(CERTIFICATE, own, OTHER_KEY, APRIL)) == ForeignIssuer(own.did)
    assert checked({}) == ForeignIssuer("?")


def test_a_municipality_does_not_issue_for_another_one() -> None:
    posing = replace(TACHIKAWA, did=HACHIOJI.did)
    assert checked(issue(CERTIFICATE, posing, ISSUER_KEY, APRIL)) == ForeignIssuer(HACHIOJI.did)


def test_after_a_change_of_keys_both_hold_and_a_stolen_one_does_not() -> None:
    rotated = did_document(HACHIOJI, OTHER_KEY, ISSUER_KEY)
    given = lists(key=OTHER_KEY)
    assert isinstance(check_certificate(issued(), Terms([rotated], given, NOW)), Valid)
    stolen = dids.read_document(
        dids.web_document(HACHIOJI.did, [OTHER_KEY.public_key], stolen=[(ISSUER_KEY.public_key, NOW - DAY_MS)])
    )
    found = check_certificate(issued(), Terms([stolen], given, NOW))
    assert isinstance(found, RevokedKey) and found.since_ms == NOW - DAY_MS
    assert isinstance(check_certificate(issued(), Terms([stolen], given, NOW - 2 * DAY_MS)), Valid | WrongStatusList)


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [
        (APRIL - 1, NotYetValid(APRIL)),
        (APRIL, Valid),
        (MARCH_END + 999, Valid),
        (MARCH_END + 1_000, Expired(MARCH_END)),
    ],
)
def test_the_edges_of_its_time(now_ms: int, expected: object) -> None:
    found = checked(issued(), lists(made_ms=now_ms // 1000 * 1000), now_ms)
    assert isinstance(found, Valid) if expected is Valid else found == expected


@pytest.mark.function("V5a", "V2f")
def test_suspended_and_revoked_say_as_of_when() -> None:
    assert checked(issued(), lists(suspended=[4711])) == Suspended(NOW - 60_000)
    assert checked(issued(), lists(revoked=[4711], suspended=[4711])) == Revoked(NOW - 60_000)
    others = [*range(4711), *range(4712, 5000)]
    assert isinstance(checked(issued(), lists(revoked=others, suspended=others)), Valid)


def test_an_index_beyond_the_first_list_is_looked_up_in_its_own() -> None:
    certificate = replace(CERTIFICATE, status_index=LIST_ENTRIES + 7)
    secured = issued(certificate)
    assert checked(secured) == UnknownStatusList(HACHIOJI.base_url + "/132012/status/revocation/2")
    second = [
        issue_list(
            [7] if purpose == "suspension" else [],
            ListTerms(HACHIOJI.status_url(purpose, LIST_ENTRIES), purpose, HACHIOJI.did, NOW, NOW + DAY_MS),
            ISSUER_KEY,
        )
        for purpose in ("revocation", "suspension")
    ]
    assert checked(secured, second) == Suspended(NOW)


def test_without_a_list_nothing_is_decided() -> None:
    revocation, suspension = lists()
    assert checked(issued(), []) == UnknownStatusList(HACHIOJI.status_url("revocation", 0))
    assert checked(issued(), [revocation]) == UnknownStatusList(HACHIOJI.status_url("suspension", 0))
    assert isinstance(checked(issued(), [suspension, revocation]), Valid)


def test_a_list_that_is_out_of_date_altered_or_not_the_issuers_decides_nothing() -> None:
    revocation, suspension = lists()
    old, _ = lists(made_ms=NOW - DAY_MS - 1_000)
    assert checked(issued(), [old, suspension]) == StaleStatusList(HACHIOJI.status_url("revocation", 0), NOW - 1_000)
    future, _ = lists(made_ms=NOW + 10 * 60_000)
    assert isinstance(checked(issued(), [future, suspension]), WrongStatusList)
    foreign, _ = lists(key=OTHER_KEY)
    assert isinstance(checked(issued(), [foreign, suspension]), WrongStatusList)
    posing = {**suspension, "id": revocation["id"]}
    assert isinstance(checked(issued(), [posing, suspension]), WrongStatusList)


def test_a_list_of_another_purpose_under_this_address_decides_nothing() -> None:
    url = HACHIOJI.status_url("revocation", 0)
    wrong = issue_list([], ListTerms(url, "suspension", HACHIOJI.did, NOW, NOW + DAY_MS), ISSUER_KEY)
    found = checked(issued(), [wrong, *lists()[1:]])
    assert found == WrongStatusList(url, "it is not a list of revocation")


def test_the_newest_of_several_lists_counts() -> None:
    older = lists(made_ms=NOW - 600_000)
    newer = lists(revoked=[4711])
    assert checked(issued(), [*newer, *older]) == checked(issued(), [*older, *newer]) == Revoked(NOW - 60_000)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cryptosuite": "eddsa-rdfc-2022"}, "eddsa-rdfc-2022"),
        ({"type": "Ed25519Signature2020"}, "Ed25519Signature2020"),
        ({"proofPurpose": "authentication"}, "authentication"),
        ({"proofValue": "uAAAA"}, "base58btc"),
        ({"proofValue": "z0OIl"}, "base58"),
        ({"proofValue": "z" + "1" * 200}, "too long"),
        ({"created": "yesterday"}, "point in time"),
        ({"created": "2026-04-01T00:00:00"}, "point in time"),
        ({"expires": "2026-04-02T00:00:00Z"}, "counted until"),
        ({"@context": ["https://other.example/context"]}, "context"),
    ],
)
def test_a_proof_of_the_wrong_kind_is_told_from_an_altered_text(change: JsonObject, says: str) -> None:
    secured = issued()
    proof = secured["proof"]
    assert isinstance(proof, dict)
    found = checked({**secured, "proof": {**proof, **change}})
    assert isinstance(found, WrongProof) and says in found.detail


def test_without_a_proof_or_with_several_it_is_not_one() -> None:
    secured = issued()
    assert isinstance(checked({**secured, "proof": [secured["proof"], secured["proof"]]}), WrongProof)
    assert isinstance(checked({k: v for k, v in secured.items() if k != "proof"}), WrongProof)


def test_another_credential_of_the_same_issuer_is_no_certificate() -> None:
    revocation, _ = lists()
    assert isinstance(checked(revocation), Unreadable)
    half = {**certificate_document(CERTIFICATE, HACHIOJI), "id": "https://volunteers.example.lg.jp/certificates/1"}
    signed = add_proof(half, ISSUER_KEY, ProofOptions(did_document().asserts[0].id, APRIL))
    assert isinstance(checked(signed), Unreadable)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"number": "1/2"}, CertificateReason.BAD_NUMBER),
        ({"number": ""}, CertificateReason.BAD_NUMBER),
        ({"pseudonym": "青木"}, CertificateReason.BAD_PSEUDONYM),
        ({"holder": "did:web:example.com"}, CertificateReason.BAD_HOLDER),
        ({"holder": "did:key:z6MkBroken"}, CertificateReason.BAD_HOLDER),
        ({"skills": ("b", "a")}, CertificateReason.BAD_SKILLS),
        ({"skills": ("a", "a")}, CertificateReason.BAD_SKILLS),
        ({"skills": ("花壇",)}, CertificateReason.BAD_SKILLS),
        ({"name": "x" * 101}, CertificateReason.BAD_NAME),
        ({"name": "a\nb"}, CertificateReason.BAD_NAME),
        ({"valid_until_ms": APRIL}, CertificateReason.BAD_PERIOD),
        ({"valid_from_ms": APRIL + 1}, CertificateReason.BAD_PERIOD),
        ({"status_index": -1}, CertificateReason.BAD_INDEX),
    ],
)
def test_what_no_certificate_may_say_is_refused(change: dict[str, Any], reason: CertificateReason) -> None:
    with pytest.raises(Refused) as refused:
        certificate_document(replace(CERTIFICATE, **change), HACHIOJI)
    assert refused.value.reason is reason
    assert refused.value.reason.text("ja", refused.value.params).isascii() is False


@given(
    st.builds(
        Certificate,
        number=st.from_regex(r"\A[A-Za-z0-9-]{1,40}\Z"),
        pseudonym=st.from_regex(r"\A[A-Za-z0-9._-]{1,64}\Z"),
        holder=st.just(dids.key_did(HOLDER_KEY.public_key)),
        skills=st.lists(st.from_regex(r"\A[a-z0-9-]{1,40}\Z"), unique=True, max_size=8).map(
            lambda found: tuple(sorted(found))
        ),
        valid_from_ms=st.integers(0, 2_000_000_000).map(lambda s: s * 1000),
        valid_until_ms=st.integers(2_000_000_001, 4_000_000_000).map(lambda s: s * 1000),
        status_index=st.integers(0, 10 * LIST_ENTRIES),
        name=st.text(st.characters(categories=["L", "N"]), max_size=20),
    )
)
def test_any_certificate_is_read_back_as_it_was(certificate: Certificate) -> None:
    document = certificate_document(certificate, HACHIOJI)
    assert read_certificate(document) == (certificate, HACHIOJI)
    assert read_object(write_file(document)) == document


def test_the_schema_says_what_a_certificate_has() -> None:
    found: Any = schema()
    text = json.dumps(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    certificate = found["$defs"]["SecuredForm"]
    assert set(certificate["required"]) == set(issued())
    assert certificate["additionalProperties"] is False
    assert "certificateNumber" in text
