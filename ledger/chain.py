"""The chain as one node holds it: everything up to the head, read from a store, extended a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from ledger import layout, merkle, registry, statetree
from ledger.encoding import EncodingReason, pack, unpack
from ledger.genesis import Genesis, GenesisReason, genesis_block
from ledger.kv import KeyValue, Reader, after_prefix
from ledger.refusal import BrokenInvariant, Reason, Refused, Text
from ledger.rules import ExecutedBlock, Receipts, apply_block
from ledger.statetree import StateProof
from ledger.types import Block, Certificate, Event, Header, Receipt, ValidatorSet

MAX_PAGE = 1_000


class ChainReason(Reason):
    NO_CHAIN = Text("台帳がまだありません", "there is no chain in this store yet")
    DAMAGED = Text("保存された台帳が壊れています: {detail}", "the stored chain is damaged: {detail}")


class _HeaderOnly(msgspec.Struct, frozen=True, array_like=True):
    header: Header
    transactions: msgspec.Raw


_header_decoder = msgspec.msgpack.Decoder(_HeaderOnly)


def header_of(raw_block: bytes) -> Header:
    """The header of a block, without reading its transactions. `Refused(EncodingReason)` if it is none."""
    try:
        return _header_decoder.decode(raw_block).header
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None


@dataclass(frozen=True, slots=True)
class Location:
    """Where a transaction stands."""

    height: int
    index: int


MAX_KEPT_ROWS = 4_096
MAX_KEPT_ROW_BYTES = 4_096
"""Of the state's rows that are kept in memory: 16 MiB at most."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step in a subject's history."""

    height: int
    index: int
    number: int
    """Which of the transaction's events."""
    event: Event

    @property
    def cursor(self) -> str:
        return f"{self.height}.{self.index}.{self.number}"


class StateReader:
    """The rows of the state as of the head. Those read last are kept: most transactions need the same few.

    Whoever moves the head tells by `forget` which rows have changed.
    """

    def __init__(self, kv: Reader) -> None:
        self._kv = kv
        self._kept: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        value = self._kv.get(layout.STATE + key)
        if value is not None and len(value) <= MAX_KEPT_ROW_BYTES:
            if len(self._kept) >= MAX_KEPT_ROWS:
                self._kept.clear()
            self._kept[key] = value
        return value

    def forget(self, keys: Iterable[bytes]) -> None:
        """These rows have changed."""
        for key in keys:
            self._kept.pop(key, None)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._kv.scan(layout.STATE + start, layout.STATE + stop):
            yield key[1:], value


