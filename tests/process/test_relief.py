"""The relief application on real nodes: the leader is killed in the middle of the story, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from click.testing import CliRunner

import contracts
from apps.demo import Casts, DemoChain, Served, accounts, cast_of, serve_applications
from apps.donations.demo import PASSWORD
from apps.ecopoints.demo import EcoTown
from apps.volunteers.demo import Town
from cli import main
from contracts.donations.shipments import commitment
from edge.client import DaichoClient
from edge.demo import DemoPlan, stay_up
from edge.keys import read_key
from edge.localnet import Localnet
from edge.sample import load_week
from edge.watch import Watch, leader
from ledger.genesis import load_genesis
from tests.apps.common.harness import Browser, Seen
from tests.apps.donations.relief import last_part

pytestmark = pytest.mark.process


ECO = EcoTown("132012", "hachioji", households=3)


class Quiet:
    def stage(self, text: str) -> None:
        pass

    def done(self, count: int, total: int) -> None:
        pass


@contextlib.asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[tuple[Localnet, Served]]:
    """Four nodes with the sample's masters and nothing else, and the application."""
    week = dataclasses.replace(load_week(), entries=())
    plan = DemoPlan(folder, 4, contracts.runtime(), commitment, week=week, applications=accounts(week.municipalities))
    up: asyncio.Future[tuple[Localnet, Served]] = asyncio.get_running_loop().create_future()

    @contextlib.asynccontextmanager
    async def serve(net: Localnet) -> AsyncIterator[None]:
        genesis = load_genesis(net.genesis_path.read_bytes())
        keys = {a.account: read_key(net.data / "accounts" / f"{a.account}.key") for a in plan.accounts()}
        chain = DemoChain(net.data / "apps", net.urls, genesis, plan.runtime, keys)
        cast = dataclasses.replace(cast_of(plan, genesis.chain_id), parties=["supporter-1"])
        async with serve_applications(chain, Casts(cast, [ECO], [Town(ECO.code, ECO.name)]), Quiet().stage) as served:
            up.set_result((net, served[0]))
            yield

    running = asyncio.create_task(stay_up(plan, Quiet(), serve))
    done, _ = await asyncio.wait([running, up], timeout=90, return_when=asyncio.FIRST_COMPLETED)
    assert up in done, running
    try:
        yield up.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.function("X3", "X7", "D12a")
async def test_the_leader_is_killed_in_the_middle_of_the_story(tmp_path: Path) -> None:
    data = tmp_path / "net"
    async with demo(data) as (net, app), AsyncBrowsers(app.url) as browsers, Watch(net.urls) as watch:
        staff = await browsers.open("hachioji-01@example.jp")
        giver = await browsers.open("supporter1@example.jp")

        async def kill_the_leader() -> str:
            name = leader(await watch.read())
            assert name is not None
            await asyncio.to_thread(net.kill, name)
            return name

        await staff.get("/needs/new")
        await staff.send({"goods": "blanket/", "quantity": "40"})
        killed = await kill_the_leader()
        await staff.send({"step": "confirm"})
        need = last_part(await settled(staff), "/needs/")
        await giver.get(f"/needs/{need}/pledge")
        await giver.send({"quantity": "40"})
        await giver.send({"step": "confirm"})
        offer = last_part(await settled(giver), "/offers/")
        net.start(killed, with_parent=True)
        await staff.get(f"/offers/{offer}/request")
        await staff.send({"quantity": "40", "boxes": "2"})
        await staff.send({"step": "confirm"})
        request = last_part(await settled(staff), "/requests/")
        await watch.until_equal(30)
        again = await kill_the_leader()
        await giver.get(f"/mine/requests/{request}/ship")
        await giver.send({"sure": "1"})
        await settled(giver)
        await giver.get(f"/mine/requests/{request}")
        assert "発送済み" in giver.page.main
        net.start(again, with_parent=True)
        await watch.until_equal(30)
        async with DaichoClient(net.urls, load_genesis(net.genesis_path.read_bytes())) as client:
            told = await client.history(f"need:{need}", limit=100)
    events = Counter(entry.event.name for entry in told.entries)
    assert [events[e] for e in ("need_registered", "pledged", "requested", "shipped")] == [1, 1, 1, 1], events
    for node in net.file.nodes:
        home = str(net.home(node.node_id))
        checked = CliRunner().invoke(main, ["verify", "--genesis", str(net.genesis_path), "--home", home])
        assert checked.exit_code == 0, checked.output


async def settled(browser: Browser) -> Seen:
    """The page once the chain has answered: while it has not, the page says so and is looked at again."""
    for _ in range(100):
        if "/sent/" not in browser.page.url:
            break
        await asyncio.sleep(0.1)
        await browser.get(browser.page.url)
    return browser.page


class AsyncBrowsers:
    """Visitors of the demo, each with cookies of their own."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> AsyncBrowsers:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def open(self, email: str) -> Browser:
        session = await self._stack.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        browser = Browser(session, self._base)
        await browser.sign_in(email, PASSWORD)
        assert "sign-in" not in browser.page.url
        return browser
