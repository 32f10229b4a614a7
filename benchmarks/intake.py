"""Readings of simulated households through the real intake to certified blocks of four nodes.

Four nodes run as processes; the eco-point application runs in this one, as it is served, and takes the packets over
HTTP. Packets come in the order of their arrival, some requests twice. A round is what comes at one moment (a half hour)
or on one day; it is over when all of it is in blocks. At the end what was sent, what is stored, what the roots on the
chain cover and what the contract reckons are compared with the simulator's truth (`benchmarks.intake_check`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
from sqlalchemy import exists, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import contracts
from apps.common.chain import Keyring
from apps.common.node_chain import NodeChain
from apps.common.running import serving
from apps.common.settings import Settings
from apps.common.web import Kit
from apps.ecopoints.copy import COPY
from apps.ecopoints.demo import chain_accounts
from apps.ecopoints.devices.faults import HONEST, Label
from apps.ecopoints.devices.households import SLOT_MS, SLOTS, Kind, SimulatedDevice
from apps.ecopoints.devices.simulator import Arrival, Simulator
from apps.ecopoints.intake.http import PATH
from apps.ecopoints.intake.packets import Packets, SignedPacket
from apps.ecopoints.intake.tables import EcoBatch, EcoReading
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import admin_account, app_account
from apps.ecopoints.site import make_site
from apps.ecopoints.working import batcher_of
from benchmarks.machine import cpu_s
from benchmarks.network import HOST, BenchNetwork, running_network
from contracts.ecopoints.methodology.calendar import DAY_MS, month_start_ms
from contracts.ecopoints.types import ECOPOINTS
from edge.client import Committed, DaichoClient
from edge.watch import Watch, leader
from ledger.crypto import sha256
from ledger.encoding import Value, pack
from ledger.refusal import Text

CODE = "132012"
REGION = "tepco"
NODES = 4
PACKETS_A_REQUEST = 500
REQUESTS_AT_ONCE = 8
SENT_AGAIN = 10
"""Each tenth request is sent twice, as if its answer had been lost."""
JOINING_AT_ONCE = 200
COPIED_WITHIN_S = 1_800.0
DRAINED_WITHIN_S = 1_800.0
POLL_S = 0.02
TOO_BUSY = 503
AGAIN_S = 1.0
TOLD_EVERY = 10


@dataclass(frozen=True, slots=True)
class Plan:
    households: int
    days: int
    kinds: tuple[Kind, ...]
    honest: bool
    by_half_hours: bool
    """A round is a half hour, and each reading a packet of its own; else a round is a day in one packet a device."""
    seed: int
    fiscal_year: int
    """In whose April it begins."""
    node_down: bool = False
    """One node is killed before the first reading, and stays away."""

    @property
    def start_ms(self) -> int:
        return month_start_ms(f"{self.fiscal_year}-04")

    def simulator(self, ids: dict[str, str]) -> Simulator:
        return Simulator(
            seed=self.seed, households=self.households, days=self.days, kinds=self.kinds,
            rates=HONEST if self.honest else None, start_ms=self.start_ms,
            per_packet=1 if self.by_half_hours else SLOTS, ids=ids,
        )  # fmt: skip


class Round(msgspec.Struct, frozen=True):
    """What came together, from the first request to the last block."""

    packets: int
    readings: int
    taken_s: float
    """Until every packet had its answer: stored, and synced to the disk."""
    recorded_s: float
    """Until all of it was in certified blocks."""
    application_cpu_s: float
    """Of this process, the sending of the requests included."""
    nodes_cpu_s: float
    """Of all nodes together."""
    transactions: int


@dataclass
class Sent:
    """What was handed in: of each device and channel, the half hours at whose end it was read."""

    start_ms: int
    slots: int
    seen: dict[tuple[str, str], bytearray] = field(default_factory=dict)
    packets: int = 0

    def note(self, arrival: Arrival) -> None:
        self.packets += 1
        for reading in arrival.packet.readings:
            key = (arrival.packet.device, reading.channel)
            if key not in self.seen:
                self.seen[key] = bytearray(self.slots + 1)
            self.seen[key][(reading.end_ms - self.start_ms) // SLOT_MS] = 1

    def readings(self) -> dict[tuple[str, str], int]:
        """Distinct readings of each device and channel."""
        return {key: sum(seen) for key, seen in self.seen.items()}


@dataclass
class Ran:
    """A run before its check."""

    plan: Plan
    network: BenchNetwork
    kit: Kit
    client: DaichoClient
    ids: dict[str, str]
    devices: Sequence[SimulatedDevice]
    labels: Sequence[Label]
    sent: Sent
    rounds: list[Round]
    joined_s: float


Tell = Callable[[str], None]


@dataclass
class Town:
    """The application as it is served, the network behind it, and the gateways before it."""

    network: BenchNetwork
    kit: Kit
    client: DaichoClient
    http: aiohttp.ClientSession
    url: str

    async def join(self, plan: Plan, tell: Tell) -> dict[str, str]:
        """Members and devices on the chain and in the application's copy: from the devices' labels to their ids."""
        await self._call(admin_account(CODE), "set_programme", {"region": REGION})
        members = {number: f"bench-member-{number}" for number in range(1, plan.households + 1)}
        await self._calls(
            (app_account(CODE), "register_member", {"member": member, "kind": "household"})
            for member in members.values()
        )
        devices = plan.simulator({}).devices
        tell(f"{len(members)} members are registered; their {len(devices)} devices follow")
        done = await self._calls(
            (app_account(CODE), "register_device", _registration(members[d.household], d)) for d in devices
        )
        ids = {device.label: str(one.result["device"]) for device, one in zip(devices, done, strict=True)}
        tell("the application copies them from the chain")
        newest = max(one.height for one in done)
        await until(self.kit, lambda session: COPY.height(session) >= newest, COPIED_WITHIN_S)
        found = await self.kit.database.read(lambda session: len(CopiedRegistry().devices(session, [*ids.values()])))
        if found != len(ids):
            raise RuntimeError(f"the copy shows {found} of {len(ids)} devices")
        return ids

    async def _call(self, account: str, method: str, arguments: dict[str, Value]) -> Committed:
        signed = self.client.sign(self.network.key(account), account, ECOPOINTS, method, arguments)
        done = await self.client.submit_until_committed(signed)
        if done.reason:
            raise RuntimeError(f"{method} was refused: {done.reason}")
        return done

    async def _calls(self, calls: Iterator[tuple[str, str, dict[str, Value]]]) -> list[Committed]:
        gate = asyncio.Semaphore(JOINING_AT_ONCE)

        async def one(account: str, method: str, arguments: dict[str, Value]) -> Committed:
            async with gate:
                return await self._call(account, method, arguments)

        return await asyncio.gather(*(one(*call) for call in calls))

    async def round(self, arrivals: Sequence[Arrival], chance: random.Random) -> Round:
        packets = [arrival.signed for arrival in arrivals]
        requests = [packets[at : at + PACKETS_A_REQUEST] for at in range(0, len(packets), PACKETS_A_REQUEST)]
        requests += [part for part in requests if chance.randrange(SENT_AGAIN) == 0]
        cpu, nodes, batches, started = time.process_time(), self._nodes_cpu_s(), await self._batches(), time.monotonic()
        gate = asyncio.Semaphore(REQUESTS_AT_ONCE)
        await asyncio.gather(*(self._post(part, gate) for part in requests))
        taken_s = time.monotonic() - started
        await self.record()
        return Round(
            packets=len(packets),
            readings=sum(len(arrival.packet.readings) for arrival in arrivals),
            taken_s=round(taken_s, 2),
            recorded_s=round(time.monotonic() - started, 2),
            application_cpu_s=round(time.process_time() - cpu, 2),
            nodes_cpu_s=round(self._nodes_cpu_s() - nodes, 2),
            transactions=await self._batches() - batches,
        )

    async def _post(self, packets: Sequence[SignedPacket], gate: asyncio.Semaphore) -> None:
        body = pack(Packets(tuple(packets)))
        async with gate:
            while True:
                async with self.http.post(self.url + PATH, data=body) as answer:
                    status, said = answer.status, await answer.json()
                if status != TOO_BUSY:
                    break
                await asyncio.sleep(AGAIN_S)  # as a gateway does: it sends the same again
        if status != 200 or any(one["status"] == "refused" for one in said["packets"]):
            raise RuntimeError(f"packets were not taken: {str(said)[:300]}")

    async def record(self) -> None:
        """All that is stored into certified blocks. The batcher is driven here, for it looks only each 30 seconds."""
        batcher = batcher_of(self.kit)
        async with asyncio.timeout(DRAINED_WITHIN_S):
            while await self.kit.database.read(_is_waiting):
                try:
                    planned = await batcher.plan_once()
                except DBAPIError:  # a database that is away is tried again, as the application's worker does
                    planned = False
                if planned:
                    self.kit.outbox.wake()
                else:
                    await asyncio.sleep(POLL_S)

    async def _batches(self) -> int:
        return await self.kit.database.read(lambda session: len(session.scalars(select(EcoBatch.id)).all()))

    def _nodes_cpu_s(self) -> float:
        return cpu_s(self.network.pids) or 0.0


def _is_waiting(session: Session) -> bool:
    unplanned = exists().where(EcoReading.batch_id.is_(None))
    return bool(session.scalar(select(unplanned | exists().where(EcoBatch.state == "waiting"))))


async def until(kit: Kit, holds: Callable[[Session], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not await kit.database.read(holds):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(POLL_S * 5)


def _registration(member: str, device: SimulatedDevice) -> dict[str, Value]:
    return {
        "member": member, "kind": device.kind, "methodology": device.methodology or None,
        "parameters": dict(device.parameters), "key": device.key.public_key.hex(),
        "serial": sha256(device.serial.encode()).hex(), "place": sha256(device.place.encode()).hex(),
    }  # fmt: skip


def rounds_of(plan: Plan, arrivals: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    """What comes at one moment, or on one day."""
    every_ms = 1 if plan.by_half_hours else DAY_MS
    for _, together in itertools.groupby(arrivals, key=lambda arrival: (arrival.at_ms - 1 - plan.start_ms) // every_ms):
        yield list(together)


async def run(plan: Plan, folder: Path, tell: Tell, progress: Callable[[int, int], None], stack: AsyncExitStack) -> Ran:
    """The whole run; the network and the application stay up until `stack` is closed, for the check."""
    accounts = chain_accounts([CODE])
    network = await stack.enter_async_context(running_network(folder / "net", NODES, accounts))
    names = {o.code: Text(o.name_ja, o.name_en) for o in network.genesis.organisations}
    # The batcher is driven by the rounds: it would look only each half a minute.
    site = dataclasses.replace(make_site(names), background=(COPY.keep,))
    keys = Keyring({a.account: network.key(a.account) for a in accounts})
    settings = Settings(f"sqlite:///{folder / 'ecopoints.db'}", f"http://{HOST}", secret=bytes(32))
    chain = await stack.enter_async_context(NodeChain(network.urls, network.genesis, contracts.runtime()))
    kit, port = await stack.enter_async_context(serving(site, settings, chain, keys, host=HOST))
    client = await stack.enter_async_context(DaichoClient(network.urls, network.genesis))
    http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)))
    town = Town(network, kit, client, http, f"http://{HOST}:{port}")

    started = time.monotonic()
    ids = await town.join(plan, tell)
    joined_s = time.monotonic() - started
    simulator, rounds = plan.simulator(ids), list[Round]()
    sent = Sent(plan.start_ms, simulator.slots)
    tell(f"{len(ids)} devices have joined in {joined_s:.0f} s; {plan.days} days of readings begin")
    if plan.node_down:
        async with Watch(network.urls) as watch:
            killed = leader(await watch.read()) or network.net.file.nodes[0].node_id
        await asyncio.to_thread(network.net.kill, killed)
        tell(f"{killed}, which led, is killed")
    chance = random.Random(f"{plan.seed}/requests")
    for arrivals in rounds_of(plan, simulator.stream()):
        for arrival in arrivals:
            sent.note(arrival)
        rounds.append(await town.round(arrivals, chance))
        progress(simulator.slots_done, simulator.slots)
        if len(rounds) % TOLD_EVERY == 0:
            tell(f"{len(rounds)} rounds; the last was in blocks after {rounds[-1].recorded_s} s")
    return Ran(plan, network, kit, client, ids, simulator.devices, simulator.labels, sent, rounds, joined_s)
