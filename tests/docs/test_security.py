"""docs/security.md: every test that it names exists, no line is without one, and every attacker has a part."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE)))


@cache
def functions_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_page_names_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert (ROOT / file).is_file(), f"{file} is not there"
    assert function in functions_of(ROOT / file), f"{file} has no {function}"


def test_every_line_of_a_table_names_a_test() -> None:
    rows = [r for r in re.findall(r"^\| (.+) \|$", PAGE, re.M) if not r.endswith("shown by")]
    assert len(rows) > 50
    assert [r for r in rows if "::test_" not in r] == []


def test_no_test_is_named_in_another_form() -> None:
    assert len(re.findall(r"::test_", PAGE)) == len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", PAGE))


@pytest.mark.parametrize(
    "who",
    ["outsider", "resident", "stolen key of an app", "officer", "node of four", "lost disk", "replay", "flooding"],
)
def test_every_attacker_has_a_part(who: str) -> None:
    titles = [line.lower() for line in PAGE.splitlines() if line.startswith("## ")]
    assert any(who in title for title in titles)
