"""`daicho verify`: where an audit's blocks come from, where it is executed, and how all cores are used.

The rules are in `ledger/audit.py`. What is executed again stands in a scratch store that is thrown away.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import cast

import msgspec

from edge.archive import ArchiveReader
from ledger import layout
from ledger.audit import (
    Audit,
    AuditReason,
    AuditReport,
    Fault,
    Signatures,
    SignaturesHere,
    StoredBlock,
    audit,
    bad_signature,
    compare_store,
    stored_blocks,
)
from ledger.contract import Runtime
from ledger.genesis import Genesis
from ledger.kv import Reader
from ledger.refusal import Reason, Refused, Scalar, Text
from ledger.store import DamagedStore, LevelDb, StoreReason
from ledger.types import Transaction

Progress = Callable[[int, int | None], None]
"""Told the height that has passed, and how many there are where that is known."""

MAX_UNDER_WAY = 64
"""Blocks whose signatures are still being checked elsewhere."""
HTTP_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MARK = "stopped.json"


class VerifyReason(Reason):
    NO_STORE = Text("{path} に台帳がありません", "there is no ledger in {path}")
    NO_ANSWER = Text("{url} から応答がありません: {detail}", "{url} does not answer: {detail}")
    SPLIT_VIEW = Text(
        "{first} と {second} は高さ {height} で異なるブロックを示しています",
        "{first} and {second} show different blocks at height {height}",
    )


class PooledSignatures:
    """Signatures checked by other processes, a block at a time, while the next blocks are executed here."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._under_way: deque[tuple[int, Sequence[bytes], Future[int | None]]] = deque()

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        if not transactions:
            return
        raws = [t.raw for t in transactions]
        self._under_way.append((height, [t.id for t in transactions], self._pool.submit(first_unsigned, raws)))
        while len(self._under_way) > MAX_UNDER_WAY or (self._under_way and self._under_way[0][2].done()):
            self._take_one()

    def finish(self) -> None:
        while self._under_way:
            self._take_one()

    def _take_one(self) -> None:
        height, ids, future = self._under_way.popleft()
        index = future.result()
        if index is not None:
            raise bad_signature(height, index, ids[index])


def first_unsigned(raws: Sequence[bytes]) -> int | None:
    """The first of these transactions whose signature is wrong."""
    return next((i for i, raw in enumerate(raws) if not Transaction.parse(raw).is_signed()), None)


def _audited(
    blocks: Iterable[StoredBlock],
    genesis: Genesis,
    runtime: Runtime,
    progress: Progress,
    count: int | None,
    jobs: int,
    then: Callable[[Audit], None] = lambda audited: None,
) -> AuditReport:
    now_ms = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(prefix="daicho-verify-") as folder:
        scratch = LevelDb(Path(folder) / "scratch", scratch=True)
        pool = ProcessPoolExecutor(jobs - 1) if jobs > 1 else None
        signatures: Signatures = SignaturesHere() if pool is None else PooledSignatures(pool)
        try:
            audited = audit(
                blocks,
                genesis,
                runtime,
                scratch,
                signatures=signatures,
                now_ms=now_ms,
                progress=lambda height: progress(height, count),
            )
            then(audited)
            return audited.report
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
            scratch.close()


# -- a node's data directory -------------------------------------------------------------------------------------------


def verify_store(
    path: Path, genesis: Genesis, runtime: Runtime, *, progress: Progress = lambda height, count: None, jobs: int = 1
) -> AuditReport:
    """Audit the store of a stopped node, or a copy: its blocks, and every value that it keeps beside them.

    Fault names the block, transaction and rule; `Refused` says why it could not be checked.
    """
    if not (path / "CURRENT").exists():
        raise Refused(VerifyReason.NO_STORE, path=str(path))
    try:
        store = LevelDb(path, create=False)
    except Refused as refused:
        if refused.reason is StoreReason.UNREADABLE:
            raise _unreadable(str(refused.params.get("detail"))) from None
        raise
    try:
        return _verify_store(store, path, genesis, runtime, progress, jobs)
    except DamagedStore as damaged:
        raise _unreadable(str(damaged)) from None
    finally:
        store.close()


def _unreadable(detail: str) -> Fault:
    return Fault(AuditReason.UNREADABLE, AuditReason.UNREADABLE.text("en", {"detail": detail}), height=None)


