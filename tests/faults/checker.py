"""What was acknowledged, compared with what stands in every node's chain. Knows nothing of how either came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.demo_check import Places
from edge.writers import Write


@dataclass(frozen=True, slots=True)
class Kept:
    """Of the writes of one fault. A write is counted once, however many nodes show it wrongly."""

    acknowledged: int
    lost: int
    """Acknowledged, and missing from a chain, or in another block than was proved."""
    doubled: int
    """More than once in a chain, acknowledged or not."""


def judge(writes: Sequence[Write], chains: Mapping[str, Places]) -> Kept:
    """`chains` by node. A write without an answer may be there or not: nobody was told."""
    acknowledged = [w for w in writes if w.acknowledged_ms is not None]
    lost = sum(any(_missing(w, found) for found in chains.values()) for w in acknowledged)
    doubled = sum(any(found.counts.get(w.transaction_id, 0) > 1 for found in chains.values()) for w in writes)
    return Kept(len(acknowledged), lost, doubled)


def forks(heads: Mapping[str, Mapping[int, str]]) -> list[int]:
    """Heights at which two nodes have different blocks; `heads` is node → height → block's hash."""
    heights = sorted({height for blocks in heads.values() for height in blocks})
    return [h for h in heights if len({blocks[h] for blocks in heads.values() if h in blocks}) > 1]


def _missing(write: Write, found: Places) -> bool:
    return found.heights.get(write.transaction_id) != write.height
