"""`daicho recover`: the worst day, in three steps on separate machines.

`prepare` looks at the homes that survive and makes the blocks to be signed; `sign` is done wherever a recovery key is
kept, from files alone; `apply` puts enough signatures together and writes the blocks into a survivor's home. Everybody
else gets them by ordinary sync. What is certified and what a survivor had prepared is carried on; what was certified at
the destroyed sites only is not there, and nothing here pretends that it is.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from consensus.events import PreparedRecord
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.journal import contents_of, read_journal
from ledger import recovery, rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.encoding import encode, unpack
from ledger.genesis import Genesis, load_genesis
from ledger.kv import Reader
from ledger.overlay import Overlay
from ledger.refusal import Reason, Refused, Text
from ledger.rules import MAX_BLOCK_BYTES, ExecutedBlock
from ledger.store import LevelDb
from ledger.types import MAX_LIFETIME_MS, Block, Certificate, Header, Seal, Transaction, TransactionBody

FORMAT = "daicho/recovery/1"
SIGNATURE_FORMAT = "daicho/recovery-signature/1"


class RecoverReason(Reason):
    SPLIT = Text(
        "{first} と {second} の台帳が高さ {height} で食い違っています",
        "{first} and {second} hold different blocks at height {height}: find out which one lies before anything else",
    )
    NOT_A_RECOVERY_FILE = Text(
        "{path} は復旧の手続きファイルではありません", "{path} is not a file of daicho recover: {detail}"
    )
    REFUSED_HERE = Text("復旧を実行できません: {detail}", "the recovery cannot be carried out: {detail}")
    OTHER_BLOCK = Text(
        "高さ {height} には別のブロックが既にあります。二つ目の復旧はできません",
        "another block stands at height {height} already: a chain is recovered once, and the first recovery stays",
    )
    BEHIND = Text(
        "この台帳は高さ {found} で、復旧は {height} から始まります。最も進んだノードに適用してください",
        "this home stands at {found} and the recovery begins at {height}: apply it to the survivor that is furthest",
    )
    OTHER_CHAIN = Text("別の台帳のファイルです", "the file belongs to another chain")


class RecoveryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be signed, and, for people, what it says. The blocks are hexadecimal, in rising height."""

    format: str
    chain_id: str
    parent_height: int
    validators: tuple[str, ...]
    reason: str
    carries_on: bool
    blocks: tuple[str, ...]

    def raw_blocks(self) -> list[bytes]:
        return [bytes.fromhex(block) for block in self.blocks]

    def headers(self) -> list[Header]:
        return [unpack(Block, raw, MAX_BLOCK_BYTES).header for raw in self.raw_blocks()]


class SignatureFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One recovery key's seals, one a block."""

    format: str
    chain_id: str
    key: str
    signatures: tuple[str, ...]


class _Copy:
    """A store with changes above it that are never written."""

    def __init__(self, base: Reader) -> None:
        self._over = Overlay(base)

    def get(self, key: bytes) -> bytes | None:
        return self._over.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._over.scan(start, stop)

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        for key, value in batch.items():
            if value is None:
                self._over.delete(key)
            else:
                self._over.put(key, value)
        self._over.keep()


@dataclass(frozen=True, slots=True)
class _Survivor:
    name: str
    store: LevelDb
    chain: Chain
    prepared: PreparedRecord | None


@contextlib.contextmanager
def _open(home: Path) -> Iterator[_Survivor]:
    config = load_config(home / CONFIG_NAME)
    genesis = load_genesis(config.path(config.values.genesis).read_bytes())
    prepared: PreparedRecord | None = None
    if config.journal.exists():
        observe, records, _ = read_journal(config.journal.read_bytes(), str(config.journal))
        prepared = contents_of(observe, records).prepared
    store = LevelDb(config.store, create=False)
    try:
        yield _Survivor(str(home), store, Chain.open(store, genesis), prepared)
    finally:
        store.close()


def prepare(
    homes: Sequence[Path],
    runtime: Runtime,
    *,
    validators: Sequence[str],
    reason: str,
    account: str,
    key: SigningKey,
) -> RecoveryFile:
    """The blocks to sign, made from the homes that survive. `Refused` if they contradict each other.

    The highest certified head is the base. If a survivor had prepared a block above it, that one may have been decided
    at the destroyed sites and is carried on.
    """
    with ExitStack() as stack:
        survivors = [stack.enter_context(_open(home)) for home in homes]
        best = max(survivors, key=lambda s: s.chain.height)
        for other in survivors:
            ours = best.chain.header(other.chain.height)
            if ours is None or ours.hash != other.chain.head.hash:
                raise Refused(RecoverReason.SPLIT, first=best.name, second=other.name, height=other.chain.height)
        parent = best.chain.height
        scratch = Chain(_Copy(best.store), best.chain.genesis)
        above = [s.prepared for s in survivors if s.prepared is not None and s.prepared.height == parent + 1]
        blocks: list[bytes] = []
        if above:
            carried = max(above, key=lambda p: p.round)
            executed = rules.check_block(scratch, runtime, carried.block, is_signed=Transaction.is_signed)
            scratch.commit(executed, _unsigned(executed))
            blocks.append(carried.block)
        blocks.append(_recovery_block(scratch, runtime, validators, reason, account, key).raw)
        return RecoveryFile(
            FORMAT,
            scratch.chain_id.hex(),
            parent,
            tuple(sorted(validators)),
            reason,
            bool(above),
            tuple(block.hex() for block in blocks),
        )


