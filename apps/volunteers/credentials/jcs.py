"""JSON as credentials need it: read strictly, so that it has one meaning, and written canonically (RFC 8785, JCS)."""

from __future__ import annotations

import json

import rfc8785

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
"""JSON without fractions: no credential of ours has one, and readers differ on how to round them."""
JsonObject = dict[str, Json]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32


class BadJson(ValueError):
    """Text that is not JSON, or whose meaning depends on who reads it. The message says why."""


def read_object(data: bytes) -> JsonObject:
    """The object in `data`; `BadJson` if it is none, is too large or too deep, or names a member twice.

    A member named twice is refused because readers differ on which of the two counts: what one of them has checked
    the other would not show.
    """
    if len(data) > MAX_BYTES:
        raise BadJson(f"it is longer than {MAX_BYTES} bytes")
    try:
        value: Json = json.loads(
            data.decode(), object_pairs_hook=_members, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(f"it is not JSON: {str(error)[:120]}") from None
    if not isinstance(value, dict):
        raise BadJson("it is not a JSON object")
    _check_depth(value)
    return value


def canonical(value: Json) -> bytes:
    """The canonical form; `BadJson` if it has none (an integer beyond 2^53, half a surrogate pair)."""
    try:
        return rfc8785.dumps(value)
    except ValueError as error:
        raise BadJson(f"it has no canonical form: {str(error)[:120]}") from None


def _members(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("it names a member twice")
    return found


def _no_fraction(text: str) -> Json:
    raise BadJson(f"it holds the number {text[:30]}, which is no integer")


def _check_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _parts(outer)]
        if not level:
            return
    raise BadJson(f"it is nested more than {MAX_DEPTH} deep")


def _parts(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
