"""The municipality: which shops take part, and where all points are (E7a, E7b, E4d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from aiohttp import web
from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from apps.common.form_page import FormPage, Outcome
from apps.common.tables import User
from apps.common.web import Flash, Page, View, Visit
from apps.points.copy import TOPIC
from apps.points.looking import PAGE_ROWS, Nothing, ask, noted, page_of
from apps.points.tables import ShopRow
from apps.points.use import Use
from contracts.points.types import Totals

PLACES = ("residents", "shops", "locked", "rewards", "cashed_out", "redeemed", "expired", "reversed")
"""Where points are that were issued: each is in exactly one."""


def shop_state(shop: ShopRow | None) -> str:
    if shop is None:
        return "unknown"
    return "closed" if shop.closed else "open"


# -- shops -------------------------------------------------------------------------------------------------------------


async def show_shops(use: Use, visit: Visit) -> web.StreamResponse:
    """Every account with a shop's role, and whether its shop is open in the ledger."""
    await use.copy.own_writes(visit)
    mine, page = visit.signed_in.organisation, visit.page_number()
    roles = cast(User.roles, String)
    is_shop = or_(*(roles.like(f'%"{role}"%') for role in sorted(use.shops)))
    rows = select(User).where(User.organisation == mine, is_shop)

    def look(session: Session) -> tuple[Sequence[User], int, dict[str, ShopRow]]:
        users, count = page_of(session, rows.order_by(User.name, User.id), page)
        wanted = [user.pseudonym for user in users]
        shops = session.scalars(select(ShopRow).where(ShopRow.account.in_(wanted)))
        return users, count, {shop.account: shop for shop in shops}

    users, count, shops = await visit.kit.database.read(look)
    return visit.render(
        "points/shops.html", users=users, shops=shops, count=count, page=page, page_rows=PAGE_ROWS, topic=TOPIC,
        state_of=lambda user: shop_state(shops.get(user.pseudonym)),
    )  # fmt: skip


async def _shop_context(use: Use, wanted: str, visit: Visit) -> Mapping[str, object]:
    await use.copy.own_writes(visit)
    part, mine = visit.part("user_id"), visit.signed_in.organisation
    if not (part.isascii() and part.isdecimal() and len(part) < 12):
        raise web.HTTPNotFound

    def look(session: Session) -> tuple[User | None, ShopRow | None]:
        user = session.get(User, int(part))
        return user, session.get(ShopRow, user.pseudonym) if user is not None else None

    user, shop = await visit.kit.database.read(look)
    is_shop = user is not None and user.organisation == mine and not use.shops.isdisjoint(user.roles)
    if not is_shop or shop_state(shop) != wanted:
        raise web.HTTPNotFound
    visit.noted["shop_user"] = user
    return {"shop_user": user, "shop": shop}


def _act(use: Use, method: str, flash: str, session: Session, visit: Visit, value: Nothing) -> Outcome:
    call = use.municipal_call(visit.signed_in, method, {"shop": noted(visit, User, "shop_user").pseudonym})
    write = visit.kit.outbox.put(session, f"points.{method}", call, user=visit.user)
    return Outcome(visit.kit.path("points_shops"), Flash(flash, {}), write)


# -- totals ------------------------------------------------------------------------------------------------------------


async def show_totals(use: Use, visit: Visit) -> web.StreamResponse:
    """Everything issued is in exactly one place: the identity as a table, from the contract."""
    await use.copy.own_writes(visit)
    totals = await ask(use, visit, Totals, "points_totals", municipality=visit.signed_in.organisation)
    figures = msgspec.structs.asdict(totals or Totals())
    places = {place: int(figures[place]) for place in PLACES}
    return visit.render(
        "points/totals.html", places=places, issued=int(figures["issued"]), sum=sum(places.values()), topic=TOPIC
    )


def pages(use: Use) -> tuple[Page, ...]:
    return (
        View("points_shops", "/points/shops", partial(show_shops, use), use.municipal),
        FormPage(
            "points_shop_open", "/points/shops/{user_id}/open", use.municipal, Nothing,
            partial(_act, use, "open_shop", "points_shop_open.done"),
            context=partial(_shop_context, use, "unknown"), review=False, template="points/shop.html",
        ),
        FormPage(
            "points_shop_close", "/points/shops/{user_id}/close", use.municipal, Nothing,
            partial(_act, use, "close_shop", "points_shop_close.done"),
            context=partial(_shop_context, use, "open"), review=False, template="points/shop.html",
        ),
        View("points_totals", "/points/totals", partial(show_totals, use), use.municipal),
    )  # fmt: skip
