"""A certificate shown: signed by its holder for one occasion, or by a one-time code; copies of either are refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from apps.common import codes, qr
from apps.volunteers.credentials.checking import Terms, Valid
from apps.volunteers.credentials.findings import (
    Altered,
    Fault,
    Revoked,
    SpentPresentation,
    StalePresentation,
    UnknownPresentation,
    Unreadable,
    WrongChallenge,
    WrongHolder,
    WrongProof,
)
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.presentation import Asked, check_presentation, present
from apps.volunteers.credentials.showing import (
    Committed,
    ShowingReason,
    check_base_url,
    check_showing,
    code_edge_mm,
    is_committed,
    new_showing,
    number_url,
    showing_url,
)
from contracts.volunteers.certificates import SHOWN_MS, showing_commitment
from ledger.refusal import Refused
from tests.apps.volunteers.credentials.issuing import (
    CERTIFICATE,
    HOLDER_KEY,
    NOW,
    OTHER_KEY,
    did_document,
    issued,
    lists,
)

ASKED = Asked("b3JhbmdlIGJsb3Nzb20", "https://facility.example.lg.jp")


def shown_to(
    secured: JsonObject, asked: Asked = ASKED, now_ms: int = NOW, given: list[JsonObject] | None = None
) -> Valid | Fault:
    return check_presentation(secured, asked, Terms([did_document()], lists() if given is None else given, now_ms))


def test_a_presentation_made_for_this_occasion_holds() -> None:
    found = shown_to(present(issued(), HOLDER_KEY, ASKED, NOW))
    assert isinstance(found, Valid) and found.certificate == CERTIFICATE


@pytest.mark.function("V5d")
def test_a_presentation_made_for_another_occasion_is_refused() -> None:
    secured = present(issued(), HOLDER_KEY, ASKED, NOW)
    assert shown_to(secured, replace(ASKED, challenge="another")) == WrongChallenge()
    assert shown_to(secured, replace(ASKED, domain="https://other.example")) == WrongChallenge()
    assert shown_to(present(issued(), HOLDER_KEY, Asked(""), NOW), Asked("")) == WrongChallenge()


def test_a_presentation_is_good_for_ten_minutes() -> None:
    secured = present(issued(), HOLDER_KEY, ASKED, NOW)
    assert isinstance(shown_to(secured, now_ms=NOW + 600_000), Valid)
    assert shown_to(secured, now_ms=NOW + 600_001) == StalePresentation()
    assert shown_to(secured, now_ms=NOW - 301_000, given=lists(made_ms=NOW - 400_000)) == StalePresentation()


def test_another_persons_certificate_cannot_be_presented() -> None:
    assert shown_to(present(issued(), OTHER_KEY, ASKED, NOW)) == WrongHolder()


def test_a_presentation_cannot_be_altered() -> None:
    secured = present(issued(), HOLDER_KEY, ASKED, NOW)
    other = issued(replace(CERTIFICATE, skills=("flower-beds", "medicine")))
    assert shown_to({**secured, "verifiableCredential": [other]}) == Altered()
    proof = secured["proof"]
    assert isinstance(proof, dict)
    assert (
        shown_to({**secured, "proof": {**proof, "challenge": "another"}}, Asked("another", ASKED.domain)) == Altered()
    )
    assert isinstance(shown_to({**secured, "proof": {**proof, "proofPurpose": "assertionMethod"}}), WrongProof)


def test_a_presentation_of_a_revoked_certificate_is_refused_for_that() -> None:
    secured = present(issued(), HOLDER_KEY, ASKED, NOW)
    assert isinstance(shown_to(secured, given=lists(revoked=[CERTIFICATE.status_index])), Revoked)


@pytest.mark.parametrize(
    "change",
    [
        {"verifiableCredential": []},
        {"verifiableCredential": [1]},
        {"verifiableCredential": [{}, {}]},
        {"holder": None},
        {"holder": "did:web:example.com"},
        {"type": ["VerifiableCredential"]},
        {"more": 1},
    ],
)
def test_what_is_no_presentation_of_one_certificate_is_unreadable(change: JsonObject) -> None:
    assert isinstance(shown_to({**present(issued(), HOLDER_KEY, ASKED, NOW), **change}), Unreadable)


# -- one-time codes ----------------------------------------------------------------------------------------------------


@pytest.mark.function("V5d")
def test_a_code_is_good_once_and_for_two_minutes() -> None:
    showing = new_showing(NOW)
    assert showing.expires_ms == NOW + SHOWN_MS
    fresh = Committed(CERTIFICATE.number, showing.expires_ms)
    assert check_showing(fresh, NOW + SHOWN_MS - 1) == fresh
    assert check_showing(fresh, NOW + SHOWN_MS) == StalePresentation()
    used = replace(fresh, used_ms=NOW + 5)
    assert check_showing(used, NOW + 6) == check_showing(used, NOW + SHOWN_MS) == SpentPresentation(NOW + 5)
    assert check_showing(None, NOW) == UnknownPresentation()


def test_each_code_is_another_and_its_commitment_tells_nothing_of_it() -> None:
    made = [new_showing(NOW) for _ in range(200)]
    assert len({s.code for s in made}) == len({s.commitment for s in made}) == 200
    assert all(is_committed(s.code, s.commitment) and s.code not in s.commitment for s in made)
    assert not is_committed(made[0].code, made[1].commitment)
    expected = hashlib.sha256(b"daicho/volunteers/showing/1\x00AAAABBBBCCCCDDDD").hexdigest()
    assert showing_commitment("AAAABBBBCCCCDDDD") == expected


@pytest.mark.function("V5d")
def test_the_code_on_the_phone_is_at_most_24_mm_at_half_a_millimetre_and_is_read() -> None:
    longest = "https://chiiki-koken.city.musashimurayama.tokyo.jp"
    url = showing_url(longest, new_showing(NOW).code)
    assert code_edge_mm(url) <= 24
    # 200 dots an inch: what a phone's camera makes of 24 mm at arm's length.
    pixels_a_module = round(0.5 / 25.4 * 200)
    (read,) = qr.read_photo(qr.png(url, pixels_a_module))
    assert read == url
    assert codes.read_code(read) == url.rsplit("/", 1)[-1]


def test_an_address_that_makes_the_code_too_large_is_refused_at_the_start() -> None:
    check_base_url("https://" + "a" * 57)
    with pytest.raises(Refused) as refused:
        check_base_url("https://" + "a" * 58)
    assert refused.value.reason is ShowingReason.TOO_LONG_FOR_CODE
    assert "24.5 mm" in str(refused.value)
    assert number_url("https://a.example", "132012-000042") == "https://a.example/c/132012-000042"
