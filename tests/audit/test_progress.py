"""Long work shows how far it is and how long it still takes, where somebody looks."""

from __future__ import annotations

import io
import sys

import pytest

from edge import terminal
from edge.terminal import TerminalProgress, counting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_says_how_much_is_done_and_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    with TerminalProgress() as progress:
        for count in range(1, 101):
            now[0] += 0.5
            progress.done(count, 100)
    lines = shown.getvalue().split("\r")
    assert any("[#######.......................] 25 of 100" in line and "about 38 s left" in line for line in lines)
    assert lines[-1].rstrip().endswith("100 of 100")


def test_minutes_are_enough_for_what_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    with TerminalProgress() as progress:
        progress.done(1, 1_000)
        now[0] += 10
        progress.done(11, 1_000)
    assert "about 16 min left" in shown.getvalue()


def test_what_was_done_before_does_not_count_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that goes on at block 900 of 1,000."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    with TerminalProgress() as progress:
        progress.done(900, 1_000)
        now[0] += 10
        progress.done(910, 1_000)
    assert "about 91 s left" in shown.getvalue()


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for quiet, stream in ((False, io.StringIO()), (True, Terminal())):
        monkeypatch.setattr(sys, "stderr", stream)
        with counting(quiet) as progress:
            for height in range(100):
                progress(height, None)
        assert stream.getvalue() == ""
