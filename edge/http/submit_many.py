"""Submitting several transactions in one request: each stands for itself, as if it had been handed in alone.

For systems that write much: what a request costs a node is shared by all of them.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Sequence
from typing import cast

from aiohttp import web

from edge.http.api import Api, monotonic_ms
from edge.http.bodies import media_type, read_body, read_json
from edge.http.errors import ApiReason, error_body
from edge.http.limits import is_loopback
from edge.http.names import JSON, TRANSACTIONS_TYPE
from edge.http.routing import Answer, Content, Route, answer, given
from edge.http.shapes import MAX_SUBMITTED, Outcome, Outcomes, SubmitManyBody, SubmittedTransactions
from edge.http.submit import SUBMIT, TIMEOUT, WAIT, check_account_rate
from edge.runtime import RuntimeReason as NodeReason
from edge.runtime import Wait
from ledger.encoding import unpack
from ledger.refusal import Refused
from ledger.types import Receipt, Transaction, TransactionReason

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Usual transactions have 300 bytes; larger ones fit in smaller numbers."""


async def submit_many(api: Api, request: web.Request) -> web.StreamResponse:
    """POST /v1/transactions/batch"""
    wait = cast(Wait, given(request, WAIT, str))
    timeout_ms = given(request, TIMEOUT, int)
    raws = await _read(api, request)
    address = request.remote or "?"
    if not is_loopback(address):
        # The request itself has taken one.
        api.addresses.take(address, monotonic_ms(), len(raws) - 1)
    started_s = time.perf_counter()
    if wait == "accepted":
        outcomes = await _outcomes(api, request, raws, wait, timeout_ms)
    else:
        with api.waits(len(raws)):
            outcomes = await _outcomes(api, request, raws, wait, timeout_ms)
        api.metrics.committed_after(time.perf_counter() - started_s)
    behind = any(outcome.status == "accepted" for outcome in outcomes)
    return answer(Outcomes(tuple(outcomes)), 202 if behind else 200)


async def _outcomes(
    api: Api, request: web.Request, raws: Sequence[bytes], wait: Wait, timeout_ms: int
) -> list[Outcome]:
    read = [_parsed(api, raw) for raw in raws]
    transactions = [one for one in read if isinstance(one, Transaction)]
    answers = iter(await api.node.submit_many(transactions, wait, timeout_ms / 1000))
    outcomes: list[Outcome] = []
    for one in read:
        if isinstance(one, Transaction):
            outcomes.append(_outcome(api, request, one, wait, next(answers)))
        else:
            outcomes.append(_refused(api, request, *one))
    return outcomes


def _parsed(api: Api, raw: bytes) -> Transaction | tuple[bytes | None, Refused]:
    transaction_id: bytes | None = None
    try:
        transaction = Transaction.parse(raw)
        transaction_id = transaction.id
        check_account_rate(api, transaction)
    except Refused as refused:
        return transaction_id, refused
    return transaction


def _outcome(
    api: Api, request: web.Request, transaction: Transaction, wait: Wait, answered: int | Refused | None
) -> Outcome:
    status: Wait = wait
    if isinstance(answered, Refused) and answered.reason is not TransactionReason.DUPLICATE:
        if answered.reason is not NodeReason.NOT_YET:
            return _refused(api, request, transaction.id, answered)
        if not api.node.is_pending(transaction.id) and api.node.chain.find(transaction.id) is None:
            # Not even its signature has been looked at: that is no acceptance.
            return _refused(api, request, transaction.id, Refused(NodeReason.OVERLOADED))
        status = "accepted"
    api.accounts.take(transaction.body.sender, monotonic_ms())
    return _found(api, transaction.id, status)


def _refused(api: Api, request: web.Request, transaction_id: bytes | None, refused: Refused) -> Outcome:
    api.metrics.refused(refused.reason.code)
    return Outcome(transaction_id, "refused", error=error_body(request, refused))


def _found(api: Api, transaction_id: bytes, status: Wait) -> Outcome:
    location = api.node.chain.find(transaction_id)
    if location is None:
        return Outcome(transaction_id, "accepted")
    parts = api.recent.parts(location.height)
    receipt = unpack(Receipt, parts.raw_receipts[location.index])
    shown = "committed" if status == "accepted" else status
    return Outcome(transaction_id, shown, location.height, location.index, receipt.done, receipt.reason)


async def _read(api: Api, request: web.Request) -> Sequence[bytes]:
    if media_type(request, (JSON, TRANSACTIONS_TYPE)) != JSON:
        return unpack(SubmittedTransactions, await read_body(api, request, MAX_BODY_BYTES), MAX_BODY_BYTES).items
    body = read_json(await read_body(api, request, MAX_BODY_BYTES), SubmitManyBody)
    try:
        return [base64.b64decode(text, validate=True) for text in body.transactions]
    except (binascii.Error, ValueError):
        raise Refused(ApiReason.BAD_JSON, detail="an item of `transactions` is not base64") from None


SUBMIT_MANY = Route(
    "POST",
    "/v1/transactions/batch",
    "submitTransactions",
    f"Hand in up to {MAX_SUBMITTED} signed transactions at once. Each stands for itself, in no promised order, and has "
    "its own outcome: one that is refused does not hinder the others. Handing in the same bytes again is safe.",
    submit_many,
    access="submit",
    parameters=(WAIT, TIMEOUT),
    body=(Content(TRANSACTIONS_TYPE), Content(JSON, SubmitManyBody)),
    answers={
        200: Answer("What was waited for has come true for all that were taken.", (Content(JSON, Outcomes),)),
        202: Answer("For some it has not come true in time.", (Content(JSON, Outcomes),)),
    },
    errors=SUBMIT.errors,
    tag="transactions",
)
