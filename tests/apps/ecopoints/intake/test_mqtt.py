"""Readings from a real broker (Mosquitto): acknowledged only when stored, delivered again until then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest
from sqlalchemy.exc import OperationalError

from apps.ecopoints.broker import own_broker, program
from apps.ecopoints.intake import mqtt
from apps.ecopoints.intake.mqtt import Broker, MqttIntake
from apps.ecopoints.intake.packets import SignedPacket
from apps.ecopoints.intake.taking import Outcome
from ledger.encoding import pack
from tests.apps.ecopoints.intake.world import World, at, packet

pytestmark = pytest.mark.skipif(program() is None, reason="needs mosquitto (Debian package)")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with own_broker(tmp_path) as started:
        yield started


class Listening:
    """An intake process as a task, and what it was told."""

    def __init__(self, world: World, broker: Broker) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.intake = MqttIntake(world.intake, broker, world.clock, told=self.outcomes.put_nowait)
        self._task = asyncio.create_task(self.intake.run())

    async def ready(self) -> Listening:
        async with asyncio.timeout(20):
            await self.intake.subscribed.wait()
        return self

    async def next(self) -> Outcome:
        async with asyncio.timeout(20):
            return await self.outcomes.get()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def publish(broker: Broker, *packets: SignedPacket | bytes) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for sent in packets:
            payload = sent if isinstance(sent, bytes) else pack(sent)
            await client.publish("daicho/readings/meter", payload, qos=1)


async def test_packets_from_the_broker_are_stored(world: World, broker: Broker) -> None:
    world.registry.add("meter")
    listening = await Listening(world, broker).ready()
    sent = packet("meter", 1, {0: 10, 1: 20})
    await publish(broker, b"no packet", sent, sent)
    assert [(await listening.next()).status for _ in range(2)] == ["stored", "known"]
    assert set(world.readings()) == {("meter", "consumed", at(0)), ("meter", "consumed", at(1))}
    await listening.end()


@pytest.mark.function("EIb")
async def test_what_is_not_stored_is_not_acknowledged_and_comes_again(
    world: World, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.registry.add("meter")
    monkeypatch.setattr(mqtt, "AGAIN_S", 0.05)
    tried = asyncio.Event()
    real = world.database.write

    async def away(*_: object) -> None:
        tried.set()
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(world.database, "write", away)
    first = await Listening(world, broker).ready()
    await publish(broker, packet("meter", 1, {0: 10}))
    async with asyncio.timeout(20):
        await tried.wait()
    await first.end()
    assert world.readings() == {}
    monkeypatch.setattr(world.database, "write", real)
    second = await Listening(world, broker).ready()
    assert (await second.next()).status == "stored" and len(world.readings()) == 1
    await second.end()


async def test_what_arrives_while_nobody_listens_waits_at_the_broker(world: World, broker: Broker) -> None:
    world.registry.add("meter")
    first = await Listening(world, broker).ready()
    await first.end()
    await publish(broker, packet("meter", 1, {0: 10}))
    second = await Listening(world, broker).ready()
    assert (await second.next()).status == "stored"
    await second.end()
