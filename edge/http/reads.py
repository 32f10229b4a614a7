"""Reading transactions, contract queries, the state and histories, with their proofs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import hdrs, web

from edge.http.api import Api
from edge.http.bodies import media_type, read_body, read_json
from edge.http.errors import ApiReason, ContractRefused
from edge.http.names import JSON, PROOF_TYPE
from edge.http.recent import BlockParts
from edge.http.routing import Answer, Content, Hex32, Parameter, Route, answer, given, octets
from edge.http.shapes import (
    ContractList,
    ContractView,
    HistoryPage,
    HistoryView,
    MethodView,
    QueryView,
    ReceiptView,
    RowPage,
    RowView,
    StateView,
    TransactionAnswer,
    TransactionView,
)
from edge.light import Inclusion
from ledger.chain import Chain, parse_cursor
from ledger.contract import Runtime, RuntimeReason
from ledger.encoding import decode, pack, unpack
from ledger.kv import after_prefix
from ledger.refusal import BrokenInvariant, Refused
from ledger.types import Receipt, Transaction

MAX_PAGE = 500
MAX_QUERY_BYTES = 64 * 1024
MAX_KEY_BYTES = 512

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
HexKey = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){1,512}$")]
HexPrefix = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){0,512}$")]
NameText = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
SubjectText = Annotated[str, msgspec.Meta(min_length=1, max_length=160)]
CursorText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,16}\.[0-9]{1,10}\.[0-9]{1,5}$")]
MinHeight = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]

MIN_HEIGHT = Parameter(
    "min_height",
    "query",
    MinHeight,
    "Answer from a state at least this high (read your own writes): the node waits up to two seconds to get there.",
    default=0,
)
MIN_HEIGHT_WAIT_MS = 2_000
LIMIT = Parameter("limit", "query", Limit, "How many at most.", default=100)


# -- transactions ------------------------------------------------------------------------------------------------------

ID = Parameter("id", "path", Hex32, "A transaction's id, hexadecimal.", required=True)
WITH_PROOF = Parameter("proof", "query", bool, "Whether the answer carries the proof.", default=False)


async def transaction(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/transactions/{id}"""
    text = given(request, ID, str)
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
    transaction_id = bytes.fromhex(text)
    if wants_proof(request) and (proof := proof_of(api, transaction_id)) is not None:
        return octets(proof, PROOF_TYPE)
    found = transaction_answer(api, transaction_id, proof=given(request, WITH_PROOF, bool))
    if found is None and api.node.is_pending(transaction_id):
        found = TransactionAnswer(transaction_id, "accepted")
    if found is None:
        raise Refused(ApiReason.NO_TRANSACTION, id=text)
    return answer(found)


def transaction_answer(api: Api, transaction_id: bytes, *, proof: bool = False) -> TransactionAnswer | None:
    """The transaction with its receipt; None if it is not in the chain."""
    location = api.node.chain.find(transaction_id)
    if location is None:
        return None
    height, index = location.height, location.index
    parts = api.recent.parts(height)
    header, raw = parts.block.header, parts.block.transactions[index]
    parsed = Transaction.parse(raw)
    return TransactionAnswer(
        id=parsed.id,
        status="committed",
        height=height,
        index=index,
        time_ms=header.time_ms,
        block_hash=parts.hash,
        transaction=transaction_view(parsed),
        receipt=receipt_view(api.node.runtime, unpack(Receipt, parts.raw_receipts[index])),
        proof=inclusion(parts, index) if proof else None,
        on_disk_at=api.node.on_disk_at(height),
    )


def wants_proof(request: web.Request) -> bool:
    """Whether the caller asks for nothing but the proof, in its byte form."""
    return request.headers.get(hdrs.ACCEPT) == PROOF_TYPE


def proof_of(api: Api, transaction_id: bytes) -> bytes | None:
    """The byte form of a transaction's proof; None if it is not in the chain."""
    location = api.node.chain.find(transaction_id)
    return None if location is None else pack(inclusion(api.recent.parts(location.height), location.index))


def inclusion(parts: BlockParts, index: int) -> Inclusion:
    return Inclusion(
        header=parts.block.header,
        certificate=parts.certificate,
        index=index,
        transaction=parts.block.transactions[index],
        transaction_path=parts.transaction_tree.prove(index),
        receipt=parts.raw_receipts[index],
        receipt_path=parts.receipt_tree.prove(index),
    )


def transaction_view(transaction: Transaction) -> TransactionView:
    body = transaction.body
    try:
        arguments: Any = decode(body.args)
    except Refused:
        arguments = None
    return TransactionView(
        chain_id=body.chain_id,
        sender=body.sender,
        public_key=body.public_key,
        contract=body.contract,
        method=body.method,
        arguments=arguments,
        args=body.args,
        nonce=body.nonce,
        expires_at_ms=body.expires_at_ms,
        signature=transaction.signature,
    )


def receipt_view(runtime: Runtime, receipt: Receipt) -> ReceiptView:
    done = receipt.done
    return ReceiptView(
        done=done,
        reason=receipt.reason,
        text="" if done else runtime.reason_text(receipt.reason, receipt.params, "en"),
        text_ja="" if done else runtime.reason_text(receipt.reason, receipt.params, "ja"),
        params=receipt.params,
        events=receipt.events,
        result=receipt.result,
    )


