"""`python -m tests.faults`: every fault on a network of real processes, a table of how it went, and a verdict."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import click

from edge.terminal import TerminalProgress
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.world import Suffered, Verdict, run

SECONDS_EACH = 20
"""About what a fault takes, with the healing."""
HEADS = ("fault", "longest gap", "healed in", "acknowledged", "lost", "doubled", "memory peak")


def table(suffered: Sequence[Suffered], verdict: Verdict) -> list[str]:
    rows = [HEADS]
    for one in suffered:
        kept = verdict.kept[one.fault]
        healed = "never" if one.heal_ms is None else f"{one.heal_ms / 1000:.1f} s"
        counts = (str(kept.acknowledged), str(kept.lost), str(kept.doubled))
        memory = f"{one.memory_peak_bytes / 1e6:.0f} MB"
        rows.append((one.fault, f"{one.longest_gap_ms / 1000:.1f} s", healed, *counts, memory))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def plain(suffered: Sequence[Suffered], verdict: Verdict) -> dict[str, object]:
    return {
        "faults": [
            {
                "fault": one.fault,
                "sent": len(one.writes),
                "acknowledged": verdict.kept[one.fault].acknowledged,
                "lost": verdict.kept[one.fault].lost,
                "doubled": verdict.kept[one.fault].doubled,
                "longest_gap_ms": round(one.longest_gap_ms, 1),
                "heal_ms": None if one.heal_ms is None else round(one.heal_ms, 1),
                "memory_peak_bytes": one.memory_peak_bytes,
            }
            for one in suffered
        ],
        "problems": list(verdict.problems),
    }


def chosen(names: Sequence[str]) -> list[Fault]:
    known = {fault.name: fault for fault in FAULTS}
    return [known[name] for name in names] or list(FAULTS)


@click.command()
@click.option("--fault", "names", multiple=True, type=click.Choice([f.name for f in FAULTS]), help="Only these.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def main(names: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Faults on real processes. Ends with 1 on a lost or doubled write, a fork or no recovery."""
    faults = chosen(names)
    for fault in faults:
        if fault.lacking():
            click.echo(f"not run: {fault.name}: {fault.lacking()}", err=True)
    faults = [fault for fault in faults if not fault.lacking()]
    with TerminalProgress(quiet=as_json) as progress:
        progress.stage(f"{len(faults)} faults, about {len(faults) * SECONDS_EACH // 60 + 1} min")
        suffered, verdict = asyncio.run(run(faults, seed, progress.stage))
    if as_json:
        click.echo(json.dumps(plain(suffered, verdict), indent=2))
    else:
        click.echo("\n".join([*table(suffered, verdict), *verdict.problems]))
    sys.exit(1 if verdict.problems else 0)


if __name__ == "__main__":
    main()
