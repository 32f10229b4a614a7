"""The rules of the ledger: which transactions may enter, how a block is built, checked and applied. Pure functions.

A block is executed before it is voted for: every replica runs it in an overlay and accepts it only if its own roots
come out the same. What follows from a decided block is one batch, written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ledger import crypto, layout, merkle, recovery, registry, statetree
from ledger.contract import Runtime
from ledger.encoding import Wire, pack, unpack
from ledger.kv import Reader
from ledger.overlay import Overlay
from ledger.refusal import BrokenInvariant, Reason, Refused, Text
from ledger.registry import ACCOUNTS, NODES, ORGANISATIONS, Account, Parameters, RecoveryKeys
from ledger.types import (
    MAX_LIFETIME_MS,
    Block,
    Certificate,
    Header,
    Receipt,
    Transaction,
    TransactionReason,
    ValidatorSet,
)
from ledger.votes import commit_payload

MAX_TIME_AHEAD_MS = 5_000
"""How far a fresh proposal's time may lie ahead of a replica's clock."""
BLOCK_OVERHEAD_BYTES = 1_024
MAX_BLOCK_BYTES = 16 * 1024 * 1024
"""No block is read beyond this, whatever the parameters say."""


class BlockReason(Reason):
    """Why a block is not accepted."""

    WRONG_CHAIN = Text("別の台帳のブロックです", "the block belongs to another chain")
    WRONG_HEIGHT = Text(
        "ブロックの高さ {height} が正しくありません(期待値 {expected})",
        "the block's height is {height}, expected {expected}",
    )
    WRONG_PARENT = Text(
        "直前のブロックとつながっていません",
        "the block does not follow from the block before it: its parent hash differs",
    )
    TIME_BEFORE_PARENT = Text(
        "ブロックの時刻が直前のブロックより前です", "the block's time {time_ms} is before its parent's {parent_time_ms}"
    )
    TIME_AHEAD = Text(
        "ブロックの時刻が進みすぎています", "the block's time is {ahead_ms} ms ahead of this node's clock"
    )
    UNKNOWN_PROPOSER = Text("提案者 {proposer} は検証者ではありません", "the proposer {proposer} is not a validator")
    TOO_MANY_TRANSACTIONS = Text(
        "取引が多すぎます({count}、上限 {limit})", "the block has {count} transactions, more than {limit}"
    )
    BLOCK_TOO_LARGE = Text(
        "ブロックが大きすぎます({size}、上限 {limit})", "the block has {size} bytes, more than {limit}"
    )
    WRONG_COUNT = Text(
        "取引の数がヘッダーと異なります", "the header counts {header} transactions, the block holds {count}"
    )
    BAD_TRANSACTION = Text(
        "取引 {index} は許されません: {reason}",
        "transaction {index} ({transaction}) may not stand in a block: {reason}",
    )
    WRONG_TRANSACTIONS_ROOT = Text("取引のルートが異なります", "the transactions root differs from the header's")
    WRONG_RECEIPTS_ROOT = Text(
        "実行結果のルートが異なります", "executing the block gives another receipts root than the header's"
    )
    WRONG_STATE_ROOT = Text(
        "実行後の状態のルートが異なります(書き込んだ項目: {keys})",
        "executing the block gives another state root than the header's; keys written here: {keys}",
    )
    BAD_RECOVERY = Text(
        "復旧ブロックは復旧の取引1件だけを含まなければなりません",
        "a recovery block holds one transaction, the recovery itself, and nothing else",
    )
    WRONG_VALIDATORS = Text("検証者の集合が異なります", "the header's validator set is not the one of this height")
    WRONG_NEXT_VALIDATORS = Text(
        "次の検証者の集合が異なります", "the header's next validator set is not the one that the state names"
    )


class CertificateReason(Reason):
    """Why a certificate does not prove a block."""

    OTHER_BLOCK = Text("証明書は別のブロックのものです", "the certificate is about another block")
    NOT_A_VALIDATOR = Text(
        "{node} は検証者ではありません", "{node} sealed the block and is not a validator of its height"
    )
    SIGNED_TWICE = Text("{node} の署名が重複しています", "{node} is counted twice in the certificate")
    BAD_SEAL = Text("{node} の署名が正しくありません", "the seal of {node} is not valid")
    NO_QUORUM = Text("署名が足りません({count}/{quorum})", "the certificate has {count} seals, {quorum} are needed")


class ChainView(Protocol):
    """What the rules need to know of the chain up to its head."""

    @property
    def head(self) -> Header: ...

    @property
    def validators(self) -> ValidatorSet:
        """The set that votes at the height after the head."""
        ...

    @property
    def state(self) -> Reader: ...

    def tree_node(self, path: bytes) -> bytes | None: ...

    def height_of(self, transaction_id: bytes) -> int | None:
        """The height at which a transaction was committed."""
        ...


class Receipts(Wire, frozen=True):
    """The receipts of a block as they are stored and hashed, one byte string each."""

    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block with all that follows from it, ready to be applied."""

    block: Block
    raw: bytes
    digest: bytes
    """The hash of the header: the block's name."""
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    raw_receipts: tuple[bytes, ...]
    writes: Mapping[bytes, bytes | None]
    tree_writes: Mapping[bytes, bytes | None]
    next_validators: ValidatorSet

    @property
    def height(self) -> int:
        return self.block.header.height


