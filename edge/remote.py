"""Asking one node over HTTP: bounded in time and size, with every failure told apart by what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import msgspec

from edge.http.shapes import ErrorAnswer
from ledger.refusal import Scalar
from ledger.schema import from_plain

CONNECT_S = 1.0
READ_S = 10.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024

T = TypeVar("T")
Struct = TypeVar("Struct", bound=msgspec.Struct)


class ClientError(Exception):
    """Base of what the client raises."""


class LyingNode(ClientError):
    """A node's answer does not hold: `url` says which, `what` why."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url}: {what}")
        self.url = url
        self.what = what


class Unavailable(ClientError):
    """No node gave an answer in time. A submission may still be committed: send the same bytes again."""


class NotAdmitted(ClientError):
    """The nodes that answered refuse the request: `code` is stable, the texts are for people."""

    def __init__(self, code: str, ja: str, en: str, params: Mapping[str, Scalar]) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.ja = ja
        self.en = en
        self.params = params


class TryAnother(Exception):
    """This node cannot answer now; another may."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Node:
    """A node's address and the session to ask it with."""

    url: str
    session: aiohttp.ClientSession

    async def read(self, method: str, path: str, *, read_s: float = READ_S, **how: Any) -> Reply:
        """A success. `TryAnother` if there is no answer, or one that says: later; `NotAdmitted` if the node refuses."""
        timeout = aiohttp.ClientTimeout(total=read_s + CONNECT_S, sock_connect=CONNECT_S)
        try:
            async with self.session.request(method, self.url + path, timeout=timeout, **how) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise TryAnother(f"{self.url} answers without end")
                if response.status in (408, 429) or response.status >= 500:
                    raise TryAnother(f"{self.url} answered {response.status}")
                reply = Reply(response.status, response.content_type, bytes(body))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryAnother(f"{self.url}: {type(error).__name__} {error}") from None
        if reply.status >= 400:
            raise self._refusal(reply.body)
        return reply

    async def json(self, method: str, path: str, *, read_s: float = READ_S, **how: Any) -> Any:
        """The JSON of a success; `NotAdmitted` if the node refuses."""
        reply = await self.read(method, path, read_s=read_s, **how)
        return self.shaped(lambda: msgspec.json.decode(reply.body))

    async def get(self, path: str) -> Any:
        return await self.json("GET", path)

    def struct(self, kind: type[Struct], value: object) -> Struct:
        """The struct that a plain value describes; `TryAnother` if it describes none."""
        if not isinstance(value, dict):
            raise TryAnother(f"{self.url} answers what is no {kind.__name__}")
        return self.shaped(lambda: from_plain(kind, value))

    def shaped(self, read: Callable[[], T]) -> T:
        """What `read` gives; `TryAnother` if the answer has not the shape that the API describes."""
        try:
            return read()
        except (msgspec.DecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise TryAnother(f"{self.url} answers in another shape: {error}") from None

    def _refusal(self, body: bytes) -> NotAdmitted:
        error = self.shaped(lambda: msgspec.json.decode(body, type=ErrorAnswer)).error
        return NotAdmitted(error.code, error.message_ja, error.message, error.params)
