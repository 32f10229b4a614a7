"""The API as a whole: the table of all routes, and what every request goes through on the way to its handler."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from edge import openapi, status_page
from edge.http import blocks, events, health, queries, rows, submit, submit_many, transactions
from edge.http.api import Api, monotonic_ms
from edge.http.errors import ApiReason, ContractRefused, error_response
from edge.http.limits import is_loopback
from edge.http.names import JSON, REQUEST_ID
from edge.http.routing import Answer, Content, Route, check_query
from edge.http.settings import HttpSettings
from edge.metrics import Metrics
from edge.node_view import NodeView
from ledger.refusal import Refused

log = logging.getLogger("daicho.http")

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ROUTE: Final = web.RequestKey("route", Route)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


async def document(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /openapi.json"""
    if not api.document:
        api.document = openapi.document(ROUTES, api.node.runtime)
    return web.Response(body=api.document, content_type=JSON, charset="utf-8")


DOCUMENT = Route(
    "GET",
    "/openapi.json",
    "getOpenApi",
    "This document.",
    document,
    access="open",
    answers={200: Answer("The OpenAPI document.", (Content(JSON, dict[str, Any]),))},
    tag="health",
)

ROUTES: tuple[Route, ...] = (
    submit.SUBMIT,
    submit_many.SUBMIT_MANY,
    *transactions.ROUTES,
    *queries.ROUTES,
    *rows.ROUTES,
    *blocks.ROUTES,
    events.EVENTS,
    *health.ROUTES,
    DOCUMENT,
    *status_page.ROUTES,
)
"""Every path that the node answers."""


def make_app(node: NodeView, settings: HttpSettings, metrics: Metrics | None = None) -> web.Application:
    """The application; serve it with `edge/http/server.py`."""
    api = Api.of(node, settings, metrics or Metrics(node))
    node.on_commit(api.metrics.on_block)
    app = web.Application(middlewares=[_middleware(api)], client_max_size=submit_many.MAX_BODY_BYTES)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _bound(api, route))

    async def stop(_: web.Application) -> None:
        for task in api.streams:
            task.cancel()

    app.on_shutdown.append(stop)
    return app


def _bound(api: Api, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        request[_ROUTE] = route
        if route.access == "read":
            _check_reader(api, request)
        check_query(request, route)
        return await route.handler(api, request)

    return handle


def _check_reader(api: Api, request: web.Request) -> None:
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    if api.readers.reader(request.remote, forwarded=_is_forwarded(request), authorization=authorization) is None:
        raise Refused(ApiReason.UNAUTHORISED)


def _is_forwarded(request: web.Request) -> bool:
    """Whether a proxy says that it speaks for somebody else."""
    return "X-Forwarded-For" in request.headers or "Forwarded" in request.headers


def _check_address_rate(api: Api, request: web.Request) -> None:
    address = request.remote or "?"
    if is_loopback(address):
        return
    now_ms = monotonic_ms()
    if not api.addresses.take(address, now_ms):
        retry_ms = api.addresses.wait_ms(address, now_ms)
        raise Refused(ApiReason.TOO_MANY_REQUESTS, who="this address", retry_ms=retry_ms)


def _middleware(api: Api) -> Middleware:
    @web.middleware
    async def around(request: web.Request, handler: _Next) -> web.StreamResponse:
        started_s = time.perf_counter()
        request[REQUEST_ID] = _request_id(request)
        response = await _answer(api, request, handler)
        route = request.get(_ROUTE)
        operation = "none" if route is None else route.name
        api.metrics.request(operation, response.status, time.perf_counter() - started_s)
        return response

    return around


async def _answer(api: Api, request: web.Request, handler: _Next) -> web.StreamResponse:
    """The handler's answer, or the error in the one shape that all errors have."""
    try:
        _check_address_rate(api, request)
        response = await handler(request)
    except ContractRefused as refused:
        response = error_response(request, refused.refusal, contract=refused.contract)
        api.metrics.refused(f"{refused.contract}.{refused.refusal.reason.code}")
    except Refused as refused:
        response = _refused(api, request, refused)
    except web.HTTPException as error:
        response = _refused(api, request, _translated(request, error))
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        # What went wrong is for the log alone; the client gets the number under which it is found there.
        log.exception("request %s: %s %s", request[REQUEST_ID], request.method, request.path)
        response = _refused(api, request, Refused(ApiReason.INTERNAL, request_id=request[REQUEST_ID]))
    if not response.prepared:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
    return response


def _refused(api: Api, request: web.Request, refused: Refused) -> web.StreamResponse:
    response = error_response(request, refused)
    api.metrics.refused(refused.reason.code)
    if not request.content.at_eof():
        # The rest of a body that nobody will read is not waited for.
        response.force_close()
    return response


def _translated(request: web.Request, error: web.HTTPException) -> Refused:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Refused(ApiReason.METHOD_NOT_ALLOWED, method=request.method[:20], allowed=allowed)
    if error.status == 404:
        return Refused(ApiReason.NO_SUCH_PATH)
    if error.status == 413:
        return Refused(ApiReason.BODY_TOO_LARGE, limit=submit_many.MAX_BODY_BYTES)
    return Refused(ApiReason.BAD_REQUEST)


def _request_id(request: web.Request) -> str:
    """The caller's own id if it has the form of one, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID_FORM.fullmatch(given) else os.urandom(8).hex()
