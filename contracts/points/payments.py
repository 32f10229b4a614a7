"""支払 and 払戻: a resident opens a payment, a shop confirms it with the resident's one-time code, or gives it back."""

from __future__ import annotations

import msgspec

from contracts.points import accounts, books
from contracts.points.codes import commitment
from contracts.points.reasons import PointsReason
from contracts.points.types import Found, Payment, newest_first, tables_of
from ledger.contract import Context, Result
from ledger.refusal import Refused


def known(ctx: Context, payment_id: str) -> Payment:
    payment = tables_of(ctx.contract).payments.get(ctx.state, payment_id)
    if payment is None:
        raise Refused(PointsReason.NO_PAYMENT, payment=payment_id)
    accounts.own(ctx, payment.municipality)
    return payment


def _open(payment: Payment) -> Payment:
    if payment.status != "open":
        raise Refused(PointsReason.PAYMENT_ENDED, payment=payment.payment, status=payment.status)
    return payment


def _save(ctx: Context, payment: Payment) -> None:
    tables_of(ctx.contract).payments.put(ctx.state, payment.payment, payment)


def _subjects(payment: Payment) -> list[str]:
    told = [f"payment:{payment.payment}", f"account:{payment.account}"]
    return [*told, f"shop:{payment.shop}"] if payment.shop else told


def open_payment(ctx: Context, account_id: str, points: int, code_commitment: str, valid_ms: int) -> Result:
    """E7a: a resident is about to pay. No point moves yet, and none is kept back."""
    tables = tables_of(ctx.contract)
    account = accounts.resident(ctx, account_id)
    spendable = sum(lot.points for lot in account.lots if lot.expires_ms > ctx.time_ms)
    if spendable < points:
        raise Refused(PointsReason.NOT_ENOUGH_POINTS, points=spendable)
    if tables.payment_codes.get(ctx.state, code_commitment) is not None:
        raise Refused(PointsReason.CODE_USED)
    payment = Payment(
        payment=ctx.new_id("payment"),
        account=account_id,
        municipality=account.municipality,
        points=points,
        status="open",
        shop="",
        lots=(),
        refunded=0,
        opened_ms=ctx.time_ms,
        until_ms=ctx.time_ms + valid_ms,
        paid_ms=None,
    )
    _save(ctx, payment)
    tables.payment_codes.put(ctx.state, code_commitment, Found(payment.payment))
    _list(ctx, account_id, payment)
    ctx.emit("payment_opened", _subjects(payment), points=points, until_ms=payment.until_ms)
    return {"payment": payment.payment, "until_ms": payment.until_ms}


def _list(ctx: Context, account_id: str, payment: Payment) -> None:
    row_id = f"{account_id}/{newest_first(ctx.time_ms)}/{payment.payment}"
    tables_of(ctx.contract).payments_of.put(ctx.state, row_id, Found(payment.payment))


def cancel(ctx: Context, payment_id: str, account_id: str) -> Result:
    """E7a: the resident takes back a payment that no shop has confirmed."""
    payment = _open(known(ctx, payment_id))
    if payment.account != account_id:
        raise Refused(PointsReason.OTHER_PAYER)
    _save(ctx, msgspec.structs.replace(payment, status="cancelled"))
    ctx.emit("payment_cancelled", _subjects(payment), points=payment.points)
    return None


def confirm(ctx: Context, code: str, shop_id: str) -> Result:
    """E7a: the shop shows that it has the resident's code; now, and only now, the points move."""
    tables = tables_of(ctx.contract)
    found = tables.payment_codes.get(ctx.state, commitment(code))
    if found is None:
        raise Refused(PointsReason.UNKNOWN_CODE)
    payment = _open(known(ctx, found.id))
    if ctx.time_ms >= payment.until_ms:
        raise Refused(PointsReason.PAYMENT_LAPSED, payment=payment.payment)
    shop = accounts.shop(ctx, shop_id)
    payer = accounts.resident(ctx, payment.account)
    lots = books.take(ctx, payer, payment.points, "paid", payment.payment, target="shops")
    shop = books.enter(ctx, shop, "received", payment.points, payment.payment)
    payment = msgspec.structs.replace(payment, status="paid", shop=shop_id, lots=lots, paid_ms=ctx.time_ms)
    _save(ctx, payment)
    _list(ctx, shop_id, payment)
    ctx.emit("payment_confirmed", _subjects(payment), points=payment.points)
    return {"payment": payment.payment, "points": payment.points, "shop_points": shop.points}


def refund(ctx: Context, payment_id: str, shop_id: str, points: int) -> Result:
    """E7c: the shop gives back all or part of a payment; the latest of the lots that it took come back first."""
    payment = known(ctx, payment_id)
    if payment.status != "paid":
        raise Refused(PointsReason.PAYMENT_ENDED, payment=payment_id, status=payment.status)
    if payment.shop != shop_id:
        raise Refused(PointsReason.OTHER_SHOP)
    left = payment.points - payment.refunded
    if points > left:
        raise Refused(PointsReason.MORE_THAN_PAID, points=left)
    shop = accounts.shop(ctx, shop_id)
    if shop.points < points:
        raise Refused(PointsReason.SHOP_SHORT, points=shop.points)
    kept, restored = books.split(payment.lots, left - points)
    books.enter(ctx, shop, "given_back", -points, payment_id)
    books.give(ctx, accounts.known(ctx, payment.account), restored, "refunded", payment_id, source="shops")
    _save(ctx, msgspec.structs.replace(payment, lots=kept, refunded=payment.refunded + points))
    ctx.emit("payment_refunded", _subjects(payment), points=points, left=left - points)
    return {"payment": payment_id, "refunded": payment.refunded + points}
