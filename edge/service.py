"""What a service manager is told (systemd's sd_notify protocol): ready, reloading, stopping, and that the node lives.

Without a service manager (`NOTIFY_SOCKET` unset) nothing is said to anybody.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable


class Service:
    """`notify` never fails the node: a manager that does not listen is not the node's trouble."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        watchdog_us = os.environ.get("WATCHDOG_USEC", "")
        for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdigit() and for_us else 0.0

    def notify(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return

    def ready(self, status: str) -> None:
        self.notify("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self.notify("STOPPING=1")

    async def watch(self, status: Callable[[], str]) -> None:
        """Say at half the manager's time that the loop turns, and where the node stands; never ends by itself.

        A loop that hangs is killed and started again. A node that only waits for a quorum is well: starting it
        again would mend nothing.
        """
        while True:
            await asyncio.sleep(self._watchdog_s / 2 if self._watchdog_s else 10.0)
            self.notify(*(["WATCHDOG=1"] if self._watchdog_s else []), f"STATUS={status()}")
