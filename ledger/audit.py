"""The audit: a chain executed again from the auditor's own genesis, every rule checked, no node trusted. Pure.

What is executed again is compared with what was stored: every row of the state, every node of the tree, every receipt
and every index entry follows from the blocks, so a store is right only if it is equal, key by key, to the one that
comes out here. Only the certificates are taken from the store; they are proved by their signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ledger import layout, recovery, rules
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint, restore
from ledger.contract import Runtime
from ledger.encoding import pack, unpack
from ledger.genesis import Genesis
from ledger.kv import KeyValue, Reader
from ledger.refusal import Reason, Refused, Text
from ledger.rules import BlockReason, ExecutedBlock
from ledger.types import Certificate, Header, Transaction


class AuditReason(Reason):
    """Faults that only an audit finds; the others carry the reason of the rule that is broken."""

    WRONG_GENESIS = Text(
        "genesis が異なります: 台帳は {found}、監査人の genesis は {given}",
        "the chain begins with another genesis block ({found}) than the auditor's genesis gives ({given})",
    )
    OTHER_THAN_CHECKED = Text(
        "前回の検証で確かめたブロックと異なります(前回 {kept}、今回 {found})",
        "the block is not the one that was checked when the checkpoint was made ({kept} then, {found} now)",
    )
    NO_CERTIFICATE = Text("ブロックに証明書がありません", "the block has no certificate")
    MISSING_BLOCK = Text("高さ {height} のブロックがありません", "the block at height {height} is missing")
    WRONG_RECEIPT = Text(
        "保存された実行結果が再実行の結果と異なります",
        "the stored receipt is not the one that executing the block gives",
    )
    WRONG_VALUE = Text(
        "保存された {what} が再実行の結果と異なります", "the stored {what} is not the one that follows from the blocks"
    )
    EXTRA_VALUE = Text("ブロックから導かれない {what} が保存されています", "the stored {what} follows from no block")
    MISSING_VALUE = Text("{what} が保存されていません", "the {what} that follows from the blocks is not stored")
    TIME_IN_FUTURE = Text("ブロックの時刻が監査の時点より先です", "the block's time lies after the time of the audit")
    CHAIN_CUT = Text(
        "台帳が高さ {height} で終わっています(ノードは {expected} まで記録していました)",
        "the chain ends at height {height}, and the node had recorded {expected}",
    )
    UNREADABLE = Text("保存されたデータを読めません: {detail}", "the stored data cannot be read: {detail}")
    ENDS_BEFORE_CHECKPOINT = Text(
        "台帳が高さ {expected} より前で終わっています(前回はそこまで検証済み)",
        "the chain ends before block {expected}, which was there when the checkpoint was made",
    )


class Fault(Exception):
    """What an audit found: where, and which rule is broken."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        height: int | None,
        index: int | None = None,
        transaction: str = "",
        evidence: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.rule = reason.code
        self.detail = detail
        self.height = height
        self.index = index
        """Which transaction of the block, where it is one."""
        self.transaction = transaction
        self.evidence = evidence
        """What shows others the fault without this audit: both sides of a split view, say."""

    @staticmethod
    def of(refused: Refused, height: int | None) -> Fault:
        index = refused.params.get("index")
        return Fault(
            refused.reason,
            refused.reason.text("en", refused.params),
            height=height,
            index=index if isinstance(index, int) else None,
            transaction=str(refused.params.get("transaction") or ""),
        )

    def __str__(self) -> str:
        where = "" if self.height is None else f"block {self.height}"
        if self.index is not None:
            where += f", transaction {self.index}"
        if self.transaction:
            where += f" ({self.transaction[:16]}…)"
        return f"{where + ': ' if where else ''}{self.rule}: {self.detail}"


def fault_at(at: int | None, reason: Reason, *, index: int | None = None, **params: str | int) -> Fault:
    """A fault at the height `at`, with what fills its sentence."""
    return Fault(reason, reason.text("en", params), height=at, index=index)


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as a node or an archive has it. `receipts` is None where the source holds none."""

    height: int
    raw: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...] | None
    validators: bytes | None = None
    """The set that votes after this block, where the block changed it."""


class Signatures(Protocol):
    """Who checks the transactions' signatures: the audit, or somebody else before the block comes to it."""

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        """Raise Fault for a wrong signature."""
        ...


