"""Transactions with their receipts and proofs."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from edge.http.api import Api
from edge.http.errors import ApiReason
from edge.http.names import JSON, PROOF_TYPE
from edge.http.parameters import MIN_HEIGHT, READ_ERRORS, reach_min_height
from edge.http.recent import BlockParts
from edge.http.routing import Answer, Content, Hex32, Parameter, Route, answer, given, octets
from edge.http.shapes import ReceiptView, TransactionAnswer, TransactionView
from ledger.contract import Runtime
from ledger.encoding import decode, pack, unpack
from ledger.light import Inclusion
from ledger.refusal import Refused
from ledger.types import Receipt, Transaction

ID = Parameter("id", "path", Hex32, "A transaction's id, hexadecimal.", required=True)
WITH_PROOF = Parameter("proof", "query", bool, "Whether the answer carries the proof.", default=False)


async def transaction(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/transactions/{id}"""
    text = given(request, ID, str)
    await reach_min_height(api, request)
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
)
