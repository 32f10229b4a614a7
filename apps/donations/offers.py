"""発送物資登録 and 提供物資登録: pledges to a need and free offers, by people with and without an account (D3, D4, D5).

Who has no account yet gives an address and a password with the first pledge. The pledge holds its units at once; unless
the address is confirmed in time it lapses (`lapse`), so that nobody can block what shelters need.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts, forms, sessions
from apps.common.account_pages import send_confirmation
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Options, Problem
from apps.common.language import day_start_ms
from apps.common.outbox import Settled
from apps.common.passwords import hash_password, is_password
from apps.common.security import client_address
from apps.common.tables import User
from apps.common.web import EVERYBODY, Flash, Kit, View, Visit
from apps.donations import lists, mails
from apps.donations.copy import own_writes
from apps.donations.names import Names, load_names, split_goods
from apps.donations.needs import find_need, search_options
from apps.donations.signing import RECEIVING, SUPPORTER, SUPPORTERS, app_call
from apps.donations.tables import OfferRow, Pending
from ledger.encoding import Value

HOLD_MS = 24 * 60 * 60 * 1000
"""How long a pledge of an unconfirmed address holds its units."""
LAPSE_EVERY_S = 30.0
LAPSE_AT_ONCE = 200


@dataclass(frozen=True)
class Pledge:
    """D3a, D3g, D3h."""

    quantity: int = forms.number(minimum=1, maximum=1_000_000)
    excess: bool = forms.tick()
    expires: date | None = forms.optional_day()
    available: date | None = forms.optional_day()


@dataclass(frozen=True)
class FirstPledge(Pledge):
    """D3b: with what makes an account."""

    name: str = forms.text(max_length=60, autocomplete="name")
    email: str = forms.email()
    password: str = forms.password(new=True)


@dataclass(frozen=True)
class NewOffer:
    """D4a, D4b."""

    goods: str = forms.choice()
    quantity: int = forms.number(minimum=1, maximum=1_000_000)
    expires: date | None = forms.optional_day()
    available: date | None = forms.optional_day()


@dataclass(frozen=True)
class FirstOffer(NewOffer):
    name: str = forms.text(max_length=60, autocomplete="name")
    email: str = forms.email()
    password: str = forms.password(new=True)


First = TypeVar("First", FirstPledge, FirstOffer)


@dataclass(frozen=True)
class Sure:
    sure: bool = forms.tick(required=True)


# -- accounts on the way -----------------------------------------------------------------------------------------------


async def _check_account(visit: Visit, email: str, password: str) -> dict[str, Problem]:
    """An address with an account needs its password; who tries too often waits."""
    database, now_ms = visit.kit.database, visit.now_ms
    address = client_address(visit.request, visit.kit.settings)
    if await database.read(lambda s: accounts.is_throttled(s, email, address, now_ms)):
        return {"": Problem("sign_in.throttled", {"minutes": accounts.WINDOW_MS // 60_000})}
    user = await database.read(lambda s: accounts.find(s, email))
    if user is None or (user.suspended_ms is None and await is_password(user.password_hash, password)):
        return {}
    await database.write(lambda s: accounts.count_try(s, email, address, now_ms))
    return {"password": Problem("pledge.wrong_password")}


async def _hash(visit: Visit, value: First) -> First:
    return dataclasses.replace(value, password=await hash_password(value.password))


def _supporter(session: Session, visit: Visit, value: First) -> User:
    """The account of the address (its password is checked), or a new one, signed in either way."""
    user = accounts.find(session, value.email)
    if user is None:
        address = client_address(visit.request, visit.kit.settings)
        if not accounts.may_mail_link(session, value.email, address, visit.now_ms):
            raise FormRefused({"": Problem("register.throttled")})
        user = accounts.create(
            session, email=value.email, name=value.name, password_hash=value.password, roles=[SUPPORTER],
            now_ms=visit.now_ms, language=visit.language,
        )  # fmt: skip
        send_confirmation(session, visit, user)
    elif SUPPORTER not in user.roles:
        raise FormRefused({"email": Problem("pledge.not_supporter")})
    visit.new_session_token = sessions.begin(session, user, visit.now_ms)
    return user


# -- D3: a pledge ------------------------------------------------------------------------------------------------------


async def _pledge_context(visit: Visit) -> Mapping[str, object]:
    need = await find_need(visit)
    names = await load_names(visit)
    return {"need": need, "names": names, "item": names.items.get(need.item)}


async def _pledge_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    """D2c: filled in with what is still needed."""
    need = await find_need(visit)
    return {"quantity": (visit.query("quantity", 9) or str(max(need.shown, 1)),)}


def _dates(visit: Visit, value: Pledge | NewOffer, *, needs_expiry: bool) -> dict[str, Problem]:
    problems: dict[str, Problem] = {}
    if value.expires is None and needs_expiry:
        problems["expires"] = Problem("pledge.expiry_needed")
    if value.expires is not None and day_start_ms(value.expires) <= visit.now_ms:
        problems["expires"] = Problem("pledge.expired")
    return problems


async def _check_pledge(visit: Visit, value: Pledge) -> Mapping[str, Problem]:
    need, names = await find_need(visit), await load_names(visit)
    item = names.items.get(need.item)
    problems = _dates(visit, value, needs_expiry=item is not None and item.needs_expiry)
    if value.quantity > need.shown > 0 and not value.excess:
        problems["quantity"] = Problem("pledge.too_many", {"shown": need.shown})
    return problems


async def _check_first_pledge(visit: Visit, value: FirstPledge) -> Mapping[str, Problem]:
    return {**await _check_pledge(visit, value), **await _check_account(visit, value.email, value.password)}


def _goods(value: Pledge | NewOffer) -> dict[str, Value]:
    found: dict[str, Value] = {"quantity": value.quantity}
    if value.expires is not None:
        found["goods_expire_ms"] = day_start_ms(value.expires)
    if value.available is not None:
        found["available_from_ms"] = day_start_ms(value.available)
    return found


def _pledge(session: Session, visit: Visit, value: Pledge) -> Outcome:
    return _put_pledge(session, visit, value, visit.signed_in)


def _first_pledge(session: Session, visit: Visit, value: FirstPledge) -> Outcome:
    return _put_pledge(session, visit, value, _supporter(session, visit, value))


def _put_pledge(session: Session, visit: Visit, value: Pledge, user: User) -> Outcome:
    need = visit.part("need")
    arguments = {
        "supporter": user.pseudonym, "need": need, "excess_as_offer": value.excess, **_goods(value),
    }  # fmt: skip
    write = visit.kit.outbox.put(session, "pledge", app_call("pledge", arguments), reference=f"need:{need}", user=user)
    done = "pledge.done" if user.confirmed_ms is not None else "pledge.done_unconfirmed"
    return Outcome("/offers/{offer}", Flash(done, {}), write)


# -- D4: an offer ------------------------------------------------------------------------------------------------------


async def _offer_options(visit: Visit) -> Options:
    return {"goods": (await load_names(visit)).item_options()}


async def _check_offer(visit: Visit, value: NewOffer) -> Mapping[str, Problem]:
    item = (await load_names(visit)).items.get(split_goods(value.goods)[0])
    return _dates(visit, value, needs_expiry=item is not None and item.needs_expiry)


async def _check_first_offer(visit: Visit, value: FirstOffer) -> Mapping[str, Problem]:
    return {**await _check_offer(visit, value), **await _check_account(visit, value.email, value.password)}


def _offer(session: Session, visit: Visit, value: NewOffer) -> Outcome:
    return _put_offer(session, visit, value, visit.signed_in)


def _first_offer(session: Session, visit: Visit, value: FirstOffer) -> Outcome:
    return _put_offer(session, visit, value, _supporter(session, visit, value))


def _put_offer(session: Session, visit: Visit, value: NewOffer, user: User) -> Outcome:
    item, size = split_goods(value.goods)
    arguments = {"supporter": user.pseudonym, "item": item, "size": size, **_goods(value)}
    write = visit.kit.outbox.put(session, "offer", app_call("offer", arguments), reference=f"item:{item}", user=user)
    done = "new_offer.done" if user.confirmed_ms is not None else "pledge.done_unconfirmed"
    return Outcome("/offers/{offer}", Flash(done, {}), write)


# -- D5: lists and one offer -------------------------------------------------------------------------------------------


async def show_offers(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    page, names = visit.page_number(), await load_names(visit)
    item, category, words = visit.query("item", 48), visit.query("category", 48), visit.query("q", 40)
    rows = lists.open_offers(item, category, words)
    offers, count = await visit.kit.database.read(lambda session: lists.find_offers(session, rows, page))
    return visit.render(
        "donations/offers.html", names=names, offers=offers, count=count, page=page, page_rows=lists.PAGE_ROWS,
        category=category, words=words, options=search_options(visit, names),
    )  # fmt: skip


async def find_offer(visit: Visit) -> OfferRow:
    await own_writes(visit)
    offer_id = visit.part("offer")[:48]
    offer = await visit.kit.database.read(lambda session: session.get(OfferRow, offer_id))
    if offer is None:
        raise web.HTTPNotFound
    return offer


def is_supporters(visit: Visit, pseudonym: str) -> bool:
    """Whether the visitor is this supporter."""
    return visit.user is not None and visit.user.pseudonym == pseudonym


async def show_offer(visit: Visit) -> web.StreamResponse:
    offer, names = await find_offer(visit), await load_names(visit)
    is_own = is_supporters(visit, offer.supporter)

    def look(session: Session) -> tuple[Sequence[object], Pending | None]:
        requests = lists.requests_of_offer(session, offer.offer) if is_own else ()
        return requests, session.get(Pending, offer.offer) if is_own else None

    requests, pending = await visit.kit.database.read(look)
    return visit.render(
        "donations/offer.html", names=names, offer=offer, is_own=is_own, requests=requests, pending=pending,
        is_receiving=visit.user is not None and not RECEIVING.isdisjoint(visit.user.roles),
        may_decline=await _may_decline(visit, offer, names),
    )  # fmt: skip


async def _may_decline(visit: Visit, offer: OfferRow, names: Names) -> bool:
    if visit.user is None or not offer.need or RECEIVING.isdisjoint(visit.user.roles):
        return False
    own = [s.shelter for s in names.own_shelters(visit.user)]
    needs = await visit.kit.database.read(lambda session: lists.fitting_needs(session, offer, own))
    return any(n.need == offer.need for n in needs)


async def show_mine(visit: Visit) -> web.StreamResponse:
    """D5c: a supporter's own offers and what was requested of them."""
    await own_writes(visit)
    page, names, mine = visit.page_number(), await load_names(visit), visit.signed_in.pseudonym

    def look(session: Session) -> tuple[Sequence[object], Sequence[OfferRow], int]:
        requests = lists.requests_to(session, mine)
        offers, count = lists.find_offers(session, select(OfferRow).where(OfferRow.supporter == mine), page)
        return requests, offers, count

    requests, offers, count = await visit.kit.database.read(look)
    return visit.render(
        "donations/mine.html", names=names, requests=requests, offers=offers, count=count, page=page,
        page_rows=lists.PAGE_ROWS,
    )  # fmt: skip