class SignaturesHere:
    """Every signature checked at once."""

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        for index, transaction in enumerate(transactions):
            if not transaction.is_signed():
                raise bad_signature(height, index, transaction.id)


def bad_signature(height: int, index: int, transaction_id: bytes) -> Fault:
    refused = Refused(
        BlockReason.BAD_TRANSACTION,
        index=index,
        transaction=transaction_id.hex(),
        reason="bad_signature: the transaction's signature is not valid",
    )
    return Fault.of(refused, height)


@dataclass(slots=True)
class AuditReport:
    """What was checked."""

    chain_id: str
    from_height: int = 0
    """0, or that of the checkpoint: the counts below are of what came after it."""
    height: int = 0
    head_hash: str = ""
    state_root: str = ""
    head_time_ms: int = 0
    blocks: int = 0
    transactions: int = 0
    signatures: int = 0
    certificates: int = 0
    seals: int = 0
    roots: int = 0
    """Of transactions, receipts and state, computed again and equal to the headers'."""
    receipts: int = 0
    refused_receipts: int = 0
    events: int = 0
    validator_changes: int = 0
    evidence: int = 0
    recoveries: int = 0
    """Blocks that the recovery keys have certified in the place of a quorum."""
    stored_values: int = 0
    validators: list[str] = field(default_factory=list)


