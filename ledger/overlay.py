"""Writes on top of a state that stays as it is until the block is decided; a refusal leaves no trace in them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping

from ledger.kv import Reader


class Overlay:
    """A state with changes above a base. `begin` … `keep` or `drop` brackets one transaction."""

    def __init__(self, base: Reader) -> None:
        self._base = base
        self._kept: dict[bytes, bytes | None] = {}
        self._kept_keys: list[bytes] = []
        self._open: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        if key in self._open:
            return self._open[key]
        if key in self._kept:
            return self._kept[key]
        return self._base.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._open[key] = value

    def delete(self, key: bytes) -> None:
        self._open[key] = None

    def keep(self) -> None:
        """What was written since the last keep or drop stays."""
        for key in self._open:
            if key not in self._kept:
                insort(self._kept_keys, key)
        self._kept.update(self._open)
        self._open = {}

    def drop(self) -> None:
        """What was written since the last keep or drop is as if it had never been."""
        self._open = {}

    @property
    def writes(self) -> Mapping[bytes, bytes | None]:
        """All that was kept; None means deleted."""
        return self._kept

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        low, high = bisect_left(self._kept_keys, start), bisect_left(self._kept_keys, stop)
        changed = self._kept_keys[low:high]
        if self._open:
            changed = sorted({*changed, *(k for k in self._open if start <= k < stop)})
        below = self._base.scan(start, stop)
        following = next(below, None)
        for key in changed:
            while following is not None and following[0] < key:
                yield following
                following = next(below, None)
            if following is not None and following[0] == key:
                following = next(below, None)
            value = self.get(key)
            if value is not None:
                yield key, value
        while following is not None:
            yield following
            following = next(below, None)
