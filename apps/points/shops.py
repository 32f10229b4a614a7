"""The shop: taking a payment by code or QR, giving it back, what came in on a day (E7a, E7c, V7d).

Opening the page of a code changes nothing; only the shop's confirmation does, and once: a code that is used shows what
became of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.language import day_start_ms, jst
from apps.common.web import Flash, Page, View, Visit
from apps.points import codes
from apps.points.copy import account_topic
from apps.points.looking import PAGE_ROWS, Nothing, noted, own_shop, page_of
from apps.points.payments import known_payment
from apps.points.tables import LineRow, PaymentRow, ShopRow
from apps.points.use import Use
from contracts.points.types import Payment
from ledger.encoding import Value

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Refund:
    points: int = forms.number(minimum=1, maximum=10**9, unit="unit.points")


# -- the day -----------------------------------------------------------------------------------------------------------


def day_asked(visit: Visit) -> date:
    """The day of the address (`?day=2026-04-01`), today if there is none."""
    today = jst(visit.now_ms).date()
    try:
        return min(today, date.fromisoformat(visit.query("day", 10)))
    except ValueError:
        return today


async def show_till(use: Use, visit: Visit) -> web.StreamResponse:
    """What came in on a day and went back, and the way to take the next payment."""
    await use.copy.own_writes(visit)
    me, asked, page = visit.signed_in.pseudonym, day_asked(visit), visit.page_number()
    of_day = (
        LineRow.shop == me, LineRow.kind.in_(("received", "given_back")),
        LineRow.at_ms >= day_start_ms(asked), LineRow.at_ms < day_start_ms(asked + DAY),
    )  # fmt: skip

    def look(session: Session) -> tuple[ShopRow | None, Sequence[LineRow], int, dict[str, int]]:
        lines, count = page_of(session, select(LineRow).where(*of_day).order_by(LineRow.position.desc()), page)
        sums = session.execute(select(LineRow.kind, func.sum(LineRow.points)).where(*of_day).group_by(LineRow.kind))
        return session.get(ShopRow, me), lines, count, {kind: int(points) for kind, points in sums}

    shop, lines, count, sums = await visit.kit.database.read(look)
    return visit.render(
        "points/till.html", shop=shop, lines=lines, count=count, page=page, page_rows=PAGE_ROWS, asked=asked,
        received=sums.get("received", 0), given_back=-sums.get("given_back", 0), today=jst(visit.now_ms).date(),
        before=asked - DAY, after=asked + DAY, topic=account_topic(me),
    )  # fmt: skip


# -- taking a payment --------------------------------------------------------------------------------------------------


async def _confirm_context(use: Use, visit: Visit) -> Mapping[str, object]:
    shop = await own_shop(use, visit)
    code, payment = await codes.scanned(use, visit, Payment, "payment_with_code")
    visit.noted["code"], visit.noted["payment"] = code, payment
    state = payment.status if payment.status != "open" or visit.now_ms < payment.until_ms else "lapsed"
    return {"payment": payment, "state": state, "is_own": payment.shop == shop.account, "shop": shop}


async def _confirm_check(visit: Visit, value: Nothing) -> Mapping[str, Problem]:
    if noted(visit, Payment, "payment").status != "open":
        return {"": Problem("points_confirm.ended")}
    return {}


def _confirm(use: Use, session: Session, visit: Visit, value: Nothing) -> Outcome:
    user = visit.signed_in
    arguments: dict[str, Value] = {"code": noted(visit, str, "code"), "shop": user.pseudonym}
    call = use.app_call(user.organisation, "confirm_payment", arguments)
    write = visit.kit.outbox.put(session, "points.confirm", call, user=visit.user)
    points = noted(visit, Payment, "payment").points
    return Outcome("/points/payments/{payment}", Flash("points_confirm.done", {"points": f"{points:,}"}), write)


# -- giving it back ----------------------------------------------------------------------------------------------------


async def _refund_context(use: Use, visit: Visit) -> Mapping[str, object]:
    payment = await known_payment(use, visit)
    shop = await own_shop(use, visit)
    if payment.shop != shop.account or payment.status != "paid" or payment.refunded >= payment.points:
        raise web.HTTPNotFound
    visit.noted["payment"], visit.noted["shop"] = payment, shop
    return {"payment": payment, "left": payment.points - payment.refunded, "shop": shop}


async def _refund_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    payment = noted(visit, PaymentRow, "payment")
    return {"points": (str(payment.points - payment.refunded),)}


async def _refund_check(visit: Visit, value: Refund) -> Mapping[str, Problem]:
    payment, shop = noted(visit, PaymentRow, "payment"), noted(visit, ShopRow, "shop")
    if value.points > (left := payment.points - payment.refunded):
        return {"points": Problem("points_refund.too_many", {"points": f"{left:,}"})}
    if value.points > shop.points:
        return {"points": Problem("points_refund.short", {"points": f"{shop.points:,}"})}
    return {}


def _refund(use: Use, session: Session, visit: Visit, value: Refund) -> Outcome:
    payment = noted(visit, PaymentRow, "payment")
    arguments: dict[str, Value] = {"payment": payment.payment, "shop": payment.shop, "points": value.points}
    call = use.app_call(payment.municipality, "refund_payment", arguments)
    write = visit.kit.outbox.put(session, "points.refund", call, user=visit.user)
    location = visit.kit.path("points_payment", payment=payment.payment)
    return Outcome(location, Flash("points_refund.done", {"points": f"{value.points:,}"}), write)


def pages(use: Use) -> tuple[Page, ...]:
    return (
        View("points_till", "/points/till", partial(show_till, use), use.shops),
        codes.typed_page(
            use, "points_take", "/points/take", use.shops, "points_confirm", Payment, "payment_with_code"
        ),
        FormPage(
            "points_confirm", "/points/take/{code}", use.shops, Nothing, partial(_confirm, use),
            context=partial(_confirm_context, use), check=_confirm_check, review=False,
            template="points/confirm.html",
        ),
        FormPage(
            "points_refund", "/points/payments/{payment}/refund", use.shops, Refund, partial(_refund, use),
            context=partial(_refund_context, use), initial=_refund_initial, check=_refund_check,
            template="points/refund.html",
        ),
    )  # fmt: skip
