"""Connections to the other nodes: one a pair, mutual TLS, length-prefixed frames, bounded queues, backoff with jitter.

Of two nodes the one with the smaller id dials. Sending never waits: what does not fit a peer's queue pushes out what
has waited longest, and the protocol heals what was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import tls
from edge.config import split_address
from edge.wire import MAX_FRAME_BYTES
from ledger.registry import Node

log = logging.getLogger("daicho.peers")

MAX_QUEUE_BYTES = 64 * 1024 * 1024
MAX_QUEUE_FRAMES = 20_000
WRITE_CHUNK_BYTES = 1024 * 1024
HANDSHAKE_TIMEOUT_S = 5.0
IDLE_TIMEOUT_S = 15.0
"""A peer says something at least every second; one that has been silent this long is gone."""
DIAL_FIRST_S = 0.1
DIAL_LAST_S = 2.0
MAX_STRIKES = 20
STRIKE_WINDOW_S = 60.0


@dataclass(slots=True)
class Link:
    """One live connection."""

    peer: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    queue: deque[bytes] = field(default_factory=deque)
    queued_bytes: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    dropped_frames: int = 0

    def put(self, frame: bytes) -> None:
        self.queue.append(frame)
        self.queued_bytes += len(frame)
        while self.queued_bytes > MAX_QUEUE_BYTES or len(self.queue) > MAX_QUEUE_FRAMES:
            self.queued_bytes -= len(self.queue.popleft())
            self.dropped_frames += 1
        self.wake.set()


class Peers:
    """All connections of a node. Frames and losses are handed to the runtime by callbacks in the event loop."""

    def __init__(
        self,
        node_id: str,
        identity: Ed25519PrivateKey,
        listen: str,
        overrides: dict[str, str],
        on_frame: Callable[[str, bytes], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.node_id = node_id
        self.refused_connections = 0
        self._identity = identity
        self._listen = split_address(listen)
        self._overrides = overrides
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._nodes: dict[str, Node] = {}
        self._links: dict[str, Link] = {}
        self._dialers: dict[str, asyncio.Task[None]] = {}
        self._strikes: dict[str, list[float]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._link_certificate = tls.LinkCertificate(node_id, identity, _now())
        self._server_context: ssl.SSLContext | None = None
        self._client_context: ssl.SSLContext | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self, nodes: Iterable[Node]) -> None:
        self.set_nodes(nodes)
        host, port = self._listen
        self._server = await asyncio.start_server(
            self._accepted,
            host,
            port,
            ssl=self._server_context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=1.0,
            limit=MAX_FRAME_BYTES,
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [*self._dialers.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        for link in list(self._links.values()):
            link.writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Who may connect, from the registry: called again whenever it changes. Nobody else's connection goes on."""
        current = {n.node_id: n for n in nodes if n.standing != "removed"}
        if current == self._nodes and self._server_context is not None:
            return
        changed = {i for i, n in self._nodes.items() if i not in current or current[i].public_key != n.public_key}
        self._nodes = current
        self._reload()
        for node_id in changed:
            self._drop(node_id)
        for node_id in current:
            if self.node_id < node_id and (node_id not in self._dialers or self._dialers[node_id].done()):
                self._dialers[node_id] = asyncio.get_running_loop().create_task(self._dial_for_ever(node_id))

    def renew_if_due(self) -> None:
        """Renew the link certificate long before it ends; connections that are open go on."""
        if self._link_certificate.days_left(_now()) < tls.RENEW_BEFORE_DAYS:
            self._link_certificate = tls.LinkCertificate(self.node_id, self._identity, _now())
            self._reload()

    def _reload(self) -> None:
        trusted = [(n.node_id, n.public_key) for n in self._nodes.values() if n.node_id != self.node_id]
        self._client_context = tls.context(server=False, link=self._link_certificate, trusted=trusted)
        if self._server_context is None:
            self._server_context = tls.context(server=True, link=self._link_certificate, trusted=trusted)
        else:
            # The listening socket keeps its context: what it trusts can only grow, and `_is_listed` decides.
            for node_id, public_key in trusted:
                with contextlib.suppress(ssl.SSLError):
                    self._server_context.load_verify_locations(cadata=tls.anchor(node_id, public_key))
            self._link_certificate.load_into(self._server_context)

    @property
    def certificate_days_left(self) -> float:
        return self._link_certificate.days_left(_now())

    # -- sending -------------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> tuple[str, ...]:
        return tuple(sorted(self._links))

    def queued_bytes(self) -> dict[str, int]:
        return {peer: link.queued_bytes for peer, link in sorted(self._links.items())}

    def dropped_frames(self) -> int:
        return sum(link.dropped_frames for link in self._links.values())

    def send(self, peer: str, payload: bytes) -> None:
        link = self._links.get(peer)
        if link is not None:
            link.put(len(payload).to_bytes(4, "big") + payload)

    def broadcast(self, payload: bytes) -> None:
        frame = len(payload).to_bytes(4, "big") + payload
        for link in self._links.values():
            link.put(frame)

    def strike(self, peer: str) -> None:
        """Rule 11: bad input is counted, and repeated it costs the connection."""
        now = time.monotonic()
        recent = [at for at in self._strikes.get(peer, []) if now - at < STRIKE_WINDOW_S][-MAX_STRIKES:]
        self._strikes[peer] = [*recent, now]
        if len(recent) >= MAX_STRIKES:
            log.warning("peer %s misbehaves: closing its connection", peer)
            self._strikes[peer] = []
            self._drop(peer)

    # -- connecting ----------------------------------------------------------------------------------------------------

    def _address(self, node_id: str) -> tuple[str, int]:
        return split_address(self._overrides.get(node_id) or self._nodes[node_id].address)

    async def _dial_for_ever(self, node_id: str) -> None:
        wait_s = DIAL_FIRST_S
        while node_id in self._nodes:
            if node_id in self._links:
                await asyncio.sleep(DIAL_FIRST_S)
                continue
            host, port = self._address(node_id)
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(
                        host, port, ssl=self._client_context, server_hostname="", limit=MAX_FRAME_BYTES
                    ),
                    HANDSHAKE_TIMEOUT_S,
                )
            except (OSError, ssl.SSLError, TimeoutError) as error:
                log.debug("cannot reach %s at %s:%s: %s", node_id, host, port, error)
                await asyncio.sleep(wait_s * (0.5 + random.random()))
                wait_s = min(wait_s * 2, DIAL_LAST_S)
                continue
            wait_s = DIAL_FIRST_S
            if self._named(writer) == node_id:
                await self._serve(node_id, reader, writer)
            else:
                self.refused_connections += 1
                writer.close()
                await asyncio.sleep(DIAL_LAST_S)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = self._named(writer)
        if peer is None or not self._is_listed(peer, writer):
            self.refused_connections += 1
            writer.close()
            return
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._serve(peer, reader, writer)

    def _named(self, writer: asyncio.StreamWriter) -> str | None:
        return tls.peer_of(writer.get_extra_info("peercert"))

    def _is_listed(self, peer: str, writer: asyncio.StreamWriter) -> bool:
        """Whether the peer is a node of today's list, whose certificate leads to today's key."""
        node = self._nodes.get(peer)
        if node is None or peer == self.node_id:
            return False
        return tls.is_signed_by(writer.get_extra_info("ssl_object"), node.public_key)

    async def _serve(self, peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        previous = self._links.get(peer)
        if previous is not None:
            previous.writer.close()
        link = Link(peer, reader, writer)
        self._links[peer] = link
        log.info("connected to %s", peer)
        sending = asyncio.get_running_loop().create_task(self._write(link))
        try:
            await self._read(link)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.info("connection to %s ended: %s", peer, str(error) or type(error).__name__)
        finally:
            sending.cancel()
            writer.close()
            if self._links.get(peer) is link:
                del self._links[peer]
                self._on_lost(peer)

    async def _read(self, link: Link) -> None:
        while True:
            head = await asyncio.wait_for(link.reader.readexactly(4), IDLE_TIMEOUT_S)
            size = int.from_bytes(head, "big")
            if size > MAX_FRAME_BYTES:
                raise OSError(f"a frame of {size} bytes")
            self._on_frame(link.peer, await asyncio.wait_for(link.reader.readexactly(size), IDLE_TIMEOUT_S))

    async def _write(self, link: Link) -> None:
        try:
            while True:
                await link.wake.wait()
                link.wake.clear()
                while link.queue:
                    frames: list[bytes] = []
                    size = 0
                    while link.queue and size < WRITE_CHUNK_BYTES:
                        frame = link.queue.popleft()
                        frames.append(frame)
                        size += len(frame)
                    link.queued_bytes -= size
                    link.writer.write(b"".join(frames))
                    await link.writer.drain()
        except (OSError, ssl.SSLError):
            link.writer.close()

    def _drop(self, peer: str) -> None:
        link = self._links.get(peer)
        if link is not None:
            link.writer.transport.abort()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
