"""What the application does by itself: readings to the chain, the intake of machines, expiry of points."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from aiohttp import web

from apps.common.chain import ChainUnavailable
from apps.common.outbox import Settled
from apps.common.web import Kit
from apps.ecopoints.intake.batcher import Batcher
from apps.ecopoints.intake.http import IntakeApi
from apps.ecopoints.intake.mqtt import Broker, MqttIntake
from apps.ecopoints.intake.taking import Intake
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import app_call
from contracts.ecopoints.types import ECOPOINTS

EXPIRY_S = 600.0


def batcher_of(kit: Kit) -> Batcher:
    """It keeps nothing: all that it knows is in the database."""
    return Batcher(kit.database, kit.outbox, CopiedRegistry(), kit.clock)


async def record_readings(kit: Kit) -> None:
    await batcher_of(kit).run()


def settle_batch(kit: Kit, settled: Settled) -> None:
    batcher_of(kit).settle(settled)


def attach_intake(kit: Kit, application: web.Application) -> None:
    """`POST /intake/v1/readings`."""
    intake = Intake(kit.database, CopiedRegistry())
    IntakeApi(intake, kit.clock).add_to(application)

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        intake.close()

    application.cleanup_ctx.append(closing)


def take_messages(broker: Broker) -> Callable[[Kit], Awaitable[None]]:
    """Readings from the town's MQTT broker."""

    async def run(kit: Kit) -> None:
        intake = Intake(kit.database, CopiedRegistry())
        try:
            await MqttIntake(intake, broker, kit.clock).run()
        finally:
            intake.close()

    return run


def expire_points(municipalities: Collection[str]) -> Callable[[Kit], Awaitable[None]]:
    """E7c: points end at midnight in Japan; a little later the chain's totals say so too."""

    async def run(kit: Kit) -> None:
        while True:
            for code in sorted(municipalities):
                if await _is_due(kit, code):
                    await kit.database.write(
                        lambda session: kit.outbox.put(session, "points.expire", app_call(code, "expire", {}))  # noqa: B023
                    )
                    kit.outbox.wake()
            await asyncio.sleep(EXPIRY_S)

    return run


async def _is_due(kit: Kit, municipality: str) -> bool:
    try:
        return bool(await kit.chain.query(ECOPOINTS, "points_due", {"municipality": municipality}))
    except ChainUnavailable:
        return False
