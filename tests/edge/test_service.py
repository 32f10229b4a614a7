"""What a service manager is told: a socket in the test's folder listens as systemd does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.service import Service


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_it_says_when_it_is_ready_and_where_it_stands(manager: socket.socket) -> None:
    service = Service()
    service.ready("height 7")
    assert manager.recv(4096) == b"READY=1\nSTATUS=height 7"
    service.stopping()
    assert manager.recv(4096) == b"STOPPING=1"


async def test_it_says_at_half_the_time_that_it_lives(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    watching = asyncio.create_task(Service().watch(lambda: "height 8"))
    said = await asyncio.to_thread(manager.recv, 4096)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert said == b"WATCHDOG=1\nSTATUS=height 8"


def test_without_a_manager_or_with_a_dead_one_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Service().ready("alone")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Service().ready("unheard")
