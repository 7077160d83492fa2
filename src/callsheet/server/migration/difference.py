"""What differs between two schemas, as data: types and attributes that come, go, get other names or other rules.

Pure: no rows are read. A change that a type only inherits is given once, at the type where it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import field, fields, frozen

from callsheet.model.schema import Attribute, EntityType
from callsheet.server.migration.correspondence import Correspondence

__all__ = ["Action", "SchemaChange", "difference"]

Action = Literal["add", "drop", "rename", "change"]

_WORDS = {"data_type": "type", "parent": "extends", "composed": "names"}
_ATTRIBUTE = [each.name for each in fields(Attribute) if each.name not in ("name", "zone")]
_TYPE = (
    "parent", "abstract", "label", "key", "unique", "distinct", "composed", "description", "administrative",
    "singular", "plural", "belongs_to", "codes",
)  # fmt: skip


@frozen
class SchemaChange:
    """One change. ``entity_type`` and ``attribute`` are the new names, of what is dropped the old ones.

    Without an attribute it is one of a type, without a type one of the whole document; an item of ``custom`` is
    ``custom.NAME``. ``was`` is the former name of what is renamed. ``facts`` has, by key, what was and what is.
    """

    action: Action
    entity_type: str | None = None
    attribute: str | None = None
    was: str | None = None
    facts: Mapping[str, tuple[Any, Any]] = field(factory=dict)

    @property
    def place(self) -> str:
        """What it is a change of, as text."""
        if self.entity_type is None:
            return "the schema"
        return self.entity_type if self.attribute is None else f"{self.entity_type}.{self.attribute}"


def difference(both: Correspondence) -> list[SchemaChange]:
    """All changes, in the order of the new schema; those of what is dropped come last.

    >>> from callsheet.model.schema import Schema
    >>> old = Schema({"types": {"Dot": {"attributes": {"x": {"type": "integer"}}}}})
    >>> new = Schema({"types": {"Dot": {"attributes": {"x": {"type": "number"}, "y": {"type": "number"}}}}})
    >>> for change in difference(Correspondence(old, new)):
    ...     print(change.action, change.place, dict(change.facts))
    change Dot.x {'type': ('integer', 'number')}
    add Dot.y {'type': (None, 'number')}
    """
    if both.old.hash == both.new.hash:
        return []
    found = list(_document(both))
    for name in both.new.types:
        found += _type(both, name)
    for name, origin in both.origins.items():
        found += _lost(both, name, origin)
    found += [SchemaChange("drop", name) for name in both.lost_types]
    # Such as an attribute that is described where it was inherited, or the other way round.
    return found or [SchemaChange("change", facts={"document": ("as it was", "described in another way")})]


def _document(both: Correspondence) -> Iterator[SchemaChange]:
    old, new = both.old.document, both.new.document
    keys = [key for key in {**old, **new} if key != "types" and old.get(key) != new.get(key)]
    if keys:
        yield SchemaChange("change", facts={key: (_short(old.get(key)), _short(new.get(key))) for key in keys})


def _short(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else "…"


def _type(both: Correspondence, name: str) -> Iterator[SchemaChange]:
    here, origin = both.new.types[name], both.origins.get(name)
    if origin is None:
        yield SchemaChange("add", name, facts={"extends": (None, here.parent)} if here.parent else {})
        return
    there = both.old.types[origin]
    facts = _facts(_TYPE, _in_new_names(both, there, here), here, _of_above(both, here))
    if origin != name:
        yield SchemaChange("rename", name, was=origin, facts=facts)
    elif facts:
        yield SchemaChange("change", name, facts=facts)
    for attribute in here.attributes:
        change = _attribute(both, name, attribute)
        if change is not None and change != _inherited(both, here, attribute):
            yield change
    yield from _custom(both, here, there)


def _in_new_names(both: Correspondence, there: EntityType, here: EntityType) -> dict[str, Any]:
    """The facts of an old type, with the names that they have in the new schema."""
    facts = {name: getattr(there, name) for name in _TYPE}
    facts["parent"] = both.successors.get(there.parent or "", there.parent)

    def name(attribute: str) -> str:
        return both.names.get((there.name, attribute), attribute)

    for key in ("unique", "distinct"):
        facts[key] = tuple(tuple(name(each) for each in group) for group in facts[key])
    facts["composed"] = tuple(name(each) for each in facts["composed"])
    facts["codes"] = {name(key): dict(value) for key, value in there.codes.items()}
    if facts["belongs_to"] is not None:
        facts["belongs_to"] = name(facts["belongs_to"])
    if facts["label"] != here.label:
        # A label that nobody stated is `name`, whatever attributes there are.
        facts["label"] = name(facts["label"])
    return facts


def _facts(
    names: tuple[str, ...] | list[str], before: Mapping[str, Any], after: Any, above: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """What is other than it was, without what is so in the same way in the type above."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in names:
        is_now = getattr(after, name)
        if before[name] != is_now and above.get(name) != (before[name], is_now):
            found[_WORDS.get(name, name)] = (before[name], is_now)
    return found


