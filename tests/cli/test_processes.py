"""Real node processes under the command line: two of four killed, one back, and what people are told meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from edge.localnet import Localnet, command_line

pytestmark = pytest.mark.process
KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "net"
    up = run("localnet", "up", "--data", made, "--nodes", "4")
    assert up.exit_code == 0, up.output + up.stderr
    yield made
    run("localnet", "down", "--data", made)


def create(data: Path, name: str) -> list[str]:
    args = json.dumps({"account": name, "roles": ["donations.officer"], "keys": [KEY]})
    key = data / "accounts" / "operator.132012.key"
    return ["tx", "submit", "--data", str(data), "--key", str(key), "--json", "governance", "create_account", args]


def until_status(data: Path, ending: str, within_s: float = 15.0) -> Result:
    deadline = time.monotonic() + within_s
    while True:
        result = run("status", "--data", data)
        if result.output.strip().endswith(ending) or time.monotonic() > deadline:
            return result
        time.sleep(0.1)


def test_without_a_quorum_nothing_is_acknowledged_and_with_it_all_goes_on(data: Path) -> None:
    until_status(data, "quorum: 4 of 3 needed")
    first = run(*create(data, "first"))
    assert first.exit_code == 0, first.stderr
    run("localnet", "kill", "--data", data, "hachioji")
    run("localnet", "kill", "--data", data, "oshima")

    told = until_status(data, "no quorum: 2 of 3 needed")
    assert told.output.strip().endswith("no quorum: 2 of 3 needed"), told.output
    assert told.exit_code == 3

    # A node that was not part of the quorum may have the write a moment later than who waited for it.
    for _ in range(50):
        read = run("query", "--data", data, "governance", "account", "account=first", "--json")
        assert read.exit_code == 0
        if json.loads(read.stdout)["result"] is not None:
            break
        time.sleep(0.1)
    assert json.loads(read.stdout)["result"]["account_id"] == "first"

    waiting = subprocess.Popen([sys.executable, "-m", "cli", *create(data, "second")], stdout=subprocess.PIPE)
    time.sleep(3)
    assert waiting.poll() is None, "a write was acknowledged without a quorum"

    back = run("localnet", "restart", "--data", data, "oshima")
    assert back.exit_code == 0, back.stderr
    answer, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 0
    assert json.loads(answer)["done"]

    shown = run("block", "show", "--data", data, "--json")
    transactions = json.loads(shown.stdout)["transactions"]
    assert [t["args"]["account"] for t in transactions] == ["second"]
    story = run("history", "--data", data, "account:second")
    assert story.output.count("account_created") == 1

    verified = run(
        "verify", "--genesis", data / "genesis.json", "--url", Localnet(data).urls[1], "--parallel", "1", "--json"
    )
    assert json.loads(verified.stdout)["transactions"] == 2


def test_a_contract_that_refuses_is_told_with_its_reason_and_code_1(data: Path) -> None:
    key = data / "accounts" / "operator.132012.key"
    refused = run(
        "tx", "submit", "--data", data, "--key", key, "governance", "revoke_account", "account=nobody", "--json"
    )
    assert refused.exit_code == 1
    answer = json.loads(refused.stdout)
    assert not answer["done"]
    assert answer["reason"] == "governance.no_account"
    assert "nobody" in answer["text"]


def test_a_node_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """The demo's nodes leave no orphans, however the demo itself ends."""
    data = tmp_path / "net"
    assert run("init", "--nodes", "1", "--data", data, "--base-port", "31940").exit_code == 0
    script = (
        "import sys, time; from pathlib import Path; from edge.localnet import Localnet\n"
        f"net = Localnet(Path({str(data)!r})); print(net.start('hachioji', with_parent=True), flush=True)\n"
        "net.wait_live(); print('live', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline().strip() == "live"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert command_line(pid) == ""
