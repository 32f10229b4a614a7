"""Sync: a node that is behind asks its peers for certified blocks. It never turns off. Time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from edge.wire import MAX_SYNC_BLOCKS, MAX_SYNC_BYTES, Blocks, CertifiedBlock, GetBlocks
from ledger.chain import Chain
from ledger.types import ValidatorSet

GRACE_MS = 150
"""A single height behind is what the consensus itself catches up with; only when it does not, sync asks."""
ANSWER_TIMEOUT_MS = 2_000
AVOID_MS = 10_000
"""A peer that gave a wrong or no answer is not asked again for this long, unless there is no other."""


MAX_SERVED_PER_SECOND = 200
"""Answers to one peer (rule 11): one that really catches up executes what it gets before it asks again."""


@dataclass(frozen=True, slots=True)
class Request:
    peer: str
    from_height: int


@dataclass(slots=True)
class _Asked:
    peer: str
    at_ms: int


class Sync:
    def __init__(self) -> None:
        self._heights: dict[str, int] = {}
        self._avoid_until_ms: dict[str, int] = {}
        self._asked: _Asked | None = None
        self._served: dict[str, tuple[int, int]] = {}
        """How many requests of a peer came within which second."""
        self._behind_since_ms: int | None = None

    @property
    def best_height(self) -> int:
        """The greatest height that any peer says it has."""
        return max(self._heights.values(), default=0)

    def credible_height(self, validators: ValidatorSet) -> int:
        """The greatest height that more validators say they have than may be lying: there is a chain that long."""
        heights = sorted((at for peer, at in self._heights.items() if validators.find(peer)), reverse=True)
        return heights[validators.faults] if len(heights) > validators.faults else 0

    def height_of(self, peer: str) -> int | None:
        return self._heights.get(peer)

    def peer_at(self, peer: str, height: int) -> None:
        """A peer says, or shows, that it has `height`."""
        self._heights[peer] = max(height, self._heights.get(peer, 0))

    def peer_gone(self, peer: str) -> None:
        self._heights.pop(peer, None)
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None

    def answered(self, peer: str) -> None:
        """Blocks of a peer have come."""
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None

    def disappointed(self, peer: str, now_ms: int) -> None:
        """A peer's blocks were wrong, or not what it promised."""
        self._avoid_until_ms[peer] = now_ms + AVOID_MS
        self._heights.pop(peer, None)

    def next_request(self, height: int, now_ms: int) -> Request | None:
        """Whom to ask for what now; None if nothing is missing or an answer is awaited."""
        best = self.best_height
        if best <= height:
            self._behind_since_ms = None
            self._asked = None
            return None
        if self._behind_since_ms is None:
            self._behind_since_ms = now_ms
        if self._asked is not None:
            if now_ms - self._asked.at_ms < ANSWER_TIMEOUT_MS:
                return None
            self._avoid_until_ms[self._asked.peer] = now_ms + AVOID_MS
        if best == height + 1 and now_ms - self._behind_since_ms < GRACE_MS:
            return None
        able = sorted(peer for peer, at in self._heights.items() if at > height)
        willing = [peer for peer in able if self._avoid_until_ms.get(peer, 0) <= now_ms] or able
        # Ask the one that is furthest; among equals, turn by height so that the load is shared.
        willing.sort(key=lambda peer: -self._heights[peer])
        equals = [peer for peer in willing if self._heights[peer] == self._heights[willing[0]]]
        peer = equals[height % len(equals)]
        self._asked = _Asked(peer, now_ms)
        return Request(peer, height + 1)

    def may_serve(self, peer: str, now_ms: int) -> bool:
        """Whether a peer that asks for blocks has not asked too often within this second."""
        second, count = self._served.get(peer, (0, 0))
        count = count + 1 if second == now_ms // 1_000 else 1
        self._served[peer] = (now_ms // 1_000, count)
        return count <= MAX_SERVED_PER_SECOND

    def advanced(self, now_ms: int) -> None:
        """The head has moved: the grace begins anew."""
        self._behind_since_ms = now_ms

    def next_deadline_ms(self, height: int) -> int | None:
        if self.best_height <= height or self._behind_since_ms is None:
            return None
        if self._asked is not None:
            return self._asked.at_ms + ANSWER_TIMEOUT_MS
        return self._behind_since_ms + GRACE_MS


def blocks_from(chain: Chain, request: GetBlocks) -> Blocks:
    """What a peer asks for, as far as it is here and fits into one answer."""
    items: list[CertifiedBlock] = []
    size = 0
    height = request.from_height
    while len(items) < min(request.limit, MAX_SYNC_BLOCKS) and size < MAX_SYNC_BYTES:
        block, certificate = chain.raw_block(height), chain.raw_certificate(height)
        if block is None or certificate is None:
            break
        items.append(CertifiedBlock(block, certificate))
        size += len(block)
        height += 1
    return Blocks(tuple(items))
