"""docs/operator-guide.md: the drill of the page, command by command, four homes on one machine; then demo's checks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import contracts
from cli import main
from edge.client import DaichoClient
from edge.demo_check import check_data
from edge.keys import read_key, read_private_key
from edge.ports import free_base_port
from edge.writers import Call, Pace, Signer, Write, WriteLog, Writer, monotonic_ms
from ledger.encoding import Value
from ledger.genesis import load_genesis
from tests.docs.units import Manager

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operator-guide.md").read_text(encoding="utf-8")
UNIT = ROOT / "configs" / "systemd" / "daicho@.service"
BASE_PORT, PORTS = 27_700, 16
"""The page's own; the test takes ports that are free."""
WELL_WITHIN_S = 90.0
MEMBERS = {"hachioji", "tachikawa", "oshima-b", "mitaka-b"}
"""Who votes at the end of the page's changes."""


@dataclass(frozen=True)
class Command:
    section: str
    text: str


def commands() -> list[Command]:
    """The lines of the page's `sh` blocks with the titles that they stand under."""
    found: list[Command] = []
    title, inside = "", False
    for line in PAGE.splitlines():
        stripped = line.strip()
        if stripped.startswith("```"):
            inside = stripped == "```sh"
        elif line.startswith("#") and not inside:
            title = line.lstrip("# ")
        elif inside and stripped:
            found.append(Command(title, stripped))
    return found


