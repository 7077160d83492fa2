"""The description of a server's HTTP interface as OpenAPI 3.1: its own wire, and the endpoints that plugins added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from callsheet import __version__
from callsheet.dialects.native.shapes import ErrorReply
from callsheet.endpoints.arguments import Argument
from callsheet.endpoints.declaration import Endpoint
from callsheet.endpoints.forwarding import Forwarding
from callsheet.endpoints.native_wire import WIRE, DescribedOperation

__all__ = ["describe"]

REF = "#/components/schemas/{name}"
_NAMED = re.compile(r"\{(\w+)(?::path)?\}")

SchemaOf = Callable[[Any], Any]


def describe(added: Sequence[Endpoint | Forwarding], url: str = "") -> dict[str, Any]:
    """The OpenAPI document of a server at ``url``, with those of the added endpoints that are to be shown.

    >>> describe([])["openapi"]
    '3.1.0'
    """
    schemas, components = _schemas(added)
    paths: dict[str, dict[str, Any]] = {}
    for each in WIRE:
        paths.setdefault(each.path, {})[each.method] = _of_wire(each, schemas)
    for one in added:
        for method in one.methods:
            path = "/endpoints/" + _NAMED.sub(r"{\1}", one.path)
            paths.setdefault(path, {})[method.lower()] = _of(one, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Callsheet",
            "version": __version__,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url or "/"}],
        "security": [{"key": []}, {"page": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key, or an access token"},
                "page": {"type": "apiKey", "in": "cookie", "name": "callsheet", "description": "a browser's login"},
            },
            "responses": {"Error": {"description": "what is wrong", "content": _json(schemas(ErrorReply))}},
        },
    }


def _schemas(added: Iterable[Endpoint | Forwarding]) -> tuple[SchemaOf, dict[str, Any]]:
    """A function from types to their schemas, and the schemas that these refer to."""
    structs = [kind for each in WIRE for kind in (each.body, each.answer) if isinstance(kind, type)]
    kinds = [ErrorReply, *structs, *(argument.kind for each in added for argument in each.arguments)]
    # What a struct holds as encoded JSON may be anything.
    found, components = msgspec.json.schema_components(kinds, schema_hook=lambda _: {}, ref_template=REF)
    return lambda kind: found[next(place for place, each in enumerate(kinds) if each is kind)], components


def _of_wire(each: DescribedOperation, schemas: SchemaOf) -> dict[str, Any]:
    parameters = _in_path(each.path)
    for name, meaning in each.query.items():
        parameters.append({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}})
    found = _operation(f"{each.method} {each.path}", each.summary, "native wire", parameters, each.public)
    if each.body is not None:
        found["requestBody"] = {"required": True, "content": _content(each.body, schemas)}
    answer: dict[str, Any] = {"description": "done"} if each.answer is None else {"description": "the answer"}
    if each.answer is not None:
        answer["content"] = _content(each.answer, schemas)
    found["responses"] = {"200": answer, **found["responses"]}
    return found


def _of(each: Endpoint | Forwarding, method: str, schemas: SchemaOf) -> dict[str, Any]:
    summary, _, description = each.description.partition("\n\n")
    kinds = {argument.name: schemas(argument.kind) for argument in each.arguments}
    parameters = _in_path(each.path, kinds)
    for argument in each.arguments:
        if argument.where == "query":
            required = argument.required
            parameters.append(
                {"name": argument.name, "in": "query", "required": required, "schema": kinds[argument.name]}
            )
    found = _operation(f"{method.lower()} endpoint {each.path}", summary, "endpoints", parameters, each.public)
    if description:
        found["description"] = description
    if body := _body(each.arguments, kinds):
        found["requestBody"] = body
    if each.roles:
        found["x-callsheet-roles"] = list(each.roles)
    found["responses"] = {"200": {"description": "the answer"}, **found["responses"]}
    return found


def _operation(name: str, summary: str, tag: str, parameters: list[Any], public: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", name).strip("_"),
        "summary": " ".join(summary.split()),
        "tags": [tag],
        "parameters": parameters,
        "responses": {"default": {"$ref": "#/components/responses/Error"}},
    }
    return {**found, "security": []} if public else found


def _in_path(path: str, kinds: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        {"name": name, "in": "path", "required": True, "schema": (kinds or {}).get(name, text)}
        for name in _NAMED.findall(path)
    ]


def _body(arguments: Sequence[Argument], kinds: dict[str, Any]) -> dict[str, Any] | None:
    fields = [argument for argument in arguments if argument.where == "field"]
    if fields:
        required = [argument.name for argument in fields if argument.required]
        schema: dict[str, Any] = {"type": "object", "properties": {each.name: kinds[each.name] for each in fields}}
        if required:
            schema["required"] = required
        return {"required": bool(required), "content": _json(schema)}
    for argument in arguments:
        if argument.where == "body":
            content = {"*/*": {}} if argument.is_raw else _json(kinds[argument.name])
            return {"required": argument.required, "content": content}
    return None


def _content(kind: Any, schemas: SchemaOf) -> dict[str, Any]:
    return {kind: {}} if isinstance(kind, str) else _json(schemas(kind))


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
