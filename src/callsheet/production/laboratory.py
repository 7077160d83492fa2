"""Methods of samples, items, collections and plans: what a laboratory does with them every day.

All but the methods that read only record: the next commit sends it.
"""

from __future__ import annotations

from typing import Annotated, Any

from callsheet.core import populating
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.scalar import shown
from callsheet.production.queries import entities, is_, one_of

__all__ = ["CollectionMethods", "ItemMethods", "PlanMethods", "SampleMethods"]

#: What can be taken from a shelf.
AVAILABLE = "available"


class SampleMethods:
    """The methods of samples."""

    __slots__ = ()
    session: Any

    def available_items(self, container_type: Any = None) -> Annotated[Any, Gives("list[Item]")]:
        """The items of this sample that can be taken, oldest first; of one type of container if one is given."""
        return self.session.run(available_items(self.session, self, container_type))

    def new_item(self, container_type: Any, location: Any = None, **values: Any) -> Annotated[Any, Gives("Item")]:
        """A new item of this sample, pending. `UsageError` for a container that holds other samples only."""
        return self.session.run(new_item(self.session, self, container_type, location, values))

    def properties(self) -> Annotated[Any, Gives("dict[str, Any]")]:
        """The values of its fields by name: plain values, samples, or lists of either for fields that hold several."""
        return self.session.run(properties(self.session, self))


class ItemMethods:
    """The methods of items."""

    __slots__ = ()
    session: Any

    def move(self, location: Any) -> None:
        """Put it in another place."""
        item: Any = self
        item["location"] = location

    def discard(self) -> None:
        """Throw it away: it has no place any more."""
        item: Any = self
        item["state"], item["location"] = "discarded", None


class CollectionMethods:
    """The methods of collections, whose rows and columns count from 0."""

    __slots__ = ()
    session: Any

    def assign(self, item: Any, row: int, column: int) -> Annotated[Any, Gives("Part")]:
        """Put an item in a free place of the collection; the new part is pending."""
        return self.session.run(assign(self.session, self, item, row, column))

    def matrix(self) -> Annotated[Any, Gives("list[list[Item | None]]")]:
        """Its items as a list of rows; None where a place is free."""
        return self.session.run(matrix(self.session, self))


class PlanMethods:
    """The methods of plans."""

    __slots__ = ()
    session: Any

    def add_operation(self, operation_type: Any, **values: Any) -> Annotated[Any, Gives("Operation", at_once=True)]:
        """A new operation of this plan, pending."""
        return self.session.create("Operation", {"plan": self, "operation_type": operation_type, **values})

    def progress(self) -> Annotated[Any, Gives("dict[str, int]")]:
        """How many of its operations have each status."""
        return self.session.run(progress(self.session, self))


def available_items(core: Core, sample: Any, container_type: Any) -> Flow[list[Any]]:
    conditions = [is_("sample.id", sample.key), is_("state", AVAILABLE)]
    if container_type is not None:
        conditions.append(is_("container_type.id", container_type.key))
    return (yield from entities(core, "Item", *conditions, order="created_at"))


def new_item(core: Core, sample: Any, container_type: Any, location: Any, values: dict[str, Any]) -> Flow[Any]:
    yield from _loaded(core, container_type, "sample_type")
    yield from _loaded(core, sample, "sample_type")
    only, own = container_type.peek("sample_type"), sample.peek("sample_type")
    if only and own is not only:
        raise UsageError(f"{container_type!r} holds samples of {only!r} only, and {sample!r} is of {own!r}")
    kind = "Collection" if values.keys() & {"rows", "columns"} else "Item"
    return core.create(kind, {"sample": sample, "container_type": container_type, "location": location, **values})


def properties(core: Core, sample: Any) -> Flow[dict[str, Any]]:
    bring = "name, value, sort, child_sample.name, field_type.array"
    rows = yield from entities(core, "FieldValue", is_("sample.id", sample.key), bring=bring, order="name, sort")
    found: dict[str, Any] = {}
    for row in rows:
        child, kind = row.peek("child_sample"), row.peek("field_type")
        value = child if child else row.peek("value")
        if kind and kind.peek("array"):
            found.setdefault(row.peek("name"), []).append(value)
        else:
            found[row.peek("name")] = value
    return found


def assign(core: Core, collection: Any, item: Any, row: int, column: int) -> Flow[Any]:
    yield from _loaded(core, collection, "rows, columns")
    for name, place in (("row", row), ("column", column)):
        most = collection.peek(f"{name}s") or 0
        if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < most:
            raise UsageError(f"{collection!r} has the {name}s 0 to {most - 1}, not {shown(place)}")
    return core.create("Part", {"collection": collection, "item": item, "row": row, "column": column})


def matrix(core: Core, collection: Any) -> Flow[list[list[Any]]]:
    yield from _loaded(core, collection, "rows, columns")
    rows, columns = (collection.peek(name) or 0 for name in ("rows", "columns"))
    found: list[list[Any]] = [[None] * columns for _ in range(rows)]
    parts = yield from entities(core, "Part", is_("collection.id", collection.key), bring="row, column, item.barcode")
    for part in parts:
        if part.peek("row") < rows and part.peek("column") < columns:
            found[part.peek("row")][part.peek("column")] = part.peek("item")
    return found


def progress(core: Core, plan: Any) -> Flow[dict[str, int]]:
    operations = yield from entities(core, "Operation", one_of("plan.id", [plan.key]), bring="status")
    found: dict[str, int] = {}
    for operation in operations:
        found[operation.peek("status")] = found.get(operation.peek("status"), 0) + 1
    return found


def _loaded(core: Core, entity: Any, names: str) -> Flow[None]:
    yield from populating.populate(core, entity, names)
