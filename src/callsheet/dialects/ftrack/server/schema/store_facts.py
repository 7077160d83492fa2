"""What only the server needs to know of ftrack's types and relations, as tables: `store.toml`."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

from msgspec import Struct

from callsheet.dialects.ftrack.common.facts import FactNames, FactTable, facts_in
from callsheet.dialects.ftrack.common.wiring import shared

__all__ = ["Related", "StoreFacts", "store_facts"]


class Related(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of another type that name an entity by the attribute ``near``; ``name`` and ``value`` restrict them.

    With ``far`` the members are not the rows, but what the rows refer to by it.
    """

    entity_type: str
    near: str
    far: str | None = None
    name: str | None = None
    value: str | None = None


class StoreFacts(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The tables of ``store.toml``, as that file explains them; properties add the facts of both halves."""

    restricting: frozenset[str]
    joining: frozenset[str]
    administrative: frozenset[str]
    parts: FactNames
    made: FactNames
    indexed: frozenset[str]
    upwards: tuple[str, ...]
    acting_user: FactNames
    signed: FactNames
    first: FactNames
    now: frozenset[str]
    because: dict[str, str]
    extends: FactTable[str]
    views: FactTable[str]
    foreign_keys: FactTable[str]
    stored_as: FactTable[str]
    items: FactTable[str]
    rows: dict[str, Related]
    pointers: FactTable[str]
    link_ends: dict[str, str]
    needed: dict[str, str]
    loose: dict[str, list[str]]
    computed: FactTable[str]
    unique: dict[str, list[str]]
    marks: dict[str, dict[str, Any]]
    created: dict[str, dict[str, Any]]

    @cached_property
    def families(self) -> FactTable[str]:
        """By type, the type above it in the store."""
        return FactTable({**shared().extends.facts, **self.extends.facts})

    @cached_property
    def keys(self) -> FactTable[str]:
        """By reference, its foreign key in the store; empty where the schema has none."""
        return FactTable({**shared().foreign_keys.facts, **self.foreign_keys.facts})

    @cached_property
    def related(self) -> FactTable[Related]:
        """By collection, the rows that it is made of: those of ``rows``, and pairs of many-to-many relations."""
        pairs = {
            side: Related(through.entity_type, through.owner, through.member)
            for side, through in shared().through.items()
        }
        return FactTable({**self.rows, **pairs})

    @cached_property
    def orphans(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """Rows that name an entity by a text: their type, the attribute, and the families of what it names."""
        names = ((name.partition("."), tuple(families)) for name, families in self.loose.items())
        stated = [(kind, attribute, families) for (kind, _, attribute), families in names]
        ends = tuple(dict.fromkeys(map(self.root_of, self.link_ends.values())))
        return (*stated, *(("CustomAttributeLink", side, ends) for side in ("from_id", "to_id")))

    def rows_of(self, name: str) -> str:
        """The type whose rows a type stands for: itself, unless it is another name."""
        found = shared().views.of_type(name) or name
        return self.views.of_type(found) or found

    def root_of(self, name: str) -> str:
        """The oldest ancestor of a type, by the families of the documents."""
        above = self.families.of_type(name)
        return name if above is None else self.root_of(above)


@cache
def store_facts() -> StoreFacts:
    """The facts, read once."""
    return facts_in("store.toml", StoreFacts)
