"""Where things stand in the store: one letter for the kind, then a key that sorts as people count."""

from __future__ import annotations

STATE = b"s"
NODE = b"n"
BLOCK = b"b"
CERTIFICATE = b"c"
RECEIPTS = b"r"
TRANSACTION = b"t"
HISTORY = b"h"
VALIDATORS = b"v"
"""The validator set that votes after a height, kept where it changed: what proves today's set from the genesis'."""
META = b"m"
EVIDENCE = b"e"
"""Conflicting votes that this node has seen; its own affair, not part of the chain."""

HEAD = META + b"head"
"""The height of the last block, eight bytes."""
FIRST = META + b"first"
"""From which height on every block is here, eight bytes; not there unless the store began with a snapshot."""
GENESIS = META + b"genesis"
"""The canonical bytes of the genesis."""


def of_height(kind: bytes, height: int) -> bytes:
    return kind + height.to_bytes(8, "big")


def history(subject: str) -> bytes:
    """The beginning of all history keys of a subject; a subject holds no NUL, so none is the beginning of another."""
    return HISTORY + subject.encode() + b"\x00"


def history_entry(subject: str, height: int, index: int, event: int) -> bytes:
    return history(subject) + position(height, index) + event.to_bytes(2, "big")


def position(height: int, index: int) -> bytes:
    """A transaction's place in the chain, twelve bytes that sort in the chain's order."""
    return height.to_bytes(8, "big") + index.to_bytes(4, "big")
