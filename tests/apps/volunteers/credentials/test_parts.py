"""The parts that certificates are made of: strict JSON, base58, points in time, DIDs, status lists."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.volunteers.credentials import did as dids
from apps.volunteers.credentials.jcs import BadJson, Json, JsonObject, canonical, read_object
from apps.volunteers.credentials.multibase import (
    base58_decode,
    base58_encode,
    decode_public_key,
    decode_u,
    decode_z,
    encode_public_key,
    encode_u,
    encode_z,
)
from apps.volunteers.credentials.statuslist import LIST_ENTRIES, decode_list, encode_list
from apps.volunteers.credentials.times import read_stamp, write_stamp
from ledger.refusal import BrokenInvariant
from tests.apps.volunteers.credentials.issuing import HACHIOJI, ISSUER_KEY, OTHER_KEY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":{"b":1,"b":1}}', "twice"),
        (b'{"a":1.5}', "no integer"),
        (b'{"a":NaN}', "no integer"),
        (b'{"a":1e3}', "no integer"),
        (b"[]", "not a JSON object"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
        (b'{"a":' + b"[" * 100_000, "not JSON"),
        (b'{"a":"' + b"x" * 1024 * 1024 + b'"}', "longer"),
    ],
)
def test_json_with_two_meanings_or_none_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(BadJson, match=says):
        read_object(text)


def test_what_has_no_canonical_form_is_refused() -> None:
    values: list[Json] = [{"a": 2**53}, {"a": "\ud800"}, {"\ud800": 1}]
    for value in values:
        with pytest.raises(BadJson):
            canonical(value)


def test_keys_are_sorted_by_utf_16_units_as_rfc_8785_has_it() -> None:
    # RFC 8785, section 3.2.3: U+1F600 is written with surrogates, which sort before U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(names, 1)))) == ordered


@given(st.binary(max_size=64))
def test_base58_and_base64url_are_read_back(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data
    assert decode_z(encode_z(data)) == data
    assert decode_u(encode_u(data)) == data


def test_base58_of_its_internet_draft() -> None:
    # draft-msporny-base58, section 5.
    assert base58_encode(b"Hello World!") == "2NEpo7TZRRrLZSi2U"
    quick = b"The quick brown fox jumps over the lazy dog."
    assert base58_encode(quick) == "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
    assert base58_encode(bytes.fromhex("0000287fb4cd")) == "11233QC4"


@pytest.mark.parametrize("text", ["u!!", "uQ", "uQQ==", "zQQ", "u\u3042", "uQR"])
def test_base64url_that_could_be_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding|character|multibase"):
        decode_u(text)


def test_points_in_time() -> None:
    assert read_stamp("1970-01-01T09:00:00+09:00") == 0
    assert read_stamp("2026-04-01T00:00:00.123Z") == read_stamp("2026-04-01T09:00:00+09:00") + 123
    assert write_stamp(0) == "1970-01-01T09:00:00+09:00"
    for text in (
        "2026-04-01",
        "2026-04-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-04-01 00:00:00Z",
        "20260401T000000Z",
    ):
        with pytest.raises(ValueError, match=r"time|month"):
            read_stamp(text)


@pytest.mark.parametrize(
    ("did", "url"),
    [
        # The examples of the did:web specification, section 2.5.2.
        ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        ("did:web:w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
        ("did:web:example.com%3A3000:user:alice", "https://example.com:3000/user/alice/did.json"),
    ],
)
def test_where_the_document_of_a_did_web_is(did: str, url: str) -> None:
    assert dids.web_did_url(did) == url


def test_the_did_of_an_address() -> None:
    assert dids.web_did("https://Volunteers.example.lg.jp") == "did:web:volunteers.example.lg.jp"
    assert dids.web_did("http://127.0.0.1:8080/app", "132012") == "did:web:127.0.0.1%3A8080:app:132012"


@pytest.mark.parametrize("did", ["did:key:z6Mk", "did:web:", "did:web:a/b", "did:web:example.com:..%2f", "did:web:a b"])
def test_what_is_no_did_web_is_refused(did: str) -> None:
    with pytest.raises(dids.BadDid):
        dids.web_did_url(did)


def test_a_did_document_is_read_back_with_its_keys() -> None:
    document = dids.web_document(HACHIOJI.did, [OTHER_KEY.public_key], stolen=[(ISSUER_KEY.public_key, 1_000)])
    found = dids.read_document(document)
    assert [(m.public_key, m.ends_ms) for m in found.asserts] == [
        (OTHER_KEY.public_key, None),
        (ISSUER_KEY.public_key, 1_000),
    ]
    assert found.authenticates == ()


def test_keys_of_others_and_of_other_kinds_are_left_out_of_a_did_document() -> None:
    did = "did:web:other.example"
    service: JsonObject = {"id": "#web", "type": "LinkedDomains", "serviceEndpoint": "https://other.example"}
    jwk: JsonObject = {"id": "#jwk", "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": {"kty": "OKP"}}
    key = encode_public_key(OTHER_KEY.public_key)
    good: JsonObject = {"id": "#key-1", "type": "Multikey", "controller": did, "publicKeyMultibase": key}
    found = dids.read_document(
        {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": did,
            "service": [service],
            "verificationMethod": [
                good,
                {**good, "id": "#foreign", "controller": "did:web:evil.example"},
                {**good, "id": "#p256", "publicKeyMultibase": "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"},
                jwk,
            ],
            "assertionMethod": ["#key-1", "#foreign", "#p256", "#jwk", "#missing", {**good, "id": f"{did}#inside"}],
        }
    )
    assert [method.id for method in found.asserts] == [f"{did}#key-1", f"{did}#inside"]


@pytest.mark.parametrize("value", [{}, {"id": "x"}, {"id": 5}, {"id": "did:web:a", "assertionMethod": ["#a"] * 65}])
def test_what_is_no_did_document_is_refused(value: JsonObject) -> None:
    with pytest.raises(dids.BadDid):
        dids.read_document(value)


def test_an_empty_list_is_that_of_the_recommendation() -> None:
    vector = json.loads((Path(__file__).parent / "vectors" / "bitstring-status-list.json").read_text(encoding="utf-8"))
    assert decode_list(vector["encodedList"]) == bytes(LIST_ENTRIES // 8)
    assert encode_list(()) == vector["encodedList"]


@given(st.sets(st.integers(0, LIST_ENTRIES - 1), max_size=50))
def test_a_list_has_exactly_the_bits_that_were_set(indices: set[int]) -> None:
    bits = decode_list(encode_list(indices))
    assert {
        place * 8 + bit for place, byte in enumerate(bits) if byte for bit in range(8) if byte & 0x80 >> bit
    } == indices


def test_an_index_that_is_not_of_the_list_is_our_own_fault() -> None:
    for index in (-1, LIST_ENTRIES):
        with pytest.raises(BrokenInvariant):
            encode_list([index])


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(bytes(LIST_ENTRIES // 8 - 1)),
        gzip.compress(bytes(64 * 1024 * 1024)),
        gzip.compress(bytes(LIST_ENTRIES // 8))[:-1],
        gzip.compress(bytes(LIST_ENTRIES // 8)) + b"x",
        b"no gzip",
    ],
    ids=["short", "bomb", "cut", "more", "other"],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="encodedList"):
        decode_list(encode_u(data))


def test_a_public_key_of_another_length_is_refused() -> None:
    for data in (b"\xed\x01" + bytes(31), b"\xed\x01" + bytes(33), b"\x12\x00" + bytes(32)):
        with pytest.raises(ValueError, match="not an Ed25519"):
            decode_public_key(encode_z(data))
