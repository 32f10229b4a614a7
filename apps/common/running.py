"""Serving a site: the port, the logs without personal data, an orderly end."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from apps.common.application import Site, make_application, make_kit
from apps.common.chain import Chain, Keyring
from apps.common.language import Clock, system_clock
from apps.common.personal import Redact
from apps.common.settings import Settings
from apps.common.web import Kit

SHUTDOWN_S = 5.0


@asynccontextmanager
async def serving(
    site: Site,
    settings: Settings,
    chain: Chain,
    keyring: Keyring,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    clock: Clock = system_clock,
) -> AsyncIterator[tuple[Kit, int]]:
    """Serve `site` until the block ends; gives its kit and the port. OSError if the port cannot be had.

    There is no access log: addresses and what people search for are personal data, too.
    """
    kit = make_kit(site, settings, chain, keyring, clock)
    runner = web.AppRunner(make_application(site, kit), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield kit, int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def keep_personal_data_out_of_logs() -> None:
    """Put the filter on every handler of the root logger: call it once, after logging is set up."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(f, Redact) for f in handler.filters):
            handler.addFilter(Redact())
