"""A municipality's eco-point programme on a chain in memory, for the tests of the eco-point contract."""

from __future__ import annotations

from typing import Any

from ledger.crypto import sha256
from ledger.encoding import Value
from tests.contracts.world import HACHIOJI, TACHIKAWA, World, account

PV, EV = "EN-R-002", "EN-S-012"
TABLE = "2026-1"
YEAR_2024 = ("2024-04", "2025-03")


def commitment(text: str) -> str:
    return sha256(text.encode()).hex()


class Programme(World):
    """八王子市 with an administrator, two officers, its application and gateway; 立川市 with an officer."""

    def __init__(self) -> None:
        super().__init__(
            account("admin-h", HACHIOJI, "ecopoints.admin"),
            account("officer-a", HACHIOJI, "ecopoints.officer"),
            account("officer-b", HACHIOJI, "ecopoints.officer"),
            account("app-h", HACHIOJI, "ecopoints.app"),
            account("gateway-h", HACHIOJI, "ecopoints.gateway"),
            account("admin-t", TACHIKAWA, "ecopoints.admin"),
            account("officer-t", TACHIKAWA, "ecopoints.officer"),
            account("app-t", TACHIKAWA, "ecopoints.app"),
            account("gateway-t", TACHIKAWA, "ecopoints.gateway"),
        )
        self.eco("admin-h", "set_programme", region="tepco")

    def eco(self, sender: str, method: str, /, **args: Value) -> dict[str, Any]:
        return self.done(sender, "ecopoints", method, **args)

    def refuses(self, sender: str, method: str, /, **args: Value) -> str:
        return self.refused(sender, "ecopoints", method, **args)

    def ask(self, method: str, /, **args: object) -> Any:
        return self.query("ecopoints", method, **args)

    def join(self, member: str, kind: str = "household") -> str:
        self.eco("app-h", "register_member", member=member, kind=kind)
        return member

    def pv(self, member: str, *, name: str = "", capacity_w: int = 3_000) -> str:
        """A solar plant of the member."""
        name = name or f"pv-{member}"
        return str(
            self.eco("app-h", "register_device", **device(member, "pv", PV, name, capacity_w=capacity_w))["device"]
        )

    def batch(self, *entries: dict[str, Value]) -> dict[str, Any]:
        return self.eco("gateway-h", "record_batch", **batch(*entries))

    def measured(self, device_id: str, months: dict[str, dict[str, int]], readings: int = 48) -> None:
        """The device's months, as a batch of `readings` more readings states them."""
        self.batch(entry(device_id, self.ask("device", device=device_id)["readings"], months, readings=readings))

    def settled(self, *, methodology: str = PV, months: tuple[str, str] = YEAR_2024) -> str:
        """A period over `months`, opened, closed and settled."""
        period = self.opened(methodology=methodology, months=months)
        self.eco("officer-a", "close_period", period=period)
        self.settle(period)
        return period

    def opened(self, *, methodology: str = PV, months: tuple[str, str] = YEAR_2024) -> str:
        first, last = months
        found = self.eco(
            "officer-a", "open_period", methodology=methodology, first_month=first, last_month=last, factor_table=TABLE
        )
        return str(found["period"])

    def settle(self, period: str, limit: int = 50) -> None:
        while self.eco("app-h", "settle_period", period=period, limit=limit)["left"]:
            pass

    def rule(self, **changes: Value) -> str:
        args: dict[str, Value] = {
            "methodologies": [PV, EV], "rate_points": 1, "rate_kg": 1, "first_month": "2024-04",
            "last_month": "2025-03", "budget": 100_000, "lot_months": 12,
        }  # fmt: skip
        return str(self.eco("officer-a", "set_rule", **{**args, **changes})["rule"])

    def paid(self, period: str, rule: str, limit: int = 50) -> None:
        """The grant of the rule for the period, proposed, released by another officer, and paid."""
        self.eco("officer-a", "propose_grants", period=period, rule=rule)
        self.eco("officer-b", "release_grants", period=period, rule=rule)
        while self.eco("app-h", "pay_grants", period=period, rule=rule, limit=limit)["left"]:
            pass

    def points_granted(self, period: str, rule: str) -> dict[str, int]:
        return {row["member"]: row["points"] for row in self.ask("grants", period=period, rule=rule)["rows"]}


def device(member: str, kind: str, methodology: str, name: str, **parameters: Value) -> dict[str, Value]:
    return {
        "member": member, "kind": kind, "methodology": methodology, "parameters": parameters,
        "serial": commitment(f"serial {name}"), "place": commitment(f"place {name}"),
    }  # fmt: skip


def entry(device_id: str, before: int, months: dict[str, dict[str, int]], *, readings: int = 48) -> dict[str, Value]:
    return {
        "device": device_id, "before": before, "readings": before + readings,
        "months": [
            {"month": month, "totals": dict(totals), "covered": 48, "expected": 1_440}
            for month, totals in months.items()
        ],
    }  # fmt: skip


def batch(*entries: dict[str, Value], root: bytes = bytes(32)) -> dict[str, Value]:
    count = sum(e["readings"] - e["before"] for e in entries)  # type: ignore[operator]
    return {"root": root, "readings": count, "devices": list(entries)}