# -- transactions ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4_096)
def _account(row: bytes) -> Account:
    return unpack(Account, row)


def check_transaction(
    chain_id: bytes,
    state: Reader,
    height_of: Callable[[bytes], int | None],
    transaction: Transaction,
    now_ms: int,
) -> Account:
    """The sender's account if the transaction may enter a block at time `now_ms`, but for its signature.

    `Refused(TransactionReason)` if it belongs to another chain, has expired or expires more than an hour ahead, is
    committed already, or its account is unknown, revoked, of an organisation that is no member any more, or does not
    hold the key that signs.
    """
    body = transaction.body
    if body.chain_id != chain_id:
        raise Refused(TransactionReason.FOREIGN_CHAIN)
    if body.expires_at_ms <= now_ms:
        raise Refused(TransactionReason.EXPIRED, expires_at_ms=body.expires_at_ms, now_ms=now_ms)
    if body.expires_at_ms > now_ms + MAX_LIFETIME_MS:
        raise Refused(TransactionReason.EXPIRES_TOO_LATE, expires_at_ms=body.expires_at_ms, now_ms=now_ms)
    row = state.get(ACCOUNTS.key(body.sender))
    if row is None:
        raise Refused(TransactionReason.UNKNOWN_ACCOUNT, account=body.sender)
    account = _account(row)
    if account.revoked or state.get(ORGANISATIONS.key(account.organisation)) is None:
        raise Refused(TransactionReason.REVOKED_ACCOUNT, account=body.sender)
    if body.public_key not in account.keys:
        raise Refused(TransactionReason.UNKNOWN_KEY, account=body.sender)
    height = height_of(transaction.id)
    if height is not None:
        raise Refused(TransactionReason.DUPLICATE, height=height)
    return account


# -- building and checking blocks --------------------------------------------------------------------------------------


