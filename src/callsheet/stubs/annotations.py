"""The signatures of methods as text for a stub: what cannot be named there is `Any`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import callsheet
from callsheet.stubs.answers import given, given_text
from callsheet.stubs.names import is_plain

__all__ = ["annotation", "documented", "function_of", "method", "methods", "signature"]

#: The modules whose classes a stub may name, as the stub imports them.
_MODULES = {
    "builtins": "_builtins",
    "collections.abc": "_abc",
    "datetime": "_datetime",
    "pathlib": "_pathlib",
    "typing": "_typing",
}
_STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
_PARAMETERS: dict[type, str] = {
    dict: "[_typing.Any, _typing.Any]",
    frozenset: "[_typing.Any]",
    list: "[_typing.Any]",
    set: "[_typing.Any]",
    tuple: "[_typing.Any, ...]",
    type: "[_typing.Any]",
}


def methods(behaviour: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a behaviour, those of its parents included."""
    found: dict[str, Any] = {}
    for parent in reversed(behaviour.__mro__):
        if parent is not object:
            found.update((name, each) for name, each in vars(parent).items() if is_plain(name))
    for name in sorted(found):
        if isinstance(found[name], FunctionType | property | staticmethod | classmethod):
            yield name, found[name]


def method(name: str, found: Any, entities: Mapping[str, str] | None = None, indent: str = "    ") -> str:
    """One method or property of a class; ``entities`` are the classes of the schema's types."""
    function = function_of(found)
    lines = [f"@_builtins.{type(found).__name__}"] if not isinstance(found, FunctionType) else []
    gives = given(function)
    result = "" if gives is None else given_text(gives, entities or {})
    lines.append(f"def {name}{signature(function, result=result)}:")
    lines += [f"    {documented(function.__doc__ or '') or '...'}"]
    return "\n".join(indent + line for line in lines)


def function_of(found: Any) -> Any:
    """The function of a method or a property."""
    return found.fget if isinstance(found, property) else getattr(found, "__func__", found)


def documented(text: str) -> str:
    """The first sentences of a docstring as a literal; nothing if there are none."""
    first = " ".join(text.strip().partition("\n\n")[0].split())
    return repr(first) if first else ""


def signature(function: Callable[..., Any], replaced: dict[str, str] | None = None, result: str = "") -> str:
    """The parameters of a function and its result; ``replaced`` are types to write instead of its own.

    >>> def greet(self, name: str = "sintel", *, times: int = 1) -> str: ...
    >>> signature(greet)
    '(self, name: _builtins.str = ..., *, times: _builtins.int = ...) -> _builtins.str'
    """
    found = inspect.signature(function)
    parts: list[str] = []
    kind = None
    for number, each in enumerate(found.parameters.values()):
        if kind is inspect.Parameter.POSITIONAL_ONLY and each.kind is not kind:
            parts.append("/")
        if each.kind is inspect.Parameter.KEYWORD_ONLY and kind not in (each.kind, inspect.Parameter.VAR_POSITIONAL):
            parts.append("*")
        kind = each.kind
        parts.append(_parameter(each, function, number, replaced or {}))
    if kind is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return f"({', '.join(parts)}) -> {result or annotation(found.return_annotation, function)}"


def _parameter(parameter: inspect.Parameter, function: Any, number: int, replaced: dict[str, str]) -> str:
    star = _STARS.get(parameter.kind.name, "")
    default = "" if parameter.default is parameter.empty else " = ..."
    if number == 0 and not star and parameter.name in ("self", "cls"):
        return parameter.name
    kind = replaced.get(parameter.name) or annotation(parameter.annotation, function)
    return f"{star}{parameter.name}: {kind}{default}"


def annotation(found: Any, function: Any) -> str:
    """An annotation as a stub writes it.

    >>> annotation("list[str | None]", lambda: None)
    '_builtins.list[_builtins.str | None]'
    """
    if isinstance(found, str):
        module = sys.modules.get(getattr(function, "__module__", ""))
        try:
            found = eval(found, {**vars(module)} if module is not None else {})
        except Exception:
            # Its names are imported for type checkers only, or it is none of Python's annotations.
            return "_typing.Any"
    return _text(found)


def _text(found: Any) -> str:
    if found is None or found is NoneType:
        return "None"
    origin, parts = get_origin(found), get_args(found)
    if origin in (Union, UnionType):
        texts = list(dict.fromkeys(map(_text, parts)))
        return "_typing.Any" if "_typing.Any" in texts else " | ".join(texts)
    if str(origin) == "typing.Literal":
        plain = all(isinstance(each, str | int | bool | NoneType) for each in parts)
        return f"_typing.Literal[{', '.join(map(repr, parts))}]" if plain else "_typing.Any"
    if origin is not None and isinstance(origin, type):
        return _generic(origin, parts)
    return _bare(found) if isinstance(found, type) else "_typing.Any"


def _bare(found: type) -> str:
    """A class without parameters; strict checks want those that it could have."""
    named = _class(found)
    if found.__module__ in ("collections.abc", "typing"):
        return "_typing.Any"
    return f"{named}{_PARAMETERS.get(found, '')}"


def _generic(origin: type, parts: tuple[Any, ...]) -> str:
    named = _class(origin)
    if named == "_typing.Any" or not parts:
        return named
    if named == "_abc.Callable":
        return f"_abc.Callable[..., {_text(parts[-1])}]"
    return f"{named}[{', '.join('...' if each is Ellipsis else _text(each) for each in parts)}]"


def _class(found: type) -> str:
    module, name = found.__module__, found.__qualname__
    if module in _MODULES and is_plain(name) and getattr(sys.modules[module], name, None) is found:
        return f"{_MODULES[module]}.{name}"
    if name in callsheet.__all__ and module == f"callsheet.{callsheet._HOMES[name]}":
        return f"_callsheet.{name}"
    return "_typing.Any"
