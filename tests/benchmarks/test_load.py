"""Clocks that begin when a write is due: a stall is counted for everybody whom it made wait."""

from __future__ import annotations

import asyncio
import random

import pytest

from benchmarks.failover import kept, longest_gap_ms
from benchmarks.load import NotDone, Sample, closed_loop, curve, measured, open_loop
from benchmarks.results import percentile
from edge.writers import monotonic_ms


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(n) for n in range(1, 1_001)]
    found = [percentile(values, share) for share in (0.0, 0.001, 0.5, 0.95, 0.99, 0.999, 1.0)]
    assert found == [1, 1, 500, 950, 990, 999, 1_000]
    assert [percentile([7.0], share) for share in (0.0, 0.5, 0.999, 1.0)] == [7, 7, 7, 7]
    assert percentile([1.0, 2.0], 0.5) == 1.0 and percentile([1.0, 2.0], 0.501) == 2.0


def test_latency_counts_from_when_a_write_was_due_and_not_from_when_it_could_be_sent() -> None:
    """A stall of a second at ten writes a second: ten writes waited 1,000, 900 … 100 ms, though each took 1 ms."""
    smooth = [Sample(n * 100.0, n * 100.0 + 1) for n in range(90)]
    stalled = [Sample(9_000.0 + n * 100, 10_000.0 + 1) for n in range(10)]
    found = measured([*smooth, *stalled])
    assert (found.writes, found.done, found.failed) == (100, 100, 0)
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.longest_ms) == (1.0, 501.0, 901.0, 1_001.0)
    assert found.per_s == pytest.approx(10.0, rel=0.01)
    assert curve([*smooth, *stalled])[95] == 501.0


def test_writes_that_failed_are_named_and_have_no_latency() -> None:
    samples = [Sample(0.0, 10.0), Sample(1.0, None, "status 503"), Sample(2.0, None, "status 503"), Sample(3.0, 5.0)]
    found = measured(samples)
    assert (found.done, found.failed, found.faults, found.longest_ms) == (2, 2, {"status 503": 2}, 10.0)
    nothing = measured([Sample(0.0, None, "ClientError")])
    assert (nothing.per_s, nothing.p50_ms, curve([Sample(0.0, None)])) == (0.0, None, [])


def test_the_warm_up_is_what_was_due_first_and_not_what_was_done_first() -> None:
    samples = [Sample(5.0, 6.0), Sample(0.0, 900.0), Sample(10.0, 12.0)]
    assert measured(samples, warm_up=1).longest_ms == 2.0


async def test_an_open_loop_sends_on_while_nobody_answers() -> None:
    gate = asyncio.Event()
    begun: list[int] = []

    async def send(number: int) -> None:
        begun.append(number)
        if len(begun) == 20:
            gate.set()
        await gate.wait()

    samples = await open_loop(send, 1_000, 20, random.Random(1))
    assert sorted(begun) == list(range(20)) and len(samples) == 20
    assert all(s.done_ms is not None and s.done_ms >= s.due_ms for s in samples)
    assert max(s.due_ms for s in samples) - min(s.due_ms for s in samples) < 20.0, "due by the schedule, not by answers"


async def test_in_a_closed_loop_a_writer_waits_for_its_answer() -> None:
    at_once: list[int] = []
    now = 0

    async def send(number: int) -> None:
        nonlocal now
        now += 1
        at_once.append(now)
        await asyncio.sleep(0)
        now -= 1
        if number == 7:
            raise NotDone("status 503")

    began_ms = monotonic_ms()
    samples = await closed_loop(send, 3, 60.0, 50)
    assert len(samples) == 50 and max(at_once) == 3
    assert [s.fault for s in samples if s.done_ms is None] == ["status 503"]
    assert all(s.due_ms >= began_ms for s in samples)


def test_the_gap_is_the_longest_time_without_an_answer() -> None:
    answered = [Sample(0.0, 10.0), Sample(5.0, 700.0), Sample(6.0, None, "Unavailable"), Sample(7.0, 720.0)]
    assert longest_gap_ms(answered) == 690.0
    assert longest_gap_ms([]) == 0.0


def test_lost_doubled_and_moved_writes_are_counted() -> None:
    chain = [(1, b"a"), (2, b"b"), (3, b"b"), (4, b"d")]
    found = kept({b"a": 1, b"b": 3, b"c": 2, b"d": 5}, chain)
    assert (found.acknowledged, found.lost, found.doubled, found.elsewhere) == (4, 1, 1, 1)
