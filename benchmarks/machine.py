"""What every benchmark prints beside its figures: the machine, the commit, and how fast it checks signatures."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

from ledger.crypto import SigningKey, verify


def signature_checks_per_s(seconds: float = 0.5) -> int:
    """How many signatures of a usual transaction's size one core checks in a second."""
    key = SigningKey(bytes(32))
    payload = bytes(250)
    signature = key.sign(payload)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(100):
            verify(key.public_key, payload, signature)
        count += 100
    return int(count / (time.perf_counter() - started))


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """The commit of the tree, marked if the tree differs from it; `unknown` outside a clone."""
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip() or "unknown"


def conditions(seed: int, checks_per_s: int, load_before: float) -> list[str]:
    """Lines for people: on what the figures were measured."""
    return [
        f"  {processor()}, {os.cpu_count()} processors, load {load_before:.2f} before the run",
        f"  {checks_per_s} signature checks/s on one core",
        f"  commit {commit()}, seed {seed}, Python {platform.python_version()}, {platform.platform()}",
    ]
