"""docs/contract-author-guide.md: its vouchers are built in a copy of this build, tested, used on a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.init import PORTS_PER_NODE
from edge.ports import free_base_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contract-author-guide.md").read_text(encoding="utf-8")
BASE_PORT = 27_700
"""The page's own; the test takes ports that are free."""
FOLDERS = ("ledger", "consensus", "contracts", "edge", "apps", "benchmarks", "tests")


def files() -> dict[str, str]:
    """The files that the page builds, block by block: a block's first line names its file."""
    found: dict[str, str] = {}
    for name, code in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.S):
        found[name] = f"{found[name]}\n\n{code}" if name in found else code
    return found


def commands() -> list[tuple[str, int]]:
    """Each command of the page's `sh` block, with the exit code that it says it has."""
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    found: list[tuple[str, int]] = []
    for line in block.replace("\\\n", " ").splitlines():
        says = re.search(r"# exit code (\d)$", line)
        found.append((line.split("  #")[0].strip(), int(says[1]) if says else 0))
    return found


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Path]:
    """A copy of this build, changed as the page says, with `daicho` and `.venv` in it; no node outlives it."""
    copy = tmp_path / "build"
    copy.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "vectors", "traces"))
    for name in ("cli.py", "node.py", "setup.cfg", "pyproject.toml", "ruff.toml"):
        shutil.copy(ROOT / name, copy / name)
    for name, code in files().items():
        (copy / name).write_text(code, encoding="utf-8")
    listed = copy / "contracts" / "__init__.py"
    text = listed.read_text(encoding="utf-8")
    text = text.replace("from ledger.contract", "from contracts.vouchers import Vouchers\nfrom ledger.contract")
    listed.write_text(text.replace("])", ", Vouchers()])"), encoding="utf-8")
    (copy / ".venv" / "bin").mkdir(parents=True)
    tool = tmp_path / "bin" / "daicho"
    tool.parent.mkdir()
    for path, run in ((copy / ".venv" / "bin" / "python", ""), (tool, f'"{copy / "cli.py"}"')):
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{copy}" exec "{sys.executable}" {run} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    yield copy
    if (copy / "town" / "network.json").exists():
        subprocess.run([tool, "localnet", "down", "--data", "town"], cwd=copy, check=False, capture_output=True)


@pytest.mark.process
def test_the_vouchers_of_the_page_are_built_tested_and_used_by_its_own_commands(build: Path) -> None:
    base = free_base_port("127.0.0.1", PORTS_PER_NODE)
    path = f"{build.parent / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    environment |= {"PATH": path, "LC_ALL": "C.UTF-8"}
    made = " ".join(files())
    said: dict[str, str] = {}
    for command, code in commands():
        command = command.replace("make lint", f"ruff check {made} && ruff format --check {made}")
        command = command.replace("init --nodes 1", f"init --nodes 1 --base-port {base}")
        for port in range(PORTS_PER_NODE):
            command = command.replace(str(BASE_PORT + port), str(base + port))
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=build,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        said[command] = done.stdout + done.stderr
    assert any("3 passed" in out for out in said.values())
    refused = next(out for command, out in said.items() if command.endswith("books=1"))
    assert "2 books at most" in refused
    account = next(out for command, out in said.items() if "points_account" in command)
    assert "13000" in account
    story = next(out for command, out in said.items() if command.startswith("daicho history"))
    assert "campaign_opened" in story and "sold" in story
    asked = [out for command, out in said.items() if command.startswith("curl")]
    assert '"sold":2' in asked[0] and "points_issued" in asked[1]


def test_the_page_builds_a_contract_and_its_tests() -> None:
    """That the test above builds something."""
    assert set(files()) == {"contracts/vouchers.py", "tests/contracts/test_vouchers.py"}
    assert sum(command.startswith("daicho") for command, _ in commands()) >= 10
