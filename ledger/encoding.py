"""The one byte form: canonical msgpack. What is signed, hashed, sent and stored is made and read here.

Canonical: map keys are strings, sorted by code point, no two alike; integers, strings and byte strings in their
shortest form; no floats, no extension types; depth and size bounded. Decoding refuses whatever does not re-encode to
the same bytes, so a value has exactly one form and a hash names exactly one value. (`docs/wire-format.md`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar, Union, cast

import msgspec

from ledger.refusal import Reason, Refused, Text

Value = Union[None, bool, int, str, bytes, Sequence["Value"], Mapping[str, "Value"]]
"""What a free-form map (the arguments of a call) may hold."""

MAX_DEPTH = 16
MAX_VALUE_BYTES = 4 * 1024 * 1024

T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything with a byte form: an array of its fields, in the order in which they are declared."""


class EncodingReason(Reason):
    TOO_LARGE = Text(
        "データが大きすぎます({size} バイト、上限 {limit})", "the data is too large ({size} bytes, limit {limit})"
    )
    TOO_DEEP = Text("入れ子が深すぎます(上限 {limit})", "the data is nested too deeply (limit {limit})")
    MALFORMED = Text("データの形式が正しくありません: {detail}", "the data is malformed: {detail}")
    NOT_CANONICAL = Text("データが正準形式ではありません", "the data is not in canonical form")


_encoder = msgspec.msgpack.Encoder(order="deterministic")


def pack(value: Wire) -> bytes:
    """The bytes of a struct."""
    return _encoder.encode(value)


_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


def _decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(cast("type[object]", kind))
    return cast("msgspec.msgpack.Decoder[T]", decoder)


def unpack(kind: type[T], data: bytes, limit: int = MAX_VALUE_BYTES) -> T:
    """The struct that `data` is the canonical form of; `Refused(EncodingReason)` for anything else."""
    if len(data) > limit:
        raise Refused(EncodingReason.TOO_LARGE, size=len(data), limit=limit)
    try:
        value = _decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None
    except RecursionError:
        raise Refused(EncodingReason.TOO_DEEP, limit=MAX_DEPTH) from None
    if _encoder.encode(value) != data:
        raise Refused(EncodingReason.NOT_CANONICAL)
    return value


def encode(value: Value) -> bytes:
    """The bytes of a free-form value; `Refused(EncodingReason)` if it has no canonical form."""
    _check(value, MAX_DEPTH)
    try:
        return _encoder.encode(value)
    except (msgspec.EncodeError, OverflowError, UnicodeEncodeError, TypeError) as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None


_free = msgspec.msgpack.Decoder()


def decode(data: bytes, limit: int = MAX_VALUE_BYTES) -> Value:
    """The free-form value that `data` is the canonical form of; `Refused(EncodingReason)` for anything else."""
    if len(data) > limit:
        raise Refused(EncodingReason.TOO_LARGE, size=len(data), limit=limit)
    try:
        value: Value = _free.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None
    except RecursionError:
        raise Refused(EncodingReason.TOO_DEEP, limit=MAX_DEPTH) from None
    _check(value, MAX_DEPTH)
    if _encoder.encode(value) != data:
        raise Refused(EncodingReason.NOT_CANONICAL)
    return value


_PLAIN = frozenset({type(None), bool, int, str, bytes})


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise Refused(EncodingReason.TOO_DEEP, limit=MAX_DEPTH)
    if type(value) in _PLAIN:  # nearly everything: the patterns below cost ten times as much
        return
    match value:
        case None | bool() | int() | str() | bytes():
            return
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise Refused(EncodingReason.MALFORMED, detail="a map key is not a string")
                _check(item, depth - 1)
        case list() | tuple():
            for item in value:
                _check(item, depth - 1)
        case _:
            raise Refused(EncodingReason.MALFORMED, detail=f"{type(value).__name__} has no canonical form")
