"""A node's whole store compared with what its blocks give: every value that it keeps, key by key. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ledger import layout
from ledger.audit import AuditReason, Fault, fault_at
from ledger.kv import KeyValue, Reader

Pairs = Iterator[tuple[bytes, bytes]]


def compare_store(
    kv: Reader,
    audited: KeyValue,
    *,
    above: int = -1,
    head: int | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Whether a node's store holds exactly what its blocks give; how many values were compared.

    Fault on the first value that differs, is missing or is too many; one that belongs to no block of its own (a row of
    the state, say) is one of the state after block `head`. Evidence that the node has seen itself is its own. `above`:
    the height of the checkpoint that the audit began at; what belongs to a block up to there is not in `audited`.
    """
    their, our = _values(kv, above), _values(audited, above)
    count = 0
    theirs, ours = next(their, None), next(our, None)
    while theirs is not None or ours is not None:
        if ours is None or (theirs is not None and theirs[0] < ours[0]):
            raise _differs(AuditReason.EXTRA_VALUE, theirs or (b"", b""), head)
        if theirs is None or ours[0] < theirs[0]:
            raise _differs(AuditReason.MISSING_VALUE, ours, head)
        if theirs[1] != ours[1]:
            raise _differs(AuditReason.WRONG_VALUE, ours, head)
        count += 1
        if count % 1_000 == 0:
            progress(count)
        theirs, ours = next(their, None), next(our, None)
    return count


def _values(kv: Reader, above: int) -> Pairs:
    for key, value in kv.scan(b"", b"\xff" * 8):
        if key.startswith(layout.EVIDENCE) or (key == layout.FIRST and above >= 0):
            continue  # what it has seen itself, and where its blocks begin, are a node's own
        height = height_of(key, value)
        if height is None or height > above:
            yield key, value


def _differs(reason: AuditReason, pair: tuple[bytes, bytes], head: int | None) -> Fault:
    height = height_of(*pair)
    return fault_at(head if height is None else height, reason, what=describe(pair[0]))


_OF_HEIGHT = {
    layout.BLOCK: "block",
    layout.CERTIFICATE: "certificate",
    layout.RECEIPTS: "receipts",
    layout.VALIDATORS: "validator set",
}


def height_of(key: bytes, value: bytes) -> int | None:
    """The height of the block that a value of the store belongs to, where it belongs to one."""
    kind, rest = key[:1], key[1:]
    if kind in _OF_HEIGHT and len(rest) == 8:
        return int.from_bytes(rest, "big")
    if kind == layout.TRANSACTION and len(value) == 12:
        return int.from_bytes(value[:8], "big")
    if kind == layout.HISTORY:
        _, _, place = rest.partition(b"\x00")
        return int.from_bytes(place[:8], "big") if len(place) == 14 else None
    return None


def describe(key: bytes) -> str:
    """What a key of the store is, for people."""
    kind, rest = key[:1], key[1:]
    if kind in _OF_HEIGHT and len(rest) == 8:
        return _OF_HEIGHT[kind]
    if kind == layout.STATE:
        return f"state row {rest.decode('utf-8', 'replace')}"
    if kind == layout.NODE:
        return f"state tree node {rest.decode('utf-8', 'replace') or 'at the root'}"
    if kind == layout.TRANSACTION:
        return f"index entry of transaction {rest.hex()}"
    if kind == layout.HISTORY:
        subject, _, _ = rest.partition(b"\x00")
        return f"history entry of {subject.decode('utf-8', 'replace')}"
    return f"value {key[:24].decode('utf-8', 'replace')}"