@dataclass
class Drill:
    """Runs the page's commands: `daicho` in this process, `systemctl` by the shipped unit, the rest by the shell."""

    folder: Path
    base_port: int
    systemctl: Manager
    environment: dict[str, str] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    said: list[tuple[Command, str]] = field(default_factory=list)

    def run(self, command: Command) -> None:
        text = command.text
        text = re.sub(r"\b277\d\d\b", lambda m: str(self.base_port + int(m[0]) - BASE_PORT), text)
        for there, here in places(self.folder).items():
            text = text.replace(there, here)
        if exported := re.fullmatch(r'export (\w+)="?([^"]*)"?', text):
            self.environment[exported[1]] = exported[2]
        elif text.startswith("sudo systemctl "):
            self.systemctl(*text.split()[2:])
        elif text == "daicho status":
            self.until_well(command)
        elif re.match(r"daicho |cd \S+ && daicho ", text):
            self.daicho(command, text)
        else:
            self.shell(text)

    def shell(self, text: str) -> str:
        shell, environment = ["bash", "-c", text], {**os.environ, **self.environment}
        done = subprocess.run(
            shell, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def daicho(self, command: Command, text: str) -> None:
        text, _, target = text.partition(" > ")
        # The shell makes words of the line; the command then runs here, which saves a second for each.
        report = 'daicho() { printf "%s\\0" "$PWD" "$@"; }; '
        cwd, *words = self.shell(report + text).split("\0")[:-1]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(cwd)
            result = CliRunner().invoke(main, words, env=self.environment)
        assert result.exit_code == 0, f"{command.text}\n{result.output}\n{result.stderr}"
        if target:
            (self.folder / target).write_text(result.output, encoding="utf-8")
        self.note(command, result)

    def note(self, command: Command, result: Result) -> None:
        """What later commands of the page name: the chain id, the last proposal's number."""
        self.said.append((command, result.output))
        for name, pattern in (("CHAIN_ID", r"Chain id: (\w+)"), ("PROPOSAL", r"  proposal: (\S+)")):
            if found := re.search(pattern, result.output):
                self.environment[name] = found[1]
        if done := re.search(r"^done in block (\d+), transaction (\w+)", result.output):
            now = monotonic_ms()
            self.writes.append(Write(command.text[:60], bytes.fromhex(done[2]), now, now, now, int(done[1])))

    def until_well(self, command: Command, *, equal: bool = False) -> None:
        """As the page says of `daicho status`: until all validators take part and all that answer are in sync."""
        deadline = time.monotonic() + WELL_WITHIN_S
        while True:
            result = CliRunner().invoke(main, ["status", "--json"], env=self.environment)
            answer = json.loads(result.output)
            states = [n["state"] for n in answer["nodes"] if n["state"] is not None]
            complete = any(len(s["reachable"]) == len(s["validators"]) for s in states)
            same = not equal or len({s["head_hash"] for s in states}) == 1
            if result.exit_code == 0 and complete and same and all(s["in_sync"] for s in states):
                self.said.append((command, result.output))
                return
            assert time.monotonic() < deadline, result.output
            time.sleep(0.2)


def places(folder: Path) -> dict[str, str]:
    return {"/var/lib/daicho": str(folder / "var"), "/etc/credstore": str(folder / "credstore")}


@contextmanager
def writing(drill: Drill, rate_per_s: float) -> Iterator[None]:
    """Somebody writes all the time; every acknowledged write is looked for in the chains at the end."""
    genesis = load_genesis((drill.folder / "genesis.json").read_bytes())
    key = read_key(drill.folder / "desk" / "operator.132012.key")
    log = WriteLog(drill.folder / "writes.jsonl")
    over = threading.Event()
    roles: dict[str, Value] = {"account": "supplies.132012", "roles": ["donations.app"]}

    async def write() -> None:
        async with DaichoClient(drill.environment["DAICHO_URL"].split(), genesis) as client:
            signer = Signer(genesis.chain_id, {"operator.132012": key})
            writer, start, position = Writer(client, signer, log), monotonic_ms(), 0
            while not over.is_set():
                call = Call(f"roles-{position}", "operator.132012", "governance", "set_roles", lambda _: roles)
                await writer.run([(position, call)], Pace(start, rate_per_s))
                position += 1

    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(write())
        except BaseException as error:  # noqa: BLE001 - it fails the test
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
        log.close()
    assert not failed, failed
    assert len(log.writes) > 5
    drill.writes += log.writes


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    for folder in places(tmp_path).values():
        Path(folder).mkdir()
    program = [sys.executable, str(ROOT / "cli.py")]
    manager = Manager(UNIT, tmp_path, places(tmp_path), program)
    yield Drill(tmp_path, free_base_port("127.0.0.1", PORTS), manager)
    manager.kill_all()


@pytest.mark.process
@pytest.mark.timeout(600)
def test_the_drill_of_the_page_is_done_command_by_command(drill: Drill) -> None:
    sections = list(dict.fromkeys(c.section for c in commands()))
    for section in sections:
        if section.startswith("The worst day"):
            check_all(drill)
        with writing(drill, 5.0) if section == "Upgrade the software" else nothing():
            for command in (c for c in commands() if c.section == section):
                drill.run(command)
        looked_at(drill, section)


@contextmanager
def nothing() -> Iterator[None]:
    yield


def query(drill: Drill, method: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drill.folder)
        result = CliRunner().invoke(main, ["query", "governance", method, "--json"], env=drill.environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["result"]


def looked_at(drill: Drill, section: str) -> None:
    """What the page says of a section is so."""
    match section:
        case "The ceremony: each organisation makes its own keys":
            drill.systemctl.units["hachioji"].lives()
            assert not list((drill.folder / "var").glob("*/recovery.*"))
        case "Replace a validator":
            assert {v["node_id"] for v in query(drill, "validators")["members"]} == MEMBERS
        case "Rotate a node's key":
            words = (drill.folder / "credstore" / "daicho-passphrase").read_text(encoding="utf-8").strip()
            node = read_key(drill.folder / "var" / "hachioji" / "node.key", words)
            members = {v["node_id"]: v["public_key"] for v in query(drill, "validators")["members"]}
            assert members["hachioji"] == node.public_key.hex()
        case "Activate a version of a contract":
            told = next(out for c, out in reversed(drill.said) if c.text == "daicho status" and c.section == section)
            assert "contract donations runs in version 2 from height 1000000 on" in told
            now = CliRunner().invoke(main, ["status", "--json"], env=drill.environment).output
            assert "missing_version" not in now
        case "Move a node to a new address":
            assert str(drill.base_port + 12) in (drill.folder / "var/tachikawa/node.toml").read_text()
        case _:
            pass


def check_all(drill: Drill) -> None:
    """What `daicho demo` checks: each node's whole data, and every write exactly once in each chain."""
    drill.until_well(Command("", "daicho status"), equal=True)
    drill.systemctl("stop", *(f"daicho@{name}" for name in sorted(MEMBERS)))
    genesis = load_genesis((drill.folder / "genesis.json").read_bytes())
    assert len(drill.writes) > 40
    checked = [
        check_data(name, drill.folder / "var" / name, genesis, contracts.runtime(), drill.writes, lambda *_: None)
        for name in sorted(MEMBERS)
    ]
    assert [problem for c in checked for problem in c.problems] == []
    assert {c.transactions for c in checked} == {len(drill.writes)}
    words = (drill.folder / "credstore" / "daicho-passphrase").read_text(encoding="utf-8").strip()
    secrets = [words] + [
        read_private_key(path, words).private_bytes_raw().hex() for path in drill.folder.glob("*/**/*.key")
    ]
    told = [log.read_text(encoding="utf-8") for log in drill.folder.glob("*.log")] + [said for _, said in drill.said]
    assert len(told) > 50
    assert not any(secret in text for secret in secrets for text in told)


def test_the_page_changes_everything_that_it_should() -> None:
    """That the test above runs something: each change has its section with commands."""
    sections = {c.section for c in commands()}
    for needed in (
        "Add a validator",
        "Remove a validator",
        "Replace a validator",
        "Rotate a node's key",
        "Rotate the keys of an account",
        "New certificates, without a restart",
        "Upgrade the software",
        "Activate a version of a contract",
        "Backup and restore",
        "Move a node to a new address",
        "A new organisation",
        "The worst day: the quorum is lost for good",
    ):
        assert needed in sections, needed
    assert len(commands()) > 100


def test_what_the_page_shows_and_the_drill_does_not_run_is_installation_or_has_its_own_test() -> None:
    shown = [line[2:] for block in re.findall(r"```console\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    for line in shown:
        if not line.startswith("sudo "):
            assert line.startswith("daicho evidence record"), line
            assert '"record"' in (ROOT / "tests" / "process" / "test_evidence.py").read_text(encoding="utf-8")
    assert not re.findall(r"^    daicho ", PAGE, re.M)
    assert any("pip install --require-hashes -r requirements.lock" in line for line in shown)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "daicho@.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/daicho/bin/daicho", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    exposure = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert exposure.returncode == 0, exposure.stdout[-2000:]