class _Execution:
    """The execution of one block on top of a view, transaction by transaction."""

    def __init__(self, view: ChainView, runtime: Runtime, time_ms: int, *, recovering: bool) -> None:
        self.view = view
        self.runtime = runtime
        self.height = view.head.height + 1
        self.time_ms = time_ms
        self.recovering = recovering
        self.overlay = Overlay(view.state)
        self.transactions: list[Transaction] = []
        self.receipts: list[Receipt] = []
        self._ids: set[bytes] = set()

    def run(self, transaction: Transaction) -> None:
        """Execute one more. `Refused(TransactionReason)` if it may not stand here; then nothing has changed."""
        head = self.view.head
        if transaction.id in self._ids:
            raise Refused(TransactionReason.DUPLICATE, height=self.height)
        sender = check_transaction(head.chain_id, self.overlay, self.view.height_of, transaction, self.time_ms)
        receipt = self.runtime.execute(
            self.overlay, transaction, sender, self.height, self.time_ms, recovering=self.recovering
        )
        self._ids.add(transaction.id)
        self.transactions.append(transaction)
        self.receipts.append(receipt)

    def next_validators(self) -> ValidatorSet:
        prefix = NODES.key("")
        if any(key.startswith(prefix) for key in self.overlay.writes):
            return registry.validators(self.overlay)
        return self.view.validators

    def finish(self, proposer: str, transactions_root: bytes | None = None) -> ExecutedBlock:
        """The block with the roots that this execution gives; `transactions_root` where it is known already."""
        raw_transactions = tuple(t.raw for t in self.transactions)
        raw_receipts = tuple(pack(r) for r in self.receipts)
        tree = statetree.update(self.view.tree_node, self.overlay.writes)
        next_validators = self.next_validators()
        head = self.view.head
        header = Header(
            chain_id=head.chain_id,
            height=self.height,
            parent_hash=head.hash,
            time_ms=self.time_ms,
            proposer=proposer,
            transaction_count=len(raw_transactions),
            transactions_root=transactions_root or merkle.root(raw_transactions),
            receipts_root=merkle.root(raw_receipts),
            state_root=tree.root,
            validators_hash=self.view.validators.hash,
            next_validators_hash=next_validators.hash,
        )
        block = Block(header, raw_transactions)
        return ExecutedBlock(
            block=block,
            raw=pack(block),
            digest=header.hash,
            transactions=tuple(self.transactions),
            receipts=tuple(self.receipts),
            raw_receipts=raw_receipts,
            writes=self.overlay.writes,
            tree_writes=tree.writes,
            next_validators=next_validators,
        )


def build_block(
    view: ChainView, runtime: Runtime, candidates: Iterable[Transaction], *, time_ms: int, proposer: str
) -> ExecutedBlock:
    """A block on the head from the `candidates` that may enter, within the parameters' limits.

    Candidates' signatures are taken as checked. The time is the proposer's, but never before the parent's.
    """
    limits = registry.parameters(view.state)
    execution = _Execution(view, runtime, max(time_ms, view.head.time_ms), recovering=proposer == recovery.PROPOSER)
    room = min(limits.max_block_bytes, MAX_BLOCK_BYTES) - BLOCK_OVERHEAD_BYTES
    for transaction in candidates:
        size = len(transaction.raw) + 5
        if len(execution.transactions) == limits.max_block_transactions or size > room:
            break
        try:
            execution.run(transaction)
        except Refused:
            continue
        room -= size
    return execution.finish(proposer)


def check_block(
    view: ChainView,
    runtime: Runtime,
    raw: bytes,
    *,
    is_signed: Callable[[Transaction], bool],
    parse: Callable[[bytes], Transaction] = Transaction.parse,
    recovered: bool = False,
) -> ExecutedBlock:
    """The block that `raw` is, executed on the head; `Refused(BlockReason | EncodingReason)` names the rule it breaks.

    `is_signed` tells whether a transaction's signature is valid, `parse` reads one (`Transaction.parse`): a node does
    each once and remembers it.
    """
    limits = registry.parameters(view.state)
    if len(raw) > min(limits.max_block_bytes, MAX_BLOCK_BYTES):
        raise Refused(BlockReason.BLOCK_TOO_LARGE, size=len(raw), limit=limits.max_block_bytes)
    block = unpack(Block, raw, MAX_BLOCK_BYTES)
    check_header(view.head, view.validators, block.header, recovered=recovered)
    transactions = read_transactions(block, limits, parse)
    execution = _Execution(view, runtime, block.header.time_ms, recovering=block.header.proposer == recovery.PROPOSER)
    for index, transaction in enumerate(transactions):
        try:
            if not is_signed(transaction):
                raise Refused(TransactionReason.BAD_SIGNATURE)
            execution.run(transaction)
        except Refused as refusal:
            raise _bad_transaction(index, transaction.id, refusal) from None
    executed = execution.finish(block.header.proposer, block.header.transactions_root)
    _compare(block.header, executed)
    if block.header.proposer == recovery.PROPOSER:
        _check_recovery(executed)
    return executed


