"""物資要求 and 送付依頼: the receiving side asks for goods, the supporter sends them (D6, D3e, D13a to D13d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.codes import new_code
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Settled
from apps.common.web import Flash, Kit, View, Visit
from apps.donations import labels, lists, mails
from apps.donations.copy import own_writes
from apps.donations.names import Names, load_names
from apps.donations.offers import Sure, find_offer, is_supporters
from apps.donations.signing import (
    OFFICERS,
    RECEIVING,
    SUPPORTERS,
    app_call,
    officer_call,
    receiving_call,
)
from apps.donations.tables import BoxRow, BoxToken, Contact, NeedRow, RequestRow
from contracts.donations.shipments import commitment
from contracts.donations.types import MAX_BOXES
from ledger.encoding import Value, decode


@dataclass(frozen=True)
class NewRequest:
    """D6a."""

    need: str = forms.radio()
    quantity: int = forms.number(minimum=1, maximum=1_000_000)
    boxes: int = forms.number(minimum=1, maximum=MAX_BOXES, unit="unit.boxes")


# -- D6: asking --------------------------------------------------------------------------------------------------------


async def _fitting(visit: Visit) -> tuple[Names, Sequence[NeedRow]]:
    offer, names = await find_offer(visit), await load_names(visit)
    own = [s.shelter for s in names.own_shelters(visit.signed_in)]
    return names, await visit.kit.database.read(lambda session: lists.fitting_needs(session, offer, own))


async def _options(visit: Visit) -> Options:
    names, needs = await _fitting(visit)
    return {
        "need": [
            Option(
                n.need,
                names.shelter(n.shelter),
                visit.t("new_request.remaining", quantity=names.quantity(n.shown, n.item)),
            )
            for n in needs
        ]
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    """D5b, D6a: filled in for the need that the offer is pledged to, or the most urgent that fits."""
    offer = await find_offer(visit)
    _, needs = await _fitting(visit)
    if not needs:
        return {"boxes": ("1",)}
    wanted = next((n for n in needs if n.need == visit.query("need", 48)), needs[0])
    available = offer.pledged if offer.need == wanted.need else min(offer.left - offer.pledged, wanted.shown)
    return {"need": (wanted.need,), "quantity": (str(max(available, 1)),), "boxes": ("1",)}


async def _context(visit: Visit) -> Mapping[str, object]:
    offer = await find_offer(visit)
    if offer.status != "open":
        raise web.HTTPNotFound
    names, needs = await _fitting(visit)
    return {"offer": offer, "names": names, "needs": needs}


async def _check(visit: Visit, value: NewRequest) -> Mapping[str, Problem]:
    if value.boxes > value.quantity:
        return {"boxes": Problem("new_request.too_many_boxes", {"quantity": value.quantity})}
    return {}


def split_boxes(quantity: int, boxes: int) -> list[int]:
    """As even as whole units allow, the first boxes fuller by one."""
    return [quantity // boxes + (1 if n < quantity % boxes else 0) for n in range(boxes)]


def _request(session: Session, visit: Visit, value: NewRequest) -> Outcome:
    """D6d: the codes of the boxes are made here; the chain gets commitments to them."""
    codes = [new_code() for _ in range(value.boxes)]
    arguments: dict[str, Value] = {
        "offer": visit.part("offer"), "need": value.need, "quantity": value.quantity,
        "boxes": list(split_boxes(value.quantity, value.boxes)), "tokens": [commitment(code) for code in codes],
    }  # fmt: skip
    call = receiving_call(visit.signed_in, "request", arguments)
    write = visit.kit.outbox.put(session, "request", call, reference=f"need:{value.need}", user=visit.user)
    session.add_all(
        BoxToken(token=code, write_id=write.id, request="", number=number) for number, code in enumerate(codes, 1)
    )
    return Outcome("/requests/{request}", Flash("new_request.done", {}), write)


def requested(kit: Kit, settled: Settled) -> None:
    """What follows from a request: its codes know where they belong, the supporter gets a mail."""
    session, write, receipt = settled.session, settled.write, settled.receipt
    if not settled.done or receipt is None:
        for row in session.scalars(select(BoxToken).where(BoxToken.write_id == write.id)):
            session.delete(row)
        return
    request = str(receipt.result["request"])
    session.execute(update(BoxToken).where(BoxToken.write_id == write.id).values(request=request))
    arguments = decode(write.arguments)
    if isinstance(arguments, dict):
        offer, need, quantity = str(arguments["offer"]), str(arguments["need"]), int(str(arguments["quantity"]))
        mails.tell_supporter_of_request(kit, session, request, offer, need, quantity)


# -- lists and one request ---------------------------------------------------------------------------------------------


async def show_requests(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    status, page, names = visit.query("status", 10), visit.page_number(), await load_names(visit)
    status = status if status in lists.REQUEST_STATES else ""
    own = [s.shelter for s in names.own_shelters(visit.signed_in)]
    rows = lists.requests_for(own, status)
    requests, count = await visit.kit.database.read(lambda session: lists.find_requests(session, rows, page))
    return visit.render(
        "donations/requests.html", names=names, requests=requests, count=count, page=page, page_rows=lists.PAGE_ROWS,
        state=status, states=lists.REQUEST_STATES,
    )  # fmt: skip


async def find_request(visit: Visit) -> RequestRow:
    await own_writes(visit)
    request_id = visit.part("request")[:48]
    request = await visit.kit.database.read(lambda session: session.get(RequestRow, request_id))
    if request is None:
        raise web.HTTPNotFound
    return request


async def _received_request(visit: Visit) -> tuple[RequestRow, Names]:
    """The request of the address, if it is for a shelter that the visitor acts for."""
    request, names = await find_request(visit), await load_names(visit)
    if request.shelter not in {s.shelter for s in names.own_shelters(visit.signed_in)}:
        raise web.HTTPForbidden
    return request, names


async def _my_request(visit: Visit) -> tuple[RequestRow, Names]:
    """The request of the address, if it was made to the visitor."""
    request = await find_request(visit)
    if not is_supporters(visit, request.supporter):
        raise web.HTTPNotFound
    return request, await load_names(visit)


async def _parts(visit: Visit, request: RequestRow) -> tuple[Sequence[BoxRow], Sequence[BoxToken], Contact | None]:
    def look(session: Session) -> tuple[Sequence[BoxRow], Sequence[BoxToken], Contact | None]:
        tokens = select(BoxToken).where(BoxToken.request == request.request).order_by(BoxToken.number)
        return (
            lists.boxes_of(session, request.request),
            session.scalars(tokens).all(),
            session.get(Contact, request.shelter),
        )

    return await visit.kit.database.read(look)


async def show_request(visit: Visit) -> web.StreamResponse:
    """A request as the receiving side sees it."""
    request, names = await _received_request(visit)
    boxes, tokens, _ = await _parts(visit, request)
    return visit.render(
        "donations/request.html", names=names, request=request, boxes=boxes, has_labels=bool(tokens), is_mine=False,
        contact=None,
    )  # fmt: skip


async def show_my_request(visit: Visit) -> web.StreamResponse:
    """D5c: a request as the supporter sees it: what to send where, the labels, 「発送」."""
    request, names = await _my_request(visit)
    boxes, tokens, contact = await _parts(visit, request)
    return visit.render(
        "donations/request.html", names=names, request=request, boxes=boxes, has_labels=bool(tokens), is_mine=True,
        contact=contact,
    )  # fmt: skip


async def _labels(visit: Visit, request: RequestRow, names: Names) -> web.StreamResponse:
    boxes, tokens, contact = await _parts(visit, request)
    if not tokens:
        raise web.HTTPNotFound
    codes = {t.number: t.token for t in tokens}
    sheet = labels.Sheet(
        shelter=names.shelter(request.shelter),
        municipality=names.place(request.shelter),
        address=contact.address if contact is not None else "",
        item=names.item(request.item, request.size),
        request=request.request,
        labels=tuple(
            labels.Label(
                codes[b.number], visit.kit.url("box", token=codes[b.number]), b.number, request.boxes,
                names.quantity(b.quantity, request.item),
            )
            for b in boxes
            if b.number in codes
        ),
    )  # fmt: skip
    data = labels.print_labels(sheet, visit.kit.catalogue, visit.language)
    return visit.download(data, f"labels-{request.request}.pdf", "application/pdf")


async def download_my_labels(visit: Visit) -> web.StreamResponse:
    """D6e, D9b."""
    return await _labels(visit, *await _my_request(visit))


async def download_labels(visit: Visit) -> web.StreamResponse:
    """The receiving side prints them for supporters who cannot."""
    return await _labels(visit, *await _received_request(visit))


# -- what becomes of a request -----------------------------------------------------------------------------------------


async def _my_context(visit: Visit) -> Mapping[str, object]:
    request, names = await _my_request(visit)
    if request.status != "requested":
        raise web.HTTPNotFound
    return {"request": request, "names": names}


async def _received_context(visit: Visit) -> Mapping[str, object]:
    request, names = await _received_request(visit)
    return {"request": request, "names": names}


def _ship(session: Session, visit: Visit, value: Sure) -> Outcome:
    """D3e 「発送」."""
    request = visit.part("request")
    call = app_call("ship", {"request": request, "supporter": visit.signed_in.pseudonym})
    write = visit.kit.outbox.put(session, "ship", call, reference=f"request:{request}", user=visit.user)
    return Outcome(visit.kit.path("my_request", request=request), Flash("ship.done", {}), write)


def shipped(kit: Kit, settled: Settled) -> None:
    """D3f."""
    if not settled.done:
        return
    request = settled.session.get(RequestRow, settled.write.reference.partition(":")[2])
    if request is not None:
        item = (request.item, request.size)
        mails.tell_shelter_of_shipment(kit, settled.session, request.request, request.shelter, item, request.quantity)


def _refuse(session: Session, visit: Visit, value: Sure) -> Outcome:
    """D13c: the supporter cannot send it after all."""
    request = visit.part("request")
    call = app_call("refuse_request", {"request": request, "supporter": visit.signed_in.pseudonym})
    write = visit.kit.outbox.put(session, "refused", call, reference=f"request:{request}", user=visit.user)
    return Outcome(visit.kit.path("my_request", request=request), Flash("refuse.done", {}), write)


def _cancel(session: Session, visit: Visit, value: Sure) -> Outcome:
    """D13d: the receiving side does not want it after all."""
    request = visit.part("request")
    call = receiving_call(visit.signed_in, "cancel_request", {"request": request})
    write = visit.kit.outbox.put(session, "cancelled", call, reference=f"request:{request}", user=visit.user)
    return Outcome(visit.kit.path("request", request=request), Flash("cancel.done", {}), write)


@dataclass(frozen=True)
class WriteOff:
    """D13a, D13b."""

    what: str = forms.radio()


async def _write_off_options(visit: Visit) -> Options:
    return {
        "what": [Option(w, visit.t(f"write_off.{w}"), visit.t(f"write_off.{w}_hint")) for w in ("lost", "returned")]
    }


def _write_off(session: Session, visit: Visit, value: WriteOff) -> Outcome:
    request = visit.part("request")
    call = officer_call(visit.signed_in, f"mark_{value.what}", {"request": request})
    write = visit.kit.outbox.put(session, "written_off", call, reference=f"request:{request}", user=visit.user)
    return Outcome(visit.kit.path("request", request=request), Flash("write_off.done", {}), write)


async def _decline_context(visit: Visit) -> Mapping[str, object]:
    offer = await find_offer(visit)
    names, needs = await _fitting(visit)
    if offer.need not in {n.need for n in needs}:
        raise web.HTTPNotFound
    return {"offer": offer, "names": names}


def _decline(session: Session, visit: Visit, value: Sure) -> Outcome:
    """D13d: a pledge that the receiving side does not want becomes a free offer."""
    if not value.sure:
        raise FormRefused({"sure": Problem("form.tick_needed")})
    offer = visit.part("offer")
    call = receiving_call(visit.signed_in, "decline_pledge", {"offer": offer})
    write = visit.kit.outbox.put(session, "declined", call, reference=f"offer:{offer}", user=visit.user)
    return Outcome(visit.kit.path("offer", offer=offer), Flash("decline.done", {}), write)


PAGES = (
    FormPage(
        "new_request", "/offers/{offer}/request", RECEIVING, NewRequest, _request, options=_options, initial=_initial,
        context=_context, check=_check, template="donations/new_request.html",
    ),
    FormPage(
        "decline", "/offers/{offer}/decline", RECEIVING, Sure, _decline, context=_decline_context, review=False,
        template="donations/about_offer.html",
    ),
    View("requests", "/requests", show_requests, RECEIVING),
    View("request", "/requests/{request}", show_request, RECEIVING),
    View("labels", "/requests/{request}/labels.pdf", download_labels, RECEIVING),
    FormPage(
        "cancel", "/requests/{request}/cancel", RECEIVING, Sure, _cancel, context=_received_context, review=False,
        template="donations/about_request.html",
    ),
    FormPage(
        "write_off", "/requests/{request}/write-off", OFFICERS, WriteOff, _write_off, options=_write_off_options,
        context=_received_context, template="donations/about_request.html",
    ),
    View("my_request", "/mine/requests/{request}", show_my_request, SUPPORTERS),
    View("my_labels", "/mine/requests/{request}/labels.pdf", download_my_labels, SUPPORTERS),
    FormPage(
        "ship", "/mine/requests/{request}/ship", SUPPORTERS, Sure, _ship, context=_my_context, review=False,
        template="donations/about_request.html",
    ),
    FormPage(
        "refuse", "/mine/requests/{request}/refuse", SUPPORTERS, Sure, _refuse, context=_my_context, review=False,
        template="donations/about_request.html",
    ),
)  # fmt: skip
