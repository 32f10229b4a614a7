"""Following the chain: an application's own view of it (lists, search, totals), kept up from the chain's events.

Each block's events are written in one transaction together with the cursor, so that each is applied exactly once,
whatever is killed when. Deleting the cursor and the view's rows builds the view anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.orm import Session

from apps.common.chain import ChainUnavailable, Head, Step
from apps.common.tables import Cursor
from apps.common.web import Kit

RETRY_S = 1.0

Apply = Callable[[Session, Sequence[Step]], Iterable[str]]
"""Writes what a block's events mean into the application's tables; gives the live topics that changed."""

log = logging.getLogger(__name__)


class Follower:
    """`Site(background=[Follower("view", apply).run])`."""

    def __init__(self, name: str, apply: Apply) -> None:
        self._name = name
        self._apply = apply

    async def run(self, kit: Kit) -> None:
        """Follow until cancelled; a broken link is taken up again where it broke."""
        while True:
            try:
                await self._follow(kit)
            except ChainUnavailable as error:
                log.info("follower %s waits: %s", self._name, error)
            await asyncio.sleep(RETRY_S)

    async def _follow(self, kit: Kit) -> None:
        height = await kit.database.read(self.height)
        async for head, steps in kit.chain.events(height):
            topics = await kit.database.write(lambda session: self.take(session, head, steps))  # noqa: B023
            await kit.live.touch(*topics)

    def height(self, session: Session) -> int:
        """How far the view has come: what it shows is as of this height."""
        row = session.get(Cursor, self._name)
        return row.height if row is not None else 0

    def take(self, session: Session, head: Head, steps: Sequence[Step]) -> list[str]:
        """One block's events. A block that was taken before changes nothing."""
        row = session.get(Cursor, self._name, with_for_update=True)
        if row is None:
            row = Cursor(name=self._name, height=0)
            session.add(row)
        if head.height <= row.height:
            return []
        row.height = head.height
        return list(self._apply(session, steps)) if steps else []
