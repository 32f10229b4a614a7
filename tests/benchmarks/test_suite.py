"""Each benchmark in small on real nodes, from its command to a result that the report can show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.machine import conditions
from benchmarks.report import build, flat, newest, rows_of
from benchmarks.results import Result, load, save
from cli import main


def bench(results: Path, *arguments: str) -> Any:
    """The figures of a benchmark that was run by its command."""
    shown = CliRunner().invoke(main, ["bench", *arguments, "--json", "--results", str(results)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["ok"] and load(Path(found["path"])).benchmark == arguments[0]
    return found["figures"]


@pytest.mark.process
def test_the_benchmarks_run_and_a_page_shows_them(tmp_path: Path) -> None:
    assert bench(tmp_path, "bound", "--seconds", "0.02")["signature_checks_per_s"] > 0
    latency = bench(tmp_path, "latency", "--nodes", "1", "--writes", "5", "--rate", "50")
    assert latency["done"] == 5 and 0 < latency["p50_ms"] <= latency["longest_ms"]
    kinds = [part for kind in ("blank", "donations", "ecopoints", "volunteers") for part in ("--kind", kind)]
    throughput = bench(
        tmp_path, "throughput", "--nodes", "1", *kinds, "--seconds", "0.3", "--writers", "2", "--batch", "1"
    )
    assert [point["kind"] for point in throughput["points"]] == ["blank", "donations", "ecopoints", "volunteers"]
    (batched,) = bench(tmp_path, "throughput", "--nodes", "1", "--seconds", "0.3", "--batch", "8")["points"]
    assert batched["closed"]["done"] % 8 == 0
    throughput["points"].append(batched)
    for point in throughput["points"]:
        offered = [one["measured"] for one in point["curve"]]
        assert all(one["done"] > 0 and one["failed"] == 0 for one in (point["closed"], *offered)), point
    grown = bench(tmp_path, "growth", "--nodes", "1", "--transactions", "40", "--steps", "1", "--writers", "4")
    (step,) = grown["steps"]
    assert step["transactions"] == 40 and 0 < step["height"] <= 41 and step["disk_bytes"] > 0

    shown = CliRunner().invoke(main, ["bench", "report", "--json", "--results", str(tmp_path)], catch_exceptions=False)
    assert json.loads(shown.stdout)["benchmarks"] == ["bound", "growth", "latency", "throughput"]
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    for name in ("growth", "latency", "throughput"):
        (drawn,) = (tmp_path / "report").glob(f"{name}-*.svg")
        assert drawn.name in page and drawn.with_suffix(".png").exists()


@pytest.mark.process
def test_failover_kills_the_leader_and_a_follower_and_loses_nothing(tmp_path: Path) -> None:
    whats = ["--what", "leader-killed", "--what", "leader-stopped"]
    found = bench(tmp_path, "failover", *whats, "--times", "1", "--seconds", "2", "--rate", "20")
    assert [(one["what"], len(one["gaps_ms"])) for one in found["faults"]] == [
        ("leader-killed", 1), ("leader-stopped", 1)
    ]  # fmt: skip
    assert found["kept"]["acknowledged"] >= 80
    assert [found["kept"][name] for name in ("lost", "doubled", "elsewhere")] == [0, 0, 0]


def result(benchmark: str, started: str, **figures: object) -> Result:
    conditions_ = conditions(1)
    return Result(benchmark, type(conditions_)(**{**_fields(conditions_), "started": started}), {}, figures)


def _fields(struct: object) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in type(struct).__struct_fields__}  # type: ignore[attr-defined]


def test_the_newest_result_counts_and_is_compared_with_the_other_sets(tmp_path: Path) -> None:
    for started, rate in (("2026-01-01T00:00:00+00:00", 100), ("2026-01-02T00:00:00+00:00", 150)):
        save(result("thing", started, per_s=rate, faults={"a": 1}), tmp_path)
    save(result("thing", "2026-01-01T00:00:00+00:00", per_s=120), tmp_path / "other")
    found, others = newest(tmp_path), newest(tmp_path / "other")
    assert [(row.name, row.value, row.other, row.change) for row in rows_of(found["thing"], others["thing"])] == [
        ("per_s", 150, 120, "+25.0 %"),
        ("faults.a", 1, "", ""),
    ]
    markdown, html = build(found, others, tmp_path / "page")
    assert "| per_s | 150 | 120 | +25.0 % |" in markdown.read_text(encoding="utf-8")
    assert "<td>per_s<td>150<td>120<td>+25.0 %" in html.read_text(encoding="utf-8")


def test_figures_are_named_by_where_they_stand_and_long_lists_are_left_to_the_plots() -> None:
    figures = {"a": {"b": 1}, "points": [{"per_s": 2}, {"per_s": 3}], "curve": list(range(101)), "gaps": [1.0]}
    assert dict(flat(figures)) == {"a.b": 1, "points.0.per_s": 2, "points.1.per_s": 3, "gaps": [1.0]}


def test_without_results_the_remedy_is_named(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["bench", "report", "--results", str(tmp_path)])
    assert shown.exit_code == 2 and "daicho bench quick" in shown.stderr
    (tmp_path / "broken.json").write_text("{}")
    shown = CliRunner().invoke(main, ["bench", "report", "--results", str(tmp_path)])
    assert shown.exit_code == 2 and "no result" in shown.stderr