def _verify_store(
    store: Reader, path: Path, genesis: Genesis, runtime: Runtime, progress: Progress, jobs: int
) -> AuditReport:
    count = _head_height(store)
    _check_mark(path, count)
    compared = 0

    def compare(audited: Audit) -> None:
        nonlocal compared
        compared = compare_store(store, audited.scratch)

    report = _audited(stored_blocks(store), genesis, runtime, progress, count, jobs, compare)
    report.stored_values = compared
    return report


def _head_height(store: Reader) -> int:
    return int.from_bytes(store.get(layout.HEAD) or b"", "big")


def leave_mark(store_path: Path, height: int, head_hash: bytes) -> None:
    """What a node that stops cleanly leaves beside its store, so that a store that has lost its end is known by it."""
    (store_path.parent / MARK).write_text(json.dumps({"height": height, "head": head_hash.hex()}) + "\n")


def _check_mark(path: Path, height: int) -> None:
    try:
        expected = json.loads((path.parent / MARK).read_text())["height"]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _unreadable(f"{MARK}: {error}") from None
    if not isinstance(expected, int) or height < expected:
        text = AuditReason.CHAIN_CUT.text("en", {"height": height, "expected": str(expected)})
        raise Fault(AuditReason.CHAIN_CUT, text, height=height)


# -- an archive --------------------------------------------------------------------------------------------------------


def verify_archive(
    path: Path, genesis: Genesis, runtime: Runtime, *, progress: Progress = lambda height, count: None, jobs: int = 1
) -> AuditReport:
    """Audit an archive of either form."""
    reader = ArchiveReader(path)
    return _audited(reader.blocks(), genesis, runtime, progress, reader.count(), jobs)


# -- running nodes -----------------------------------------------------------------------------------------------------


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    block: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...]
    validators: bytes = b""


_entries = msgspec.msgpack.Decoder(_Entry)


def verify_urls(
    urls: Sequence[str],
    genesis: Genesis,
    runtime: Runtime,
    *,
    token: str | None = None,
    progress: Progress = lambda height, count: None,
    jobs: int = 1,
) -> AuditReport:
    """Audit running nodes over HTTP: the first is executed again, the others must show the same blocks.

    Fault `split_view` names the height where two nodes part.
    """
    height, _ = _fetch(urls[0], 0, 1, token)
    streams = [blocks_over_http(url, height, token) for url in urls]
    return _audited(_same_everywhere(urls, streams), genesis, runtime, progress, height, jobs)


def blocks_over_http(url: str, last: int, token: str | None) -> Iterator[StoredBlock]:
    """The blocks of a running node from the genesis to the height `last`, a page at a time."""
    height = 0
    while height <= last:
        _, page = _fetch(url, height, 200, token)
        if not page:
            return
        for entry in page:
            if height <= last:
                certificate, validators = entry.certificate or None, entry.validators or None
                yield StoredBlock(height, entry.block, certificate, entry.receipts, validators)
            height += 1


def _same_everywhere(urls: Sequence[str], streams: Sequence[Iterator[StoredBlock]]) -> Iterator[StoredBlock]:
    for stored in streams[0]:
        for url, stream in zip(urls[1:], streams[1:], strict=True):
            other = next(stream, None)
            # A node that is a little behind shows less, not something else.
            if other is not None and other.raw != stored.raw:
                params: dict[str, Scalar] = {"first": urls[0], "second": url, "height": stored.height}
                text = VerifyReason.SPLIT_VIEW.text("en", params)
                raise Fault(VerifyReason.SPLIT_VIEW, text, height=stored.height)
        yield stored


def _fetch(url: str, height: int, count: int, token: str | None) -> tuple[int, list[_Entry]]:
    """A page of blocks from a node, and the node's height. `Refused` if it does not answer as it should."""
    request = urllib.request.Request(f"{url.rstrip('/')}/v1/archive?from={height}&limit={count}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:
            data = answer.read(MAX_ANSWER_BYTES)
            return int(cast("str", answer.headers["X-Daicho-Height"])), list(_split(data))
    except (urllib.error.URLError, OSError, ValueError, TypeError, msgspec.DecodeError) as error:
        raise Refused(VerifyReason.NO_ANSWER, url=url, detail=str(error)[:200]) from None


def _split(data: bytes) -> Iterator[_Entry]:
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield _entries.decode(data[at + 4 : at + 4 + size])
        at += 4 + size