class Chain:
    """A chain in a store. One writer: `commit` is called by the node's one replica."""

    def __init__(self, kv: KeyValue, genesis: Genesis) -> None:
        self._kv = kv
        self.genesis = genesis
        self.state = StateReader(kv)
        raw = kv.get(layout.HEAD)
        if raw is None:
            raise Refused(ChainReason.NO_CHAIN)
        head = self.header(int.from_bytes(raw, "big"))
        if head is None:
            raise Refused(ChainReason.DAMAGED, detail="the block at the head is missing")
        self._head = head
        self._validators = registry.validators(self.state)

    @staticmethod
    def open(kv: KeyValue, genesis: Genesis) -> Chain:
        """The chain in `kv`, made from `genesis` if the store is empty.

        `Refused` if the store holds another genesis' chain or its head does not fit its state.
        """
        stored = kv.get(layout.GENESIS)
        if stored is None:
            batch = apply_block(genesis_block(genesis), None)
            batch[layout.GENESIS] = pack(genesis)
            kv.write(batch)
        elif stored != pack(genesis):
            raise Refused(GenesisReason.OTHER_GENESIS, found=stored_chain_id(kv).hex(), given=genesis.chain_id.hex())
        chain = Chain(kv, genesis)
        chain._check_head()
        return chain

    def _check_head(self) -> None:
        node = self.tree_node(b"")
        root = statetree.EMPTY_ROOT if node is None else statetree.node_hash(node)
        if root != self._head.state_root:
            raise Refused(ChainReason.DAMAGED, detail="the state's root is not the one in the header of the head")
        if self._validators.hash != self._head.next_validators_hash:
            raise Refused(ChainReason.DAMAGED, detail="the validator set is not the one in the header of the head")
        if self._head.chain_id != self.genesis.chain_id:
            raise Refused(ChainReason.DAMAGED, detail="the head belongs to another chain")

    # -- what the rules see --------------------------------------------------------------------------------------------

    @property
    def chain_id(self) -> bytes:
        return self._head.chain_id

    @property
    def head(self) -> Header:
        return self._head

    @property
    def height(self) -> int:
        return self._head.height

    @property
    def first_height(self) -> int:
        """From which height on every block is here: 0 unless the store began with a snapshot."""
        return first_height(self._kv)

    @property
    def validators(self) -> ValidatorSet:
        """The set that votes at the height after the head."""
        return self._validators

    def tree_node(self, path: bytes) -> bytes | None:
        return self._kv.get(layout.NODE + path)

    def height_of(self, transaction_id: bytes) -> int | None:
        position = self._kv.get(layout.TRANSACTION + transaction_id)
        return None if position is None else int.from_bytes(position[:8], "big")

    # -- extending -----------------------------------------------------------------------------------------------------

    def commit(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        """Write a decided block and all that follows from it in one synced batch, and stand at it."""
        header = executed.block.header
        if header.parent_hash != self._head.hash or header.height != self._head.height + 1:
            raise BrokenInvariant(f"block {header.height} does not follow on the head {self._head.height}")
        if certificate.block_hash != executed.digest:
            raise BrokenInvariant(f"the certificate is not that of block {header.height}")
        self._kv.write(apply_block(executed, certificate))
        self.state.forget(executed.writes)
        self._head = header
        self._validators = executed.next_validators

    # -- reading -------------------------------------------------------------------------------------------------------

    def raw_block(self, height: int) -> bytes | None:
        return self._kv.get(layout.of_height(layout.BLOCK, height)) if height >= 0 else None

    def block(self, height: int) -> Block | None:
        raw = self.raw_block(height)
        return None if raw is None else unpack(Block, raw, len(raw))

    def header(self, height: int) -> Header | None:
        raw = self.raw_block(height)
        return None if raw is None else header_of(raw)

    def raw_certificate(self, height: int) -> bytes | None:
        return self._kv.get(layout.of_height(layout.CERTIFICATE, height)) if height > 0 else None

    def certificate(self, height: int) -> Certificate | None:
        raw = self.raw_certificate(height)
        return None if raw is None else unpack(Certificate, raw)

    def raw_receipts(self, height: int) -> tuple[bytes, ...]:
        raw = self._kv.get(layout.of_height(layout.RECEIPTS, height)) if height >= 0 else None
        return () if raw is None else unpack(Receipts, raw, len(raw)).items

    def receipts(self, height: int) -> tuple[Receipt, ...]:
        return tuple(unpack(Receipt, raw, len(raw)) for raw in self.raw_receipts(height))

    def raw_validators(self, height: int) -> bytes | None:
        """The set that votes after `height`, where it changed there."""
        return self._kv.get(layout.of_height(layout.VALIDATORS, height)) if height >= 0 else None

    def validator_changes(self, after: int, limit: int) -> list[tuple[int, ValidatorSet]]:
        """The heights above `after` that changed the validator set, each with the set that votes from then on."""
        start = layout.of_height(layout.VALIDATORS, after + 1)
        changes: list[tuple[int, ValidatorSet]] = []
        for key, raw in self._kv.scan(start, after_prefix(layout.VALIDATORS)):
            if len(changes) == min(limit, MAX_PAGE):
                break
            changes.append((int.from_bytes(key[1:], "big"), unpack(ValidatorSet, raw)))
        return changes

    def find(self, transaction_id: bytes) -> Location | None:
        position = self._kv.get(layout.TRANSACTION + transaction_id)
        if position is None:
            return None
        return Location(int.from_bytes(position[:8], "big"), int.from_bytes(position[8:12], "big"))

    def receipt(self, transaction_id: bytes) -> Receipt | None:
        location = self.find(transaction_id)
        if location is None:
            return None
        raw = self.raw_receipts(location.height)[location.index]
        return unpack(Receipt, raw, len(raw))

    def history(self, subject: str, *, after: str = "", limit: int = 100) -> list[HistoryEntry]:
        """What happened to `subject`, in order: up to `limit` entries after the cursor `after`."""
        prefix = layout.history(subject)
        start = prefix
        if after:
            height, index, number = parse_cursor(after)
            start = layout.history_entry(subject, height, index, number) + b"\x00"
        entries: list[HistoryEntry] = []
        receipts: tuple[Receipt, ...] = ()
        of_height = -1
        for key, _ in self._kv.scan(start, after_prefix(prefix)):
            if len(entries) == min(limit, MAX_PAGE):
                break
            place = key[len(prefix) :]
            height, index, number = _numbers(place)
            if height != of_height:
                receipts, of_height = self.receipts(height), height
            entries.append(HistoryEntry(height, index, number, receipts[index].events[number]))
        return entries

    # -- proving -------------------------------------------------------------------------------------------------------

    def prove_state(self, key: bytes) -> StateProof:
        """The way from the head's state root to the row, or to where it would be."""
        return statetree.prove(self.tree_node, key)

    def prove_transaction(self, location: Location) -> tuple[bytes, ...]:
        """The way from the transactions root of its block to the transaction."""
        block = self.block(location.height)
        return () if block is None else merkle.prove(block.transactions, location.index)

    def prove_receipt(self, location: Location) -> tuple[bytes, ...]:
        """The way from the receipts root of its block to the receipt."""
        return merkle.prove(self.raw_receipts(location.height), location.index)


def first_height(kv: Reader) -> int:
    """From which height on a store has every block: 0 unless it began with a snapshot (`ledger/snapshot.py`)."""
    return int.from_bytes(kv.get(layout.FIRST) or b"", "big")


def stored_chain_id(kv: Reader) -> bytes:
    """The chain id of the genesis that a store was made from."""
    stored = kv.get(layout.GENESIS)
    if stored is None:
        raise Refused(ChainReason.NO_CHAIN)
    return unpack(Genesis, stored).chain_id


def parse_cursor(cursor: str) -> tuple[int, int, int]:
    """The three numbers of `height.index.number`; ValueError if it is not that."""
    parts = cursor.split(".")
    if len(parts) != 3 or not all(p.isascii() and p.isdigit() and len(p) <= 16 for p in parts):
        raise ValueError(f"{cursor!r} is not a cursor")
    height, index, number = (int(p) for p in parts)
    if height >= 2**53 or index >= 2**32 or number >= 2**16:
        raise ValueError(f"{cursor!r} is not a cursor")
    return height, index, number


def _numbers(place: bytes) -> tuple[int, int, int]:
    return int.from_bytes(place[:8], "big"), int.from_bytes(place[8:12], "big"), int.from_bytes(place[12:14], "big")
