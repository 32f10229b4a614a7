"""An application's copy of the chain's rows: what an event names is read again from the contract and written here.

The events say only *what* changed; the contract says how it now stands, so no rule of it is repeated here. Rows and
cursor are written in one transaction. Deleting the cursor builds the copy anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.chain import Chain, ChainUnavailable, Plain, Step
from apps.common.tables import Cursor, Write
from apps.common.web import Kit, Visit
from ledger.encoding import Value
from ledger.schema import from_plain

QUEUED_BLOCKS = 1_000
BATCH_IDS = 300
AT_ONCE = 8
RETRY_S = 1.0
CATCH_UP_POLLS = 75
POLL_S = 0.04

log = logging.getLogger(__name__)
S = TypeVar("S", bound=msgspec.Struct)


class Rows(Protocol):
    """Rows as they were read, ready to be written."""

    def put(self, session: Session) -> None: ...


class Changed(Protocol):
    """The ids of rows that events named, gathered over some blocks."""

    def note(self, steps: Iterable[Step]) -> None: ...

    def __len__(self) -> int: ...

    @property
    def topics(self) -> list[str]:
        """The live lists that show these rows."""

    async def read(self, asker: Asker) -> Rows:
        """The rows as they stand."""


class Asker:
    """Queries of one contract at a height or later, a few at a time."""

    def __init__(self, chain: Chain, contract: str, height: int) -> None:
        self._chain = chain
        self._contract = contract
        self._height = height
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def plain(self, method: str, arguments: Mapping[str, Value]) -> Plain:
        async with self._gate:
            return await self._chain.query(self._contract, method, arguments, min_height=self._height)

    async def one(self, kind: type[S], method: str, arguments: Mapping[str, Value]) -> S | None:
        """The row that the query answers with, if there is one."""
        found = await self.plain(method, arguments)
        return from_plain(kind, found) if isinstance(found, dict) else None


class Copy:
    """`Site(background=[Copy(...).keep])`. With another name of the cursor the copy is built anew."""

    def __init__(self, cursor: str, contract: str, changed: Callable[[], Changed]) -> None:
        self._cursor = cursor
        self._contract = contract
        self._changed = changed

    async def keep(self, kit: Kit) -> None:
        """Follow the chain until cancelled; a broken link is taken up again where it broke."""
        while True:
            try:
                await self._follow(kit)
            except* ChainUnavailable as errors:
                log.info("the copy waits: %s", errors.exceptions[0])
            await asyncio.sleep(RETRY_S)

    async def _follow(self, kit: Kit) -> None:
        queue: asyncio.Queue[tuple[int, Sequence[Step]]] = asyncio.Queue(QUEUED_BLOCKS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(kit, await kit.database.read(self.height), queue))
            group.create_task(self._write(kit, queue))

    async def _listen(self, kit: Kit, height: int, queue: asyncio.Queue[tuple[int, Sequence[Step]]]) -> None:
        async for head, steps in kit.chain.events(height):
            await queue.put((head.height, steps))
        raise ChainUnavailable("the stream of events ended")

    async def _write(self, kit: Kit, queue: asyncio.Queue[tuple[int, Sequence[Step]]]) -> None:
        while True:
            height, steps = await queue.get()
            changed = self._changed()
            changed.note(steps)
            # Blocks that came meanwhile go with it: each row is read once, however often it changed.
            while len(changed) < BATCH_IDS and not queue.empty():
                height, steps = queue.get_nowait()
                changed.note(steps)
            rows = await changed.read(Asker(kit.chain, self._contract, height))
            await kit.database.write(lambda session: self._put(session, rows, height))  # noqa: B023
            await kit.live.touch(*changed.topics)

    def _put(self, session: Session, rows: Rows, height: int) -> None:
        rows.put(session)
        cursor = session.get(Cursor, self._cursor)
        if cursor is None:
            session.add(Cursor(name=self._cursor, height=height))
        else:
            cursor.height = max(cursor.height, height)

    def height(self, session: Session) -> int:
        """The height up to which the copy is complete."""
        row = session.get(Cursor, self._cursor)
        return row.height if row is not None else 0

    async def own_writes(self, visit: Visit) -> None:
        """Wait, a few seconds at most, until the copy shows what this visitor has done."""
        if visit.user is None:
            return
        user_id = visit.user.id

        def is_behind(session: Session) -> bool:
            newest = session.scalar(select(func.max(Write.height)).where(Write.user_id == user_id))
            return newest is not None and newest > self.height(session)

        # Another process may keep the copy: its cursor is asked for. In the end the page shows what there is.
        for _ in range(CATCH_UP_POLLS):
            if not await visit.kit.database.read(is_behind):
                return
            await asyncio.sleep(POLL_S)


async def gather(work: Iterable[Awaitable[None]]) -> None:
    """All of it; the first that failed is raised when all have ended."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def fields(row: msgspec.Struct) -> dict[str, Any]:
    """A contract's row as a table's columns: tuples become lists, as JSON has them."""
    values = msgspec.structs.asdict(row)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
