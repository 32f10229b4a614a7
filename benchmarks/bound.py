"""What this machine can do at most: signature checks, hashing, synced writes, round trips.

Every ledger of this kind is bound by the signatures: each of n nodes checks each client's. The other benchmarks state
their figures as a share of that bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

from benchmarks.machine import conditions, signature_checks_per_s
from benchmarks.results import Plain, Result, finish, percentile, seed_and_output
from edge.terminal import TerminalProgress

BLOCK_BYTES = 1024 * 1024
APPENDED_BYTES = 4096


def writes_bound_per_s(checks_per_s: float, processors: int, nodes: int) -> float:
    """Writes a second that no network of `nodes` on one machine can pass: each node checks each write's signature."""
    return checks_per_s * processors / nodes


def checks_on_all_processors_per_s(seconds: float) -> int:
    """Of all processors together, each checking for itself."""
    count = os.cpu_count() or 1
    with ProcessPoolExecutor(count) as pool:
        return sum(pool.map(signature_checks_per_s, [seconds] * count))


def hashed_mb_per_s(seconds: float) -> float:
    block, count, started = bytes(BLOCK_BYTES), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        hashlib.sha256(block).digest()
        count += 1
    return round(count * BLOCK_BYTES / 1e6 / (time.perf_counter() - started), 1)


def synced_ms(folder: Path, seconds: float) -> list[float]:
    """How long appending 4 KiB to a file and syncing it takes, each time."""
    times: list[float] = []
    with (folder / "synced").open("wb", buffering=0) as file:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends or not times:
            started = time.perf_counter()
            file.write(bytes(APPENDED_BYTES))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


async def round_trips_ms(seconds: float) -> list[float]:
    """How long 250 bytes take to an echoing server on this machine and back, over TCP and an event loop."""

    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()
        ended.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or not times:
        started = time.perf_counter()
        writer.write(bytes(250))
        await reader.readexactly(250)
        times.append((time.perf_counter() - started) * 1000)
    writer.close()
    await ended.wait()
    server.close()
    return sorted(times)


def measure(folder: Path, seconds: float) -> dict[str, Plain]:
    checks = checks_on_all_processors_per_s(seconds)
    synced, trips = synced_ms(folder, seconds), asyncio.run(round_trips_ms(seconds))
    return {
        "signature_checks_per_s": signature_checks_per_s(seconds),
        "signature_checks_all_processors_per_s": checks,
        "writes_bound_4_nodes_per_s": round(checks / 4),
        "sha256_mb_per_s": hashed_mb_per_s(seconds),
        "synced_write_p50_ms": round(percentile(synced, 0.5), 3),
        "synced_write_p99_ms": round(percentile(synced, 0.99), 3),
        "synced_writes_per_s": round(1000 * len(synced) / sum(synced)),
        "round_trip_p50_ms": round(percentile(trips, 0.5), 3),
        "round_trip_p99_ms": round(percentile(trips, 0.99), 3),
    }


def lines(figures: dict[str, Plain]) -> list[str]:
    return ["What bounds any ledger on this machine:", *(f"  {name:<40} {value}" for name, value in figures.items())]


@click.command("bound")
@click.option("--seconds", default=1.0, show_default=True, help="For each of the five.")
@seed_and_output
def bound(seconds: float, seed: int, results: Path, as_json: bool) -> None:
    """Signature checks, hashing, synced writes and round trips of this machine.

    \b
    Example:
      daicho bench bound --seconds 3
    """
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        progress.stage(f"about {5 * seconds:.0f} s")
        figures = measure(Path(folder), seconds)
    finish(Result("bound", before, {"seconds": seconds}, figures), lines(figures), results, as_json=as_json)
