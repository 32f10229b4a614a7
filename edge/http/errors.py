"""Errors of the HTTP API: one JSON shape, stable codes, a status for every reason, and nothing of the inside."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from edge.http.names import JSON, REQUEST_ID
from edge.http.shapes import ErrorAnswer, ErrorBody
from edge.mempool import PoolReason
from edge.replica import ReplicaReason
from edge.runtime import RuntimeReason as NodeReason
from ledger.contract import RuntimeReason
from ledger.encoding import EncodingReason
from ledger.refusal import Reason, Refused, Text
from ledger.types import TransactionReason


class ApiReason(Reason):
    """Refusals of the API itself."""

    NO_SUCH_PATH = Text("このURLはありません", "there is nothing at this path")
    METHOD_NOT_ALLOWED = Text("{method} は使えません(使えるもの: {allowed})", "{method} is not allowed; use {allowed}")
    BAD_REQUEST = Text("リクエストの形式が正しくありません", "the request is not valid HTTP for this API")
    BAD_PARAMETER = Text(
        "パラメーター {name} が正しくありません: {detail}", "the parameter {name} is not valid: {detail}"
    )
    BAD_JSON = Text("JSON の内容が正しくありません: {detail}", "the JSON body is not valid: {detail}")
    UNSUPPORTED_MEDIA_TYPE = Text(
        "この形式({given})は受け付けません(使えるもの: {allowed})",
        "the media type {given} is not accepted; use {allowed}",
    )
    BODY_TOO_LARGE = Text("本文が大きすぎます(上限 {limit} バイト)", "the body is larger than {limit} bytes")
    BODY_TOO_SLOW = Text(
        "本文の到着が遅すぎます(上限 {limit_ms} ミリ秒)", "the body did not arrive within {limit_ms} ms"
    )
    UNAUTHORISED = Text(
        "閲覧には団体のトークンが必要です", "reading from here needs the bearer token of an organisation"
    )
    TOO_MANY_REQUESTS = Text(
        "リクエストが多すぎます。しばらくしてからやり直してください",
        "too many requests from {who}: try again in {retry_ms} ms",
    )
    TOO_MANY_WAITING = Text(
        "待機中のリクエストが多すぎます。しばらくしてからやり直してください",
        "too many requests wait already ({count}): try again shortly",
    )
    NO_TRANSACTION = Text("取引 {id} は見つかりません", "there is no transaction {id}, neither committed nor waiting")
    NO_BLOCK = Text("ブロック {height} はまだありません", "there is no block {height} on this node")
    BEFORE_FIRST = Text(
        "ブロック {height} はこのノードにありません(スナップショットから始まり、{first} 以降を持っています)",
        "block {height} is not on this node: it began with a snapshot and has blocks from {first} on. Ask another node",
    )
    NO_CERTIFICATE = Text(
        "ブロック {height} に証明書はありません", "block {height} has no certificate: the genesis needs none"
    )
    HEIGHT_NOT_REACHED = Text(
        "このノードはまだ高さ {min_height} に達していません(現在 {height})",
        "this node has not reached height {min_height} yet (it is at {height}): try again or ask another",
    )
    NOT_READY = Text("このノードは準備ができていません: {detail}", "this node is not ready: {detail}")
    INTERNAL = Text(
        "内部エラーが発生しました。要求番号 {request_id} を管理者に伝えてください",
        "an internal error; tell the operator the request id {request_id}",
    )


# What a transaction is refused with once it is in a block stands in its receipt, not here.
STATUS: Mapping[Reason, int] = {
    ApiReason.NO_SUCH_PATH: 404,
    ApiReason.METHOD_NOT_ALLOWED: 405,
    ApiReason.BAD_REQUEST: 400,
    ApiReason.BAD_PARAMETER: 400,
    ApiReason.BAD_JSON: 400,
    ApiReason.UNSUPPORTED_MEDIA_TYPE: 415,
    ApiReason.BODY_TOO_LARGE: 413,
    ApiReason.BODY_TOO_SLOW: 408,
    ApiReason.UNAUTHORISED: 401,
    ApiReason.TOO_MANY_REQUESTS: 429,
    ApiReason.TOO_MANY_WAITING: 503,
    ApiReason.NO_TRANSACTION: 404,
    ApiReason.NO_BLOCK: 404,
    ApiReason.BEFORE_FIRST: 503,
    ApiReason.NO_CERTIFICATE: 404,
    ApiReason.HEIGHT_NOT_REACHED: 503,
    ApiReason.NOT_READY: 503,
    ApiReason.INTERNAL: 500,
    EncodingReason.TOO_LARGE: 413,
    EncodingReason.TOO_DEEP: 400,
    EncodingReason.MALFORMED: 400,
    EncodingReason.NOT_CANONICAL: 400,
    TransactionReason.FOREIGN_CHAIN: 409,
    TransactionReason.BAD_SIGNATURE: 403,
    TransactionReason.EXPIRED: 409,
    TransactionReason.EXPIRES_TOO_LATE: 400,
    TransactionReason.UNKNOWN_ACCOUNT: 403,
    TransactionReason.REVOKED_ACCOUNT: 403,
    TransactionReason.UNKNOWN_KEY: 403,
    PoolReason.POOL_FULL: 503,
    PoolReason.ACCOUNT_POOL_FULL: 429,
    ReplicaReason.HALTED: 503,
    NodeReason.OVERLOADED: 503,
    NodeReason.STOPPING: 503,
    RuntimeReason.UNKNOWN_CONTRACT: 404,
    RuntimeReason.UNKNOWN_QUERY: 404,
    RuntimeReason.BAD_QUERY: 400,
}
QUERY_REFUSED_STATUS = 409
"""A contract's own refusal of a query."""

RETRY_AFTER_S = "1"
_RETRY = frozenset({429, 503})


class ContractRefused(Exception):
    """A contract refused a query: its code carries the contract's name, as in receipts."""

    def __init__(self, contract: str, refusal: Refused) -> None:
        super().__init__(contract, refusal)
        self.contract = contract
        self.refusal = refusal


def code_of(reason: Reason) -> str:
    return f"runtime.{reason.code}" if isinstance(reason, RuntimeReason) else reason.code


def error_body(request: web.Request, refusal: Refused, *, contract: str | None = None) -> ErrorBody:
    reason = refusal.reason
    code = code_of(reason) if reason in STATUS or contract is None else f"{contract}.{reason.code}"
    texts = reason.text("en", refusal.params), reason.text("ja", refusal.params)
    return ErrorBody(code, *texts, refusal.params, request.get(REQUEST_ID, ""))


def error_response(request: web.Request, refusal: Refused, *, contract: str | None = None) -> web.Response:
    """The answer to a refusal."""
    reason = refusal.reason
    status = STATUS.get(reason, QUERY_REFUSED_STATUS)
    body = msgspec.json.encode(ErrorAnswer(error_body(request, refusal, contract=contract)))
    response = web.Response(status=status, body=body, content_type=JSON, charset="utf-8")
    if status in _RETRY:
        response.headers["Retry-After"] = RETRY_AFTER_S
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="daicho"'
    if reason is ApiReason.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = str(refusal.params["allowed"])
    return response
