"""Parameters that several routes share: pages, and reading what was just written."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason
from edge.http.routing import Parameter, given

MAX_PAGE = 500
MIN_HEIGHT_WAIT_MS = 2_000

MIN_HEIGHT = Parameter(
    "min_height",
    "query",
    Annotated[int, msgspec.Meta(ge=0, lt=2**53)],
    "Answer from a state at least this high (read your own writes): the node waits up to two seconds to get there.",
    default=0,
)
LIMIT = Parameter("limit", "query", Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)], "How many at most.", default=100)
READ_ERRORS = (ApiReason.HEIGHT_NOT_REACHED, ApiReason.TOO_MANY_WAITING)
"""Of every route that takes `min_height`."""


async def reach_min_height(api: Api, request: web.Request) -> None:
    """Wait for the height that the request asks for; `Refused(HEIGHT_NOT_REACHED)` if it does not come in time."""
    await api.reach(given(request, MIN_HEIGHT, int), MIN_HEIGHT_WAIT_MS)
