"""Evidence of two conflicting votes (rule 12): what the nodes keep, told apart, and put on the chain for everybody.

A node keeps what it sees by itself; the chain keeps what an operator brings to it. Both hold the two signed votes, so
whoever doubts it checks the two signatures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec

from consensus.messages import Commit, Prepare, PrePrepare, RoundChange, Vote
from edge.client import Committed, DaichoClient, Unavailable
from ledger.crypto import SigningKey
from ledger.encoding import EncodingReason, Value, pack
from ledger.refusal import Reason, Refused, Text
from ledger.votes import RoundChangeStep, Step, VoteKind

CONTRACT, METHOD = "governance", "record_evidence"
PAGE = 100
_decoder: msgspec.msgpack.Decoder[Vote] = msgspec.msgpack.Decoder(Vote)


class EvidenceReason(Reason):
    NO_NODE = Text("応答するノードがありません: {urls}", "none of these nodes answers: {urls}")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two different signed votes of one node for one step, and whether the chain has them already."""

    first: Vote
    second: Vote
    recorded: bool

    @property
    def evidence_id(self) -> str:
        """The name that governance gives it: one a node, kind of vote, height and round."""
        return f"{self.first.node_id}/{kind_of(self.first)}/{self.first.height}/{self.first.round}"

    def call(self, chain_id: bytes) -> Mapping[str, Value]:
        """The arguments of the call that puts it on the chain."""
        return {
            "node_id": self.first.node_id,
            "kind": kind_of(self.first),
            "first_body": body_of(chain_id, self.first),
            "first_signature": self.first.signature,
            "second_body": body_of(chain_id, self.second),
            "second_signature": self.second.signature,
        }


def kind_of(vote: Vote) -> VoteKind:
    match vote:
        case PrePrepare():
            return "pre-prepare"
        case Prepare():
            return "prepare"
        case Commit():
            return "commit"
        case RoundChange():
            return "round-change"
        case _:
            assert_never(vote)


def body_of(chain_id: bytes, vote: Vote) -> bytes:
    """The bytes that the vote's signature covers, without the domain in front."""
    match vote:
        case RoundChange():
            step = RoundChangeStep(chain_id, vote.height, vote.round, vote.prepared_round, vote.prepared_digest)
            return pack(step)
        case _:
            return pack(Step(chain_id, vote.height, vote.round, vote.digest))


async def conflicts(client: DaichoClient, urls: Sequence[str]) -> list[Conflict]:
    """What the nodes that answer have seen, each conflict once, in the order of nodes and heights.

    `Refused(NO_NODE)` if none of `urls` answers.
    """
    rows: set[tuple[bytes, bytes]] = set()
    answered = False
    for url in urls:
        try:
            rows.update(await client.evidence(url))
            answered = True
        except Unavailable:
            continue
    if not answered:
        raise Refused(EvidenceReason.NO_NODE, urls=", ".join(urls))
    recorded = await _recorded(client)
    found: dict[str, Conflict] = {}
    for first, second in sorted(rows):
        conflict = Conflict(_vote(first), _vote(second), recorded=False)
        name = conflict.evidence_id
        found.setdefault(name, Conflict(conflict.first, conflict.second, recorded=name in recorded))
    return sorted(found.values(), key=lambda c: (c.first.node_id, c.first.height, c.first.round, kind_of(c.first)))


def _vote(raw: bytes) -> Vote:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise Refused(EncodingReason.MALFORMED, detail=str(error)[:200]) from None


async def _recorded(client: DaichoClient) -> set[str]:
    names: set[str] = set()
    after = ""
    while True:
        answer = await client.query(CONTRACT, "evidence", {"after": after, "limit": PAGE})
        page = answer.result if isinstance(answer.result, list) else []
        names.update(str(row["evidence_id"]) for row in page)
        if len(page) < PAGE:
            return names
        after = str(page[-1]["evidence_id"])


async def record(client: DaichoClient, conflict: Conflict, key: SigningKey, account: str) -> Committed:
    """Put a conflict on the chain. `Unavailable` if it is not committed in time."""
    done = await client.submit(client.sign(key, account, CONTRACT, METHOD, conflict.call(client.chain_id)))
    if done is None:
        raise Unavailable("the evidence was taken, but not committed in time: there may be no quorum")
    return done
