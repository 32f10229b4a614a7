"""The code of the contract author's guide runs, in order, as it stands on the page."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from contracts.paging import MAX_PAGE

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "contract-author-guide.md"
BLOCK = re.compile(r"^```python\n(?!# \S+\.py)(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_code_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    assert len(blocks) == 5 and MAX_PAGE >= 100
    # The types of methods are looked up in the module in which they were written.
    page = ModuleType("contract_author_guide")
    monkeypatch.setitem(sys.modules, page.__name__, page)
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{GUIDE.name}, block {number}", "exec"), page.__dict__)
    assert page.__dict__["again"].reason == "tools.lent"
