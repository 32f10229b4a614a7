"""Which rows of the books an event names, and how they are read again: the part of the copy for rules and credits."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field

from apps.common.copying import Asker, fields
from apps.common.database import Base
from apps.ecopoints.books.tables import ApplicationRow, CreditRow, RuleRow, RunRow, SaleRow
from contracts.ecopoints.queries import RunPage, SalePage
from contracts.ecopoints.types import Application, CreditBlock, Rule

PAGE = 100
MOVES_GRANTS = frozenset({"grants_proposed", "grants_released", "grants_paid", "points_granted", "adjusted"})
"""Events of a period after which its grants, and what is paid of their rules, stand differently."""


@dataclass(slots=True)
class ChangedBooks:
    """The ids of rows that events named."""

    rules: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)
    """Periods whose grants changed."""
    applications: set[str] = field(default_factory=set)
    credits: set[str] = field(default_factory=set)

    def note(self, event: str, kind: str, row_id: str) -> None:
        match kind:
            case "rule":
                self.rules.add(row_id)
            case "period" if event in MOVES_GRANTS:
                self.granted.add(row_id)
            case "application":
                self.applications.add(row_id)
            case "credits":
                self.credits.add(row_id)
            case _:
                pass

    def __len__(self) -> int:
        return len(self.rules) + len(self.granted) + len(self.applications) + len(self.credits)

    @property
    def topics(self) -> list[str]:
        grants, credits = self.rules or self.granted, self.applications or self.credits
        return (["grants"] if grants else []) + (["credits"] if credits else [])

    def read(self, asker: Asker, found: list[Base]) -> Iterator[Awaitable[None]]:
        """The rows as they stand, into `found`."""
        yield from (_rule(asker, found, rule) for rule in self.rules)
        yield from (_runs(asker, found, period) for period in self.granted)
        yield from (_application(asker, found, application) for application in self.applications)
        yield from (_credits(asker, found, block) for block in self.credits)


async def _rule(asker: Asker, found: list[Base], rule: str) -> None:
    if (row := await asker.one(Rule, "rule", {"rule": rule})) is not None:
        found.append(RuleRow(**fields(row)))


async def _runs(asker: Asker, found: list[Base], period: str) -> None:
    """Few: a rule or two for each period. An adjustment names its period alone, so their rules are read with them."""
    page = await asker.one(RunPage, "runs", {"period": period, "limit": PAGE})
    for run in page.rows if page is not None else ():
        found.append(RunRow(**fields(run)))
        await _rule(asker, found, run.rule)


async def _application(asker: Asker, found: list[Base], application: str) -> None:
    if (row := await asker.one(Application, "application", {"application": application})) is not None:
        found.append(ApplicationRow(**fields(row)))


async def _credits(asker: Asker, found: list[Base], block: str) -> None:
    if (row := await asker.one(CreditBlock, "credit_block", {"credits_block": block})) is None:
        return
    found.append(CreditRow(**fields(row)))
    after = ""
    while True:
        page = await asker.one(SalePage, "sales", {"credits_block": block, "after": after, "limit": PAGE})
        if page is None:
            return
        found += [SaleRow(**fields(sale)) for sale in page.rows]
        after = page.next
        if not after:
            return
