"""The audit: a chain executed again from the auditor's own genesis, every rule checked, no node trusted. Pure.

What is executed again is compared with what was stored: every row of the state, every node of the tree, every receipt
and every index entry follows from the blocks, so a store is right only if it is equal, key by key, to the one that
comes out here. Only the certificates are taken from the store; they are proved by their signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ledger import layout, recovery, rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.encoding import pack, unpack
from ledger.genesis import Genesis, genesis_block
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


class Fault(Exception):
    """What an audit found: where, and which rule is broken."""

    def __init__(
        self, reason: Reason, detail: str, *, height: int | None, index: int | None = None, transaction: str = ""
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.rule = reason.code
        self.detail = detail
        self.height = height
        self.index = index
        """Which transaction of the block, where it is one."""
        self.transaction = transaction

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


def _fault(reason: Reason, at: int | None, *, index: int | None = None, **params: str | int) -> Fault:
    return Fault(reason, reason.text("en", params), height=at, index=index)


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as a node or an archive has it. `receipts` is None where the source holds none."""

    height: int
    raw: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...] | None
    validators: bytes | None = None
    """The set that votes after this block, where the block changed it and the source says so."""


class Signatures(Protocol):
    """Who checks the transactions' signatures: here and now, or elsewhere and a little later."""

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        """Raise Fault for a wrong signature of this block or, if they are checked later, of an earlier one."""
        ...

    def finish(self) -> None:
        """Wait for all that is under way."""
        ...


class SignaturesHere:
    """Every signature checked at once."""

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        for index, transaction in enumerate(transactions):
            if not transaction.is_signed():
                raise bad_signature(height, index, transaction.id)

    def finish(self) -> None:
        pass


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
    height: int = 0
    head_hash: str = ""
    state_root: str = ""
    head_time_ms: int = 0
    blocks: int = 0
    transactions: int = 0
    signatures: int = 0
    certificates: int = 0
    seals: int = 0
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
    ) -> None:
        """`scratch`: an empty store for what is executed. `now_ms`: no block may be from after this time."""
        self._runtime = runtime
        self._signatures = signatures or SignaturesHere()
        self._now_ms = now_ms
        self._genesis = genesis
        self.scratch = scratch
        self.chain = Chain.open(scratch, genesis)
        self.report = AuditReport(genesis.chain_id.hex())
        self._note(genesis_block(genesis))

    def begin(self, stored: StoredBlock) -> None:
        """The block at height 0 must be the one that the auditor's genesis gives."""
        expected = self.chain.raw_block(0)
        if stored.height != 0 or stored.raw != expected:
            found = rules.block_digest(stored.raw)
            raise _fault(
                AuditReason.WRONG_GENESIS,
                0,
                found="unreadable" if found is None else found.hex()[:16],
                given=self.chain.head.hash.hex()[:16],
            )
        self.report.blocks += 1

    def take(self, stored: StoredBlock) -> None:
        """Check and execute the next block. Fault names the block, the transaction and the rule."""
        height = self.chain.height + 1
        if stored.height != height:
            raise _fault(AuditReason.MISSING_BLOCK, height, height=height)
        try:
            executed = rules.check_block(
                self.chain, self._runtime, stored.raw, is_signed=lambda _: True, recovered=True
            )
            certificate = self._certificate(executed.block.header, stored)
        except Refused as refused:
            raise Fault.of(refused, height) from None
        self._signatures.check(height, executed.transactions)
        if self._now_ms is not None and executed.block.header.time_ms > self._now_ms + rules.MAX_TIME_AHEAD_MS:
            raise _fault(AuditReason.TIME_IN_FUTURE, height)
        if stored.receipts is not None:
            _compare_receipts(executed, stored.receipts)
        changed = executed.block.header.next_validators_hash != executed.block.header.validators_hash
        self.report.validator_changes += changed
        if stored.validators is not None and not (changed and stored.validators == pack(executed.next_validators)):
            raise _fault(AuditReason.WRONG_VALUE, height, what="validator set")
        self.chain.commit(executed, certificate)
        self._count(executed, certificate)

    def finish(self) -> AuditReport:
        self._signatures.finish()
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
        report.seals += len(certificate.seals)
        report.recoveries += recovery.is_recovery(executed.block.header, certificate)
        for receipt in executed.receipts:
            report.refused_receipts += not receipt.done
            report.events += len(receipt.events)
            report.evidence += sum(event.name == "evidence_recorded" for event in receipt.events)
        self._note(executed)

    def _note(self, executed: ExecutedBlock) -> None:
        header = executed.block.header
        self.report.height = header.height
        self.report.head_hash = executed.digest.hex()
        self.report.state_root = header.state_root.hex()
        self.report.head_time_ms = header.time_ms


