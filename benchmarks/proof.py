"""How large a proof of one record among many is, and how long it takes to check without a network.

`python -m benchmarks.proof`. The chain is made here, certified as four nodes would; the proofs are what `daicho prove`
writes: of a transaction with its receipt, of a row of the state, and of a row's absence. Checking includes reading the
file and deriving the first validator set from the genesis.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.chains import LongChain, make_chain
from benchmarks.machine import conditions, signature_checks_per_s
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


@click.command()
@click.option("--transactions", default=100_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(transactions: int, seed: int) -> None:
    """Print sizes in bytes and times to check in ms."""
    load, checks = os.getloadavg()[0], signature_checks_per_s()
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        made = make_chain(Path(folder) / "chain", transactions, seed)
        middle = made.ids[transactions // 2]
        cases: tuple[tuple[str, Callable[[], bytes]], ...] = (
            ("a transaction", lambda: transaction_proof(made.chain.chain_id, [], inclusion(made, middle), middle)),
            ("a row", lambda: row_proof(made.chain.chain_id, [], row(made, "governance/account/clerk-7"))),
            ("an absence", lambda: row_proof(made.chain.chain_id, [], row(made, "governance/account/nobody"))),
        )
        click.echo(f"Proofs of one record among {transactions} transactions ({made.chain.height} blocks):")
        for name, make in cases:
            data = make()
            click.echo(
                f"  {name:<14} {len(data):6} bytes, checked in {check_ms(data, made):6.2f} ms (slowest of {RUNS})"
            )
        made.store.close()
    for line in conditions(seed, checks, load):
        click.echo(line)


if __name__ == "__main__":
    main()
