"""支払: a resident types points, gets a one-time code for the shop, and sees when the shop has confirmed (E7a, V7d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms, qr
from apps.common.codes import grouped
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.web import Flash, Page, View, Visit
from apps.points import codes
from apps.points.copy import account_topic
from apps.points.looking import PAGE_ROWS, Nothing, is_any_of, noted, own_account, page_of, row_id, shop_names
from apps.points.tables import LineRow, PaymentRow
from apps.points.use import Use
from contracts.points.queries import AccountView
from ledger.encoding import Value

PAY = "points.pay"
MAX_REFUNDS = 100


@dataclass(frozen=True)
class Pay:
    points: int = forms.number(minimum=1, maximum=10**9, unit="unit.points")


def state_of(payment: PaymentRow, now_ms: int) -> str:
    """Open, lapsed, paid, refunded (in part), cancelled: what people call it."""
    if payment.status == "open":
        return "open" if now_ms < payment.until_ms else "lapsed"
    if payment.status == "paid" and payment.refunded:
        return "refunded" if payment.refunded == payment.points else "part_refunded"
    return payment.status


# -- paying ------------------------------------------------------------------------------------------------------------


async def _account(use: Use, visit: Visit) -> Mapping[str, object]:
    account = await own_account(use, visit)
    if account is None:
        raise web.HTTPNotFound
    visit.noted["account"] = account
    return {"account": account}


async def _check(visit: Visit, value: Pay) -> Mapping[str, Problem]:
    balance = noted(visit, AccountView, "account").points
    if value.points > balance:
        return {"points": Problem("points_pay.too_many", {"points": f"{balance:,}"})}
    return {}


def _pay(use: Use, session: Session, visit: Visit, value: Pay) -> Outcome:
    account = noted(visit, AccountView, "account")
    arguments: dict[str, Value] = {"account": account.account, "points": value.points}
    write = codes.put_with_code(session, visit, PAY, use.app_call(account.municipality, "open_payment", arguments))
    return Outcome("/points/payments/{payment}", None, write)


# -- one payment -------------------------------------------------------------------------------------------------------


async def known_payment(use: Use, visit: Visit) -> PaymentRow:
    """The payment of the address, for its resident, its shop and the municipality's officers."""
    await use.copy.own_writes(visit)
    payment_id, user = row_id(visit, "payment"), visit.signed_in
    payment = await visit.kit.database.read(lambda session: session.get(PaymentRow, payment_id))
    if payment is None:
        raise web.HTTPNotFound
    is_payer = is_any_of(visit, use.residents) and payment.account == user.pseudonym
    is_shop = is_any_of(visit, use.shops) and payment.shop == user.pseudonym
    is_office = is_any_of(visit, use.municipal) and payment.municipality == user.organisation
    if not (is_payer or is_shop or is_office):
        raise web.HTTPNotFound
    return payment


async def show_payment(use: Use, visit: Visit) -> web.StreamResponse:
    """For its resident with the code and its QR while it can be confirmed; for all with what became of it."""
    payment = await known_payment(use, visit)
    is_payer = payment.account == visit.signed_in.pseudonym
    state = state_of(payment, visit.now_ms)
    code = await codes.shown_code(visit, payment.payment) if is_payer and state == "open" else ""

    def look(session: Session) -> tuple[dict[str, str], Sequence[LineRow]]:
        refunds = select(LineRow).where(LineRow.about == payment.payment, LineRow.kind == "given_back")
        found = session.scalars(refunds.order_by(LineRow.position).limit(MAX_REFUNDS)).all()
        return shop_names(session, [payment.shop]), found

    names, refunds = await visit.kit.database.read(look)
    return visit.render(
        "points/payment.html", payment=payment, state=state, is_payer=is_payer, code=grouped(code), names=names,
        refunds=refunds, topic=account_topic(visit.signed_in.pseudonym),
        picture=qr.svg(visit.kit.url("points_confirm", code=code), visit.t("points_payment.qr")) if code else "",
        may_refund=visit.may_open("points_refund") and payment.shop == visit.signed_in.pseudonym
        and payment.status == "paid" and payment.refunded < payment.points,
    )  # fmt: skip


async def _cancel_context(use: Use, visit: Visit) -> Mapping[str, object]:
    payment = await known_payment(use, visit)
    if payment.account != visit.signed_in.pseudonym or payment.status != "open":
        raise web.HTTPNotFound
    visit.noted["payment"] = payment
    return {"payment": payment}


def _cancel(use: Use, session: Session, visit: Visit, value: Nothing) -> Outcome:
    payment = noted(visit, PaymentRow, "payment")
    arguments: dict[str, Value] = {"payment": payment.payment, "account": payment.account}
    call = use.app_call(payment.municipality, "cancel_payment", arguments)
    write = visit.kit.outbox.put(session, "points.cancel", call, user=visit.user)
    return Outcome(visit.kit.path("points_payment", payment=payment.payment), Flash("points_cancel.done", {}), write)


# -- all of one's own --------------------------------------------------------------------------------------------------


async def show_payments(use: Use, visit: Visit) -> web.StreamResponse:
    """V7c: a resident's payments, newest first."""
    await use.copy.own_writes(visit)
    me, page = visit.signed_in.pseudonym, visit.page_number()
    rows = select(PaymentRow).where(PaymentRow.account == me)
    rows = rows.order_by(PaymentRow.opened_ms.desc(), PaymentRow.payment)

    def look(session: Session) -> tuple[Sequence[PaymentRow], int, dict[str, str]]:
        found, count = page_of(session, rows, page)
        return found, count, shop_names(session, (row.shop for row in found))

    payments, count, names = await visit.kit.database.read(look)
    return visit.render(
        "points/payments.html", payments=payments, count=count, page=page, page_rows=PAGE_ROWS, names=names,
        state_of=lambda payment: state_of(payment, visit.now_ms),
    )  # fmt: skip


def pages(use: Use) -> tuple[Page, ...]:
    seeing = use.residents | use.shops | use.municipal
    return (
        FormPage(
            "points_pay", "/points/pay", use.residents, Pay, partial(_pay, use), context=partial(_account, use),
            check=_check, template="points/pay.html",
        ),
        View("points_payments", "/points/payments", partial(show_payments, use), use.residents),
        View("points_payment", "/points/payments/{payment}", partial(show_payment, use), seeing),
        FormPage(
            "points_cancel", "/points/payments/{payment}/cancel", use.residents, Nothing, partial(_cancel, use),
            context=partial(_cancel_context, use), review=False, template="points/cancel.html",
        ),
    )  # fmt: skip
