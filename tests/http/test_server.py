"""The listening socket: slow, idle and greedy clients are cut off, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib

from edge.http.settings import HttpSettings
from tests.http.harness import Served, with_api


async def _connect(api: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", api.server.port)


def test_a_header_that_trickles_in_is_cut_off() -> None:
    async def scenario(api: Served) -> None:
        reader, writer = await _connect(api)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        ended = asyncio.create_task(reader.read())
        for _ in range(20):
            if ended.done():
                break
            writer.write(b"X-A: b\r\n")
            await asyncio.sleep(0.03)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(ended, 1) == b""
        writer.close()
        assert (await api.get("/health/live"))[0] == 200

    with_api(scenario, HttpSettings(header_timeout_ms=100))


def test_connections_that_say_nothing_are_closed() -> None:
    async def scenario(api: Served) -> None:
        many = [await _connect(api) for _ in range(50)]
        assert (await api.get("/health/live"))[0] == 200
        async with asyncio.timeout(10):
            for reader, writer in many:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()

    with_api(scenario, HttpSettings(header_timeout_ms=150))


def test_connections_are_bounded_and_one_that_ends_makes_room() -> None:
    async def scenario(api: Served) -> None:
        first = [await _connect(api) for _ in range(3)]
        await asyncio.sleep(0.02)
        reader, writer = await _connect(api)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()
        first[0][1].close()
        await asyncio.sleep(0.05)
        assert (await api.get("/health/live"))[0] == 200

    with_api(scenario, HttpSettings(max_connections=3))


def test_who_does_not_read_is_cut_off() -> None:
    async def scenario(api: Served) -> None:
        for _ in range(3):
            transactions = [api.network.account(f"h{api.node.chain.height}.{i}") for i in range(900)]
            api.network.commit(*transactions)
        reader, writer = await _connect(api)
        for _ in range(200):
            writer.write(b"GET /v1/archive HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.0)
        assert api.server.connections == 0
        writer.close()
        assert reader is not None
        assert (await api.get("/health/live"))[0] == 200

    with_api(scenario, HttpSettings(write_timeout_ms=200))


def test_what_is_no_http_is_answered_with_an_error_and_closed() -> None:
    async def scenario(api: Served) -> None:
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 20_000):
            reader, writer = await _connect(api)
            writer.write(garbage)
            with contextlib.suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.read(), 5)
                assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400")), answer
                assert b"Traceback" not in answer
            writer.close()
        assert (await api.get("/health/live"))[0] == 200

    with_api(scenario)
