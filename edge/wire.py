"""What nodes say to each other: the consensus' messages, gossip of transactions, and sync."""

from __future__ import annotations

import msgspec

from consensus.messages import Message
from ledger.encoding import EncodingReason, Wire, pack
from ledger.refusal import Refused
from ledger.types import Hash, Height, Round

MAX_FRAME_BYTES = 20 * 1024 * 1024
"""No message is read beyond this: the largest block, its justification, and room."""
MAX_GOSSIP = 2_000
"""Transactions in one message."""
MAX_SYNC_BLOCKS = 64
MAX_SYNC_BYTES = 128 * 1024
"""Blocks are sent until this is passed; one block is always sent, however large. About 500 transactions: as many
as a node that catches up can execute between two looks at its other connections."""


class Transactions(Wire, frozen=True, tag="transactions"):
    """Transactions that the sender has accepted, for everybody's pool (rule 9)."""

    items: tuple[bytes, ...]


class Status(Wire, frozen=True, tag="status"):
    """Where a node stands: `height` is on its disk."""

    height: Height
    head_hash: Hash
    round: Round


class GetBlocks(Wire, frozen=True, tag="get_blocks"):
    from_height: Height
    limit: int


class CertifiedBlock(Wire, frozen=True):
    block: bytes
    certificate: bytes


class Blocks(Wire, frozen=True, tag="blocks"):
    """Certified blocks in rising height, as they were asked for."""

    items: tuple[CertifiedBlock, ...]


PeerMessage = Message | Transactions | Status | GetBlocks | Blocks

_decoder: msgspec.msgpack.Decoder[PeerMessage] = msgspec.msgpack.Decoder(PeerMessage)


def encode_message(message: PeerMessage) -> bytes:
    return pack(message)


def decode_message(data: bytes) -> PeerMessage:
    """`Refused(EncodingReason)` for anything that is not a message.

    Frames need not be canonical: nothing is hashed or signed in them; what is, is carried as bytes or built again.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise Refused(EncodingReason.TOO_LARGE, size=len(data), limit=MAX_FRAME_BYTES)
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None
