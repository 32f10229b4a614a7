"""How large a proof of one record among many is, and how long it takes to check without a network.

The chain is made here, certified as four nodes would; the proofs are what `daicho prove`
writes: of a transaction with its receipt, of a row of the state, and of a row's absence. Checking includes reading the
file and deriving the first validator set from the genesis.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.chains import LongChain, make_chain
from benchmarks.machine import conditions
from benchmarks.results import Plain, Result, finish, seed_and_output
from ledger.light import Inclusion
from ledger.proof import Row, check_proof, row_proof, transaction_proof

RUNS = 20


def inclusion(made: LongChain, transaction_id: bytes) -> Inclusion:
    chain = made.chain
    location = chain.find(transaction_id)
    block = None if location is None else chain.block(location.height)
    if location is None or block is None:
        raise RuntimeError("a transaction that was committed is not in the chain")
    return Inclusion(
        block.header, chain.certificate(location.height), location.index, block.transactions[location.index],
        chain.prove_transaction(location), chain.raw_receipts(location.height)[location.index],
        chain.prove_receipt(location),
    )  # fmt: skip


def row(made: LongChain, key: str) -> Row:
    chain = made.chain
    nodes = chain.prove_state(key.encode()).nodes
    return Row(chain.head, chain.certificate(chain.height), key.encode(), chain.state.get(key.encode()), nodes)


def check_ms(data: bytes, made: LongChain) -> float:
    """The slowest of some runs."""
    slowest = 0.0
    for _ in range(RUNS):
        started = time.perf_counter()
        check_proof(data, made.genesis)
        slowest = max(slowest, (time.perf_counter() - started) * 1000)
    return slowest


@click.command("proof")
@click.option("--transactions", default=100_000, show_default=True)
@seed_and_output
def proof(transactions: int, seed: int, results: Path, as_json: bool) -> None:
    """Sizes of proofs in bytes, and the times to check them.

    \b
    Example:
      daicho bench proof --transactions 10000
    """
    before = conditions(seed)
    figures: dict[str, Plain] = {}
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        made = make_chain(Path(folder) / "chain", transactions, seed)
        middle = made.ids[transactions // 2]
        cases: tuple[tuple[str, Callable[[], bytes]], ...] = (
            ("transaction", lambda: transaction_proof(made.chain.chain_id, [], inclusion(made, middle), middle)),
            ("row", lambda: row_proof(made.chain.chain_id, [], row(made, "governance/account/clerk-7"))),
            ("absence", lambda: row_proof(made.chain.chain_id, [], row(made, "governance/account/nobody"))),
        )
        lines = [f"Proofs of one record among {transactions} transactions ({made.chain.height} blocks):"]
        for name, make in cases:
            data = make()
            slowest_ms = check_ms(data, made)
            figures |= {f"{name}_bytes": len(data), f"{name}_checked_ms": round(slowest_ms, 2)}
            lines.append(f"  {name:<14} {len(data):6} bytes, checked in {slowest_ms:6.2f} ms (slowest of {RUNS})")
        made.store.close()
    finish(Result("proof", before, {"transactions": transactions}, figures), lines, results, as_json=as_json)