class Audit:
    """An audit under way: `begin`, then `take` block after block, then `finish`."""

    def __init__(
        self,
        genesis: Genesis,
        runtime: Runtime,
        scratch: KeyValue,
        *,
        signatures: Signatures | None = None,
        now_ms: int | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        """`scratch`: an empty store for what is executed. `now_ms`: no block may be from after this time.

        `start`: where an earlier audit stood. `Refused(CheckpointReason)` if it is not one of this chain.
        """
        self._runtime = runtime
        self._signatures = signatures or SignaturesHere()
        self._now_ms = now_ms
        self._genesis = genesis
        self.scratch = scratch
        if start is not None:
            restore(start, genesis, scratch)
        self.chain = Chain.open(scratch, genesis)
        self.report = AuditReport(genesis.chain_id.hex(), from_height=self.chain.height)
        self._note(self.chain.head)

    def run(self, blocks: Iterable[StoredBlock], progress: Callable[[int], None] = lambda height: None) -> None:
        """Audit all `blocks`, the first of which is that of the genesis or checkpoint. Fault on the first broken rule.

        `progress` is told each height that has passed. MissingContractVersion if this build lacks a contract that the
        chain has activated: it could not be checked.
        """
        begun = False
        for stored in blocks:
            if begun:
                self.take(stored)
            else:
                self.begin(stored)
                begun = True
            progress(stored.height)
        if not begun:
            height = self.chain.height
            if height:
                raise fault_at(height, AuditReason.ENDS_BEFORE_CHECKPOINT, expected=height)
            raise fault_at(0, AuditReason.MISSING_BLOCK, height=0)
        self.finish()

    def begin(self, stored: StoredBlock) -> None:
        """The first block: at 0 that of the auditor's genesis, else the one at which what was checked before ends."""
        height, expected = self.chain.height, self.chain.raw_block(self.chain.height)
        if stored.height != height or stored.raw != expected:
            digest = rules.block_digest(stored.raw)
            found = "unreadable" if digest is None else digest.hex()[:16]
            known = self.chain.head.hash.hex()[:16]
            if height:
                raise fault_at(height, AuditReason.OTHER_THAN_CHECKED, kept=known, found=found)
            raise fault_at(0, AuditReason.WRONG_GENESIS, given=known, found=found)
        if height:
            return
        if stored.certificate or stored.receipts or stored.validators:
            raise fault_at(0, AuditReason.EXTRA_VALUE, what="certificate, receipt or set of the genesis block")
        self.report.blocks += 1
        self.report.roots += 3

    def take(self, stored: StoredBlock) -> None:
        """Check and execute the next block. Fault names the block, the transaction and the rule."""
        height = self.chain.height + 1
        if stored.height != height:
            raise fault_at(height, AuditReason.MISSING_BLOCK, height=height)
        try:
            executed = rules.check_block(
                self.chain, self._runtime, stored.raw, is_signed=lambda _: True, recovered=True
            )
            certificate = self._certificate(executed.block.header, stored)
        except Refused as refused:
            raise Fault.of(refused, height) from None
        self._signatures.check(height, executed.transactions)
        if self._now_ms is not None and executed.block.header.time_ms > self._now_ms + rules.MAX_TIME_AHEAD_MS:
            raise fault_at(height, AuditReason.TIME_IN_FUTURE)
        if stored.receipts is not None:
            _compare_receipts(executed, stored.receipts)
        changed = executed.block.header.next_validators_hash != executed.block.header.validators_hash
        self.report.validator_changes += changed
        if stored.validators != (pack(executed.next_validators) if changed else None):
            raise fault_at(height, AuditReason.WRONG_VALUE, what="validator set")
        self.chain.commit(executed, certificate)
        self._count(executed, certificate)

    def finish(self) -> AuditReport:
        self.report.validators = list(self.chain.validators.ids)
        return self.report

    def _certificate(self, header: Header, stored: StoredBlock) -> Certificate:
        if stored.certificate is None:
            raise Refused(AuditReason.NO_CERTIFICATE)
        certificate = unpack(Certificate, stored.certificate)
        rules.check_certificate(header, certificate, self.chain.validators, self._genesis.recovery)
        return certificate

    def _count(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        report = self.report
        report.blocks += 1
        report.transactions += len(executed.transactions)
        report.signatures += len(executed.transactions) + len(certificate.seals)
        report.certificates += 1
        report.roots += 3
        report.receipts += len(executed.receipts)
        report.seals += len(certificate.seals)
        report.recoveries += recovery.is_recovery(executed.block.header, certificate)
        for transaction, receipt in zip(executed.transactions, executed.receipts, strict=True):
            report.refused_receipts += not receipt.done
            report.events += len(receipt.events)
            if (transaction.body.contract, transaction.body.method) == ("governance", "record_evidence"):
                report.evidence += receipt.done
        self._note(executed.block.header)

    def _note(self, header: Header) -> None:
        self.report.height = header.height
        self.report.head_hash = header.hash.hex()
        self.report.state_root = header.state_root.hex()
        self.report.head_time_ms = header.time_ms


def _compare_receipts(executed: ExecutedBlock, stored: tuple[bytes, ...]) -> None:
    for index, ours in enumerate(executed.raw_receipts):
        if index >= len(stored) or stored[index] != ours:
            raise fault_at(executed.height, AuditReason.WRONG_RECEIPT, index=index)
    if len(stored) != len(executed.raw_receipts):
        raise fault_at(executed.height, AuditReason.WRONG_RECEIPT, index=len(executed.raw_receipts))


def audit(
    blocks: Iterable[StoredBlock],
    genesis: Genesis,
    runtime: Runtime,
    scratch: KeyValue,
    *,
    signatures: Signatures | None = None,
    now_ms: int | None = None,
    progress: Callable[[int], None] = lambda height: None,
) -> Audit:
    """Audit a whole chain from the genesis on: see `Audit.run`."""
    running = Audit(genesis, runtime, scratch, signatures=signatures, now_ms=now_ms)
    running.run(blocks, progress)
    return running


# -- a node's whole store ----------------------------------------------------------------------------------------------


def stored_blocks(kv: Reader, first: int = 0) -> Iterator[StoredBlock]:
    """The blocks of a node's store from `first` to its head. Fault where one is missing or unreadable."""
    raw_head = kv.get(layout.HEAD)
    if raw_head is None or len(raw_head) != 8:
        raise fault_at(0, AuditReason.MISSING_BLOCK, height=0)
    for height in range(first, int.from_bytes(raw_head, "big") + 1):
        raw = kv.get(layout.of_height(layout.BLOCK, height))
        if raw is None:
            raise fault_at(height, AuditReason.MISSING_BLOCK, height=height)
        raw_receipts = kv.get(layout.of_height(layout.RECEIPTS, height))
        if raw_receipts is None:
            raise fault_at(height, AuditReason.MISSING_VALUE, what="receipts")
        try:
            receipts = unpack(rules.Receipts, raw_receipts, len(raw_receipts)).items
        except Refused as refused:
            raise Fault.of(refused, height) from None
        certificate = kv.get(layout.of_height(layout.CERTIFICATE, height))
        yield StoredBlock(height, raw, certificate, receipts, kv.get(layout.of_height(layout.VALIDATORS, height)))
