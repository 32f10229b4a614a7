"""What can be asked of the points ledger. Every list goes on from a cursor: the `next` of the page before."""

from __future__ import annotations

import msgspec

from contracts.points.types import (
    Account,
    Entry,
    Found,
    Lot,
    Payment,
    Redemption,
    Reward,
    Statement,
    Tables,
)
from ledger.kv import Reader
from ledger.table import Row, Table


class AccountView(msgspec.Struct, frozen=True):
    """An account as of the head: without the lots that have expired, whether their expiry is entered or not."""

    account: str
    kind: str
    municipality: str
    points: int
    lots: list[Lot]
    next_expiry_ms: int | None
    next_expiry_points: int
    closed: bool


class AccountPage(msgspec.Struct, frozen=True):
    rows: list[AccountView]
    next: str
    """Where to go on; empty at the end."""


class EntryPage(msgspec.Struct, frozen=True):
    rows: list[Entry]
    next: str


class PaymentPage(msgspec.Struct, frozen=True):
    rows: list[Payment]
    next: str


class StatementPage(msgspec.Struct, frozen=True):
    rows: list[Statement]
    next: str


class RewardPage(msgspec.Struct, frozen=True):
    rows: list[Reward]
    next: str


class RedemptionPage(msgspec.Struct, frozen=True):
    rows: list[Redemption]
    next: str


def account_view(account: Account, time_ms: int) -> AccountView:
    lots = [lot for lot in account.lots if lot.expires_ms > time_ms]
    return AccountView(
        account=account.account,
        kind=account.kind,
        municipality=account.municipality,
        points=account.points if account.kind == "shop" else sum(lot.points for lot in lots),
        lots=lots,
        next_expiry_ms=lots[0].expires_ms if lots else None,
        next_expiry_points=lots[0].points if lots else 0,
        closed=account.closed_ms is not None,
    )


def accounts(state: Reader, tables: Tables, prefix: str, time_ms: int, after: str, limit: int) -> AccountPage:
    page = tables.accounts_in.page(state, prefix=prefix, after=after, limit=limit)
    found = [tables.accounts.get(state, row_id.rsplit("/", 1)[1]) for row_id, _ in page]
    following = page[-1][0] if len(page) == limit else ""
    return AccountPage([account_view(a, time_ms) for a in found if a is not None], following)


def history(state: Reader, tables: Tables, account: str, after: str, limit: int) -> EntryPage:
    page = tables.entries.page(state, prefix=f"{account}/", after=after, limit=limit)
    return EntryPage([entry for _, entry in page], page[-1][0] if len(page) == limit else "")


def listed(
    state: Reader, index: Table[Found], table: Table[Row], prefix: str, after: str, limit: int
) -> tuple[list[Row], str]:
    """The rows to which a page of an index leads, and where to go on."""
    page = index.page(state, prefix=prefix, after=after, limit=limit)
    found = [table.get(state, leads.id) for _, leads in page]
    return [row for row in found if row is not None], page[-1][0] if len(page) == limit else ""
