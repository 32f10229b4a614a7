"""The books: the one place where accounts and totals are written, and where what must hold of them is held.

An account never goes below nothing, a resident's points are the sum of the lots, and whatever was issued in a
municipality is in exactly one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from contracts.points.reasons import PointsReason
from contracts.points.types import MAX_LOTS, Account, Entry, EntryKind, Lot, Totals, newest_first, tables_of
from ledger.contract import Context
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

Place = Literal["residents", "shops", "locked", "rewards", "cashed_out", "redeemed", "expired", "reversed"]


# -- totals ------------------------------------------------------------------------------------------------------------


def shift(ctx: Context, municipality: str, points: int, *, source: Place | Literal["issued"], target: Place) -> None:
    """Points go from one place to another; from `issued` they come into being."""
    tables = tables_of(ctx.contract)
    places: dict[str, int] = msgspec.structs.asdict(tables.totals.get(ctx.state, municipality) or Totals())
    places[source] += points if source == "issued" else -points
    places[target] += points
    totals = Totals(**places)
    if points < 0 or min(places.values()) < 0 or sum(places.values()) != 2 * totals.issued:
        raise BrokenInvariant(f"points of {municipality}: {points} from {source} to {target} do not add up: {totals}")
    tables.totals.put(ctx.state, municipality, totals)


# -- lots --------------------------------------------------------------------------------------------------------------


def merged(lots: Iterable[Lot]) -> tuple[Lot, ...]:
    """Lots by expiry, one for each date. Beyond `MAX_LOTS` the earliest joins the next, and so lives longer."""
    by_date: dict[int, int] = {}
    for lot in lots:
        by_date[lot.expires_ms] = by_date.get(lot.expires_ms, 0) + lot.points
    dates = sorted(by_date)
    while len(dates) > MAX_LOTS:
        earliest = dates.pop(0)
        by_date[dates[0]] += by_date.pop(earliest)
    return tuple(Lot(date, by_date[date]) for date in dates)


def split(lots: Iterable[Lot], points: int) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """`points` off the first lots, and what is left."""
    taken: list[Lot] = []
    left: list[Lot] = []
    for lot in lots:
        part = min(lot.points, points)
        points -= part
        if part:
            taken.append(Lot(lot.expires_ms, part))
        if part < lot.points:
            left.append(Lot(lot.expires_ms, lot.points - part))
    if points:
        raise BrokenInvariant(f"lots are short of {points} points")
    return tuple(taken), tuple(left)


# -- accounts ----------------------------------------------------------------------------------------------------------


def save(ctx: Context, account: Account) -> None:
    """Write an account; while it has lots it stands in the index of what is due, under its earliest expiry."""
    in_lots = sum(lot.points for lot in account.lots)
    if account.points < 0 or in_lots != (account.points if account.kind == "resident" else 0):
        raise BrokenInvariant(f"account {account.account} has {account.points} points and {in_lots} in lots")
    tables = tables_of(ctx.contract)
    before = tables.accounts.get(ctx.state, account.account)
    was_due, is_due = due_id(before), due_id(account)
    if was_due and was_due != is_due:
        tables.due.delete(ctx.state, was_due)
    if is_due and was_due != is_due:
        tables.due.put(ctx.state, is_due, Mark())
    tables.accounts.put(ctx.state, account.account, account)


def due_id(account: Account | None) -> str:
    if account is None or not account.lots:
        return ""
    return f"{account.municipality}/{account.lots[0].expires_ms:015d}/{account.account}"


def enter(
    ctx: Context, account: Account, kind: EntryKind, points: int, about: str, lots: tuple[Lot, ...] = ()
) -> Account:
    """Change an account by `points`; `lots` are those that a resident then has."""
    account = msgspec.structs.replace(account, points=account.points + points, lots=lots, entries=account.entries + 1)
    save(ctx, account)
    entry_id = f"{account.account}/{newest_first(account.entries)}"
    tables_of(ctx.contract).entries.put(ctx.state, entry_id, Entry(kind, points, account.points, about, ctx.time_ms))
    return account


def sweep(ctx: Context, account: Account) -> Account:
    """The account without the lots whose time has come; without any lot once it is closed."""
    due = [lot for lot in account.lots if account.closed_ms is not None or lot.expires_ms <= ctx.time_ms]
    if not due:
        return account
    points = sum(lot.points for lot in due)
    account = enter(ctx, account, "expired", -points, "", account.lots[len(due) :])
    shift(ctx, account.municipality, points, source="residents", target="expired")
    ctx.emit("points_expired", [f"account:{account.account}"], points=points, balance=account.points)
    return account


def take(ctx: Context, account: Account, points: int, kind: EntryKind, about: str, *, target: Place) -> tuple[Lot, ...]:
    """Points leave a resident, earliest expiry first; what has expired is not there any more. The lots they were in."""
    account = sweep(ctx, account)
    if account.points < points:
        raise Refused(PointsReason.NOT_ENOUGH_POINTS, points=account.points)
    taken, left = split(account.lots, points)
    enter(ctx, account, kind, -points, about, left)
    shift(ctx, account.municipality, points, source="residents", target=target)
    return taken


def give(
    ctx: Context, account: Account, lots: tuple[Lot, ...], kind: EntryKind, about: str,
    *, source: Place | Literal["issued"],
) -> Account:  # fmt: skip
    """Lots come to a resident with their expiry. What has expired meanwhile, or finds the account closed, expires."""
    account = sweep(ctx, account)
    points = sum(lot.points for lot in lots)
    # What has expired stays apart: joined to a later lot it would live again.
    due = [lot for lot in lots if lot.expires_ms <= ctx.time_ms]
    living = [lot for lot in lots if lot.expires_ms > ctx.time_ms]
    account = enter(ctx, account, kind, points, about, (*due, *merged((*account.lots, *living))))
    shift(ctx, account.municipality, points, source=source, target="residents")
    return sweep(ctx, account)
