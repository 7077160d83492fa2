"""Which type and attribute of an old schema each one of a new schema is: by its name, or by its former name."""

from __future__ import annotations

from functools import cached_property

from attrs import field, frozen

from callsheet.model.schema import Attribute, Schema
from callsheet.server.schemas.former_names import FormerNames
from callsheet.server.store.layout import stored

__all__ = ["Correspondence", "is_link", "renamed"]


def is_link(schema: Schema, attribute: Attribute) -> bool:
    """Whether the attribute is a many-to-many collection, which has a table of its own."""
    return attribute.kind == "collection" and not schema.is_one_to_many(attribute)


@frozen(eq=False, slots=False)
class Correspondence:
    """The old and the new schema, and what of the new one was what of the old one.

    A former name counts only while the database has it and not the new name: a file may keep it for good.

    >>> old = Schema({"types": {"Shot": {"attributes": {"name": {}}}}})
    >>> new = Schema({"types": {"Clip": {"attributes": {"title": {}}}}})
    >>> both = Correspondence(old, new, FormerNames({"Clip": "Shot"}, {("Clip", "title"): "name"}))
    >>> both.origins, both.sources["Clip", "title"], both.lost_types
    ({'Clip': 'Shot'}, 'name', [])
    """

    old: Schema
    new: Schema
    former: FormerNames = field(factory=FormerNames)

    @cached_property
    def origins(self) -> dict[str, str]:
        """The old type of each new type that had one."""
        found: dict[str, str] = {}
        for name in self.new.types:
            former = self.former.types.get(name, "")
            if name in self.old.types:
                found[name] = name
            elif former in self.old.types and former not in self.new.types:
                found[name] = former
        return found

    @cached_property
    def successors(self) -> dict[str, str]:
        """The new type of each old type that has one."""
        return {old: new for new, old in self.origins.items()}

    @property
    def lost_types(self) -> list[str]:
        """The old types that are gone."""
        return [name for name in self.old.types if name not in self.successors]

    @cached_property
    def sources(self) -> dict[tuple[str, str], str]:
        """The old name of each attribute of a new type that was there, inherited ones included."""
        found: dict[tuple[str, str], str] = {}
        for name, origin in self.origins.items():
            there, here = self.old.types[origin].attributes, self.new.types[name].attributes
            taken = {each for each in here if each in there}
            for attribute in here:
                source = attribute if attribute in there else self._former(name, attribute)
                if source in there and (source == attribute or source not in taken):
                    found[name, attribute] = source
                    taken.add(source)
        return found

    def _former(self, name: str, attribute: str) -> str:
        for above in (name, *self.new.types[name].ancestors):
            if (above, attribute) in self.former.attributes:
                return self.former.attributes[above, attribute]
        return ""

    @cached_property
    def names(self) -> dict[tuple[str, str], str]:
        """The new name of each attribute of an old type that has one, inherited ones included."""
        return {(self.origins[name], source): here for (name, here), source in self.sources.items()}

    def carried(self, name: str, attribute: str) -> Attribute | None:
        """The old attribute whose values the attribute of a new type gets; None if it begins empty."""
        source = self.sources.get((name, attribute))
        if source is None:
            return None
        here = self.new.types[name].attributes[attribute]
        there = self.old.types[self.origins[name]].attributes[source]
        if here.kind != there.kind:
            return None
        if here.kind == "collection":
            return there if is_link(self.new, here) and is_link(self.old, there) else None
        return there if stored(here) and stored(there) else None


def renamed(both: Correspondence, old_type: str | None, attribute: str) -> tuple[str, str] | None:
    """The new type and attribute of old ones; None if either is gone."""
    new_type = both.successors.get(old_type or "")
    name = both.names.get((old_type or "", attribute))
    return None if new_type is None or name is None else (new_type, name)
