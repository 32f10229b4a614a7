"""Actors that lie. Each runs the real replica with its own key and twists what leaves it; none can sign for others."""

from __future__ import annotations

import random
from typing import Protocol

import msgspec

from consensus.messages import Commit, Decided, Message, Prepare, PrePrepare, Proposal, RoundChange, RoundChangeMessage
from edge.wire import PeerMessage, encode_message
from ledger import rules
from ledger.encoding import pack, unpack
from ledger.types import Block, Certificate, Seal, Transaction
from ledger.votes import commit_payload, pre_prepare_payload, prepare_payload, round_change_payload
from tests.simulator.cluster import ACCOUNTS, Host

Out = PeerMessage | bytes


class Actor(Protocol):
    """`sends` says what really goes to `peer` in place of `message`."""

    def started(self, host: Host) -> None: ...

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]: ...

    def receives(self, host: Host, sender: str, message: PeerMessage) -> None: ...


class Liar:
    """Base: lies about nothing."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def started(self, host: Host) -> None:
        pass

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        return [message]

    def receives(self, host: Host, sender: str, message: PeerMessage) -> None:
        pass


class Faithful(Liar):
    """Does nothing wrong by itself: on two hosts with one key it is a twin."""


class Equivocator(Liar):
    """Proposes one block to some and another to the others, and gives each side the votes for its own.

    Equivocators that share `proposals` collude: each votes for both blocks of the other.
    """

    def __init__(
        self, dice: random.Random, proposals: dict[tuple[int, int], tuple[bytes, Proposal]] | None = None
    ) -> None:
        super().__init__(dice)
        self._proposals = {} if proposals is None else proposals

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        other_side = sum(map(ord, peer)) % 2 == 1
        if isinstance(message, Proposal):
            self._make_second(host, message)
            two = self._proposals.get((message.pre_prepare.height, message.pre_prepare.round))
            return [two[1]] if two is not None and other_side else [message]
        if isinstance(message, Prepare | Commit):
            two = self._proposals.get((message.height, message.round))
            if two is not None:
                return [vote_for(host, message, two[1].pre_prepare.digest if other_side else two[0])]
        return [message]

    def _make_second(self, host: Host, message: Proposal) -> None:
        pre_prepare = message.pre_prepare
        key = (pre_prepare.height, pre_prepare.round)
        replica = host.replica
        if key in self._proposals or replica is None or message.prepares:
            return
        at_ms = host.now().wall_ms + 1
        block = rules.build_block(replica.chain, replica.runtime, [], time_ms=at_ms, proposer=host.node_id)
        if block.height == pre_prepare.height:
            payload = pre_prepare_payload(host.cluster.genesis.chain_id, *key, block.digest)
            signed = PrePrepare(*key, block.digest, host.node_id, host.key.sign(payload))
            self._proposals[key] = (pre_prepare.digest, Proposal(signed, block.raw, message.round_changes, ()))


class SilentLeader(Liar):
    """Takes part in everything and never proposes."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        return [] if isinstance(message, Proposal) else [message]


class Censor(Liar):
    """Leads well, and never takes one account's transactions into a block."""

    def started(self, host: Host) -> None:
        if host.replica is None:
            return
        pool = host.replica.pool
        add = pool.add

        def without_one(transaction: Transaction, now_ms: int) -> bool:
            return transaction.body.sender != ACCOUNTS[0] and add(transaction, now_ms)

        pool.add = without_one  # type: ignore[method-assign]


class DoubleVoter(Liar):
    """Signs a second, different vote for every step and gives each to some."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if isinstance(message, Prepare | Commit) and self.dice.random() < 0.5:
            return [message, vote_for(host, message, self.dice.randbytes(32))]
        return [message]


class PreparedLiar(Liar):
    """Hides what it has prepared, or claims what it has not."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if not isinstance(message, RoundChangeMessage):
            return [message]
        change = message.round_change
        claim = None if self.dice.random() < 0.5 or change.round < 1 else (change.round - 1, self.dice.randbytes(32))
        prepared_round, digest = claim if claim is not None else (None, None)
        payload = round_change_payload(
            host.cluster.genesis.chain_id, change.height, change.round, prepared_round, digest
        )
        lie = RoundChange(change.height, change.round, prepared_round, digest, host.node_id, host.key.sign(payload))
        return [RoundChangeMessage(lie, None if claim is None else b"\x00", () if claim is None else message.prepares)]


