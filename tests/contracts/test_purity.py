"""What contracts, and the floors below the edge, may import and use: determinism by construction, held here."""

from __future__ import annotations

import ast
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import contracts
from consensus import state as _consensus_state  # noqa: F401 - so that all reasons are loaded
from ledger.refusal import Reason, Text

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = sorted((ROOT / "contracts").rglob("*.py"))
PURE = sorted(p for folder in ("ledger", "consensus", "contracts") for p in (ROOT / folder).rglob("*.py"))
ALLOWED = {
    "__future__", "annotations", "base64", "bisect", "collections", "dataclasses", "decimal", "enum", "fractions",
    "functools", "hashlib", "itertools", "math", "msgspec", "typing", "ledger", "contracts",
}  # fmt: skip
FORBIDDEN_BELOW_THE_EDGE = {
    "asyncio", "datetime", "os", "pathlib", "random", "secrets", "socket", "ssl", "subprocess", "threading", "time",
    "uuid",
}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_contract_imports_only_what_is_allowed(path: Path) -> None:
    assert set(imports(path)) <= ALLOWED


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(ROOT)))
def test_below_the_edge_there_is_no_clock_file_chance_or_event_loop(path: Path) -> None:
    if path.name != "store.py":
        assert not set(imports(path)) & FORBIDDEN_BELOW_THE_EDGE


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_contract_uses_no_floats_and_goes_through_no_sets(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"a float in line {node.lineno}"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), f"a division in line {node.lineno}"
        if isinstance(node, ast.For | ast.comprehension):
            assert not isinstance(node.iter, ast.Set | ast.SetComp), "an unordered thing is gone through"
            called = node.iter.func if isinstance(node.iter, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id in {"set", "frozenset"})


def reasons() -> list[Reason]:
    """Every reason of every class that is loaded."""
    for name in ("ledger.audit", "ledger.chain", "ledger.genesis", "ledger.store", "edge.replica", "edge.mempool"):
        __import__(name)
    classes = [Reason]
    found: list[Reason] = []
    while classes:
        for sub in classes.pop().__subclasses__():
            classes.append(sub)
            found.extend(sub)
    return found


def test_every_refusal_is_told_in_both_languages_with_what_it_is_about() -> None:
    formatter = string.Formatter()
    for reason in reasons():
        text = reason.value
        assert isinstance(text, Text), reason
        assert text.ja.strip() and text.en.strip(), reason
        assert any(ord(c) > 0x3000 for c in text.ja), f"{reason}: the Japanese text has no Japanese in it"
        named = {f for _, f, _, _ in formatter.parse(text.ja) if f}
        assert named <= {f for _, f, _, _ in formatter.parse(text.en) if f}, reason


def test_no_reason_hides_behind_another_of_its_class() -> None:
    for cls in {type(r) for r in reasons()}:
        assert len(cls.__members__) == len(list(cls)), f"{cls.__name__} has two members with the same text"


def test_every_call_of_every_contract_has_a_schema_and_a_sentence() -> None:
    for spec in contracts.runtime().specs():
        assert spec.doc, f"{spec.contract}.{spec.name}"
        assert spec.argument_schema()["type"] == "object"
        spec.result_schema()


def test_python_hashes_are_not_what_determinism_rests_on() -> None:
    assert sys.flags.hash_randomization, "run the tests with hash randomisation: it shows iteration over sets"
