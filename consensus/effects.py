"""What the core asks for. The caller performs effects in order; a `Persist…` is on disk before the next is begun."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.events import PreparedRecord
from consensus.messages import Message, Vote
from ledger.types import Certificate


@dataclass(frozen=True, slots=True)
class PersistVote:
    """Write this vote to the journal and sync it. The Send that follows may only go out after that."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class PersistPrepared:
    """Write the prepared certificate to the journal and sync it (rule 5)."""

    record: PreparedRecord


@dataclass(frozen=True, slots=True)
class Broadcast:
    """To every other node, observers included."""

    message: Message


@dataclass(frozen=True, slots=True)
class Send:
    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class BuildBlock:
    """Build a block on the head and answer with BlockBuilt. `empty_allowed`: a heartbeat or a later round may be empty.

    If there is nothing to propose and an empty block is not allowed, the answer holds no block.
    """

    height: int
    round: int
    empty_allowed: bool


@dataclass(frozen=True, slots=True)
class CheckBlock:
    """Execute the block in an overlay and answer with BlockChecked.

    `fresh`: judge its time by the wall clock too (rule 4).
    """

    height: int
    round: int
    digest: bytes
    block: bytes
    fresh: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write this block with its certificate, in one batch, and answer with Advanced (rule 6)."""

    block: bytes
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send a Tick at or after this time. There is one timer: a later SetTimer takes the place of the one before."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """Two different votes of one validator for one step (rule 12)."""

    first: Vote
    second: Vote


@dataclass(frozen=True, slots=True)
class FallBehind:
    """A peer shows that `height` is decided, and its block is not here: sync from it."""

    peer: str
    height: int


@dataclass(frozen=True, slots=True)
class SendDecided:
    """Answer somebody who still works at a decided height with its block and certificate (rule 10)."""

    to: str
    height: int


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """A peer delivered what no honest node sends: count it, and close the connection if it goes on (rule 11)."""

    peer: str
    what: str


Effect = (
    PersistVote
    | PersistPrepared
    | Broadcast
    | Send
    | BuildBlock
    | CheckBlock
    | Deliver
    | SetTimer
    | RecordEvidence
    | FallBehind
    | SendDecided
    | Misbehaved
)
