"""Metrics for Prometheus, named as the field names them. Label sets are bounded: codes, operations, node ids."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.node_view import NodeStatus, NodeView, in_sync, reachable_validators
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, ValidatorSet

# When each series began tells nobody anything, and doubles their number.
disable_created_metrics()  # type: ignore[no-untyped-call]

MAX_CODES = 200
"""Refusal codes counted one by one; contracts name their own, so any more are counted as `other`."""

LATENCY_S = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
INTERVAL_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
BLOCK_BYTES = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000)
BLOCK_TRANSACTIONS = (0, 1, 2, 5, 10, 50, 100, 500, 1_000, 5_000)


class Metrics:
    """One node's metrics, in a registry of their own, so that several nodes can live in one process."""

    def __init__(self, node: NodeView) -> None:
        self.registry = CollectorRegistry()
        self._codes: set[str] = set()
        self._last_block_ms: int | None = None
        self._node = node
        registry = self.registry
        self._requests = Counter(
            "daicho_http_requests",
            "Requests answered, by operation and status.",
            ("operation", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "daicho_http_request_seconds",
            "Time to answer a request, waiting for blocks included.",
            ("operation",),
            buckets=LATENCY_S,
            registry=registry,
        )
        self._refusals = Counter(
            "daicho_refusals", "Requests refused by this node, by code of the reason.", ("code",), registry=registry
        )
        self._receipts = Counter(
            "daicho_transactions", "Transactions committed, by what became of them.", ("outcome",), registry=registry
        )
        self._commit_seconds = Histogram(
            "daicho_commit_seconds",
            "From a transaction's submission here to its block on this node's disk.",
            buckets=LATENCY_S,
            registry=registry,
        )
        self._block_bytes = Histogram(
            "daicho_block_bytes", "Size of committed blocks.", buckets=BLOCK_BYTES, registry=registry
        )
        self._block_transactions = Histogram(
            "daicho_block_transactions",
            "Transactions in committed blocks.",
            buckets=BLOCK_TRANSACTIONS,
            registry=registry,
        )
        self._block_interval = Histogram(
            "daicho_block_interval_seconds",
            "Time between the blocks, as their headers give it.",
            buckets=INTERVAL_S,
            registry=registry,
        )
        self._late_blocks = Counter("daicho_late_blocks", "Blocks decided in a round above 0.", registry=registry)
        self._missing_seals = Counter(
            "daicho_missing_seals",
            "Blocks whose certificate, as kept here, lacks the seal of a validator.",
            ("node",),
            registry=registry,
        )
        registry.register(_NodeCollector(node))

    content_type = CONTENT_TYPE_LATEST

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def request(self, operation: str, status: int, seconds: float) -> None:
        self._requests.labels(operation, str(status)).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def refused(self, code: str) -> None:
        if code not in self._codes:
            if len(self._codes) >= MAX_CODES:
                code = "other"
            self._codes.add(code)
        self._refusals.labels(code).inc()

    def committed_after(self, seconds: float) -> None:
        self._commit_seconds.observe(seconds)

    def on_block(self, executed: ExecutedBlock) -> None:
        header = executed.block.header
        self._block_bytes.observe(len(executed.raw))
        self._block_transactions.observe(header.transaction_count)
        if self._last_block_ms is not None:
            self._block_interval.observe((header.time_ms - self._last_block_ms) / 1000)
        self._last_block_ms = header.time_ms
        done = sum(receipt.done for receipt in executed.receipts)
        self._receipts.labels("done").inc(done)
        self._receipts.labels("refused").inc(len(executed.receipts) - done)
        certificate = self._node.chain.certificate(header.height)
        if certificate is not None:
            self._late_blocks.inc(certificate.round > 0)
            self._count_missing(certificate)

    def _count_missing(self, certificate: Certificate) -> None:
        # A certificate needs only a quorum, so a seal missing now and then is normal; one always missing is not.
        sealed = {seal.node_id for seal in certificate.seals}
        validators: ValidatorSet = self._node.chain.validators
        for node_id in validators.ids:
            if node_id not in sealed:
                self._missing_seals.labels(node_id).inc()


class _NodeCollector(Collector):
    """What is read off the node at the moment of the scrape."""

    def __init__(self, node: NodeView) -> None:
        self._node = node

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        node = self._node
        status, chain = node.status(), node.chain
        reachable = reachable_validators(status, chain.validators)
        quorum = chain.validators.quorum
        gauges: tuple[tuple[str, str, float], ...] = (
            ("daicho_height", "Height of the last block on this node's disk.", chain.height),
            ("daicho_head_time_seconds", "Time of the last block, seconds since 1970.", chain.head.time_ms / 1000),
            ("daicho_round", "The round of the height being decided.", status.round),
            ("daicho_validators", "Validators that vote at the next height.", len(chain.validators)),
            ("daicho_quorum", "Validators needed for a decision.", quorum),
            ("daicho_validators_reachable", "Validators reachable from here, this node included.", len(reachable)),
            ("daicho_quorum_reachable", "1 while enough validators are reachable.", len(reachable) >= quorum),
            ("daicho_votes", "1 while this node votes.", status.votes),
            ("daicho_halted", "1 once this node has stopped taking part.", status.halted is not None),
            ("daicho_peers", "Peers connected.", sum(peer.connected for peer in status.peers)),
            ("daicho_best_height", "Greatest height that any node has shown.", max(chain.height, status.best_height)),
            (
                "daicho_sync_lag_blocks",
                "Blocks behind the best height known.",
                max(0, status.best_height - chain.height),
            ),
            ("daicho_in_sync", "1 while this node answers with today's state.", in_sync(status, chain.height)),
            ("daicho_pool_transactions", "Transactions waiting for a block.", status.pool_count),
            ("daicho_pool_bytes", "Bytes of the transactions waiting.", status.pool_bytes),
            ("daicho_pool_oldest_seconds", "How long the oldest has waited.", status.pool_oldest_wait_ms / 1000),
        )
        for name, about, value in gauges:
            yield GaugeMetricFamily(name, about, value=float(value))
        if status.certificate_days_left is not None:
            yield GaugeMetricFamily(
                "daicho_certificate_days_left",
                "Days until the peer certificate expires.",
                value=status.certificate_days_left,
            )
        yield from _counted(status)
        yield _peers(status)


def _counted(status: NodeStatus) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "daicho_equivocations",
        "Pairs of conflicting votes of one validator that were seen.",
        value=status.equivocations,
    )
    yield CounterMetricFamily(
        "daicho_misbehaved", "Messages dropped that no honest node sends.", value=status.misbehaved
    )


def _peers(status: NodeStatus) -> Metric:
    family = GaugeMetricFamily("daicho_peer_height", "Greatest height that a peer has shown.", labels=("node",))
    for peer in status.peers:
        if peer.height is not None:
            family.add_metric((peer.node_id,), peer.height)
    return family
