"""Accounts of residents and shops, issuing, reversing, expiring: what the contract that grants points calls.

The functions act in the contract of the running call (`ctx.contract`) and for the sender's municipality only.
"""

from __future__ import annotations

import msgspec

from contracts.points import books
from contracts.points.reasons import PointsReason
from contracts.points.types import Account, AccountKind, Lot, Tables, tables_of
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

DAY_MS = 86_400_000
JST_MS = 9 * 3_600_000
MAX_EXPIRED = 100
"""Accounts that one call of `expire` goes through: an event for each."""


def own(ctx: Context, municipality: str) -> None:
    """X6: everybody acts for their own municipality only."""
    if municipality != ctx.sender.organisation:
        raise Refused(PointsReason.ACCOUNT_ELSEWHERE, municipality=municipality)


def known(ctx: Context, account_id: str) -> Account:
    account = tables_of(ctx.contract).accounts.get(ctx.state, account_id)
    if account is None:
        raise Refused(PointsReason.NO_ACCOUNT, account=account_id)
    own(ctx, account.municipality)
    return account


def resident(ctx: Context, account_id: str) -> Account:
    """A resident's account that is not closed."""
    account = known(ctx, account_id)
    if account.kind != "resident":
        raise Refused(PointsReason.NOT_A_RESIDENT, account=account_id)
    return _not_closed(account)


def shop(ctx: Context, account_id: str) -> Account:
    """A shop's account that is not closed."""
    account = known(ctx, account_id)
    if account.kind != "shop":
        raise Refused(PointsReason.NOT_A_SHOP, account=account_id)
    return _not_closed(account)


def _not_closed(account: Account) -> Account:
    if account.closed_ms is not None:
        raise Refused(PointsReason.ACCOUNT_CLOSED, account=account.account)
    return account


def open_account(ctx: Context, account_id: str, kind: AccountKind, municipality: str) -> None:
    """An empty account. An id is used once, even after its account is closed."""
    own(ctx, municipality)
    tables = tables_of(ctx.contract)
    if tables.accounts.get(ctx.state, account_id) is not None:
        raise Refused(PointsReason.ACCOUNT_EXISTS, account=account_id)
    books.save(ctx, Account(account_id, kind, municipality, 0, (), 0, ctx.time_ms, None))
    tables.accounts_in.put(ctx.state, f"{municipality}/{kind}/{account_id}", Mark())
    ctx.emit("account_opened", [subject(kind, account_id)], kind=kind)


def subject(kind: AccountKind, account_id: str) -> str:
    return f"shop:{account_id}" if kind == "shop" else f"account:{account_id}"


def close_account(ctx: Context, account_id: str) -> None:
    """A resident leaves, and what is left expires; or a shop that has nothing left."""
    account = _not_closed(known(ctx, account_id))
    if account.kind == "shop" and account.points:
        raise Refused(PointsReason.SHOP_HAS_POINTS, points=account.points)
    account = msgspec.structs.replace(account, closed_ms=ctx.time_ms)
    books.save(ctx, account)
    books.sweep(ctx, account)
    ctx.emit("account_closed", [subject(account.kind, account_id)])


def issue(ctx: Context, account_id: str, points: int, expires_ms: int, source: str) -> str:
    """Points come into being for a resident, until `expires_ms`, a midnight of Japan. The lot they are in."""
    if points <= 0:
        raise BrokenInvariant(f"{points} points cannot be issued")
    if expires_ms <= ctx.time_ms or (expires_ms + JST_MS) % DAY_MS:
        raise Refused(PointsReason.BAD_EXPIRY)
    account = books.give(ctx, resident(ctx, account_id), (Lot(expires_ms, points),), "issued", source, source="issued")
    ctx.emit(
        "points_issued", [f"account:{account_id}"], points=points, balance=account.points, expires_ms=expires_ms,
        source=source,
    )  # fmt: skip
    return f"{account_id}/{expires_ms}"


def reverse(ctx: Context, account_id: str, points: int, source: str) -> int:
    """Take back points that were issued wrongly: as many as are unspent, at most `points`. How many that were.

    Of an account that is closed, none: what it had has expired. The shortfall is the caller's to remember.
    """
    account = books.sweep(ctx, known(ctx, account_id))
    taken = min(points, account.points if account.kind == "resident" else 0)
    if taken <= 0:
        return 0
    books.take(ctx, account, taken, "reversed", source, target="reversed")
    ctx.emit("points_reversed", [f"account:{account_id}"], points=taken, source=source)
    return taken


def is_due(state: Reader, tables: Tables, municipality: str, now_ms: int) -> bool:
    """Whether the earliest lot of the municipality has expired."""
    page = tables.due.page(state, prefix=f"{municipality}/", limit=1)
    return any(int(row_id.rsplit("/", 2)[1]) <= now_ms for row_id, _ in page)


def expire(ctx: Context, limit: int) -> Result:
    """E7c: the lots of the municipality whose time has come, the earliest first, of at most `limit` accounts."""
    tables = tables_of(ctx.contract)
    page = tables.due.page(ctx.state, prefix=f"{ctx.sender.organisation}/", limit=limit + 1)
    due = [row_id.rsplit("/", 2)[2] for row_id, _ in page if int(row_id.rsplit("/", 2)[1]) <= ctx.time_ms]
    for account_id in due[:limit]:
        books.sweep(ctx, known(ctx, account_id))
    return {"accounts": len(due[:limit]), "left": len(due) > limit}
