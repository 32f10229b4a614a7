"""The packets of simulated households in the order of their arrival, each signed by its device's key.

Deterministic: a seed is one stream, to the byte. Devices read at :00 and :30 (cars at midnight) and send at once; late
packets come up to two days later, within a moment the order is shuffled. Memory holds a moment's packets and the late
ones, so that ten thousand households stream through.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apps.ecopoints.devices.faults import DayPlan, Label, Rates, plan_day
from apps.ecopoints.devices.households import (
    ROLLOVER_WH,
    SLOT_MS,
    SLOTS,
    Kind,
    Registers,
    SimulatedDevice,
    devices_of,
    slot_start_ms,
)
from apps.ecopoints.intake.packets import MAX_READINGS, Packet, PacketReading, SignedPacket, sign_packet

START_MS = 1_775_055_600_000
"""2026-04-02 00:00 JST: by default, within fiscal year 2026."""
NIGHT_WH = 400
SOLD_WH = 600
OVER = {"generated": 30_000, "sold": 30_000, "consumed": 60_000, "distance": 1_500_000}
"""More than a device can bring in one interval, by channel."""
BACK_BY = {"generated": 25_000, "consumed": 25_000, "distance": 200_000}
"""More than the interval itself brings, so that the register really goes back."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet, and when it comes."""

    at_ms: int
    device: SimulatedDevice
    packet: Packet
    signed: SignedPacket


@dataclass(slots=True)
class _State:
    device: SimulatedDevice
    chain_id: str
    registers: Registers
    offset: dict[str, int]
    """What lies and resets have shifted each register by, for good."""
    plan: DayPlan = field(default_factory=DayPlan)
    sequence: int = 0
    waiting: list[PacketReading] = field(default_factory=list)

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def shown(self, channel: str, falsified_by: int) -> int:
        """What the register shows, shifted as lies and resets have it."""
        value = self.registers.values[channel] + self.offset[channel] + falsified_by
        return value % ROLLOVER_WH if self.device.kind == "pv" else max(0, value)


@dataclass(order=True, slots=True)
class _Due:
    slot: int
    """Half hours since the beginning."""
    order: int
    number: int
    state: _State = field(compare=False)
    packet: Packet = field(compare=False)


