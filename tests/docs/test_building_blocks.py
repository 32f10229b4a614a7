"""docs/building-blocks.md: its examples run in order, and it tells of all four functions and sixteen precedents."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "building-blocks.md").read_text(encoding="utf-8")


def test_the_examples_run_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 4
    # The types of methods are looked up in the module in which they were written.
    page = ModuleType("building_blocks")
    monkeypatch.setitem(sys.modules, page.__name__, page)
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"building-blocks.md, block {number}", "exec"), page.__dict__)


def test_every_precedent_names_the_blocks_it_takes() -> None:
    table = PAGE.split("## The report's sixteen precedents")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ") and "precedent" not in line]
    assert len(rows) == 16
    for row in rows:
        assert set(row[2].split()) <= {"a", "b", "c", "d"} and row[2].strip(), row[1]
        assert row[3].strip() and row[4].strip(), row[1]


def test_the_places_it_names_exist() -> None:
    for place in re.findall(r"`((?:ledger|contracts|apps)/[\w/.]+)`", PAGE):
        assert (ROOT / place).exists(), place
