"""A fiscal year of solar plants on the real contract, for the tests of the pages of periods, grants and credits."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from apps.ecopoints.signing import app_account, gateway_account
from tests.apps.ecopoints.chain import EcoChain
from tests.contracts.ecopoints.programme import PV, TABLE, YEAR_2024, batch, device, entry
from tests.contracts.world import HACHIOJI

FIRST, LAST = YEAR_2024
MONTHS = {f"2024-{m:02d}": {"generated": 300_000, "sold": 200_000} for m in range(4, 13)} | {
    f"2025-{m:02d}": {"generated": 300_000, "sold": 200_000} for m in range(1, 4)
}
"""3,600 kWh generated and 2,400 sold in fiscal year 2024: 1,200 kWh × 0.421 kg = 505.2 kg."""
KILOGRAMS = Fraction(5052, 10)
FIRST_OFFICER, SECOND_OFFICER = (f"eco-officer-{n}.{HACHIOJI}" for n in (1, 2))


class Books:
    """What happens on the chain beside the pages."""

    def __init__(self, chain: EcoChain) -> None:
        self.chain = chain
        self.app = partial(chain.act, app_account(HACHIOJI), "ecopoints")
        self.gateway = partial(chain.act, gateway_account(HACHIOJI), "ecopoints")
        self.officer = partial(chain.act, FIRST_OFFICER, "ecopoints")
        self.second = partial(chain.act, SECOND_OFFICER, "ecopoints")
        self.ask = partial(chain.world.query, "ecopoints")

    def plants(self, count: int, months: dict[str, dict[str, int]] = MONTHS) -> list[str]:
        """As many members with a plant each that measured these months."""
        found = []
        for number in range(count):
            member = f"member-{number}"
            self.app("register_member", member=member, kind="household")
            plant = self.app("register_device", **device(member, "pv", PV, member, capacity_w=3_000))["device"]
            self.gateway("record_batch", **batch(entry(plant, 0, months)))
            found.append(str(plant))
        return found

    def opened(self, months: tuple[str, str] = YEAR_2024) -> str:
        first, last = months
        return str(
            self.officer("open_period", methodology=PV, first_month=first, last_month=last, factor_table=TABLE)[
                "period"
            ]
        )

    def settled(self, months: tuple[str, str] = YEAR_2024) -> str:
        period = self.opened(months)
        self.officer("close_period", period=period)
        while self.app("settle_period", period=period)["left"]:
            pass
        return period

    def rule(self, **changes: Any) -> str:
        args: dict[str, Any] = {
            "methodologies": [PV], "rate_points": 1, "rate_kg": 1, "first_month": FIRST, "last_month": LAST,
            "budget": 100_000, "lot_months": 12,
        }  # fmt: skip
        return str(self.officer("set_rule", **{**args, **changes})["rule"])

    def paid(self, period: str, rule: str) -> None:
        self.officer("propose_grants", period=period, rule=rule)
        self.second("release_grants", period=period, rule=rule)
        while self.app("pay_grants", period=period, rule=rule)["left"]:
            pass

    def correct(self, plant: str, sold: int, month: str = "2024-05") -> None:
        """A late reading of a closed month."""
        before = self.ask("device", device=plant)["readings"]
        late = entry(plant, before, {month: {"generated": 300_000, "sold": sold}}, readings=1)
        self.gateway("record_correction", root=bytes(32), readings=1, entry=late)

    def certified(self, period: str, *, last: int) -> str:
        """Serial numbers `JC-1` to `JC-<last>` for the period; the application."""
        application = str(self.officer("apply_for_credits", periods=[period])["application"])
        self.officer("register_credits", application=application, prefix="JC", first=1, last=last)
        return application
