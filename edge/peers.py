"""Connections to the other nodes: one a pair, mutual TLS, backoff with jitter, no room for who misbehaves.

Of two nodes the one with the smaller id dials. Who may connect is what governance lists, at every moment.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import tls
from edge.codec import frame
from edge.config import split_address
from edge.link import Link
from ledger.registry import Node

log = logging.getLogger("daicho.peers")

HANDSHAKE_TIMEOUT_S = 5.0
MAX_HANDSHAKES = 64
"""Strangers that may be at the door at a time."""
IDLE_TIMEOUT_S = 10.0
"""A peer says something at least every second; one that has been silent this long is gone."""
DIAL_FIRST_S = 0.1
DIAL_LAST_S = 1.0
MAX_STRIKES = 20
STRIKE_WINDOW_S = 60.0
ACCEPT_AGAIN_S = 0.5
BAN_S = 10.0
"""How long a peer that misbehaves stays without a connection."""


class Events(Protocol):
    """Who is told, in the event loop, what comes over the connections."""

    def on_connected(self, peer: str) -> None: ...

    def on_frame(self, peer: str, payload: bytes) -> None: ...

    def on_lost(self, peer: str) -> None: ...


class Peers:
    """All connections of a node."""

    def __init__(
        self,
        node_id: str,
        identities: Sequence[Ed25519PrivateKey],
        listen: str,
        overrides: Mapping[str, str],
        events: Events,
    ) -> None:
        """`identities`: this node's key and, while that is rotated, the next one; the one that is listed is used."""
        self.node_id = node_id
        self.refused_connections = 0
        self._identities = {key.public_key().public_bytes_raw(): key for key in identities}
        self._identity = identities[0]
        self._listen = split_address(listen)
        self._overrides = overrides
        self._events = events
        self._nodes: dict[str, Node] = {}
        self._own: Node | None = None
        self._links: dict[str, Link] = {}
        self._dialers: dict[str, asyncio.Task[None]] = {}
        self._closed: dict[str, asyncio.Event] = {}
        self._strikes: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}
        self._dropped_frames = 0
        self._door: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._certificate = tls.LinkCertificate(node_id, self._identity, _now())
        self._server_context = self._context(server=True)
        self._client_context = self._context(server=False)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self, nodes: Iterable[Node]) -> None:
        """Listen, and dial. OSError if the port cannot be had."""
        host, port = self._listen
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._door = socket.create_server((host, port), family=family, backlog=MAX_HANDSHAKES)
        self._door.setblocking(False)
        self.set_nodes(nodes)
        self._keep(loop.create_task(self._answer_the_door(self._door)))
        self._keep(loop.create_task(self._watch()))

    async def stop(self) -> None:
        tasks = [*self._dialers.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        for link in list(self._links.values()):
            link.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._door is not None:
            self._door.close()

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Who may connect, from the registry: called again whenever it changes. Nobody else's connection goes on."""
        current = {n.node_id: n for n in nodes if n.standing != "removed"}
        own = self._own = current.pop(self.node_id, None)
        identity = self._identity if own is None else self._identities.get(own.public_key, self._identity)
        if current == self._nodes and identity is self._identity:
            return
        if identity is not self._identity:
            self._identity = identity
            self._certificate = tls.LinkCertificate(self.node_id, identity, _now())
        gone = [i for i, n in self._nodes.items() if i not in current or current[i].public_key != n.public_key]
        self._nodes = current
        self._reload()
        for node_id in gone:
            self._drop(node_id)
        for node_id in current:
            if self.node_id < node_id and (node_id not in self._dialers or self._dialers[node_id].done()):
                self._dialers[node_id] = asyncio.get_running_loop().create_task(self._dial_for_ever(node_id))

    def reload(self, identities: Sequence[Ed25519PrivateKey], overrides: Mapping[str, str]) -> None:
        """Keys and addresses as configured now, and a new certificate; connections that are open go on."""
        self._identities = {key.public_key().public_bytes_raw(): key for key in identities}
        listed = self._own.public_key if self._own is not None else None
        self._identity = self._identities.get(listed or b"", identities[0])
        self._overrides = overrides
        self._certificate = tls.LinkCertificate(self.node_id, self._identity, _now())
        self._reload()

    def renew_if_due(self) -> None:
        """Renew the link certificate long before it ends; connections that are open go on."""
        if self.certificate_days_left < tls.RENEW_BEFORE_DAYS:
            self._certificate = tls.LinkCertificate(self.node_id, self._identity, _now())
            self._reload()

    @property
    def certificate_days_left(self) -> float:
        return self._certificate.days_left(_now())

    def _reload(self) -> None:
        self._server_context = self._context(server=True)
        self._client_context = self._context(server=False)

    def _context(self, *, server: bool) -> ssl.SSLContext:
        trusted = [(n.node_id, n.public_key) for n in self._nodes.values()]
        return tls.context(server=server, link=self._certificate, trusted=trusted)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- sending -------------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> tuple[str, ...]:
        return tuple(sorted(self._links))

    def queued_bytes(self) -> dict[str, int]:
        return {peer: link.queued_bytes for peer, link in sorted(self._links.items())}

    def dropped_frames(self) -> int:
        return self._dropped_frames + sum(link.dropped_frames for link in self._links.values())

    def send(self, peer: str, payload: bytes, *, bulk: bool = False) -> None:
        link = self._links.get(peer)
        if link is not None:
            link.put(frame(payload), bulk=bulk)

    def broadcast(self, payload: bytes, *, bulk: bool = False) -> None:
        framed = frame(payload)
        for link in self._links.values():
            link.put(framed, bulk=bulk)

    def strike(self, peer: str) -> None:
        """Rule 11: bad input is counted, and repeated it costs the connection."""
        now_s = asyncio.get_running_loop().time()
        strikes = self._strikes.setdefault(peer, deque(maxlen=MAX_STRIKES))
        strikes.append(now_s)
        if len(strikes) == MAX_STRIKES and now_s - strikes[0] < STRIKE_WINDOW_S:
            log.warning("peer %s misbehaves: no connection to it for %s s", peer, BAN_S)
            strikes.clear()
            self._banned_until[peer] = now_s + BAN_S
            self._drop(peer)

    def _drop(self, peer: str) -> None:
        link = self._links.get(peer)
        if link is not None:
            link.close()

    # -- connections ---------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Close what has fallen silent: a host that is gone, or a process that is stopped, does not hang up."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            for link in list(self._links.values()):
                if loop.time() - link.heard_at > IDLE_TIMEOUT_S:
                    log.info("%s has been silent for %s s", link.peer, IDLE_TIMEOUT_S)
                    link.close()

    async def _dial_for_ever(self, node_id: str) -> None:
        wait_s = DIAL_FIRST_S
        while node_id in self._nodes:
            if await self._dial(node_id):
                wait_s = DIAL_FIRST_S
            await asyncio.sleep(wait_s * (0.5 + random.random()))
            wait_s = min(wait_s * 2, DIAL_LAST_S)

    async def _dial(self, node_id: str) -> bool:
        """One connection, until it ends; whether the other side took it, which shows in its first word."""
        loop = asyncio.get_running_loop()
        host, port = split_address(self._overrides.get(node_id) or self._nodes[node_id].address)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                transport, link = await loop.create_connection(
                    Link, host, port, ssl=self._client_context, server_hostname=""
                )
        except (OSError, TimeoutError) as error:  # what TLS refuses is an OSError too
            log.debug("cannot reach %s at %s:%s: %s", node_id, host, port, error)
            return False
        taken_at = loop.time()
        if self._take_up(transport, link, expected=node_id):
            closed = self._closed[node_id] = asyncio.Event()
            if self._links.get(node_id) is link:
                await closed.wait()
        return link.heard_at > taken_at

    async def _answer_the_door(self, door: socket.socket) -> None:
        """Take connections one by one, so that each meets today's list; of strangers only so many at a time."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(door)
            except OSError as error:
                log.warning("a connection cannot be accepted: %s", error)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            if len(self._tasks) > MAX_HANDSHAKES:
                self.refused_connections += 1
                connection.close()
            else:
                self._keep(loop.create_task(self._accept(connection)))

    async def _accept(self, connection: socket.socket) -> None:
        """Somebody at the door: TLS, then a look at the list."""
        loop, link = asyncio.get_running_loop(), Link()
        try:
            # What it answers beside the transport differs between event loops: the link is held here.
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                transport, _ = await loop.connect_accepted_socket(lambda: link, connection, ssl=self._server_context)
        except (OSError, TimeoutError) as error:
            self.refused_connections += 1
            log.debug("a connection without a handshake: %s", error)
            connection.close()
            return
        self._take_up(transport, link, expected=None)

    def _take_up(self, transport: asyncio.Transport, link: Link, *, expected: str | None) -> bool:
        """Begin to talk if the peer is who it should be and is on today's list with today's key."""
        peer = tls.peer_of(transport.get_extra_info("peercert"))
        node = None if peer is None else self._nodes.get(peer)
        listed = node is not None and tls.is_signed_by(transport.get_extra_info("ssl_object"), node.public_key)
        now_s = asyncio.get_running_loop().time()
        if peer is None or not listed or expected not in (None, peer) or self._banned_until.get(peer, 0.0) > now_s:
            self.refused_connections += 1
            transport.abort()
            return False
        previous = self._links.get(peer)
        self._links[peer] = link
        if previous is not None:
            self._dropped_frames += previous.dropped_frames
            previous.close()
        log.info("connected to %s", peer)
        link.open(peer, transport, self._frame_arrived, self._link_closed)
        if self._links.get(peer) is link:
            self._events.on_connected(peer)
        return True

    def _frame_arrived(self, link: Link, payload: bytes) -> None:
        if self._links.get(link.peer) is link:
            self._events.on_frame(link.peer, payload)

    def _link_closed(self, link: Link) -> None:
        if self._links.get(link.peer) is link:
            self._dropped_frames += link.dropped_frames
            del self._links[link.peer]
            log.info("the connection to %s has gone", link.peer)
            self._events.on_lost(link.peer)
            if link.peer in self._closed:
                self._closed[link.peer].set()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
