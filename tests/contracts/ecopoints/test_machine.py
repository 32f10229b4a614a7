"""Random sequences of calls of the eco-point contract, right and wrong, against plain bookkeeping.

After every call: a refused one has changed nothing; the readings on the chain are those that batches brought; a
period's sums are those of its devices and of its members; a rule has paid what its grants say, within its budget; what
a member was granted is what it holds or owes; credits are at most what was applied for, each serial number once.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.ecopoints import members as roles
from contracts.ecopoints.methodology.jcredit import whole_tonnes
from contracts.ecopoints.types import (
    APPLICATIONS,
    BLOCKS,
    DEVICE_REDUCTIONS,
    DEVICES,
    GRANTS,
    MEMBER_REDUCTIONS,
    MEMBERS,
    MONTH_PERIODS,
    OWED,
    PERIODS,
    RULES,
    RUNS,
)
from ledger.encoding import Value
from ledger.registry import Account
from ledger.types import Receipt
from tests.contracts.bench import Bench
from tests.contracts.ecopoints.programme import PV, device, entry
from tests.contracts.world import HACHIOJI, TACHIKAWA

EVERYTHING = 100_000
MEMBER_IDS = ["m1", "m2", "m3"]
MONTHS = ["2024-04", "2024-05", "2024-06", "2025-04"]
PEOPLE = [
    Account("admin", HACHIOJI, (roles.ADMIN,), (), False),
    Account("officer-a", HACHIOJI, (roles.OFFICER,), (), False),
    Account("officer-b", HACHIOJI, (roles.OFFICER,), (), False),
    Account("app", HACHIOJI, (roles.APP,), (), False),
    Account("gateway", HACHIOJI, (roles.GATEWAY,), (), False),
    Account("stranger", TACHIKAWA, (roles.ADMIN, roles.OFFICER, roles.APP, roles.GATEWAY), (), False),
]

members = st.sampled_from(MEMBER_IDS)
months = st.sampled_from(MONTHS)
officers = st.sampled_from(["officer-a", "officer-b", "officer-a", "officer-b", "stranger"])
kilowatt_hours = st.integers(0, 30_000).map(lambda kwh: kwh * 1_000)
choices = st.integers(0, 10**6)


class EcoMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench({HACHIOJI: "八王子市", TACHIKAWA: "立川市"}, PEOPLE)
        self.readings: Counter[str] = Counter()

    @initialize()
    def programme(self) -> None:
        assert self.run("admin", "set_programme", region="tepco").done
        for member in MEMBER_IDS[:2]:
            assert self.run("app", "register_member", member=member, kind="household").done
            first = device(member, "pv", PV, f"first {member}", capacity_w=3_000)
            assert self.run("app", "register_device", **first).done
        for choice in range(2):
            self.measure(choice, "2024-04", 8_000_000, 1_000_000, stale=False)
        self.open_period("officer-a", 0, 2)
        self.set_rule("2024-04", "2024-05", 900_000, 0, (1, 3), "provisional")

    # -- the state as it stands ----------------------------------------------------------------------------------------

    def run(self, sender: str, method: str, **args: Value) -> Receipt:
        before = dict(self.bench.state.writes)
        receipt = self.bench.run(sender, "ecopoints", method, args)
        if not receipt.done:
            assert dict(self.bench.state.writes) == before, f"{method} was refused and has changed something"
            assert receipt.reason in self.bench.runtime.reasons()
        return receipt

    def rows(self, table: Any) -> dict[str, Any]:
        return dict(table.page(self.bench.state, limit=EVERYTHING))

    def one_of(self, table: Any, choice: int) -> str | None:
        found = sorted(self.rows(table))
        return found[choice % len(found)] if found else None

    # -- calls ---------------------------------------------------------------------------------------------------------

    @rule(member=members, leaves=st.integers(0, 9))
    def come_or_go(self, member: str, leaves: int) -> None:
        if leaves:
            self.run("app", "register_member", member=member, kind="household")
        else:
            self.run("app", "leave", member=member)

    @rule(member=members, name=st.sampled_from(["roof", "shed"]))
    def add_plant(self, member: str, name: str) -> None:
        self.run("app", "register_device", **device(member, "pv", PV, name, capacity_w=3_000))

    @rule(choice=choices, month=months, generated=kilowatt_hours, sold=kilowatt_hours, stale=st.booleans())
    def measure(self, choice: int, month: str, generated: int, sold: int, *, stale: bool) -> None:
        self._report(choice, month, generated, sold, stale=stale, correction=False)

    @rule(choice=choices, month=months, generated=kilowatt_hours, sold=kilowatt_hours)
    def correct(self, choice: int, month: str, generated: int, sold: int) -> None:
        self._report(choice, month, generated, sold, stale=False, correction=True)

    def _report(
        self, choice: int, month: str, generated: int, sold: int, *, stale: bool, correction: bool
    ) -> None:  # fmt: skip
        plant = self.one_of(DEVICES, choice)
        if plant is None:
            return
        before = self.readings[plant] + (1 if stale else 0)
        part = entry(plant, before, {month: {"generated": generated, "sold": sold}}, readings=2)
        args: dict[str, Value] = {"root": bytes(32), "readings": 2}
        if correction:
            done = self.run("gateway", "record_correction", **args, entry=part).done
        else:
            done = self.run("gateway", "record_batch", **args, devices=[part]).done
        assert not (done and stale)
        self.readings[plant] += 2 if done else 0

    @rule(sender=officers, first=st.integers(0, 3), count=st.integers(1, 4))
    def open_period(self, sender: str, first: int, count: int) -> None:
        last = MONTHS[min(first + count, len(MONTHS)) - 1]
        self.run(
            sender, "open_period", methodology=PV, first_month=MONTHS[first], last_month=last, factor_table="2026-1"
        )

    @rule(choice=choices, other=choices, limit=st.integers(1, 3), steps=st.integers(1, 8))
    def advance(self, choice: int, other: int, limit: int, steps: int) -> None:
        """The next steps of a period, as officers go through it day by day."""
        for _ in range(steps):
            self._advance(choice, other, limit)

    def _advance(self, choice: int, other: int, limit: int) -> None:
        period = self.one_of(PERIODS, choice)
        if period is None:
            return
        row, runs = self.rows(PERIODS)[period], self.rows(RUNS)
        begun = [run for run in runs.values() if run.period == period and run.status != "paid"]
        if row.status == "open":
            self.run("officer-a", "close_period", period=period)
        elif row.status == "closed":
            self.run("app", "settle_period", period=period, limit=limit)
        elif begun and begun[0].status == "proposed":
            self.run("officer-b", "release_grants", period=period, rule=begun[0].rule)
        elif begun:
            self.run("app", "pay_grants", period=period, rule=begun[0].rule, limit=limit)
        elif (paid_by := self.one_of(RULES, other)) is not None:
            self.run("officer-a", "propose_grants", period=period, rule=paid_by)

    @rule(
        sender=officers, one=choices, other=choices,
        method=st.sampled_from(["propose_grants", "release_grants", "pay_grants"]),
    )  # fmt: skip
    def out_of_turn(self, sender: str, one: int, other: int, method: str) -> None:
        period, paid_by = self.one_of(PERIODS, one), self.one_of(RULES, other)
        if period is not None and paid_by is not None:
            self.run(sender, method, period=period, rule=paid_by)

    @rule(sender=officers, choice=choices, method=st.sampled_from(["close_period", "settle_period"]))
    def too_early_or_again(self, sender: str, choice: int, method: str) -> None:
        if (period := self.one_of(PERIODS, choice)) is not None:
            self.run(sender, method, period=period)

    @rule(
        first=months, last=months, budget=st.integers(0, 900_000), cap=st.sampled_from([0, 50_000]),
        rate=st.sampled_from([(1, 1), (1, 3), (7, 10)]), when=st.sampled_from(["provisional", "certified"]),
    )  # fmt: skip
    def set_rule(self, first: str, last: str, budget: int, cap: int, rate: tuple[int, int], when: str) -> None:
        self.run(
            "officer-a", "set_rule", methodologies=[PV], rate_points=rate[0], rate_kg=rate[1], first_month=first,
            last_month=last, budget=budget, lot_months=6, cap=cap, when=when,
        )  # fmt: skip

    @rule(sender=officers, choice=choices)
    def apply(self, sender: str, choice: int) -> None:
        if (period := self.one_of(PERIODS, choice)) is not None:
            self.run(sender, "apply_for_credits", periods=[period])

    @rule(choice=choices, first=st.integers(1, 9), count=st.integers(0, 6), rejected=st.booleans())
    def certify(self, choice: int, first: int, count: int, rejected: bool) -> None:
        application = self.one_of(APPLICATIONS, choice)
        if application is None:
            return
        if rejected and choice % 3 == 0:
            self.run("officer-a", "reject_application", application=application)
        else:
            args = {"application": application, "prefix": "JC", "first": first, "last": first + count}
            self.run("officer-a", "register_credits", **args)

    @rule(choice=choices, tonnes=st.integers(1, 9))
    def sell(self, choice: int, tonnes: int) -> None:
        if (block := self.one_of(BLOCKS, choice)) is not None:
            args = {"credits_block": block, "tonnes": tonnes, "yen_per_tonne": 2_536, "buyer": "company"}
            self.run("officer-a", "sell_credits", **args)

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def no_reading_is_lost_or_doubled(self) -> None:
        for row in self.rows(DEVICES).values():
            assert row.readings == self.readings[row.device]

    @invariant()
    def a_period_is_the_sum_of_its_devices_and_of_its_members(self) -> None:
        of_devices, of_members = self.rows(DEVICE_REDUCTIONS), self.rows(MEMBER_REDUCTIONS)
        for period in self.rows(PERIODS).values():
            by_device = sum(
                (Fraction(m.reduction) for i, r in of_devices.items() if i.startswith(f"{period.period}/")
                 for m in r.months), Fraction(0),
            )  # fmt: skip
            by_member = sum(
                (Fraction(kg) for i, r in of_members.items() if i.startswith(f"{period.period}/")
                 for kg in r.months.values()), Fraction(0),
            )  # fmt: skip
            assert by_device == by_member
            if period.status != "certified":
                assert by_device == sum((Fraction(y.reduction) for y in period.years.values()), Fraction(0))

    @invariant()
    def a_month_is_in_one_period(self) -> None:
        counted = [i.rsplit("/", 1)[1] for i in self.rows(MONTH_PERIODS)]
        assert len(counted) == len(set(counted))

    @invariant()
    def rules_have_paid_what_their_grants_say_within_budget(self) -> None:
        grants = self.rows(GRANTS)
        for paid_by in self.rows(RULES).values():
            granted = [g for i, g in grants.items() if f"/{paid_by.rule}/" in i]
            assert 0 <= sum(g.points for g in granted) <= paid_by.paid <= paid_by.budget
            assert all(g.points >= 0 and g.unpaid >= 0 for g in granted)
            if paid_by.cap:
                assert all(g.points <= paid_by.cap for g in granted)

    @invariant()
    def what_was_granted_is_held_or_owed(self) -> None:
        granted: Counter[str] = Counter()
        for grant in self.rows(GRANTS).values():
            granted[grant.member] += grant.points
        owed = {member: row.points for member, row in self.rows(OWED).items()}
        for member, row in self.rows(MEMBERS).items():
            if row.left_ms is None:
                found: Any = self.bench.query("ecopoints", "points_account", account=member)
                held = found["points"]
                assert held - owed.get(member, 0) == granted[member]

    @invariant()
    def credits_are_at_most_what_was_applied_for(self) -> None:
        blocks = list(self.rows(BLOCKS).values())
        for application in self.rows(APPLICATIONS).values():
            own = [b for b in blocks if b.application == application.application]
            assert sum(b.last - b.first + 1 for b in own) == application.approved <= application.tonnes
        serials = [n for b in blocks for n in range(b.first, b.last + 1)]
        assert len(serials) == len(set(serials))
        assert all(0 <= b.sold <= b.last - b.first + 1 for b in blocks)

    @invariant()
    def an_application_is_whole_tonnes_of_its_periods(self) -> None:
        for application in self.rows(APPLICATIONS).values():
            years = {int(year): Fraction(tonnes * 1000) for year, tonnes in application.tonnes_by_year.items()}
            assert whole_tonnes(years).total == application.tonnes


TestEcoMachine = pytest.mark.function("E8a")(EcoMachine.TestCase)
TestEcoMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