def _check_recovery(executed: ExecutedBlock) -> None:
    """A recovery block holds one transaction, the recovery itself, and it was done."""
    calls = [(t.body.contract, t.body.method) for t in executed.transactions]
    if calls != [(recovery.CONTRACT, recovery.METHOD)] or not executed.receipts[0].done:
        raise Refused(BlockReason.BAD_RECOVERY)


def check_header(parent: Header, validators: ValidatorSet, header: Header, *, recovered: bool = False) -> None:
    """The rules that a header must keep towards its parent.

    Only with `recovered` may it be that of a recovery block, and only somebody who checks its certificate says so:
    no validator ever votes for one.
    """
    if header.chain_id != parent.chain_id:
        raise Refused(BlockReason.WRONG_CHAIN)
    if header.height != parent.height + 1:
        raise Refused(BlockReason.WRONG_HEIGHT, height=header.height, expected=parent.height + 1)
    if header.parent_hash != parent.hash:
        raise Refused(BlockReason.WRONG_PARENT)
    if header.time_ms < parent.time_ms:
        raise Refused(BlockReason.TIME_BEFORE_PARENT, time_ms=header.time_ms, parent_time_ms=parent.time_ms)
    if header.validators_hash != validators.hash or parent.next_validators_hash != header.validators_hash:
        raise Refused(BlockReason.WRONG_VALIDATORS)
    if validators.find(header.proposer) is None and not (recovered and header.proposer == recovery.PROPOSER):
        raise Refused(BlockReason.UNKNOWN_PROPOSER, proposer=header.proposer)


def check_proposal_time(header: Header, wall_ms: int) -> None:
    """Rule 4 of the consensus: a fresh proposal's time is at most five seconds ahead of the replica's clock."""
    if header.time_ms > wall_ms + MAX_TIME_AHEAD_MS:
        raise Refused(BlockReason.TIME_AHEAD, ahead_ms=header.time_ms - wall_ms)


def read_transactions(
    block: Block, limits: Parameters, parse: Callable[[bytes], Transaction] = Transaction.parse
) -> list[Transaction]:
    """The block's transactions, each parsed once; the count and the transactions root are those of the header."""
    count = len(block.transactions)
    if count > limits.max_block_transactions:
        raise Refused(BlockReason.TOO_MANY_TRANSACTIONS, count=count, limit=limits.max_block_transactions)
    if count != block.header.transaction_count:
        raise Refused(BlockReason.WRONG_COUNT, header=block.header.transaction_count, count=count)
    if merkle.root(block.transactions) != block.header.transactions_root:
        raise Refused(BlockReason.WRONG_TRANSACTIONS_ROOT)
    transactions: list[Transaction] = []
    for index, raw in enumerate(block.transactions):
        try:
            transactions.append(parse(raw))
        except Refused as refusal:
            raise _bad_transaction(index, crypto.sha256(raw), refusal) from None
    return transactions


def _bad_transaction(index: int, transaction_id: bytes, refusal: Refused) -> Refused:
    return Refused(BlockReason.BAD_TRANSACTION, index=index, transaction=transaction_id.hex(), reason=str(refusal))