class Simulator:
    """`stream()` once; then `labels` tells what went wrong and `registers` what was true.

    `ids` maps a device's label to the id under which it is registered; without it, the label is the id. `per_packet`:
    half hours that a device gathers before it sends (a car sends its day at once).
    """

    def __init__(
        self, *, seed: int, households: int, days: int, kinds: Sequence[Kind] = ("pv", "ev"),
        rates: Rates | None = None, start_ms: int = START_MS, per_packet: int = 1, ids: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        if not 1 <= per_packet <= MAX_READINGS // 4:
            raise ValueError(f"per_packet is {per_packet}, and not 1 to {MAX_READINGS // 4}")
        self.devices = tuple(devices_of(seed, households, kinds))
        self.labels: list[Label] = []
        self.readings = 0
        self.slots_done = 0
        """Half hours of which everything that was sent in time has come."""
        self._seed, self._days, self._start_ms, self._per_packet = seed, days, start_ms, per_packet
        self._rates = Rates() if rates is None else rates
        self._order = random.Random(f"{seed}/order")
        self._numbered = 0
        self._heap: list[_Due] = []
        self._states = [
            _State(d, (ids or {}).get(d.label, d.label), Registers(seed, d), dict.fromkeys(d.channels, 0))
            for d in self.devices
        ]

    @property
    def registers(self) -> Mapping[str, Registers]:
        """The true registers by the device's label."""
        return {state.device.label: state.registers for state in self._states}

    @property
    def slots(self) -> int:
        return self._days * SLOTS

    def stream(self) -> Iterator[Arrival]:
        """All packets, in the order of their arrival."""
        for slot in range(self.slots):
            day, of_day = divmod(slot, SLOTS)
            for state in self._states:
                if of_day == 0:
                    state.plan = plan_day(self._seed, state.device, day, self._days, self._rates)
                if (of_day + 1) % state.device.slots_per_interval == 0:
                    self._interval(state, day, of_day)
            yield from self._arrived(slot)
            self.slots_done = slot + 1
        for state in self._states:
            self._send(state, self.slots - 1, late=0)
        yield from self._arrived(None)

    def _arrived(self, slot: int | None) -> Iterator[Arrival]:
        while self._heap and (slot is None or self._heap[0].slot <= slot):
            due = heapq.heappop(self._heap)
            at_ms = self._start_ms + (due.slot + 1) * SLOT_MS
            self.readings += len(due.packet.readings)
            yield Arrival(at_ms, due.state.device, due.packet, sign_packet(due.packet, due.state.device.key))

    def _interval(self, state: _State, day: int, of_day: int) -> None:
        """One interval of a device: its registers rise, something may go wrong, and it may send."""
        step = state.device.slots_per_interval
        slot = of_day if step == 1 else 0
        state.registers.rise(slot_start_ms(self._start_ms, day, slot), day, slot)
        end_ms = slot_start_ms(self._start_ms, day, of_day + 1)
        plan, channels = state.plan, state.device.channels
        if plan.reset_at == slot:
            state.offset = {channel: -state.registers.values[channel] for channel in channels}
            self._label("reset", state, channels, end_ms)
        if slot in plan.gaps:
            self._label("gap", state, channels, end_ms)
        elif slot in plan.no_data:
            self._label("no_data", state, channels, end_ms)
            state.waiting += [PacketReading(channel, end_ms, None) for channel in channels]
        else:
            passing = self._lie(state, end_ms, day * SLOTS + of_day) if plan.lie_at == slot else {}
            for channel in channels:
                state.waiting.append(PacketReading(channel, end_ms, state.shown(channel, passing.get(channel, 0))))
        gathered = self._per_packet if step == 1 else 1
        if len(state.waiting) >= gathered * len(channels):
            self._send(state, day * SLOTS + of_day, late=plan.late_slots)

    def _lie(self, state: _State, end_ms: int, slot: int) -> dict[str, int]:
        """Falsifies the reading at `end_ms`, for good through `offset`, or for once by what is returned."""
        lie, channel = state.plan.lie, state.device.channels[0]
        match lie:
            case "spike":
                state.offset[channel] += OVER[channel]
            case "night":
                state.offset[channel] += NIGHT_WH
            case "sold":
                channel = "sold"
                state.offset[channel] += SOLD_WH
            case "conflict":
                self._contradict(state, channel, end_ms, slot)
            case _:
                pass
        self._label(f"lie:{lie}", state, (channel,), end_ms)
        return {channel: -BACK_BY[channel]} if lie == "back" else {}

    def _contradict(self, state: _State, channel: str, end_ms: int, slot: int) -> None:
        """Another value for the same reading, in a packet of its own."""
        reading = PacketReading(channel, end_ms, state.shown(channel, 50))
        packet = Packet(state.chain_id, state.next_sequence(), (reading,))
        self._due(state, packet, slot + state.plan.noise.randrange(3))

    def _send(self, state: _State, slot: int, *, late: int) -> None:
        if not state.waiting:
            return
        packet = Packet(state.chain_id, state.next_sequence(), tuple(state.waiting))
        first_end_ms = state.waiting[0].end_ms
        state.waiting = []
        self._due(state, packet, slot + late)
        if late:
            self._label("late", state, ("",), first_end_ms)
        if state.plan.duplicate and state.plan.noise.randrange(SLOTS) == 0:
            self._due(state, packet, slot + late + state.plan.noise.randrange(SLOTS))
            self._label("duplicate", state, ("",), first_end_ms)

    def _due(self, state: _State, packet: Packet, slot: int) -> None:
        self._numbered += 1
        heapq.heappush(self._heap, _Due(slot, self._order.getrandbits(32), self._numbered, state, packet))

    def _label(self, kind: str, state: _State, channels: Sequence[str], end_ms: int) -> None:
        self.labels += [Label(kind, state.chain_id, channel, end_ms) for channel in channels]
