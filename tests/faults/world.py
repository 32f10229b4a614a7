"""A network of real processes over links of ours, steady writes on it, and one fault after the other."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import contracts
from edge.client import ClientError, DaichoClient
from edge.config import load_config
from edge.demo_check import Places, places
from edge.init import CONFIG_NAME, PORTS_PER_NODE, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.verify import Terms, verify_store
from edge.watch import Watch
from edge.writers import Signer, Write, WriteLog, longest_gap_ms, monotonic_ms
from ledger.audit import Fault as AuditFault
from ledger.audit import stored_blocks
from ledger.chain import header_of
from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.genesis import Genesis
from ledger.refusal import Refused
from ledger.store import LevelDb
from tests.faults.checker import Kept, forks, judge
from tests.faults.links import Links

if TYPE_CHECKING:
    from tests.faults.catalogue import Fault

NODES = 4
CLIENTS = 3
RATE_PER_S = 10.0
READY_WITHIN_S = 90.0
HEALED_WITHIN_S = 90.0
BEFORE_S = 1.0


@dataclass(slots=True)
class World:
    """What a fault may touch: the nodes' processes, their homes, their links."""

    net: Localnet
    genesis: Genesis
    links: Links
    chance: random.Random
    watch: Watch

    @property
    def nodes(self) -> list[str]:
        return [place.node_id for place in self.net.file.nodes]

    def some(self) -> str:
        """Any node."""
        return self.chance.choice(self.nodes)

    async def stop(self, node: str) -> None:
        await asyncio.to_thread(self.net.stop, node)

    def start(self, node: str) -> None:
        self.net.start(node, with_parent=True)

    async def restart_the_fallen(self) -> None:
        """What systemd does: a node that ended is started again."""
        for running in self.net.running():
            if running.pid is None:
                self.start(running.place.node_id)

    async def healed(self) -> None:
        """`Refused` if the network is not whole again in time."""
        await self.watch.until_quorum(HEALED_WITHIN_S)