# -- D13c: withdrawing, lapsing ----------------------------------------------------------------------------------------


async def _withdraw_context(visit: Visit) -> Mapping[str, object]:
    offer = await find_offer(visit)
    if not is_supporters(visit, offer.supporter) or offer.status != "open":
        raise web.HTTPNotFound
    return {"offer": offer, "names": await load_names(visit)}


def _withdraw(session: Session, visit: Visit, value: Sure) -> Outcome:
    offer = visit.part("offer")
    call = app_call("withdraw_offer", {"offer": offer, "supporter": visit.signed_in.pseudonym})
    write = visit.kit.outbox.put(session, "withdrawn", call, reference=f"offer:{offer}", user=visit.user)
    return Outcome(visit.kit.path("offer", offer=offer), Flash("withdraw.done", {}), write)


def offered(kit: Kit, settled: Settled) -> None:
    """What follows from a pledge or an offer: D3c's mail, and the term of an unconfirmed address."""
    session, write, receipt = settled.session, settled.write, settled.receipt
    if not settled.done or receipt is None:
        return
    offer = str(receipt.result["offer"])
    user = session.get(User, write.user_id) if write.user_id is not None else None
    if user is not None and user.confirmed_ms is None:
        session.merge(Pending(offer=offer, user_id=user.id, lapses_ms=write.created_ms + HOLD_MS, withdrawn=False))
    if write.kind == "pledge":
        need = write.reference.partition(":")[2]
        mails.tell_shelter_of_pledge(kit, session, need, offer, int(str(receipt.result["pledged"])))


