"""One run from one seed: a cluster, a time of faults, a time of healing, and the verdict."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from consensus.messages import Proposal
from tests.simulator import checker
from tests.simulator.byzantine import ACTORS, Equivocator
from tests.simulator.checker import Violation
from tests.simulator.cluster import Cluster, Host
from tests.simulator.keys import QuickKey, quick_signatures
from tests.simulator.network import Weather, halves, one_way, ring

FAULTS_MS = 40_000
HEAL_WITHIN_MS = 60_000
AFTERWARDS_WITHIN_MS = 20_000
WRITE_EVERY_MS = (50, 900)
FAULT_EVERY_MS = (300, 4_000)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    seed: int
    plan: str
    violation: str | None
    digest: str
    height: int
    virtual_ms: int
    committed: int
    story: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.violation is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed stands for."""

    validators: int
    observers: int
    liars: tuple[tuple[str, str], ...]
    twin: bool
    membership: bool
    faults: tuple[str, ...]

    def __str__(self) -> str:
        liars = ", ".join(f"{host} {kind}" for host, kind in self.liars) or "nobody lies"
        extra = " with a twin" if self.twin else ""
        change = ", membership changes" if self.membership else ""
        return f"n={self.validators}+{self.observers}, {liars}{extra}{change}; {', '.join(self.faults)}"


CRASHES = ("crash", "crash at an effect", "pause", "restart all")
NETWORK = ("loss", "heavy loss", "duplication", "slow", "halves", "one way", "ring")
DISK = ("full disk",)
CLOCK = ("skew", "clock jump")
AMNESIA = ("wiped disk", "lost journal")


def plan_of(seed: int) -> Plan:
    dice = random.Random(seed * 7_919 + 13)
    validators = dice.choice((1, 2, 3, 3, 4, 4, 4, 5, 6, 7))
    f = (validators - 1) // 3
    liars: list[tuple[str, str]] = []
    twin = False
    if f and dice.random() < 0.6:
        names = dice.sample([f"n{i + 1}" for i in range(validators)], dice.randint(1, f))
        liars = [(name, dice.choice(sorted(ACTORS))) for name in names]
        twin = dice.random() < 0.2
    membership = not liars and dice.random() < 0.25
    observers = dice.randint(1, 2) if membership else dice.choice((0, 0, 1))
    faults = [*dice.sample(CRASHES, dice.randint(1, 3)), *dice.sample(NETWORK, dice.randint(1, 4))]
    if dice.random() < 0.3:
        faults += DISK
    if dice.random() < 0.4:
        faults.append("skew")
    spare = validators - (validators + f) // 2 - 1
    if spare and not liars and not membership:
        if dice.random() < 0.3:
            faults.append(dice.choice(AMNESIA))
        if validators >= 4 and dice.random() < 0.3:
            faults.append("clock jump")
    return Plan(validators, observers, tuple(liars), twin, membership, tuple(faults))


