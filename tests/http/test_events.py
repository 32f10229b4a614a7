"""Events by SSE: from any height, in order, each once, across reconnects, blocks in between and slow readers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.settings import HttpSettings
from tests.http.harness import Served, with_api


@dataclass
class Message:
    id: str
    event: str
    data: Any


class Stream:
    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self.comments = 0

    async def next(self) -> Message:
        fields: dict[str, str] = {}
        while True:
            line = (await asyncio.wait_for(self._content.readline(), 5)).decode().rstrip("\n")
            if not line and "data" in fields:
                return Message(fields["id"], fields["event"], json.loads(fields["data"]))
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                fields = {}

    async def events(self, count: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < count:
            message = await self.next()
            if message.event == "event":
                found.append(message)
        return found


@asynccontextmanager
async def stream(api: Served, query: str = "", last: str | None = None) -> AsyncIterator[Stream]:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with api.session.get(api.url + "/v1/events" + query, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response.content)


async def _make_blocks(api: Served, sizes: list[int]) -> list[str]:
    """Blocks of so many events each; the ids of all events in order."""
    ids = []
    for size in sizes:
        height = api.node.chain.height + 1
        api.network.commit(*[api.network.account(f"h{height}.{i}") for i in range(size)], empty=size == 0)
        ids += [f"{height}.{i}.0" for i in range(size)]
    return ids


async def _make_pairs(api: Served, count: int) -> list[str]:
    """A block of transactions with two events each."""
    height = api.node.chain.height + 1
    api.network.commit(*[api.network.sign("governance", "propose_demotion", node_id=f"node-{i}") for i in range(count)])
    return [f"{height}.{i}.{number}" for i in range(count) for number in (0, 1)]


def test_a_stream_from_the_genesis_gives_all_events_in_order_and_then_the_new_ones() -> None:
    async def scenario(api: Served) -> None:
        ids = await _make_blocks(api, [2, 0, 1])
        async with stream(api, "?after=0") as events:
            assert [m.id for m in await events.events(3)] == ids
            assert (await events.next()).event == "block"
            api.network.commit(api.network.account("later"))
            message = await events.next()
            assert (message.id, message.data["event"]["subjects"]) == ("4.0.0", ["account:later"])
            block = await events.next()
            assert (block.event, block.id, block.data["height"]) == ("block", "4", 4)

    with_api(scenario)


def test_without_a_place_a_stream_begins_now() -> None:
    async def scenario(api: Served) -> None:
        await _make_blocks(api, [2])
        async with stream(api) as events:
            await asyncio.sleep(0.02)
            await _make_blocks(api, [1])
            assert (await events.next()).id == "2.0.0"

    with_api(scenario)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.lists(st.integers(1, 3), max_size=8))
def test_reconnecting_anywhere_loses_nothing_and_repeats_nothing(sizes: list[int], cuts: list[int]) -> None:
    async def scenario(api: Served) -> None:
        ids = await _make_blocks(api, sizes) + await _make_pairs(api, 2) + await _make_blocks(api, [1])
        seen: list[str] = []
        last = "0"
        for cut in [*cuts, len(ids)]:
            async with stream(api, last=last) as events:
                for message in await events.events(min(cut, len(ids) - len(seen))):
                    seen.append(message.id)
                    last = message.id
        assert seen == ids

    with_api(scenario)


def test_a_block_mark_is_a_place_to_go_on_from() -> None:
    async def scenario(api: Served) -> None:
        await _make_blocks(api, [2])
        async with stream(api, last="1") as events:
            await asyncio.sleep(0.02)
            await _make_blocks(api, [1])
            assert (await events.next()).id == "2.0.0"

    with_api(scenario)


def test_a_stream_can_be_narrowed_to_a_subject_and_a_contract() -> None:
    async def scenario(api: Served) -> None:
        await _make_blocks(api, [3, 2])
        async with stream(api, "?after=0&subject=account:h2.1") as events:
            assert [m.id for m in await events.events(1)] == ["2.1.0"]
            assert (await events.next()).id == "2"
        async with stream(api, "?after=0&contract=donations") as events:
            assert (await events.next()).event == "block"

    with_api(scenario)


def test_an_idle_stream_has_a_heartbeat() -> None:
    async def scenario(api: Served) -> None:
        async with stream(api) as events:
            await asyncio.sleep(0.15)
            await _make_blocks(api, [1])
            await events.next()
            assert events.comments >= 2

    with_api(scenario, HttpSettings(heartbeat_ms=30))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?after=x", 400, "bad_parameter"),
        ("?after=1.2", 400, "bad_parameter"),
        ("?after=1.0.99999", 400, "bad_parameter"),
        ("?after=50", 503, "height_not_reached"),
    ],
)
def test_a_place_that_is_none_is_refused(query: str, status: int, code: str) -> None:
    async def scenario(api: Served) -> None:
        found, answer = await api.get("/v1/events" + query)
        assert (found, answer["error"]["code"]) == (status, code)

    with_api(scenario)


def test_streams_are_bounded() -> None:
    async def scenario(api: Served) -> None:
        async with stream(api), stream(api):
            status, answer = await api.get("/v1/events")
            assert (status, answer["error"]["code"]) == (503, "too_many_waiting")
        await asyncio.sleep(0.05)

    with_api(scenario, HttpSettings(max_streams=2))


def test_streams_end_when_the_node_stops() -> None:
    async def scenario(api: Served) -> None:
        async with stream(api):
            async with asyncio.timeout(5):
                await api.server.close()

    with_api(scenario)
