"""Frames: how messages are told apart in a stream of bytes. Four bytes of length, then the message."""

from __future__ import annotations

from edge.wire import MAX_FRAME_BYTES
from ledger.refusal import Reason, Refused, Text

_LENGTH_BYTES = 4


class FrameReason(Reason):
    FRAME_TOO_LARGE = Text(
        "フレームが大きすぎます({size} バイト、上限 {limit})", "a frame of {size} bytes, more than {limit}"
    )


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


class FrameReader:
    """Cuts what arrives into frames; keeps at most the frame that has begun."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now. `Refused(FrameReason)` as soon as one says that it is too large."""
        self._rest += data
        frames: list[bytes] = []
        at = 0
        while len(self._rest) - at >= _LENGTH_BYTES:
            size = int.from_bytes(self._rest[at : at + _LENGTH_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise Refused(FrameReason.FRAME_TOO_LARGE, size=size, limit=MAX_FRAME_BYTES)
            end = at + _LENGTH_BYTES + size
            if end > len(self._rest):
                break
            frames.append(bytes(self._rest[at + _LENGTH_BYTES : end]))
            at = end
        if at:
            del self._rest[:at]
        return frames
