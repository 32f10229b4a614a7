"""What a run is made of: the cluster, who lies, and which fault strikes when. Drawn from a seed, or written by hand."""

from __future__ import annotations

import random

import msgspec

from tests.simulator.actors import ACTORS

FAULTS_MS = 40_000
FAULT_EVERY_MS = (300, 4_000)
FAULT_LASTS_MS = (200, 6_000)

CRASHES = ("crash", "crash at an effect", "pause", "restart all")
NETWORK = ("loss", "heavy loss", "duplication", "slow", "halves", "one way", "ring")
DISK = ("full disk",)
CLOCK = ("skew", "clock jump")
AMNESIA = ("wiped disk", "lost journal")


class Plan(msgspec.Struct, frozen=True):
    """What a seed stands for."""

    validators: int
    observers: int = 0
    liars: tuple[tuple[str, str], ...] = ()
    """(node, kind of actor)."""
    twin: bool = False
    """The first liar's key is on two hosts."""
    membership: bool = False
    faults: tuple[str, ...] = ()
    busy: bool = False
    """All accounts but one write without a pause, from beginning to end."""

    @property
    def spare(self) -> int:
        """How many validators may be missing while the others are a quorum."""
        n = self.validators
        return n - ((n + (n - 1) // 3) // 2 + 1)

    @property
    def host_names(self) -> list[str]:
        names = [f"n{i + 1}" for i in range(self.validators + self.observers)]
        return [*names, f"{self.liars[0][0]}'"] if self.twin and self.liars else names

    def __str__(self) -> str:
        liars = ", ".join(f"{host} {kind}" for host, kind in self.liars) or "nobody lies"
        extra = " with a twin" if self.twin else ""
        change = ", membership changes" if self.membership else ""
        busy = ", busy" if self.busy else ""
        return f"n={self.validators}+{self.observers}, {liars}{extra}{change}{busy}; {', '.join(self.faults)}"


class Strike(msgspec.Struct, frozen=True):
    """One fault: when, what, whom, how long. `dice` settles what is left open, so that others may be left out."""

    at_ms: int
    kind: str
    host: str
    lasting_ms: int
    dice: int


class Story(msgspec.Struct, frozen=True):
    """All that a run follows from. As JSON it is what is checked in when a run has failed."""

    seed: int
    plan: Plan
    strikes: tuple[Strike, ...]
    faults_ms: int = FAULTS_MS
    why: str = ""
    """What it once showed."""


def plan_of(seed: int) -> Plan:
    dice = random.Random(seed * 7_919 + 13)
    validators = dice.choice((1, 2, 3, 3, 4, 4, 4, 5, 6, 7))
    f = (validators - 1) // 3
    liars: list[tuple[str, str]] = []
    twin = False
    if f and dice.random() < 0.6:
        names = dice.sample([f"n{i + 1}" for i in range(validators)], dice.randint(1, f))
        liars = [(name, dice.choice(sorted(ACTORS))) for name in names]
        twin = liars[0][1] == "faithful" or dice.random() < 0.2
    membership = dice.random() < (0.15 if liars else 0.3)
    observers = dice.randint(1, 2) if membership else dice.choice((0, 0, 1))
    faults = [*dice.sample(CRASHES, dice.randint(1, 3)), *dice.sample(NETWORK, dice.randint(1, 4))]
    if dice.random() < 0.3:
        faults += DISK
    if dice.random() < 0.4:
        faults.append("skew")
    plan = Plan(validators, observers, tuple(liars), twin, membership)
    # Who has lost what it voted only observes for a while: there must be a quorum without it and without the liars.
    if plan.spare > len(liars) and not membership:
        if dice.random() < 0.3:
            faults.append(dice.choice(AMNESIA))
        if validators >= 4 and not liars and dice.random() < 0.3:
            faults.append("clock jump")
    return msgspec.structs.replace(plan, faults=tuple(faults), busy=dice.random() < 0.15)


def strikes_of(seed: int, plan: Plan, faults_ms: int = FAULTS_MS) -> tuple[Strike, ...]:
    """When each of the plan's faults strikes, and whom."""
    dice = random.Random(f"strikes {seed}")
    strikes: list[Strike] = []
    at_ms = dice.randint(*FAULT_EVERY_MS)
    while plan.faults and at_ms < faults_ms:
        strikes.append(
            Strike(
                at_ms,
                dice.choice(plan.faults),
                dice.choice(plan.host_names),
                dice.randint(*FAULT_LASTS_MS),
                dice.randrange(1_000_000),
            )
        )
        at_ms += dice.randint(*FAULT_EVERY_MS)
    return tuple(strikes)


def story_of(seed: int, plan: Plan | None = None) -> Story:
    """The story that a seed tells."""
    plan = plan or plan_of(seed)
    return Story(seed, plan, strikes_of(seed, plan))