class Forger(Liar):
    """Answers with certificates of its own making and plays old messages again."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        self._heard: list[Message] = []

    def receives(self, host: Host, sender: str, message: PeerMessage) -> None:
        if isinstance(message, Prepare | Commit | Proposal | RoundChangeMessage):
            self._heard = [*self._heard[-49:], message]

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        out: list[Out] = [message]
        if self._heard and self.dice.random() < 0.3:
            out.append(self.dice.choice(self._heard))
        if isinstance(message, Proposal):
            out.append(self._forged(host, message))
        return out

    def _forged(self, host: Host, message: Proposal) -> Decided:
        height, digest = message.pre_prepare.height, message.pre_prepare.digest
        payload = commit_payload(host.cluster.genesis.chain_id, height, 0, digest)
        mine = host.key.sign(payload)
        seals = tuple(Seal(n, mine) for n in host.cluster.node_ids)
        block = unpack(Block, message.block)
        empty = Block(block.header, ())
        return Decided(pack(empty), Certificate(height, 0, digest, seals))


class Padder(Liar):
    """Where it would lead a later round, it justifies a fresh block with its own ROUND-CHANGE, over and over."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        replica = host.replica
        if not isinstance(message, RoundChangeMessage) or replica is None:
            return [message]
        change = message.round_change
        chain_id = host.cluster.genesis.chain_id
        unprepared = RoundChange(
            change.height,
            change.round,
            None,
            None,
            host.node_id,
            host.key.sign(round_change_payload(chain_id, change.height, change.round, None, None)),
        )
        block = rules.build_block(
            replica.chain, replica.runtime, [], time_ms=host.now().wall_ms + 2, proposer=host.node_id
        )
        payload = pre_prepare_payload(chain_id, change.height, change.round, block.digest)
        signed = PrePrepare(change.height, change.round, block.digest, host.node_id, host.key.sign(payload))
        return [message, Proposal(signed, block.raw, (unprepared,) * len(replica.chain.validators), ())]


class Flooder(Liar):
    """Sends votes for heights and rounds far ahead, many of each."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if not isinstance(message, Prepare | Commit) or self.dice.random() < 0.5:
            return [message]
        out: list[Out] = [message]
        for _ in range(60 if self.dice.random() < 0.05 else 5):
            height = message.height + self.dice.randint(0, 3)
            round_ = self.dice.randint(0, 2**30)
            moved = msgspec.structs.replace(message, height=height, round=round_)
            out.append(vote_for(host, moved, self.dice.randbytes(32)))
            payload = round_change_payload(host.cluster.genesis.chain_id, height, round_, None, None)
            change = RoundChange(height, round_, None, None, host.node_id, host.key.sign(payload))
            out.append(RoundChangeMessage(change, None, ()))
        return out


class Scrambler(Liar):
    """Flips bytes in what it sends."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if self.dice.random() < 0.5:
            return [message]
        data = bytearray(encode_message(message))
        for _ in range(self.dice.randint(1, 3)):
            data[self.dice.randrange(len(data))] ^= self.dice.randint(1, 255)
        return [bytes(data)]


def vote_for(host: Host, vote: Prepare | Commit, digest: bytes) -> Prepare | Commit:
    """The liar's own vote for another digest."""
    chain_id = host.cluster.genesis.chain_id
    payload = prepare_payload if isinstance(vote, Prepare) else commit_payload
    signature = host.key.sign(payload(chain_id, vote.height, vote.round, digest))
    return msgspec.structs.replace(vote, digest=digest, node_id=host.node_id, signature=signature)
