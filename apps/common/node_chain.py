"""The chain over HTTP: the seam of `apps/common/chain.py`, by the client that asks several nodes and checks them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, cast

from apps.common.chain import ChainUnavailable, Committed, Head, NotAdmitted, Plain, Step, Wait
from edge import client
from edge.client import DaichoClient
from edge.proving import prove_row, prove_transaction
from ledger.contract import Runtime
from ledger.encoding import Value
from ledger.genesis import Genesis
from ledger.refusal import Language, Refused, Scalar
from ledger.schema import to_plain
from ledger.types import Transaction

SUBMIT_TIMEOUT_MS = 20_000


class NodeChain:
    """`urls` of nodes, the genesis that is trusted, the contracts whose refusals are put into words."""

    def __init__(self, urls: Sequence[str], genesis: Genesis, contracts: Runtime, token: str | None = None) -> None:
        self._client = DaichoClient(urls, genesis, token, avoid_liars=True)
        self._each = [DaichoClient([url], genesis, token, avoid_liars=True) for url in urls]
        self._genesis = genesis
        self._contracts = contracts
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for one in (self._client, *self._each):
            await self._open.enter_async_context(one)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @property
    def chain_id(self) -> bytes:
        return self._client.chain_id

    async def submit(self, raw: bytes, wait: Wait = "committed") -> Committed | None:
        try:
            found = await self._client.submit(Transaction.parse(raw), wait, SUBMIT_TIMEOUT_MS)
        except client.NotAdmitted as refusal:
            raise NotAdmitted(refusal.code, refusal.ja, refusal.en) from None
        except client.Unavailable as error:
            raise ChainUnavailable(str(error)) from None
        return _committed(found)

    async def find(self, transaction_id: bytes, min_height: int = 0) -> Committed | None:
        """That a transaction is there is proved. That it is not is only a node's word.

        So more nodes than may lie must say so, each having `min_height`; else `ChainUnavailable`.
        """
        needed = (len(self._each) - 1) // 3 + 1
        denials = 0
        faults: list[str] = []
        for one in self._each:
            try:
                found = await one.find(transaction_id, min_height)
            except (client.Unavailable, client.NotAdmitted) as error:
                faults.append(str(error))
                continue
            if found is not None:
                return _committed(found)
            denials += 1
            if denials == needed:
                return None
        raise ChainUnavailable(f"only {denials} of {needed} nodes answered: {'; '.join(faults)}"[:300])

    async def head(self) -> Head:
        try:
            header = await self._client.head()
        except client.ClientError as error:
            raise ChainUnavailable(str(error)) from None
        return Head(header.height, header.time_ms)

    async def query(self, contract: str, method: str, arguments: Mapping[str, Value], min_height: int = 0) -> Plain:
        """The contract's answer; `NotAdmitted` if it refuses the question."""
        plain = cast("Mapping[str, object]", to_plain(arguments))
        try:
            answer = await self._client.query(contract, method, plain, min_height)
        except client.NotAdmitted as refusal:
            raise NotAdmitted(refusal.code, refusal.ja, refusal.en) from None
        except client.ClientError as error:
            raise ChainUnavailable(str(error)) from None
        return cast(Plain, answer.result)

    async def history(self, subject: str, after: str = "", limit: int = 50) -> tuple[list[Step], str]:
        try:
            page = await self._client.history(subject, after, limit)
        except client.NotAdmitted:
            return [], ""  # a subject that cannot be
        except client.ClientError as error:
            raise ChainUnavailable(str(error)) from None
        steps = [Step(e.height, e.index, e.time_ms, e.transaction_id, e.event) for e in page.entries]
        return steps, page.next or ""

    async def proof(self, transaction_id: bytes) -> bytes:
        """The proof, checked before it is handed out; `KeyError` if there is no such transaction."""
        found = await self.find(transaction_id)
        if found is None:
            raise KeyError(transaction_id.hex())
        return await self._first(lambda one: prove_transaction(one, transaction_id))

    async def row_proof(self, key: bytes) -> bytes:
        return await self._first(lambda one: prove_row(one, key.decode()))

    async def _first(self, ask: Callable[[DaichoClient], Awaitable[bytes]]) -> bytes:
        """The answer of the first node that gives one: the parts of a proof must come from one node."""
        faults: list[str] = []
        for one in self._each:
            try:
                return await ask(one)
            except (client.ClientError, Refused) as error:
                faults.append(f"{one.urls[0]}: {error}")
        raise ChainUnavailable("; ".join(faults)[:300])

    async def events(self, after_height: int) -> AsyncIterator[tuple[Head, list[Step]]]:
        try:
            async for block in self._client.follow(after_height):
                header = block.header
                steps = [
                    Step(header.height, index, header.time_ms, receipt.transaction_id, event)
                    for index, receipt in enumerate(block.receipts)
                    for event in receipt.events
                ]
                yield Head(header.height, header.time_ms), steps
        except client.ClientError as error:
            raise ChainUnavailable(str(error)) from None

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        return self._contracts.reason_text(code, params, language)


def _committed(found: client.Committed | None) -> Committed | None:
    return None if found is None else Committed(found.height, found.index, found.time_ms, found.receipt)
