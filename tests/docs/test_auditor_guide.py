"""docs/auditor-guide.md: its audit is done, command by command, and its sample drawn; its figures are right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from edge.init import PORTS_PER_NODE
from edge.ports import free_base_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "auditor-guide.md").read_text(encoding="utf-8")
BASE_PORT = 27_700
"""The page's own; the test takes ports that are free."""
NODES = 4


def commands() -> list[tuple[str, int]]:
    """Each command of the page's `sh` blocks, with the exit code that it says it has."""
    found: list[tuple[str, int]] = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            says = re.search(r"# exit code (\d)$", line)
            found.append((line.split("  #")[0].strip(), int(says[1]) if says else 0))
    return found


def sampling() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    return str(code)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with `daicho` on its path; no node outlives it."""
    tool = tmp_path / "bin" / "daicho"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "cli.py"}" "$@"\n')
    tool.chmod(0o755)
    yield tmp_path
    if (tmp_path / "audit-demo" / "network.json").exists():
        CliRunner().invoke(main, ["localnet", "down", "--data", str(tmp_path / "audit-demo")])


@pytest.mark.process
def test_the_audit_of_the_page_is_done_command_by_command(folder: Path) -> None:
    base = free_base_port("127.0.0.1", PORTS_PER_NODE * NODES)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DAICHO": str(ROOT), "LC_ALL": "C.UTF-8"}
    said: dict[str, str] = {}
    for command, code in commands():
        for port in range(PORTS_PER_NODE * NODES):
            command = command.replace(str(BASE_PORT + port), str(base + port))
        shell = ["bash", "-c", command]
        done = subprocess.run(
            shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, command
        said[command] = done.stdout
    full = next(out for command, out in said.items() if command.startswith("daicho verify --archive chain.daicho"))
    second = next(out for command, out in said.items() if command.startswith("python3 reader.py"))
    assert "No fault" in full and "all that was read holds" in second
    head = re.search(r"Head (\d+) \(([0-9a-f]{16})", full)
    assert head is not None
    assert re.search(rf"height +{head[1]}\n", second) and f"head hash          {head[2]}" in second
    drawn = subprocess.run([sys.executable, "-c", sampling()], cwd=folder, capture_output=True, text=True, check=True)
    size, of = (int(n) for n in re.findall(r"\d+", drawn.stdout.splitlines()[0]))
    assert 0 < size < of
    assert len(drawn.stdout.splitlines()) == 1 + size


def test_the_page_makes_an_audit() -> None:
    """That the test above runs something."""
    whole = [command for command, _ in commands()]
    for needed in ("daicho demo", "daicho export", "daicho verify --archive", "python3 reader.py", "daicho history"):
        assert any(command.startswith(needed) for command in whole), needed
    assert [code for _, code in commands()].count(1) == 2


def test_the_japanese_page_has_the_same_commands_code_and_figures() -> None:
    japanese = (ROOT / "docs" / "auditor-guide.ja.md").read_text(encoding="utf-8")
    for pattern in (r"(?s)```[a-z]+\n.*?```", r"(?m)^\| [Nn] \|.*$", r"(?m)^    n = .*$", r"`[a-z_]+`"):
        assert set(re.findall(pattern, japanese)) == set(re.findall(pattern, PAGE)), pattern
    assert re.findall(r"^## (\d)", japanese, re.M) == re.findall(r"^## (\d)", PAGE, re.M)


def test_the_sizes_of_samples_are_those_of_the_formula() -> None:
    head, sizes = (re.findall(r"\d+", line) for line in re.findall(r"^\| [Nn] \|.*$", PAGE, re.M))
    names: dict[str, Any] = {}
    exec(compile(sampling().split("records, block_hash")[0], "auditor-guide.md", "exec"), names)
    assert [names["sample_size"](int(n)) for n in head] == [int(n) for n in sizes]
    assert len(head) >= 8
