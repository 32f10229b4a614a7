"""Ten eco-point records a second through the application's outbox, with a node down: none lost, none doubled (E10)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import contracts
from apps.common.application import make_kit
from apps.common.chain import Keyring
from apps.common.language import system_clock
from apps.common.node_chain import NodeChain
from apps.common.outbox import Call
from apps.common.seeding import Seeder
from apps.common.tables import Write
from apps.common.web import Kit
from apps.ecopoints import demo
from apps.ecopoints.signing import admin_account, app_call
from apps.ecopoints.site import make_site
from edge.init import PORTS_PER_NODE, Network, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import Watch, leader
from tests.apps.common.harness import settings
from tests.contracts.ecopoints.programme import EV, device
from tests.contracts.world import HACHIOJI

pytestmark = pytest.mark.process
RATE_PER_S = 10
SECONDS = 6
DOWN_AFTER_S = 2


def made(folder: Path) -> Network:
    return create_network(
        NetworkPlan(
            data=folder, nodes=4, municipalities=load_municipalities()[:4],
            contract_versions=contracts.runtime().latest_versions(), time_ms=system_clock(),
            base_port=free_base_port("127.0.0.1", PORTS_PER_NODE * 4), network="eco-rate",
            accounts=demo.chain_accounts([HACHIOJI]),
        )
    )  # fmt: skip


async def decided(kit: Kit, count: int, within_s: float) -> None:
    """Until the chain has decided so many writes."""
    query = select(func.count()).select_from(Write).where(Write.state != "waiting")
    async with asyncio.timeout(within_s):
        while (await kit.database.read(lambda session: session.scalar(query)) or 0) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def join(kit: Kit) -> str:
    """The programme, a member, and a car whose months are entered by hand; the car's id."""
    seeder = Seeder(kit)
    await seeder.write(Call(admin_account(HACHIOJI), "ecopoints", "set_programme", {"region": "tepco"}))
    await seeder.write(app_call(HACHIOJI, "register_member", {"member": "member-1", "kind": "household"}))
    car = device("member-1", "ev", EV, "car", baseline_km_per_l_x10=150)
    (result,) = await seeder.write(app_call(HACHIOJI, "register_device", car))
    return str(result["device"])


@pytest.mark.function("E10", "X3")
async def test_ten_records_a_second_with_a_node_down_are_all_there_once(tmp_path: Path) -> None:
    network = made(tmp_path / "net")
    net = Localnet(tmp_path / "net")
    keys = {a.account: read_key(net.data / "accounts" / f"{a.account}.key") for a in demo.chain_accounts([HACHIOJI])}
    try:
        net.start_all(with_parent=True)
        async with (
            Watch(net.urls) as watch,
            NodeChain(net.urls, network.genesis, contracts.runtime()) as chain,
        ):
            await watch.until_quorum(60.0)
            kit = make_kit(make_site({}), settings(f"sqlite:///{tmp_path / 'app.db'}"), chain, Keyring(keys))
            working = asyncio.create_task(kit.outbox.run())
            car = await join(kit)
            before = await kit.database.read(lambda s: s.scalar(select(func.count()).select_from(Write))) or 0
            began_s = time.monotonic()
            for number in range(RATE_PER_S * SECONDS):
                if number == RATE_PER_S * DOWN_AFTER_S:
                    name = leader(await watch.read())
                    assert name is not None
                    await asyncio.to_thread(net.kill, name)
                await kit.database.write(lambda session: _enter(kit, session, car, number))  # noqa: B023
                kit.outbox.wake()
                await asyncio.sleep(max(0.0, began_s + (number + 1) / RATE_PER_S - time.monotonic()))
            await decided(kit, before + RATE_PER_S * SECONDS, 60.0)
            print(f"{RATE_PER_S * SECONDS} records in {time.monotonic() - began_s:.1f} s, the leader killed amid them")
            steps, more = await chain.history(f"device:{car}", "", 200)
            assert not more
            told = [step for step in steps if step.event.name == "value_entered"]
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            kit.database.close()
    finally:
        net.stop_all()
    assert Counter(step.event.data["value"] for step in told) == Counter(range(RATE_PER_S * SECONDS))
    assert len({step.transaction_id for step in told}) == RATE_PER_S * SECONDS


def _enter(kit: Kit, session: Session, car: str, number: int) -> None:
    """A record: the month's distance as it is read now."""
    value = {"device": car, "month": "2026-04", "channel": "distance", "value": number}
    kit.outbox.put(session, "value", app_call(HACHIOJI, "enter_value", value))
