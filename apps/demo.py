"""The applications of the demonstration, served in one process beside the nodes of `daicho demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from apps.common.application import Site
from apps.common.chain import Keyring
from apps.common.node_chain import NodeChain
from apps.common.running import keep_personal_data_out_of_logs, serving
from apps.common.settings import Settings
from apps.common.web import Kit
from apps.donations import demo as donations_demo
from apps.donations.demo import Cast, Town
from apps.donations.site import make_site as make_donations
from apps.ecopoints import demo as ecopoints_demo
from apps.ecopoints.broker import own_broker
from apps.ecopoints.demo import EcoTown
from apps.ecopoints.site import make_site as make_ecopoints
from apps.volunteers import accounts as volunteers_accounts
from apps.volunteers import demo as volunteers_demo
from apps.volunteers.site import make_site as make_volunteers
from edge import demo_week
from edge.console import show
from edge.demo import DemoPlan, Progress
from edge.init import AccountPlan
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port, is_free
from edge.terminal import where_to_look
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, load_genesis
from ledger.refusal import Text

HOST = "127.0.0.1"
STATE_NAME = "state.json"
HOUSEHOLDS = (12, 4)
"""Members of the eco-points in the first municipalities."""


class State(msgspec.Struct, frozen=True):
    """What an application keeps over restarts, so that sessions and QR codes stay good."""

    secret: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Served:
    """An application that is up, for the command line to tell."""

    title: str
    url: str
    password: str
    accounts: Sequence[tuple[str, str]]
    """Role and address."""


@dataclass(frozen=True, slots=True)
class DemoChain:
    """The demonstration's chain, and the keys of the accounts that its applications sign for."""

    folder: Path
    """Where the applications keep their databases."""
    urls: Sequence[str]
    genesis: Genesis
    runtime: Runtime
    keys: Mapping[str, SigningKey]


@dataclass(frozen=True, slots=True)
class Casts:
    """Who plays in each application."""

    donations: Cast
    ecopoints: Sequence[EcoTown]
    volunteers: Sequence[volunteers_demo.Town]


@asynccontextmanager
async def serve_applications(
    chain: DemoChain, casts: Casts, tell: Callable[[str], None], *, mqtt: bool = False
) -> AsyncIterator[list[Served]]:
    """All applications until the block ends. `mqtt`: devices send their readings through a broker."""
    keep_personal_data_out_of_logs()
    names = {o.code: Text(o.name_ja, o.name_en) for o in chain.genesis.organisations}
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(NodeChain(chain.urls, chain.genesis, chain.runtime))
        relief, relief_url = await _serve(stack, chain, nodes, make_donations(names), "relief@example.jp")
        broker = await stack.enter_async_context(own_broker(chain.folder / "mosquitto")) if mqtt else None
        if broker is not None:
            tell(f"readings come through the MQTT broker at {broker.host}:{broker.port}, topic {broker.topic}")
        site = make_ecopoints(names, broker)
        points, points_url = await _serve(stack, chain, nodes, site, "ecopoints@example.jp")
        helping, helping_url = await _serve(stack, chain, nodes, make_volunteers(names), "volunteers@example.jp")
        await asyncio.gather(
            donations_demo.seed(relief, casts.donations),
            ecopoints_demo.seed(points, casts.ecopoints, broker),
            volunteers_demo.seed(helping, casts.volunteers),
        )
        yield [
            Served(
                "支援物資マッチング", relief_url, donations_demo.PASSWORD, donations_demo.town_accounts(casts.donations)
            ),
            Served("地域エコポイント", points_url, ecopoints_demo.PASSWORD, ecopoints_demo.people(casts.ecopoints)),
            Served("地域貢献", helping_url, volunteers_demo.PASSWORD, volunteers_demo.people(casts.volunteers)),
        ]


async def _serve(stack: AsyncExitStack, chain: DemoChain, nodes: NodeChain, site: Site, sender: str) -> tuple[Kit, str]:
    """One application with a database and an address of its own."""
    folder = chain.folder / site.name
    state = _state(folder)
    url = f"http://{HOST}:{state.port}"
    settings = Settings(
        database_url=f"sqlite:///{folder / f'{site.name}.db'}",
        base_url=url,
        secret=state.secret,
        sender=sender,
        demo=True,
        smtp_sink_port=0,
    )
    kit, _ = await stack.enter_async_context(
        serving(site, settings, nodes, Keyring(chain.keys), host=HOST, port=state.port)
    )
    return kit, url


def _state(folder: Path) -> State:
    """The state of the last run; a new one the first time, or when the port is taken by now."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STATE_NAME
    state = State(secrets.token_bytes(32), 0)
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        state = msgspec.json.decode(path.read_bytes(), type=State)
    if not state.port or not is_free(HOST, state.port):
        state = State(state.secret, free_base_port(HOST, 1))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(state))
    return state


@asynccontextmanager
async def beside(
    plan: DemoPlan, net: Localnet, progress: Progress, *, mqtt: bool, as_json: bool
) -> AsyncIterator[None]:
    """The demo's applications, and what people are told once they are up."""
    genesis = load_genesis(net.genesis_path.read_bytes())
    keys = {a.account: read_key(net.data / "accounts" / f"{a.account}.key") for a in plan.accounts()}
    chain = DemoChain(net.data / "apps", net.urls, genesis, plan.runtime, keys)
    async with serve_applications(chain, casts_of(plan, genesis.chain_id), progress.stage, mqtt=mqtt) as served:
        found = {
            "data": str(net.data),
            "urls": net.urls,
            "genesis": str(net.genesis_path),
            "applications": [asdict(one) for one in served],
        }
        show(as_json, found, *where_to_look(net, [(s.title, s.url, s.password, s.accounts) for s in served]))
        yield


def accounts(codes: Sequence[str]) -> list[AccountPlan]:
    """The accounts that the applications need beside those of the sample week."""
    return [*ecopoints_demo.chain_accounts(codes), *volunteers_accounts.chain_accounts(codes)]


def casts_of(plan: DemoPlan, chain_id: bytes) -> Casts:
    names = {m.code: m.node_id for m in load_municipalities()}
    towns = [
        EcoTown(code, names[code], households)
        for code, households in zip(plan.week.municipalities, HOUSEHOLDS, strict=False)
    ]
    helping = [volunteers_demo.Town(town.code, town.name) for town in towns]
    return Casts(cast_of(plan, chain_id), towns, helping)


def cast_of(plan: DemoPlan, chain_id: bytes) -> Cast:
    """The people of the sample week. First come supporters from whom something is still awaited."""
    week = plan.week
    names = {m.code: m.node_id for m in load_municipalities()}
    towns = [
        Town(code, names[code], [s.shelter for s in week.shelters if s.municipality == code])
        for code in week.municipalities
    ]
    given = {e.ref: e.party for e in week.entries if e.action in ("pledge", "offer")}
    asked = {e.ref: given[e.of] for e in week.entries if e.action == "request"}
    shipped = {e.of for e in week.entries if e.action == "ship"}
    waiting = [party for ref, party in asked.items() if ref not in shipped]
    codes = demo_week.WeekCalls(week, 0, chain_id, plan.commitment).tokens()
    return Cast(towns, list(dict.fromkeys([*waiting, *given.values()])), codes)
