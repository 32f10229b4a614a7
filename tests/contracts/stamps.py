"""A small contract with points, for the tests of the points ledger: it grants and takes back what it is told to."""

from __future__ import annotations

from typing import ClassVar

from contracts import points
from contracts.governance import Governance
from contracts.points import PointsContract, PointsReason
from ledger.contract import Context, Result, Runtime, call
from ledger.refusal import Reason

STAMPS = "stamps"
APP, OFFICER, ADMIN = f"{STAMPS}.app", f"{STAMPS}.officer", f"{STAMPS}.admin"


class Stamps(PointsContract):
    name = STAMPS
    version = 1
    reasons: ClassVar[tuple[type[Reason], ...]] = (PointsReason,)

    @call(roles=[".app"])
    def join(self, ctx: Context, account: str) -> Result:
        """A resident takes part."""
        points.open_account(ctx, account, "resident", ctx.sender.organisation)
        return None

    @call(roles=[".app"])
    def leave(self, ctx: Context, account: str) -> Result:
        """A resident leaves."""
        points.close_account(ctx, account)
        return None

    @call(roles=[".officer"])
    def grant(self, ctx: Context, account: str, count: int, expires_ms: int) -> Result:
        """Points for a resident."""
        return {"lot": points.issue(ctx, account, count, expires_ms, "test")}

    @call(roles=[".officer"])
    def take_back(self, ctx: Context, account: str, count: int) -> Result:
        """Points that a resident should not have had."""
        return {"taken": points.reverse(ctx, account, count, "test")}


class Coupons(Stamps):
    """A second contract with points of its own."""

    name = "coupons"


def runtime() -> Runtime:
    return Runtime([Governance(), Stamps(), Coupons()])