def _compare(header: Header, executed: ExecutedBlock) -> None:
    ours = executed.block.header
    if ours.receipts_root != header.receipts_root:
        raise Refused(BlockReason.WRONG_RECEIPTS_ROOT)
    if ours.state_root != header.state_root:
        keys = sorted(executed.writes)
        shown = ", ".join(k.decode("utf-8", "replace") for k in keys[:20])
        raise Refused(BlockReason.WRONG_STATE_ROOT, keys=shown + (f" … ({len(keys)})" if len(keys) > 20 else ""))
    if ours.next_validators_hash != header.next_validators_hash:
        raise Refused(BlockReason.WRONG_NEXT_VALIDATORS)
    if executed.digest != header.hash:
        raise BrokenInvariant("a header with equal fields has another hash")


# -- certificates ------------------------------------------------------------------------------------------------------


def check_certificate(
    header: Header, certificate: Certificate, validators: ValidatorSet, recovery_keys: RecoveryKeys | None = None
) -> None:
    """Whether the certificate proves that a quorum of `validators` decided the block; `Refused(CertificateReason)`.

    After the quorum was lost for good, enough of the genesis' recovery keys prove it instead (`ledger/recovery.py`).
    """
    if certificate.height != header.height or certificate.block_hash != header.hash:
        raise Refused(CertificateReason.OTHER_BLOCK)
    if recovery.is_recovery(header, certificate):
        recovery.check_seals(header, certificate, recovery_keys)
        return
    payload = commit_payload(header.chain_id, certificate.height, certificate.round, certificate.block_hash)
    seen: set[str] = set()
    for seal in certificate.seals:
        validator = validators.find(seal.node_id)
        if validator is None:
            raise Refused(CertificateReason.NOT_A_VALIDATOR, node=seal.node_id)
        if seal.node_id in seen:
            raise Refused(CertificateReason.SIGNED_TWICE, node=seal.node_id)
        if not crypto.verify(validator.public_key, payload, seal.signature):
            raise Refused(CertificateReason.BAD_SEAL, node=seal.node_id)
        seen.add(seal.node_id)
    if len(seen) < validators.quorum:
        raise Refused(CertificateReason.NO_QUORUM, count=len(seen), quorum=validators.quorum)


# -- applying ----------------------------------------------------------------------------------------------------------


def apply_block(executed: ExecutedBlock, certificate: Certificate | None) -> dict[bytes, bytes | None]:
    """All that follows from a decided block, as one batch: block, certificate, receipts, state, tree, indexes, head.

    Only the genesis block has no certificate.
    """
    height = executed.height
    batch: dict[bytes, bytes | None] = {
        layout.of_height(layout.BLOCK, height): executed.raw,
        layout.of_height(layout.RECEIPTS, height): pack(Receipts(executed.raw_receipts)),
        layout.HEAD: height.to_bytes(8, "big"),
    }
    if certificate is not None:
        batch[layout.of_height(layout.CERTIFICATE, height)] = pack(certificate)
    elif height > 0:
        raise BrokenInvariant(f"block {height} has no certificate")
    header = executed.block.header
    if header.next_validators_hash != header.validators_hash:
        batch[layout.of_height(layout.VALIDATORS, height)] = pack(executed.next_validators)
    for key, value in executed.writes.items():
        batch[layout.STATE + key] = value
    for path, node in executed.tree_writes.items():
        batch[layout.NODE + path] = node
    batch.update(index_entries(height, executed.transactions, executed.receipts))
    return batch


def index_entries(
    height: int, transactions: Sequence[Transaction], receipts: Sequence[Receipt]
) -> dict[bytes, bytes | None]:
    """The index of transactions by id, and the history of every subject that an event names."""
    entries: dict[bytes, bytes | None] = {}
    for index, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        entries[layout.TRANSACTION + transaction.id] = layout.position(height, index)
        for number, event in enumerate(receipt.events):
            for subject in event.subjects:
                entries[layout.history_entry(subject, height, index, number)] = b""
    return entries


def block_digest(raw: bytes) -> bytes | None:
    """The name of the block that `raw` is, if its transactions are those of its header; None if it is no block."""
    try:
        block = unpack(Block, raw, MAX_BLOCK_BYTES)
    except Refused:
        return None
    return block.header.hash if merkle.root(block.transactions) == block.header.transactions_root else None
