"""Actions of administrators that change the schema of a running server: planned, applied, a type or an attribute added.

A caller states the whole schema, as a file has it, or only what is added to the one there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from callsheet.errors import Invalid, SchemaError
from callsheet.model.schema import did_you_mean
from callsheet.server.migration.applying import WantedSchema, plan_schema
from callsheet.server.migration.cells import Cure
from callsheet.server.migration.plan import plan_to_plain
from callsheet.server.migration.running import change_schema
from callsheet.server.schemas.document import PRESETS, read_schema
from callsheet.server.store.store import Store

__all__ = ["ACTIONS", "SchemaCall", "answer"]


@frozen
class SchemaCall:
    """The store, who calls, and when; ``changed`` is called with the position of a change that was made."""

    store: Store
    user: str
    now: datetime
    changed: Callable[[int], None]


def answer(call: SchemaCall, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Perform an action; raises `Invalid` for what is no schema, or does not fit."""
    given = dict(arguments)
    function, names = _ACTIONS[action]
    if unknown := set(given) - names:
        raise Invalid(
            f"{action}: there is no argument `{sorted(unknown)[0]:.80}`{did_you_mean(sorted(unknown)[0], names)}"
        )
    return function(call, given)


def _plan(call: SchemaCall, given: dict[str, Any]) -> dict[str, Any]:
    return plan_to_plain(plan_schema(call.store, _wanted(given), call.now))


def _apply(call: SchemaCall, given: dict[str, Any]) -> dict[str, Any]:
    return _change(call, _wanted(given), given)


def _change(call: SchemaCall, wanted: WantedSchema, given: dict[str, Any]) -> dict[str, Any]:
    why, expected = given.get("why", ""), given.get("expected")
    if not isinstance(why, str) or not isinstance(expected, str | None):
        raise Invalid("`why` and `expected` are texts")
    keep = given.get("backup", True) is not False
    done = change_schema(call.store, wanted, call.user, why, expected=expected, keep=keep, now=call.now)
    if done.position:
        call.changed(done.position)
    plain = plan_to_plain(done.plan)
    return {**plain, "position": done.position, "backup": None if done.backup is None else str(done.backup)}


def _add_type(call: SchemaCall, given: dict[str, Any]) -> dict[str, Any]:
    name, definition = _named(given, "name"), _table(given, "definition")
    types = call.store.described.document["types"]
    if name in call.store.schema.types:
        raise Invalid(f"there is an entity type `{name}` already")
    return _add(call, {**types, name: definition}, given)


def _add_attribute(call: SchemaCall, given: dict[str, Any]) -> dict[str, Any]:
    kind, name, definition = _named(given, "type"), _named(given, "name"), _table(given, "definition")
    types = call.store.described.document["types"]
    if kind not in types:
        raise Invalid(f"the schema describes no entity type `{kind:.80}`{did_you_mean(kind, types)}")
    if name in call.store.described.types[kind].names:
        raise Invalid(f"{kind} has an attribute `{name}` already")
    described = {**types[kind], "attributes": {**types[kind].get("attributes", {}), name: definition}}
    return _add(call, {**types, kind: described}, given)


def _add(call: SchemaCall, types: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    document = {**call.store.described.document, "types": types}
    # What is added loses no row; the database as it was is one commit away.
    return _change(call, _wanted({"schema": document, "fill": given.get("fill", {})}), {"backup": False, **given})


def _named(given: dict[str, Any], key: str) -> str:
    if not isinstance(given.get(key), str):
        raise Invalid(f"`{key}` is a text, the name of a type or an attribute")
    return str(given[key])


def _table(given: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(given.get(key), Mapping):
        raise Invalid(f"`{key}` is a table, as in a schema document")
    return dict(given[key])


def _wanted(given: dict[str, Any]) -> WantedSchema:
    """What a caller sent; it names presets at most, and no file of the server's machine."""
    schema = given.get("schema")
    below = schema.get("extends") if isinstance(schema, Mapping) else schema
    if not isinstance(schema, str | Mapping) or (below is not None and below not in PRESETS):
        raise Invalid(f"a schema is sent as a document, or as the name of a preset: {', '.join(PRESETS)}")
    cures: dict[tuple[str, str], dict[str, Any]] = {}
    for key in ("fill", "replace"):
        table = given.get(key, {})
        if not isinstance(table, Mapping):
            raise Invalid(f"`{key}` is a table by TYPE.ATTRIBUTE")
        for place, value in table.items():
            if key == "replace" and not isinstance(value, Mapping):
                raise Invalid("`replace` has a table of new values by old ones for each TYPE.ATTRIBUTE")
            cures.setdefault(_place(place), {})[key] = value
    cleared = given.get("clear", ())
    if not isinstance(cleared, list | tuple):
        raise Invalid("`clear` is a list of TYPE.ATTRIBUTE")
    for place in cleared:
        cures.setdefault(_place(place), {})["clear"] = True
    try:
        document, former = read_schema(schema)
    except SchemaError as error:
        raise Invalid(str(error)) from None
    return WantedSchema(document, former, {place: Cure(**each) for place, each in cures.items()})


def _place(text: Any) -> tuple[str, str]:
    kind, dot, attribute = text.partition(".") if isinstance(text, str) else ("", "", "")
    if not dot:
        raise Invalid(f"{text!r:.80} is no TYPE.ATTRIBUTE")
    return kind, attribute


_BY = {"why", "expected", "backup"}
_CURES = {"fill", "replace", "clear"}
_ACTIONS: dict[str, tuple[Callable[[SchemaCall, dict[str, Any]], dict[str, Any]], set[str]]] = {
    "schema.plan": (_plan, {"schema", *_CURES}),
    "schema.apply": (_apply, {"schema", *_CURES, *_BY}),
    "schema.add_type": (_add_type, {"name", "definition", "why"}),
    "schema.add_attribute": (_add_attribute, {"type", "name", "definition", "fill", "why"}),
}
ACTIONS = frozenset(_ACTIONS)
"""By name, for administrators only (``permissions.py`` refuses others by the first word)."""
