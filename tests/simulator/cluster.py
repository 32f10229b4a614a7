"""A cluster on a virtual clock: hosts with the real replica, clients that write, and faults that come and go."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec

from consensus.messages import Commit, Prepare, PrePrepare, Proposal, RoundChange, RoundChangeMessage, Vote
from consensus.state import Config
from contracts.governance import Governance
from edge.mempool import PoolLimits
from edge.replica import Now, Replica
from edge.wire import PeerMessage, decode_message, encode_message
from ledger.chain import Chain
from ledger.contract import ANYBODY, Context, Contract, Result, Runtime, call
from ledger.encoding import Value, encode
from ledger.genesis import Genesis
from ledger.refusal import Refused
from ledger.registry import NODES, OPERATOR, Account, ContractVersion, Node, Organisation, Parameters, RecoveryKeys
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, Transaction, TransactionBody
from ledger.votes import in_sync_payload
from tests.simulator.disk import Disk
from tests.simulator.keys import QuickKey, QuickScheme
from tests.simulator.network import Network

if TYPE_CHECKING:
    from tests.simulator.byzantine import Actor

WALL_MS = 1_800_000_000_000
CODE = "132012"
ACCOUNTS = ("alice", "bob", "carol")
MAX_INBOX = 2_000
MAX_KEYS = 3
"""Of one node."""


class Crash(Exception):
    """The host stops at this very instant."""


class Slips(Contract):
    """The smallest contract: a slip of paper with a number on it."""

    name = "slips"

    @call(roles=[ANYBODY])
    def put(self, ctx: Context, slip: Annotated[int, msgspec.Meta(ge=0)]) -> Result:
        ctx.state.put(b"slips/slip/%d" % slip, ctx.transaction_id)
        ctx.emit("put", [f"slip:{slip}"])
        return None


@dataclass(frozen=True, slots=True)
class Sent:
    """A vote that an honest host has let out, or that has reached one."""

    host: str
    vote: Vote


class Host:
    """A machine with a replica on it: it runs, is down, or is paused."""

    def __init__(self, cluster: Cluster, name: str, node_id: str, key: QuickKey) -> None:
        self.cluster = cluster
        self.name = name
        self.node_id = node_id
        self.keys = [key]
        """All that the node ever had; which of them votes, the chain's state says."""
        self.disk = Disk(self._before, random.Random(f"disk {cluster.seed} {name}"))
        self.actor: Actor | None = None
        self.replica: Replica | None = None
        self.wall_offset_ms = 0
        self.paused = False
        self.fuse: int | None = None
        """After how many more writes and sends the host crashes."""
        self.scheme = QuickScheme(key)
        self.most_kept = 0
        """Of how many rounds the replica has kept votes at once."""
        self._inbox: list[tuple[str, bytes]] = []
        self._wake_at_ms = -1
        self._life = 0

    @property
    def key(self) -> QuickKey:
        """The first key: liars keep theirs."""
        return self.keys[0]

    def add_key(self) -> QuickKey:
        key = QuickKey(f"{self.node_id} {len(self.keys)}")
        self.keys.append(key)
        self.scheme.add(key)
        return key

    @property
    def honest(self) -> bool:
        return self.actor is None

    @property
    def up(self) -> bool:
        return self.replica is not None and not self.paused

    def now(self) -> Now:
        at = self.cluster.now_ms
        return Now(at, WALL_MS + at + self.wall_offset_ms)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.fuse = None
        self.paused = False
        self._inbox.clear()
        self._life += 1
        self._wake_at_ms = -1
        config = Config(self.node_id, self.cluster.genesis.chain_id, self.scheme)
        chain = Chain.open(self.disk.kv, self.cluster.genesis)
        self.replica = Replica(
            config, chain, self.cluster.runtime, self.disk.journal, self, self, pool_limits=PoolLimits(2_000)
        )
        self.cluster.say(self.name, f"starts at height {chain.height}")
        if self.actor is not None:
            self.actor.started(self)
        self._do(lambda replica: replica.start(self.now()))

    def crash(self, why: str = "crashes") -> None:
        if self.replica is None:
            return
        self.cluster.say(self.name, why)
        self.replica = None
        self.paused = False
        self._inbox.clear()
        for other in self.cluster.hosts.values():
            if other.name != self.name:
                self.cluster.at(5, lambda o=other: o.lost(self.node_id))  # type: ignore[misc]

    def pause(self) -> None:
        if self.replica is not None:
            self.cluster.say(self.name, "is paused")
            self.paused = True

    def resume(self) -> None:
        if self.paused:
            self.cluster.say(self.name, "goes on")
            self.paused = False
            inbox, self._inbox = self._inbox, []
            for sender, data in inbox:
                self.receive(sender, data)
            self._do(lambda replica: replica.on_tick(self.now()))

    def lost(self, peer: str) -> None:
        self._do(lambda replica: replica.on_peer_lost(peer, self.now()))

    def _do(self, work: Callable[[Replica], object]) -> object:
        replica = self.replica
        if replica is None or self.paused:
            return None
        try:
            result = work(replica)
        except Crash:
            self.crash("crashes in the middle of its work")
            return None
        if replica.halted is not None and self.replica is replica:
            self.crash(f"halts: {replica.halted.detail}")
            return None
        self._schedule(replica)
        state = replica._state
        self.most_kept = max(self.most_kept, len(state.votes), len(state.round_changes))
        return result

    def _schedule(self, replica: Replica) -> None:
        at_ms = max(replica.next_deadline_ms(), self.cluster.now_ms + 1)
        if self._wake_at_ms <= self.cluster.now_ms or at_ms < self._wake_at_ms:
            self._wake_at_ms = at_ms
            life = self._life
            self.cluster.at(at_ms - self.cluster.now_ms, lambda: self._wake(life, at_ms))

    def _wake(self, life: int, at_ms: int) -> None:
        if life == self._life and at_ms == self._wake_at_ms:
            self._wake_at_ms = -1
            self._do(lambda replica: replica.on_tick(self.now()))

    def _before(self, what: str) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Crash(what)

    # -- messages ------------------------------------------------------------------------------------------------------

    def send(self, peer: str, message: PeerMessage) -> None:
        messages = [message] if self.actor is None else self.actor.sends(self, peer, message)
        for item in messages:
            self._before("send")
            if self.honest:
                self.cluster.note_sent(self, item)
            data = item if isinstance(item, bytes) else encode_message(item)
            for target in self.cluster.hosts_of(peer):
                self.cluster.network.send(
                    self.name,
                    target.name,
                    lambda t=target, d=data: t.receive(self.node_id, d),  # type: ignore[misc]
                )

    def broadcast(self, message: PeerMessage) -> None:
        for peer in self.cluster.node_ids:
            if peer != self.node_id:
                self.send(peer, message)

    def receive(self, sender: str, data: bytes) -> None:
        if self.paused:
            if len(self._inbox) < MAX_INBOX:
                self._inbox.append((sender, data))
            return
        if self.replica is None:
            return
        try:
            message = decode_message(data)
        except Refused:
            return
        if self.honest:
            self.cluster.note_received(self, message)
        if self.actor is not None:
            self.actor.receives(self, sender, message)
        self._do(lambda replica: replica.on_message(sender, message, self.now()))

    # -- what the replica tells ----------------------------------------------------------------------------------------

    def committed(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        names = [t.id.hex()[:6] for t in executed.transactions]
        self.cluster.say(
            self.name, f"commits {executed.height} round {certificate.round} {executed.digest.hex()[:6]} {names}"
        )
        if self.honest:
            self.cluster.acknowledge(self, executed)

    def misbehaved(self, peer: str, what: str) -> None:
        self.cluster.say(self.name, f"blames {peer}: {what}")
        self.cluster.blamed.setdefault(peer, set()).add(what)

    def evidence(self, first: Vote, second: Vote) -> None:
        self.cluster.say(self.name, f"has evidence against {first.node_id}: {type(first).__name__}")
        if self.honest:
            self.cluster.evidence.append((first, second))

    # -- clients -------------------------------------------------------------------------------------------------------

    def submit(self, transaction: Transaction) -> bool:
        """Whether the host has taken it."""
        try:
            return self._do(lambda replica: replica.submit(transaction, self.now())) is not None
        except Refused as refused:
            self.cluster.say(self.name, f"refuses {transaction.id.hex()[:6]}: {refused.reason.code}")
            return False


class Cluster:
    """All hosts, the clock, and what was seen."""

    def __init__(
        self, seed: int, validators: int, observers: int = 0, *, heartbeat_ms: int = 20_000, term_blocks: int = 50
    ) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.now_ms = 0
        self.runtime = Runtime([Governance(), Slips()])
        self.story: list[str] | None = None
        self.digest = hashlib.sha256()
        self.acknowledged: dict[bytes, int] = {}
        self.decided_ms: dict[bytes, int] = {}
        """When an honest host first had a block decided, by the virtual clock."""
        self.submitted: dict[bytes, Transaction] = {}
        self.sent: list[Sent] = []
        self.received: list[Vote] = []
        self._received_ids: set[tuple[str, int, int, str, bytes]] = set()
        self.evidence: list[tuple[Vote, Vote]] = []
        self.blamed: dict[str, set[str]] = {}
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._slips = 0
        self.network = Network(random.Random(seed + 1), self.at)
        names = [f"n{i + 1}" for i in range(validators + observers)]
        self.node_ids = list(names)
        keys = {name: QuickKey(name) for name in names}
        self.genesis = self._genesis(keys, validators, heartbeat_ms, term_blocks)
        self.hosts: dict[str, Host] = {name: Host(self, name, name, keys[name]) for name in names}
        self._hosts_of = {name: [self.hosts[name]] for name in names}

    def _genesis(self, keys: dict[str, QuickKey], validators: int, heartbeat_ms: int, term_blocks: int) -> Genesis:
        accounts = [Account("op", CODE, (OPERATOR,), (QuickKey("op").public_key,), False)]
        accounts += [Account(a, CODE, (), (QuickKey(a).public_key,), False) for a in ACCOUNTS]
        return Genesis(
            "simulated",
            WALL_MS,
            (Organisation(CODE, "八王子市", "Hachioji"),),
            tuple(accounts),
            tuple(
                Node(name, CODE, key.public_key, f"{name}:1", "validator" if i < validators else "observer")
                for i, (name, key) in enumerate(keys.items())
            ),
            Parameters(term_blocks, 200, 262_144, heartbeat_ms),
            (ContractVersion("governance", 1, 0), ContractVersion("slips", 1, 0)),
            RecoveryKeys(0, ()),
        )

    def add_twin(self, node_id: str) -> Host:
        """A second host with the key of the first."""
        original = self.hosts[node_id]
        twin = Host(self, f"{node_id}'", node_id, original.key)
        self.hosts[twin.name] = twin
        self._hosts_of[node_id].append(twin)
        return twin

    def hosts_of(self, node_id: str) -> list[Host]:
        return self._hosts_of[node_id]

    @property
    def honest(self) -> list[Host]:
        return [h for h in self.hosts.values() if h.honest]

    # -- time ----------------------------------------------------------------------------------------------------------

    def at(self, delay_ms: int, work: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + max(0, delay_ms), self._count, work))

    def run_until(self, time_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True as soon as `done`, which is looked at every half second."""
        look_at = self.now_ms
        while self._queue and self._queue[0][0] <= time_ms:
            at_ms, _, work = heapq.heappop(self._queue)
            self.now_ms = at_ms
            if at_ms >= look_at:
                look_at = at_ms + 500
                if done():
                    return True
            work()
        self.now_ms = time_ms
        return done()

    def say(self, who: str, what: str) -> None:
        line = f"{self.now_ms:>8} {who:<4} {what}"
        self.digest.update(line.encode() + b"\n")
        if self.story is not None:
            self.story.append(line)

    # -- what was seen -------------------------------------------------------------------------------------------------

    def note_sent(self, host: Host, message: PeerMessage | bytes) -> None:
        if not isinstance(message, bytes):
            for vote in own_votes(message):
                if vote.node_id == host.node_id:
                    self.sent.append(Sent(host.name, vote))

    def note_received(self, host: Host, message: PeerMessage) -> None:
        for vote in own_votes(message):
            key = (vote.node_id, vote.height, vote.round, type(vote).__name__, vote.signature)
            if key not in self._received_ids:
                self._received_ids.add(key)
                self.received.append(vote)

    def acknowledge(self, host: Host, executed: ExecutedBlock) -> None:
        self.decided_ms.setdefault(executed.digest, self.now_ms)
        for transaction in executed.transactions:
            self.acknowledged.setdefault(transaction.id, executed.height)

    @staticmethod
    def account_key(account: str) -> QuickKey:
        return QuickKey(account)

    # -- writes --------------------------------------------------------------------------------------------------------

    def transaction(
        self, sender: str, contract: str, method: str, lifetime_ms: int, args: dict[str, Value]
    ) -> Transaction:
        key = self.account_key(sender)
        body = TransactionBody(
            self.genesis.chain_id,
            sender,
            key.public_key,
            contract,
            method,
            encode(args),
            self.dice.randbytes(16),
            WALL_MS + self.now_ms + lifetime_ms,
        )
        transaction = Transaction.sign(body, key)
        self.submitted[transaction.id] = transaction
        return transaction

    def write(self, hosts: Sequence[Host], *, lifetime_ms: int = 3_000_000, sender: str = "") -> Transaction:
        """A client writes a slip to these hosts."""
        self._slips += 1
        sender = sender or self.dice.choice(ACCOUNTS)
        transaction = self.transaction(sender, "slips", "put", lifetime_ms, {"slip": self._slips})
        for host in hosts:
            host.submit(transaction)
        return transaction

    def govern(self, hosts: Sequence[Host], method: str, **args: Value) -> Transaction:
        transaction = self.transaction("op", "governance", method, 60_000, args)
        self.say("op", f"{method} {args.get('node_id', '')}")
        for host in hosts:
            host.submit(transaction)
        return transaction

    def admit(
        self, candidate: Host, hosts: Sequence[Host], *, signer: QuickKey | None = None, leaving: str = ""
    ) -> None:
        """The candidate states that it is in sync, and the organisation proposes it (rule 13), perhaps for another.

        With another `signer` the statement is not its own, and must not admit it.
        """
        if candidate.replica is None:
            return
        node = NODES.get(candidate.replica.chain.state, candidate.node_id)
        own = next((k for k in candidate.keys if node is not None and k.public_key == node.public_key), candidate.key)
        arguments = self._in_sync(candidate, signer or own)
        if leaving:
            self.govern(hosts, "propose_replacement", leaving=leaving, **arguments)
        else:
            self.govern(hosts, "propose_validator", **arguments)

    def rotate(self, host: Host, hosts: Sequence[Host]) -> None:
        """A node gets another key without leaving the set."""
        if host.replica is not None and len(host.keys) < MAX_KEYS:
            key = host.add_key()
            self.govern(hosts, "propose_node_key", public_key=key.public_key, **self._in_sync(host, key))

    def _in_sync(self, host: Host, signer: QuickKey) -> dict[str, Value]:
        """A node's statement that it holds the chain up to its head."""
        if host.replica is None:
            raise ValueError(f"{host.name} is down and states nothing")
        head = host.replica.chain.head
        payload = in_sync_payload(self.genesis.chain_id, host.node_id, head.height, head.hash)
        return {
            "node_id": host.node_id,
            "height": head.height,
            "block_hash": head.hash,
            "signature": signer.sign(payload),
        }


def own_votes(message: PeerMessage) -> list[Vote]:
    """The votes that a message is, or carries at its top."""
    match message:
        case Proposal():
            return [message.pre_prepare, *message.round_changes, *message.prepares]
        case RoundChangeMessage():
            return [message.round_change, *message.prepares]
        case Prepare() | Commit():
            return [message]
        case _:
            return []


__all__ = ["Cluster", "Commit", "Crash", "Host", "PrePrepare", "RoundChange", "Sent", "own_votes"]