class Run:
    def __init__(self, seed: int, plan: Plan | None = None, *, trace: bool = False) -> None:
        self.seed = seed
        self.plan = plan or plan_of(seed)
        self.dice = random.Random(seed)
        self.cluster = Cluster(
            seed,
            self.plan.validators,
            self.plan.observers,
            heartbeat_ms=self.dice.choice((3_000, 20_000)),
            term_blocks=self.dice.choice((3, 20, 1_000)),
        )
        if trace:
            self.cluster.story = []
        self.forgetful: set[str] = set()
        self.jumped: set[str] = set()
        self.faulty = True
        for index, (name, kind) in enumerate(self.plan.liars):
            hosts = [self.cluster.hosts[name]]
            if self.plan.twin and index == 0:
                hosts.append(self.cluster.add_twin(name))
            for host in hosts:
                host.actor = ACTORS[kind](random.Random(seed + 17 + index))

    # -- the two phases ------------------------------------------------------------------------------------------------

    def go(self) -> Result:
        violation: str | None = None
        cluster = self.cluster
        with quick_signatures():
            try:
                self._faults()
                checker.check(cluster)
                self._heal()
                checker.check(cluster)
            except Violation as found:
                violation = str(found)
                cluster.say("", f"VIOLATION: {found}")
            height = max((h.replica.chain.height for h in cluster.honest if h.replica is not None), default=0)
        return Result(
            self.seed,
            str(self.plan),
            violation,
            cluster.digest.hexdigest(),
            height,
            cluster.now_ms,
            len(cluster.acknowledged),
            tuple(cluster.story or ()),
        )

    def _faults(self) -> None:
        cluster = self.cluster
        for host in list(cluster.hosts.values()):
            host.start()
        cluster.at(self.dice.randint(*WRITE_EVERY_MS), self._write)
        cluster.at(self.dice.randint(*FAULT_EVERY_MS), self._fault)
        if self.plan.membership:
            cluster.at(2_000, self._change_membership)
        cluster.run_until(FAULTS_MS)

    def _heal(self) -> None:
        """Every fault ends; then all must agree, and whatever is pending must be committed, in bounded time."""
        cluster = self.cluster
        self._calm()
        self._must("agree and have committed what was pending", self._is_settled, HEAL_WITHIN_MS)
        # Somebody who writes now, to any honest node, is answered soon.
        fresh = [cluster.write([host]).id for host in cluster.honest]
        self._must(
            "commit a write to each honest node",
            lambda: all(i in cluster.acknowledged for i in fresh) and self._is_settled(),
            AFTERWARDS_WITHIN_MS,
        )

    def _calm(self) -> None:
        """Every fault ends."""
        cluster = self.cluster
        cluster.say("", "HEALED")
        self.faulty = False
        cluster.network.weather = Weather()
        for host in cluster.hosts.values():
            host.fuse = None
            host.disk.full = False
            host.wall_offset_ms = 0
            if host.replica is None:
                host.start()
            host.resume()

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
        cluster.at(self.dice.randint(*WRITE_EVERY_MS), self._write)
        hosts = self.dice.sample(cluster.honest, 1 if self.dice.random() < 0.8 else min(2, len(cluster.honest)))
        if self.dice.random() < 0.1 and cluster.submitted:
            # Resubmitting the same bytes is always safe.
            again = cluster.submitted[self.dice.choice(list(cluster.submitted))]
            hosts[0].submit(again)
        lifetime_ms = 3_000_000 if self.dice.random() < 0.8 else self.dice.randint(500, 5_000)
        cluster.write(hosts, lifetime_ms=lifetime_ms)

    def _change_membership(self) -> None:
        cluster = self.cluster
        if not self.faulty:
            return
        cluster.at(self.dice.randint(3_000, 8_000), self._change_membership)
        up = [h for h in cluster.honest if h.up and h.replica is not None]
        if not up or up[0].replica is None:
            return
        ids = set(up[0].replica.chain.validators.ids)
        observers = [h for h in up if h.node_id not in ids]
        if observers and (len(ids) == 1 or self.dice.random() < 0.5):
            signer = QuickKey("op") if self.dice.random() < 0.3 else None
            cluster.admit(self.dice.choice(observers), up[:2], signer=signer)
        elif len(ids) > 1:
            cluster.govern(up[:2], "propose_demotion", node_id=self.dice.choice(sorted(ids)))

    def _fault(self) -> None:
        cluster = self.cluster
        if not self.faulty:
            return
        cluster.at(self.dice.randint(*FAULT_EVERY_MS), self._fault)
        kind = self.dice.choice(self.plan.faults)
        host = self.dice.choice(list(cluster.hosts.values()))
        lasting_ms = self.dice.randint(200, 6_000)
        cluster.say("", f"fault: {kind} ({host.name}, {lasting_ms} ms)")
        self._strike(kind, host, lasting_ms)

    def _strike(self, kind: str, host: Host, lasting_ms: int) -> None:
        cluster = self.cluster
        weather = cluster.network.weather
        names = list(cluster.hosts)
        match kind:
            case "crash":
                host.crash()
                cluster.at(lasting_ms, lambda: self._restart(host))
            case "crash at an effect":
                host.fuse = self.dice.randint(0, 25)
                cluster.at(lasting_ms, lambda: self._restart(host))
            case "pause":
                host.pause()
                cluster.at(lasting_ms, host.resume)
            case "restart all":
                for each in cluster.hosts.values():
                    each.crash()
                    cluster.at(self.dice.randint(10, 2_000), lambda e=each: self._restart(e))  # type: ignore[misc]
            case "loss":
                weather.loss = self.dice.choice((0.02, 0.1, 0.3))
                cluster.at(lasting_ms, lambda: setattr(weather, "loss", 0.0))
            case "heavy loss":
                weather.loss = 0.6
                cluster.at(2 * lasting_ms, lambda: setattr(weather, "loss", 0.0))
            case "duplication":
                weather.duplication = 0.2
                cluster.at(lasting_ms, lambda: setattr(weather, "duplication", 0.0))
            case "slow":
                weather.slow[host.name] = self.dice.choice((20, 100, 400))
                cluster.at(lasting_ms, lambda: weather.slow.update({host.name: 0}))
            case "halves" | "one way" | "ring":
                if len(names) > 1:
                    weather.blocked = {
                        "halves": lambda: halves(names, self.dice),
                        "one way": lambda: one_way(names, self.dice),
                        "ring": lambda: ring(names),
                    }[kind]()
                    cluster.at(lasting_ms, lambda: setattr(weather, "blocked", set()))
            case "full disk":
                host.disk.full = True
                cluster.at(lasting_ms, lambda: setattr(host.disk, "full", False))
                cluster.at(lasting_ms + 100, lambda: self._restart(host))
            case "skew":
                host.wall_offset_ms = self.dice.randint(-800, 800)
            case "clock jump":
                self._jump(host, lasting_ms)
            case "wiped disk" | "lost journal":
                self._forget(host, kind, lasting_ms)
            case _:
                raise ValueError(kind)

    def _restart(self, host: Host) -> None:
        if host.replica is None:
            host.disk.full = False
            try:
                host.start()
            except OSError:
                host.replica = None

    @property
    def _spare(self) -> int:
        """How many validators may be missing while the others are a quorum."""
        n = self.plan.validators
        return n - ((n + (n - 1) // 3) // 2 + 1)

    def _forget(self, host: Host, kind: str, lasting_ms: int) -> None:
        """Disks are lost, but never of more validators than the others can do without (of each, once)."""
        if host.name in self.forgetful or len(self.forgetful) >= self._spare:
            return
        self.forgetful.add(host.name)
        host.crash()
        if kind == "wiped disk":
            host.disk.wipe()
        else:
            host.disk.lose_journal()
        self.cluster.at(lasting_ms, lambda: self._restart(host))

    def _jump(self, host: Host, lasting_ms: int) -> None:
        """A clock runs an hour off, but never those of a quorum."""
        if host.name not in self.jumped and len(self.jumped) >= min(1, (self.plan.validators - 1) // 3):
            return
        self.jumped.add(host.name)
        host.wall_offset_ms = self.dice.choice((-3_600_000, 3_600_000))
        self.cluster.at(lasting_ms, lambda: setattr(host, "wall_offset_ms", 0))


def simulate_beyond(seed: int) -> tuple[bool, str | None]:
    """More than f validators lie: whether honest replicas disagreed, and what is wrong with the evidence then.

    Disagreement must leave proof against at least f + 1 of the liars, in the votes that honest replicas have seen, and
    against nobody honest.
    """
    dice = random.Random(seed)
    liars = tuple((name, "equivocator") for name in dice.sample(["n1", "n2", "n3", "n4"], 2))
    run = Run(seed, Plan(4, 0, liars, False, False, ("loss", "halves", "one way")))
    shared: dict[tuple[int, int], tuple[bytes, Proposal]] = {}
    for name, _ in liars:
        run.cluster.hosts[name].actor = Equivocator(random.Random(seed), shared)
    with quick_signatures():
        run._faults()
        run._calm()
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
    return Run(seed, plan, trace=trace).go()
