"""The client of a Daicho network: asks several nodes, goes on to the next when one fails, and believes none of them.

What a node says is checked here against the genesis (`ledger/light.py`): that a transaction is committed and with which
receipt, that a row has a value, that a block is whole. A node whose answer does not hold is named (`LyingNode`). Two
things cannot be proved and are taken from the node asked: the answer of a contract's query, and that a page of history
is complete.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import aiohttp

from edge.http.names import PROOF_TYPE, TRANSACTION_TYPE
from edge.http.shapes import (
    FRAME_LENGTH_BYTES,
    BlockFrame,
    EvidenceList,
    HeaderView,
    HistoryPage,
    StateView,
    ValidatorChanges,
)
from edge.remote import CONNECT_S, ClientError, LyingNode, Node, NotAdmitted, Reply, TryAnother, Unavailable
from ledger.audit import StoredBlock
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode, unpack
from ledger.genesis import Genesis
from ledger.light import (
    Inclusion,
    LightChain,
    ProvedBlock,
    ProvedTransaction,
    UnknownValidators,
    Untrue,
    ValidatorChange,
)
from ledger.proof import Row
from ledger.refusal import Refused, Scalar
from ledger.rules import MAX_BLOCK_BYTES
from ledger.statetree import StateProof
from ledger.types import Header, Receipt, Transaction, TransactionBody, ValidatorSet

__all__ = [
    "ClientError",
    "Committed",
    "DaichoClient",
    "LyingNode",
    "NotAdmitted",
    "QueryAnswer",
    "Unavailable",
]

T = TypeVar("T")
Wait = Literal["accepted", "committed", "everywhere"]

LIFETIME_MS = 5 * 60 * 1000
ATTEMPT_MS = 1_000
"""How long one node may take for a block before the next is asked."""
READ_MARGIN_S = 0.7
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
TIMEOUT_MS = 30_000
ARCHIVE_PAGE = 500


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction in a certified block, proved, with what became of it."""

    height: int
    index: int
    time_ms: int
    transaction: Transaction
    receipt: Receipt

    @property
    def reason(self) -> str:
        """The code of the receipt's refusal; empty if it was done."""
        return self.receipt.reason

    @property
    def result(self) -> Mapping[str, Scalar]:
        return self.receipt.result


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    height: int
    time_ms: int
    result: Any


