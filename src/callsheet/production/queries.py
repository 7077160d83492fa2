"""The queries of behaviours: entities by conditions, the acting user, and attributes of an entity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.core import calls, loading
from callsheet.core.core import Core
from callsheet.core.paging import all_pages
from callsheet.entity.peers import Peers
from callsheet.errors import ServerError, Unsupported
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_path
from callsheet.model.query import And, Comparison, Condition, Order, Path, Select
from callsheet.model.record import NOT_SET

__all__ = ["acting_user", "entities", "is_", "known", "one_of"]


def is_(path: str, value: Any) -> Comparison:
    """The condition that a path has a value."""
    return Comparison(Path.of(path), "=", value)


def one_of(path: str, values: Iterable[Any]) -> Comparison:
    """The condition that a path has one of several values."""
    return Comparison(Path.of(path), "in", tuple(values))


def entities(
    core: Core, entity_type: str, *conditions: Condition, bring: str = "", order: str = "", limit: int | None = None
) -> Flow[list[Any]]:
    """All entities of a type that fulfil all conditions, with the paths in ``bring`` loaded."""
    where = conditions[0] if len(conditions) == 1 else And(conditions) if conditions else None
    paths = tuple(parse_path(each.strip()) for each in bring.split(",") if each.strip())
    orders = tuple(Order(parse_path(each.strip())) for each in order.split(",") if each.strip())
    select = check(Select(entity_type, paths, where, orders, limit), core.schema)
    return (yield from all_pages(core, select, core.page_size, Peers(core.schema.types[entity_type].root)))


def acting_user(core: Core) -> Flow[Any]:
    """The user of the session's account; None if the server has no such user."""
    name = core.api_user
    if not name or "User" not in core.schema.types:
        return None
    for user in core.live("User"):
        if user.peek("username") == name and core.unit.is_alive(user):
            return user
    found = yield from entities(core, "User", is_("username", name), limit=1)
    if not found and not core.declaration.actions:
        found = yield from _renamed(core)
    return found[0] if found else None


def _renamed(core: Core) -> Flow[list[Any]]:
    """The user of the session's account, if that was renamed."""
    try:
        key = (yield from calls.call(core, "own.user", {}))["key"]
    except (ServerError, Unsupported):
        return []  # An older server has no such action.
    return [] if key is None else (yield from entities(core, "User", is_("id", key), limit=1))


def known(core: Core, entity: Any, *names: str) -> Flow[list[Any]]:
    """The values of these attributes; missing ones are loaded in one request."""
    born = entity._changes is not None and entity._changes.born
    lacking = [name for name in names if entity.peek(name) is NOT_SET]
    if lacking and not born:
        yield from loading.load_names(core, entity, lacking)
    return [None if entity.peek(name) is NOT_SET else entity.peek(name) for name in names]
