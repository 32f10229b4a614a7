"""What anybody may get to check a certificate: the issuer's document, the lists, the page of a number (V5a, V5d).

The lists and the page ask the chain, so that a revocation is seen at once.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from aiohttp import web

from apps.common.chain import ChainUnavailable
from apps.common.copying import Asker
from apps.common.web import EVERYBODY, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import COPY
from apps.volunteers.credentials.certificate import NUMBER, schema, write_file
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.statuslist import LIST_ENTRIES, PURPOSES
from apps.volunteers.issuing.issuer import Issuer, open_issuer
from contracts.volunteers.queries import BitPage, CertificateView
from contracts.volunteers.types import VOLUNTEERS
from ledger.encoding import Value

MAX_LISTS = 1_000
PAGE_BITS = 100
S = TypeVar("S", bound=msgspec.Struct)


async def ask(visit: Visit, kind: type[S], method: str, **arguments: Value) -> S | None:
    """The contract's answer, not of before what the copy shows; 503 while no node answers."""
    height = await visit.kit.database.read(COPY.height)
    try:
        return await Asker(visit.kit.chain, VOLUNTEERS, height).one(kind, method, arguments)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None


async def issuer_of(visit: Visit) -> Issuer:
    """The municipality of the address, if it is one of the chain."""
    code = visit.part("municipality")
    if f"municipality.{code}" not in visit.kit.catalogue:
        raise web.HTTPNotFound
    return await visit.kit.database.write(lambda session: open_issuer(session, visit.kit, code))


def answer(document: JsonObject, content_type: str) -> web.Response:
    return web.Response(body=write_file(document), content_type=content_type, charset="utf-8")


async def show_did(visit: Visit) -> web.StreamResponse:
    """The document of the municipality's did:web."""
    return answer((await issuer_of(visit)).did_document(), "application/did+json")


async def show_schema(visit: Visit) -> web.StreamResponse:
    return answer(schema(), "application/schema+json")


async def show_list(visit: Visit) -> web.StreamResponse:
    """V2f: one list of what is revoked, or suspended, as the chain has it now."""
    purpose, number = visit.part("purpose"), visit.part("number")
    if purpose not in PURPOSES or not re.fullmatch(r"[1-9]\d{0,3}", number, re.ASCII) or int(number) > MAX_LISTS:
        raise web.HTTPNotFound
    issuer = await issuer_of(visit)
    first = (int(number) - 1) * LIST_ENTRIES
    indices = [index - first for index in await _bits(visit, issuer.publisher.municipality, purpose)]
    own = [index for index in indices if 0 <= index < LIST_ENTRIES]
    return answer(issuer.status_list(purpose, int(number), own, visit.now_ms), "application/vc+ld+json")


async def _bits(visit: Visit, municipality: str, purpose: str) -> list[int]:
    """Every index that is set, page by page."""
    found: list[int] = []
    after = ""
    while True:
        page = await ask(
            visit, BitPage, "status_bits", municipality=municipality, purpose=purpose, after=after, limit=PAGE_BITS
        )
        if page is None:
            return found
        found += page.rows
        if not page.next:
            return found
        after = page.next


async def show_number(visit: Visit) -> web.StreamResponse:
    """V5a: what the QR code of a printed card leads to. It says what the number is worth, not who is there."""
    number = visit.part("number")
    if NUMBER.fullmatch(number) is None:
        raise web.HTTPNotFound
    view = await ask(visit, CertificateView, "certificate", certificate=number)
    if view is None:
        return visit.render("volunteers/issuing/number.html", status=404, number=number, view=None)
    return visit.render("volunteers/issuing/number.html", number=number, view=view, label=words.label)


PAGES = (
    View("certificate_number", "/c/{number}", show_number, EVERYBODY),
    View("certificate_id", "/certificates/{number}", show_number, EVERYBODY),
    View("certificate_schema", "/schemas/volunteer-certificate.json", show_schema, EVERYBODY),
    View("issuer_did", "/{municipality}/did.json", show_did, EVERYBODY),
    View("status_list", "/{municipality}/status/{purpose}/{number}", show_list, EVERYBODY),
)
