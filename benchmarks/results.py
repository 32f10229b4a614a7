"""What a benchmark found, kept as a file, and the statistics that all of them use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from benchmarks.machine import Conditions
from edge.console import REFUSED, json_option, show

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


def seed_and_output(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every benchmark has: `seed`, `results` and `as_json`."""
    for option in (
        json_option,
        click.option(
            "--results", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, help="Where it is kept."
        ),
        click.option("--seed", default=1, show_default=True),
    ):
        command = option(command)
    return command


def finish(result: Result, lines: Sequence[str], folder: Path, *, as_json: bool, ok: bool = True) -> None:
    """Keep the result, and show it. Exit code 1 if it is not `ok`: a check has found a fault."""
    path = save(result, folder)
    shown = {"ok": ok, "path": str(path), **msgspec.to_builtins(result)}
    show(as_json, shown, *lines, *result.conditions.lines(), f"  kept in {path}")
    if not ok:
        raise click.exceptions.Exit(REFUSED)
