"""`demo --once` on real processes with the week's first days, and that its report cannot be had by lying."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import contracts
from contracts.donations.shipments import commitment
from edge.demo import DemoPlan, run_once
from edge.demo_check import Places, check_writes
from edge.localnet import command_line
from edge.sample import load_week
from edge.writers import Write, longest_gap_ms
from ledger.genesis import load_genesis

ROWS = 60


class Silent:
    def stage(self, text: str) -> None: ...

    def done(self, count: int, total: int) -> None: ...


@pytest.mark.process
def test_the_leader_is_killed_and_every_write_is_in_every_chain_once(tmp_path: Path) -> None:
    week = load_week()
    plan = DemoPlan(
        data=tmp_path / "demo",
        nodes=4,
        runtime=contracts.runtime(),
        commitment=commitment,
        week=dataclasses.replace(week, entries=week.entries[:ROWS]),
    )
    report = asyncio.run(run_once(plan, Silent()))
    assert report.problems == ()
    assert report.ok
    assert report.writes == report.acknowledged == ROWS + len(week.shelters) + len(week.items)
    assert report.longest_gap_ms < 2_000
    assert len(report.checked) == 4
    assert report.heads_equal
    genesis = load_genesis((plan.data / "genesis.json").read_bytes())
    assert genesis.network == "daicho-demo"


def write(ref: str, *, acknowledged_ms: float | None = 1.0, height: int | None = 1) -> Write:
    return Write(ref, ref.encode().ljust(32), 0.0, 0.0, acknowledged_ms, height)


def test_a_write_that_is_missing_doubled_or_elsewhere_is_a_problem() -> None:
    one, two, three = write("one"), write("two"), write("three", acknowledged_ms=None, height=None)
    ids = [w.transaction_id for w in (one, two, three)]
    whole = Places(dict.fromkeys(ids, 1), dict.fromkeys(ids, 1))
    assert check_writes([one, two, three], whole) == []

    missing = check_writes([one, two, three], Places({ids[0]: 1, ids[1]: 1}, dict.fromkeys(ids, 1)))
    assert len(missing) == 1
    assert "never acknowledged" in missing[0]
    doubled = check_writes([one], Places({ids[0]: 2}, {ids[0]: 1}))
    assert "2 times" in doubled[0]
    elsewhere = check_writes([one], Places({ids[0]: 1}, {ids[0]: 5}))
    assert "stands at 5" in elsewhere[0]
    assert check_writes([one], Places({ids[0]: 1, ids[1]: 1}, {ids[0]: 1, ids[1]: 1}))


def test_the_longest_gap_is_between_acknowledgements_of_all_writers_together() -> None:
    writes = [write("a", acknowledged_ms=t) for t in (10.0, 40.0, 20.0, 300.0)]
    assert longest_gap_ms(writes) == 260.0
    assert longest_gap_ms([]) == 0.0


@pytest.mark.process
def test_ctrl_c_ends_the_demo_in_order_and_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    demo = subprocess.Popen([sys.executable, "-m", "cli", "demo", "--data", str(data), "--nodes", "3"])
    deadline = time.monotonic() + 30
    while len(list(data.glob("nodes/*/node.pid"))) < 3:
        assert time.monotonic() < deadline, "the nodes were not started"
        time.sleep(0.1)
    pids = [int(path.read_text()) for path in data.glob("nodes/*/node.pid")]
    time.sleep(1.0)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=20) == 0
    assert [command_line(pid) for pid in pids] == [""] * 3
    assert all((data / "nodes" / name / "node.log").exists() for name in ("hachioji", "tachikawa", "musashino"))
