"""精算: a shop's points become money: closed into a statement, approved, burnt, and paid by a second officer."""

from __future__ import annotations

import msgspec

from contracts.points import accounts, books
from contracts.points.reasons import PointsReason
from contracts.points.types import Found, Statement, StatementStatus, newest_first, tables_of
from ledger.contract import Context, Result
from ledger.refusal import Refused


def close(ctx: Context, shop_id: str) -> Result:
    """E7b: lock all that the shop has into a statement."""
    shop = accounts.shop(ctx, shop_id)
    if not shop.points:
        raise Refused(PointsReason.NOTHING_TO_SETTLE)
    statement = Statement(
        statement=ctx.new_id("statement"),
        shop=shop_id,
        municipality=shop.municipality,
        points=shop.points,
        status="closed",
        approved_by="",
        burnt_by="",
        paid_by="",
        closed_ms=ctx.time_ms,
        changed_ms=ctx.time_ms,
    )
    books.enter(ctx, shop, "settled", -statement.points, statement.statement)
    books.shift(ctx, shop.municipality, statement.points, source="shops", target="locked")
    tables = tables_of(ctx.contract)
    tables.statements.put(ctx.state, statement.statement, statement)
    following = f"{newest_first(ctx.time_ms)}/{statement.statement}"
    tables.statements_in.put(ctx.state, f"{shop.municipality}/{following}", Found(statement.statement))
    tables.statements_of.put(ctx.state, f"{shop_id}/{following}", Found(statement.statement))
    ctx.emit("statement_closed", _subjects(statement), points=statement.points)
    return {"statement": statement.statement, "points": statement.points}


def approve(ctx: Context, statement_id: str) -> Result:
    """E7b: an officer has checked the statement."""
    statement = _in_status(ctx, statement_id, "closed")
    _save(ctx, msgspec.structs.replace(statement, status="approved", approved_by=ctx.sender.account_id))
    ctx.emit("statement_approved", _subjects(statement), points=statement.points)
    return None


def reject(ctx: Context, statement_id: str) -> Result:
    """E7b: an officer sends a statement back before it is approved; the shop has its points again."""
    statement = _in_status(ctx, statement_id, "closed")
    shop = accounts.known(ctx, statement.shop)
    books.shift(ctx, statement.municipality, statement.points, source="locked", target="shops")
    books.enter(ctx, shop, "unsettled", statement.points, statement_id)
    _save(ctx, msgspec.structs.replace(statement, status="rejected"))
    ctx.emit("statement_rejected", _subjects(statement), points=statement.points)
    return None


def burn(ctx: Context, statement_id: str) -> Result:
    """E7b, V7e: the points of an approved statement are erased, once."""
    statement = _in_status(ctx, statement_id, "approved")
    books.shift(ctx, statement.municipality, statement.points, source="locked", target="cashed_out")
    _save(ctx, msgspec.structs.replace(statement, status="burnt", burnt_by=ctx.sender.account_id))
    ctx.emit("statement_burnt", _subjects(statement), points=statement.points)
    return None


def pay(ctx: Context, statement_id: str) -> Result:
    """E7b, E4d: another officer than the one who approved it says that the money is paid."""
    statement = _in_status(ctx, statement_id, "burnt")
    if statement.approved_by == ctx.sender.account_id:
        raise Refused(PointsReason.STATEMENT_SAME_OFFICER)
    _save(ctx, msgspec.structs.replace(statement, status="paid", paid_by=ctx.sender.account_id))
    ctx.emit("statement_paid", _subjects(statement), points=statement.points)
    return None


def _in_status(ctx: Context, statement_id: str, status: StatementStatus) -> Statement:
    statement = tables_of(ctx.contract).statements.get(ctx.state, statement_id)
    if statement is None:
        raise Refused(PointsReason.NO_STATEMENT, statement=statement_id)
    accounts.own(ctx, statement.municipality)
    if statement.status != status:
        raise Refused(PointsReason.STATEMENT_STATE, statement=statement_id, status=statement.status)
    return statement


def _save(ctx: Context, statement: Statement) -> None:
    changed = msgspec.structs.replace(statement, changed_ms=ctx.time_ms)
    tables_of(ctx.contract).statements.put(ctx.state, statement.statement, changed)


def _subjects(statement: Statement) -> list[str]:
    return [f"statement:{statement.statement}", f"shop:{statement.shop}"]
