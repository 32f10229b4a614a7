"""`python -m tests.simulator`: run many seeds, or tell the story of one."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import click
import msgspec

from tests.simulator.plan import Story, story_of
from tests.simulator.run import Result, simulate, tell
from tests.simulator.shrink import shrink


def replay_command(seed: int) -> str:
    """The one command that replays a seed identically."""
    return f"python -m tests.simulator --seed {seed} --trace"


def run_seeds(first: int, count: int, jobs: int, *, quiet: bool = False) -> list[Result]:
    """Run the seeds, in processes; the failures. Progress goes to standard error."""
    failures: list[Result] = []
    virtual_ms = committed = 0
    began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        for done, result in enumerate(pool.map(simulate, range(first, first + count), chunksize=4), start=1):
            virtual_ms += result.virtual_ms
            committed += result.committed
            if not result.ok:
                failures.append(result)
                click.echo(f"\nseed {result.seed} ({result.plan}): {result.violation}", err=True)
                click.echo(f"  replay: {replay_command(result.seed)}", err=True)
            if not quiet and (done % 10 == 0 or done == count):
                elapsed = time.monotonic() - began
                click.echo(
                    f"\r{done}/{count} seeds, {len(failures)} failed, {virtual_ms / 1000 / elapsed:,.0f} virtual "
                    f"seconds a second, {committed:,} writes",
                    nl=False,
                    err=True,
                )
    if not quiet:
        click.echo(err=True)
    return failures


def tell_seed(seed: int, *, trace: bool, shorten: bool = False) -> bool:
    """Run one seed and say how it went, with its whole story if that is asked for; whether all was well."""
    story = story_of(seed)
    if shorten and not tell(story).ok:
        story = shrink(story)
        click.echo(f"check this line in (tests/simulator/stories.jsonl): {msgspec.json.encode(story).decode()}")
    return show(story, trace=trace)


def show(story: Story, *, trace: bool) -> bool:
    result = tell(story, trace=trace)
    for line in result.story:
        click.echo(line)
    verdict = result.violation or "all well"
    click.echo(f"seed {story.seed} ({story.plan}): {verdict}; height {result.height}, trace {result.digest[:16]}")
    return result.ok


@click.command()
@click.option("--seeds", default=100, show_default=True, help="How many seeds to run.")
@click.option("--first", default=None, type=int, help="The first seed; else from the time of day.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--seed", default=None, type=int, help="Run this one seed.")
@click.option("--trace", is_flag=True, help="With --seed: tell the whole story.")
@click.option("--shrink", "shorten", is_flag=True, help="With --seed, if it fails: cut it down to what it needs.")
@click.option("--mutants", is_flag=True, help="Then run the deliberate faults: each must be caught.")
def main(seeds: int, first: int | None, jobs: int, seed: int | None, trace: bool, shorten: bool, mutants: bool) -> None:
    """Run whole clusters under faults drawn from seeds, and check what must hold.

    \b
    Examples:
      python -m tests.simulator --seeds 1000
      python -m tests.simulator --seed 42 --trace
    """
    if seed is not None:
        sys.exit(0 if tell_seed(seed, trace=trace, shorten=shorten) else 1)
    start = first if first is not None else time.time_ns() // 1_000_000 % 100_000_000
    click.echo(f"seeds {start} to {start + seeds - 1}", err=True)
    failures = run_seeds(start, seeds, jobs)
    survivors = 0
    if mutants:
        from tests.simulator.mutants import run_all

        survivors = run_all(jobs)
    sys.exit(1 if failures or survivors else 0)


if __name__ == "__main__":
    main()
