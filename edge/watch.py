"""Looks at nodes one by one over HTTP: which answer, where each stands, whether they are enough.

Not a client: nothing fails over here, since how each single node does is what is asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import msgspec

from ledger.refusal import Reason, Refused, Text

TIMEOUT_S = 3.0
POLL_S = 0.05


class WatchReason(Reason):
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

    @property
    def reaches_quorum(self) -> bool:
        return len(self.reachable) >= self.quorum


@dataclass(frozen=True, slots=True)
class Reading:
    """One node: what it says, or that it did not answer."""

    url: str
    state: NodeState | None
    failure: str = ""


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
            if all(r.state is not None and r.state.in_sync and r.state.reaches_quorum for r in readings):
                return readings
            self._check_time(deadline, within_s, "every node answers and reaches a quorum")
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
