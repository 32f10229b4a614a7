"""Real sockets on loopback: who gets in, who does not, and what happens to those who misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import link as link_module
from edge import peers as peers_module
from edge import tls
from edge.codec import FrameReader, frame
from edge.peers import MAX_STRIKES, Peers
from edge.ports import free_base_port
from edge.wire import MAX_FRAME_BYTES
from ledger.crypto import sha256
from ledger.refusal import Refused
from ledger.registry import Node

HOST = "127.0.0.1"


def identity(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))


class Place:
    """One node's peers, and what they told it."""

    def __init__(self, node_id: str, port: int, *keys: Ed25519PrivateKey) -> None:
        self.node_id = node_id
        self.port = port
        self.connected: list[str] = []
        self.lost: list[str] = []
        self.frames: list[tuple[str, bytes]] = []
        self.peers = Peers(node_id, keys or [identity(node_id)], f"{HOST}:{port}", {}, self)

    def on_connected(self, peer: str) -> None:
        self.connected.append(peer)
        self.peers.send(peer, b"hello")

    def on_frame(self, peer: str, payload: bytes) -> None:
        if payload != b"hello":
            self.frames.append((peer, payload))

    def on_lost(self, peer: str) -> None:
        self.lost.append(peer)


def listed(*places: Place) -> list[Node]:
    return [
        Node(p.node_id, "131016", identity(p.node_id).public_key().public_bytes_raw(), f"{HOST}:{p.port}", "validator")
        for p in places
    ]


def places(count: int) -> list[Place]:
    base = free_base_port(HOST, count)
    return [Place(f"node-{i}", base + i) for i in range(count)]


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Under the loop that nodes use; nothing may be left in the loop's complaints."""

    async def checked() -> None:
        complaints: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        await test()
        assert complaints == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(checked())


@contextlib.asynccontextmanager
async def started(*some: Place, nodes: list[Node] | None = None):  # type: ignore[no-untyped-def]
    for place in some:
        await place.peers.start(nodes if nodes is not None else listed(*some))
    try:
        yield
    finally:
        for place in some:
            await place.peers.stop()


def full_mesh(some: list[Place]) -> bool:
    return all(len(p.peers.connected) == len(some) - 1 for p in some)


def test_all_pairs_are_connected_once_and_frames_arrive_whole_and_in_order() -> None:
    async def test() -> None:
        some = places(4)
        async with started(*some):
            await until(lambda: full_mesh(some))
            sent = [bytes([i % 256]) * (i * 997 % 70_000) for i in range(200)] + [b"x" * 5_000_000]
            for payload in sent:
                some[0].peers.send("node-3", payload)
            await until(lambda: len(some[3].frames) == len(sent))
            assert some[3].frames == [("node-0", payload) for payload in sent]
            some[2].peers.broadcast(b"all")
            await until(lambda: all(("node-2", b"all") in p.frames for p in some if p is not some[2]))
            assert all(len(p.connected) == 3 for p in some)

    run(test)


def test_what_the_consensus_waits_for_overtakes_gossip() -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            for _ in range(40):
                some[0].peers.send("node-1", b"g" * 200_000, bulk=True)
            some[0].peers.send("node-1", b"vote")
            await until(lambda: len(some[1].frames) == 41)
            assert [p for _, p in some[1].frames].index(b"vote") < 10

    run(test)


def test_a_queue_that_is_full_drops_the_oldest_gossip_and_keeps_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(link_module, "MAX_QUEUE_BYTES", 100_000)
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            some[0].peers.send("node-1", b"vote")
            for i in range(30):
                some[0].peers.send("node-1", bytes([i]) * 10_000, bulk=True)
            assert some[0].peers.queued_bytes()["node-1"] <= 100_000
            await until(lambda: len(some[1].frames) == 1 + 9)
            payloads = [p for _, p in some[1].frames]
            assert payloads[0] == b"vote"
            assert [p[0] for p in payloads[1:]] == list(range(21, 30))
            assert some[0].peers.dropped_frames() == 21

    run(test)


