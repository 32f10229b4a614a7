"""What validators sign: the bodies of votes, each in a domain of its own, and the statement of being in sync.

Here, below both consensus and contracts, because both must read them: consensus to vote, governance to judge evidence.
"""

from __future__ import annotations

from typing import Literal

from ledger.encoding import Wire, pack
from ledger.types import Hash, Height, NodeId, Round

VoteKind = Literal["pre-prepare", "prepare", "commit", "round-change"]


class Step(Wire, frozen=True):
    """The signed body of a pre-prepare, a prepare or a commit (whose signature is the seal of a certificate)."""

    chain_id: Hash
    height: Height
    round: Round
    digest: Hash


class RoundChangeStep(Wire, frozen=True):
    """The signed body of a round change."""

    chain_id: Hash
    height: Height
    round: Round
    prepared_round: Round | None
    prepared_digest: Hash | None


class InSync(Wire, frozen=True):
    """A candidate's signed statement that it has checked and holds the chain up to a block."""

    chain_id: Hash
    node_id: NodeId
    height: Height
    block_hash: Hash


def payload(kind: VoteKind, body: bytes) -> bytes:
    """What is signed for a vote whose body has these bytes."""
    return b"daicho/" + kind.encode() + b"/1\x00" + body


def pre_prepare_payload(chain_id: bytes, height: int, round_: int, digest: bytes) -> bytes:
    return payload("pre-prepare", pack(Step(chain_id, height, round_, digest)))


def prepare_payload(chain_id: bytes, height: int, round_: int, digest: bytes) -> bytes:
    return payload("prepare", pack(Step(chain_id, height, round_, digest)))


def commit_payload(chain_id: bytes, height: int, round_: int, digest: bytes) -> bytes:
    """A COMMIT's signature over this is a seal of the block's certificate."""
    return payload("commit", pack(Step(chain_id, height, round_, digest)))


def round_change_payload(
    chain_id: bytes, height: int, round_: int, prepared_round: int | None, prepared_digest: bytes | None
) -> bytes:
    return payload("round-change", pack(RoundChangeStep(chain_id, height, round_, prepared_round, prepared_digest)))


def in_sync_payload(chain_id: bytes, node_id: str, height: int, block_hash: bytes) -> bytes:
    return b"daicho/in-sync/1\x00" + pack(InSync(chain_id, node_id, height, block_hash))
