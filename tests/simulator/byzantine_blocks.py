"""Liars whose lies are in blocks, certificates and heights: what the ledger's rules and sync must turn away."""

from __future__ import annotations

import random

import msgspec

from consensus.messages import Commit, Decided, Prepare, PrePrepare, Proposal, RoundChangeMessage
from edge.wire import Blocks, CertifiedBlock, PeerMessage, Status
from ledger import merkle, rules
from ledger.encoding import pack, unpack
from ledger.types import Block, Certificate, Header, Transaction
from ledger.votes import pre_prepare_payload
from tests.simulator.byzantine import Liar, Out, vote_for
from tests.simulator.cluster import WALL_MS, Host

HOUR_MS = 3_600_000


class BadBlocks(Liar):
    """Leads with blocks that break a rule of the ledger, rightly hashed and signed, and votes for them."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        self._bad: dict[tuple[int, int], Proposal | None] = {}

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if isinstance(message, Proposal) and not message.prepares:
            key = (message.pre_prepare.height, message.pre_prepare.round)
            if key not in self._bad:
                self._bad[key] = self._spoil(host, message) if self.dice.random() < 0.5 else None
            return [self._bad[key] or message]
        if isinstance(message, Prepare | Commit):
            bad = self._bad.get((message.height, message.round))
            return [message if bad is None else vote_for(host, message, bad.pre_prepare.digest)]
        return [message]

    def _spoil(self, host: Host, message: Proposal) -> Proposal | None:
        block = unpack(Block, message.block)
        header, transactions = block.header, block.transactions
        match self.dice.randrange(7):
            case 0:
                transactions = (*transactions, self._expired(host))
            case 1:
                transactions = (*transactions, *transactions[-1:])
            case 2:
                transactions = (*transactions, self._committed_before(host, header.height) or b"\x00")
            case 3:
                transactions = (*transactions, self._forged(host))
            case 4:
                header = msgspec.structs.replace(header, state_root=self.dice.randbytes(32))
            case 5:
                header = msgspec.structs.replace(header, time_ms=header.time_ms + 2 * HOUR_MS)
            case _:
                header = msgspec.structs.replace(header, next_validators_hash=self.dice.randbytes(32))
        return self._propose(host, message, header, transactions)

    def _propose(
        self, host: Host, message: Proposal, header: Header, transactions: tuple[bytes, ...]
    ) -> Proposal | None:
        """The block with everything else as right as it can be made."""
        replica = host.replica
        if replica is None or replica.chain.height + 1 != header.height:
            return None
        header = msgspec.structs.replace(
            header, transaction_count=len(transactions), transactions_root=merkle.root(transactions)
        )
        step = message.pre_prepare
        payload = pre_prepare_payload(header.chain_id, step.height, step.round, header.hash)
        signed = PrePrepare(step.height, step.round, header.hash, host.node_id, host.key.sign(payload))
        return Proposal(signed, pack(Block(header, transactions)), message.round_changes, ())

    def _expired(self, host: Host) -> bytes:
        cluster = host.cluster
        dead = [t for t in cluster.submitted.values() if t.body.expires_at_ms <= WALL_MS + cluster.now_ms]
        return dead[self.dice.randrange(len(dead))].raw if dead else b"\x00"

    def _committed_before(self, host: Host, height: int) -> bytes | None:
        replica = host.replica
        block = None if replica is None else replica.chain.block(self.dice.randrange(max(1, height)))
        return block.transactions[0] if block is not None and block.transactions else None

    def _forged(self, host: Host) -> bytes:
        """Somebody's transaction with another number in it and the signature of the old one."""
        for transaction in list(host.cluster.submitted.values())[-20:]:
            body = msgspec.structs.replace(transaction.body, nonce=self.dice.randbytes(16))
            other = Transaction.sign(body, host.cluster.account_key(body.sender))
            raw = bytearray(other.raw)
            raw[-64:] = transaction.signature
            return bytes(raw)
        return b"\x00"


class Withholder(Liar):
    """Sends what it should, but of each message only some get to see it: a decision may stand with one node alone."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        share = {Proposal: 0.7, Commit: 0.4, Prepare: 0.6, RoundChangeMessage: 0.5}.get(type(message))
        return [message] if share is None or self.dice.random() < share else []


class Boaster(Liar):
    """Says that it stands far ahead, and has nothing, half certificates or others' blocks to show for it."""

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        if isinstance(message, Status) and self.dice.random() < 0.7:
            ahead = self.dice.choice((1, 2, 50, 2**40))
            return [Status(message.height + ahead, self.dice.randbytes(32), self.dice.randrange(2**20))]
        if isinstance(message, Blocks):
            return [self._twist(message)] if self.dice.random() < 0.7 else []
        if isinstance(message, Decided):
            item = self._thin(CertifiedBlock(message.block, pack(message.certificate)))
            return [Decided(item.block, unpack(Certificate, item.certificate))]
        return [message]

    def _twist(self, message: Blocks) -> Blocks:
        items = list(message.items)
        if not items:
            return message
        at = self.dice.randrange(len(items))
        match self.dice.randrange(4):
            case 0:
                items[at] = self._thin(items[at])
            case 1:
                items.reverse()
            case 2:
                block = unpack(Block, items[at].block)
                items[at] = CertifiedBlock(pack(Block(block.header, block.transactions[1:])), items[at].certificate)
            case _:
                items = items[:at]
        return Blocks(tuple(items))

    @staticmethod
    def _thin(item: CertifiedBlock) -> CertifiedBlock:
        """One seal, as often as a quorum would be."""
        certificate = unpack(Certificate, item.certificate)
        seals = certificate.seals[:1] * len(certificate.seals)
        return CertifiedBlock(item.block, pack(msgspec.structs.replace(certificate, seals=seals)))


class Hider(Liar):
    """Leading a later round, it leaves out the ROUND-CHANGEs that tell of a prepared block, and proposes another."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        self._heard: dict[tuple[int, int], dict[str, RoundChangeMessage]] = {}

    def receives(self, host: Host, sender: str, message: PeerMessage) -> None:
        if isinstance(message, RoundChangeMessage):
            change = message.round_change
            self._heard.setdefault((change.height, change.round), {})[change.node_id] = message

    def sends(self, host: Host, peer: str, message: PeerMessage) -> list[Out]:
        replica = host.replica
        if not isinstance(message, Proposal) or not message.prepares or replica is None:
            return [message]
        step = message.pre_prepare
        heard = self._heard.get((step.height, step.round), {})
        changes = [m.round_change for _, m in sorted(heard.items()) if m.round_change.prepared_round is None]
        changes += [c for c in message.round_changes if c.prepared_round is not None]
        block = rules.build_block(
            replica.chain, replica.runtime, [], time_ms=host.now().wall_ms + 3, proposer=host.node_id
        )
        if block.height != step.height:
            return [message]
        payload = pre_prepare_payload(host.cluster.genesis.chain_id, step.height, step.round, block.digest)
        signed = PrePrepare(step.height, step.round, block.digest, host.node_id, host.key.sign(payload))
        quorum = len(message.round_changes)
        # With their proofs left out, then with the wrong proof.
        return [
            Proposal(signed, block.raw, tuple(changes[:quorum]), ()),
            Proposal(signed, block.raw, tuple(changes[:quorum]), message.prepares),
        ]
