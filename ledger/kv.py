"""What the ledger asks of a disk: an ordered map of bytes with atomic, synced batches (`ledger/store.py`: LevelDB)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Reader(Protocol):
    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start <= key < stop, in key order."""
        ...


class KeyValue(Reader, Protocol):
    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """All of the batch or none of it, on disk when this returns. None deletes."""
        ...


class Store(KeyValue, Protocol):
    def frozen(self) -> AbstractContextManager[Reader]:
        """Everything as it stands now, whatever is written meanwhile."""
        ...


class MemoryKeyValue:
    """The same in memory, for tests, the simulator and audits."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        low = bisect_left(self._keys, start)
        high = bisect_left(self._keys, stop)
        for key in self._keys[low:high]:
            yield key, self._values[key]

    @contextmanager
    def frozen(self) -> Iterator[Reader]:
        copy = MemoryKeyValue()
        copy._values, copy._keys = dict(self._values), list(self._keys)
        yield copy

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        for key, value in batch.items():
            if value is None:
                if self._values.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._values:
                    insort(self._keys, key)
                self._values[key] = value


def after_prefix(prefix: bytes) -> bytes:
    """The first key after all that begin with `prefix`."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return b"\xff" * (len(prefix) + 65)
    return stripped[:-1] + bytes([stripped[-1] + 1])
