"""`POST /intake/v1/readings`: many signed packets in one request, an answer for each.

The body is the canonical msgpack of `Packets`. No session and no form token: what counts is each packet's signature.
200 means that every packet has its answer and what it says is stored is stored; 503 and a broken connection mean: send
the same again, later. Sending again is always harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiohttp import web
from sqlalchemy.exc import DBAPIError

from apps.common.language import Clock
from apps.ecopoints.intake.packets import PacketReason, Packets
from apps.ecopoints.intake.taking import Intake, Outcome
from ledger.encoding import unpack
from ledger.refusal import Reason, Refused, Scalar

PATH = "/intake/v1/readings"
MAX_REQUEST_BYTES = 4 * 1024 * 1024
AT_A_TIME = 4
WAITING = 64
"""Requests beyond these are asked to come again: everybody sends at :00 and :30."""
READ_S = 30.0
RETRY_S = "15"

log = logging.getLogger(__name__)


class IntakeApi:
    """The handler, with its bounds on what is held in memory at a time."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._here = 0

    def add_to(self, application: web.Application) -> None:
        application.router.add_post(PATH, self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        if self._here >= AT_A_TIME + WAITING:
            return _busy()
        self._here += 1
        try:
            async with self._turns:
                return await self._answer(request)
        finally:
            self._here -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_S):
                body = await _read(request)
        except TimeoutError:
            return _busy()
        if body is None:
            return _error(413, PacketReason.REQUEST_TOO_LARGE, {"limit": MAX_REQUEST_BYTES})
        try:
            packets = unpack(Packets, body, MAX_REQUEST_BYTES).packets
        except Refused as refusal:
            return _error(400, refusal.reason, refusal.params)
        try:
            outcomes = await self._intake.take(packets, self._clock())
        except DBAPIError:
            log.exception("readings could not be stored")
            return _busy()
        return web.json_response({"packets": [told(outcome) for outcome in outcomes]})


async def _read(request: web.Request) -> bytes | None:
    """The body; None if it is too large, of which no more is read than the limit."""
    if (request.content_length or 0) > MAX_REQUEST_BYTES:
        return None
    body = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return bytes(body)


def told(outcome: Outcome) -> dict[str, Scalar]:
    """An outcome as the gateway is told."""
    if outcome.reason is None:
        return {"status": outcome.status, "new": outcome.new, "conflicts": outcome.conflicts}
    return {"status": outcome.status, **_said(outcome.reason, outcome.params)}


def _said(reason: Reason, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {"reason": reason.code, "ja": reason.text("ja", params), "en": reason.text("en", params)}


def _error(status: int, reason: Reason, params: Mapping[str, Scalar]) -> web.Response:
    return web.json_response(_said(reason, params), status=status)


def _busy() -> web.Response:
    return web.json_response(_said(PacketReason.BUSY, {}), status=503, headers={"Retry-After": RETRY_S})
