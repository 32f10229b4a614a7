"""受取: what is in a box, from its QR code, and confirming that it has arrived (D9). Also without a connection.

Opening the page changes nothing; only the confirmation does. A box is received once: a second time shows the first
result, so a phone that kept what it scanned may send it again without harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms, qr
from apps.common.chain import ChainUnavailable
from apps.common.codes import read_code
from apps.common.form_page import WAIT_S, FormPage, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Settled
from apps.common.tables import User, Write
from apps.common.web import EVERYBODY, Flash, Kit, View, Visit
from apps.donations import mails
from apps.donations.names import Names, load_names
from apps.donations.signing import CONTRACT, RECEIVING, receiving_call
from apps.donations.tables import RequestRow
from contracts.donations.queries import BoxView
from ledger.encoding import Value, unpack
from ledger.schema import from_plain
from ledger.types import Receipt

REASONS = ("damaged", "missing", "surplus", "wrong_item", "expired")
MAX_LATE_MS = 30 * 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Receive:
    shelter: str = forms.choice()
    quantity: int = forms.number(minimum=0, maximum=1_000_000)
    reason: str = forms.choice(required=False)
    divert: bool = forms.tick()
    occurred: datetime | None = forms.optional_moment()


@dataclass(frozen=True)
class Photo:
    photo: forms.Upload | None = forms.file(maximum=10_000_000, accept="image/*")


def is_receiving(user: User | None) -> bool:
    return user is not None and not RECEIVING.isdisjoint(user.roles)


# -- the box -----------------------------------------------------------------------------------------------------------


async def _box(visit: Visit) -> BoxView:
    """What the chain says of the box; `HTTPNotFound` if no box has this code."""
    code = read_code(visit.part("token"))
    if not code:
        raise web.HTTPNotFound
    try:
        found = await visit.kit.chain.query(CONTRACT, "box", {"token": code})
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None
    if not isinstance(found, dict):
        raise web.HTTPNotFound
    return from_plain(BoxView, found)


async def _context(visit: Visit) -> Mapping[str, object]:
    view = await _box(visit)
    names = await load_names(visit)
    receiving = is_receiving(visit.user)
    return {
        "box": view.box,
        "request": view.request,
        "names": names,
        "code": read_code(visit.part("token")),
        "is_receiving": receiving and view.box.status in ("packed", "lost") and view.request.status != "cancelled",
        "redirected": await _redirected(names, view),
    }


async def _redirected(names: Names, view: BoxView) -> str:
    """D10c: where the boxes of a closed or full shelter are to go instead."""
    shelter = names.shelters.get(view.request.shelter)
    return shelter.redirect_to if shelter is not None else ""


async def _options(visit: Visit) -> Options:
    names = await load_names(visit)
    return {
        "shelter": names.shelter_options(visit.user) if is_receiving(visit.user) and visit.user else [],
        "reason": [Option(r, visit.t(f"reason_value.{r}")) for r in REASONS],
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    view = await _box(visit)
    if visit.user is None or not is_receiving(visit.user):
        return {}
    names = await load_names(visit)
    own = [s.shelter for s in names.own_shelters(visit.user)]
    expected = [s for s in (await _redirected(names, view), view.request.shelter) if s in own]
    shelter = expected[0] if expected else own[0] if len(own) == 1 else ""
    return {"shelter": (shelter,), "quantity": (str(view.box.quantity),)}


async def _check(visit: Visit, value: Receive) -> Mapping[str, Problem]:
    view, names = await _box(visit), await load_names(visit)
    problems: dict[str, Problem] = {}
    if value.quantity != view.box.quantity and not value.reason:
        problems["reason"] = Problem("box.reason_needed", {"sent": view.box.quantity})
    expected = {view.request.shelter, await _redirected(names, view)}
    if value.shelter not in expected and not value.divert:
        problems["divert"] = Problem("box.wrong_shelter", {"shelter": names.shelter(view.request.shelter)})
    if value.occurred is not None and value.occurred.timestamp() * 1000 > visit.now_ms:
        problems["occurred"] = Problem("form.ahead")
    return problems


def _receive(session: Session, visit: Visit, value: Receive) -> Outcome:
    """D9d: 「受取」."""
    if visit.user is None or not is_receiving(visit.user):
        raise web.HTTPForbidden
    code = read_code(visit.part("token"))
    arguments: dict[str, Value] = {
        "token": code,
        "shelter": value.shelter,
        "quantity": value.quantity,
        "reason": value.reason,
        "divert": value.divert,
    }
    if value.occurred is not None:
        arguments["occurred_ms"] = int(value.occurred.timestamp() * 1000)
    call = receiving_call(visit.user, "receive", arguments)
    write = visit.kit.outbox.put(session, "receive", call, reference=f"shelter:{value.shelter}", user=visit.user)
    return Outcome(visit.kit.path("box", token=code), Flash("box.done", {}), write)


def received(kit: Kit, settled: Settled) -> None:
    """D9e: what follows from an arrival: the supporter's mail, unless it had arrived before."""
    receipt = settled.receipt
    if not settled.done or receipt is None or receipt.result["again"]:
        return
    result = receipt.result
    request = settled.session.get(RequestRow, str(result["request"]))
    if request is None:
        return
    mails.tell_supporter_of_arrival(
        kit, settled.session, request.request, request.supporter, str(result["shelter"]),
        (str(result["item"]), str(result["size"])), int(str(result["received"])), int(str(result["box"])),
        int(str(result["boxes"])),
    )  # fmt: skip