def test_the_right_name_with_a_wrong_key_is_refused() -> None:
    async def test() -> None:
        base = free_base_port(HOST, 2)
        for impostor_dials in (True, False):
            good, bad = Place("node-0" if not impostor_dials else "node-1", base), None
            bad = Place("node-1" if not impostor_dials else "node-0", base + 1, identity("somebody else"))
            async with started(good, bad):
                await asyncio.sleep(0.5)
                assert good.frames == [] and good.connected == []
                assert good.peers.connected == ()
                if impostor_dials:
                    assert good.peers.refused_connections > 0

    run(test)


def test_a_listed_node_cannot_pass_for_another_one() -> None:
    """Its own key signs a certificate in the other's name: no chain leads from that to the other's key."""

    async def test() -> None:
        some = places(3)
        nodes = listed(*some)
        some[0].peers = Peers("node-1", [identity("node-0")], f"{HOST}:{some[0].port}", {}, some[0])
        async with started(some[0], some[2], nodes=nodes):
            await asyncio.sleep(0.5)
            assert some[2].connected == []
            assert some[2].peers.refused_connections > 0

    run(test)


def test_a_removed_node_loses_its_connection_and_a_new_one_gets_in_without_a_restart() -> None:
    async def test() -> None:
        some = places(3)
        async with started(*some, nodes=listed(some[0], some[1])):
            await until(lambda: some[0].peers.connected == ("node-1",))
            assert some[1].peers.connected == ("node-0",)
            for place in some:
                place.peers.set_nodes(listed(*some))
            await until(lambda: full_mesh(some))
            for place in some[:2]:
                place.peers.set_nodes(listed(some[0], some[1]))
            await until(lambda: some[2].peers.connected == ())
            await asyncio.sleep(0.3)
            assert some[0].peers.connected == ("node-1",)
            assert some[0].lost == ["node-2"]

    run(test)


def test_a_rotated_key_ends_the_old_connection_and_only_the_new_key_gets_in() -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            new = identity("node-0, second key")
            nodes = listed(*some)
            nodes[0] = Node(
                "node-0", "131016", new.public_key().public_bytes_raw(), f"{HOST}:{some[0].port}", "validator"
            )
            some[1].peers.set_nodes(nodes)
            await until(lambda: some[1].peers.connected == ())
            await asyncio.sleep(0.4)
            assert some[1].peers.connected == ()
            await some[0].peers.stop()
            again = Place("node-0", free_base_port(HOST, 1), new)
            async with started(again, nodes=nodes):
                await until(lambda: some[1].peers.connected == ("node-0",))

    run(test)


def test_a_node_that_holds_its_next_key_goes_over_to_it_when_it_is_listed() -> None:
    async def test() -> None:
        base = free_base_port(HOST, 2)
        new = identity("node-0, second key")
        some = [Place("node-0", base, identity("node-0"), new), Place("node-1", base + 1)]
        async with started(*some):
            await until(lambda: full_mesh(some))
            address = f"{HOST}:{base}"
            nodes = [Node("node-0", "131016", new.public_key().public_bytes_raw(), address, "validator")]
            nodes.append(listed(*some)[1])
            for place in some:
                place.peers.set_nodes(nodes)
            await until(lambda: some[1].connected == ["node-0", "node-0"])
            await until(lambda: full_mesh(some))

    run(test)


def test_a_key_that_left_the_list_during_the_handshake_is_refused_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            monkeypatch.setattr(some[1].peers, "_reload", lambda: None)
            new_key = identity("node-0, second key").public_key().public_bytes_raw()
            address = f"{HOST}:{some[0].port}"
            some[1].peers.set_nodes(
                [Node("node-0", "131016", new_key, address, "validator"), listed(*some)[1]],
            )
            await until(lambda: some[1].lost == ["node-0"])
            await until(lambda: some[1].peers.refused_connections > 0)
            assert some[1].connected == ["node-0"], "only once, with the old key, before"

    run(test)


def test_random_bytes_at_the_door_are_counted_and_disturb_nobody() -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            for junk in (b"", b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 400):
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection(HOST, some[0].port)
                    writer.write(junk)
                    await writer.drain()
                    writer.write_eof()
                    await asyncio.wait_for(reader.read(), 2)
                    writer.close()
            await until(lambda: some[0].peers.refused_connections >= 4)
            some[0].peers.send("node-1", b"still here")
            await until(lambda: some[1].frames == [("node-0", b"still here")])
            assert some[0].lost == []

    run(test)


