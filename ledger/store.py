"""The disk: LevelDB behind the interface of `ledger/kv.py`. Every batch is synced before `write` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plyvel

from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Reason, Refused, Text


class StoreReason(Reason):
    IN_USE = Text(
        "{path} は別のプロセスが使用中です。停止してからやり直してください",
        "{path} is in use by another process: stop that node, or work on a copy",
    )
    UNREADABLE = Text("{path} を開けません: {detail}", "{path} cannot be opened: {detail}")


class DamagedStore(BrokenInvariant):
    """What was read is not what was written: nothing that follows from it may be trusted."""


class LevelDb:
    """A LevelDB database. `Refused(StoreReason)` if it cannot be opened.

    `scratch`: nothing needs to survive a crash, so nothing is synced. Reading raises DamagedStore where a stored
    checksum does not fit.
    """

    def __init__(self, path: Path, *, create: bool = True, scratch: bool = False) -> None:
        self._sync = not scratch
        try:
            self._db = plyvel.DB(
                str(path),
                create_if_missing=create,
                write_buffer_size=16 * 1024 * 1024,
                lru_cache_size=32 * 1024 * 1024,
                bloom_filter_bits=10,
                paranoid_checks=True,
            )
        except plyvel.IOError as error:
            if "lock" in str(error).lower():
                raise Refused(StoreReason.IN_USE, path=str(path)) from None
            raise Refused(StoreReason.UNREADABLE, path=str(path), detail=str(error)) from None
        except plyvel.Error as error:
            raise Refused(StoreReason.UNREADABLE, path=str(path), detail=str(error)) from None

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise DamagedStore(str(error)) from None
        return value

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            with self._db.iterator(start=start, stop=stop, verify_checksums=True) as pairs:
                yield from pairs
        except plyvel.Error as error:
            raise DamagedStore(str(error)) from None

    @contextmanager
    def frozen(self) -> Iterator[Reader]:
        """The store as it stands now, whatever is written meanwhile."""
        snapshot = self._db.snapshot()
        try:
            yield _Frozen(snapshot)
        finally:
            snapshot.close()

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        with self._db.write_batch(sync=self._sync) as writes:
            for key, value in batch.items():
                if value is None:
                    writes.delete(key)
                else:
                    writes.put(key, value)

    def close(self) -> None:
        self._db.close()


class _Frozen:
    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._snapshot.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise DamagedStore(str(error)) from None
        return value

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            with self._snapshot.iterator(start=start, stop=stop, verify_checksums=True) as pairs:
                yield from pairs
        except plyvel.Error as error:
            raise DamagedStore(str(error)) from None
