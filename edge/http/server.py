"""The listening socket, and what keeps slow or greedy clients from holding it: connections are bounded, headers must
arrive in time, and who does not read the answers is cut off.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from aiohttp import web

from edge.http.settings import HttpSettings

MAX_LINE_BYTES = 8_190
MAX_HEADER_BYTES = 8_190
SHUTDOWN_S = 1.0


class _Guard(asyncio.Protocol):
    """Stands between the socket and aiohttp's protocol, and watches the clock."""

    def __init__(self, inner: asyncio.Protocol, settings: HttpSettings, open_: set[_Guard]) -> None:
        self._inner = inner
        self._settings = settings
        self._open = open_
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tail = b""
        self._header_seen = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._open) >= self._settings.max_connections:
            self._transport.abort()
            self._transport = None
            return
        self._open.add(self)
        self._arm(self._settings.header_timeout_ms)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._header_seen:
            seen = self._tail + data
            self._header_seen = b"\r\n\r\n" in seen or b"\n\n" in seen
            self._tail = seen[-3:]
            if self._header_seen:
                self._disarm()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._open.discard(self)
        if self._transport is not None:
            self._transport = None
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        # The client reads more slowly than we answer: it has this long to make room.
        self._arm(self._settings.write_timeout_ms)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._disarm()
        self._inner.resume_writing()

    def _arm(self, timeout_ms: int) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._cut)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class HttpServer:
    """The API on one address."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server, guards: set[_Guard]) -> None:
        self._runner = runner
        self._server = server
        self._guards = guards

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._guards)

    async def close(self) -> None:
        """Take no more connections, let answers under way finish for a moment, then end."""
        self._server.close()
        await self._runner.cleanup()


async def serve(
    app: web.Application, settings: HttpSettings, host: str, port: int, tls: ssl.SSLContext | None = None
) -> HttpServer:
    """Listen. OSError if the address cannot be had."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=settings.idle_timeout_ms / 1000,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        lingering_time=0,
        auto_decompress=False,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    make = cast("Callable[[], asyncio.Protocol]", runner.server)
    guards: set[_Guard] = set()
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Guard(make(), settings, guards), host, port, ssl=tls, backlog=512
        )
    except OSError:
        await runner.cleanup()
        raise
    return HttpServer(runner, server, guards)
