"""Live lists: a page listens for its topic (server-sent events) and fetches itself again when the topic changed.

Only the fact of a change is sent, never data: what a visitor may see is decided where pages are made. Without
JavaScript the page offers a link that loads it again.
"""

from __future__ import annotations

import asyncio

MAX_LISTENERS = 500


class Live:
    """Topics and who waits for them, within this process."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self._listeners = 0
        self.is_closing = False

    @property
    def listeners(self) -> int:
        return self._listeners

    def version(self, topic: str) -> int:
        return self._versions.get(topic, 0)

    async def touch(self, *topics: str) -> None:
        """Something of these topics changed."""
        async with self._changed:
            for topic in topics:
                self._versions[topic] = self._versions.get(topic, 0) + 1
            self._changed.notify_all()

    async def next_version(self, topic: str, seen: int) -> int:
        """The topic's version once it is another than `seen`, or as it is when the application closes."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_closing or self.version(topic) != seen)
            return self.version(topic)

    async def close(self) -> None:
        """The application stops: let all streams end."""
        async with self._changed:
            self.is_closing = True
            self._changed.notify_all()

    def join(self) -> bool:
        """Count a listener in; False if there are too many (the page then offers the reload link)."""
        if self._listeners >= MAX_LISTENERS:
            return False
        self._listeners += 1
        return True

    def leave(self) -> None:
        self._listeners -= 1
