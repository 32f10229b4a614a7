"""Reading blocks, headers, certificates and validator sets, as JSON and as the bytes that were hashed."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason
from edge.http.names import ARCHIVE_TYPE, JSON, OCTETS, SNAPSHOT_TYPE
from edge.http.parameters import LIMIT
from edge.http.routing import Answer, Content, Handler, HeightText, Parameter, Route, answer, given, octets
from edge.http.shapes import (
    FRAME_LENGTH_BYTES,
    BlockFrame,
    BlockView,
    CertificateView,
    HeaderPage,
    HeaderView,
    SummaryView,
    ValidatorChanges,
    ValidatorsView,
)
from edge.snapshot import stream
from ledger.chain import Chain
from ledger.encoding import pack
from ledger.light import ValidatorChange
from ledger.refusal import BrokenInvariant, Refused
from ledger.rules import Receipts
from ledger.snapshot import records
from ledger.types import Block, Receipt, Transaction

MAX_ARCHIVE_BLOCKS = 2_000
MAX_ARCHIVE_BYTES = 32 * 1024 * 1024
"""A range is ended after the block with which this is passed; the reader goes on from the next height."""

HEIGHT = Parameter("height", "path", HeightText, "A height, or `head` for the last block.", required=True)
FROM = Parameter("from", "query", Annotated[int, msgspec.Meta(ge=0, lt=2**53)], "The first height.", default=0)
AFTER_HEIGHT = Parameter(
    "after", "query", Annotated[int, msgspec.Meta(ge=0, lt=2**53)], "Only changes after this height.", default=0
)
COUNT = Parameter(
    "limit", "query", Annotated[int, msgspec.Meta(ge=1, le=MAX_ARCHIVE_BLOCKS)], "How many blocks at most.", default=500
)


def _height(api: Api, request: web.Request) -> int:
    text = given(request, HEIGHT, str)
    height = api.node.chain.height if text == "head" else int(text)
    if height > api.node.chain.height:
        raise Refused(ApiReason.NO_BLOCK, height=height)
    check_here(api.node.chain, height)
    return height


def check_here(chain: Chain, height: int) -> None:
    """`Refused(BEFORE_FIRST)` if the block lies before the snapshot with which this node began."""
    if height <= chain.height and chain.raw_block(height) is None:
        raise Refused(ApiReason.BEFORE_FIRST, height=height, first=chain.first_height)


def block_at(api: Api, request: web.Request) -> tuple[int, Block, bytes]:
    height = _height(api, request)
    raw = api.node.chain.raw_block(height)
    block = api.node.chain.block(height)
    if raw is None or block is None:
        raise Refused(ApiReason.NO_BLOCK, height=height)
    return height, block, raw


async def block_json(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}"""
    height, block, raw = block_at(api, request)
    summaries = tuple(summary(*pair) for pair in zip(block.transactions, api.node.chain.receipts(height), strict=True))
    return answer(BlockView(block.header.hash, block.header, api.node.chain.certificate(height), len(raw), summaries))


def summary(raw: bytes, receipt: Receipt) -> SummaryView:
    transaction = Transaction.parse(raw)
    body = transaction.body
    return SummaryView(transaction.id, body.sender, body.contract, body.method, receipt.reason)


async def block_raw(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}/raw"""
    return octets(block_at(api, request)[2], OCTETS)


async def header(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}/header"""
    _, block, _ = block_at(api, request)
    return answer(HeaderView(block.header.hash, block.header))


async def certificate(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}/certificate"""
    height, block, _ = block_at(api, request)
    found = api.node.chain.certificate(height)
    if found is None:
        raise Refused(ApiReason.NO_CERTIFICATE, height=height)
    return answer(CertificateView(block.header, found))


async def certificate_raw(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}/certificate/raw"""
    height = _height(api, request)
    raw = api.node.chain.raw_certificate(height)
    if raw is None:
        raise Refused(ApiReason.NO_CERTIFICATE, height=height)
    return octets(raw, OCTETS)


