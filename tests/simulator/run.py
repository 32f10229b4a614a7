"""One run of one story: a cluster, a time of faults, a time of healing, and the verdict."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from consensus.messages import Proposal
from tests.simulator import checker
from tests.simulator.actors import ACTORS
from tests.simulator.byzantine import Equivocator
from tests.simulator.checker import Violation
from tests.simulator.cluster import ACCOUNTS, WALL_MS, Cluster, Host
from tests.simulator.faults import Faults
from tests.simulator.keys import QuickKey, quick_signatures
from tests.simulator.plan import Plan, Story, story_of

HEAL_WITHIN_MS = 60_000
SETTLE_WITHIN_MS = 60_000
ANSWER_WITHIN_MS = 15_000
WRITE_EVERY_MS = ((50, 900), (50, 900), (20, 300))


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    told: Story
    violation: str | None
    digest: str
    height: int
    virtual_ms: int
    committed: int
    story: tuple[str, ...]
    error: Exception | None = None
    """What broke out of the code itself, if that is the violation."""

    @property
    def seed(self) -> int:
        return self.told.seed

    @property
    def plan(self) -> str:
        return str(self.told.plan)

    @property
    def ok(self) -> bool:
        return self.violation is None


class Run:
    def __init__(self, story: Story, *, trace: bool = False) -> None:
        self.story = story
        self.plan = story.plan
        self.dice = random.Random(story.seed)
        self.cluster = Cluster(
            story.seed,
            self.plan.validators,
            self.plan.observers,
            heartbeat_ms=self.dice.choice((3_000, 20_000)),
            term_blocks=self.dice.choice((3, 20, 1_000)),
        )
        self.write_every_ms = self.dice.choice(WRITE_EVERY_MS)
        self.faults = Faults(self.cluster, self.plan)
        if trace:
            self.cluster.story = []
        self.faulty = True
        self.busy = self.plan.busy
        for index, (name, kind) in enumerate(self.plan.liars):
            hosts = [self.cluster.hosts[name]]
            if self.plan.twin and index == 0:
                hosts.append(self.cluster.add_twin(name))
            for host in hosts:
                host.actor = ACTORS[kind](random.Random(story.seed + 17 + index))

    # -- the two phases ------------------------------------------------------------------------------------------------

    def go(self) -> Result:
        violation: str | None = None
        broke: Exception | None = None
        cluster = self.cluster
        with quick_signatures():
            try:
                self.suffer()
                checker.check(cluster)
                self._heal()
                checker.check(cluster)
            except Violation as found:
                violation = str(found)
            except Exception as error:  # noqa: BLE001 - whatever breaks out of a replica is a finding, with its seed
                broke = error
                where = traceback.extract_tb(error.__traceback__)[-1]
                violation = f"{type(error).__name__} in {where.name}, line {where.lineno}: {error}"
            if violation is not None:
                cluster.say("", f"VIOLATION: {violation}")
            height = max((h.replica.chain.height for h in cluster.honest if h.replica is not None), default=0)
        return Result(
            self.story,
            violation,
            cluster.digest.hexdigest(),
            height,
            cluster.now_ms,
            len(cluster.acknowledged),
            tuple(cluster.story or ()),
            broke,
        )

    def suffer(self) -> None:
        """The first phase: clients write while faults strike."""
        cluster = self.cluster
        for host in list(cluster.hosts.values()):
            host.start()
        cluster.at(self.dice.randint(*self.write_every_ms), self._write)
        if self.busy:
            self._write_on()
        self.faults.schedule(self.story.strikes)
        if self.plan.membership:
            cluster.at(2_000, self._change_membership)
        cluster.run_until(self.story.faults_ms)

    def calm(self) -> None:
        """Every fault ends."""
        self.cluster.say("", "HEALED")
        self.faulty = False
        self.faults.end()

    def _heal(self) -> None:
        """The second phase: whatever is pending is committed, and all agree, in bounded time."""
        cluster = self.cluster
        self.calm()
        pending = self._pending()
        # Whoever writes now, to any honest node, is answered, however busy others are: nobody is left out (rule 9).
        fresh = self._write_everywhere()
        if not self.busy:
            self.busy = True
            self._write_on()
        self._must("commit a write of each account at each honest node", self._committed(fresh), HEAL_WITHIN_MS)
        self.busy = False
        self._must("agree and have committed what was pending", self._is_settled, SETTLE_WITHIN_MS)
        self._must("answer soon", self._committed(self._write_everywhere()), ANSWER_WITHIN_MS)
        self._must("agree once more", self._is_settled, ANSWER_WITHIN_MS)
        lost = sorted(i.hex()[:6] for i in pending if i not in cluster.acknowledged)
        if lost:
            raise Violation(f"{lost} were in an honest pool when all was healed, and are in no block")

    def _write_everywhere(self) -> list[bytes]:
        cluster = self.cluster
        return [cluster.write([host], sender=sender).id for host in cluster.honest for sender in ACCOUNTS]

    def _committed(self, ids: list[bytes]) -> Callable[[], bool]:
        return lambda: all(i in self.cluster.acknowledged for i in ids)

    def _write_on(self) -> None:
        """Two of the three accounts write and write."""
        if self.busy:
            self.cluster.write([self.dice.choice(self.cluster.honest)], sender=self.dice.choice(ACCOUNTS[1:]))
            self.cluster.at(200, self._write_on)

    def _pending(self) -> set[bytes]:
        """What honest pools hold of the transactions that do not expire meanwhile."""
        cluster = self.cluster
        late_ms = WALL_MS + cluster.now_ms + HEAL_WITHIN_MS + SETTLE_WITHIN_MS + 2 * ANSWER_WITHIN_MS
        pools = [h.replica.pool for h in cluster.honest if h.replica is not None]
        return {t.id for pool in pools for t in pool.pick() if t.body.expires_at_ms > late_ms}

    def _must(self, what: str, done: Callable[[], bool], within_ms: int) -> None:
        cluster = self.cluster
        if not cluster.run_until(cluster.now_ms + within_ms, done):
            heights = {h.name: self._stand(h) for h in cluster.honest}
            raise Violation(f"after {within_ms / 1000:.0f} healed seconds they do not {what}: {heights}")

    def _stand(self, host: Host) -> str:
        replica = host.replica
        if replica is None:
            return "down"
        return f"{replica.chain.height}/{replica.round} pool {len(replica.pool)}{'' if replica.votes else ' observing'}"

    def _is_settled(self) -> bool:
        replicas = [h.replica for h in self.cluster.honest]
        if any(r is None for r in replicas):
            return False
        up = [r for r in replicas if r is not None]
        return len({r.chain.head.hash for r in up}) == 1 and not any(len(r.pool) for r in up)

    # -- what happens meanwhile ----------------------------------------------------------------------------------------

    def _write(self) -> None:
        cluster = self.cluster
        if not self.faulty:
            return
        cluster.at(self.dice.randint(*self.write_every_ms), self._write)
        hosts = self.dice.sample(cluster.honest, 1 if self.dice.random() < 0.8 else min(2, len(cluster.honest)))
        if self.dice.random() < 0.1 and cluster.submitted:
            # Resubmitting the same bytes is always safe.
            again = cluster.submitted[self.dice.choice(list(cluster.submitted))]
            hosts[0].submit(again)
        lifetime_ms = 3_000_000 if self.dice.random() < 0.8 else self.dice.randint(500, 5_000)
        cluster.write(hosts, lifetime_ms=lifetime_ms)

    def _change_membership(self) -> None:
        """An operator admits, demotes, replaces a validator, or gives a node another key."""
        cluster = self.cluster
        if not self.faulty:
            return
        cluster.at(self.dice.randint(3_000, 8_000), self._change_membership)
        up = [h for h in cluster.honest if h.up and h.replica is not None]
        if not up or up[0].replica is None:
            return
        ids = sorted(up[0].replica.chain.validators.ids)
        observers = [h for h in up if h.node_id not in ids]
        signer = QuickKey("op") if self.dice.random() < 0.3 else None
        what = self.dice.random()
        if observers and (len(ids) == 1 or what < 0.4):
            cluster.admit(self.dice.choice(observers), up[:2], signer=signer)
        elif observers and what < 0.6:
            cluster.admit(self.dice.choice(observers), up[:2], signer=signer, leaving=self.dice.choice(ids))
        elif what < 0.75:
            cluster.rotate(self.dice.choice(up), up[:2])
        elif len(ids) > 1 and (len(ids) - 2) // 3 >= len(self.plan.liars):
            # Never so many fewer that the liars are more than those who are left can bear.
            cluster.govern(up[:2], "propose_demotion", node_id=self.dice.choice(ids))


def simulate_beyond(seed: int) -> tuple[bool, str | None]:
    """More than f validators lie: whether honest replicas disagreed, and what is wrong with the evidence then.

    Disagreement must leave proof against at least f + 1 of the liars, in the votes that honest replicas have seen, and
    against nobody honest.
    """
    dice = random.Random(seed)
    liars = tuple((name, "equivocator") for name in dice.sample(["n1", "n2", "n3", "n4"], 2))
    run = Run(story_of(seed, Plan(4, 0, liars, False, False, ("loss", "halves", "one way"))))
    shared: dict[tuple[int, int], tuple[bytes, Proposal]] = {}
    for name, _ in liars:
        run.cluster.hosts[name].actor = Equivocator(random.Random(seed), shared)
    with quick_signatures():
        run.suffer()
        run.calm()
        run.cluster.run_until(run.cluster.now_ms + 10_000)
        if checker.disagreement(run.cluster) is None:
            return False, None
        proved = checker.liars_proved(run.cluster.received)
    guilty = {name for name, _ in liars}
    if not proved <= guilty:
        return True, f"proof against {sorted(proved - guilty)}, who are honest"
    if len(proved) < 2:
        return True, f"proof against {sorted(proved)} only"
    return True, None


def simulate(seed: int, *, plan: Plan | None = None, trace: bool = False) -> Result:
    """The run that a seed stands for; the same each time."""
    return tell(story_of(seed, plan), trace=trace)


def tell(story: Story, *, trace: bool = False) -> Result:
    """The run of a story; the same each time."""
    return Run(story, trace=trace).go()
