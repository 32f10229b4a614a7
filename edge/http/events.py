"""Events as they happen, by server-sent events, from any height on: nothing lost, nothing twice.

Each event's id is `height.index.number`; after a block's events comes `event: block` with the height as its id. A
client that sends the last id it saw (`Last-Event-ID`, as browsers do, or `after`) gets what follows. Events are read
from the chain when the client takes them, so a slow client costs no memory: there is no queue that could overflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.blocks import check_here
from edge.http.errors import ApiReason
from edge.http.names import EVENT_STREAM
from edge.http.routing import Answer, Content, Parameter, Route, given
from edge.http.shapes import StreamBlock, StreamEvent
from ledger.chain import Chain, parse_cursor
from ledger.refusal import BrokenInvariant, Refused
from ledger.schema import to_plain
from ledger.types import Transaction

ResumeText = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,15}|[0-9]{1,16}\.[0-9]{1,10}\.[0-9]{1,5})$")]
"""`height`: after all of that block. `height.index.number`: after that event."""
RETRY_MS = 1_000
REACH_MS = 2_000
BLOCKS_A_WRITE = 200
"""Blocks without events that are passed over before the client is told how far it is."""

AFTER = Parameter(
    "after",
    "query",
    ResumeText | None,
    "Where to go on: a height (after all of that block) or the id of the last event seen. Without it, from now on.",
    default=None,
)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID", "header", ResumeText | None, "The same, as browsers send it; it wins over `after`.", default=None
)
CONTRACT = Parameter(
    "contract",
    "query",
    Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")] | None,
    "Only events of this contract's calls.",
    default=None,
)
SUBJECT = Parameter(
    "subject",
    "query",
    Annotated[str, msgspec.Meta(min_length=1, max_length=160)] | None,
    "Only events that name this subject.",
    default=None,
)


@dataclass(frozen=True, slots=True)
class Position:
    """After which event of which block the reader stands; `index` and `number` -1: before the first."""

    height: int
    index: int = -1
    number: int = -1


@dataclass(frozen=True, slots=True)
class Filter:
    contract: str | None
    subject: str | None


def position_after(text: str | None, head: int) -> Position:
    """Where the stream begins; without `text`, after the block at `head`."""
    if text is None:
        return Position(head + 1)
    if "." not in text:
        return Position(int(text) + 1)
    try:
        return Position(*parse_cursor(text))
    except ValueError as error:
        raise Refused(ApiReason.BAD_PARAMETER, name=AFTER.name, detail=str(error)) from None


def events_of(chain: Chain, position: Position, wanted: Filter) -> Iterator[StreamEvent]:
    """The events of the block at `position.height` that come after `position` and are wanted, in order."""
    block = chain.block(position.height)
    if block is None:
        return
    for index, receipt in enumerate(chain.receipts(position.height)):
        if index < position.index or not receipt.events:
            continue
        transaction = Transaction.parse(block.transactions[index])
        if wanted.contract is not None and transaction.body.contract != wanted.contract:
            continue
        for number, event in enumerate(receipt.events):
            if (index, number) <= (position.index, position.number):
                continue
            if wanted.subject is None or wanted.subject in event.subjects:
                yield StreamEvent(position.height, index, number, block.header.time_ms, transaction.id, event)


async def stream(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/events"""
    resume = given(request, LAST_EVENT_ID, str) or given(request, AFTER, str)
    wanted = Filter(given(request, CONTRACT, str), given(request, SUBJECT, str))
    position = position_after(resume, api.node.chain.height)
    # A reader that comes from a node further ahead waits here until this one is as far: nothing comes twice.
    await api.reach(position.height - 1, REACH_MS)
    check_here(api.node.chain, position.height)
    if len(api.streams) >= api.settings.max_streams:
        raise Refused(ApiReason.TOO_MANY_WAITING, count=len(api.streams))
    task = asyncio.current_task()
    if task is None:
        raise BrokenInvariant("a request is answered outside a task")
    api.streams.add(task)
    try:
        return await _run(api, request, position, wanted)
    finally:
        api.streams.discard(task)


async def _run(api: Api, request: web.Request, position: Position, wanted: Filter) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": f"{EVENT_STREAM}; charset=utf-8", "X-Accel-Buffering": "no"})
    # Nothing but this stream goes over the connection, and it ends when the node stops.
    response.headers["Connection"] = "close"
    await response.prepare(request)
    await response.write(f"retry: {RETRY_MS}\n\n".encode())
    chain = api.node.chain
    heartbeat_s = api.settings.heartbeat_ms / 1000
    passed_over = 0
    while True:
        if chain.height < position.height:
            if not await api.node.wait_for_height(position.height, heartbeat_s):
                await response.write(b": still here\n\n")
            continue
        events = [_event(event) for event in events_of(chain, position, wanted)]
        passed_over += 1
        # The mark of a block tells the client how far it is, so that it goes on from there and not from long ago.
        if events or position.height == chain.height or passed_over >= BLOCKS_A_WRITE:
            await response.write(b"".join(events) + _block_mark(chain, position.height))
            passed_over = 0
        position = Position(position.height + 1)
        await asyncio.sleep(0)


def _event(event: StreamEvent) -> bytes:
    return _message("event", f"{event.height}.{event.index}.{event.number}", event)


def _block_mark(chain: Chain, height: int) -> bytes:
    header = chain.header(height)
    return b"" if header is None else _message("block", str(height), StreamBlock(height, header.time_ms, header.hash))


def _message(kind: str, message_id: str, data: object) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        message_id.encode(),
        kind.encode(),
        msgspec.json.encode(to_plain(data)),
    )


EVENTS = Route(
    "GET",
    "/v1/events",
    "streamEvents",
    "Events as they happen, by server-sent events. `event: event` carries one event (id `height.index.number`), "
    "`event: block` says that everything up to the end of that block was sent (id: its height). Resume with "
    "`Last-Event-ID`: nothing is lost and nothing comes twice. Comments keep the connection alive.",
    stream,
    parameters=(AFTER, LAST_EVENT_ID, CONTRACT, SUBJECT),
    answers={200: Answer("The stream; the data of each message is JSON.", (Content(EVENT_STREAM, StreamEvent),))},
    errors=(ApiReason.TOO_MANY_WAITING, ApiReason.HEIGHT_NOT_REACHED, ApiReason.BEFORE_FIRST),
    tag="events",
)
