"""One connection to a peer: frames in, frames out, without a task of its own.

Sending never waits. Two lanes: what the consensus waits for goes first, transactions and old blocks after it. What does
not fit the queue pushes out what has waited longest, gossip before votes; the protocol heals what was lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from edge.codec import FrameReader
from ledger.refusal import Refused

MAX_QUEUE_BYTES = 64 * 1024 * 1024
WRITE_CHUNK_BYTES = 256 * 1024


class Link(asyncio.Protocol):
    """Made for a socket, taken up (`open`) once its peer is known, told of by `on_frame` and `on_closed`."""

    def __init__(self) -> None:
        self.peer = ""
        self.heard_at = 0.0
        """When the peer last said anything, by the loop's clock."""
        self.queued_bytes = 0
        self.dropped_frames = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._early: list[bytes] = []
        self._urgent: deque[bytes] = deque()
        self._bulk: deque[bytes] = deque()
        self._paused = False
        self._scheduled = False
        self._on_frame: Callable[[Link, bytes], None] | None = None
        self._on_closed: Callable[[Link], None] | None = None
        self._closed = False

    def open(
        self,
        peer: str,
        transport: asyncio.Transport,
        on_frame: Callable[[Link, bytes], None],
        on_closed: Callable[[Link], None],
    ) -> None:
        """The peer is known now, and its messages are welcome."""
        self.peer, self._transport = peer, transport
        self._on_frame, self._on_closed = on_frame, on_closed
        self.heard_at = self._loop.time()
        transport.set_write_buffer_limits(high=WRITE_CHUNK_BYTES)
        if self._closed:
            on_closed(self)
            return
        for data in self._early:
            self.data_received(data)
        self._early.clear()

    # -- what the event loop tells -------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._on_frame is None:
            self._early.append(data)
            return
        self.heard_at = self._loop.time()
        try:
            frames = self._reader.feed(data)
        except Refused:
            self.close()
            return
        for payload in frames:
            if self._closed:
                return
            self._on_frame(self, payload)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._urgent.clear()
            self._bulk.clear()
            self.queued_bytes = 0
            if self._on_closed is not None:
                self._on_closed(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._schedule()

    # -- sending -------------------------------------------------------------------------------------------------------

    def put(self, frame: bytes, *, bulk: bool) -> None:
        """Send when there is room. `bulk`: after everything that is not."""
        if self._closed:
            return
        (self._bulk if bulk else self._urgent).append(frame)
        self.queued_bytes += len(frame)
        while self.queued_bytes > MAX_QUEUE_BYTES:
            self.queued_bytes -= len((self._bulk or self._urgent).popleft())
            self.dropped_frames += 1
        self._schedule()

    def close(self) -> None:
        """End the connection now, without waiting for what is still to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def _schedule(self) -> None:
        if not self._scheduled and not self._paused and (self._urgent or self._bulk):
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Everything that was said in one turn of the loop goes out in one piece."""
        self._scheduled = False
        if self._transport is None or self._closed or self._paused:
            return
        frames: list[bytes] = []
        size = 0
        while size < WRITE_CHUNK_BYTES and (self._urgent or self._bulk):
            frame = (self._urgent or self._bulk).popleft()
            frames.append(frame)
            size += len(frame)
        self.queued_bytes -= size
        self._transport.write(b"".join(frames))
        self._schedule()
