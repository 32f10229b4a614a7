"""The OpenAPI 3.1 document, made from the same table of routes that the server runs, and from the contracts' types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from edge.http import queries
from edge.http.errors import QUERY_REFUSED_STATUS, STATUS, ApiReason, code_of
from edge.http.names import JSON
from edge.http.routing import Answer, Content, Parameter, Route
from edge.http.shapes import ErrorAnswer
from ledger.contract import MethodSpec, Runtime
from ledger.refusal import Reason
from ledger.schema import result_schema

Plain = dict[str, Any]

TITLE = "Daicho"
VERSION = "1"
ABOUT = (
    "The HTTP API of a Daicho node (台帳ノード). Bytes are hexadecimal text in JSON; only the transaction to submit "
    "is base64. Every error has the same shape, with a stable `code`. Pages go on with `next`. "
    "Reads are open on the node's own machine; from elsewhere they may need the bearer token of an organisation. "
    "Whoever submits is known by the signature in the transaction."
)
SHARED_ERRORS: tuple[Reason, ...] = (ApiReason.BAD_PARAMETER, ApiReason.TOO_MANY_REQUESTS, ApiReason.INTERNAL)
"""Of every operation."""
GENERIC_QUERY = "/v1/query/{contract}/{method}"


def document(routes: Iterable[Route], runtime: Runtime) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(build(routes, runtime))


def build(routes: Iterable[Route], runtime: Runtime) -> Plain:
    schemas: Plain = {}
    shared: Plain = {}
    paths: dict[str, Plain] = {}
    for route in routes:
        if route.page:
            continue
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    for spec in runtime.specs():
        if spec.kind == "query":
            paths[f"/v1/query/{spec.contract}/{spec.name}"] = _query_paths(spec, schemas, shared)
        else:
            schemas[f"call.{spec.contract}.{spec.name}"] = _call_schema(spec)
            schemas[f"call.{spec.contract}.{spec.name}.result"] = spec.result_schema()
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in ("transactions", "contracts", "state", "blocks", "events", "health")],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": shared,
            "securitySchemes": {"organisation": {"type": "http", "scheme": "bearer"}},
        },
        "x-refusals": {code: {"en": r.text("en"), "ja": r.text("ja")} for code, r in sorted(runtime.reasons().items())},
    }


def _operation(route: Route, schemas: Plain) -> Plain:
    operation: Plain = {
        "operationId": route.name,
        "summary": route.about.split(". ")[0].rstrip("."),
        "description": route.about,
        "tags": [route.tag],
        "parameters": [_parameter(p) for p in route.parameters],
        "responses": _responses(route, schemas),
    }
    if route.body:
        operation["requestBody"] = {
            "required": True,
            "content": {c.media_type: _content(c, schemas) for c in route.body},
        }
    if route.access == "read":
        operation["security"] = [{}, {"organisation": []}]
    return operation


def _parameter(parameter: Parameter) -> Plain:
    schema = result_schema(parameter.kind)
    if not parameter.required and parameter.default is not None:
        schema = {**schema, "default": parameter.default}
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema,
    }


def _content(content: Content, schemas: Plain) -> Plain:
    if content.kind is bytes:
        return {"schema": {"type": "string", "contentMediaType": content.media_type}}
    return {"schema": _schema(content.kind, schemas)}


def _schema(kind: Any, schemas: Plain) -> Plain:
    """A reference to the schema of a struct, which is put among the components; any other schema as it is."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        schemas.setdefault(kind.__name__, result_schema(kind))
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    return result_schema(kind)


def _answer(about: Answer, schemas: Plain) -> Plain:
    return {
        "description": about.about,
        "content": {c.media_type: _content(c, schemas) for c in about.contents},
        "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
    }


def _responses(route: Route, schemas: Plain) -> Plain:
    responses: Plain = {str(status): _answer(answer, schemas) for status, answer in route.answers.items()}
    unauthorised = (ApiReason.UNAUTHORISED,) if route.access == "read" else ()
    codes: dict[int, list[Reason]] = {}
    for reason in (*route.errors, *unauthorised, *SHARED_ERRORS):
        codes.setdefault(STATUS[reason], []).append(reason)
    for status, reasons in sorted(codes.items()):
        responses.setdefault(str(status), _error(reasons, schemas))
    if route.path.startswith(GENERIC_QUERY.split("{", maxsplit=1)[0]):
        responses[str(QUERY_REFUSED_STATUS)] = {
            "description": "The contract refuses the query; the code is `<contract>.<reason>`.",
            "content": {JSON: {"schema": _schema(ErrorAnswer, schemas)}},
        }
    return responses


def _error(reasons: list[Reason], schemas: Plain) -> Plain:
    examples = {
        code_of(reason): {
            "summary": reason.text("en"),
            "value": {
                "error": {
                    "code": code_of(reason),
                    "message": reason.text("en"),
                    "message_ja": reason.text("ja"),
                    "params": {},
                    "request_id": "5f1d7a84db1f2c90",
                }
            },
        }
        for reason in reasons
    }
    return {
        "description": "; ".join(f"`{code_of(reason)}`" for reason in reasons),
        "content": {JSON: {"schema": _schema(ErrorAnswer, schemas), "examples": examples}},
    }


# -- contracts ---------------------------------------------------------------------------------------------------------


def _call_schema(spec: MethodSpec) -> Plain:
    return {
        **spec.argument_schema(),
        "description": f"{spec.doc}\n\nArguments of the call {spec.contract}.{spec.name}, in canonical msgpack in the "
        f"transaction's `args`. Roles: {', '.join(sorted(spec.roles))}.",
    }


def _query_paths(spec: MethodSpec, schemas: Plain, shared: Plain) -> Plain:
    """A contract's query, with its own arguments and result, under the path that the generic one serves."""
    name = f"{spec.contract}.{spec.name}"
    arguments = spec.argument_schema()
    schemas[f"query.{name}"] = arguments
    schemas[f"query.{name}.result"] = spec.result_schema()
    generic = {route.method: route for route in queries.ROUTES if route.path == GENERIC_QUERY}
    paths: Plain = {}
    for method, route in generic.items():
        operation = _operation(route, schemas)
        operation["operationId"] = f"{route.name}_{spec.contract}_{spec.name}"
        operation["summary"] = spec.doc.split("\n")[0] or name
        operation["description"] = spec.doc
        operation["parameters"] = [_parameter(p) for p in route.parameters if p.where == "query"]
        for status, response in operation["responses"].items():
            if status != "200":
                key = f"{route.name}.{status}"
                shared[key] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{key}"}
        operation["responses"]["200"]["content"] = {JSON: {"schema": _of_query(name)}}
        if method == "GET":
            operation["parameters"] += list(_as_parameters(arguments))
        else:
            operation["requestBody"]["content"] = {JSON: {"schema": {"$ref": f"#/components/schemas/query.{name}"}}}
        paths[method.lower()] = operation
    return paths


def _of_query(name: str) -> Plain:
    return {
        "type": "object",
        "required": ["height", "time_ms", "result"],
        "properties": {
            "height": {"type": "integer"},
            "time_ms": {"type": "integer"},
            "result": {"$ref": f"#/components/schemas/query.{name}.result"},
        },
    }


def _as_parameters(arguments: Mapping[str, Any]) -> Iterable[Plain]:
    required = arguments.get("required", [])
    for name, schema in arguments.get("properties", {}).items():
        yield {"name": name, "in": "query", "required": name in required, "schema": schema}
