"""What comes into the core. Every event carries `now_ms` of a monotonic clock; wall time never enters the core."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.messages import Message, Prepare, Vote
from ledger.encoding import Wire
from ledger.registry import Parameters
from ledger.types import Hash, Header, Height, Round, ValidatorSet


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: at least the deadline of the last SetTimer, or simply now and then."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message from a peer. `sender` is the peer that delivered it (authenticated), not always its signer."""

    now_ms: int
    sender: str
    message: Message


@dataclass(frozen=True, slots=True)
class WorkPending:
    """Whether the pool holds transactions that could go into a block now, and since when the oldest waits.

    Rules 9 and 14: it is proposed at once, and whoever sees it left lying starts a round change.
    """

    now_ms: int
    oldest_since_ms: int | None
    passed_over_blocks: int
    """How many blocks of this leader have carried younger transactions and left the oldest lying (rule 9)."""


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """The answer to BuildBlock: a block and its hash, already executed by this node.

    `block` is empty if there was nothing to propose and an empty block was not allowed.
    """

    now_ms: int
    height: int
    round: int
    block: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class BlockChecked:
    """The answer to CheckBlock. `refusal` is None if the block is valid here, else the code of the reason."""

    now_ms: int
    height: int
    round: int
    digest: bytes
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Advanced:
    """The ledger stands at a new head, by our own Deliver or by sync: `header` is that of the head."""

    now_ms: int
    header: Header
    validators: ValidatorSet
    """The set that votes at the next height."""
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The connection to a peer has gone. Only a hint: a leader that is gone is waited for less long."""

    now_ms: int
    peer: str


class PreparedRecord(Wire, frozen=True, tag="prepared"):
    """A prepared certificate as it was persisted (rule 5)."""

    height: Height
    round: Round
    digest: Hash
    block: bytes
    prepares: tuple[Prepare, ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """The first event after a start: the head on disk and what the journal holds for heights above it (rule 8).

    `observe_through_height`: votes up to and including this height may have been signed and lost;
    0 if the journal is whole.
    """

    now_ms: int
    header: Header
    validators: ValidatorSet
    parameters: Parameters
    votes: tuple[Vote, ...]
    prepared: PreparedRecord | None
    observe_through_height: int


Event = Tick | Received | WorkPending | BlockBuilt | BlockChecked | Advanced | PeerLost | Restarted
