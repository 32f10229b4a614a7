"""Submitting: signed bytes in, a receipt out. The same bytes again are the same submission."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Annotated, cast

import msgspec
from aiohttp import web

from edge.http.api import Api, monotonic_ms
from edge.http.bodies import media_type, read_body, read_json
from edge.http.errors import STATUS, ApiReason
from edge.http.names import JSON, OCTETS, PROOF_TYPE, TRANSACTION_TYPE
from edge.http.routing import Answer, Content, Parameter, Route, answer, given, octets
from edge.http.shapes import SubmitBody, TransactionAnswer
from edge.http.transactions import proof_of, transaction_answer, wants_proof
from edge.mempool import PoolReason
from edge.replica import ReplicaReason
from edge.runtime import RuntimeReason as NodeReason
from edge.runtime import Wait
from ledger.encoding import EncodingReason
from ledger.refusal import Refused
from ledger.types import MAX_TRANSACTION_BYTES, Transaction, TransactionReason

WAIT_MS = 5_000
MAX_WAIT_MS = 30_000
MAX_BODY_BYTES = MAX_TRANSACTION_BYTES * 4 // 3 + 1_024
"""A transaction in base64, and the JSON around it."""
BINARY_TYPES = (TRANSACTION_TYPE, OCTETS)

WAIT = Parameter(
    "wait",
    "query",
    Wait,
    "What to wait for: that the transaction is in this node's pool (accepted), in a certified block (committed), "
    "or that its block is on the disk of every validator that is connected (everywhere).",
    default="committed",
)
TIMEOUT = Parameter(
    "timeout_ms",
    "query",
    Annotated[int, msgspec.Meta(ge=0, le=MAX_WAIT_MS)],
    "How long to wait at most, in milliseconds. After that the answer is 202 with how far it has come.",
    default=WAIT_MS,
)
PROOF = Parameter("proof", "query", bool, "Whether a committed answer carries its proof.", default=False)


async def submit(api: Api, request: web.Request) -> web.StreamResponse:
    """POST /v1/transactions"""
    wait = cast(Wait, given(request, WAIT, str))
    timeout_ms = given(request, TIMEOUT, int)
    proof = given(request, PROOF, bool)
    transaction = Transaction.parse(await _read(api, request))
    check_account_rate(api, transaction)
    started_s = time.perf_counter()
    status = 200
    try:
        if wait == "accepted":
            await api.node.submit(transaction, wait, timeout_ms / 1000)
        else:
            with api.waits():
                await api.node.submit(transaction, wait, timeout_ms / 1000)
            api.metrics.committed_after(time.perf_counter() - started_s)
    except Refused as refused:
        if refused.reason is NodeReason.NOT_YET:
            status = 202
            if not api.node.is_pending(transaction.id) and api.node.chain.find(transaction.id) is None:
                # Not even its signature has been looked at: that is no acceptance.
                raise Refused(NodeReason.OVERLOADED) from None
        elif refused.reason is not TransactionReason.DUPLICATE:
            raise
    api.accounts.take(transaction.body.sender, monotonic_ms())
    if status == 200 and wants_proof(request) and (inclusion := proof_of(api, transaction.id)) is not None:
        return octets(inclusion, PROOF_TYPE)
    found = transaction_answer(api, transaction.id, proof=proof)
    if found is None:
        return answer(TransactionAnswer(transaction.id, "accepted"), 202)
    if wait == "everywhere" and status == 200:
        found = msgspec.structs.replace(found, status="everywhere")
    return answer(found, status)


async def _read(api: Api, request: web.Request) -> bytes:
    kind = media_type(request, (JSON, *BINARY_TYPES))
    if kind != JSON:
        return await read_body(api, request, MAX_TRANSACTION_BYTES)
    body = read_json(await read_body(api, request, MAX_BODY_BYTES), SubmitBody)
    try:
        return base64.b64decode(body.transaction, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(ApiReason.BAD_JSON, detail="`transaction` is not base64") from None


def check_account_rate(api: Api, transaction: Transaction) -> None:
    # A token is taken only for what was accepted, that is, signed: nobody uses up another's allowance.
    sender = transaction.body.sender
    retry_ms = api.accounts.wait_ms(sender, monotonic_ms())
    if retry_ms:
        raise Refused(ApiReason.TOO_MANY_REQUESTS, who=f"account {sender}", retry_ms=retry_ms)


SUBMIT = Route(
    "POST",
    "/v1/transactions",
    "submitTransaction",
    "Hand in a signed transaction. Its id is the hash of its signed body: handing in the same bytes again, here or at "
    "another node, is safe, and answers the same receipt. With `Accept: application/vnd.daicho.proof` a committed one "
    "is answered with nothing but its proof, in canonical msgpack.",
    submit,
    access="submit",
    parameters=(WAIT, TIMEOUT, PROOF),
    body=(Content(TRANSACTION_TYPE), Content(OCTETS), Content(JSON, SubmitBody)),
    answers={
        200: Answer("What was waited for has come true.", (Content(JSON, TransactionAnswer), Content(PROOF_TYPE))),
        202: Answer("Taken, but what was waited for has not come true in time.", (Content(JSON, TransactionAnswer),)),
    },
    errors=(
        ApiReason.BAD_JSON,
        ApiReason.UNSUPPORTED_MEDIA_TYPE,
        ApiReason.BODY_TOO_LARGE,
        ApiReason.BODY_TOO_SLOW,
        ApiReason.TOO_MANY_WAITING,
        *EncodingReason,
        *(reason for reason in TransactionReason if reason in STATUS),
        *PoolReason,
        ReplicaReason.HALTED,
        NodeReason.OVERLOADED,
        NodeReason.STOPPING,
    ),
    tag="transactions",
)
