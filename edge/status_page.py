"""The node's pages for people: how the network is, the last blocks, one transaction's story, one subject's history.

Japanese first, English by a link. Plain HTML that needs no JavaScript; with it the overview renews itself in place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Literal, cast
from urllib.parse import quote

import jinja2
import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.blocks import HEIGHT, block_at, summary
from edge.http.errors import STATUS, ApiReason
from edge.http.health import status_view
from edge.http.names import HTML
from edge.http.routing import Answer, Content, Handler, Parameter, Route, given
from edge.http.rows import AFTER, SUBJECT, history_page
from edge.http.shapes import StatusView, TransactionAnswer
from edge.http.transactions import ID, transaction_answer
from edge.status_texts import TEXTS
from ledger.chain import Chain
from ledger.refusal import Language, Refused, fill
from ledger.registry import NODES, ORGANISATIONS
from ledger.schema import to_plain
from ledger.types import Certificate, Header

HERE = Path(__file__).parent
LAST_BLOCKS = 10
MAX_TRANSACTIONS_SHOWN = 200
PAGE = 50
TIME_ZONE = timezone(timedelta(hours=9), "JST")
"""The only time zone of the municipalities that this is for; it knows no summer time."""

LANGUAGE = Parameter("lang", "query", Literal["ja", "en"], "The language.", default="ja")
SEARCH = Parameter(
    "q", "query", Annotated[str, msgspec.Meta(max_length=200)], "A transaction id, a height or a subject.", default=""
)

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Words:
    """The texts in one language, for the templates."""

    language: Language

    def __call__(self, key: str, **params: str | int) -> str:
        text = TEXTS[key]
        return fill(text.ja if self.language == "ja" else text.en, params)

    def time(self, time_ms: int) -> str:
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(TIME_ZONE).strftime("%Y-%m-%d %H:%M:%S")

    def link(self, path: str, **query: str) -> str:
        """A path within these pages, in the same language."""
        given_ = {**query, **({"lang": "en"} if self.language == "en" else {})}
        return path + ("?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in given_.items()) if given_ else "")

    def subject(self, subject: str) -> str:
        return self.link(f"/subjects/{quote(subject, safe='')}")


@dataclass(frozen=True, slots=True)
class NodeRow:
    node_id: str
    name_ja: str
    name_en: str
    validates: bool
    leads: bool
    here: bool
    connected: bool
    height: int | None


@dataclass(frozen=True, slots=True)
class BlockRow:
    header: Header
    certificate: Certificate | None


def _render(api: Api, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
    language = cast(Language, given(request, LANGUAGE, str))
    words = Words(language)
    other: Language = "en" if language == "ja" else "ja"
    query = {name: value for name, value in request.query.items() if name != "lang"}
    body = _templates.get_template(template).render(
        t=words,
        node_id=api.node.status().node_id,
        other_language=Words(other).link(quote(request.path), **query),
        **values,
    )
    return web.Response(status=status, text=body, content_type=HTML)


def _page(handler: Handler) -> Handler:
    """For people, a refusal is a page too."""

    async def shown(api: Api, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(api, request)
        except Refused as refused:
            if refused.reason is ApiReason.UNAUTHORISED or request.query.get("lang", "ja") not in ("ja", "en"):
                raise
            api.metrics.refused(refused.reason.code)
            language: Language = "en" if request.query.get("lang") == "en" else "ja"
            message = refused.reason.text(language, refused.params)
            return _render(api, request, "error.html", STATUS.get(refused.reason, 409), message=message)

    return shown


async def overview(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /"""
    view, chain = status_view(api.node), api.node.chain
    rows = [_block_row(chain, h) for h in range(chain.height, max(-1, chain.height - LAST_BLOCKS), -1)]
    return _render(
        api,
        request,
        "overview.html",
        view=view,
        survives_crashed=len(view.validators) - view.quorum,
        survives_lying=chain.validators.faults,
        nodes=_nodes(chain, view),
        blocks=[row for row in rows if row is not None],
    )


