"""The arguments of an endpoint's function: where in a request each is, and its value converted to the annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

import msgspec
from attrs import frozen

from callsheet.dialects.routes import WebRequest
from callsheet.errors import Invalid, UsageError

__all__ = ["Argument", "GIVEN", "arguments_of", "read_arguments"]

GIVEN = ("session", "request")
"""Arguments that the server gives."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_ABSENT = object()


@frozen
class Argument:
    """One argument: ``where`` is ``path``, ``query``, ``field`` (of the body's object) or ``body`` (all of it)."""

    name: str
    where: str
    kind: Any
    required: bool = True

    @property
    def is_raw(self) -> bool:
        """Whether the whole body is taken as bytes, of any content type."""
        return self.where == "body" and self.kind is bytes

    @property
    def is_repeated(self) -> bool:
        """Whether a parameter of the address may be there several times."""
        origin = getattr(self.kind, "__origin__", self.kind)
        return self.where == "query" and origin in (list, set, frozenset, tuple)


def arguments_of(
    function: Callable[..., Any], path: str, names: Sequence[str], methods: Sequence[str]
) -> tuple[Argument, ...]:
    """The arguments that a function takes from requests. Raises `UsageError` if no request can have them."""
    if not inspect.isroutine(function):
        raise UsageError(f"endpoint `{path}` must be a function, not {function!r:.80}")
    with_body = {method in WITH_BODY for method in methods}
    if len(with_body) > 1:
        raise UsageError(
            f"endpoint `{path}` takes {', '.join(methods)}: some have a body and some have none; declare a function "
            "for each kind"
        )
    parameters = inspect.signature(function).parameters
    hints = _hints(function, path)
    found = []
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UsageError(f"endpoint `{path}`: `{parameter}` has no name that a request could have")
        if parameter.name not in GIVEN:
            found.append(_argument(parameter, path, names, with_body == {True}, hints))
    if missing := [name for name in names if name not in parameters]:
        raise UsageError(f"endpoint `{path}`: the function has no argument `{missing[0]}`")
    if any(each.where == "body" for each in found) and any(each.where == "field" for each in found):
        raise UsageError(f"endpoint `{path}` takes the whole `body`, so no other argument can be a field of it")
    return tuple(found)


def read_arguments(arguments: Sequence[Argument], request: WebRequest) -> dict[str, Any]:
    """The arguments of a request. Raises `Invalid`, which names the argument."""
    kinds = {each.where for each in arguments}
    fields = _fields(request) if "field" in kinds else {}
    if "body" not in kinds:
        _check_known(arguments, fields if "field" in kinds else request.params)
    found = {}
    for argument in arguments:
        value = _given(argument, request, fields)
        if value is not _ABSENT:
            found[argument.name] = _converted(argument, value)
        elif argument.required:
            raise Invalid(f"the argument `{argument.name}` is missing", attribute=argument.name)
    return found


def _argument(
    parameter: inspect.Parameter, path: str, names: Sequence[str], with_body: bool, hints: Mapping[str, Any]
) -> Argument:
    name = parameter.name
    if name in names:
        where = "path"
    elif not with_body:
        where = "query"
    else:
        where = "body" if name == "body" else "field"
    kind = hints.get(name, str if where in ("path", "query") else Any)
    try:
        msgspec.json.schema(kind)
    except (TypeError, msgspec.ValidationError) as error:
        raise UsageError(f"endpoint `{path}`: no request can have `{name}`: {error}") from None
    return Argument(name, where, kind, parameter.default is parameter.empty)


def _hints(function: Callable[..., Any], path: str) -> Mapping[str, Any]:
    """The annotations of a function; those of `GIVEN` need not be importable."""
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        wanted = {name: hint for name, hint in function.__annotations__.items() if name not in (*GIVEN, "return")}
        try:
            return {
                name: eval(hint, getattr(function, "__globals__", {})) if isinstance(hint, str) else hint
                for name, hint in wanted.items()
            }
        except Exception:
            raise UsageError(f"endpoint `{path}`: its annotations cannot be read: {error}") from None


def _check_known(arguments: Sequence[Argument], given: Mapping[str, Any]) -> None:
    known = [each.name for each in arguments if each.where in ("query", "field")]
    for name in given:
        if name not in known:
            raise Invalid(f"there is no argument `{name:.80}`; known are {', '.join(known) or 'none'}")


def _fields(request: WebRequest) -> Mapping[str, Any]:
    if not request.body:
        return {}
    found = _json(request)
    if not isinstance(found, dict):
        raise Invalid("the body is a JSON object, whose fields are the arguments")
    return found


def _given(argument: Argument, request: WebRequest, fields: Mapping[str, Any]) -> Any:
    name = argument.name
    if argument.where == "path":
        return request.names.get(name, _ABSENT)
    if argument.where == "field":
        return fields.get(name, _ABSENT)
    if argument.where == "body":
        if argument.is_raw:
            return request.body
        return _json(request) if request.body else _ABSENT
    if argument.is_repeated:
        return [value for key, value in request.pairs if key == name] or _ABSENT
    return request.params.get(name, _ABSENT)


def _json(request: WebRequest) -> Any:
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body is no JSON: {error}") from None


def _converted(argument: Argument, value: Any) -> Any:
    if argument.is_raw:
        return value
    # What an address has are texts; JSON has kinds of its own.
    strict = argument.where in ("field", "body")
    try:
        return msgspec.convert(value, argument.kind, strict=strict)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Invalid(f"`{argument.name}`: {error}", attribute=argument.name) from None
