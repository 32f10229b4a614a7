"""Readings from an MQTT broker: the same signed packets, one a message, at QoS 1.

A message is acknowledged only after its packet is stored or refused for good. If the process dies before that, the
broker delivers it again to the same client (`identifier`, with a session that lasts), and storing it again is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt
from sqlalchemy.exc import DBAPIError

from apps.common.language import Clock
from apps.ecopoints.intake.packets import MAX_PACKET_BYTES, SignedPacket
from apps.ecopoints.intake.taking import Intake, Outcome
from ledger.encoding import unpack
from ledger.refusal import Refused

TOPIC = "daicho/readings/+"
"""The last level is the device, for the broker's access rules; what counts is the packet's signature."""
QOS = 1
TOGETHER = 200
"""Packets in one database transaction."""
AGAIN_S = 5.0
SIGNATURE_ROOM = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broker:
    """Where the broker is, and as whom this client comes. Each of several intake processes needs its own identifier."""

    host: str
    port: int = 1883
    identifier: str = "daicho-intake"
    username: str | None = None
    password: str | None = None
    topic: str = TOPIC
    tls: aiomqtt.TLSParameters | None = None


class MqttIntake:
    def __init__(self, intake: Intake, broker: Broker, clock: Clock, *, told: Callable[[Outcome], None] | None = None):
        self._intake = intake
        self._broker = broker
        self._clock = clock
        self._told = told
        self.subscribed = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled; a broker or a database that is away is tried again."""
        while True:
            try:
                await self._listen()
            except (aiomqtt.MqttError, DBAPIError) as error:
                log.warning("the broker or the database is away, trying again: %s", error)
            self.subscribed.clear()
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        broker = self._broker
        client = aiomqtt.Client(
            broker.host, broker.port, identifier=broker.identifier, username=broker.username,
            password=broker.password, clean_session=False, tls_params=broker.tls, logger=log,
        )  # fmt: skip
        # aiomqtt has no word for it yet; paho-mqtt, which it stands on, has (`manual_ack`, since version 2).
        paho = client._client
        paho.manual_ack_set(True)
        async with client:
            await client.subscribe(broker.topic, qos=QOS)
            self.subscribed.set()
            messages = aiter(client.messages)
            while True:
                together = [await anext(messages)]
                while len(client.messages) and len(together) < TOGETHER:
                    together.append(await anext(messages))
                await self._take(together)
                for message in together:
                    paho.ack(message.mid, message.qos)

    async def _take(self, messages: list[aiomqtt.Message]) -> None:
        packets = []
        for message in messages:
            try:
                packets.append(packet_in(message.payload))
            except Refused as refusal:
                log.warning("a message at %s is no packet: %s", message.topic, refusal)
        if not packets:
            return
        for packet_outcome in await self._intake.take(packets, self._clock()):
            if packet_outcome.reason is not None:
                log.warning("a packet is refused: %s", packet_outcome.reason.code)
            if self._told is not None:
                self._told(packet_outcome)


def packet_in(payload: object) -> SignedPacket:
    """The packet of a message; `Refused(EncodingReason)` if it is none."""
    return unpack(SignedPacket, payload if isinstance(payload, bytes) else b"", MAX_PACKET_BYTES + SIGNATURE_ROOM)
