"""A virtual network: every message takes its time, or is lost, doubled, overtaken, or stopped by a partition."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Weather:
    """How the network behaves now."""

    latency_ms: tuple[int, int] = (1, 8)
    loss: float = 0.0
    duplication: float = 0.0
    blocked: set[tuple[str, str]] = field(default_factory=set)
    """(from, to) pairs through which nothing gets."""
    slow: dict[str, int] = field(default_factory=dict)
    """Hosts to and from which everything takes this much longer, in milliseconds."""


class Network:
    def __init__(self, dice: random.Random, at: Callable[[int, Callable[[], None]], None]) -> None:
        """`at(delay_ms, what)` does something later."""
        self._dice = dice
        self._at = at
        self.weather = Weather()
        self.sent = 0

    def send(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        self.sent += 1
        weather = self.weather
        if (source, target) in weather.blocked or self._dice.random() < weather.loss:
            return
        for _ in range(2 if self._dice.random() < weather.duplication else 1):
            delay = self._dice.randint(*weather.latency_ms)
            delay += weather.slow.get(source, 0) + weather.slow.get(target, 0)
            self._at(delay, deliver)


def halves(hosts: list[str], dice: random.Random) -> set[tuple[str, str]]:
    """A partition into two halves."""
    one = set(dice.sample(hosts, len(hosts) // 2))
    return {(a, b) for a in hosts for b in hosts if (a in one) != (b in one)}


def ring(hosts: list[str]) -> set[tuple[str, str]]:
    """Everybody hears only its two neighbours."""
    n = len(hosts)
    near = {(hosts[i], hosts[(i + d) % n]) for i in range(n) for d in (-1, 1)}
    return {(a, b) for a in hosts for b in hosts if a != b and (a, b) not in near}


def one_way(hosts: list[str], dice: random.Random) -> set[tuple[str, str]]:
    """One host can be heard and hears nobody, or the other way round."""
    lost = dice.choice(hosts)
    deaf = dice.random() < 0.5
    return {(a, lost) if deaf else (lost, a) for a in hosts if a != lost}
