"""The function table: every behaviour of `docs/functions.md` with the tests that carry its id, and those that lack one.

`make functions` prints it; `python -m tests.functions D` one application. Exit code 1 if a behaviour has no test and
`--strict` is given.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "functions.md"
ROW = re.compile(r"^\| ([DEVX]\w*) \| ([^|]*) \| (.*) \|$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    id: str
    function: str
    text: str


def behaviours() -> list[Behaviour]:
    """The rows of the table, in its order."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [Behaviour(*match.groups()) for line in lines if (match := ROW.match(line))]


def tests_by_id() -> dict[str, list[str]]:
    """Behaviour id -> the tests marked with it, found by reading the test files."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for behaviour_id in _marks(node.decorator_list):
                    found.setdefault(behaviour_id, []).append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _marks(decorators: list[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr == "function"
        ):
            for argument in decorator.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def main(arguments: list[str]) -> int:
    strict = "--strict" in arguments
    groups = [a for a in arguments if not a.startswith("-")] or ["D", "E", "V", "X"]
    tests = tests_by_id()
    chosen = [b for b in behaviours() if b.id[0] in groups]
    missing = [b for b in chosen if b.id not in tests]
    for behaviour in chosen:
        names = tests.get(behaviour.id, [])
        print(f"{'ok     ' if names else 'MISSING'} {behaviour.id:<5} {behaviour.function}: {behaviour.text}")
        for name in names:
            print(f"              {name}")
    print(f"\n{len(chosen)} behaviours, {len(chosen) - len(missing)} with tests, {len(missing)} missing")
    return 1 if missing and strict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
