"""One-time codes of payments and redemptions: made here, shown to their resident only, looked up for who takes them.

The chain has a commitment until the code is used. The database has a random seed; the code is what the application's
secret makes of it, so neither a copy of the database nor the chain gives a code away, and a page can show it again.
With another secret the codes that are not used yet are gone: a payment is opened anew, an order cancelled and repeated.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import msgspec
from aiohttp import web
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from apps.common import accounts, forms
from apps.common.codes import CODE_BYTES, read_code
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.outbox import Call, Settled
from apps.common.security import client_address
from apps.common.tables import Write
from apps.common.web import Kit, Visit
from apps.points.looking import S, ask
from apps.points.tables import CodeSeed
from apps.points.use import Use
from contracts.points import commitment
from ledger.encoding import Value

SEED_BYTES = 16
YEAR_MS = 366 * 86_400_000
"""A seed lives so long: what is not fetched by then shows no code any more, and can be cancelled."""


@dataclass(frozen=True)
class Typed:
    code: str = forms.text(max_length=300, autocomplete="off")


def code_from(secret: bytes, seed: bytes) -> str:
    """The one-time code of a seed."""
    return b32encode(hmac.new(secret, b"points/code\x00" + seed, sha256).digest()[:CODE_BYTES]).decode()


def put_with_code(session: Session, visit: Visit, kind: str, call: Call) -> Write:
    """Queue a call that makes a payment or redemption, with the commitment to a new code."""
    session.execute(delete(CodeSeed).where(CodeSeed.made_ms < visit.now_ms - YEAR_MS))
    seed = secrets.token_bytes(SEED_BYTES)
    row = CodeSeed(user_id=visit.signed_in.id, seed=seed, about="", made_ms=visit.now_ms)
    session.add(row)
    session.flush()
    hidden: Mapping[str, Value] = {"commitment": commitment(code_from(visit.kit.settings.secret, seed))}
    whole = Call(call.account, call.contract, call.method, {**call.arguments, **hidden})
    return visit.kit.outbox.put(session, kind, whole, reference=f"code:{row.id}", user=visit.user)


def keep_code(kit: Kit, settled: Settled) -> None:
    """The chain has made what the code is for, or refused: then the code is worth nothing."""
    row = settled.session.get(CodeSeed, int(settled.write.reference.removeprefix("code:")))
    if row is None:
        return
    if not settled.done or settled.receipt is None:
        settled.session.delete(row)
        return
    result = settled.receipt.result
    row.about = str(result["payment"] if "payment" in result else result["redemption"])


async def shown_code(visit: Visit, about: str) -> str:
    """The code of the visitor's own payment or redemption; empty if there is none."""
    query = select(CodeSeed.seed).where(CodeSeed.about == about, CodeSeed.user_id == visit.signed_in.id)
    seed = await visit.kit.database.read(lambda session: session.scalar(query.limit(1)))
    return code_from(visit.kit.settings.secret, seed) if seed is not None else ""


async def is_throttled(visit: Visit) -> bool:
    """Whether this account or address has tried too many codes that do not exist."""
    who, where = _tried(visit)
    return await visit.kit.database.read(lambda s: accounts.is_throttled(s, who, where, visit.now_ms))


async def look_up(use: Use, visit: Visit, kind: type[S], method: str, code: str) -> S | None:
    """What a code of the visitor's municipality stands for. A code that is none counts as a try."""
    found = await ask(use, visit, kind, method, code=code)
    if found is not None and msgspec.structs.asdict(found)["municipality"] == visit.signed_in.organisation:
        return found
    who, where = _tried(visit)
    await visit.kit.database.write(lambda s: accounts.count_try(s, who, where, visit.now_ms))
    return None


async def scanned(use: Use, visit: Visit, kind: type[S], method: str) -> tuple[str, S]:
    """The code of the address and what it stands for; 404 if there is nothing, 429 after too many of those."""
    code = read_code(visit.part("code"))
    if not code:
        raise web.HTTPNotFound
    if await is_throttled(visit):
        raise web.HTTPTooManyRequests
    found = await look_up(use, visit, kind, method, code)
    if found is None:
        raise web.HTTPNotFound
    return code, found


def typed_page(
    use: Use, name: str, path: str, roles: frozenset[str], leads_to: str, kind: type[msgspec.Struct], method: str
) -> FormPage[Typed]:
    """A page where a code is typed that could not be scanned; it leads to the page that scanning opens."""

    async def check(visit: Visit, value: Typed) -> Mapping[str, Problem]:
        if await is_throttled(visit):
            return {"": Problem("points_code.throttled", {"minutes": accounts.WINDOW_MS // 60_000})}
        code = read_code(value.code)
        if not code:
            return {"code": Problem("points_code.unreadable")}
        found = await look_up(use, visit, kind, method, code)
        return {} if found is not None else {"code": Problem("points_code.unknown")}

    return FormPage(name, path, roles, Typed, partial(_to, leads_to), check=check, review=False)


def _to(page: str, session: Session, visit: Visit, value: Typed) -> Outcome:
    return Outcome(visit.kit.path(page, code=read_code(value.code)))


def _tried(visit: Visit) -> tuple[str, str]:
    """Counted apart from failed sign-ins: a till with a bad scanner must not lock its people out."""
    address = client_address(visit.request, visit.kit.settings)
    return f"points code {visit.signed_in.id}", f"points code {address}"
