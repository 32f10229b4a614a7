"""Snapshots: the state at a certified height, and what a node needs beside it to go on from there. Pure.

A snapshot is a stream of records, proved by the genesis alone: the changes of the validator set, each certified by the
set before it; the head's certificate; the rows of the state, whose tree must come out with the head's state root. The
blocks of the last hour come with it, so that a transaction of the chain is still known and never taken twice (an
older one has expired). What lies before is not in it: a node that begins with a snapshot cannot show it, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from ledger import layout, registry, statetree
from ledger.chain import StateReader, first_height
from ledger.encoding import Wire, pack, unpack
from ledger.genesis import Genesis, genesis_block
from ledger.kv import KeyValue, Reader, after_prefix
from ledger.light import LightChain, ProvedBlock, UnknownValidators, Untrue
from ledger.refusal import BrokenInvariant, Reason, Refused, Text
from ledger.rules import MAX_BLOCK_BYTES, Receipts, apply_block
from ledger.types import MAX_LIFETIME_MS, Block, Certificate, Header, ValidatorSet

ROWS_A_RECORD = 500
TREE_BATCH_ROWS = 20_000
MAX_RECORD_BYTES = 4 * MAX_BLOCK_BYTES


class SnapshotReason(Reason):
    NOT_PROVED = Text("スナップショットを証明できません: {detail}", "the snapshot is not proved: {detail}")
    WRONG_ROOT = Text(
        "スナップショットの状態は高さ {height} のヘッダーのものではありません",
        "the snapshot's rows do not give the state root that the header at height {height} names",
    )
    MALFORMED = Text(
        "スナップショットの {number} 番目の記録が正しくありません: {detail}",
        "record {number} of the snapshot is wrong: {detail}",
    )
    NO_HEAD = Text("ブロック {height} がこのノードにありません", "block {height} is not in this node's store")


class Kept(Wire, frozen=True, tag="block"):
    """A block that comes with the snapshot: of the last hour, or one that changed the validator set."""

    height: int
    block: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...]
    validators: bytes | None


class Rows(Wire, frozen=True, tag="rows"):
    """Rows of the state in the order of their keys, from one record to the next."""

    rows: tuple[tuple[bytes, bytes], ...]


class Head(Wire, frozen=True, tag="head"):
    """Comes first: at which height the snapshot stands, and from which on its blocks are whole."""

    chain_id: bytes
    height: int
    first_height: int


Record = Head | Kept | Rows
_decoder = msgspec.msgpack.Decoder(Record)


def read_record(raw: bytes, number: int) -> Record:
    """`Refused(MALFORMED)` unless these are the canonical bytes of a record."""
    try:
        record: Record = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(SnapshotReason.MALFORMED, number=number, detail=str(error)[:120]) from None
    if pack(record) != raw:
        raise Refused(SnapshotReason.MALFORMED, number=number, detail="its bytes are not canonical")
    return record


# -- making ------------------------------------------------------------------------------------------------------------


def records(kv: Reader) -> Iterator[Record]:
    """The snapshot of a store as it stands; `kv` must not change meanwhile."""
    height = int.from_bytes(kv.get(layout.HEAD) or b"", "big")
    head = _kept(kv, height)
    header = unpack(Block, head.block, len(head.block)).header
    first = _first_of_last_hour(kv, header)
    yield Head(header.chain_id, height, first)
    for key, _ in kv.scan(layout.VALIDATORS, after_prefix(layout.VALIDATORS)):
        changed = int.from_bytes(key[1:], "big")
        if 0 < changed < first:
            yield _kept(kv, changed)
    for number in range(first, height + 1):
        yield _kept(kv, number)
    yield from _rows(kv)


def _kept(kv: Reader, height: int) -> Kept:
    raw = kv.get(layout.of_height(layout.BLOCK, height))
    receipts = kv.get(layout.of_height(layout.RECEIPTS, height))
    if raw is None or receipts is None:
        raise Refused(SnapshotReason.NO_HEAD, height=height)
    return Kept(
        height,
        raw,
        kv.get(layout.of_height(layout.CERTIFICATE, height)),
        unpack(Receipts, receipts, len(receipts)).items,
        kv.get(layout.of_height(layout.VALIDATORS, height)),
    )


def _first_of_last_hour(kv: Reader, head: Header) -> int:
    """The lowest block whose transactions can still be valid; at least 1, and the store's own first."""
    height = head.height
    lowest = max(1, first_height(kv))
    while height > lowest:
        raw = kv.get(layout.of_height(layout.BLOCK, height - 1))
        if raw is None or unpack(Block, raw, len(raw)).header.time_ms + MAX_LIFETIME_MS < head.time_ms:
            break
        height -= 1
    return max(height, min(1, head.height))


