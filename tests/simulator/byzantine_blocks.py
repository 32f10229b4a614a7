"""Liars whose lies are in blocks, certificates and heights: what the ledger's rules and sync must turn away."""

from __future__ import annotations

import random
from collections.abc import Callable
from unittest import mock

import msgspec

from consensus.messages import Commit, Decided, Prepare, PrePrepare, Proposal, RoundChangeMessage
from edge.wire import Blocks, CertifiedBlock, PeerMessage, Status
from ledger import merkle, rules
from ledger.encoding import pack, unpack
from ledger.kv import Reader
from ledger.refusal import Refused
from ledger.registry import ACCOUNTS, Account
from ledger.types import Block, Certificate, Header, SignedTransaction, Transaction, TransactionReason
from ledger.votes import pre_prepare_payload
from tests.simulator.byzantine import Liar, Out, vote_for
from tests.simulator.cluster import WALL_MS, Host

AHEAD_MS = 20_000
"""Further than a clock may be off, and within the life of most transactions."""


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
        replica = host.replica
        block = unpack(Block, message.block)
        if replica is None or replica.chain.height + 1 != block.header.height:
            return None
        header, transactions = block.header, block.transactions
        match self.dice.randrange(7):
            case 0:
                return self._sign(host, message, self._executed(host, header, transactions, self._expired(host)))
            case 1:
                return self._sign(host, message, self._executed(host, header, transactions, self._old(host, header)))
            case 2:
                return self._sign(host, message, self._executed(host, header, transactions, self._forged(host)))
            case 3:
                transactions = (*transactions, *transactions[-1:])
            case 4:
                header = msgspec.structs.replace(header, state_root=self.dice.randbytes(32))
            case 5:
                header = msgspec.structs.replace(header, time_ms=header.time_ms + AHEAD_MS)
            case _:
                header = msgspec.structs.replace(header, next_validators_hash=self.dice.randbytes(32))
        header = msgspec.structs.replace(
            header, transaction_count=len(transactions), transactions_root=merkle.root(transactions)
        )
        return self._sign(host, message, Block(header, transactions))

    @staticmethod
    def _executed(host: Host, header: Header, transactions: tuple[bytes, ...], bad: bytes | None) -> Block | None:
        """A block with a transaction that may not stand in it, and with all roots as if it might."""
        if bad is None or host.replica is None:
            return None
        candidates = [Transaction.parse(raw) for raw in (*transactions, bad)]
        with mock.patch.object(rules, "check_transaction", _admit_anything):
            return rules.build_block(
                host.replica.chain, host.replica.runtime, candidates, time_ms=header.time_ms, proposer=host.node_id
            ).block

    @staticmethod
    def _sign(host: Host, message: Proposal, block: Block | None) -> Proposal | None:
        if block is None:
            return None
        step = message.pre_prepare
        digest = block.header.hash
        payload = pre_prepare_payload(block.header.chain_id, step.height, step.round, digest)
        signed = PrePrepare(step.height, step.round, digest, host.node_id, host.key.sign(payload))
        return Proposal(signed, pack(block), message.round_changes, ())

    def _expired(self, host: Host) -> bytes | None:
        cluster = host.cluster
        dead = [t for t in cluster.submitted.values() if t.body.expires_at_ms <= WALL_MS + cluster.now_ms]
        return self.dice.choice(dead).raw if dead else None

    def _old(self, host: Host, header: Header) -> bytes | None:
        """One that is committed already."""
        replica = host.replica
        block = None if replica is None else replica.chain.block(self.dice.randrange(header.height))
        return block.transactions[0] if block is not None and block.transactions else None

    def _forged(self, host: Host) -> bytes | None:
        """Somebody's transaction with another nonce and the signature of the old one."""
        for transaction in list(host.cluster.submitted.values())[-1:]:
            body = msgspec.structs.replace(transaction.body, nonce=self.dice.randbytes(16))
            return pack(SignedTransaction(pack(body), transaction.signature))
        return None


def _admit_anything(
    chain_id: bytes, state: Reader, height_of: Callable[[bytes], int | None], transaction: Transaction, now_ms: int
) -> Account:
    del chain_id, height_of, now_ms
    account = ACCOUNTS.get(state, transaction.body.sender)
    if account is None:
        raise Refused(TransactionReason.UNKNOWN_ACCOUNT, account=transaction.body.sender)
    return account


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
