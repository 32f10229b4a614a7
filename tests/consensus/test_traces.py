"""Every scripted scenario comes out as its trace says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.trace import Player

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.txt"))


@pytest.mark.parametrize("path", TRACES, ids=lambda p: p.stem)
def test_the_core_does_what_the_trace_says(path: Path, request: pytest.FixtureRequest) -> None:
    written = path.read_text(encoding="utf-8")
    lines = [line for line in written.splitlines() if not line.startswith("  ")]
    played = "\n".join(Player().play(lines)) + "\n"
    if request.config.getoption("--rewrite-traces"):
        path.write_text(played, encoding="utf-8")
    assert played == written


def test_every_rule_has_its_trace() -> None:
    stems = [path.stem for path in TRACES]
    for rule in range(1, 15):
        assert any(stem.startswith(f"rule-{rule:02d}-") for stem in stems), f"rule {rule} has no trace"