def _nodes(chain: Chain, view: StatusView) -> list[NodeRow]:
    peers = {peer.node_id: peer for peer in view.peers}
    organisations = dict(ORGANISATIONS.page(chain.state, limit=200))
    rows: list[NodeRow] = []
    for node_id, node in NODES.page(chain.state, limit=200):
        if node.standing == "removed":
            continue
        peer, here = peers.get(node_id), node_id == view.node_id
        code, organisation = node.organisation, organisations.get(node.organisation)
        rows.append(
            NodeRow(
                node_id,
                code if organisation is None else organisation.name_ja,
                code if organisation is None else organisation.name_en,
                node.standing == "validator",
                node_id == view.leader,
                here,
                here or (peer is not None and peer.connected),
                view.height if here else None if peer is None else peer.height,
            )
        )
    return rows


def _block_row(chain: Chain, height: int) -> BlockRow | None:
    header = chain.header(height)
    return None if header is None else BlockRow(header, chain.certificate(height))


async def search(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /search"""
    words = Words(cast(Language, given(request, LANGUAGE, str)))
    text = given(request, SEARCH, str).strip()
    if not text:
        place = words.link("/")
    elif len(text) == 64 and all(c in "0123456789abcdef" for c in text.lower()):
        place = words.link(f"/transactions/{text.lower()}")
    elif text.isascii() and text.isdigit() and len(text) <= 15:
        place = words.link(f"/blocks/{text}")
    else:
        place = words.subject(text)
    return web.Response(status=303, headers={"Location": place})


async def block(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /blocks/{height}"""
    height, found, _ = block_at(api, request)
    receipts = api.node.chain.receipts(height)
    shown = zip(found.transactions[:MAX_TRANSACTIONS_SHOWN], receipts[:MAX_TRANSACTIONS_SHOWN], strict=True)
    return _render(
        api,
        request,
        "block.html",
        header=found.header,
        certificate=api.node.chain.certificate(height),
        head=api.node.chain.height,
        transactions=[summary(raw, receipt) for raw, receipt in shown],
    )


async def transaction(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /transactions/{id}"""
    text = given(request, ID, str)
    transaction_id = bytes.fromhex(text)
    found = transaction_answer(api, transaction_id)
    if found is None:
        if not api.node.is_pending(transaction_id):
            raise Refused(ApiReason.NO_TRANSACTION, id=text)
        found = TransactionAnswer(transaction_id, "accepted")
    height = found.height
    arguments = None if found.transaction is None else to_plain(found.transaction.arguments)
    return _render(
        api,
        request,
        "transaction.html",
        found=found,
        header=None if height is None else api.node.chain.header(height),
        certificate=None if height is None else api.node.chain.certificate(height),
        arguments=json.dumps(arguments, ensure_ascii=False, indent=2),
    )


async def subject(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /subjects/{subject}"""
    name = given(request, SUBJECT, str)
    page = history_page(api.node.chain, name, given(request, AFTER, str) or "", PAGE)
    return _render(api, request, "subject.html", subject=name, page=page)


def _static(name: str, content_type: str) -> Handler:
    body = (HERE / "static" / name).read_bytes()

    async def send(api: Api, request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=body, content_type=content_type, charset="utf-8", headers={"Cache-Control": "max-age=300"}
        )

    return send


def _route(path: str, name: str, about: str, handler: Handler, *parameters: Parameter) -> Route:
    return Route(
        "GET",
        path,
        name,
        about,
        _page(handler),
        parameters=(*parameters, LANGUAGE),
        answers={200: Answer(about, (Content(HTML),))},
        page=True,
    )


ROUTES = (
    _route("/", "pageOverview", "The overview.", overview),
    _route("/search", "pageSearch", "Leads to what was searched.", search, SEARCH),
    _route("/blocks/{height}", "pageBlock", "A block.", block, HEIGHT),
    _route("/transactions/{id}", "pageTransaction", "A transaction's story.", transaction, ID),
    _route("/subjects/{subject}", "pageSubject", "A subject's history.", subject, SUBJECT, AFTER),
    Route(
        "GET",
        "/static/status.css",
        "pageStyle",
        "The style sheet.",
        _static("status.css", "text/css"),
        access="open",
        page=True,
    ),
    Route(
        "GET",
        "/static/status.js",
        "pageScript",
        "Renews the overview.",
        _static("status.js", "text/javascript"),
        access="open",
        page=True,
    ),
)
