"""What a benchmark found, kept as a file, and the statistics that all of them use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.machine import Conditions

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can say."""
FOLDER = Path(__file__).parent / "results"


class Result(msgspec.Struct, frozen=True):
    """A run: on what it was measured, what was asked for, what was found. Units stand last in the names."""

    benchmark: str
    conditions: Conditions
    plan: Mapping[str, object]
    figures: Mapping[str, object]

    @property
    def name(self) -> str:
        stamp = re.sub(r"[^0-9T]", "", self.conditions.started.partition("+")[0])
        return f"{self.benchmark}-{stamp}"


def save(result: Result, folder: Path = FOLDER) -> Path:
    """Write it as JSON; the file's name begins with the benchmark's and ends with the time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def load(path: Path) -> Result:
    """`msgspec.DecodeError` if it is no result."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    rank = max(1, -(-len(sorted_values) * round(share * 1000) // 1000))
    return sorted_values[rank - 1]