def _compare_receipts(executed: ExecutedBlock, stored: tuple[bytes, ...]) -> None:
    for index, ours in enumerate(executed.raw_receipts):
        if index >= len(stored) or stored[index] != ours:
            raise _fault(AuditReason.WRONG_RECEIPT, executed.height, index=index)
    if len(stored) != len(executed.raw_receipts):
        raise _fault(AuditReason.WRONG_RECEIPT, executed.height, index=len(executed.raw_receipts))


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
    """Audit a whole chain. Fault on the first broken rule; `progress` is told each height that has passed.

    MissingContractVersion if this build lacks a contract that the chain has activated: it could not be checked.
    """
    running: Audit | None = None
    for stored in blocks:
        if running is None:
            running = Audit(genesis, runtime, scratch, signatures=signatures, now_ms=now_ms)
            running.begin(stored)
        else:
            running.take(stored)
        progress(stored.height)
    if running is None:
        raise _fault(AuditReason.MISSING_BLOCK, 0, height=0)
    running.finish()
    return running


# -- a node's whole store ----------------------------------------------------------------------------------------------


def stored_blocks(kv: Reader) -> Iterator[StoredBlock]:
    """The blocks of a node's store, as far as its head says. Fault where one is missing or unreadable."""
    raw_head = kv.get(layout.HEAD)
    if raw_head is None or len(raw_head) != 8:
        raise _fault(AuditReason.MISSING_BLOCK, 0, height=0)
    for height in range(int.from_bytes(raw_head, "big") + 1):
        raw = kv.get(layout.of_height(layout.BLOCK, height))
        if raw is None:
            raise _fault(AuditReason.MISSING_BLOCK, height, height=height)
        raw_receipts = kv.get(layout.of_height(layout.RECEIPTS, height))
        if raw_receipts is None:
            raise _fault(AuditReason.MISSING_VALUE, height, what="receipts")
        try:
            receipts = unpack(rules.Receipts, raw_receipts, len(raw_receipts)).items
        except Refused as refused:
            raise Fault.of(refused, height) from None
        certificate = kv.get(layout.of_height(layout.CERTIFICATE, height))
        yield StoredBlock(height, raw, certificate, receipts, kv.get(layout.of_height(layout.VALIDATORS, height)))


def compare_store(kv: Reader, audited: KeyValue, progress: Callable[[int], None] = lambda count: None) -> int:
    """Whether a node's store holds exactly what its blocks give; how many values were compared.

    Fault on the first value that differs, is missing or is too many. Evidence that the node has seen itself is its own.
    """
    first, last = b"", b"\xff" * 8
    theirs = ((k, v) for k, v in kv.scan(first, last) if not k.startswith(layout.EVIDENCE))
    ours = audited.scan(first, last)
    count = 0
    their, our = next(theirs, None), next(ours, None)
    while their is not None or our is not None:
        if our is None or (their is not None and their[0] < our[0]):
            raise _differs(AuditReason.EXTRA_VALUE, their[0] if their else b"")
        if their is None or our[0] < their[0]:
            raise _differs(AuditReason.MISSING_VALUE, our[0])
        if their[1] != our[1]:
            raise _differs(AuditReason.WRONG_VALUE, our[0])
        count += 1
        if count % 1_000 == 0:
            progress(count)
        their, our = next(theirs, None), next(ours, None)
    return count


def _differs(reason: AuditReason, key: bytes) -> Fault:
    height, what = describe(key)
    return Fault(reason, reason.text("en", {"what": what}), height=height)


def describe(key: bytes) -> tuple[int | None, str]:
    """The height that a key of the store belongs to, where it does, and what it is, for people."""
    kind, rest = key[:1], key[1:]
    names = {
        layout.BLOCK: "block",
        layout.CERTIFICATE: "certificate",
        layout.RECEIPTS: "receipts",
        layout.VALIDATORS: "validator set",
    }
    if kind in names and len(rest) == 8:
        return int.from_bytes(rest, "big"), names[kind]
    if kind == layout.STATE:
        return None, f"state row {rest.decode('utf-8', 'replace')}"
    if kind == layout.NODE:
        return None, f"state tree node {rest.decode('utf-8', 'replace') or 'at the root'}"
    if kind == layout.TRANSACTION:
        return None, f"index entry of transaction {rest.hex()}"
    if kind == layout.HISTORY:
        subject, _, place = rest.partition(b"\x00")
        height = int.from_bytes(place[:8], "big") if len(place) == 14 else None
        return height, f"history entry of {subject.decode('utf-8', 'replace')}"
    return None, f"value {key[:24].decode('utf-8', 'replace')}"
