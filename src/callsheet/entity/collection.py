"""Related entities as a list, mapping items as a dict; both know what is on the server and what is pending.

A collection keeps the members on the server (None: not loaded) and, over them, those added and removed
here. Adding and removing need no load, and travel as such, so two writers do not overwrite each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Generic, overload

from callsheet.errors import SchemaError, UnknownAttribute
from callsheet.model.record import NOT_SET
from callsheet.model.schema import did_you_mean

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    M = TypeVar("M", default=Any)
else:
    from typing import TypeVar

    #: The class of the members; where it is not known, checkers take `Any`.
    M = TypeVar("M")

__all__ = ["Collection", "MappingView"]


class Collection(Generic[M]):
    """The entities at the other end of a relation, in the server's order, then those added here.

    Reading fetches the members when they are not loaded. ``append``, ``remove`` and the like record a
    change of membership; for a one-to-many relation that is a change of the members' reference.
    """

    __slots__ = ("added", "attribute", "owner", "remote", "removed")

    def __init__(self, owner: Any, attribute: str, remote: list[M] | None = None) -> None:
        self.owner = owner
        self.attribute = attribute
        self.remote = remote
        self.added: dict[M, None] = {}
        self.removed: dict[M, None] = {}

    @property
    def loaded(self) -> bool:
        """Whether the members on the server are known."""
        return self.remote is not None

    def _members(self) -> list[M]:
        if self.remote is None:
            self.owner._core.missing(self.owner, self.attribute)
        remote: list[M] = self.remote  # type: ignore[assignment]
        alive = self.owner._core.unit.is_alive
        members = [member for member in remote if member not in self.removed and alive(member)]
        if self.added:
            known = set(members)
            members += [member for member in self.added if member not in known and alive(member)]
        return members

    def __iter__(self) -> Iterator[M]:
        return iter(self._members())

    def __len__(self) -> int:
        return len(self._members())

    def __bool__(self) -> bool:
        return bool(self._members())

    def __contains__(self, entity: object) -> bool:
        if entity in self.added:
            return True
        return entity not in self.removed and entity in self._members()

    @overload
    def __getitem__(self, index: int) -> M: ...
    @overload
    def __getitem__(self, index: slice) -> list[M]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._members()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Collection | list | tuple):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        owner = f"{self.owner._name}.{self.attribute}"
        if self.remote is None:
            return f"<{owner}: not loaded, {len(self.added)} added, {len(self.removed)} removed>"
        return f"<{owner}: {self._members()!r}>"

    def _repr_html_(self) -> str:
        from callsheet.display import html_text
        from callsheet.entity.showing import members_html

        title = f"{self.owner._name}.{self.attribute}"
        if self.remote is None:
            return f"<p>{html_text(repr(self))}</p>"
        return members_html(title, self._members())

    def index(self, entity: M) -> int:
        """The place of a member; ValueError where it is none."""
        return self._members().index(entity)

    def append(self, entity: M) -> None:
        """Add a member; a member already stays where it is."""
        self.owner._core.unit.link(self.owner, self.attribute, entity, True)

    add = append

    def extend(self, entities: Iterable[M]) -> None:
        """Add several members."""
        for entity in list(entities):
            self.append(entity)

    def remove(self, entity: M) -> None:
        """End a membership; what is no member of a loaded collection gives a ValueError."""
        if self.remote is not None and entity not in self:
            raise ValueError(f"{entity!r} is not in {self.owner._name}.{self.attribute}")
        self.owner._core.unit.link(self.owner, self.attribute, entity, False)

    def discard(self, entity: M) -> None:
        """End a membership where there is one."""
        if self.remote is None or entity in self:
            self.owner._core.unit.link(self.owner, self.attribute, entity, False)

    def clear(self) -> None:
        """End all memberships (fetches them first)."""
        self.replace(())

    def replace(self, entities: Iterable[M]) -> None:
        """Make these the members: adds what is missing, removes what is too much."""
        if isinstance(entities, str | bytes | Mapping) or not isinstance(entities, Iterable):
            target = self.owner._type.attribute(self.attribute).target
            raise SchemaError(
                f"{self.owner._name}.{self.attribute} takes a list of entities of type {target}, "
                f"not {type(entities).__name__}: {entities!r:.80}"
            )
        wanted = dict.fromkeys(entities)
        for member in self._members():
            if member not in wanted:
                self.remove(member)
        for member in wanted:
            self.append(member)


class MappingView(MutableMapping[str, Any]):
    """The items of a mapping attribute (metadata, custom attributes) as a dict that records what is set.

    Setting an item needs no load and touches no other item. Deleting one, or setting None, removes it; a
    custom attribute that is not set has its configured default, or, where it is hierarchical, what the nearest
    entity above has.
    """

    __slots__ = ("_attribute", "_entity")

    def __init__(self, entity: Any, attribute: str) -> None:
        self._entity = entity
        self._attribute = attribute

    def _local(self) -> dict[str, Any]:
        changes = self._entity._changes
        if changes is None or not changes.items:
            return {}
        start = f"{self._attribute}."
        return {name[len(start) :]: value for name, value in changes.items.items() if name.startswith(start)}

    def _remote(self) -> dict[str, Any]:
        known = self._entity.peek(self._attribute)
        if known is NOT_SET:
            known = self._entity._core.missing(self._entity, self._attribute)
        return known or {}

    @property
    def _configured(self) -> dict[str, Any]:
        entity_type = self._entity._type
        return entity_type.custom if entity_type.attributes[self._attribute].data_type == "custom" else {}

    def __getitem__(self, key: str) -> Any:
        local = self._local()
        value = local[key] if key in local else self._remote().get(key)
        if value is not None:
            return value
        configured = self._configured.get(key)
        if configured is not None:
            return self._entity._core.inherited(self._entity, key) if configured.inherited else configured.default
        raise UnknownAttribute(f"{self._entity!r} has no {self._attribute} item `{key}`{did_you_mean(key, list(self))}")

    def __setitem__(self, key: str, value: Any) -> None:
        self._entity._core.unit.assign_item(self._entity, self._attribute, key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self._local() and self._remote().get(key) is None:
            raise UnknownAttribute(f"{self._entity!r} has no {self._attribute} item `{key}`")
        self._entity._core.unit.assign_item(self._entity, self._attribute, key, None)

    def __iter__(self) -> Iterator[str]:
        merged = {**dict.fromkeys(self._configured), **self._remote(), **self._local()}
        configured = self._configured
        return iter([str(key) for key, value in merged.items() if value is not None or key in configured])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _ipython_key_completions_(self) -> list[str]:
        known = self._entity.peek(self._attribute)
        return list(
            dict.fromkeys([*self._configured, *((known or {}) if known is not NOT_SET else {}), *self._local()])
        )

    def __repr__(self) -> str:
        if self._entity.peek(self._attribute) is NOT_SET:
            return f"<{self._entity._name}.{self._attribute}: not loaded, set here: {self._local()!r}>"
        # What is inherited is not shown: it might have to be fetched.
        known = {**self._remote(), **self._local()}
        plain = {key: item.default for key, item in self._configured.items() if not item.inherited}
        return repr({**plain, **{key: value for key, value in known.items() if value is not None}})
