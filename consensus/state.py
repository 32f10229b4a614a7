"""The state of the core, as a value: a step makes a new one and never changes the one it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from consensus.effects import Broadcast, Effect, Misbehaved, PersistPrepared, PersistVote, Send
from consensus.events import PreparedRecord
from consensus.messages import Commit, Message, Prepare, PrePrepare, Proposal, RoundChange, RoundChangeMessage, Vote
from ledger.registry import DEFAULT_PARAMETERS, Parameters
from ledger.types import Header, Validator, ValidatorSet

Kind = Literal["pre-prepare", "prepare", "commit", "round-change"]

ROUND_WINDOW = 10
"""Votes are kept for rounds at most this far from the current one (rule 11)."""
MAX_FUTURE_MESSAGES = 8
"""Messages kept of one peer for the height after the current one (rule 11)."""
MAX_BLOCKS = 4
"""Valid blocks kept of one height, for a decision of an earlier round."""


class SignatureScheme(Protocol):
    """How votes are signed and checked. Ed25519 in the world, a quick stand-in in the simulator."""

    def sign(self, public_key: bytes, payload: bytes) -> bytes | None:
        """The signature by the key that belongs to `public_key`; None if this node does not hold that key."""
        ...

    def verify(self, public_key: bytes, payload: bytes, signature: bytes) -> bool: ...


class Config(msgspec.Struct, frozen=True):
    """What a node brings along; what all nodes agree on is in the chain's parameters."""

    node_id: str
    chain_id: bytes
    scheme: SignatureScheme
    request_timeout_ms: int = 800
    """How long a pending transaction may wait for a proposal in round 0 (rule 9)."""
    round_timeout_ms: int = 800
    """How long a round may take; doubled with each round (rule 7)."""
    lost_leader_timeout_ms: int = 120
    """In place of both, when the connection to the leader has gone."""
    max_timeout_ms: int = 10_000
    """The cap of the growing timeout (rule 7)."""
    resend_ms: int = 1_000
    """An undecided height's own latest votes are sent again this often."""
    passed_over_limit_blocks: int = 3
    """A leader that leaves the oldest transaction lying in this many blocks is replaced (rule 9)."""
    missing_heartbeats: int = 3
    """A leader that sends not even empty blocks for this many heartbeats is replaced."""


class RoundVotes(msgspec.Struct, frozen=True):
    """The votes of one round, by validator."""

    pre_prepare: PrePrepare | None = None
    prepares: Mapping[str, Prepare] = {}
    commits: Mapping[str, Commit] = {}


class Accepted(msgspec.Struct, frozen=True):
    """The one proposal that was accepted in the current round (rule 4)."""

    digest: bytes
    block: bytes
    at_ms: int
    verdict: Literal["unknown", "valid", "refused"]


class State(msgspec.Struct, frozen=True):
    config: Config
    head: Header
    validators: ValidatorSet
    parameters: Parameters = DEFAULT_PARAMETERS
    now_ms: int = 0
    observe_through_height: int = 0
    height_since_ms: int = 0
    round: int = 0
    accepted: Accepted | None = None
    building: bool = False
    own_proposal: Proposal | None = None
    prepared: PreparedRecord | None = None
    """The latest prepared certificate of this height: carried over all rounds until the height is decided."""
    delivering: bool = False
    votes: Mapping[int, RoundVotes] = {}
    round_changes: Mapping[int, Mapping[str, RoundChangeMessage]] = {}
    blocks: Mapping[bytes, bytes] = {}
    """Blocks of this height that this node found valid, by digest."""
    signed: Mapping[tuple[Kind, int], Vote] = {}
    """Every vote that this node has signed at this height, by step: never another for the same step (rule 8)."""
    future: Mapping[str, tuple[Message, ...]] = {}
    accused: frozenset[tuple[str, Kind, int]] = frozenset()
    work_since_ms: int | None = None
    passed_over_blocks: int = 0
    lost_peers: frozenset[str] = frozenset()
    round_timer_ms: int | None = None
    """When the current round above 0 ends; None while no quorum has come to it."""
    resend_at_ms: int | None = None
    timer_ms: int | None = None
    """The last timer that was asked for."""

    @property
    def height(self) -> int:
        """The height that is being decided."""
        return self.head.height + 1

    @property
    def me(self) -> Validator | None:
        """This node's place in the set that votes at this height; None while it only observes."""
        if self.height <= self.observe_through_height:
            return None
        return self.validators.find(self.config.node_id)

    @property
    def round_votes(self) -> RoundVotes:
        return self.votes.get(self.round, RoundVotes())


class Turn:
    """One step at work: the state as it becomes, and the effects so far."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._persists: list[Effect] = []
        self._others: list[Effect] = []

    def set(self, **changes: object) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)

    def do(self, effect: Effect) -> None:
        if isinstance(effect, PersistVote | PersistPrepared):
            self._persists.append(effect)
        else:
            self._others.append(effect)

    def broadcast(self, message: Message) -> None:
        self.do(Broadcast(message))

    def send(self, to: str, message: Message) -> None:
        self.do(Send(to, message))

    def misbehaved(self, peer: str, what: str) -> None:
        self.do(Misbehaved(peer, what))

    def effects(self) -> tuple[Effect, ...]:
        """Everything that must be on disk comes before anything that leaves: one sync a step is enough."""
        return (*self._persists, *self._others)


def step_of(vote: Vote) -> tuple[Kind, int]:
    """The step of a height that a vote is for."""
    match vote:
        case PrePrepare():
            return "pre-prepare", vote.round
        case Prepare():
            return "prepare", vote.round
        case Commit():
            return "commit", vote.round
        case RoundChange():
            return "round-change", vote.round