@dataclass(frozen=True, slots=True)
class Suffered:
    """How the network did under one fault."""

    fault: str
    writes: tuple[Write, ...]
    longest_gap_ms: float
    heal_ms: float | None
    """None: not in time."""
    memory_peak_bytes: int
    """The greatest of any node's process that runs at the end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kept: dict[str, Kept]
    problems: tuple[str, ...]


class Load:
    """Several clients that go on writing at a rate, each write an account of its own."""

    def __init__(self, world: World, clients: Sequence[DaichoClient], log: WriteLog) -> None:
        self._clients, self._log, self._chance = clients, log, world.chance
        account = f"operator.{world.net.file.nodes[0].organisation}"
        key = read_key(world.net.data / "accounts" / f"{account}.key")
        self._account, self._signer = account, Signer(world.genesis.chain_id, {account: key})
        self._ends = asyncio.Event()

    def end(self) -> None:
        self._ends.set()

    async def run(self) -> None:
        """Until told to end, and every write has its answer or none is to be had."""
        start_ms, number = monotonic_ms(), 0
        async with asyncio.TaskGroup() as group:
            while not self._ends.is_set():
                due_ms = start_ms + number * 1000 / RATE_PER_S
                await asyncio.sleep(max(0.0, (due_ms - monotonic_ms()) / 1000))
                group.create_task(self._write(self._clients[number % len(self._clients)], due_ms))
                number += 1

    async def _write(self, client: DaichoClient, due_ms: float) -> None:
        name = f"clerk-{self._chance.randbytes(8).hex()}"
        public_key = SigningKey(self._chance.randbytes(32)).public_key
        args: dict[str, Value] = {"account": name, "roles": ["donations.shelter"], "keys": [public_key]}
        transaction = self._signer.sign(self._account, "governance", "create_account", args)
        write = Write(name, transaction.id, due_ms, monotonic_ms())
        self._log.sent(write)
        try:
            committed = await client.submit_until_committed(transaction)
        except ClientError:
            return
        write.acknowledged_ms, write.height, write.reason = monotonic_ms(), committed.height, committed.reason
        self._log.acknowledged(write)


@asynccontextmanager
async def opened(folder: Path, seed: int) -> AsyncIterator[World]:
    """A new network in `folder`, in sync; its processes and links end with the block."""
    made = create_network(
        NetworkPlan(
            data=folder,
            nodes=NODES,
            municipalities=load_municipalities()[:NODES],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port("127.0.0.1", PORTS_PER_NODE * NODES),
            network="faults",
        )
    )
    chance = random.Random(seed)
    net, links = Localnet(folder), Links(chance)
    for place in net.file.nodes:
        others = [other for other in net.file.nodes if other != place]
        ways = [(o.node_id, await links.open(place.node_id, o.node_id, o.peer_address)) for o in others]
        with (net.home(place.node_id) / CONFIG_NAME).open("a", encoding="utf-8") as config:
            config.write("\n[peers]\n" + "".join(f'{node} = "{address}"\n' for node, address in ways))
    try:
        async with Watch(net.urls) as watch:
            world = World(net, made.genesis, links, chance, watch)
            for node in world.nodes:
                world.start(node)
            await watch.until_quorum(READY_WITHIN_S)
            yield world
    finally:
        await links.close()
        net.stop_all()


async def suffer(world: World, fault: Fault, log_path: Path) -> Suffered:
    """Writes, the fault among them, then its end, and writes until the network is whole again."""
    log = WriteLog(log_path)
    async with AsyncExitStack() as stack:
        stack.callback(log.close)
        clients = [await stack.enter_async_context(DaichoClient(world.net.urls, world.genesis)) for _ in range(CLIENTS)]
        load = Load(world, clients, log)
        heal_ms: float | None = None
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            try:
                await asyncio.sleep(BEFORE_S)
                async with fault.of(world):
                    await asyncio.sleep(fault.lasts_s)
                ended_ms = monotonic_ms()
                await world.restart_the_fallen()
                try:
                    await world.healed()
                    heal_ms = monotonic_ms() - ended_ms
                except Refused:
                    heal_ms = None
                await asyncio.sleep(BEFORE_S)
            finally:
                load.end()
    pids = [running.pid for running in world.net.running() if running.pid is not None]
    peak = max((_memory_peak(pid) for pid in pids), default=0)
    return Suffered(fault.name, tuple(log.writes), longest_gap_ms(log.writes), heal_ms, peak)


async def final_verdict(world: World, all_suffered: Sequence[Suffered]) -> Verdict:
    """Every node is stopped once all have the same head; each chain is audited, and each write looked for in it."""
    problems: list[str] = []
    try:
        await world.watch.until_equal(HEALED_WITHIN_S)
    except Refused as late:
        problems.append(str(late))
    await asyncio.to_thread(world.net.stop_all)
    chains: dict[str, Places] = {}
    blocks: dict[str, dict[int, str]] = {}
    for node in world.nodes:
        home = world.net.home(node)
        try:
            await asyncio.to_thread(
                verify_store, load_config(home / CONFIG_NAME).store, Terms(world.genesis, contracts.runtime())
            )
            chains[node], blocks[node] = places(home), _blocks(home)
        except (AuditFault, Refused) as fault:
            problems.append(f"{node}: verify: {fault}")
    problems += [f"fork at height {height}" for height in forks(blocks)]
    kept = {suffered.fault: judge(suffered.writes, chains) for suffered in all_suffered}
    for suffered in all_suffered:
        found = kept[suffered.fault]
        if found.lost or found.doubled:
            problems.append(f"{suffered.fault}: {found.lost} lost, {found.doubled} doubled")
        if not found.acknowledged:
            problems.append(f"{suffered.fault}: no write was acknowledged")
        if suffered.heal_ms is None:
            problems.append(f"{suffered.fault}: not whole again in {HEALED_WITHIN_S:.0f} s")
    return Verdict(kept, tuple(problems))


def _blocks(home: Path) -> dict[int, str]:
    store = LevelDb(load_config(home / CONFIG_NAME).store, create=False)
    try:
        return {stored.height: header_of(stored.raw).hash.hex() for stored in stored_blocks(store)}
    finally:
        store.close()


def _memory_peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


async def run(
    faults: Sequence[Fault], seed: int, tell: Callable[[str], None] = lambda name: None
) -> tuple[list[Suffered], Verdict]:
    """All of them on one network, which thus has to be whole after each. `tell` hears which begins."""
    with tempfile.TemporaryDirectory(prefix="daicho-faults-") as folder:
        async with opened(Path(folder) / "net", seed) as world:
            done: list[Suffered] = []
            for fault in faults:
                tell(fault.name)
                done.append(await suffer(world, fault, Path(folder) / f"{fault.name}.log"))
            tell("comparing every acknowledged write with every node's chain")
            return done, await final_verdict(world, done)
