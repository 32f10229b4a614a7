"""What every benchmark says beside its figures: the machine, the commit, and how fast it checks signatures."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ledger.crypto import SigningKey, verify

LIBRARIES = ("aiohttp", "cryptography", "msgspec", "plyvel", "sqlalchemy", "uvloop")


class Conditions(msgspec.Struct, frozen=True):
    """On what figures were measured."""

    started: str
    """UTC."""
    machine: str
    processors: int
    system: str
    python: str
    libraries: dict[str, str]
    commit: str
    seed: int
    load_before: float
    """The machine's load average before the run: figures from a busy machine say little."""
    signature_checks_per_s: int
    """Of one core, measured before the run: what bounds any ledger of this kind."""

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"  {self.machine}, {self.processors} processors, load {self.load_before:.2f} before the run",
            f"  {self.signature_checks_per_s} signature checks/s on one core",
            f"  commit {self.commit}, seed {self.seed}, Python {self.python}, {self.system}",
            "  " + ", ".join(f"{name} {version}" for name, version in self.libraries.items()),
        ]


def conditions(seed: int) -> Conditions:
    """As they are now, before the run."""
    return Conditions(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=processor(),
        processors=os.cpu_count() or 0,
        system=platform.platform(),
        python=platform.python_version(),
        libraries={name: version for name in LIBRARIES if (version := installed(name))},
        commit=commit(),
        seed=seed,
        load_before=round(os.getloadavg()[0], 2),
        signature_checks_per_s=signature_checks_per_s(),
    )


def installed(library: str) -> str:
    """The version of a library; empty if it is not there."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


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


def cpu_s(pids: list[int]) -> float | None:
    """Seconds of processor time that these processes have used together; None where the system does not tell."""
    try:
        fields = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for pid in pids]
    except OSError:
        return None
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int | None:
    """Resident memory of a process; None where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