def test_strangers_that_only_stand_at_the_door_are_few_and_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(peers_module, "MAX_HANDSHAKES", 5)
        monkeypatch.setattr(peers_module, "HANDSHAKE_TIMEOUT_S", 0.5)
        some = places(2)
        async with started(some[0], nodes=listed(*some)):
            idlers = [await asyncio.open_connection(HOST, some[0].port) for _ in range(10)]
            await until(lambda: some[0].peers.refused_connections == 10)
            for reader, writer in idlers:
                with contextlib.suppress(OSError):
                    await asyncio.wait_for(reader.read(), 2)
                writer.close()
            async with started(some[1], nodes=listed(*some)):
                await until(lambda: full_mesh(some))

    run(test)


def test_tls_1_3_and_a_certificate_are_asked_of_everybody() -> None:
    async def test() -> None:
        some = places(2)
        async with started(some[0], nodes=listed(*some)):
            link = tls.LinkCertificate("node-1", identity("node-1"), datetime.datetime.now(datetime.UTC))
            old = tls.context(server=False, link=link, trusted=[(n.node_id, n.public_key) for n in listed(some[0])])
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(OSError):
                await asyncio.open_connection(HOST, some[0].port, ssl=old, server_hostname="")
            nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            nameless.check_hostname, nameless.verify_mode = False, ssl.CERT_NONE
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, some[0].port, ssl=nameless)
                assert await asyncio.wait_for(reader.read(), 2) == b""
                writer.close()
            await until(lambda: some[0].peers.refused_connections >= 2)
            assert some[0].connected == []

    run(test)


def test_a_peer_that_goes_on_misbehaving_loses_its_connection_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(peers_module, "BAN_S", 0.6)
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            for _ in range(MAX_STRIKES - 1):
                some[1].peers.strike("node-0")
            await asyncio.sleep(0.1)
            assert full_mesh(some)
            some[1].peers.strike("node-0")
            await until(lambda: some[1].lost == ["node-0"])
            await asyncio.sleep(0.3)
            assert some[1].peers.connected == ()
            await until(lambda: full_mesh(some))

    run(test)


def test_a_frame_that_says_it_is_too_large_ends_the_connection() -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            link = some[0].peers._links["node-1"]
            link.put((MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x", bulk=False)
            await until(lambda: "node-0" in some[1].lost)
            assert some[1].frames == []
            await until(lambda: full_mesh(some))

    run(test)


def test_a_silent_peer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(peers_module, "IDLE_TIMEOUT_S", 0.5)
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            await until(lambda: some[0].lost == ["node-1"])

    run(test)


def test_a_node_that_comes_back_is_connected_again_by_itself() -> None:
    async def test() -> None:
        some = places(2)
        nodes = listed(*some)
        async with started(some[0], nodes=nodes):
            async with started(some[1], nodes=nodes):
                await until(lambda: full_mesh(some))
            await until(lambda: some[0].lost == ["node-1"])
            back = Place("node-1", some[1].port)
            async with started(back, nodes=nodes):
                await until(lambda: some[0].peers.connected == ("node-1",))

    run(test)


def test_a_link_certificate_is_renewed_in_time_and_open_connections_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        some = places(2)
        async with started(*some):
            await until(lambda: full_mesh(some))
            assert 89 < some[0].peers.certificate_days_left <= 90
            later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=61)
            monkeypatch.setattr(peers_module, "_now", lambda: later)
            assert some[0].peers.certificate_days_left < tls.RENEW_BEFORE_DAYS
            some[0].peers.renew_if_due()
            assert some[0].peers.certificate_days_left == 90
            some[0].peers.send("node-1", b"on the old one")
            await until(lambda: some[1].frames == [("node-0", b"on the old one")])
            assert some[0].lost == []

    run(test)


def test_frames_are_found_however_the_stream_is_cut() -> None:
    payloads = [b"", b"a", b"bc" * 300, bytes(1_000)]
    stream = b"".join(frame(p) for p in payloads)
    for size in (1, 2, 3, 7, 500, len(stream)):
        reader = FrameReader()
        found = [f for at in range(0, len(stream), size) for f in reader.feed(stream[at : at + size])]
        assert found == payloads


def test_a_frame_larger_than_any_message_is_refused_before_it_has_come() -> None:
    with pytest.raises(Refused, match="frame_too_large"):
        FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
