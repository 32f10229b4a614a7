"""The faults, each a few lines: what is done to the network, for how long, and how it is undone.

What is left broken on purpose is only what an operator would find so: a node that ended is started again by the suite,
as systemd does. Only processes, ports and mounts that the suite made itself are ever touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.world import World

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
DISK_BYTES = 48_000_000
IDLE_CONNECTIONS = 2_000


def _always() -> str:
    return ""


def _as_root() -> str:
    return "" if os.geteuid() == 0 else "needs root, to mount a small disk"


def _with_faketime() -> str:
    return "" if FAKETIME.exists() else "needs libfaketime (apt-get install libfaketime)"


@dataclass(frozen=True, slots=True)
class Fault:
    """`of` does it on entry and undoes it on exit; `lacking` says what this machine lacks for it, if anything."""

    name: str
    of: Callable[[World], AbstractAsyncContextManager[None]]
    lasts_s: float = 5.0
    lacking: Callable[[], str] = _always


# -- processes ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def killed(world: World) -> AsyncIterator[None]:
    """kill -9, of any node, and a second of the others when that one is back."""
    for _ in range(2):
        node = world.some()
        await asyncio.to_thread(world.net.kill, node)
        await asyncio.sleep(world.chance.uniform(0.2, 2.0))
        world.start(node)
        await world.healed()
    yield


def _frozen(count: int) -> Callable[[World], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def frozen(world: World) -> AsyncIterator[None]:
        pids = [pid for node in world.chance.sample(world.nodes, count) if (pid := world.net.pid(node)) is not None]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    return frozen


@asynccontextmanager
async def all_killed(world: World) -> AsyncIterator[None]:
    for node in world.nodes:
        await asyncio.to_thread(world.net.kill, node)
    for node in world.nodes:
        world.start(node)
    yield


@asynccontextmanager
async def one_by_one(world: World) -> AsyncIterator[None]:
    """As software is upgraded: a node is stopped in order and started again, and the next only when all are well."""
    for node in world.nodes:
        await world.stop(node)
        world.start(node)
        await world.healed()
    yield


# -- links -------------------------------------------------------------------------------------------------------------


@contextmanager
def _healed_links(world: World) -> Iterator[None]:
    try:
        yield
    finally:
        world.links.heal()


@asynccontextmanager
async def halves(world: World) -> AsyncIterator[None]:
    """Two and two: neither has a quorum."""
    a, b = world.nodes[:2], world.nodes[2:]
    world.links.separate({(x, y) for x in a for y in b} | {(y, x) for x in a for y in b})
    with _healed_links(world):
        yield


@asynccontextmanager
async def ring(world: World) -> AsyncIterator[None]:
    """Each node has only its two neighbours."""
    n = world.nodes
    across = [(n[0], n[2]), (n[1], n[3])]
    world.links.separate({*across, *((y, x) for x, y in across)})
    with _healed_links(world):
        yield


@asynccontextmanager
async def one_way(world: World) -> AsyncIterator[None]:
    """A node is heard by nobody and hears everybody."""
    mute = world.some()
    world.links.separate({(mute, other) for other in world.nodes if other != mute})
    with _healed_links(world):
        yield


@asynccontextmanager
async def slow_and_lossy(world: World) -> AsyncIterator[None]:
    """200 ms each way, and one packet in twenty sent again."""
    world.links.delay_s, world.links.loss = 0.2, 0.05
    with _healed_links(world):
        yield


# -- disks and clocks --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def wiped(world: World) -> AsyncIterator[None]:
    node = world.some()
    await asyncio.to_thread(world.net.kill, node)
    shutil.rmtree(world.net.home(node) / "data")
    world.start(node)
    yield


@asynccontextmanager
async def _small_disk(world: World) -> AsyncIterator[Path]:
    """A node's data moved to a small disk of its own, and back when the fault is over."""
    node = world.some()
    data = world.net.home(node) / "data"
    beside = data.with_name("data.beside")
    await world.stop(node)
    data.rename(beside)
    data.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "daicho-faults", str(data))
    try:
        shutil.copytree(beside, data, dirs_exist_ok=True)
        world.start(node)
        await world.healed()
        yield data
    finally:
        await world.stop(node)
        shutil.rmtree(beside)
        shutil.copytree(data, beside)
        _run("umount", str(data))
        data.rmdir()
        beside.rename(data)


