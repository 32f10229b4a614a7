"""The applications of the demonstration, served in one process beside the nodes of `daicho demo`."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from apps.common.chain import Keyring
from apps.common.node_chain import NodeChain
from apps.common.running import keep_personal_data_out_of_logs, serving
from apps.common.settings import Settings
from apps.donations import demo as donations_demo
from apps.donations.demo import Cast, Town
from apps.donations.site import make_site
from edge import demo_week
from edge.console import show
from edge.demo import DemoPlan
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


@asynccontextmanager
async def serve_applications(chain: DemoChain, cast: Cast) -> AsyncIterator[list[Served]]:
    """All applications until the block ends."""
    keep_personal_data_out_of_logs()
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(NodeChain(chain.urls, chain.genesis, chain.runtime))
        yield [await _donations(stack, chain, nodes, cast)]


async def _donations(stack: AsyncExitStack, chain: DemoChain, nodes: NodeChain, cast: Cast) -> Served:
    names = {o.code: Text(o.name_ja, o.name_en) for o in chain.genesis.organisations}
    folder = chain.folder / "donations"
    state = _state(folder)
    url = f"http://{HOST}:{state.port}"
    settings = Settings(
        database_url=f"sqlite:///{folder / 'donations.db'}",
        base_url=url,
        secret=state.secret,
        sender="relief@example.jp",
        demo=True,
        smtp_sink_port=0,
    )
    kit, _ = await stack.enter_async_context(
        serving(make_site(names), settings, nodes, Keyring(chain.keys), host=HOST, port=state.port)
    )
    await donations_demo.seed(kit, cast)
    return Served("支援物資マッチング", url, donations_demo.PASSWORD, donations_demo.town_accounts(cast))


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
async def beside(plan: DemoPlan, net: Localnet, *, as_json: bool) -> AsyncIterator[None]:
    """The demo's applications, and what people are told once they are up."""
    genesis = load_genesis(net.genesis_path.read_bytes())
    keys = {a.account: read_key(net.data / "accounts" / f"{a.account}.key") for a in demo_week.accounts(plan.week)}
    chain = DemoChain(net.data / "apps", net.urls, genesis, plan.runtime, keys)
    async with serve_applications(chain, cast_of(plan, genesis.chain_id)) as served:
        found = {
            "data": str(net.data),
            "urls": net.urls,
            "genesis": str(net.genesis_path),
            "applications": [asdict(one) for one in served],
        }
        show(as_json, found, *where_to_look(net, [(s.title, s.url, s.password, s.accounts) for s in served]))
        yield


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
