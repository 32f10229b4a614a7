"""Rows of the state with their proofs, and the history of a subject."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason
from edge.http.names import JSON
from edge.http.parameters import LIMIT, MIN_HEIGHT, READ_ERRORS, reach_min_height
from edge.http.routing import Answer, Content, Parameter, Route, answer, given
from edge.http.shapes import HistoryPage, HistoryView, RowPage, RowView, StateView
from ledger.chain import Chain, parse_cursor
from ledger.kv import after_prefix
from ledger.refusal import BrokenInvariant, Refused
from ledger.types import Transaction

HexKey = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){1,512}$")]
HexPrefix = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){0,512}$")]
SubjectText = Annotated[str, msgspec.Meta(min_length=1, max_length=160)]
CursorText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,16}\.[0-9]{1,10}\.[0-9]{1,5}$")]

KEY = Parameter("key", "path", HexKey, "A state key, hexadecimal: `<contract>/<table>/<id>` in UTF-8.", required=True)
PREFIX = Parameter("prefix", "query", HexPrefix, "Only keys that begin with this, hexadecimal.", default="")
AFTER_KEY = Parameter("after", "query", HexPrefix, "Only keys after this one, hexadecimal.", default="")
SUBJECT = Parameter(
    "subject", "path", SubjectText, "A subject, as events name it: `need:…`, `account:…`.", required=True
)
AFTER = Parameter("after", "query", CursorText | None, "The cursor `height.index.number` to go on from.", default=None)


async def state_row(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/state/{key}"""
    key = bytes.fromhex(given(request, KEY, str))
    await reach_min_height(api, request)
    chain = api.node.chain
    return answer(
        StateView(key, chain.state.get(key), chain.head, chain.certificate(chain.height), chain.prove_state(key).nodes)
    )


async def state_rows(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/state"""
    prefix = bytes.fromhex(given(request, PREFIX, str))
    after = bytes.fromhex(given(request, AFTER_KEY, str))
    limit = given(request, LIMIT, int)
    await reach_min_height(api, request)
    chain = api.node.chain
    start = max(prefix, after + b"\x00" if after else b"")
    rows: list[RowView] = []
    more = False
    for key, value in chain.state.scan(start, after_prefix(prefix)):
        if len(rows) == limit:
            more = True
            break
        rows.append(RowView(key, value))
    return answer(RowPage(chain.height, tuple(rows), rows[-1].key if more else None))


async def history(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/history/{subject}"""
    subject = given(request, SUBJECT, str)
    after = given(request, AFTER, str) or ""
    limit = given(request, LIMIT, int)
    await reach_min_height(api, request)
    return answer(history_page(api.node.chain, subject, after, limit))


def history_page(chain: Chain, subject: str, after: str, limit: int) -> HistoryPage:
    if after:
        try:
            parse_cursor(after)
        except ValueError as error:
            raise Refused(ApiReason.BAD_PARAMETER, name=AFTER.name, detail=str(error)) from None
    entries = chain.history(subject, after=after, limit=limit + 1)
    views: list[HistoryView] = []
    of_height, block = -1, None
    for entry in entries[:limit]:
        if entry.height != of_height:
            of_height, block = entry.height, chain.block(entry.height)
        if block is None:
            raise BrokenInvariant(f"block {entry.height} is in the history but not in the store")
        views.append(
            HistoryView(
                cursor=entry.cursor,
                height=entry.height,
                index=entry.index,
                number=entry.number,
                time_ms=block.header.time_ms,
                transaction_id=Transaction.parse(block.transactions[entry.index]).id,
                event=entry.event,
            )
        )
    return HistoryPage(chain.height, tuple(views), views[-1].cursor if len(entries) > limit else None)


ROUTES = (
    Route(
        "GET",
        "/v1/state/{key}",
        "getState",
        "A row of the state with its proof, or the proof that there is none.",
        state_row,
        parameters=(KEY, MIN_HEIGHT),
        answers={200: Answer("The row, or its absence.", (Content(JSON, StateView),))},
        errors=READ_ERRORS,
        tag="state",
    ),
    Route(
        "GET",
        "/v1/state",
        "listState",
        "Rows of the state by key, a page at a time.",
        state_rows,
        parameters=(PREFIX, AFTER_KEY, LIMIT, MIN_HEIGHT),
        answers={200: Answer("The rows.", (Content(JSON, RowPage),))},
        errors=READ_ERRORS,
        tag="state",
    ),
    Route(
        "GET",
        "/v1/history/{subject}",
        "getHistory",
        "What happened to a subject, in order, a page at a time.",
        history,
        parameters=(SUBJECT, AFTER, LIMIT, MIN_HEIGHT),
        answers={200: Answer("The steps.", (Content(JSON, HistoryPage),))},
        errors=READ_ERRORS,
        tag="state",
    ),
)