@asynccontextmanager
async def disk_full(world: World) -> AsyncIterator[None]:
    async with _small_disk(world) as data:
        filler = data / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4_096))
        yield
        filler.unlink()


@asynccontextmanager
async def disk_read_only(world: World) -> AsyncIterator[None]:
    """A node is started on a disk that can only be read, as a failing one turns: it does not take part until mended."""
    async with _small_disk(world) as data:
        node = data.parent.name
        await world.stop(node)
        _run("mount", "-o", "remount,ro", str(data))
        world.start(node)
        yield
        _run("mount", "-o", "remount,rw", str(data))


def _clock_off(offset: str) -> Callable[[World], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def clock_off(world: World) -> AsyncIterator[None]:
        node = world.some()
        await world.stop(node)
        faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        os.environ.update(faked)
        try:
            world.start(node)
        finally:
            for name in faked:
                del os.environ[name]
        yield
        await world.stop(node)

    return clock_off


# -- attackers ---------------------------------------------------------------------------------------------------------


def _attack(
    port_of: Callable[[World, str], tuple[str, int]],
    connections: int,
    hostile: Callable[[World], bytes],
    pause_s: float,
) -> Callable[[World], AbstractAsyncContextManager[None]]:
    """So many connections to one node; each says what `hostile` makes, every `pause_s` seconds, and opens anew."""

    @asynccontextmanager
    async def attack(world: World) -> AsyncIterator[None]:
        host, port = port_of(world, world.some())

        async def one() -> None:
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(host, port)
                    try:
                        while not writer.is_closing():
                            writer.write(hostile(world))
                            await writer.drain()
                            await asyncio.sleep(pause_s)
                    finally:
                        writer.close()
                await asyncio.sleep(0.05)

        attackers = [asyncio.create_task(one()) for _ in range(connections)]
        try:
            yield
        finally:
            for attacker in attackers:
                attacker.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)

    return attack


def _peer_port(world: World, node: str) -> tuple[str, int]:
    host, _, port = world.net.place(node).peer_address.rpartition(":")
    return host, int(port)


def _http_port(world: World, node: str) -> tuple[str, int]:
    host, _, port = world.net.place(node).http_url.removeprefix("http://").rpartition(":")
    return host, int(port)


def _noise(world: World) -> bytes:
    return world.chance.randbytes(world.chance.randrange(1, 4_000))


def _body(world: World) -> bytes:
    body = world.chance.randbytes(world.chance.randrange(0, 4_000))
    head = f"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: application/vnd.daicho.transaction\r\n\r\n" + body


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


FAULTS = (
    Fault("killed at random", killed, lasts_s=1.0),
    Fault("one stopped, continued", _frozen(1)),
    Fault("two stopped, continued", _frozen(2)),
    Fault("all killed at once", all_killed, lasts_s=1.0),
    Fault("restarted one by one", one_by_one, lasts_s=1.0),
    Fault("parted in halves", halves),
    Fault("parted to a ring", ring),
    Fault("one heard by nobody", one_way),
    Fault("200 ms, 5 % loss", slow_and_lossy, lasts_s=10.0),
    Fault("disk wiped", wiped),
    Fault("disk full", disk_full, lacking=_as_root),
    Fault("disk read-only", disk_read_only, lacking=_as_root),
    Fault("clock an hour ahead", _clock_off("+3600s"), lacking=_with_faketime),
    Fault("clock an hour behind", _clock_off("-3600s"), lacking=_with_faketime),
    Fault("100 held at the peer port", _attack(_peer_port, 100, lambda world: b"", 0.01)),
    Fault("noise at the peer port", _attack(_peer_port, 10, _noise, 0.05)),
    Fault("2,000 idle connections", _attack(_http_port, IDLE_CONNECTIONS, lambda world: b"", 60.0)),
    Fault("slow senders at the API", _attack(_http_port, 100, lambda world: b"G", 0.5)),
    Fault("noise at the API", _attack(_http_port, 10, _body, 0.05)),
)

SHORT = ("killed at random", "parted in halves", "noise at the peer port")
"""What the ordinary tests run."""