# -- finding the box: by camera, by hand, by photo ---------------------------------------------------------------------


async def show_scan(visit: Visit) -> web.StreamResponse:
    """The page for receiving many boxes: it goes on without a connection once it is open (static/scan.js)."""
    typed = visit.query("code", 300)
    code = read_code(typed)
    if code:
        return visit.redirect(visit.kit.path("box", token=code))
    names = await load_names(visit)
    return visit.render(
        "donations/scan.html", names=names, typed=typed, is_wrong=bool(typed),
        shelters=names.shelter_options(visit.signed_in),
    )  # fmt: skip


async def _read_photo(visit: Visit, value: Photo) -> Mapping[str, Problem]:
    """D9i."""
    texts = qr.read_photo(value.photo.data) if value.photo is not None else []
    codes = [code for code in map(read_code, texts) if code]
    if not codes:
        return {"photo": Problem("scan_photo.none")}
    visit.noted["code"] = codes[0]
    return {}


def _to_box(session: Session, visit: Visit, value: Photo) -> Outcome:
    return Outcome(visit.kit.path("box", token=str(visit.noted["code"])))


# -- kept while there was no connection --------------------------------------------------------------------------------


async def receive_later(visit: Visit) -> web.StreamResponse:
    """One arrival that a phone kept: `code`, `shelter`, `occurred_ms`. Sent again it has the same answer.

    200 with `state` done, refused (with the sentence) or waiting; the phone keeps it until it is done or refused.
    """
    posted = await visit.posted()
    code, shelter = read_code(str(posted.get("code", ""))), str(posted.get("shelter", ""))[:48]
    occurred = str(posted.get("occurred_ms", ""))
    user = visit.signed_in
    own = {s.shelter for s in (await load_names(visit)).own_shelters(user)}
    if not code or shelter not in own or not (occurred.isascii() and occurred.isdecimal() and len(occurred) < 16):
        return web.json_response({"state": "refused", "text": visit.t("scan.unreadable")})
    # A phone's clock may be ahead: what it says is bounded by ours.
    occurred_ms = min(max(int(occurred), visit.now_ms - MAX_LATE_MS), visit.now_ms - 1_000)
    reference = f"late:{code}:{shelter}"

    def put(session: Session) -> int:
        same = select(Write.id).where(Write.kind == "receive", Write.reference == reference)
        earlier = session.scalar(same.limit(1))
        if earlier is not None:
            return earlier
        arguments: dict[str, Value] = {"token": code, "shelter": shelter, "occurred_ms": occurred_ms}
        call = receiving_call(user, "receive", arguments)
        return visit.kit.outbox.put(session, "receive", call, reference=reference, user=user).id

    write = await visit.kit.outbox.wait(await visit.kit.database.write(put), WAIT_S)
    return web.json_response({"state": write.state, "text": _told(visit, write)})


def _told(visit: Visit, write: Write) -> str:
    if write.state == "refused":
        return write.reason_ja if visit.language == "ja" else write.reason_en
    if write.receipt is None:
        return ""
    result = unpack(Receipt, write.receipt).result
    key = "scan.again" if result["again"] else "scan.done"
    return visit.t(key, box=result["box"], boxes=result["boxes"], quantity=result["received"])


async def serve_worker(visit: Visit) -> web.StreamResponse:
    """The worker that keeps the scan page on the phone: it must lie at the root to reach `/scan`."""
    source = visit.kit.renderer.static_file("donations/worker.js")
    return web.Response(body=source, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


PAGES = (
    FormPage(
        "box", "/box/{token}", EVERYBODY, Receive, _receive, options=_options, initial=_initial, context=_context,
        check=_check, review=False, template="donations/box.html",
    ),
    View("scan", "/scan", show_scan, RECEIVING),
    FormPage("scan_photo", "/scan/photo", RECEIVING, Photo, _to_box, check=_read_photo, review=False),
    View("receive_later", "/scan/later", receive_later, RECEIVING, ("POST",)),
    View("worker", "/worker.js", serve_worker, EVERYBODY),
)  # fmt: skip