async def receipts_raw(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/blocks/{height}/receipts/raw"""
    return octets(pack(Receipts(api.node.chain.raw_receipts(_height(api, request)))), OCTETS)


async def headers(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/headers"""
    first, limit = given(request, FROM, int), given(request, LIMIT, int)
    chain = api.node.chain
    check_here(chain, first)
    found: list[HeaderView] = []
    for height in range(first, min(first + limit, chain.height + 1)):
        one = chain.header(height)
        if one is None:
            break
        found.append(HeaderView(one.hash, one))
    following = first + len(found)
    return answer(HeaderPage(tuple(found), following if found and following <= chain.height else None))


async def archive(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/archive: blocks one after the other, each behind its length."""
    first, limit = given(request, FROM, int), given(request, COUNT, int)
    chain = api.node.chain
    check_here(chain, first)
    response = web.StreamResponse(headers={"Content-Type": ARCHIVE_TYPE, "X-Daicho-Height": str(chain.height)})
    await response.prepare(request)
    size = 0
    for height in range(first, min(first + limit, chain.height + 1)):
        raw = chain.raw_block(height)
        if raw is None or size > MAX_ARCHIVE_BYTES:
            break
        certificate, validators = chain.raw_certificate(height) or b"", chain.raw_validators(height) or b""
        item = pack(BlockFrame(raw, certificate, chain.raw_receipts(height), validators))
        size += len(item)
        await response.write(len(item).to_bytes(FRAME_LENGTH_BYTES, "big") + item)
        # A long range leaves the event loop to the consensus between blocks.
        await asyncio.sleep(0)
    await response.write_eof()
    return response


async def snapshot(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/snapshot: the state as of the head, with what a new node needs to go on from there."""
    if api.snapshots:
        raise Refused(ApiReason.TOO_MANY_WAITING, count=api.snapshots)
    api.snapshots += 1
    try:
        with api.node.frozen() as store:
            response = web.StreamResponse(headers={"Content-Type": SNAPSHOT_TYPE})
            await response.prepare(request)
            for part in stream(records(store)):
                await response.write(part)
                # A large state leaves the event loop to the consensus between records.
                await asyncio.sleep(0)
            await response.write_eof()
            return response
    finally:
        api.snapshots -= 1


async def validators(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/validators"""
    chain = api.node.chain
    members = chain.validators
    return answer(ValidatorsView(chain.height + 1, members.quorum, members.faults, members.members))


async def validator_changes(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/validators/changes"""
    limit, chain = given(request, LIMIT, int), api.node.chain
    found = chain.validator_changes(given(request, AFTER_HEIGHT, int), limit + 1)
    changes: list[ValidatorChange] = []
    for height, members in found[:limit]:
        changed, certified = chain.header(height), chain.certificate(height)
        if changed is None or certified is None:
            raise BrokenInvariant(f"block {height} changed the validators and is not whole in the store")
        changes.append(ValidatorChange(changed, certified, members.members))
    return answer(ValidatorChanges(tuple(changes), found[limit - 1][0] if len(found) > limit else None))


def _of_block(path: str, name: str, about: str, handler: Handler, content: Content, *errors: ApiReason) -> Route:
    return Route(
        "GET",
        f"/v1/blocks/{{height}}{path}",
        name,
        about,
        handler,
        parameters=(HEIGHT,),
        answers={200: Answer(about, (content,))},
        errors=(ApiReason.NO_BLOCK, ApiReason.BEFORE_FIRST, *errors),
        tag="blocks",
    )


ROUTES = (
    _of_block(
        "", "getBlock", "A block with its certificate, transactions and receipts.", block_json, Content(JSON, BlockView)
    ),
    _of_block("/raw", "getRawBlock", "A block's canonical bytes.", block_raw, Content(OCTETS)),
    _of_block("/header", "getHeader", "A block's header.", header, Content(JSON, HeaderView)),
    _of_block(
        "/certificate",
        "getCertificate",
        "A block's header and certificate.",
        certificate,
        Content(JSON, CertificateView),
        ApiReason.NO_CERTIFICATE,
    ),
    _of_block(
        "/certificate/raw",
        "getRawCertificate",
        "A certificate's canonical bytes.",
        certificate_raw,
        Content(OCTETS),
        ApiReason.NO_CERTIFICATE,
    ),
    _of_block(
        "/receipts/raw", "getRawReceipts", "A block's receipts, their canonical bytes.", receipts_raw, Content(OCTETS)
    ),
    Route(
        "GET",
        "/v1/headers",
        "listHeaders",
        "Headers by height, a page at a time.",
        headers,
        parameters=(FROM, LIMIT),
        answers={200: Answer("The headers.", (Content(JSON, HeaderPage),))},
        errors=(ApiReason.BEFORE_FIRST,),
        tag="blocks",
    ),
    Route(
        "GET",
        "/v1/archive",
        "getArchive",
        "A range of blocks for sync and audit: for each, four bytes of length (big-endian), then the canonical form of "
        "[block, certificate, receipts, validators]. It may end before `limit`: go on from the next height. The header "
        "`X-Daicho-Height` is the node's height.",
        archive,
        parameters=(FROM, COUNT),
        answers={200: Answer("The blocks.", (Content(ARCHIVE_TYPE),))},
        errors=(ApiReason.BEFORE_FIRST,),
        tag="blocks",
    ),
    Route(
        "GET",
        "/v1/snapshot",
        "getSnapshot",
        "The state as of this node's head, with the blocks of the last hour and the changes of the validator set: a "
        "new node begins with it (`daicho snapshot restore`). One at a time.",
        snapshot,
        answers={200: Answer("The snapshot.", (Content(SNAPSHOT_TYPE),))},
        errors=(ApiReason.TOO_MANY_WAITING,),
        tag="blocks",
    ),
    Route(
        "GET",
        "/v1/validators",
        "getValidators",
        "The validators of the next height.",
        validators,
        answers={200: Answer("The set.", (Content(JSON, ValidatorsView),))},
        tag="blocks",
    ),
    Route(
        "GET",
        "/v1/validators/changes",
        "listValidatorChanges",
        "The blocks that changed the validator set, a page at a time: with them whoever has the genesis knows, and can "
        "prove, who votes at any height.",
        validator_changes,
        parameters=(AFTER_HEIGHT, LIMIT),
        answers={200: Answer("The changes.", (Content(JSON, ValidatorChanges),))},
        tag="blocks",
    ),
)
