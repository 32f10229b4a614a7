"""`daicho demo`: a network on this machine with the sample week in it; with `--once`, the proof that all of it held.

With `--once`, half the week is written, then the leader is killed with -9 while the writers go on; the other half is
written, the dead node is started again and catches up. Then all that the report says is checked: each write that was
ever sent stands in every node's chain exactly once, each acknowledgement was true, all heads are equal, and the data of
every node passes the audit.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from edge import demo_week
from edge.client import DaichoClient
from edge.demo_check import Checked, check_data
from edge.init import PORTS_PER_NODE, AccountPlan, InitReason, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import NETWORK_NAME, Localnet
from edge.municipalities import Municipality, load_municipalities
from edge.ports import check_ports, free_base_port
from edge.sample import Week, load_week
from edge.watch import Reading, Watch, leader, states
from edge.writers import Pace, Signer, Write, WriteLog, Writer, longest_gap_ms, monotonic_ms
from ledger.contract import Runtime
from ledger.genesis import load_genesis
from ledger.refusal import Reason, Refused, Text

HOST = "127.0.0.1"
NETWORK = "daicho-demo"
"""The name of the demo's network: a folder of that network, and no other, is replaced by a new demo."""
RATE_PER_S = 25.0
"""Writes of all writers together."""
START_WITHIN_S = 30.0
CATCH_UP_WITHIN_S = 30.0
MASTERS_AT_A_TIME = 8
CHECK_EVERY_S = 0.5
T = TypeVar("T")


class DemoReason(Reason):
    WRITE_REFUSED = Text("サンプルの {ref} が拒否されました: {reason}", "the sample's row {ref} was refused: {reason}")
    NO_LEADER = Text("リーダーが分かりません", "no node says who the leader is")


