"""What a demo's report rests on: every write counted in every node's chain, every node's data audited."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.verify import Terms, verify_store
from edge.writers import Write
from ledger.audit import Fault, stored_blocks
from ledger.contract import Runtime
from ledger.encoding import unpack
from ledger.genesis import Genesis
from ledger.refusal import Refused
from ledger.store import LevelDb
from ledger.types import Block, Transaction


@dataclass(frozen=True, slots=True)
class Checked:
    """One node's data after the run."""

    node_id: str
    height: int
    head_hash: str
    transactions: int
    values: int
    """Stored values compared with what executing the blocks again gives."""
    blocks_per_s: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Where transactions stand in a chain: how often each, and at which height it was last met."""

    counts: Mapping[bytes, int]
    heights: Mapping[bytes, int]


def places(home: Path) -> Places:
    """Every transaction in the chain of a stopped node."""
    counts: Counter[bytes] = Counter()
    heights: dict[bytes, int] = {}
    store = LevelDb(load_config(home / CONFIG_NAME).store, create=False)
    try:
        for stored in stored_blocks(store):
            for raw in unpack(Block, stored.raw, len(stored.raw)).transactions:
                transaction_id = Transaction.parse(raw).id
                counts[transaction_id] += 1
                heights[transaction_id] = stored.height
    finally:
        store.close()
    return Places(counts, heights)


def check_writes(writes: Sequence[Write], found: Places) -> list[str]:
    """What is wrong with how the writes stand in a chain: each that was sent, acknowledged or not, exactly once."""
    problems: list[str] = []
    for write in writes:
        count = found.counts.get(write.transaction_id, 0)
        if count != 1:
            said = "acknowledged" if write.acknowledged_ms is not None else "never acknowledged"
            problems.append(f"{write.ref} ({write.transaction_id.hex()[:16]}…, {said}) is {count} times in the chain")
        elif write.height is not None and found.heights[write.transaction_id] != write.height:
            stands = found.heights[write.transaction_id]
            problems.append(f"{write.ref} was acknowledged at height {write.height} and stands at {stands}")
    foreign = len(found.counts) - len({w.transaction_id for w in writes} & set(found.counts))
    if foreign:
        problems.append(f"{foreign} transactions are in the chain that nobody sent")
    return problems


def check_data(
    node_id: str,
    home: Path,
    genesis: Genesis,
    runtime: Runtime,
    writes: Sequence[Write],
    progress: Callable[[int, int | None], None],
) -> Checked:
    """Audit a stopped node's data, and count the writes in it."""
    try:
        started = time.monotonic()
        report = verify_store(load_config(home / CONFIG_NAME).store, Terms(genesis, runtime, progress))
        seconds = time.monotonic() - started
        problems = check_writes(writes, places(home))
    except (Fault, Refused) as fault:
        return Checked(node_id, 0, "", 0, 0, 0, (f"{node_id}: {fault}",))
    return Checked(
        node_id,
        report.height,
        report.head_hash,
        report.transactions,
        report.stored_values,
        int(report.blocks / max(seconds, 1e-9)),
        tuple(f"{node_id}: {p}" for p in problems),
    )
