"""A route as a value: what it takes, what it answers, which errors it knows. The server and the OpenAPI document are
both made from these, so neither can say what the other does not do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason
from edge.http.names import JSON
from ledger.refusal import Reason, Refused
from ledger.schema import to_plain

T = TypeVar("T")
Handler = Callable[[Api, web.Request], Awaitable[web.StreamResponse]]
Access = Literal["open", "read", "submit"]
"""Who is let in: everybody, readers (`ReadPolicy`), or whoever signs what they submit."""

Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
HeightText = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,15}|head)$")]
"""A height, or `head` for the last block."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `kind` is the type that its text is read as, and that its schema is made from."""

    name: str
    where: Literal["path", "query", "header"]
    kind: Any
    about: str
    default: object = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A body: JSON of a type, or bytes of a media type."""

    media_type: str
    kind: Any = bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of success."""

    about: str
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    name: str
    """The operation's id."""
    about: str
    handler: Handler
    access: Access = "read"
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Content, ...] = ()
    answers: Mapping[int, Answer] = field(default_factory=dict)
    errors: tuple[Reason, ...] = ()
    tag: str = "chain"
    free_query: bool = False
    """The query string holds a contract's arguments, which only the contract knows."""
    page: bool = False
    """A page for people: not part of the API document."""


def given(request: web.Request, parameter: Parameter, kind: type[T]) -> T:
    """The parameter's value; `Refused(BAD_PARAMETER)` if it is missing or not what `kind` says."""
    source: Mapping[str, str] = {
        "path": cast("Mapping[str, str]", request.match_info),
        "query": request.query,
        "header": request.headers,
    }[parameter.where]
    text = source.get(parameter.name)
    if text is None:
        if parameter.required:
            raise Refused(ApiReason.BAD_PARAMETER, name=parameter.name, detail="it is missing")
        return cast(T, parameter.default)
    try:
        value: T = msgspec.convert(text, parameter.kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(ApiReason.BAD_PARAMETER, name=parameter.name, detail=str(error)[:200]) from None
    return value


def check_query(request: web.Request, route: Route) -> None:
    """Nothing is silently overlooked: an unknown or repeated query parameter is refused."""
    if route.free_query:
        return
    known = {p.name for p in route.parameters if p.where == "query"}
    for name in request.query:
        if name not in known:
            raise Refused(ApiReason.BAD_PARAMETER, name=name[:64], detail="there is no such parameter here")
        if len(request.query.getall(name)) > 1:
            raise Refused(ApiReason.BAD_PARAMETER, name=name[:64], detail="it is given more than once")


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer of a struct, or of plain values."""
    body = msgspec.json.encode(to_plain(value))
    return web.Response(status=status, body=body, content_type=JSON, charset="utf-8", headers=headers)


def octets(data: bytes, media_type: str) -> web.Response:
    return web.Response(body=data, content_type=media_type)