async def lapse(kit: Kit) -> None:
    """D3b: for ever, take back what was offered from addresses that were not confirmed in time."""
    while True:
        await kit.database.write(lambda session: lapse_due(kit, session))
        kit.outbox.wake()
        await asyncio.sleep(LAPSE_EVERY_S)


def lapse_due(kit: Kit, session: Session) -> int:
    """How many offers lapse now. What was confirmed meanwhile stays for good."""
    now_ms, lapsed = kit.clock(), 0
    due = select(Pending).where(Pending.withdrawn.is_(False), Pending.lapses_ms <= now_ms).order_by(Pending.lapses_ms)
    for row in session.scalars(due.limit(LAPSE_AT_ONCE)).all():
        user = session.get(User, row.user_id)
        if user is None or user.confirmed_ms is not None:
            session.delete(row)
        else:
            call = app_call("withdraw_offer", {"offer": row.offer, "supporter": user.pseudonym})
            kit.outbox.put(session, "lapsed", call, reference=f"offer:{row.offer}", user=user)
            row.withdrawn = True
            lapsed += 1
    return lapsed


PAGES = (
    View("offers", "/offers", show_offers, EVERYBODY),
    FormPage(
        "new_offer", "/offers/new", SUPPORTERS, NewOffer, _offer, options=_offer_options, check=_check_offer,
        template="donations/new_offer.html",
    ),
    FormPage(
        "first_offer", "/offers/first", EVERYBODY, FirstOffer, _first_offer, options=_offer_options,
        check=_check_first_offer, prepare=_hash, review=False, template="donations/new_offer.html",
    ),
    View("offer", "/offers/{offer}", show_offer, EVERYBODY),
    FormPage(
        "withdraw", "/offers/{offer}/withdraw", SUPPORTERS, Sure, _withdraw, context=_withdraw_context, review=False,
        template="donations/about_offer.html",
    ),
    FormPage(
        "pledge", "/needs/{need}/pledge", SUPPORTERS, Pledge, _pledge, context=_pledge_context,
        initial=_pledge_initial, check=_check_pledge, template="donations/pledge.html",
    ),
    FormPage(
        "first_pledge", "/needs/{need}/first-pledge", EVERYBODY, FirstPledge, _first_pledge, context=_pledge_context,
        initial=_pledge_initial, check=_check_first_pledge, prepare=_hash, review=False,
        template="donations/pledge.html",
    ),
    View("mine", "/mine", show_mine, SUPPORTERS),
)  # fmt: skip
