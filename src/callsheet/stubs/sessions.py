"""The sessions of a schema as text: their verbs give entities of its types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from callsheet.core.ensure import ensure
from callsheet.core.reading import get
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session
from callsheet.stubs.annotations import documented, signature
from callsheet.stubs.attributes import literal
from callsheet.stubs.names import is_plain

__all__ = ["TypeNames", "accessors_class", "session_class", "types_class"]


@frozen
class TypeNames:
    """A type of the schema, and the names of its classes; ``data`` is None if none of its entities can be created."""

    name: str
    entity: str
    data: str | None


def types_class(names: Sequence[TypeNames], name: str) -> Iterator[str]:
    """The class of ``session.types``."""
    yield f"class {name}(_types.Types):"
    yield from _overloads(
        [f"def __getitem__(self, name: {literal([each.name])}) -> _builtins.type[{each.entity}]: ..." for each in names]
    )


def accessors_class(kind: type, names: Sequence[TypeNames]) -> Iterator[str]:
    """The types as names of the session: ``session.Task``. A class of its own, so that they hide no class there."""
    yield f"class _{kind.__name__}Types:"
    reached = [each for each in names if is_plain(each.name) and not hasattr(kind, each.name)]
    for each in sorted(reached, key=lambda found: found.name):
        yield "    @_builtins.property"
        yield f"    def {each.name}(self) -> _{each.entity}{'Async' if kind is AsyncSession else ''}Accessor: ..."
    if not reached:
        yield "    ..."


def session_class(kind: type, names: Sequence[TypeNames], name: str, types: str) -> Iterator[str]:
    """A session whose verbs know the types: ``names`` has subtypes before the types that they extend."""
    awaits = kind is AsyncSession
    yield f"class {name}(_{kind.__name__}Types, _callsheet.{kind.__name__}):"
    yield f"    {documented(kind.__doc__ or '')}"
    yield "    __getattr__: None"
    yield "    @_builtins.property"
    yield f"    def types(self) -> {types}: ..."
    result = "AsyncQueryResult" if awaits else "QueryResult"
    yield from _overloads(list(_queries(names, result)))
    yield from _overloads(list(_browsers(names, "AsyncBrowser" if awaits else "Browser", result)))
    found = [_verb("get", get, each, f"{each.entity} | None", awaits) for each in names]
    yield from _overloads(found)
    made = [each for each in names if each.data is not None]
    yield from _overloads([_verb("create", Session.create, each, each.entity, False) for each in made])
    yield from _overloads([_verb("ensure", ensure, each, each.entity, awaits) for each in made])


def _queries(names: Sequence[TypeNames], result: str) -> Iterator[str]:
    rest = "page_size: _builtins.int | None = ..., use_cache: _builtins.bool = ..."
    for each in names:
        yield f"def query(self, text: {_either(each)}, {rest}) -> _callsheet.{result}[{each.entity}]: ..."
    yield f"def query(self, text: _builtins.str, {rest}) -> _callsheet.{result}: ..."
    plain = "_abc.Mapping[_builtins.str, _typing.Any]"
    yield f"def query(self, text: {plain}, {rest}) -> _callsheet.{result}[_typing.Any]: ..."


def _browsers(names: Sequence[TypeNames], browser: str, result: str) -> Iterator[str]:
    for each in names:
        what = f"{_either(each)} | _callsheet.{result}[{each.entity}]"
        yield f"def browse(self, what: {what}) -> _callsheet.{browser}[{each.entity}]: ..."
    yield f"def browse(self, what: _builtins.str) -> _callsheet.{browser}: ..."


def _verb(verb: str, function: Any, names: TypeNames, result: str, awaits: bool) -> str:
    """One overload: a verb with the parameters of its flow, for one type."""
    replaced = {"entity_type": _either(names)}
    if names.data is not None:
        given = f"{names.data} | None" if verb == "create" else names.data
        replaced["data"] = given
    text = signature(function, replaced, f"_abc.Coroutine[_typing.Any, _typing.Any, {result}]" if awaits else result)
    return f"def {verb}{_as_method(text)}: ..."


def _as_method(text: str) -> str:
    """A flow's first parameter is the session."""
    return text.replace("(core: _typing.Any", "(self", 1) if text.startswith("(core: ") else text


def _either(names: TypeNames) -> str:
    return f"{literal([names.name])} | _builtins.type[{names.entity}]"


def _overloads(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if len(lines) > 1:
            yield "    @_typing.overload"
        yield f"    {line}"
