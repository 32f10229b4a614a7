"""Looks at nodes one by one over HTTP: which answer, where each stands, whether they are enough; takes their blocks.

Not a client: nothing fails over here, since how each single node does is what is asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import aiohttp
import msgspec

from edge.archive import MAX_RECORD_BYTES
from ledger.audit import StoredBlock
from ledger.encoding import Wire, unpack
from ledger.refusal import Reason, Refused, Text

TIMEOUT_S = 3.0
POLL_S = 0.05
BLOCKS_AT_A_TIME = 500


class WatchReason(Reason):
    NO_ANSWER = Text("{url} は応答しません: {detail}", "{url} does not answer: {detail}")
    NOT_A_NODE = Text("{url} の応答はノードのものではありません: {detail}", "{url} is no node of ours: {detail}")
    NOT_IN_TIME = Text("{within_s} 秒以内に {what} になりませんでした", "not within {within_s} s: {what}")


class AdviceText(msgspec.Struct, frozen=True):
    code: str
    text: str
    text_ja: str


class NodeState(msgspec.Struct, frozen=True):
    """What a node says of itself (`GET /v1/status`)."""

    node_id: str
    network: str
    chain_id: str
    height: int
    head_hash: str
    round: int
    leader: str
    votes: bool
    halted: str | None
    observe_through_height: int
    best_height: int
    in_sync: bool
    validators: tuple[str, ...]
    reachable: tuple[str, ...]
    quorum: int
    pool_transactions: int
    equivocations: int
    advice: tuple[AdviceText, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One node: what it says, or that it did not answer."""

    url: str
    state: NodeState | None
    failure: str = ""


class _BlockFrame(Wire, frozen=True):
    """A block as `GET /v1/archive` sends it."""

    block: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORD_BYTES)]
    certificate: bytes
    receipts: tuple[bytes, ...]


class Watch:
    """One HTTP session over the nodes of a network."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = [url.rstrip("/") for url in urls]
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S))

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def read(self) -> list[Reading]:
        """All nodes at this moment, in the order of their URLs."""
        return list(await asyncio.gather(*(self.read_one(url) for url in self.urls)))

    async def read_one(self, url: str) -> Reading:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._session.get(f"{url}/v1/status") as answer:
                body = await answer.read()
                if answer.status != 200:
                    return Reading(url, None, f"status {answer.status}")
                return Reading(url, msgspec.json.decode(body, type=NodeState))
        except TimeoutError:
            return Reading(url, None, "no answer in time")
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, ValueError) as error:
            return Reading(url, None, str(error)[:120])

    async def until_quorum(self, within_s: float) -> list[Reading]:
        """Until every node answers, reaches a quorum and is in sync; `Refused(NOT_IN_TIME)` otherwise."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            readings = await self.read()
            if all(r.state is not None and r.state.in_sync for r in readings) and has_quorum(readings):
                return readings
            self._check_time(deadline, within_s, "all nodes answer and reach a quorum")
            await asyncio.sleep(POLL_S)

    async def until_equal(self, within_s: float) -> list[Reading]:
        """Until the heads of all nodes are the same; `Refused(NOT_IN_TIME)` otherwise."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            readings = await self.read()
            heads = {None if r.state is None else (r.state.height, r.state.head_hash) for r in readings}
            if len(heads) == 1 and None not in heads:
                return readings
            self._check_time(deadline, within_s, "all nodes have the same head")
            await asyncio.sleep(POLL_S)

    def _check_time(self, deadline: float, within_s: float, what: str) -> None:
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(WatchReason.NOT_IN_TIME, what=what, within_s=int(within_s))

    async def blocks(self, url: str, from_height: int = 0) -> AsyncIterator[StoredBlock]:
        """The blocks of one node, from a height to its head."""
        height = from_height
        while True:
            got = await self._some_blocks(url, height)
            for frame in got:
                yield StoredBlock(height, frame.block, frame.certificate or None, frame.receipts)
                height += 1
            if not got:
                return

    async def _some_blocks(self, url: str, height: int) -> list[_BlockFrame]:
        frames: list[_BlockFrame] = []
        try:
            query = {"from": str(height), "limit": str(BLOCKS_AT_A_TIME)}
            async with self._session.get(f"{url}/v1/archive", params=query) as answer:
                if answer.status != 200:
                    raise Refused(WatchReason.NOT_A_NODE, url=url, detail=f"/v1/archive answers {answer.status}")
                while head := await answer.content.read(4):
                    while len(head) < 4:
                        head += await answer.content.readexactly(4 - len(head))
                    length = int.from_bytes(head, "big")
                    if length > MAX_RECORD_BYTES:
                        raise Refused(WatchReason.NOT_A_NODE, url=url, detail=f"a block of {length} bytes")
                    body = await answer.content.readexactly(length)
                    frames.append(unpack(_BlockFrame, body, MAX_RECORD_BYTES))
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise Refused(WatchReason.NO_ANSWER, url=url, detail=str(error)[:120]) from None
        return frames


def states(readings: Sequence[Reading]) -> list[NodeState]:
    return [r.state for r in readings if r.state is not None]


def leader(readings: Sequence[Reading]) -> str | None:
    """Whom most nodes expect to propose."""
    named = Counter(s.leader for s in states(readings) if s.votes)
    return named.most_common(1)[0][0] if named else None


def has_quorum(readings: Sequence[Reading]) -> bool:
    reachable, needed = quorum(readings)
    return 0 < needed <= reachable


def quorum(readings: Sequence[Reading]) -> tuple[int, int]:
    """How many validators take part, as the best-connected node that answers sees it, and how many are needed."""
    seen = states(readings)
    if not seen:
        return 0, 0
    best = max(seen, key=lambda s: (s.height, len(s.reachable)))
    return max(len(s.reachable) for s in seen), best.quorum


def quorum_line(readings: Sequence[Reading]) -> str:
    """`quorum: 4 of 3 needed`, or `no quorum: 2 of 3 needed`."""
    reachable, needed = quorum(readings)
    if not needed:
        return "no node answers"
    return f"{'quorum' if reachable >= needed else 'no quorum'}: {reachable} of {needed} needed"