# -- contracts ---------------------------------------------------------------------------------------------------------

CONTRACT = Parameter("contract", "path", NameText, "A contract's name.", required=True)
METHOD = Parameter("method", "path", NameText, "A query's name.", required=True)


async def contracts(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/contracts"""
    return answer(contract_list(api.node.runtime))


def contract_list(runtime: Runtime) -> ContractList:
    methods: dict[str, list[MethodView]] = {}
    for spec in runtime.specs():
        view = MethodView(
            spec.name,
            "call" if spec.kind == "call" else "query",
            spec.doc,
            tuple(sorted(spec.roles)),
            spec.argument_schema(),
            spec.result_schema(),
        )
        methods.setdefault(spec.contract, []).append(view)
    versions = runtime.latest_versions()
    return ContractList(tuple(ContractView(name, versions[name], tuple(views)) for name, views in methods.items()))


async def query(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/query/{contract}/{method}: arguments as query parameters, a repeated one is a list."""
    arguments: dict[str, object] = {}
    for name in request.query:
        values = request.query.getall(name)
        if name != MIN_HEIGHT.name:
            arguments[name] = values[0] if len(values) == 1 else list(values)
    return await _query(api, request, arguments)


async def query_with_body(api: Api, request: web.Request) -> web.StreamResponse:
    """POST /v1/query/{contract}/{method}: arguments as a JSON object."""
    media_type(request, (JSON,))
    arguments = read_json(await read_body(api, request, MAX_QUERY_BYTES), dict[str, object])
    return await _query(api, request, arguments)


async def _query(api: Api, request: web.Request, arguments: dict[str, object]) -> web.StreamResponse:
    contract, method = given(request, CONTRACT, str), given(request, METHOD, str)
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
    head = api.node.chain.head
    try:
        result = api.node.runtime.query(contract, method, arguments, api.node.chain.state, head.height, head.time_ms)
    except Refused as refused:
        if isinstance(refused.reason, RuntimeReason):
            raise
        raise ContractRefused(contract, refused) from None
    return answer(QueryView(head.height, head.time_ms, result))


# -- state and history -------------------------------------------------------------------------------------------------

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
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
    chain = api.node.chain
    return answer(
        StateView(key, chain.state.get(key), chain.head, chain.certificate(chain.height), chain.prove_state(key).nodes)
    )


async def state_rows(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/state"""
    prefix = bytes.fromhex(given(request, PREFIX, str))
    after = bytes.fromhex(given(request, AFTER_KEY, str))
    limit = given(request, LIMIT, int)
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
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
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
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


READ_ERRORS = (ApiReason.HEIGHT_NOT_REACHED, ApiReason.TOO_MANY_WAITING)
QUERY_ERRORS = (
    RuntimeReason.UNKNOWN_CONTRACT,
    RuntimeReason.UNKNOWN_QUERY,
    RuntimeReason.BAD_QUERY,
    *READ_ERRORS,
)

ROUTES = (
    Route(
        "GET",
        "/v1/transactions/{id}",
        "getTransaction",
        "A transaction with its receipt, or that it waits in this node's pool. With `Accept: "
        "application/vnd.daicho.proof` a committed one is answered with nothing but its proof, in canonical msgpack.",
        transaction,
        parameters=(ID, WITH_PROOF, MIN_HEIGHT),
        answers={200: Answer("The transaction.", (Content(JSON, TransactionAnswer), Content(PROOF_TYPE)))},
        errors=(ApiReason.NO_TRANSACTION, *READ_ERRORS),
        tag="transactions",
    ),
    Route(
        "GET",
        "/v1/contracts",
        "listContracts",
        "The contracts with their calls and queries, and the JSON Schemas of arguments and results.",
        contracts,
        answers={200: Answer("The contracts.", (Content(JSON, ContractList),))},
        tag="contracts",
    ),
    Route(
        "GET",
        "/v1/query/{contract}/{method}",
        "query",
        "Ask a contract. Arguments are query parameters; one given twice is a list.",
        query,
        parameters=(CONTRACT, METHOD, MIN_HEIGHT),
        answers={200: Answer("The answer, and the height it is of.", (Content(JSON, QueryView),))},
        errors=QUERY_ERRORS,
        tag="contracts",
        free_query=True,
    ),
    Route(
        "POST",
        "/v1/query/{contract}/{method}",
        "queryWithBody",
        "Ask a contract, with the arguments as a JSON object. Changes nothing.",
        query_with_body,
        parameters=(CONTRACT, METHOD, MIN_HEIGHT),
        body=(Content(JSON, dict[str, Any]),),
        answers={200: Answer("The answer, and the height it is of.", (Content(JSON, QueryView),))},
        errors=(
            *QUERY_ERRORS,
            ApiReason.BAD_JSON,
            ApiReason.UNSUPPORTED_MEDIA_TYPE,
            ApiReason.BODY_TOO_LARGE,
            ApiReason.BODY_TOO_SLOW,
        ),
        tag="contracts",
    ),
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