def _unsigned(executed: ExecutedBlock) -> Certificate:
    return Certificate(executed.height, 0, executed.digest, ())


def _recovery_block(
    chain: Chain, runtime: Runtime, validators: Sequence[str], reason: str, account: str, key: SigningKey
) -> ExecutedBlock:
    time_ms = max(time.time_ns() // 1_000_000, chain.head.time_ms)
    body = TransactionBody(
        chain.chain_id,
        account,
        key.public_key,
        recovery.CONTRACT,
        recovery.METHOD,
        encode({"validators": sorted(validators), "reason": reason}),
        os.urandom(16),
        time_ms + MAX_LIFETIME_MS,
    )
    transaction = Transaction.sign(body, key)
    executed = rules.build_block(chain, runtime, [transaction], time_ms=time_ms, proposer=recovery.PROPOSER)
    if not executed.receipts:
        # `build_block` leaves out what may not enter; asked again by itself, the rule says why.
        rules.check_transaction(chain.chain_id, chain.state, chain.height_of, transaction, time_ms)
    receipt = executed.receipts[0]
    if not receipt.done:
        raise Refused(RecoverReason.REFUSED_HERE, detail=runtime.reason_text(receipt.reason, receipt.params, "en"))
    return executed


def sign(file: RecoveryFile, genesis: Genesis, key: SigningKey) -> SignatureFile:
    """One recovery key's signature over every block of the file; needs no node and no network."""
    if file.chain_id != genesis.chain_id.hex():
        raise Refused(RecoverReason.OTHER_CHAIN)
    seals = [recovery.seal(header, genesis.recovery, key) for header in file.headers()]
    return SignatureFile(
        SIGNATURE_FORMAT, file.chain_id, seals[0].node_id, tuple(seal.signature.hex() for seal in seals)
    )


def certificates(file: RecoveryFile, signatures: Sequence[SignatureFile]) -> list[Certificate]:
    """The certificate of each block, from the signature files."""
    made: list[Certificate] = []
    for place, header in enumerate(file.headers()):
        seals = [Seal(s.key, bytes.fromhex(s.signatures[place])) for s in signatures if place < len(s.signatures)]
        seals.sort(key=lambda seal: seal.node_id)
        made.append(Certificate(header.height, 0, header.hash, tuple(seals)))
    return made


def apply(file: RecoveryFile, signatures: Sequence[SignatureFile], home: Path, runtime: Runtime) -> int:
    """Write the recovery into a survivor's home; the new height. `Refused` and nothing written if anything is amiss."""
    with _open(home) as survivor:
        chain = survivor.chain
        if file.chain_id != chain.chain_id.hex() or any(s.chain_id != file.chain_id for s in signatures):
            raise Refused(RecoverReason.OTHER_CHAIN)
        if chain.height < file.parent_height:
            raise Refused(RecoverReason.BEHIND, found=chain.height, height=file.parent_height)
        _judge(Chain(_Copy(survivor.store), chain.genesis), file, signatures, runtime)
        _judge(chain, file, signatures, runtime)
        return chain.height


def _judge(chain: Chain, file: RecoveryFile, signatures: Sequence[SignatureFile], runtime: Runtime) -> None:
    """Check and commit each block that is not there yet."""
    for raw, certificate in zip(file.raw_blocks(), certificates(file, signatures), strict=True):
        present = chain.header(certificate.height) if certificate.height <= chain.height else None
        if present is not None:
            if present.hash != certificate.block_hash:
                raise Refused(RecoverReason.OTHER_BLOCK, height=certificate.height)
            continue
        executed = rules.check_block(chain, runtime, raw, is_signed=Transaction.is_signed, recovered=True)
        rules.check_certificate(executed.block.header, certificate, chain.validators, chain.genesis.recovery)
        chain.commit(executed, certificate)


def read_recovery(path: Path) -> RecoveryFile:
    """`Refused(RecoverReason)` if the file is not one that `prepare` wrote."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=RecoveryFile)
        headers = file.headers()
    except (msgspec.DecodeError, ValueError, Refused) as error:
        raise Refused(RecoverReason.NOT_A_RECOVERY_FILE, path=str(path), detail=str(error)[:100]) from None
    if file.format != FORMAT or not headers:
        raise Refused(RecoverReason.NOT_A_RECOVERY_FILE, path=str(path), detail="another format")
    return file


def read_signature(path: Path) -> SignatureFile:
    """`Refused(RecoverReason)` if the file is not one that `sign` wrote."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=SignatureFile)
        for signature in file.signatures:
            bytes.fromhex(signature)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(RecoverReason.NOT_A_RECOVERY_FILE, path=str(path), detail=str(error)[:100]) from None
    if file.format != SIGNATURE_FORMAT:
        raise Refused(RecoverReason.NOT_A_RECOVERY_FILE, path=str(path), detail="another format")
    return file


def write_file(path: Path, file: RecoveryFile | SignatureFile) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")


def told(file: RecoveryFile) -> list[str]:
    """What a person must read before signing."""
    headers = file.headers()
    lines = [
        f"chain          {file.chain_id}",
        f"stands on      block {file.parent_height}",
        f"new validators {', '.join(file.validators)}",
        f"reason         {file.reason}",
    ]
    if file.carries_on:
        lines.append(
            f"carries on     block {headers[0].height}, which a survivor had prepared: {headers[0].hash.hex()}"
        )
    lines.append(f"recovery block {headers[-1].height}: {headers[-1].hash.hex()}")
    return lines
