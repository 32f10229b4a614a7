"""Contracts: what there is, and asking it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web

from edge.http.api import Api
from edge.http.bodies import media_type, read_body, read_json
from edge.http.errors import ApiReason, ContractRefused
from edge.http.names import JSON
from edge.http.parameters import MIN_HEIGHT, READ_ERRORS, reach_min_height
from edge.http.routing import Answer, Content, Parameter, Route, answer, given
from edge.http.shapes import ContractList, ContractView, MethodView, QueryView
from ledger.contract import Runtime, RuntimeReason
from ledger.refusal import Refused

MAX_QUERY_BYTES = 64 * 1024

NameText = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
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
    await reach_min_height(api, request)
    head = api.node.chain.head
    try:
        result = api.node.runtime.query(contract, method, arguments, api.node.chain.state, head.height, head.time_ms)
    except Refused as refused:
        if isinstance(refused.reason, RuntimeReason):
            raise
        raise ContractRefused(contract, refused) from None
    return answer(QueryView(head.height, head.time_ms, result))


QUERY_ERRORS = (
    RuntimeReason.UNKNOWN_CONTRACT,
    RuntimeReason.UNKNOWN_QUERY,
    RuntimeReason.BAD_QUERY,
    *READ_ERRORS,
)
ROUTES = (
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
)
