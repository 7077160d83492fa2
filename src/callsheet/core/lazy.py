"""Lazy reads: an attribute that is not loaded is fetched when it is read, for its peers too.

A lazy read begins in memory (`LazyCore.missing`) and is a flow on that memory (``loading.py``). A flow itself never
reads lazily, it peeks; while a flow runs, a lazy read raises `StateError`, so the core is never entered twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callsheet.core.core import Core
from callsheet.errors import NotLoaded, StateError
from callsheet.later import Later

if TYPE_CHECKING:
    from callsheet.core import loading
    from callsheet.entity import inheritance
    from callsheet.flow import Flow
else:
    inheritance = Later("callsheet.entity.inheritance")
    loading = Later("callsheet.core.loading")

__all__ = ["LazyCore"]


class LazyCore(Core):
    """A core whose entities load what they lack when it is read."""

    def missing(self, entity: Any, name: str) -> Any:
        """The value of an attribute that is not loaded; fetches it as the policy says."""
        from callsheet.entity.collection import Collection
        from callsheet.model.record import NOT_SET

        changes = entity._changes
        if changes is not None and changes.state == "detached":
            raise entity._gone()
        attribute = entity._type.attributes[name]
        if attribute.kind == "collection" and entity.peek(name) is NOT_SET:
            return self.unit.collection(entity, name)
        if changes is not None and changes.born:
            default = None if _is_token(attribute.default) else attribute.default
            return self.unit.refer(attribute, default) if attribute.kind == "reference" else default
        self._check_open()
        collection = entity.peek(name) if attribute.kind == "collection" else None
        if self.auto_populate is False and collection is None:
            return NOT_SET
        if self.auto_populate in ("strict", False):
            raise NotLoaded(self._not_loaded(entity, name))
        if self._busy:
            raise StateError(f"{entity!r}.{name} was read while the session was talking to the server")

        self.talk(loading.load(self, entity, name), entity, name)
        value = entity.peek(name)
        if value is NOT_SET or (isinstance(value, Collection) and not value.loaded):
            raise entity._gone()
        return value

    def inherited(self, entity: Any, key: str) -> Any:
        """The value of a hierarchical custom attribute that an entity has from those above it."""
        from callsheet.model.record import NOT_SET

        before: Any = None
        while True:
            value, unknown = inheritance.inherited_value(entity, key)
            if unknown is None:
                return value
            if self.auto_populate is False:
                return NOT_SET
            if unknown is before:
                raise unknown._gone()
            self._check_open()
            paths = ", ".join(inheritance.lineage_paths(self.schema, unknown._type))
            if self.auto_populate == "strict":
                raise NotLoaded(self._not_loaded(unknown, paths))
            before = unknown
            self.talk(loading.load_lineage(self, unknown), unknown, paths)

    def load_all(self, entity: Any) -> None:
        """Fetch all that is not loaded of an entity and its peers, in one go."""
        from callsheet.model.record import NOT_SET

        unset = [
            name
            for name, attribute in entity._type.attributes.items()
            if attribute.kind != "collection" and name not in entity._type.key and entity.peek(name) is NOT_SET
        ]
        born = entity._changes is not None and entity._changes.born
        if unset and not born and self.auto_populate in ("peers", "one"):
            self.talk(loading.load_names(self, entity, unset), entity, unset[0])

    def resolve(self, entity: Any) -> None:
        """Find the concrete type of an entity of which only the key is known."""

        self.talk(loading.load_names(self, entity, []), entity, "id")

    def talk(self, flow: Flow[Any], entity: Any, name: str) -> Any:
        """Run a flow for a lazy read."""
        flow.close()
        raise NotLoaded(f"{entity!r}.{name} is not loaded; `await session.populate(entity, {name!r})` fetches it")

    def _not_loaded(self, entity: Any, name: str) -> str:
        path = entity._peers.path(name) if entity._peers is not None else name
        return (
            f"{entity!r}.{name} is not loaded, and automatic loading is off; the query would have brought it along "
            f"with the projection `{path}`: `select {path} from …`, or `session.populate(entities, {path!r})`"
        )


def _is_token(default: Any) -> bool:
    return isinstance(default, str) and default.startswith("{") and default.endswith("}")
