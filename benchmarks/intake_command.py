"""`daicho bench intake`: a year of 300 households, or a day of 10,000, from their devices to certified blocks."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click
import msgspec

from apps.ecopoints.devices.command import read_kinds
from apps.ecopoints.devices.households import Kind
from benchmarks.intake import NODES, Plan, Round, run
from benchmarks.intake_check import Check, Checker
from benchmarks.machine import conditions
from benchmarks.results import Plain, Result, finish, percentile, seed_and_output
from contracts.ecopoints.methodology.calendar import fiscal_year_of
from edge.terminal import TerminalProgress

LAST_FISCAL_YEAR = 2026
"""Of the factor table: a run that is made later tells of this year."""
Scale = Literal["year", "day"]


@click.command("intake")
@click.argument("scale", type=click.Choice(["year", "day"]))
@click.option("--households", type=click.IntRange(1, 20_000), help="Else 300 for a year, 10,000 for a day.")
@click.option("--days", type=click.IntRange(1, 365), help="Else 365 or 1.")
@click.option("--kinds", callback=read_kinds, help="Of pv, ev, phv, grid. Else pv,ev for a year, grid for a day.")
@click.option("--node-down", is_flag=True, help="The leader is killed before the first reading, and stays away.")
@seed_and_output
def intake(
    scale: Scale,
    households: int | None,
    days: int | None,
    kinds: tuple[Kind, ...],
    node_down: bool,
    seed: int,
    results: Path,
    as_json: bool,
) -> None:
    """Simulated readings through the real intake to blocks of four nodes, and every one of them accounted for.

    A year comes day by day, with gaps, late and doubled packets, resets and lies; a day comes at :00 and :30, a packet
    for each device, all at once. Then all that was sent, stored, proved and reckoned is compared with what was true.

    \b
    Examples:
      daicho bench intake day
      daicho bench intake year --households 300 --seed 2
    """
    is_day = scale == "day"
    year = min(fiscal_year_of(time.time_ns() // 1_000_000) - 1, LAST_FISCAL_YEAR)
    plan = Plan(
        households=households or (10_000 if is_day else 300),
        days=days or (1 if is_day else 365),
        kinds=kinds or (("grid",) if is_day else ("pv", "ev")),
        honest=is_day,
        by_half_hours=is_day,
        seed=seed,
        fiscal_year=year,
        node_down=node_down,
    )
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        rounds, check, joined_s = asyncio.run(measure(plan, Path(folder), progress))
    figures = figures_of(rounds, check, joined_s)
    result = Result(f"intake-{scale}", before, asdict(plan), figures)
    finish(result, lines(plan, figures, check), results, as_json=as_json, ok=check.ok)


async def measure(plan: Plan, folder: Path, progress: TerminalProgress) -> tuple[list[Round], Check, float]:
    """The rounds, the check, and how long joining took."""
    async with AsyncExitStack() as stack:
        ran = await run(plan, folder, progress.stage, progress.done, stack)
        return ran.rounds, await Checker(ran, progress.stage).check(), ran.joined_s


def figures_of(rounds: list[Round], check: Check, joined_s: float) -> dict[str, Plain]:
    """What is kept of a run: of the rounds their sums, medians and longest; of the check everything."""
    recorded = sorted(one.recorded_s for one in rounds)
    taken = sorted(one.taken_s for one in rounds)
    application = sorted(one.application_cpu_s for one in rounds)
    nodes = sorted(one.nodes_cpu_s for one in rounds)
    found: dict[str, Plain] = {
        "rounds": len(rounds),
        "packets": sum(one.packets for one in rounds),
        "transactions": sum(one.transactions for one in rounds),
        "joined_s": round(joined_s, 1),
        "rounds_s": round(sum(recorded), 1),
        "taken_p50_s": percentile(taken, 0.5),
        "taken_longest_s": taken[-1],
        "recorded_p50_s": percentile(recorded, 0.5),
        "recorded_longest_s": recorded[-1],
        "application_cpu_p50_s": percentile(application, 0.5),
        "application_cpu_longest_s": application[-1],
        "application_cpu_s": round(sum(application), 1),
        "nodes_cpu_p50_s": percentile(nodes, 0.5),
        "nodes_cpu_s": round(sum(nodes), 1),
    }
    checked: dict[str, Plain] = msgspec.to_builtins(check)
    return found | checked


def lines(plan: Plan, figures: dict[str, Plain], check: Check) -> list[str]:
    """For people."""
    of = figures.__getitem__
    what = "half hour" if plan.by_half_hours else "day"
    said = [
        f"{plan.households} households ({', '.join(plan.kinds)}), {plan.days} days: {check.sent} readings in "
        f"{of('packets')} packets, {of('transactions')} transactions on {NODES} nodes",
        f"  a {what}: taken in {of('taken_p50_s')} s (longest {of('taken_longest_s')}), in blocks after "
        f"{of('recorded_p50_s')} s (longest {of('recorded_longest_s')}); all {of('rounds')}: {of('rounds_s')} s",
        f"  processor time of a {what}: application {of('application_cpu_p50_s')} s (longest "
        f"{of('application_cpu_longest_s')}), the nodes together {of('nodes_cpu_p50_s')} s",
        f"  sent {check.sent}, stored {check.stored}, under roots on the chain {check.leaves}, counted {check.counted}",
        f"  {check.device_months} months of devices as the truth has them; {check.lies_quarantined} of {check.lies} "
        "lies in quarantine",
        *(f"  {name}: {grams} g CO2 on the chain, as the truth has it" for name, grams in check.grams.items()),
    ]
    return [*said, *(f"  WRONG: {fault}" for fault in check.faults)]
