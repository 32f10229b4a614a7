"""書類: receipts and registrations that members hand in, kept here; the chain has a commitment to each (E3b, E4b)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import forms, personal
from apps.common.copying import Asker, gather
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem, Upload
from apps.common.language import jst
from apps.common.web import Flash, View, Visit
from apps.ecopoints.books.looking import asker
from apps.ecopoints.copy import own_writes
from apps.ecopoints.people import keeping
from apps.ecopoints.people.looking import (
    active_member,
    is_own,
    may_see,
    named_devices,
    names_of,
    note_look,
    seen_document,
)
from apps.ecopoints.people.tables import EcoDocument
from apps.ecopoints.signing import MEMBERS, OFFICERS, READERS, app_call
from apps.ecopoints.tables import DeviceRow, MemberRow
from contracts.ecopoints.types import Document
from ledger.encoding import Value

KINDS = ("receipt", "registration", "meter-statement", "photo", "other")
PURPOSE = "document"
PAGE_ROWS = 10
"""Each is hashed anew when the list is shown."""
MAX_BYTES = 5_000_000
TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"%PDF-": "application/pdf"}

State = Literal["ok", "altered", "waiting"]


@dataclass(frozen=True)
class NewDocument:
    kind: str = forms.choice()
    device: str = forms.choice(required=False)
    file: Upload | None = forms.file(maximum=MAX_BYTES, accept="image/jpeg,image/png,image/webp,application/pdf")


@dataclass(frozen=True)
class Delete:
    sure: bool = forms.tick(required=True)


def type_of(data: bytes) -> str:
    """By its content, whatever its sender's machine calls it; empty if it is none that we show."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in TYPES.items() if data.startswith(start)), "")


def commitment_of(session: Session, document: EcoDocument) -> str:
    return personal.commit_to(session, keeping.document_subject(document.document), PURPOSE, document.data)


# -- handing in --------------------------------------------------------------------------------------------------------


async def _new_context(visit: Visit) -> Mapping[str, object]:
    member = await active_member(visit)
    if READERS.isdisjoint(visit.signed_in.roles) and not is_own(visit.signed_in, member.member):
        raise web.HTTPNotFound
    await note_look(visit, "member", member.member)
    return {"member": member}


async def _new_options(visit: Visit) -> Options:
    member = await active_member(visit)
    devices = await visit.kit.database.read(lambda session: named_devices(session, visit, member.member))
    return {
        "kind": [Option(kind, visit.t(f"kind_value.{kind}")) for kind in KINDS],
        "device": [Option(d.row.device, d.label) for d in devices],
    }


async def _check_new(visit: Visit, value: NewDocument) -> Mapping[str, Problem]:
    if value.file is None or not type_of(value.file.data):
        return {"file": Problem("document_new.wrong_type")}
    digest, member = sha256(value.file.data).digest(), visit.part("member")

    def same(session: Session) -> EcoDocument | None:
        rows = select(EcoDocument).where(EcoDocument.member == member, EcoDocument.digest == digest)
        return session.scalar(rows.limit(1))

    known = await visit.kit.database.read(same)
    if known is None:
        return {}
    return {"file": Problem("document_new.same", {"day": f"{jst(known.uploaded_ms):%Y-%m-%d}"})}


def _hand_in(session: Session, visit: Visit, value: NewDocument) -> Outcome:
    member = session.get_one(MemberRow, visit.part("member"))
    if value.file is None:
        raise FormRefused({"file": Problem("form.file_needed")})
    document = put_document(session, visit.now_ms, member, value.kind, value.device, value.file)
    arguments: dict[str, Value] = {
        "document": document.document,
        "member": member.member,
        "kind": value.kind,
        "commitment": commitment_of(session, document),
    }
    arguments |= {"device": value.device} if value.device else {}
    call = app_call(member.municipality, "register_document", arguments)
    reference = f"document:{document.document}"
    write = visit.kit.outbox.put(session, "document.register", call, reference=reference, user=visit.user)
    return Outcome(visit.kit.path("document", document=document.document), Flash("document_new.done", {}), write)


def put_document(
    session: Session, now_ms: int, member: MemberRow, kind: str, device: str, upload: Upload
) -> EcoDocument:
    """The image as it came; what registers it on the chain is the caller's."""
    document = EcoDocument(
        document=f"doc-{secrets.token_hex(10)}", member=member.member, municipality=member.municipality, kind=kind,
        device=device, name=upload.name, content_type=type_of(upload.data), data=upload.data,
        digest=sha256(upload.data).digest(), uploaded_ms=now_ms, keep_until_ms=0,
    )  # fmt: skip
    session.add(document)
    session.flush()
    return document


# -- looking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """A document with what the chain says of it. `waiting`: the chain has not got it yet."""

    row: EcoDocument
    on_chain: Document | None
    state: State
    size: int


async def check_documents(visit: Visit, documents: Sequence[EcoDocument]) -> list[Checked]:
    """E4b: each image hashed anew and compared with the chain's commitment."""
    asking: Asker = await asker(visit.kit)
    on_chain: dict[str, Document] = {}

    async def ask_for(document: str) -> None:
        found = await asking.one(Document, "document", {"document": document})
        if found is not None:
            on_chain[document] = found

    await gather([ask_for(row.document) for row in documents])

    def compare(session: Session) -> list[Checked]:
        return [_compare(session, row, on_chain.get(row.document)) for row in documents]

    return await visit.kit.database.read(compare)


