"""The messages of the protocol, each signed by the validator it names. Data and what is signed; no rules here.

What a signature covers is in `ledger/votes.py`: a domain of its own, the chain, the height, the round and the digest,
so that no vote can be passed off as another. A COMMIT's signature is the seal of the block's certificate.
"""

from __future__ import annotations

from ledger.encoding import Wire
from ledger.types import Certificate, Hash, Height, NodeId, Round, Signature


class PrePrepare(Wire, frozen=True, tag="pre_prepare"):
    """The leader's signed word that this digest is its proposal for (height, round)."""

    height: Height
    round: Round
    digest: Hash
    node_id: NodeId
    signature: Signature


class Prepare(Wire, frozen=True, tag="prepare"):
    height: Height
    round: Round
    digest: Hash
    node_id: NodeId
    signature: Signature


class Commit(Wire, frozen=True, tag="commit"):
    height: Height
    round: Round
    digest: Hash
    node_id: NodeId
    signature: Signature


class RoundChange(Wire, frozen=True, tag="round_change"):
    """A wish to move to `round`; the prepared round and digest are both there or both absent (rule 2)."""

    height: Height
    round: Round
    prepared_round: Round | None
    prepared_digest: Hash | None
    node_id: NodeId
    signature: Signature


Vote = PrePrepare | Prepare | Commit | RoundChange
"""What a node signs, and so what it may never sign twice differently for one step."""


class Proposal(Wire, frozen=True, tag="proposal"):
    """A pre-prepare with the block and, in a round above 0, its justification (rules 2 and 3)."""

    pre_prepare: PrePrepare
    block: bytes
    round_changes: tuple[RoundChange, ...]
    prepares: tuple[Prepare, ...]


class RoundChangeMessage(Wire, frozen=True, tag="round_change_message"):
    """A round change with the prepared certificate that it claims: the block and a quorum of PREPAREs for it."""

    round_change: RoundChange
    block: bytes | None
    prepares: tuple[Prepare, ...]


class Decided(Wire, frozen=True, tag="decided"):
    """The answer to somebody who still works at a height that is decided (rule 10)."""

    block: bytes
    certificate: Certificate


Message = Proposal | Prepare | Commit | RoundChangeMessage | Decided
