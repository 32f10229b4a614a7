"""Plain values and back: whatever a struct holds, its plain form describes it wholly."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Wire
from ledger.schema import from_plain, to_plain


class Inner(Wire, frozen=True):
    raw: bytes
    count: int


class Outer(Wire, frozen=True):
    one: Inner
    several: tuple[Inner, ...]
    named: dict[str, Inner]
    by_list: dict[str, tuple[Inner, ...]]
    hashes: dict[str, bytes]
    perhaps: dict[str, Inner] | None
    words: dict[str, str | int]


INNER = st.builds(Inner, st.binary(max_size=4), st.integers(0, 9))
NAMES = st.text(max_size=3)


@given(
    st.builds(
        Outer, INNER, st.lists(INNER, max_size=2).map(tuple), st.dictionaries(NAMES, INNER, max_size=2),
        st.dictionaries(NAMES, st.lists(INNER, max_size=2).map(tuple), max_size=2),
        st.dictionaries(NAMES, st.binary(max_size=3), max_size=2),
        st.none() | st.dictionaries(NAMES, INNER, max_size=2),
        st.dictionaries(NAMES, st.text(max_size=3) | st.integers(0, 9), max_size=2),
    )
)  # fmt: skip
def test_a_struct_comes_back_from_its_plain_form_however_deep_its_parts_are(value: Outer) -> None:
    plain = to_plain(value)
    assert isinstance(plain, dict)
    assert from_plain(Outer, plain) == value
    assert from_plain(Outer, msgspec.json.decode(msgspec.json.encode(plain))) == value
