"""What the handlers of the HTTP API share: the node, the limits, and how many wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge.http.errors import ApiReason
from edge.http.limits import ReadPolicy, TokenBuckets
from edge.http.recent import RecentBlocks
from edge.http.settings import HttpSettings
from edge.metrics import Metrics
from edge.node_view import NodeView
from ledger.refusal import Refused


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class Api:
    node: NodeView
    settings: HttpSettings
    metrics: Metrics
    readers: ReadPolicy
    addresses: TokenBuckets
    accounts: TokenBuckets
    recent: RecentBlocks
    streams: set[asyncio.Task[object]] = field(default_factory=set)
    """Event streams open: they are ended when the node stops."""
    snapshots: int = 0
    """Snapshots being sent."""
    waiting: int = 0
    """Requests that wait for a block."""
    document: bytes = b""
    """The OpenAPI document, once somebody has asked for it."""

    @staticmethod
    def of(node: NodeView, settings: HttpSettings, metrics: Metrics) -> Api:
        return Api(
            node,
            settings,
            metrics,
            ReadPolicy(settings),
            TokenBuckets(settings.address_rate),
            TokenBuckets(settings.account_rate),
            RecentBlocks(node.chain),
        )

    @contextmanager
    def waits(self, count: int = 1) -> Iterator[None]:
        """Brackets a wait of `count` transactions for a block; `Refused(TOO_MANY_WAITING)` beyond the bound."""
        if self.waiting + count > self.settings.max_waiting:
            raise Refused(ApiReason.TOO_MANY_WAITING, count=self.waiting)
        self.waiting += count
        try:
            yield
        finally:
            self.waiting -= count

    async def reach(self, height: int, timeout_ms: int) -> None:
        """Until this node is at `height`; `Refused(HEIGHT_NOT_REACHED)` if it is not in time."""
        if self.node.chain.height >= height:
            return
        with self.waits():
            if not await self.node.wait_for_height(height, timeout_ms / 1000):
                raise Refused(ApiReason.HEIGHT_NOT_REACHED, min_height=height, height=self.node.chain.height)