def _rows(kv: Reader) -> Iterator[Rows]:
    batch: list[tuple[bytes, bytes]] = []
    for key, value in kv.scan(layout.STATE, after_prefix(layout.STATE)):
        batch.append((key[1:], value))
        if len(batch) == ROWS_A_RECORD:
            yield Rows(tuple(batch))
            batch = []
    if batch:
        yield Rows(tuple(batch))


# -- taking in ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Restored:
    height: int = 0
    first_height: int = 0
    rows: int = 0
    blocks: int = 0
    state_root: str = ""


class Restore:
    """Takes the records of a snapshot into an empty store. Nobody may use the store before `finish` has returned."""

    def __init__(self, genesis: Genesis, kv: KeyValue) -> None:
        self._genesis = genesis
        self._kv = kv
        self._light = LightChain(genesis)
        self._tree = _Tree(kv)
        self._head: Head | None = None
        self._last: ProvedBlock | None = None
        self._last_key = b""
        self._number = -1
        self.restored = Restored()

    def take(self, raw: bytes) -> None:
        """`Refused(SnapshotReason)` where the snapshot is not what it must be."""
        self._number += 1
        record = read_record(raw, self._number)
        match record:
            case Head():
                self._begin(record)
            case Kept():
                self._block(record)
            case Rows():
                self._take_rows(record)

    def _wrong(self, detail: str) -> Refused:
        return Refused(SnapshotReason.MALFORMED, number=self._number, detail=detail)

    def _begin(self, head: Head) -> None:
        if self._head is not None or self._number != 0:
            raise self._wrong("a second head")
        if head.chain_id != self._genesis.chain_id:
            raise self._unproved("it is of another chain than the genesis")
        if not 0 < head.first_height <= head.height:
            raise self._wrong("its heights cannot be")
        self._head = head
        first = apply_block(genesis_block(self._genesis), None)
        kept = {k: v for k, v in first.items() if k[:1] not in (layout.STATE, layout.NODE)}
        self._kv.write({**kept, layout.GENESIS: pack(self._genesis)})

    def _block(self, kept: Kept) -> None:
        head = self._head
        if head is None or self.restored.rows:
            raise self._wrong("a block where none may stand")
        last_height = self._last.header.height if self._last is not None else 0
        is_next = kept.height == max(last_height + 1, head.first_height) <= head.height
        is_change = last_height < kept.height < head.first_height and kept.validators is not None
        if not is_next and not is_change:
            raise self._wrong(f"block {kept.height} comes after block {last_height}")
        proved = self._proved(kept)
        follows = self._last is None or kept.height > last_height + 1
        if not follows and self._last is not None and proved.header.parent_hash != self._last.header.hash:
            raise self._unproved(f"block {kept.height} does not follow on the one before it")
        self._learn(kept, proved)
        self._write_block(kept, proved, is_recent=kept.height >= head.first_height)
        self._last = proved
        self.restored.blocks += 1

    def _proved(self, kept: Kept) -> ProvedBlock:
        try:
            proved = self._light.check_block(kept.block, kept.certificate or b"", kept.receipts)
        except UnknownValidators:
            raise self._unproved(f"the validators of block {kept.height} are not known") from None
        except Untrue as untrue:
            raise self._unproved(str(untrue)) from None
        if proved.header.height != kept.height:
            raise self._wrong("a block of another height")
        for transaction, receipt in zip(proved.transactions, proved.receipts, strict=False):
            if transaction.id != receipt.transaction_id:
                raise self._unproved(f"a receipt of block {kept.height} is of another transaction")
        return proved

    def _unproved(self, detail: str) -> Refused:
        return Refused(SnapshotReason.NOT_PROVED, detail=detail)

    def _learn(self, kept: Kept, proved: ProvedBlock) -> None:
        header = proved.header
        changes = header.next_validators_hash != header.validators_hash
        if changes != (kept.validators is not None):
            raise self._unproved(f"the validators after block {kept.height} are not as its header says")
        if kept.validators is None or kept.certificate is None:
            return
        try:
            members = unpack(ValidatorSet, kept.validators)
            self._light.learn(header, unpack(Certificate, kept.certificate), members)
        except (Refused, Untrue) as error:
            raise self._unproved(str(error)) from None

    def _write_block(self, kept: Kept, proved: ProvedBlock, *, is_recent: bool) -> None:
        height = kept.height
        batch: dict[bytes, bytes | None] = {
            layout.of_height(layout.BLOCK, height): kept.block,
            layout.of_height(layout.RECEIPTS, height): pack(Receipts(kept.receipts)),
            layout.of_height(layout.CERTIFICATE, height): kept.certificate,
        }
        if kept.validators is not None:
            batch[layout.of_height(layout.VALIDATORS, height)] = kept.validators
        if is_recent:
            for index, (transaction, receipt) in enumerate(zip(proved.transactions, proved.receipts, strict=True)):
                batch[layout.TRANSACTION + transaction.id] = layout.position(height, index)
                for number, event in enumerate(receipt.events):
                    for subject in event.subjects:
                        batch[layout.history_entry(subject, height, index, number)] = b""
        self._kv.write(batch)

    def _take_rows(self, record: Rows) -> None:
        if self._head is None or self._last is None or self._last.header.height != self._head.height:
            raise self._wrong("rows before the head's block")
        if not record.rows:
            raise self._wrong("no rows")
        for key, _ in record.rows:
            if key <= self._last_key:
                raise self._wrong("its rows are not in the order of their keys")
            self._last_key = key
        self._kv.write({layout.STATE + key: value for key, value in record.rows})
        self._tree.put(record.rows)
        self.restored.rows += len(record.rows)

    def finish(self) -> Restored:
        """The store may be used from now on. `Refused` unless the rows give the head's state root."""
        head, last = self._head, self._last
        if head is None or last is None or last.header.height != head.height:
            raise Refused(SnapshotReason.MALFORMED, number=self._number + 1, detail="it ends too early")
        if self._tree.finish() != last.header.state_root:
            raise Refused(SnapshotReason.WRONG_ROOT, height=head.height)
        if registry.validators(StateReader(self._kv)).hash != last.header.next_validators_hash:
            raise BrokenInvariant("the state under a proved root names other validators than its header")
        self._kv.write(
            {
                layout.FIRST: head.first_height.to_bytes(8, "big"),
                layout.HEAD: head.height.to_bytes(8, "big"),
            }
        )
        self.restored.height, self.restored.first_height = head.height, head.first_height
        self.restored.state_root = last.header.state_root.hex()
        return self.restored


class _Tree:
    """The state tree, built from rows a batch at a time."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv
        self._root = statetree.EMPTY_ROOT
        self._waiting: dict[bytes, bytes | None] = {}

    def put(self, rows: tuple[tuple[bytes, bytes], ...]) -> None:
        self._waiting.update(rows)
        if len(self._waiting) >= TREE_BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        update = statetree.update(lambda path: self._kv.get(layout.NODE + path), self._waiting)
        self._write(update.writes)
        self._root = update.root
        self._waiting = {}

    def _write(self, writes: Mapping[bytes, bytes | None]) -> None:
        self._kv.write({layout.NODE + path: node for path, node in writes.items()})

    def finish(self) -> bytes:
        if self._waiting:
            self._flush()
        return self._root
