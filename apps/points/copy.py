"""What the copy of the points ledger holds: shops with the lines of their books, payments, statements, rewards, orders.

`apps.common.copying` follows the chain and writes; here is which rows an event names, and how they are read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.copying import Asker, fields, gather
from apps.common.database import Base
from apps.points.tables import LineRow, PaymentRow, RedemptionRow, RewardRow, ShopRow, StatementRow
from contracts.points.queries import AccountView
from contracts.points.types import Payment, Redemption, Reward, Statement

CURSOR = "points-copy-1"
"""With another number the copy is built anew: raise it when its tables change."""
KINDS = ("shop", "payment", "statement", "reward", "redemption")
LINES = {
    "payment_confirmed": ("received", 1, "payment"),
    "payment_refunded": ("given_back", -1, "payment"),
    "statement_closed": ("settled", -1, "statement"),
    "statement_rejected": ("unsettled", 1, "statement"),
}
"""Event -> what it enters in the shop's book, its sign, and what it is about."""
HEIGHT, INDEX = 10**8, 10**3
"""A position is height, index in the block and place among the transaction's events."""
TOPIC = "points"


def account_topic(account: str) -> str:
    """The live list of what concerns one resident or shop."""
    return f"points-{account}"


@dataclass(slots=True)
class Changed:
    """The ids of rows that events named, by the kind of their subjects, and the lines that they entered."""

    ids: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    accounts: set[str] = field(default_factory=set)
    lines: list[LineRow] = field(default_factory=list)

    def note(self, steps: Iterable[Step]) -> None:
        seen: Counter[tuple[int, int]] = Counter()
        for step in steps:
            named = dict(subject.split(":", 1) for subject in step.event.subjects)
            for kind, row_id in named.items():
                if kind in self.ids:
                    self.ids[kind].add(row_id)
                if kind in ("account", "shop"):
                    self.accounts.add(row_id)
            position = step.height * HEIGHT + step.index * INDEX + seen[step.height, step.index]
            seen[step.height, step.index] += 1
            if (line := _line(step, named, position)) is not None:
                self.lines.append(line)

    def __len__(self) -> int:
        return sum(map(len, self.ids.values()))

    @property
    def topics(self) -> list[str]:
        own = [account_topic(account) for account in sorted(self.accounts)]
        return [TOPIC, *own] if len(self) or own else []

    async def read(self, asker: Asker) -> Rows:
        """The rows as they stand."""
        found = Rows()
        await gather(self._work(found, asker))
        # Another contract of the chain may keep points too: what ours does not know is not ours.
        known = {row.payment for row in found.rows if isinstance(row, PaymentRow)}
        known |= {row.statement for row in found.rows if isinstance(row, StatementRow)}
        found.rows += [line for line in self.lines if line.about in known]
        return found

    def _work(self, found: Rows, asker: Asker) -> Iterator[Awaitable[None]]:
        for shop in self.ids["shop"]:
            yield _shop(found, asker, shop)
        for payment in self.ids["payment"]:
            yield _payment(found, asker, payment)
        for statement in self.ids["statement"]:
            yield _statement(found, asker, statement)
        for reward in self.ids["reward"]:
            yield _reward(found, asker, reward)
        for redemption in self.ids["redemption"]:
            yield _redemption(found, asker, redemption)


def _line(step: Step, named: dict[str, str], position: int) -> LineRow | None:
    if step.event.name not in LINES:
        return None
    kind, sign, subject = LINES[step.event.name]
    points = int(step.event.data["points"] or 0)
    return LineRow(
        position=position, shop=named["shop"], kind=kind, points=sign * points, about=named[subject],
        at_ms=step.time_ms,
    )  # fmt: skip


@dataclass(slots=True)
class Rows:
    rows: list[Base] = field(default_factory=list)

    def put(self, session: Session) -> None:
        for row in self.rows:
            session.merge(row)


async def _shop(found: Rows, asker: Asker, shop: str) -> None:
    view = await asker.one(AccountView, "points_account", {"account": shop})
    if view is not None and view.kind == "shop":
        row = ShopRow(account=shop, municipality=view.municipality, points=view.points, closed=view.closed)
        found.rows.append(row)


async def _payment(found: Rows, asker: Asker, payment: str) -> None:
    if (row := await asker.one(Payment, "payment", {"payment": payment})) is not None:
        found.rows.append(PaymentRow(**_without_lots(row)))


async def _statement(found: Rows, asker: Asker, statement: str) -> None:
    if (row := await asker.one(Statement, "statement", {"statement": statement})) is not None:
        found.rows.append(StatementRow(**fields(row)))


async def _reward(found: Rows, asker: Asker, reward: str) -> None:
    if (row := await asker.one(Reward, "reward", {"reward": reward})) is not None:
        found.rows.append(RewardRow(**fields(row)))


async def _redemption(found: Rows, asker: Asker, redemption: str) -> None:
    if (row := await asker.one(Redemption, "redemption", {"redemption": redemption})) is not None:
        found.rows.append(RedemptionRow(**_without_lots(row)))


def _without_lots(row: msgspec.Struct) -> dict[str, object]:
    return {name: value for name, value in fields(row).items() if name != "lots"}
