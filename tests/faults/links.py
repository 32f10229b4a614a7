"""Links between nodes that can be cut, in one direction or both, and made slow: a proxy on loopback for each of them.

Each node's configuration names, for every peer, a port of ours instead of the peer's. What is held back is not lost, as
on a real line under TCP: it waits in the buffers, and flows on when the line is well again. A lost packet is therefore
a late one, and so is everything behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536
RESENT_AFTER_S = 0.2
"""What TCP waits at least before it sends a lost packet again."""


@dataclass(slots=True)
class Links:
    """All directed links of a network, by (from, to), and their state now."""

    chance: random.Random
    cut: set[tuple[str, str]] = field(default_factory=set)
    delay_s: float = 0.0
    loss: float = 0.0
    _servers: list[asyncio.Server] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _flows: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self, dialer: str, target: str, address: str) -> str:
        """The address at which `dialer` reaches `target`, who listens at `address`."""
        host, _, port = address.rpartition(":")

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                to_reader, to_writer = await asyncio.open_connection(host, int(port))
            except OSError:
                writer.close()
                return
            close = _closer(writer, to_writer)
            for one, other, way in ((reader, to_writer, (dialer, target)), (to_reader, writer, (target, dialer))):
                flow = asyncio.create_task(self._flow(one, other, way, close))
                self._flows.add(flow)
                flow.add_done_callback(self._flows.discard)

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def separate(self, pairs: Iterable[tuple[str, str]]) -> None:
        """From now on nothing passes in these directions."""
        self.cut = set(pairs)

    def heal(self) -> None:
        self.cut, self.delay_s, self.loss = set(), 0.0, 0.0
        self._changed.set()
        self._changed = asyncio.Event()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for flow in list(self._flows):
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def _flow(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: tuple[str, str],
        close: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)

        async def read() -> None:
            while data := await reader.read(CHUNK_BYTES):
                late_s = self.delay_s + (RESENT_AFTER_S if self.chance.random() < self.loss else 0.0)
                await waiting.put((loop.time() + late_s, data))
            await waiting.put((loop.time(), b""))

        async def write() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                while way in self.cut:
                    await self._changed.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        reading = asyncio.create_task(read())
        try:
            with contextlib.suppress(OSError):
                await write()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            close()


def _closer(*writers: asyncio.StreamWriter) -> Callable[[], None]:
    def close() -> None:
        for writer in writers:
            writer.close()

    return close
