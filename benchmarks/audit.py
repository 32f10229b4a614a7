"""How fast a whole chain is audited, beside the rate at which one core of this machine checks signatures.

A chain of the relief contract is made and certified here by four validators, and written
as an archive; then the archive is audited as `daicho verify` does it: every signature, certificate, root and receipt,
every transaction executed again. With one process, and with all cores. The target is half of the signature rate.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

import contracts
from benchmarks.machine import conditions
from benchmarks.results import Result, finish, seed_and_output
from edge.archive import ArchiveWriter
from edge.verify import Terms, verify_archive
from ledger.audit import StoredBlock
from ledger.chain import Chain
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode, pack
from ledger.genesis import Genesis
from ledger.registry import (
    DEFAULT_PARAMETERS,
    OPERATOR,
    Account,
    ContractVersion,
    Node,
    Organisation,
    RecoveryKeys,
)
from ledger.rules import build_block
from ledger.store import LevelDb
from ledger.types import Certificate, Seal, Transaction, TransactionBody
from ledger.votes import commit_payload

START_MS = 1_780_000_000_000
BLOCK_EVERY_MS = 1_000
LIFETIME_MS = 60_000
TARGET = 0.5
CODES = ("132012", "132021", "133612", "133817")
SHELTERS, ITEMS = 40, 30


@dataclass(frozen=True, slots=True)
class Figures:
    blocks: int
    transactions: int
    archive_bytes: int
    one_process_per_s: int
    """Transactions audited a second by one process, signatures included."""
    all_cores_per_s: int
    one_process_ratio: float
    all_cores_ratio: float
    """To the signature rate of one core; the target is 0.5."""


class ChainMaker:
    """Blocks of relief needs: the masters first, then needs registered, changed and closed by 40 shelters."""

    def __init__(self, chain_folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.runtime = contracts.runtime()
        self.validators = {f"node-{i}": SigningKey(bytes([i]) * 32) for i in range(1, 5)}
        self.keys = {"admin": SigningKey(b"a" * 32)}
        self.genesis = self._genesis()
        self.store = LevelDb(chain_folder, scratch=True)
        self.chain = Chain.open(self.store, self.genesis)
        self.open_needs: list[str] = []

    def _genesis(self) -> Genesis:
        def account(name: str, *roles: str) -> Account:
            return Account(name, CODES[0], tuple(sorted(roles)), (self.keys[name].public_key,), False)

        return Genesis(
            "audit-bench",
            START_MS,
            tuple(Organisation(code, code, code) for code in CODES),
            (account("admin", "donations.admin", "donations.officer", OPERATOR),),
            tuple(
                Node(name, code, key.public_key, "localhost:1", "validator")
                for (name, key), code in zip(self.validators.items(), CODES, strict=True)
            ),
            DEFAULT_PARAMETERS,
            tuple(ContractVersion(n, v, 0) for n, v in self.runtime.latest_versions().items()),
            RecoveryKeys(0, ()),
        )

    def call(self, method: str, args: dict[str, Value]) -> Transaction:
        key = self.keys["admin"]
        expires = self.chain.head.time_ms + LIFETIME_MS
        nonce = self.chance.randbytes(16)
        body = TransactionBody(
            self.chain.chain_id, "admin", key.public_key, "donations", method, encode(args), nonce, expires
        )
        return Transaction.sign(body, key)

    def masters(self) -> list[Transaction]:
        shelters: list[dict[str, Value]] = [
            {"shelter": f"s-{i}", "name_ja": f"避難所{i}", "name_en": f"Shelter {i}"} for i in range(SHELTERS)
        ]
        items: list[dict[str, Value]] = [
            {"item": f"i-{i}", "name_ja": f"品{i}", "name_en": f"Item {i}", "category": "food", "unit_ja": "箱"}
            for i in range(ITEMS)
        ]
        return [self.call("register_shelter", s) for s in shelters] + [self.call("register_item", i) for i in items]

    def needs(self, count: int) -> list[Transaction]:
        return [self._one() for _ in range(count)]

    def _one(self) -> Transaction:
        if self.open_needs and self.chance.random() < 0.5:
            need = self.open_needs.pop(self.chance.randrange(len(self.open_needs)))
            return self.call("close_need", {"need": need})
        shelter, item = f"s-{self.chance.randrange(SHELTERS)}", f"i-{self.chance.randrange(ITEMS)}"
        quantity = self.chance.randrange(1, 500)
        return self.call("register_need", {"shelter": shelter, "item": item, "quantity": quantity, "separate": True})

    def block(self, transactions: list[Transaction]) -> StoredBlock:
        """The next block, certified by three of the four."""
        time_ms = self.chain.head.time_ms + BLOCK_EVERY_MS
        made = build_block(self.chain, self.runtime, transactions, time_ms=time_ms, proposer="node-1")
        payload = commit_payload(self.chain.chain_id, made.height, 0, made.digest)
        seals = tuple(Seal(n, self.validators[n].sign(payload)) for n in ("node-1", "node-2", "node-3"))
        certificate = Certificate(made.height, 0, made.digest, seals)
        self.chain.commit(made, certificate)
        for transaction, receipt in zip(made.transactions, made.receipts, strict=True):
            if receipt.done and transaction.body.method == "register_need":
                self.open_needs.append(str(receipt.result["need"]))
        return StoredBlock(made.height, made.raw, pack(certificate), made.raw_receipts)

    def blocks(self, count: int, size: int) -> Iterator[StoredBlock]:
        first = self.chain.raw_block(0)
        yield StoredBlock(0, first or b"", None, ())
        yield self.block(self.masters())
        for _ in range(count):
            yield self.block(self.needs(size))


def audited_per_s(archive: Path, genesis: Genesis, parallel: int) -> tuple[int, int, int]:
    """Transactions audited a second; how many transactions and blocks."""
    started = time.perf_counter()
    report = verify_archive(archive, Terms(genesis, contracts.runtime(), parallel=parallel))
    seconds = time.perf_counter() - started
    if report.refused_receipts * 10 > report.transactions:
        raise RuntimeError(f"{report.refused_receipts} calls were refused: the figures would flatter")
    return int(report.transactions / seconds), report.transactions, report.blocks


def run(folder: Path, blocks: int, size: int, seed: int, checks: int) -> Figures:
    """`checks`: signature checks a second of one core."""
    maker = ChainMaker(folder / "chain", seed)
    archive = folder / "chain.daicho"
    with (
        contextlib.closing(maker.store),
        ArchiveWriter(archive, "archive", maker.genesis.chain_id) as writer,
    ):
        for block in maker.blocks(blocks, size):
            writer.add(block)
        writer.finish()
    one, transactions, count = audited_per_s(archive, maker.genesis, 1)
    cores, _, _ = audited_per_s(archive, maker.genesis, os.cpu_count() or 1)
    return Figures(
        blocks=count,
        transactions=transactions,
        archive_bytes=archive.stat().st_size,
        one_process_per_s=one,
        all_cores_per_s=cores,
        one_process_ratio=round(one / checks, 2),
        all_cores_ratio=round(cores / checks, 2),
    )


@click.command("audit")
@click.option("--blocks", default=200, show_default=True)
@click.option("--size", default=100, show_default=True, help="Transactions a block.")
@seed_and_output
def audit(blocks: int, size: int, seed: int, results: Path, as_json: bool) -> None:
    """The rate of a full audit of an archive, beside that of signature checks alone.

    \b
    Example:
      daicho bench audit --blocks 500
    """
    before = conditions(seed)
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        f = run(Path(folder), blocks, size, seed, before.signature_checks_per_s)
    lines = [
        f"full audit of {f.transactions} transactions in {f.blocks} blocks, an archive of {f.archive_bytes} bytes:",
        f"  one process   {f.one_process_per_s}/s, {f.one_process_ratio} of the signature rate of one core",
        f"  all cores     {f.all_cores_per_s}/s, {f.all_cores_ratio} (target {TARGET})",
    ]
    finish(Result("audit", before, {"blocks": blocks, "size": size}, asdict(f)), lines, results, as_json=as_json)
