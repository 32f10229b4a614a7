"""docs/api.md says what the API does: every route, every code with its status, and a client example that runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from edge.http.app import ROUTES
from edge.http.errors import STATUS, code_of
from edge.http.server import HttpServer
from edge.node_view import PeerStatus
from ledger.genesis import dump_genesis
from tests.http.harness import Network, Served, with_api, with_nodes

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_route_is_on_the_page_and_every_path_there_is_a_route() -> None:
    shown = set(re.findall(r"^\| `((?:GET|POST) /\S+)` \|", PAGE, re.M))
    assert shown == {f"{r.method} {r.path}" for r in ROUTES if not r.page}


def test_every_code_is_on_the_page_under_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGE, re.M)
    shown = {(int(status), code) for status, codes in rows for code in re.findall(r"`([a-z_.]+)`", codes)}
    assert shown == {(status, code_of(reason)) for reason, status in STATUS.items()}


def test_the_example_of_the_client_runs(tmp_path: Path, capsys: Any) -> None:
    source = PAGE.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(source, "docs/api.md", "exec"), names)

    async def scenario(network: Network, servers: list[HttpServer]) -> None:
        network.commit(network.account("new.clerk"))
        genesis = tmp_path / "genesis.json"
        genesis.write_text(dump_genesis(network.genesis))
        await names["main"]([f"http://127.0.0.1:{servers[0].port}"], genesis)

    with_nodes(scenario, served=1)
    assert "1 ['done']" in capsys.readouterr().out


def test_every_metric_is_on_the_page_and_every_one_there_is_measured() -> None:
    async def scenario(api: Served) -> None:
        api.node.changes = {
            "certificate_days_left": 1.0,
            "peers": tuple(PeerStatus(f"node-{i}", True, 0) for i in (2, 3, 4)),
        }
        families = text_string_to_metric_families(api.metrics.render().decode())
        measured = {f.name + ("_total" if f.type == "counter" else "") for f in families}
        assert set(re.findall(r"`(daicho_[a-z_]+)", PAGE)) == measured

    with_api(scenario)
