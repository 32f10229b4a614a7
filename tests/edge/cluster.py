"""A few replicas in one process: a perfect (or cut) network, journals and stores in memory, a clock that tests move."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec

from consensus.events import PreparedRecord
from consensus.messages import Vote
from consensus.state import Config
from edge.journal import OBSERVE_UNTIL_KNOWN, JournalContents, Record
from edge.mempool import PoolLimits
from edge.replica import Now, Replica
from edge.wire import PeerMessage, decode_message, encode_message
from ledger import crypto
from ledger.chain import Chain
from ledger.contract import ANYBODY, Context, Contract, Runtime, call
from ledger.encoding import Wire, encode
from ledger.genesis import Genesis
from ledger.kv import MemoryKeyValue
from ledger.refusal import Reason, Refused, Text
from ledger.registry import (
    DEFAULT_PARAMETERS,
    Account,
    ContractVersion,
    Node,
    Organisation,
    Parameters,
    RecoveryKeys,
)
from ledger.rules import ExecutedBlock
from ledger.table import Table
from ledger.types import Certificate, Transaction, TransactionBody

START_MS = 1_700_000_000_000
CODE = "131016"


class NoteReason(Reason):
    EMPTY = Text("内容がありません", "a note must say something")


class Note(Wire, frozen=True):
    text: str
    times: int


NOTES = Table("notes", "note", Note)


class Notes(Contract):
    """A contract for tests: it keeps notes, and refuses empty ones."""

    name = "notes"
    reasons = (NoteReason,)

    @call(roles=[ANYBODY])
    def put(self, ctx: Context, note_id: Annotated[str, msgspec.Meta(max_length=40)], text: str) -> None:
        if not text:
            raise Refused(NoteReason.EMPTY)
        before = NOTES.get(ctx.state, note_id)
        NOTES.put(ctx.state, note_id, Note(text, 1 if before is None else before.times + 1))
        ctx.emit("noted", [f"note:{note_id}"], text=text)


class ShoutedNotes(Notes):
    """The same contract with a fault: it writes something else."""

    @call(roles=[ANYBODY])
    def put(self, ctx: Context, note_id: Annotated[str, msgspec.Meta(max_length=40)], text: str) -> None:
        NOTES.put(ctx.state, note_id, Note(text.upper(), 1))
        ctx.emit("noted", [f"note:{note_id}"], text=text)


class KeyScheme:
    def __init__(self, key: crypto.SigningKey) -> None:
        self._key = key

    def sign(self, public_key: bytes, payload: bytes) -> bytes | None:
        return self._key.sign(payload) if public_key == self._key.public_key else None

    def verify(self, public_key: bytes, payload: bytes, signature: bytes) -> bool:
        return crypto.verify(public_key, payload, signature)


class MemoryJournal:
    """A journal that survives a restart of its replica."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.observe = 0
        self.fails: OSError | None = None

    def load(self) -> JournalContents:
        votes: list[Vote] = []
        prepared: PreparedRecord | None = None
        for record in self.records:
            if isinstance(record, PreparedRecord):
                prepared = record
            else:
                votes.append(record)
        return JournalContents(tuple(votes), prepared, self.observe)

    def append(self, records: Sequence[Record]) -> None:
        if self.fails is not None:
            raise self.fails
        self.records.extend(records)

    def prune(self, height: int) -> None:
        self.records = [r for r in self.records if r.height > height]

    def observe_through(self, height: int) -> None:
        self.observe = height

    def lose(self) -> None:
        """What remains of a journal whose disk is gone."""
        self.records.clear()
        self.observe = OBSERVE_UNTIL_KNOWN


def signing_key(name: str) -> crypto.SigningKey:
    return crypto.SigningKey(crypto.sha256(name.encode()))


def node_ids(count: int) -> list[str]:
    return [f"node-{i + 1}" for i in range(count)]


def make_genesis(
    validators: int, *, observers: int = 0, accounts: int = 3, parameters: Parameters = DEFAULT_PARAMETERS
) -> Genesis:
    nodes = [
        Node(
            node_id,
            CODE,
            signing_key(node_id).public_key,
            f"127.0.0.1:{4000 + i}",
            "validator" if i < validators else "observer",
        )
        for i, node_id in enumerate(node_ids(validators + observers))
    ]
    return Genesis(
        network="test",
        time_ms=START_MS,
        organisations=(Organisation(CODE, "千代田区", "Chiyoda"),),
        accounts=tuple(
            Account(f"account-{i}", CODE, ("operator",), (signing_key(f"account-{i}").public_key,), False)
            for i in range(accounts)
        ),
        nodes=tuple(nodes),
        parameters=parameters,
        contracts=(ContractVersion("notes", 1, 1),),
        recovery=RecoveryKeys(1, (signing_key("recovery").public_key,)),
    )


_nonces = itertools.count(1)


def note(
    genesis: Genesis,
    text: str = "hello",
    *,
    note_id: str = "a",
    account: str = "account-0",
    key: crypto.SigningKey | None = None,
    expires_at_ms: int = START_MS + 600_000,
    chain_id: bytes | None = None,
) -> Transaction:
    key = key or signing_key(account)
    body = TransactionBody(
        chain_id=chain_id or genesis.chain_id,
        sender=account,
        public_key=key.public_key,
        contract="notes",
        method="put",
        args=encode({"note_id": note_id, "text": text}),
        nonce=next(_nonces).to_bytes(16, "big"),
        expires_at_ms=expires_at_ms,
    )
    return Transaction.sign(body, key)