@dataclass(slots=True)
class DaichoClient:
    """`urls` of nodes and the genesis that is trusted. Use it in an `async with`; one serves any number of tasks."""

    urls: Sequence[str]
    genesis: Genesis
    token: str | None = None
    """The organisation's bearer token, where reading needs one."""
    avoid_liars: bool = False
    """Whether a lying node is passed over (and listed in `liars`) instead of raising `LyingNode`."""
    liars: dict[str, str] = field(default_factory=dict)
    chain: LightChain = field(init=False)
    _session: aiohttp.ClientSession | None = None
    _preferred: int = 0

    def __post_init__(self) -> None:
        self.urls = [url.rstrip("/") for url in self.urls]
        if not self.urls:
            raise ValueError("a client needs the address of at least one node")
        self.chain = LightChain(self.genesis)

    async def __aenter__(self) -> Self:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        self._session = aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client in an `async with`")
        return self._session

    @property
    def chain_id(self) -> bytes:
        return self.chain.chain_id

    # -- writing -------------------------------------------------------------------------------------------------------

    def sign(
        self,
        key: SigningKey,
        sender: str,
        contract: str,
        method: str,
        args: Mapping[str, Value],
        lifetime_ms: int = LIFETIME_MS,
    ) -> Transaction:
        """A new transaction. Keep its bytes until its receipt is there: they can be submitted again and again."""
        body = TransactionBody(
            self.chain_id,
            sender,
            key.public_key,
            contract,
            method,
            encode(args),
            os.urandom(16),
            time.time_ns() // 1_000_000 + lifetime_ms,
        )
        return Transaction.sign(body, key)

    async def submit(
        self, transaction: Transaction, wait: Wait = "committed", timeout_ms: int = TIMEOUT_MS
    ) -> Committed | None:
        """Hand in a transaction, to one node after the other, until one proves that it is committed.

        None: it was taken by a node, but not committed in time (or `wait` is `accepted`). `NotAdmitted` if every node
        that answers refuses it, `Unavailable` if none answered. In both doubtful cases: the same bytes again.
        """
        deadline = time.monotonic() + timeout_ms / 1000
        pause_s, taken, rounds = FIRST_PAUSE_S, False, 0
        while True:
            rounds += 1
            refusal: NotAdmitted | None = None
            faults: list[str] = []
            for node in self._nodes():
                left_ms = int((deadline - time.monotonic()) * 1000)
                if left_ms <= 0:
                    break
                try:
                    found = await self._submit_to(node, transaction, wait, min(left_ms, ATTEMPT_MS))
                except NotAdmitted as error:
                    refusal = error
                    continue
                except TryAnother as error:
                    self._failed(node)
                    faults.append(str(error))
                    continue
                if found is not None or wait == "accepted":
                    return found
                taken = True
                self._failed(node)
            # Who is behind may refuse what the others take; so where some do not answer, all are asked twice.
            if refusal is not None and not taken and (not faults or rounds == 2):
                raise refusal
            if time.monotonic() + pause_s >= deadline:
                if taken:
                    return None
                raise refusal or Unavailable("; ".join(faults) or "no node is left to ask")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def submit_until_committed(self, transaction: Transaction) -> Committed:
        """Hand in until it is committed or has expired. `Unavailable` once it can be neither."""
        while True:
            found = None
            try:
                found = await self.submit(transaction)
            except Unavailable:
                if time.time_ns() // 1_000_000 > transaction.body.expires_at_ms:
                    raise
            except NotAdmitted as refusal:
                # Expired by now, it may have been committed in time all the same.
                if refusal.code != "expired":
                    raise
                found = await self.find(transaction.id)
                if found is None:
                    raise
            if found is not None:
                return found

    async def _submit_to(self, node: Node, transaction: Transaction, wait: Wait, wait_ms: int) -> Committed | None:
        reply = await node.read(
            "POST",
            f"/v1/transactions?wait={wait}&timeout_ms={wait_ms}",
            read_s=wait_ms / 1000 + READ_MARGIN_S,
            data=transaction.raw,
            headers={"Content-Type": TRANSACTION_TYPE, "Accept": PROOF_TYPE},
        )
        return await self._committed(node, reply, transaction.id)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def find(self, transaction_id: bytes, min_height: int = 0) -> Committed | None:
        """The transaction if it is in a block, proved; None if the node asked says that it is not."""

        async def ask(node: Node) -> Committed | None:
            try:
                path = f"/v1/transactions/{transaction_id.hex()}?min_height={min_height}"
                reply = await node.read("GET", path, headers={"Accept": PROOF_TYPE})
            except NotAdmitted as refusal:
                if refusal.code == "no_transaction":
                    return None
                raise
            return await self._committed(node, reply, transaction_id)

        return await self._ask(ask)

    async def inclusion(self, transaction_id: bytes) -> Inclusion | None:
        """The transaction with its receipt and the paths that prove it, checked; None if the node asked has none."""

        async def ask(node: Node) -> Inclusion | None:
            try:
                path = f"/v1/transactions/{transaction_id.hex()}"
                reply = await node.read("GET", path, headers={"Accept": PROOF_TYPE})
            except NotAdmitted as refusal:
                if refusal.code == "no_transaction":
                    return None
                raise
            if reply.media_type != PROOF_TYPE:
                return None
            inclusion = self._unpacked(node, reply.body)
            await self._check(node, lambda: self.chain.check_inclusion(inclusion, transaction_id))
            return inclusion

        return await self._ask(ask)

    async def validator_changes(self) -> list[ValidatorChange]:
        """Every change of the validator set that the node asked knows of: proved by whoever uses them."""

        async def ask(node: Node) -> list[ValidatorChange]:
            changes: list[ValidatorChange] = []
            after: int | None = 0
            while after is not None:
                page = node.struct(ValidatorChanges, await node.get(f"/v1/validators/changes?after={after}"))
                changes += page.changes
                after = page.next if page.changes else None
            return changes

        return await self._ask(ask)

    async def row(self, key: bytes) -> Row:
        """A row of the state or its absence, with the nodes that prove it, checked."""

        async def ask(node: Node) -> Row:
            view = node.struct(StateView, await node.get(f"/v1/state/{key.hex()}"))
            row = Row(view.header, view.certificate, key, view.value, view.proof)
            check = (row.header, row.certificate, key, row.value, StateProof(row.nodes))
            await self._check(node, lambda: self.chain.check_row(*check))
            return row

        return await self._ask(ask)

    async def state(self, key: bytes, min_height: int = 0) -> tuple[Header, bytes | None]:
        """A row of the state, or None if there is none, proved under the header that comes with it."""

        async def ask(node: Node) -> tuple[Header, bytes | None]:
            value = await node.get(f"/v1/state/{key.hex()}?min_height={min_height}")
            view = node.struct(StateView, value)
            if view.header.height < min_height:
                raise self._lies(node, "the answer is older than was asked for")
            check = (view.header, view.certificate, key, view.value, StateProof(view.proof))
            await self._check(node, lambda: self.chain.check_row(*check))
            return view.header, view.value

        return await self._ask(ask)

    async def head(self) -> Header:
        """The last block of the node asked, proved to be one of the chain."""

        async def ask(node: Node) -> Header:
            value = await node.get("/v1/blocks/head/header")
            header = node.struct(HeaderView, value).header
            if header.height == 0:
                await self._check(node, lambda: self.chain.check_header(header, None))
                return header
            found = await self._archive(header.height, 1, node)
            if not found:
                raise self._lies(node, f"block {header.height} is its head, but it does not have it")
            return (await self._proved(node, found[0])).header

        return await self._ask(ask)

    async def query(
        self, contract: str, method: str, arguments: Mapping[str, object], min_height: int = 0
    ) -> QueryAnswer:
        """A contract's answer, as the node asked gives it. `NotAdmitted` if the contract refuses the query."""

        async def ask(node: Node) -> QueryAnswer:
            path = f"/v1/query/{quote(contract, safe='')}/{quote(method, safe='')}?min_height={min_height}"
            value = await node.json("POST", path, json=dict(arguments))
            return node.shaped(lambda: QueryAnswer(int(value["height"]), int(value["time_ms"]), value["result"]))

        return await self._ask(ask)

    async def history(self, subject: str, after: str = "", limit: int = 50, min_height: int = 0) -> HistoryPage:
        """A page of what happened to a subject. Each step stands in a block: `find` proves it."""

        async def ask(node: Node) -> HistoryPage:
            cursor = f"&after={after}" if after else ""
            path = f"/v1/history/{quote(subject, safe='')}?limit={limit}&min_height={min_height}{cursor}"
            return node.struct(HistoryPage, await node.get(path))

        return await self._ask(ask)

    async def status(self, url: str) -> Any:
        """What one node says of itself."""
        return await Node(url.rstrip("/"), self.session).get("/v1/status")

    async def evidence(self, url: str) -> tuple[tuple[bytes, bytes], ...]:
        """The pairs of conflicting votes that one node has seen. `Unavailable` if it does not answer."""
        node = Node(url.rstrip("/"), self.session)
        try:
            found = node.struct(EvidenceList, await node.get("/v1/evidence"))
        except TryAnother as failure:
            raise Unavailable(str(failure)) from None
        return tuple((pair.first, pair.second) for pair in found.evidence)

    # -- following -----------------------------------------------------------------------------------------------------

    async def blocks(self, from_height: int) -> AsyncIterator[StoredBlock]:
        """The blocks from a height to the head, as the node has them: not checked here, but by whoever audits them."""
        height = from_height
        while True:
            page = await self._ask(partial(self._archive, height, ARCHIVE_PAGE))
            if not page:
                return
            for block in page:
                yield block
            height = page[-1].height + 1

    async def follow(self, after_height: int) -> AsyncIterator[ProvedBlock]:
        """Every block after a height, whole and proved, for ever: what is there at once, then each as it comes.

        Nothing is missing and nothing comes twice, whatever happens to the nodes; while none answers, it waits.
        """
        height, pause_s = after_height + 1, FIRST_PAUSE_S
        while True:
            try:
                page = await self._ask(partial(self._proved_page, height))
                if not page:
                    await self._ask(partial(self._wait_for, height))
            except Unavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            for block in page:
                yield block
                height = block.header.height + 1

    async def _wait_for(self, height: int, node: Node) -> None:
        """Until the node says that it has a block: by its event stream, which is only a bell here."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=60.0)
        try:
            async with self.session.get(f"{node.url}/v1/events?after={height - 1}", timeout=timeout) as response:
                if response.status != 200:
                    raise TryAnother(f"{node.url} answered {response.status}")
                async for line in response.content:
                    if line.startswith(b"event: block"):
                        return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryAnother(f"{node.url}: {type(error).__name__} {error}") from None
        raise TryAnother(f"{node.url} ended its stream")

    # -- asking nodes --------------------------------------------------------------------------------------------------

    def _nodes(self) -> list[Node]:
        """All nodes but known liars, beginning with the one that answered last."""
        count = len(self.urls)
        order = [self.urls[(self._preferred + i) % count] for i in range(count)]
        return [Node(url, self.session) for url in order if url not in self.liars]

    def _failed(self, node: Node) -> None:
        if self.urls[self._preferred] == node.url:
            self._preferred = (self._preferred + 1) % len(self.urls)

    async def _ask(self, ask: Callable[[Node], Awaitable[T]]) -> T:
        """The first answer that holds. `NotAdmitted` if a node refuses, `Unavailable` if none answers."""
        faults: list[str] = []
        for node in self._nodes():
            try:
                return await ask(node)
            except TryAnother as error:
                self._failed(node)
                faults.append(str(error))
        raise Unavailable("; ".join(faults) or "no node is left to ask")

    def _lies(self, node: Node, what: str) -> Exception:
        self.liars[node.url] = what
        return TryAnother(f"{node.url} lies: {what}") if self.avoid_liars else LyingNode(node.url, what)

    # -- checking ------------------------------------------------------------------------------------------------------

    async def _check(self, node: Node, check: Callable[[], T]) -> T:
        """What `check` gives, once the validator sets that it needs are learned; a node that cannot prove it lies."""
        try:
            try:
                return check()
            except UnknownValidators:
                await self._learn(node)
                return check()
        except UnknownValidators:
            raise self._lies(node, "it cannot prove the validators of its answer") from None
        except Untrue as untrue:
            raise self._lies(node, str(untrue)) from None

    async def _learn(self, node: Node) -> None:
        """The changes of the validator set since the last one known, each proved by the set before it."""
        while True:
            path = f"/v1/validators/changes?after={self.chain.last_change}"
            page = node.struct(ValidatorChanges, await node.get(path))
            for change in page.changes:
                if change.header.height > self.chain.last_change:
                    self.chain.learn(change.header, change.certificate, ValidatorSet(change.members))
            if page.next is None or not page.changes:
                return

    async def _committed(self, node: Node, reply: Reply, transaction_id: bytes) -> Committed | None:
        """The transaction of an answer, proved; None if the answer is no proof: then it is not committed yet."""
        if reply.media_type != PROOF_TYPE:
            return None
        inclusion = self._unpacked(node, reply.body)
        proved: ProvedTransaction = await self._check(
            node, lambda: self.chain.check_inclusion(inclusion, transaction_id)
        )
        header = proved.header
        return Committed(header.height, proved.index, header.time_ms, proved.transaction, proved.receipt)

    def _unpacked(self, node: Node, body: bytes) -> Inclusion:
        try:
            return unpack(Inclusion, body)
        except Refused as refused:
            raise self._lies(node, f"its proof cannot be read: {refused}") from None

    async def _proved_page(self, first: int, node: Node) -> list[ProvedBlock]:
        return [await self._proved(node, block) for block in await self._archive(first, ARCHIVE_PAGE, node)]

    async def _archive(self, first: int, limit: int, node: Node) -> list[StoredBlock]:
        data = (await node.read("GET", f"/v1/archive?from={first}&limit={limit}", read_s=60.0)).body
        found: list[StoredBlock] = []
        at = 0
        while at < len(data):
            size = int.from_bytes(data[at : at + FRAME_LENGTH_BYTES], "big")
            at += FRAME_LENGTH_BYTES
            try:
                frame = unpack(BlockFrame, data[at : at + size], 3 * MAX_BLOCK_BYTES)
            except Refused:
                raise self._lies(node, "its blocks are not what a node sends") from None
            certificate, validators = frame.certificate or None, frame.validators or None
            found.append(StoredBlock(first + len(found), frame.block, certificate, frame.receipts, validators))
            at += size
        return found

    async def _proved(self, node: Node, block: StoredBlock) -> ProvedBlock:
        parts = (block.raw, block.certificate or b"", block.receipts or ())
        proved: ProvedBlock = await self._check(node, lambda: self.chain.check_block(*parts))
        if proved.header.height != block.height:
            raise self._lies(node, f"asked for block {block.height} it sends block {proved.header.height}")
        return proved
