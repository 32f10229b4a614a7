"""Reading request bodies: bounded in size and time, of known media types only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason
from ledger.encoding import MAX_DEPTH
from ledger.refusal import Refused

T = TypeVar("T")


def media_type(request: web.Request, allowed: Sequence[str]) -> str:
    """The body's media type; `Refused(UNSUPPORTED_MEDIA_TYPE)` unless it is one of `allowed`, not compressed."""
    encoding = request.headers.get("Content-Encoding", "identity")
    kind = request.content_type
    if kind not in allowed or encoding != "identity":
        shown = kind if encoding == "identity" else f"{kind} ({encoding})"
        raise Refused(ApiReason.UNSUPPORTED_MEDIA_TYPE, given=shown[:100], allowed=", ".join(allowed))
    return kind


async def read_body(api: Api, request: web.Request, limit: int) -> bytes:
    """The whole body. `Refused` if it is larger than `limit` bytes or takes longer than the body time-out."""
    if request.content_length is not None and request.content_length > limit:
        raise Refused(ApiReason.BODY_TOO_LARGE, limit=limit)
    data = bytearray()
    timeout_ms = api.settings.body_timeout_ms
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise Refused(ApiReason.BODY_TOO_LARGE, limit=limit)
    except TimeoutError:
        raise Refused(ApiReason.BODY_TOO_SLOW, limit_ms=timeout_ms) from None
    return bytes(data)


def read_json(data: bytes, kind: type[T]) -> T:
    """The value that the JSON text describes; `Refused(BAD_JSON)` if it is none, nested too deeply or does not fit."""
    if _depth(data) > 2 * MAX_DEPTH:
        raise Refused(ApiReason.BAD_JSON, detail=f"nested more than {2 * MAX_DEPTH} deep")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(ApiReason.BAD_JSON, detail=str(error)[:200]) from None


def _depth(data: bytes) -> int:
    """No less than the depth of the JSON text `data` (brackets inside strings count too)."""
    depth = deepest = 0
    for byte in data:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