class Progress(Protocol):
    """Tells people how far it has come."""

    def stage(self, text: str) -> None: ...

    def done(self, count: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class DemoPlan:
    data: Path
    nodes: int
    runtime: Runtime
    commitment: Callable[[str], str]
    """The contract's commitment to a box's token."""
    base_port: int | None = None
    rate_per_s: float = RATE_PER_S
    week: Week = field(default_factory=load_week)
    applications: Sequence[AccountPlan] = ()
    """Accounts that the applications need beside those of the week."""

    def accounts(self) -> list[AccountPlan]:
        """All accounts of the demo's genesis."""
        return [*demo_week.accounts(self.week), *self.applications]


@dataclass(frozen=True, slots=True)
class Report:
    """What `--once` found. `ok` only if every write is in every chain exactly once and all else is as it must be."""

    nodes: int
    writes: int
    acknowledged: int
    longest_gap_ms: int
    killed: str
    back_after_ms: int
    """From the restart of the killed node until its head was that of the others."""
    height: int
    heads_equal: bool
    checked: tuple[Checked, ...]
    problems: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.problems


def prepare(plan: DemoPlan) -> Localnet:
    """A new network for the demo in `plan.data`; an earlier demo's folder is replaced, no other."""
    _clear(plan.data)
    ports = PORTS_PER_NODE * plan.nodes
    if plan.base_port is None:
        base_port = free_base_port(HOST, ports)
    else:
        base_port = plan.base_port
        check_ports(HOST, base_port, ports)
    create_network(
        NetworkPlan(
            data=plan.data,
            nodes=plan.nodes,
            municipalities=_members(plan),
            contract_versions=plan.runtime.latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=base_port,
            network=NETWORK,
            host=HOST,
            accounts=plan.accounts(),
        )
    )
    return Localnet(plan.data)


def _clear(data: Path) -> None:
    if not (data / NETWORK_NAME).exists():
        return
    earlier = Localnet(data)
    if earlier.file.network != NETWORK:
        raise Refused(InitReason.NOT_EMPTY, path=str(data))
    earlier.stop_all()
    shutil.rmtree(data)


def _members(plan: DemoPlan) -> list[Municipality]:
    """The organisations: one for each node, and whoever else has a shelter."""
    known = load_municipalities()
    running = known[: plan.nodes]
    return running + [m for m in known[plan.nodes :] if m.code in plan.week.municipalities]


def is_there(data: Path) -> bool:
    """Whether `data` holds an earlier demo."""
    return (data / NETWORK_NAME).exists() and Localnet(data).file.network == NETWORK


# -- writing the week --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Loader:
    """The clients and writers of one run."""

    plan: DemoPlan
    net: Localnet
    log: WriteLog
    signer: Signer
    clients: Sequence[DaichoClient]
    salt: bytes
    progress: Progress

    async def masters(self) -> None:
        """Shelters and items, several at a time."""
        self.progress.stage("registering shelters and items")
        calls = demo_week.master_calls(self.plan.week)
        writer = Writer(self.clients[0], self.signer, self.log)
        for start in range(0, len(calls), MASTERS_AT_A_TIME):
            part = calls[start : start + MASTERS_AT_A_TIME]
            await asyncio.gather(*(writer.write(call, monotonic_ms()) for call in part))
        _check_accepted(self.log.writes)

    async def week(self) -> None:
        """The whole week: one writer a municipality, each with a client that prefers another node."""
        calls = demo_week.WeekCalls(
            self.plan.week, demo_week.first_day_ms(time.time_ns() // 1_000_000), self.salt, self.plan.commitment
        )
        before, total = len(self.log.writes), len(self.plan.week.entries)
        self.log.on_acknowledged(lambda: self.progress.done(len(self.log.writes) - before, total))
        self.progress.stage(f"writing the week: {total} rows at {self.plan.rate_per_s:g} a second")
        pace = Pace(monotonic_ms(), self.plan.rate_per_s)
        async with asyncio.TaskGroup() as group:
            for number, part in enumerate(calls.by_writer()):
                client = self.clients[number % len(self.clients)]
                group.create_task(Writer(client, self.signer, self.log).run(part, pace))
        _check_accepted(self.log.writes)


def _check_accepted(writes: list[Write]) -> None:
    for write in writes:
        if write.reason:
            raise Refused(DemoReason.WRITE_REFUSED, ref=write.ref, reason=write.reason)


@contextlib.asynccontextmanager
async def _loader(plan: DemoPlan, net: Localnet, progress: Progress) -> AsyncIterator[_Loader]:
    genesis = load_genesis(net.genesis_path.read_bytes())
    keys = {a.account: read_key(net.data / "accounts" / f"{a.account}.key") for a in demo_week.accounts(plan.week)}
    log = WriteLog(net.data / "writes.jsonl")
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(log.close)
        urls = net.urls
        clients = [
            await stack.enter_async_context(DaichoClient(urls[n:] + urls[:n], genesis)) for n in range(len(urls))
        ]
        yield _Loader(plan, net, log, Signer(genesis.chain_id, keys), clients, genesis.chain_id, progress)


# -- staying up --------------------------------------------------------------------------------------------------------


async def stay_up(
    plan: DemoPlan, progress: Progress, serve: Callable[[Localnet], AbstractAsyncContextManager[None]]
) -> None:
    """The demo for people: nodes, the week, then up until it is cancelled (Ctrl-C), which ends every node in order.

    An earlier demo in the same folder goes on where it was. `serve` runs beside the nodes once there is something to
    look at: the applications.
    """
    net = Localnet(plan.data) if is_there(plan.data) else prepare(plan)
    try:
        async with Watch(net.urls) as watch:
            readings = await _while_all_live(net, _start(net, watch, progress))
            if all(s.height == 0 for s in states(readings)):
                await _while_all_live(net, _load(plan, net, progress))
        progress.stage("starting the applications")
        async with serve(net):
            await _tell_of_ends(net, progress)
    finally:
        progress.stage("stopping all nodes")
        net.stop_all()


async def _tell_of_ends(net: Localnet, progress: Progress) -> None:
    """For ever: say which nodes have ended and which are back. People are invited to kill some."""
    running = {r.place.node_id for r in net.running()}
    while True:
        await asyncio.sleep(CHECK_EVERY_S)
        now = {r.place.node_id for r in net.running() if r.pid is not None}
        for node_id in sorted(running - now):
            progress.stage(f"{node_id} has ended; again: daicho localnet restart --data {net.data} {node_id}")
        for node_id in sorted(now - running):
            progress.stage(f"{node_id} is back")
        running = now


async def _load(plan: DemoPlan, net: Localnet, progress: Progress) -> None:
    async with _loader(plan, net, progress) as loader:
        await loader.masters()
        await loader.week()


async def _start(net: Localnet, watch: Watch, progress: Progress) -> list[Reading]:
    progress.stage(f"starting {len(net.file.nodes)} nodes")
    net.start_all(with_parent=True)
    return await watch.until_quorum(START_WITHIN_S)


# -- once, with a murder -----------------------------------------------------------------------------------------------


async def run_once(plan: DemoPlan, progress: Progress) -> Report:
    """The unattended demo; every node it started is stopped when it ends, however it ends."""
    started = time.monotonic()
    net = prepare(plan)
    try:
        run = await _while_all_live(net, _run(plan, net, progress))
        net.stop_all()
        checked = _check(plan, net, run.writes, progress)
    finally:
        net.stop_all()
    writes = run.writes
    problems = [problem for one in checked for problem in one.problems]
    heads = {(one.height, one.head_hash) for one in checked}
    if len(heads) != 1:
        problems.append(f"the heads differ: {sorted(heads)}")
    unacknowledged = sum(w.acknowledged_ms is None for w in writes)
    if unacknowledged:
        problems.append(f"{unacknowledged} writes were never acknowledged")
    return Report(
        nodes=plan.nodes,
        writes=len(writes),
        acknowledged=len(writes) - unacknowledged,
        longest_gap_ms=round(longest_gap_ms(writes[run.masters :])),
        killed=run.killed,
        back_after_ms=run.back_after_ms,
        height=max(one.height for one in checked),
        heads_equal=len(heads) == 1,
        checked=tuple(checked),
        problems=tuple(problems),
        seconds=round(time.monotonic() - started, 1),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What happened while the nodes ran."""

    writes: list[Write]
    masters: int
    """How many of the first writes registered shelters and items: before the clock of the gap began."""
    killed: str
    back_after_ms: int


async def _run(plan: DemoPlan, net: Localnet, progress: Progress) -> _Run:
    async with Watch(net.urls) as watch:
        await _start(net, watch, progress)
        async with _loader(plan, net, progress) as loader:
            await loader.masters()
            masters = len(loader.log.writes)
            killed = await _write_and_kill(loader, watch)
            progress.stage(f"starting {killed} again")
            restarted = time.monotonic()
            net.start(killed, with_parent=True)
            await watch.until_equal(CATCH_UP_WITHIN_S)
            return _Run(loader.log.writes, masters, killed, int((time.monotonic() - restarted) * 1000))


async def _while_all_live(net: Localnet, work: Coroutine[object, object, T]) -> T:
    """Do the work, but no longer than all nodes run that nobody has told to end: `Refused(DIED)` shows the log."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=CHECK_EVERY_S)
            net.check_alive()
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _write_and_kill(loader: _Loader, watch: Watch) -> str:
    """Write the week; when half of it is acknowledged, kill the leader. Whom it was."""
    half = asyncio.Event()
    target = len(loader.log.writes) + len(loader.plan.week.entries) // 2

    def count() -> None:
        if len(loader.log.writes) >= target:
            half.set()

    async def kill() -> str:
        await half.wait()
        name = leader(await watch.read())
        if name is None:
            raise Refused(DemoReason.NO_LEADER)
        # In a thread: waiting for the process to be gone must not stop the writers.
        await asyncio.to_thread(loader.net.kill, name)
        loader.progress.stage(f"killed the leader, {name}, with -9; the writers go on")
        return name

    loader.log.on_acknowledged(count)
    async with asyncio.TaskGroup() as group:
        killing = group.create_task(kill())
        group.create_task(loader.week())
    return killing.result()


def _check(plan: DemoPlan, net: Localnet, writes: list[Write], progress: Progress) -> list[Checked]:
    genesis = load_genesis(net.genesis_path.read_bytes())
    checked: list[Checked] = []
    for place in net.file.nodes:
        progress.stage(f"auditing the data of {place.node_id}")
        checked.append(
            check_data(place.node_id, net.home(place.node_id), genesis, plan.runtime, writes, lambda done, last: None)
        )
    return checked
