"""The OpenAPI document says what the server does: every route, parameter and error, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from edge import openapi
from edge.http.app import ROUTES
from edge.http.errors import STATUS
from edge.http.settings import HttpSettings
from tests.http.harness import Network, Served, run, with_api


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    async def build() -> bytes:
        return openapi.document(ROUTES, Network().node.runtime)

    found: dict[str, Any] = json.loads(run(build()))
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(m.upper(), p): o for p, item in document["paths"].items() for m, o in item.items()}


def test_every_route_is_in_the_document_and_every_operation_is_a_route(document: dict[str, Any]) -> None:
    routes = {(r.method, r.path) for r in ROUTES if not r.page}
    described = set(operations(document))
    assert routes <= described
    for method, path in described - routes:
        assert re.fullmatch(r"/v1/query/[a-z_]+/[a-z_]+", path), path
        assert (method, openapi.GENERIC_QUERY) in routes


def test_the_document_has_the_form_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert {"info", "paths", "components"} <= document.keys()
    names = [o["operationId"] for o in operations(document).values()]
    assert len(names) == len(set(names))
    for (_, path), operation in operations(document).items():
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        keys = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(keys) == len(set(keys))
        for response in operation["responses"].values():
            assert "$ref" in response or response["description"]
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for reference in re.findall(r'"\$ref": "([^"]+)"', text):
        _, components, kind, name = reference.split("/")
        assert components == "components"
        assert name in document["components"][kind]


def test_every_reason_of_the_api_is_documented_at_some_operation(document: dict[str, Any]) -> None:
    text = json.dumps([document["paths"], document["components"]["responses"]])
    unlisted = {"no_such_path", "method_not_allowed", "bad_request", "not_ready"}
    for reason in STATUS:
        if reason.code not in unlisted:
            assert f'{reason.code}"' in text, reason


def test_contract_calls_and_queries_have_their_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["call.governance.create_account"]["properties"].keys() == {"account", "roles", "keys"}
    operation = document["paths"]["/v1/query/governance/accounts"]["get"]
    assert {p["name"] for p in operation["parameters"]} == {"min_height", "after", "limit"}
    assert "query.governance.accounts.result" in schemas


def test_the_server_gives_the_document_to_everybody() -> None:
    async def scenario(api: Served) -> None:
        status, found = await api.get("/openapi.json", headers={"X-Forwarded-For": "203.0.113.7"})
        assert (status, found["openapi"]) == (200, "3.1.0")

    with_api(scenario)


def _fits(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> None:
    """A small check of a value against the JSON Schema that this document uses."""
    if "$ref" in schema:
        return _fits(schemas[schema["$ref"].rsplit("/", 1)[1]], value, schemas)
    if "anyOf" in schema:
        faults = []
        for option in schema["anyOf"]:
            try:
                return _fits(option, value, schemas)
            except AssertionError as fault:
                faults.append(fault)
        raise AssertionError(faults)
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), (schema, value)
    if "enum" in schema:
        assert value in schema["enum"]
    if "pattern" in schema:
        assert re.search(schema["pattern"], value)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", [])) <= value.keys()
        if schema.get("additionalProperties") is False:
            assert value.keys() <= schema["properties"].keys()
        for name, item in value.items():
            if name in schema["properties"]:
                _fits(schema["properties"][name], item, schemas)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _fits(schema["items"], item, schemas)
    return None


def test_answers_are_what_the_document_says(document: dict[str, Any]) -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        await api.submit(transaction)
        await api.submit(api.network.account("new.clerk"))
        schemas = document["components"]["schemas"]
        for path, asked in {
            "/v1/transactions/{id}": f"/v1/transactions/{transaction.id.hex()}?proof=true",
            "/v1/contracts": "/v1/contracts",
            "/v1/state/{key}": f"/v1/state/{b'governance/account/new.clerk'.hex()}",
            "/v1/state": "/v1/state?limit=3",
            "/v1/history/{subject}": "/v1/history/account:new.clerk",
            "/v1/blocks/{height}": "/v1/blocks/head",
            "/v1/blocks/{height}/header": "/v1/blocks/0/header",
            "/v1/blocks/{height}/certificate": "/v1/blocks/1/certificate",
            "/v1/headers": "/v1/headers?limit=2",
            "/v1/validators": "/v1/validators",
            "/v1/status": "/v1/status",
            "/health/live": "/health/live",
            "/health/ready": "/health/ready",
            "/v1/query/governance/accounts": "/v1/query/governance/accounts?limit=2",
            "/v1/query/governance/account": "/v1/query/governance/account?account=new.clerk",
            "/v1/query/governance/nodes": "/v1/query/governance/nodes",
            "/v1/query/governance/validators": "/v1/query/governance/validators",
            "/v1/query/governance/contracts": "/v1/query/governance/contracts",
        }.items():
            status, value = await api.get(asked)
            responses = document["paths"][path]["get"]["responses"]
            assert str(status) in responses, (asked, status, value)
            assert status == 200, (asked, value)
            _fits(responses["200"]["content"]["application/json"]["schema"], value, schemas)
        for asked in (
            "/v1/transactions/" + "0" * 64,
            "/v1/blocks/99",
            "/v1/state/zz",
            "/v1/nothing",
            "/v1/headers?x=1",
        ):
            status, value = await api.get(asked)
            assert 400 <= status < 500
            _fits(schemas["ErrorAnswer"], value, schemas)

    with_api(scenario, HttpSettings())
