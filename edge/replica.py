"""The replica: consensus core, ledger, pool, sync and journal as one synchronous, deterministic machine.

It knows no event loop, socket or clock: what happens is told to it with the time, what leaves goes through ports. The
node drives it from asyncio (`edge/runtime.py`), the simulator drives clusters of it on virtual networks and disks.
Effects are performed strictly in order; a vote is on disk before it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from consensus import core
from consensus.effects import (
    Broadcast,
    BuildBlock,
    CheckBlock,
    Deliver,
    Effect,
    FallBehind,
    Misbehaved,
    PersistPrepared,
    PersistVote,
    RecordEvidence,
    Send,
    SendDecided,
    SetTimer,
)
from consensus.events import (
    Advanced,
    BlockBuilt,
    BlockChecked,
    Event,
    PeerLost,
    PreparedRecord,
    Received,
    Restarted,
    Tick,
    WorkPending,
)
from consensus.messages import Commit, Decided, Prepare, Proposal, RoundChangeMessage, Vote
from consensus.quorum import proposer
from consensus.state import Config, State
from edge.execution import Executor
from edge.journal import OBSERVE_UNTIL_KNOWN, Journal, Record
from edge.mempool import Mempool, PoolLimits
from edge.observation import Observation
from edge.replica_ports import Halt, Listener, Network, Now, Refusal, ReplicaReason, Submitted
from edge.sync import Sync, blocks_from
from edge.wire import (
    MAX_GOSSIP,
    MAX_SYNC_BLOCKS,
    Blocks,
    GetBlocks,
    PeerMessage,
    Status,
    Transactions,
)
from ledger import registry, rules
from ledger.chain import Chain, header_of
from ledger.contract import MissingContractVersion, Runtime
from ledger.encoding import pack, unpack
from ledger.refusal import BrokenInvariant, Refused
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, Transaction, TransactionReason

__all__ = ["Halt", "Listener", "Network", "Now", "Refusal", "Replica", "ReplicaReason", "Submitted"]

STATUS_EVERY_MS = 1_000
GOSSIP_AGAIN_MS = 1_000
GOSSIP_AGAIN_LIMIT = 500
EXPIRE_EVERY_MS = 1_000


class Replica:
    def __init__(
        self,
        config: Config,
        chain: Chain,
        runtime: Runtime,
        journal: Journal,
        network: Network,
        listener: Listener,
        *,
        pool_limits: PoolLimits | None = None,
        is_signed: Callable[[Transaction], bool] = Transaction.is_signed,
    ) -> None:
        self.config = config
        self.chain = chain
        self.runtime = runtime
        self.pool = Mempool(pool_limits)
        self.sync = Sync()
        self.halted: Halt | None = None
        self.last_refusal: Refusal | None = None
        self._journal = journal
        self._network = network
        self._listener = listener
        self._is_signed = is_signed
        self._executor = Executor(chain, runtime, self.pool, is_signed)
        self._state: State = core.initial(config, chain.head, chain.validators)
        self._events: deque[Event] = deque()
        self._running = False
        self._gossip: list[bytes] = []
        self._timer_ms: int | None = None
        self._next_status_ms = 0
        self._next_expiry_ms = 0
        self._told_work: tuple[int | None, int] = (None, 0)
        self._observation = Observation()
        self._now = Now(0, 0)

    # -- what happens to it --------------------------------------------------------------------------------------------

    def start(self, now: Now) -> None:
        """Take up where the disk says: the head, and the votes in the journal (rule 8)."""
        self._now = now
        contents = self._journal.load()
        self._check_contracts()
        self._restart(contents.votes, contents.prepared, contents.observe_through_height)
        self._observe()
        self.on_tick(now)

    def on_tick(self, now: Now) -> None:
        """Time has passed."""
        self._now = now
        if now.monotonic_ms >= self._next_expiry_ms:
            self._next_expiry_ms = now.monotonic_ms + EXPIRE_EVERY_MS
            self.pool.expire(now.wall_ms)
        if now.monotonic_ms >= self._next_status_ms:
            self._next_status_ms = now.monotonic_ms + STATUS_EVERY_MS
            self._network.broadcast(self.status())
            again = self.pool.to_gossip_again(now.monotonic_ms, GOSSIP_AGAIN_MS, GOSSIP_AGAIN_LIMIT)
            if again:
                self._network.broadcast(Transactions(tuple(again)))
        if self._timer_ms is not None and now.monotonic_ms >= self._timer_ms:
            self._timer_ms = None
            self._feed(Tick(now.monotonic_ms))
        self._tell_work()
        self._ask_for_blocks()

    def on_message(self, sender: str, message: PeerMessage, now: Now) -> None:
        """A message from an authenticated peer."""
        self._now = now
        match message:
            case Transactions():
                self._on_gossip(sender, message)
            case Status():
                self._on_status(sender, message)
            case GetBlocks():
                if self.sync.may_serve(sender, now.monotonic_ms):
                    self._network.send(sender, blocks_from(self.chain, message))
                else:
                    self._listener.misbehaved(sender, "asks for blocks without end")
            case Blocks():
                self._on_blocks(sender, message)
            case Decided():
                self._on_decided(sender, message)
            case Proposal() | Prepare() | Commit() | RoundChangeMessage():
                self._feed(Received(now.monotonic_ms, sender, message))
                self._tell_work()
            case _:
                assert_never(message)
        self._ask_for_blocks()

    def on_peer_connected(self, peer: str, now: Now) -> None:
        """There is a connection to a peer: it is told at once where this node stands."""
        self._now = now
        self._network.send(peer, self.status())

    def on_peer_lost(self, peer: str, now: Now) -> None:
        """The connection to a peer has gone."""
        self._now = now
        self.sync.peer_gone(peer)
        self._feed(PeerLost(now.monotonic_ms, peer))

    def submit(self, transaction: Transaction, now: Now, *, verified: bool = False) -> Submitted:
        """Take a client's transaction. `Refused` names why not; the same bytes twice are the same submission.

        `verified`: the caller has checked the signature (`Transaction.is_signed`) already.
        """
        answer = self.submit_many([transaction], now, verified=verified)[0]
        if isinstance(answer, Refused):
            raise answer
        return answer

    def submit_many(
        self, transactions: Sequence[Transaction], now: Now, *, verified: bool = False
    ) -> list[Submitted | Refused]:
        """Several at once: one gossip message, one look at what there is to propose."""
        self._now = now
        answers: list[Submitted | Refused] = []
        for transaction in transactions:
            try:
                answers.append(self._take(transaction, verified=verified))
            except Refused as refused:
                answers.append(refused)
        self._flush_gossip()
        self._tell_work()
        return answers

    def check(self, transaction: Transaction, now: Now) -> None:
        """`Refused` if the transaction would not be taken, but for its signature and the room in the pool."""
        self._now = now
        if self.halted is not None:
            raise Refused(ReplicaReason.HALTED, detail=self.halted.detail)
        self._check(transaction)

    def take_gossip(self, transactions: Iterable[Transaction], now: Now) -> None:
        """Transactions from peers whose signatures the caller has checked."""
        self._now = now
        for transaction in transactions:
            try:
                self._take_gossiped(transaction)
            except Refused:
                # Full, committed, or not admissible here and now: honest peers send such things too.
                continue
        self._tell_work()

    def _take(self, transaction: Transaction, *, verified: bool) -> Submitted:
        if self.halted is not None:
            raise Refused(ReplicaReason.HALTED, detail=self.halted.detail)
        if self.chain.height_of(transaction.id) is not None:
            return Submitted("committed", transaction.id)
        if self.pool.get(transaction.id) is None:
            self._check(transaction)
            if not verified and not self._is_signed(transaction):
                raise Refused(TransactionReason.BAD_SIGNATURE)
            self.pool.add(transaction, self._now.monotonic_ms)
            self._gossip.append(transaction.raw)
        return Submitted("accepted", transaction.id)

    def _check(self, transaction: Transaction) -> None:
        chain = self.chain
        # No block's time is before its parent's: what has expired by then is dead, whatever the clock here says.
        time_ms = max(self._now.wall_ms, chain.head.time_ms)
        rules.check_transaction(chain.chain_id, chain.state, chain.height_of, transaction, time_ms)

    def next_deadline_ms(self) -> int:
        """When `on_tick` should be called at the latest, by the monotonic clock."""
        if self.stopped():
            return self._next_status_ms
        times = [self._next_status_ms]
        if self._timer_ms is not None:
            times.append(self._timer_ms)
        sync_ms = self.sync.next_deadline_ms(self.chain.height)
        if sync_ms is not None:
            times.append(sync_ms)
        return min(times)

    # -- what it shows -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        return Status(self.chain.height, self.chain.head.hash, self._state.round)

    def stopped(self) -> bool:
        return self.halted is not None

    @property
    def round(self) -> int:
        return self._state.round

    @property
    def leader(self) -> str:
        """Who is expected to propose in the current round."""
        return proposer(self._state, self._state.round)

    @property
    def votes(self) -> bool:
        """Whether this node takes part in the vote at the current height."""
        return not self.stopped() and self._state.me is not None

    @property
    def observe_through_height(self) -> int:
        return self._state.observe_through_height

    # -- the core ------------------------------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        """One event, and whatever answers its effects bring forth, in order."""
        if self.stopped():
            return
        self._events.append(event)
        if self._running:
            return
        self._running = True
        try:
            while self._events and not self.stopped():
                self._state, effects = core.step(self._state, self._events.popleft())
                self._perform(effects)
        finally:
            self._running = False
            if self.stopped():
                self._events.clear()

    def _perform(self, effects: Iterable[Effect]) -> None:
        unsynced: list[Record] = []
        for effect in effects:
            if isinstance(effect, PersistVote):
                unsynced.append(effect.vote)
                continue
            if isinstance(effect, PersistPrepared):
                unsynced.append(effect.record)
                continue
            if unsynced:
                # Rule 8: a vote is on disk before it is sent. What one step persists is synced once.
                self._persist(unsynced)
                unsynced = []
            if self.stopped():
                return
            self._perform_one(effect)
        if unsynced:
            self._persist(unsynced)

    def _persist(self, records: Sequence[Record]) -> None:
        try:
            self._journal.append(records)
        except OSError as error:
            self._halt(f"the votes journal cannot be written: {error}")

    def _prune(self) -> None:
        try:
            self._journal.prune(self.chain.height)
        except OSError as error:
            self._halt(f"the votes journal cannot be written: {error}")

    def _perform_one(self, effect: Effect) -> None:
        match effect:
            case Broadcast():
                self._network.broadcast(effect.message)
            case Send():
                self._network.send(effect.to, effect.message)
            case BuildBlock():
                self._build(effect)
            case CheckBlock():
                self._check_block(effect)
            case Deliver():
                self._deliver(effect)
            case SetTimer():
                self._timer_ms = effect.at_ms
            case RecordEvidence():
                self._listener.evidence(effect.first, effect.second)
            case FallBehind():
                self.sync.peer_at(effect.peer, effect.height)
            case SendDecided():
                self._send_decided(effect)
            case Misbehaved():
                self._listener.misbehaved(effect.peer, effect.what)
            case PersistVote() | PersistPrepared():
                raise BrokenInvariant("what is persisted comes before everything else in a step")
            case _:
                assert_never(effect)

    def _halt(self, detail: str) -> None:
        """Stop taking part: the node stays at its last good block and says why."""
        self.halted = Halt(detail, self.chain.height)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def _build(self, effect: BuildBlock) -> None:
        try:
            executed = self._executor.build(time_ms=self._now.wall_ms, proposer=self.config.node_id)
        except MissingContractVersion as missing:
            self._halt(str(missing))
            return
        height, round_, at_ms = effect.height, effect.round, self._now.monotonic_ms
        if not executed.transactions and not effect.empty_allowed:
            self._drop_inadmissible()
            self._tell_work()
            self._events.append(BlockBuilt(at_ms, height, round_, b"", b""))
            return
        self._events.append(BlockBuilt(at_ms, height, round_, executed.raw, executed.digest))

    def _check_block(self, effect: CheckBlock) -> None:
        refusal: str | None = None
        try:
            executed = self._executor.execute(effect.digest, effect.block)
            if effect.fresh:
                rules.check_proposal_time(executed.block.header, self._now.wall_ms)
            if executed.digest != effect.digest:
                refusal = "wrong_digest"
        except Refused as refused:
            refusal = refused.reason.code
            self.last_refusal = Refusal(effect.height, effect.round, str(refused))
        except MissingContractVersion as missing:
            self._halt(str(missing))
            return
        at_ms = self._now.monotonic_ms
        self._events.append(BlockChecked(at_ms, effect.height, effect.round, effect.digest, refusal))

    def _deliver(self, effect: Deliver) -> None:
        try:
            executed = self._executor.execute(effect.certificate.block_hash, effect.block)
        except (Refused, MissingContractVersion) as error:
            self._halt(f"a quorum decided block {effect.certificate.height}, which this node refuses: {error}")
            return
        self._commit(executed, effect.certificate)

    def _commit(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        try:
            self.chain.commit(executed, certificate)
        except OSError as error:
            self._halt(f"the store cannot be written: {error}")
            return
        self._executor.committed()
        now_ms = self._now.monotonic_ms
        limits = registry.parameters(self.chain.state)
        has_room = (
            2 * len(executed.raw) < limits.max_block_bytes
            and len(executed.transactions) < limits.max_block_transactions
        )
        self.pool.committed(
            (t.id for t in executed.transactions),
            proposer=executed.block.header.proposer,
            has_room=has_room,
            now_ms=now_ms,
        )
        self.sync.advanced(now_ms)
        self._check_contracts()
        self._events.append(Advanced(now_ms, self.chain.head, self.chain.validators, limits))
        self._events.append(WorkPending(now_ms, *self._work()))
        self._told_work = self._work()
        self._prune()
        self._network.broadcast(self.status())
        self._listener.committed(executed, certificate)

    def _check_contracts(self) -> None:
        """Stop before the next block would need a contract version that this build lacks."""
        for contract, version, height in self.runtime.missing_versions(self.chain.state):
            if height <= self.chain.height + 1:
                self._halt(str(MissingContractVersion(contract, version)))

    # -- the pool ------------------------------------------------------------------------------------------------------

    def _work(self) -> tuple[int | None, int]:
        return self.pool.oldest_since_ms, self.pool.passed_over_blocks

    def _tell_work(self) -> None:
        """Rules 9 and 14: what waits is proposed at once, and whoever sees it left lying starts a round change."""
        if self.pool.passed_over_blocks:
            self._drop_inadmissible_oldest()
        work = self._work()
        if work != self._told_work:
            self._told_work = work
            self._feed(WorkPending(self._now.monotonic_ms, *work))

    def _drop_inadmissible_oldest(self) -> None:
        """Until the oldest is one that could enter a block: nobody is blamed for leaving out what may not enter."""
        while (oldest := self.pool.oldest) is not None and not self._is_admissible(oldest):
            self.pool.remove(oldest.id)
            self.pool.passed_over_blocks = 0

    def _drop_inadmissible(self) -> None:
        """Take out all that could not enter a block any more, so that nobody waits for it."""
        for transaction in list(self.pool.pick()):
            if not self._is_admissible(transaction):
                self.pool.remove(transaction.id)

    def _is_admissible(self, transaction: Transaction) -> bool:
        try:
            self._check(transaction)
        except Refused:
            return False
        return True

    def _on_gossip(self, sender: str, message: Transactions) -> None:
        if len(message.items) > MAX_GOSSIP:
            self._listener.misbehaved(sender, "too many transactions in one message")
            return
        signed: list[Transaction] = []
        for raw in message.items:
            try:
                transaction = Transaction.parse(raw)
            except Refused as refused:
                self._listener.misbehaved(sender, f"no transaction: {refused.reason.code}")
                continue
            if transaction.id in self.pool or self._is_signed(transaction):
                signed.append(transaction)
            else:
                self._listener.misbehaved(sender, "a transaction with a wrong signature")
        self.take_gossip(signed, self._now)

    def _take_gossiped(self, transaction: Transaction) -> None:
        if not self.stopped() and transaction.id not in self.pool:
            self._check(transaction)
            self.pool.add(transaction, self._now.monotonic_ms)

    def _flush_gossip(self) -> None:
        for start in range(0, len(self._gossip), MAX_GOSSIP):
            self._network.broadcast(Transactions(tuple(self._gossip[start : start + MAX_GOSSIP])))
        self._gossip.clear()

    # -- sync ----------------------------------------------------------------------------------------------------------

    def _on_status(self, sender: str, status: Status) -> None:
        self.sync.peer_at(sender, status.height)
        self._observation.heard(sender, status.height)
        self._observe()

    def _observe(self) -> None:
        """Rule 8: a node whose journal is lost observes until it is past everything that it may have signed."""
        if self._state.observe_through_height != OBSERVE_UNTIL_KNOWN or self.stopped():
            return
        me, height = self.config.node_id, self.chain.height
        through = self._observation.through_height(self.chain.validators, me, height)
        if through is None:
            return
        try:
            self._journal.observe_through(through)
        except OSError as error:
            self._halt(f"the votes journal cannot be written: {error}")
            return
        self._restart((), None, through)

    def _restart(self, votes: tuple[Vote, ...], prepared: PreparedRecord | None, observe_through_height: int) -> None:
        self._feed(
            Restarted(
                self._now.monotonic_ms,
                self.chain.head,
                self.chain.validators,
                registry.parameters(self.chain.state),
                votes,
                prepared,
                observe_through_height,
            )
        )

    def _ask_for_blocks(self) -> None:
        if self.stopped():
            return
        request = self.sync.next_request(self.chain.height, self._now.monotonic_ms)
        if request is not None:
            self._network.send(request.peer, GetBlocks(request.from_height, MAX_SYNC_BLOCKS))

    def _on_blocks(self, sender: str, message: Blocks) -> None:
        """Blocks that were asked for; those that come late are as welcome, for each proves itself."""
        self.sync.answered(sender)
        for item in message.items:
            if self.stopped():
                return
            if not self._take_certified(sender, item.block, item.certificate):
                self._unproved(sender)
                break
        if not message.items and (self.sync.height_of(sender) or 0) > self.chain.height:
            self._unproved(sender)
        self._observe()
        self._tell_work()

    def _unproved(self, peer: str) -> None:
        """A peer did not have what it said it has, or sent what proves nothing."""
        self.sync.disappointed(peer, self._now.monotonic_ms)
        self._observation.unproved(peer)

    def _on_decided(self, sender: str, message: Decided) -> None:
        """Rule 10: the answer of somebody who has decided the height that we still work at."""
        if message.certificate.height == self.chain.height + 1:
            self._take_certified(sender, message.block, pack(message.certificate))
        elif message.certificate.height > self.chain.height:
            self.sync.peer_at(sender, message.certificate.height)

    def _take_certified(self, sender: str, raw: bytes, raw_certificate: bytes) -> bool:
        """Check and commit the next block with its certificate; False if it is not that, or not proved."""
        if self.stopped():
            return False
        try:
            header = header_of(raw)
            if header.height <= self.chain.height:
                return True
            certificate = unpack(Certificate, raw_certificate)
            rules.check_header(self.chain.head, self.chain.validators, header, recovered=True)
            rules.check_certificate(header, certificate, self.chain.validators, self.chain.genesis.recovery)
        except Refused as refused:
            self._listener.misbehaved(sender, f"a block that is not certified: {refused.reason.code}")
            return False
        try:
            executed = self._executor.execute(certificate.block_hash, raw, recovered=True)
        except (Refused, MissingContractVersion) as error:
            if rules.block_digest(raw) != certificate.block_hash:
                self._listener.misbehaved(sender, "a certificate with another block")
                return False
            self._halt(f"a quorum decided block {certificate.height}, which this node refuses: {error}")
            return False
        self._commit(executed, certificate)
        if not self._running:
            self._feed(Tick(self._now.monotonic_ms))
        return True

    def _send_decided(self, effect: SendDecided) -> None:
        block, certificate = self.chain.raw_block(effect.height), self.chain.certificate(effect.height)
        if block is not None and certificate is not None:
            self._network.send(effect.to, Decided(block, certificate))