def _compare(session: Session, row: EcoDocument, found: Document | None) -> Checked:
    if found is None:
        return Checked(row, None, "waiting", len(row.data))
    subject = keeping.document_subject(row.document)
    same = personal.is_committed(session, subject, PURPOSE, row.data, found.hash)
    return Checked(row, found, "ok" if same else "altered", len(row.data))


async def show_documents(visit: Visit) -> web.StreamResponse:
    """A municipality's documents, or those of one member, the newest first; a member sees their own."""
    await own_writes(visit)
    user, page = visit.signed_in, visit.page_number()
    reads = not READERS.isdisjoint(user.roles)
    member = visit.query("member", 64) if reads else user.pseudonym
    if reads:
        await note_look(visit, "documents", member, member or user.organisation)

    def look(session: Session) -> tuple[Sequence[EcoDocument], int, Mapping[str, str]]:
        rows = select(EcoDocument)
        if reads:
            rows = rows.where(EcoDocument.municipality == user.organisation)
        if member:
            rows = rows.where(EcoDocument.member == member)
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        order = rows.order_by(EcoDocument.uploaded_ms.desc(), EcoDocument.document)
        shown = session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all()
        return shown, count, names_of(session, [row.member for row in shown])

    documents, count, names = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/people/documents.html", checked=await check_documents(visit, documents), count=count, page=page,
        page_rows=PAGE_ROWS, names=names, member=member, reads=reads,
        may_add=await _may_add(visit, member),
    )  # fmt: skip


async def _may_add(visit: Visit, member: str) -> bool:
    row = await visit.kit.database.read(lambda session: session.get(MemberRow, member)) if member else None
    if row is None or row.left_ms is not None or not visit.may_open("document_new"):
        return False
    return may_see(visit.signed_in, row.member, row.municipality)


async def own_document(visit: Visit) -> EcoDocument:
    """The document of the address, if the visitor may see it; the look is recorded."""
    await own_writes(visit)
    user, document_id = visit.signed_in, visit.part("document")
    document = await visit.kit.database.read(lambda session: seen_document(session, user, document_id))
    if document is None:
        raise web.HTTPNotFound
    await note_look(visit, "document", document.member, document.document)
    return document


@dataclass(frozen=True, slots=True)
class Around:
    """What a document's page says beside it."""

    member_name: str
    device: DeviceRow | None
    kept_until_ms: int


def _around(session: Session, document: EcoDocument) -> Around:
    device = session.get(DeviceRow, document.device) if document.device else None
    until_ms = document.keep_until_ms or keeping.kept_until_ms(session, document.member, document.device)
    return Around(names_of(session, [document.member]).get(document.member, ""), device, until_ms)


async def show_document(visit: Visit) -> web.StreamResponse:
    document = await own_document(visit)
    (checked,) = await check_documents(visit, [document])
    around = await visit.kit.database.read(lambda session: _around(session, document))
    return visit.render("ecopoints/people/document.html", checked=checked, document=document, around=around)


async def download(visit: Visit) -> web.StreamResponse:
    """The file itself. Pages show images of it; nothing that it contains runs."""
    document = await own_document(visit)
    ending = document.content_type.partition("/")[2].replace("jpeg", "jpg")
    response = visit.download(document.data, f"{document.document}.{ending}", document.content_type)
    response.headers["Cache-Control"] = "no-store"
    return response


# -- deleting ----------------------------------------------------------------------------------------------------------


async def _delete_context(visit: Visit) -> Mapping[str, object]:
    document = await own_document(visit)
    around = await visit.kit.database.read(lambda session: _around(session, document))
    return {"document": document, "around": around}


async def _check_delete(visit: Visit, value: Delete) -> Mapping[str, Problem]:
    document = await own_document(visit)
    around = await visit.kit.database.read(lambda session: _around(session, document))
    if around.kept_until_ms <= visit.now_ms:
        return {}
    return {"": Problem("document_delete.kept", {"day": f"{jst(around.kept_until_ms):%Y-%m-%d}"})}


def _delete(session: Session, visit: Visit, value: Delete) -> Outcome:
    document = seen_document(session, visit.signed_in, visit.part("document"))
    if document is None:
        raise FormRefused({"": Problem("document_delete.gone")})
    if keeping.kept_until_ms(session, document.member, document.device) > visit.now_ms:
        raise FormRefused({"": Problem("document_delete.gone")})
    keeping.delete_document(session, document)
    return Outcome(visit.kit.path("documents"), Flash("document_delete.done", {}))


PAGES = (
    View("documents", "/documents", show_documents, READERS | MEMBERS),
    FormPage(
        "document_new", "/members/{member}/documents/new", MEMBERS | OFFICERS, NewDocument, _hand_in, review=False,
        options=_new_options, check=_check_new, context=_new_context,
    ),
    View("document", "/documents/{document}", show_document, READERS | MEMBERS),
    View("document_file", "/documents/{document}/file", download, READERS | MEMBERS),
    FormPage(
        "document_delete", "/documents/{document}/delete", MEMBERS | OFFICERS, Delete, _delete, review=False,
        check=_check_delete, context=_delete_context, template="ecopoints/people/document_delete.html",
    ),
)  # fmt: skip
