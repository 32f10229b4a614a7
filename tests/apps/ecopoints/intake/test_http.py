"""Readings over HTTP: every packet answered, nothing called stored that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.exc import OperationalError

from apps.ecopoints.intake import http
from apps.ecopoints.intake.http import PATH, IntakeApi
from apps.ecopoints.intake.packets import Packets, SignedPacket
from ledger.encoding import pack
from tests.apps.ecopoints.intake.world import World, at, packet

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    application = web.Application(client_max_size=1_000)
    IntakeApi(world.intake, world.clock).add_to(application)
    async with TestClient(TestServer(application)) as made:
        yield made


async def test_each_packet_has_its_answer(world: World, client: Client) -> None:
    world.registry.add("meter")
    good = packet("meter", 1, {n: 10 * n for n in range(200)})
    forged = SignedPacket(packet("meter", 2, {300: 1}).payload, bytes(64))
    body = pack(Packets((good, forged, good)))
    assert len(body) > 1_000, "more than a page's form may send"
    answer = await client.post(PATH, data=body)
    told = (await answer.json())["packets"]
    assert answer.status == 200 and [t["status"] for t in told] == ["stored", "refused", "known"]
    assert told[0]["new"] == 200 and told[1]["reason"] == "bad_signature" and "署名" in told[1]["ja"]
    assert len(world.readings()) == 200 and ("meter", "consumed", at(300)) not in world.readings()


async def test_what_is_no_request_is_refused_with_a_reason(world: World, client: Client) -> None:
    for body in (b"", b"\x91\x90", b"{}", pack(Packets((SignedPacket(b"x", bytes(64)),))) + b"\x00"):
        answer = await client.post(PATH, data=body)
        assert answer.status == 400 and (await answer.json())["reason"] in ("malformed", "not_canonical")


async def test_a_body_that_is_too_large_is_not_read(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_REQUEST_BYTES", 2_000)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(1_000)

    for data in (bytes(3_000), endless()):
        answer = await client.post(PATH, data=data)
        assert answer.status == 413 and (await answer.json())["reason"] == "request_too_large"


async def test_a_database_that_is_away_acknowledges_nothing(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.registry.add("meter")
    body = pack(Packets((packet("meter", 1, {0: 1}),)))

    async def away(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(world.database, "write", away)
        answer = await client.post(PATH, data=body)
        assert answer.status == 503 and answer.headers["Retry-After"]
    assert world.readings() == {}
    assert (await client.post(PATH, data=body)).status == 200 and len(world.readings()) == 1


async def test_too_many_at_a_time_are_asked_to_come_again(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WAITING", -http.AT_A_TIME)
    answer = await client.post(PATH, data=b"")
    assert answer.status == 503 and (await answer.json())["reason"] == "busy"
