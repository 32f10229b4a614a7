"""A Mosquitto of one's own on this machine, for the demonstration and for tests: a town has its own broker."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt

from apps.ecopoints.intake.mqtt import QOS, TOPIC, Broker
from apps.ecopoints.intake.packets import Packet, SignedPacket
from edge.ports import free_base_port
from ledger.encoding import pack
from ledger.refusal import Reason, Refused, Text

HOST = "127.0.0.1"
PATHS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin"
READY_WITHIN_S = 20.0


class BrokerReason(Reason):
    NOT_INSTALLED = Text(
        "mosquitto が見つかりません。対処: apt install mosquitto",
        "mosquitto is not installed. Remedy: apt install mosquitto",
    )
    NOT_STARTED = Text("mosquitto が起動しません。{path} を確認してください", "mosquitto does not start: see {path}")


def program() -> str | None:
    """Where Mosquitto is installed; its folder is often in the search path of root alone."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=PATHS)


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[Broker]:
    """A broker for this machine alone until the block ends. `Refused(BrokerReason)` if there is none to start."""
    found = program()
    if found is None:
        raise Refused(BrokerReason.NOT_INSTALLED)
    port = free_base_port(HOST, 1)
    settings, log = _settle_in(folder, port)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(found, "-c", str(settings), stdout=output, stderr=output)
    try:
        await _until_listening(process, port, log)
        yield Broker(HOST, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _settle_in(folder: Path, port: int) -> tuple[Path, Path]:
    """Its settings and its log."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} {HOST}\nallow_anonymous true\n")
    return settings, folder / "mosquitto.log"


async def _until_listening(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                await writer.wait_closed()
                return
    except TimeoutError:
        pass
    raise Refused(BrokerReason.NOT_STARTED, path=str(log))


async def publish(broker: Broker, packets: Iterable[tuple[Packet, SignedPacket]]) -> int:
    """Hand packets to the broker as gateways do, each acknowledged by it before the next is sent. How many."""
    count = 0
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for packet, signed in packets:
            await client.publish(TOPIC.replace("+", packet.device), pack(signed), qos=QOS)
            count += 1
    return count
