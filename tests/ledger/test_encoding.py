"""The one byte form: everything has exactly one, and anything else is refused by name."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import MAX_DEPTH, EncodingReason, Value, decode, encode
from ledger.refusal import Refused

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=40)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
)


def reason_of(data: bytes) -> object:
    with pytest.raises(Refused) as refusal:
        decode(data)
    return refusal.value.reason


@given(values)
def test_what_is_encoded_is_decoded_to_the_same(value: Value) -> None:
    assert decode(encode(value)) == value


@given(values)
def test_the_form_is_that_of_the_reference_implementation_with_sorted_keys(value: Value) -> None:
    def sort(v: object) -> object:
        if isinstance(v, dict):
            return {k: sort(v[k]) for k in sorted(v)}
        return [sort(i) for i in v] if isinstance(v, list) else v

    assert encode(value) == msgpack.packb(sort(value), use_bin_type=True)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_are_the_only_form_of_what_they_say(data: bytes) -> None:
    try:
        value = decode(data)
    except Refused:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xca\x3f\x80\x00\x00", EncodingReason.MALFORMED),  # a float
        (b"\xd4\x01\x00", EncodingReason.MALFORMED),  # an extension type
        (b"\xcc\x05", EncodingReason.NOT_CANONICAL),  # 5 in two bytes
        (b"\xd9\x01a", EncodingReason.NOT_CANONICAL),  # a long head for a short string
        (b"\x82\xa1b\x01\xa1a\x02", EncodingReason.NOT_CANONICAL),  # keys out of order
        (b"\x82\xa1a\x01\xa1a\x02", EncodingReason.NOT_CANONICAL),  # a key twice
        (b"\x81\x01\x02", EncodingReason.MALFORMED),  # a key that is no string
        (b"\xa1\xff", EncodingReason.MALFORMED),  # not UTF-8
        (b"\x91" * (MAX_DEPTH + 1) + b"\xc0", EncodingReason.TOO_DEEP),
        (b"\x91" * 100_000, EncodingReason.MALFORMED),
        (b"", EncodingReason.MALFORMED),
        (b"\xc0\xc0", EncodingReason.MALFORMED),  # something behind the end
    ],
)
def test_every_other_form_is_refused_by_name(data: bytes, reason: EncodingReason) -> None:
    found = reason_of(data)
    assert found is reason or (len(data) > 1000 and found is EncodingReason.TOO_DEEP)


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused) as refusal:
        decode(bytes(100), limit=99)
    assert refusal.value.reason is EncodingReason.TOO_LARGE
