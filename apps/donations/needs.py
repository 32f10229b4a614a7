"""必要物資: the list that everybody sees, one need, and registering, amending and closing it (D1, D2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms, personal
from apps.common.accounts import new_pseudonym
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.language import day_start_ms
from apps.common.web import EVERYBODY, Flash, View, Visit
from apps.donations import lists
from apps.donations.copy import own_writes
from apps.donations.lists import NeedSearch
from apps.donations.names import DAY_MS, Names, load_names, split_goods, towns
from apps.donations.signing import RECEIVING, receiving_call
from apps.donations.tables import NeedDetail, NeedRow
from ledger.encoding import Value

ALLERGENS = ("shrimp", "crab", "walnut", "wheat", "buckwheat", "egg", "milk", "peanut")
"""特定原材料: the eight that food labels must name (食品表示基準 別表第十四, as amended in 2023: くるみ)."""
MAX_LISTED = 150


# -- D2: the list ------------------------------------------------------------------------------------------------------


def _search(visit: Visit) -> NeedSearch:
    is_receiving = visit.user is not None and not RECEIVING.isdisjoint(visit.user.roles)
    remaining = visit.query("remaining", 8)
    return NeedSearch(
        municipality=visit.query("municipality", 6),
        shelter=visit.query("shelter", 48),
        item=visit.query("item", 48),
        category=visit.query("category", 48),
        priority=visit.query("priority", 10),
        # For whom something is needed marks vulnerable people: only the receiving side can ask for it.
        beneficiaries=visit.query("beneficiaries", 10) if is_receiving else "",
        words=visit.query("q", 40),
        remaining=int(remaining) if remaining.isascii() and remaining.isdecimal() else 1,
        only_open=not (is_receiving and visit.query("all", 1)),
    )


def search_options(visit: Visit, names: Names) -> dict[str, list[Option]]:
    """What the filter of a list offers."""
    in_use = sorted({i.category for i in names.items.values()})
    return {
        "municipality": [Option(code, names.municipality(code)) for code in towns(visit.kit)],
        "shelter": [Option(s, names.shelter(s)) for s in _listed_shelters(visit, names)],
        "category": [Option(c, category_label(visit, c)) for c in in_use],
        "priority": [Option(p, visit.t(f"priority.{p}")) for p in lists.PRIORITIES],
        "beneficiaries": [Option(b, visit.t(f"beneficiaries.{b}")) for b in lists.BENEFICIARIES],
    }


def _listed_shelters(visit: Visit, names: Names) -> list[str]:
    """Those of the chosen municipality; without one all, as far as a small page holds them."""
    town = visit.query("municipality", 6)
    return sorted(s.shelter for s in names.shelters.values() if town in ("", s.municipality))[:MAX_LISTED]


def category_label(visit: Visit, category: str) -> str:
    key = f"category.{category}"
    return visit.t(key) if key in visit.kit.catalogue else category


async def show_needs(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    search, page = _search(visit), visit.page_number()
    names = await load_names(visit)
    needs, count = await visit.kit.database.read(lambda session: lists.find_needs(session, search, page))
    return visit.render(
        "donations/needs.html",
        names=names,
        needs=needs,
        count=count,
        page=page,
        page_rows=lists.PAGE_ROWS,
        search=search,
        options=search_options(visit, names),
        is_receiving=visit.user is not None and not RECEIVING.isdisjoint(visit.user.roles),
    )


# -- one need ----------------------------------------------------------------------------------------------------------


async def find_need(visit: Visit) -> NeedRow:
    """The need of the address; `HTTPNotFound`."""
    await own_writes(visit)
    need_id = visit.part("need")[:48]
    need = await visit.kit.database.read(lambda session: session.get(NeedRow, need_id))
    if need is None:
        raise web.HTTPNotFound
    return need


async def own_need(visit: Visit) -> tuple[NeedRow, Names]:
    """The need, if the visitor acts for its shelter; `HTTPForbidden` else (X6)."""
    need, names = await find_need(visit), await load_names(visit)
    if need.shelter not in {s.shelter for s in names.own_shelters(visit.signed_in)}:
        raise web.HTTPForbidden
    return need, names


async def show_need(visit: Visit) -> web.StreamResponse:
    need = await find_need(visit)
    names = await load_names(visit)
    is_own = visit.user is not None and need.shelter in {s.shelter for s in names.own_shelters(visit.user)}

    def look(session: Session) -> tuple[Sequence[object], str]:
        pledges = lists.pledges_to(session, need.need) if is_own else ()
        detail = session.get(NeedDetail, need.detail) if visit.user is not None and need.detail else None
        return pledges, detail.words if detail is not None else ""

    pledges, detail = await visit.kit.database.read(look)
    return visit.render(
        "donations/need.html", names=names, need=need, pledges=pledges, detail=detail, is_own=is_own,
        shelter=names.shelters.get(need.shelter),
    )  # fmt: skip


# -- D1: registering, amending, closing --------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewNeed:
    shelter: str = forms.choice()
    goods: str = forms.choice()
    quantity: int = forms.number(minimum=1, maximum=1_000_000)
    priority: str = forms.radio()
    need_by: date | None = forms.optional_day()
    beneficiaries: str = forms.choice()
    allergens: tuple[str, ...] = forms.several()
    detail: str = forms.multiline(max_length=200)
    occurred: datetime | None = forms.optional_moment()
    separate: bool = forms.tick()


@dataclass(frozen=True)
class AmendNeed:
    quantity: int = forms.number(minimum=1, maximum=1_000_000)


@dataclass(frozen=True)
class CloseNeed:
    sure: bool = forms.tick(required=True)


async def _options(visit: Visit) -> Options:
    names = await load_names(visit)
    return {
        "shelter": names.shelter_options(visit.signed_in),
        "goods": names.item_options(),
        "priority": [Option(p, visit.t(f"priority.{p}"), visit.t(f"priority.{p}_hint")) for p in lists.PRIORITIES],
        "beneficiaries": [Option(b, visit.t(f"beneficiaries.{b}")) for b in lists.BENEFICIARIES],
        "allergens": [Option(a, visit.t(f"allergen.{a}")) for a in ALLERGENS],
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    own = (await load_names(visit)).own_shelters(visit.signed_in)
    shelter = (own[0].shelter,) if len(own) == 1 else ()
    given = {name: (value,) for name, value in visit.request.query.items()}
    return {"shelter": shelter, "priority": ("normal",), "beneficiaries": ("everybody",), **given}


async def _check(visit: Visit, value: NewNeed) -> Mapping[str, Problem]:
    problems: dict[str, Problem] = {}
    if value.need_by is not None and day_start_ms(value.need_by) + DAY_MS <= visit.now_ms:
        problems["need_by"] = Problem("new_need.past")
    if value.occurred is not None and value.occurred.timestamp() * 1000 > visit.now_ms:
        problems["occurred"] = Problem("form.ahead")
    item, size = split_goods(value.goods)
    if not value.separate:
        similar = await visit.kit.database.read(lambda s: lists.similar_need(s, value.shelter, item, size))
        if similar is not None:
            problems["separate"] = Problem("new_need.similar", {"shown": similar.shown, "quantity": similar.quantity})
    return problems


def _register(session: Session, visit: Visit, value: NewNeed) -> Outcome:
    item, size = split_goods(value.goods)
    commitment = ""
    if value.detail:
        # The id of the need is the chain's to give: the salt hangs on a name of our own.
        commitment = personal.commit_to(session, f"detail:{new_pseudonym()}", "detail", value.detail.encode())
        session.add(NeedDetail(commitment=commitment, words=value.detail, written_ms=visit.now_ms))
    arguments: dict[str, Value] = {
        "shelter": value.shelter,
        "item": item,
        "size": size,
        "quantity": value.quantity,
        "priority": value.priority,
        "beneficiaries": value.beneficiaries,
        "allergens": list(value.allergens),
        "detail": commitment,
        "separate": value.separate,
    }
    if value.need_by is not None:
        arguments["need_by_ms"] = day_start_ms(value.need_by) + DAY_MS - 1
    if value.occurred is not None:
        arguments["occurred_ms"] = int(value.occurred.timestamp() * 1000)
    call = receiving_call(visit.signed_in, "register_need", arguments)
    write = visit.kit.outbox.put(session, "need", call, reference=f"shelter:{value.shelter}", user=visit.user)
    return Outcome("/needs/{need}", Flash("new_need.done", {}), write)


async def _own_context(visit: Visit) -> Mapping[str, object]:
    need, names = await own_need(visit)
    if need.closed:
        raise web.HTTPNotFound
    return {"need": need, "names": names}


async def _amended(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"quantity": (visit.query("quantity", 9) or str((await find_need(visit)).quantity),)}


def _amend(session: Session, visit: Visit, value: AmendNeed) -> Outcome:
    need = visit.part("need")
    call = receiving_call(visit.signed_in, "amend_need", {"need": need, "quantity": value.quantity})
    write = visit.kit.outbox.put(session, "need", call, reference=f"need:{need}", user=visit.user)
    return Outcome(visit.kit.path("need", need=need), Flash("amend_need.done", {}), write)


async def _check_amend(visit: Visit, value: AmendNeed) -> Mapping[str, Problem]:
    need = await find_need(visit)
    under_way = need.requested + need.shipped + need.arrived
    return {"quantity": Problem("amend_need.below", {"under_way": under_way})} if value.quantity < under_way else {}


def _close(session: Session, visit: Visit, value: CloseNeed) -> Outcome:
    need = visit.part("need")
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    call = receiving_call(visit.signed_in, "close_need", {"need": need})
    write = visit.kit.outbox.put(session, "need", call, reference=f"need:{need}", user=visit.user)
    return Outcome(visit.kit.path("need", need=need), Flash("close_need.done", {}), write)


PAGES = (
    View("needs", "/needs", show_needs, EVERYBODY),
    FormPage(
        "new_need", "/needs/new", RECEIVING, NewNeed, _register, options=_options, initial=_initial, check=_check,
        template="donations/new_need.html",
    ),
    View("need", "/needs/{need}", show_need, EVERYBODY),
    FormPage(
        "amend_need", "/needs/{need}/amend", RECEIVING, AmendNeed, _amend, initial=_amended, context=_own_context,
        check=_check_amend, template="donations/about_need.html",
    ),
    FormPage(
        "close_need", "/needs/{need}/close", RECEIVING, CloseNeed, _close, context=_own_context, review=False,
        template="donations/about_need.html",
    ),
)  # fmt: skip
