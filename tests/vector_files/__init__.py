"""What the test vectors hold, one function a file of `docs/vectors/`."""

from __future__ import annotations

import json

from ledger.schema import to_plain


def as_text(value: object) -> bytes:
    """JSON for people and for comparison: one form, an item a line where it is short."""
    return (json.dumps(to_plain(value), ensure_ascii=False, indent=1) + "\n").encode()


def tagged(value: object) -> object:
    """A value with what JSON lacks as an object of one key: `$bytes`, and `$int` beyond 2^53."""
    match value:
        case bytes():
            return {"$bytes": value.hex()}
        case int() if not isinstance(value, bool) and abs(value) > 2**53:
            return {"$int": str(value)}
        case dict():
            return {k: tagged(v) for k, v in value.items()}
        case list() | tuple():
            return [tagged(v) for v in value]
        case _:
            return value
