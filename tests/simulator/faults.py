"""How faults strike a cluster, and how each ends by itself."""

from __future__ import annotations

import random

from tests.simulator.cluster import Cluster, Host
from tests.simulator.network import Weather, halves, one_way, ring
from tests.simulator.plan import Plan, Strike

HOUR_MS = 3_600_000


class Faults:
    def __init__(self, cluster: Cluster, plan: Plan) -> None:
        self._cluster = cluster
        self._plan = plan
        self._forgetful: set[str] = set()
        self._jumped: set[str] = set()
        self._over = False

    def schedule(self, strikes: tuple[Strike, ...]) -> None:
        for strike in strikes:
            self._cluster.at(strike.at_ms, lambda s=strike: self._strike(s))  # type: ignore[misc]

    def end(self) -> None:
        """Every fault ends, and every host is up."""
        self._over = True
        self._cluster.network.weather = Weather()
        for host in self._cluster.hosts.values():
            host.fuse = None
            host.disk.full = False
            host.wall_offset_ms = 0
            if host.replica is None:
                host.start()
            host.resume()

    def _strike(self, strike: Strike) -> None:
        cluster = self._cluster
        host = cluster.hosts.get(strike.host)
        if self._over or host is None:
            return
        cluster.say("", f"fault: {strike.kind} ({host.name}, {strike.lasting_ms} ms)")
        dice = random.Random(strike.dice)
        match strike.kind:
            case "crash":
                host.crash()
                cluster.at(strike.lasting_ms, lambda: self._restart(host))
            case "crash at an effect":
                host.fuse = dice.randint(0, 25)
                cluster.at(strike.lasting_ms, lambda: self._restart(host))
            case "pause":
                host.pause()
                cluster.at(strike.lasting_ms, host.resume)
            case "restart all":
                for each in cluster.hosts.values():
                    each.crash()
                    cluster.at(dice.randint(10, 2_000), lambda e=each: self._restart(e))  # type: ignore[misc]
            case "full disk":
                host.disk.full = True
                cluster.at(strike.lasting_ms, lambda: setattr(host.disk, "full", False))
                cluster.at(strike.lasting_ms + 100, lambda: self._restart(host))
            case "skew":
                host.wall_offset_ms = dice.randint(-800, 800)
            case "clock jump":
                self._jump(host, strike.lasting_ms, dice)
            case "wiped disk" | "lost journal":
                self._forget(host, strike.kind, strike.lasting_ms)
            case _:
                self._blow(strike, dice)

    def _blow(self, strike: Strike, dice: random.Random) -> None:
        """What strikes the network."""
        cluster = self._cluster
        weather = cluster.network.weather
        names = list(cluster.hosts)
        match strike.kind:
            case "loss":
                weather.loss = dice.choice((0.02, 0.1, 0.3))
                cluster.at(strike.lasting_ms, lambda: setattr(weather, "loss", 0.0))
            case "heavy loss":
                weather.loss = dice.choice((0.5, 0.7))
                cluster.at(strike.lasting_ms, lambda: setattr(weather, "loss", 0.0))
            case "duplication":
                weather.duplication = 0.2
                cluster.at(strike.lasting_ms, lambda: setattr(weather, "duplication", 0.0))
            case "slow":
                weather.slow[strike.host] = dice.choice((20, 100, 400))
                cluster.at(strike.lasting_ms, lambda: weather.slow.update({strike.host: 0}))
            case "halves" | "one way" | "ring":
                if len(names) > 1:
                    weather.blocked = {
                        "halves": lambda: halves(names, dice),
                        "one way": lambda: one_way(names, dice),
                        "ring": lambda: ring(names),
                    }[strike.kind]()
                    cluster.at(strike.lasting_ms, lambda: setattr(weather, "blocked", set()))
            case _:
                raise ValueError(strike.kind)

    def _restart(self, host: Host) -> None:
        if host.replica is None:
            host.disk.full = False
            host.start()

    def _forget(self, host: Host, kind: str, lasting_ms: int) -> None:
        """Disks are lost, but of no more validators than the others can do without (of each, once)."""
        liars = {name for name, _ in self._plan.liars}
        if host.node_id in liars or host.name in self._forgetful:
            return
        if len(self._forgetful) + len(liars) >= self._plan.spare:
            return
        self._forgetful.add(host.name)
        host.crash()
        if kind == "wiped disk":
            host.disk.wipe()
        else:
            host.disk.lose_journal()
        self._cluster.at(lasting_ms, lambda: self._restart(host))

    def _jump(self, host: Host, lasting_ms: int, dice: random.Random) -> None:
        """A clock runs an hour off, but of no more than f."""
        if host.name not in self._jumped and len(self._jumped) >= (self._plan.validators - 1) // 3:
            return
        self._jumped.add(host.name)
        host.wall_offset_ms = dice.choice((-HOUR_MS, HOUR_MS))
        self._cluster.at(lasting_ms, lambda: setattr(host, "wall_offset_ms", 0))
