"""Load on a network and what became of it: open loop at a rate, closed loop by so many writers.

A write's clock starts when it is due. In an open loop that is its place in the schedule, whether or not it could be
sent then, so that a stall counts for every write that it delays; in a closed loop it is when its writer is free.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
import msgspec

from benchmarks.results import percentile
from edge.http.names import TRANSACTION_TYPE, TRANSACTIONS_TYPE
from edge.http.shapes import SubmittedTransactions
from edge.writers import monotonic_ms
from ledger.encoding import pack

ANSWER_WITHIN_MS = 20_000
BEGINS_IN_MS = 200.0

Send = Callable[[int], Awaitable[None]]
"""Makes the write of that number and returns when it is in a certified block; `NotDone` if it is not."""


class NotDone(Exception):
    """The write was not taken, or not committed in time: the message says in a word why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One write, in ms of the monotonic clock. `done_ms` None: it failed, for the reason that `fault` names."""

    due_ms: float
    done_ms: float | None
    fault: str = ""


class Measured(msgspec.Struct, frozen=True):
    """Some writes, from when they were due."""

    writes: int
    done: int
    failed: int
    per_s: float
    """Writes done a second, from the first due to the last done."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    longest_ms: float | None
    faults: dict[str, int]


async def open_loop(send: Send, rate_per_s: float, count: int, chance: random.Random, *, each: int = 1) -> list[Sample]:
    """`count` sends, due at `rate_per_s` whatever became of those before, each a little off its tick.

    A send makes `each` writes, here and below.
    """
    samples: list[Sample] = []
    start_ms = monotonic_ms() + BEGINS_IN_MS
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            # Around its tick, so that no write falls into step with a timer of ours.
            due_ms = start_ms + (number + chance.random()) * 1000 / rate_per_s
            wait_ms = start_ms + number * 1000 / rate_per_s - monotonic_ms()
            if wait_ms > 0:
                await asyncio.sleep(wait_ms / 1000)
            group.create_task(_at(send, number, due_ms, samples, each))
    return samples


async def _at(send: Send, number: int, due_ms: float, samples: list[Sample], each: int) -> None:
    await asyncio.sleep(max(0.0, (due_ms - monotonic_ms()) / 1000))
    samples += [await _one(send, number, due_ms)] * each


async def closed_loop(send: Send, writers: int, seconds: float, most: int, *, each: int = 1) -> list[Sample]:
    """Each writer sends again when it has the answer to its last; at most `most` times in all."""
    samples: list[Sample] = []
    numbers = iter(range(most))
    ends_ms = monotonic_ms() + seconds * 1000

    async def writer() -> None:
        for number in numbers:
            due_ms = monotonic_ms()
            if due_ms >= ends_ms:
                return
            samples.extend([await _one(send, number, due_ms)] * each)

    async with asyncio.TaskGroup() as group:
        for _ in range(writers):
            group.create_task(writer())
    return samples


async def _one(send: Send, number: int, due_ms: float) -> Sample:
    try:
        await send(number)
    except NotDone as fault:
        return Sample(due_ms, None, str(fault))
    return Sample(due_ms, monotonic_ms())


def measured(samples: Sequence[Sample], warm_up: int = 0) -> Measured:
    """The statistics of all but the `warm_up` writes that were due first."""
    counted = sorted(samples, key=lambda sample: sample.due_ms)[warm_up:]
    done = [sample.done_ms for sample in counted if sample.done_ms is not None]
    latencies = sorted(s.done_ms - s.due_ms for s in counted if s.done_ms is not None)
    faults: dict[str, int] = {}
    for sample in counted:
        if sample.done_ms is None:
            faults[sample.fault] = faults.get(sample.fault, 0) + 1
    span_s = (max(done) - counted[0].due_ms) / 1000 if done else 0.0

    def at(share: float) -> float | None:
        return round(percentile(latencies, share), 2) if latencies else None

    return Measured(
        len(counted), len(done), len(counted) - len(done), round(len(done) / span_s, 1) if span_s > 0 else 0.0,
        at(0.5), at(0.95), at(0.99), at(0.999), at(1.0), faults,
    )  # fmt: skip


def curve(samples: Sequence[Sample], warm_up: int = 0) -> list[float]:
    """The latencies' 0th to 100th percentile, for a plot of their distribution."""
    counted = sorted(samples, key=lambda sample: sample.due_ms)[warm_up:]
    latencies = sorted(s.done_ms - s.due_ms for s in counted if s.done_ms is not None)
    return [round(percentile(latencies, share / 100), 2) for share in range(101)] if latencies else []


class _Receipt(msgspec.Struct):
    reason: str


class _Answer(msgspec.Struct):
    receipt: _Receipt


class _Outcome(msgspec.Struct):
    status: str
    reason: str


class _Outcomes(msgspec.Struct):
    results: list[_Outcome]


@dataclass(frozen=True, slots=True)
class Poster:
    """Hands in transactions that were signed beforehand, to the nodes in turn, once each: no second try.

    With a `batch` above one so many go in one request, which is done when all of them are.
    """

    session: aiohttp.ClientSession
    urls: Sequence[str]
    raws: Sequence[bytes]
    takes_refusals: bool = False
    """Whether a receipt that names a refusal counts as done: blank writes are refused, each of them."""
    batch: int = 1

    async def __call__(self, number: int) -> None:
        many = self.batch > 1
        raws = self.raws[number * self.batch : (number + 1) * self.batch]
        path = "/v1/transactions/batch" if many else "/v1/transactions"
        url = f"{self.urls[number % len(self.urls)]}{path}?wait=committed&timeout_ms={ANSWER_WITHIN_MS}"
        data = pack(SubmittedTransactions(tuple(raws))) if many else raws[0]
        headers = {"Content-Type": TRANSACTIONS_TYPE if many else TRANSACTION_TYPE}
        try:
            async with self.session.post(url, data=data, headers=headers) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotDone(type(error).__name__) from None
        if answer.status != 200:
            raise NotDone(f"status {answer.status}")
        for status, reason in _outcomes(body, many=many):
            if status != "committed" or (reason and not self.takes_refusals):
                raise NotDone(reason or status)


def _outcomes(body: bytes, *, many: bool) -> list[tuple[str, str]]:
    if many:
        return [(one.status, one.reason) for one in msgspec.json.decode(body, type=_Outcomes).results]
    return [("committed", msgspec.json.decode(body, type=_Answer).receipt.reason)]
