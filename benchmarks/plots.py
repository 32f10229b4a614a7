"""Plots of results, as SVG and PNG: what each benchmark shows best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.failover import Faults
from benchmarks.growth import Step
from benchmarks.results import Result
from benchmarks.throughput import Point

SIZE_INCHES = (8.0, 4.5)
DOTS_PER_INCH = 120


def plot(result: Result) -> Figure | None:
    """The result's plot; None where a table says it all."""
    draw = DRAWN.get(result.benchmark)
    if draw is None:
        return None
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    draw(figure, result.figures)
    return figure


def save(result: Result, folder: Path) -> list[str]:
    """The names of the files that were written into `folder`, the SVG first."""
    figure = plot(result)
    if figure is None:
        return []
    names = [f"{result.name}.svg", f"{result.name}.png"]
    with rc_context({"svg.hashsalt": "daicho", "svg.fonttype": "none"}):  # the same result is the same file
        figure.savefig(folder / names[0], metadata={"Date": None})
        figure.savefig(folder / names[1], dpi=DOTS_PER_INCH)
    return names


Figures = Mapping[str, Any]
"""What a result holds, read from JSON."""


def _latency(figure: Figure, figures: Figures) -> None:
    axes = figure.subplots()
    curve = figures["percentiles_ms"]
    axes.plot(curve, range(len(curve)))
    axes.set(xlabel="ms from when it was due", ylabel="% of the writes", title="Latency of writes")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)


def _throughput(figure: Figure, figures: Figures) -> None:
    """Left what comes of an offered load, right the latency that it has."""
    done, latency = figure.subplots(1, 2)
    for point in msgspec.convert(figures["points"], list[Point]):
        if not point.curve:
            continue
        name = (
            f"{point.nodes} nodes, {point.kind}"
            + (f" {point.payload_bytes} B" if point.payload_bytes else "")
            + f", {point.batch} a request"
        )
        offered = [one.offered_per_s for one in point.curve]
        done.plot(offered, [one.measured.per_s for one in point.curve], marker="o", label=name)
        latency.plot(offered, [one.measured.p99_ms for one in point.curve], marker="o", label=name)
    done.set(xlabel="offered writes/s", ylabel="certified writes/s", title="Saturation")
    latency.set(xlabel="offered writes/s", ylabel="p99 ms", title="Latency", yscale="log")
    for axes in (done, latency):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="small")


def _failover(figure: Figure, figures: Figures) -> None:
    axes = figure.subplots()
    for one in msgspec.convert(figures["faults"], list[Faults]):
        shares = [100 * (place + 1) / len(one.gaps_ms) for place in range(len(one.gaps_ms))]
        axes.step([0.0, *one.gaps_ms], [0.0, *shares], where="post", label=one.what)
    axes.set(xlabel="longest gap between two answers, ms", ylabel="% of the times", title="A node is lost")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()


def _growth(figure: Figure, figures: Figures) -> None:
    steps = msgspec.convert(figures["steps"], list[Step])
    at = [one.transactions for one in steps]
    (rate, size), (memory, times) = figure.subplots(2, 2, sharex=True)
    rate.plot(at, [one.per_s for one in steps], marker="o")
    rate.set(ylabel="writes/s")
    size.plot(at, [one.disk_bytes / 1e6 for one in steps], marker="o")
    size.set(ylabel="disk, MB")
    memory.plot(at, [(one.memory_bytes or 0) / 1e6 for one in steps], marker="o")
    memory.set(ylabel="memory, MB", xlabel="transactions")
    times.plot(at, [one.restart_s for one in steps], marker="o", label="restart")
    times.plot(at, [one.audit_s for one in steps], marker="o", label="audit")
    times.set(ylabel="s", xlabel="transactions")
    times.legend()
    for axes in (rate, size, memory, times):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)


DRAWN: Mapping[str, Callable[[Figure, Figures], None]] = {
    "latency": _latency,
    "throughput": _throughput,
    "failover": _failover,
    "growth": _growth,
}