@dataclass
class Heard:
    """What a replica's listener was told."""

    committed: list[tuple[ExecutedBlock, Certificate]] = field(default_factory=list)
    misbehaved: list[tuple[str, str]] = field(default_factory=list)
    evidence: list[tuple[Vote, Vote]] = field(default_factory=list)


class Member:
    """One node: what survives a restart, and the replica that runs on it."""

    def __init__(self, cluster: Cluster, node_id: str) -> None:
        self.cluster = cluster
        self.node_id = node_id
        self.kv = MemoryKeyValue()
        self.journal = MemoryJournal()
        self.heard = Heard()
        self.runtime = Runtime([Notes()])
        self.pool_limits: PoolLimits | None = None
        self.up = False
        self.replica: Replica = self._build()

    def _build(self) -> Replica:
        chain = Chain.open(self.kv, self.cluster.genesis)
        config = Config(self.node_id, chain.chain_id, KeyScheme(signing_key(self.node_id)))
        return Replica(config, chain, self.runtime, self.journal, self, self, pool_limits=self.pool_limits)

    def start(self) -> None:
        self.replica = self._build()
        self.up = True
        self.replica.start(self.cluster.now)

    def crash(self) -> None:
        self.up = False
        self.cluster.drop_in_flight(self.node_id)

    @property
    def height(self) -> int:
        return self.replica.chain.height

    # -- Network ---------------------------------------------------------------------------------------------------

    def send(self, peer: str, message: PeerMessage) -> None:
        self.cluster.carry(self.node_id, peer, message)

    def broadcast(self, message: PeerMessage) -> None:
        for peer in self.cluster.members:
            if peer != self.node_id:
                self.cluster.carry(self.node_id, peer, message)

    # -- Listener --------------------------------------------------------------------------------------------------

    def committed(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        self.heard.committed.append((executed, certificate))

    def misbehaved(self, peer: str, what: str) -> None:
        self.heard.misbehaved.append((peer, what))

    def evidence(self, first: Vote, second: Vote) -> None:
        self.heard.evidence.append((first, second))


class Cluster:
    def __init__(self, genesis: Genesis, *, started: bool = True) -> None:
        self.genesis = genesis
        self.now = Now(1_000, START_MS + 1_000)
        self.sent: list[tuple[str, str, PeerMessage]] = []
        self._in_flight: deque[tuple[str, str, bytes]] = deque()
        self.passes: Callable[[str, str, PeerMessage], bool] = lambda sender, to, message: True
        self.members: dict[str, Member] = {}
        for node in genesis.nodes:
            self.members[node.node_id] = Member(self, node.node_id)
        if started:
            for member in self.members.values():
                member.start()
            self.settle()

    def __getitem__(self, index: int) -> Member:
        return list(self.members.values())[index]

    def carry(self, sender: str, to: str, message: PeerMessage) -> None:
        self.sent.append((sender, to, message))
        if self.members[sender].up and self.members[to].up and self.passes(sender, to, message):
            self._in_flight.append((sender, to, encode_message(message)))

    def drop_in_flight(self, node_id: str) -> None:
        self._in_flight = deque(f for f in self._in_flight if node_id not in f[:2])

    def settle(self) -> None:
        """Deliver everything that is on its way, and what that brings forth."""
        for _ in range(100_000):
            if not self._in_flight:
                return
            sender, to, frame = self._in_flight.popleft()
            if self.members[to].up:
                self.members[to].replica.on_message(sender, decode_message(frame), self.now)
        raise AssertionError("the network never falls silent")

    def run(self, ms: int, *, step_ms: int = 10) -> None:
        """Let time pass, waking each replica when it asks to be woken."""
        end_ms = self.now.monotonic_ms + ms
        while self.now.monotonic_ms < end_ms:
            self.now = replace(
                self.now, monotonic_ms=self.now.monotonic_ms + step_ms, wall_ms=self.now.wall_ms + step_ms
            )
            for member in self.members.values():
                if member.up and member.replica.next_deadline_ms() <= self.now.monotonic_ms:
                    member.replica.on_tick(self.now)
            self.settle()

    def run_until(self, condition: Callable[[], bool], within_ms: int = 20_000) -> None:
        for _ in range(within_ms // 10):
            if condition():
                return
            self.run(10)
        raise AssertionError(f"not within {within_ms} ms; heights {self.heights}")

    @property
    def heights(self) -> Mapping[str, int]:
        return {i: m.height for i, m in self.members.items()}

    def submit(self, member: Member, transaction: Transaction) -> None:
        member.replica.submit(transaction, self.now)
        self.settle()

    def agree(self) -> None:
        """All that are up stand at the same head."""
        heads = {m.replica.chain.head.hash for m in self.members.values() if m.up}
        assert len(heads) == 1, self.heights

    def lose(self, gone: Member) -> None:
        """Crash a member and let the others notice that its connection has gone."""
        gone.crash()
        for member in self.members.values():
            if member.up:
                member.replica.on_peer_lost(gone.node_id, self.now)
        self.settle()