def _of_above(both: Correspondence, here: EntityType) -> dict[str, Any]:
    """The facts of the type above that a type inherits: what they were and what they are."""
    origin = both.origins.get(here.parent or "")
    if here.parent is None or origin is None:
        return {}
    above = both.new.types[here.parent]
    was = _in_new_names(both, both.old.types[origin], above)
    return {name: (was[name], getattr(above, name)) for name in _TYPE if name not in ("parent", "abstract")}


def _attribute(both: Correspondence, name: str, attribute: str) -> SchemaChange | None:
    """What changed of an attribute of a type, whichever type describes it; without the type's name."""
    here, source = both.new.types[name].attributes[attribute], both.sources.get((name, attribute))
    if source is None:
        facts = {"type": (None, here.data_type if here.kind == "scalar" else here.kind)}
        facts |= {"target": (None, here.target)} if here.target else {}
        facts |= {key: (None, getattr(here, key)) for key in ("required", "unique") if getattr(here, key)}
        facts |= {"default": (None, here.default)} if here.default is not None else {}
        return SchemaChange("add", name, attribute, facts=facts)
    there = both.old.types[both.origins[name]].attributes[source]
    before = {key: getattr(there, key) for key in _ATTRIBUTE}
    before["target"] = both.successors.get(there.target or "", there.target)
    if there.inverse is not None and there.target is not None:
        before["inverse"] = both.names.get((there.target, there.inverse), there.inverse)
    if source != attribute and there.foreign_key == f"{source}_id":
        before["foreign_key"] = f"{attribute}_id"
    facts = _facts(_ATTRIBUTE, before, here, {})
    if source != attribute:
        return SchemaChange("rename", name, attribute, was=source, facts=facts)
    return SchemaChange("change", name, attribute, facts=facts) if facts else None


def _inherited(both: Correspondence, here: EntityType, attribute: str) -> SchemaChange | None:
    """The same change of the type above, as one of this type; None if that is not in the type above."""
    above = here.parent
    if above is None or above not in both.origins or attribute not in both.new.types[above].attributes:
        return None
    found = _attribute(both, above, attribute)
    return None if found is None else SchemaChange(found.action, here.name, attribute, found.was, found.facts)


def _custom(both: Correspondence, here: EntityType, there: EntityType) -> Iterator[SchemaChange]:
    """Changes of the items of ``custom`` that a type describes itself."""
    before = both.old.document["types"][there.name].get("custom", {})
    after = both.new.document["types"][here.name].get("custom", {})
    former = {name: both.former.attributes.get((here.name, f"custom.{name}"), "") for name in after}
    used = set()
    for name, described in after.items():
        was = name if name in before else former[name]
        used.add(was)
        if was not in before:
            yield SchemaChange(
                "add", here.name, f"custom.{name}", facts={"type": (None, described.get("type", "string"))}
            )
            continue
        keys = [key for key in {**before[was], **described} if before[was].get(key) != described.get(key)]
        facts = {key: (before[was].get(key), described.get(key)) for key in keys}
        if was != name:
            yield SchemaChange("rename", here.name, f"custom.{name}", was, facts)
        elif facts:
            yield SchemaChange("change", here.name, f"custom.{name}", facts=facts)
    for name in before:
        if name not in used:
            yield SchemaChange("drop", here.name, f"custom.{name}")


def _lost(both: Correspondence, name: str, origin: str) -> Iterator[SchemaChange]:
    """The attributes that a type lost, without those that the type above it lost too."""
    there = both.old.types[origin]
    for attribute in there.attributes:
        if (origin, attribute) in both.names:
            continue
        above = there.parent
        gone = above in both.successors and (above, attribute) not in both.names
        if gone and attribute in both.old.types[str(above)].attributes:
            continue
        yield SchemaChange("drop", name, attribute)
