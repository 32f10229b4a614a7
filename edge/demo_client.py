"""A writer's connection to the network: the same bytes to one node after the other until they are committed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import aiohttp
import msgspec

from edge.writers import Acknowledged
from ledger.refusal import Reason, Refused, Scalar, Text
from ledger.types import Transaction

ANSWER_WITHIN_S = 2.0
AGAIN_AFTER_S = 0.02


class SubmitReason(Reason):
    NOT_TAKEN = Text("ノードが取引を受け付けません: {detail}", "the node does not take the transaction: {detail}")


class _Receipt(msgspec.Struct, frozen=True):
    reason: str
    result: dict[str, Scalar]


class _Answer(msgspec.Struct, frozen=True):
    height: int
    receipt: _Receipt


class DemoClient:
    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str]) -> None:
        self._session = session
        self._urls = list(urls)

    async def submit_until_committed(self, transaction: Transaction) -> Acknowledged:
        """`Refused(NOT_TAKEN)` if a node says that the transaction can never be committed."""
        while True:
            url = self._urls[0]
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    answer = await self._post(url, transaction.raw)
                if answer is not None:
                    return answer
            # The node that did not answer is asked last from now on.
            self._urls.append(self._urls.pop(0))
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _post(self, url: str, raw: bytes) -> Acknowledged | None:
        headers = {"Content-Type": "application/octet-stream"}
        async with self._session.post(f"{url}/v1/transactions", data=raw, headers=headers) as response:
            body = await response.read()
        if response.status in (400, 403, 404, 413):
            raise Refused(SubmitReason.NOT_TAKEN, detail=body.decode("utf-8", "replace")[:200])
        if response.status != 200:
            return None
        answer = msgspec.json.decode(body, type=_Answer)
        return Acknowledged(answer.height, answer.receipt.reason, answer.receipt.result)


@contextlib.asynccontextmanager
async def connect(urls: Sequence[str]) -> AsyncIterator[DemoClient]:
    """A client over these nodes, the first of them preferred."""
    async with aiohttp.ClientSession() as session:
        yield DemoClient(session, urls)
