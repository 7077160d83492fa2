"""The mapping, resolved against the schema: which attributes rows write, and how references are found.

Theory. The path of a target ends at a scalar; its first step says what is written. ``name`` writes a value,
``metadata.lens`` an item, ``status.name`` the reference ``status``: the entity of that name is looked up. Several
paths through one reference (``parent.name``, ``parent.project.name``) identify its entity together. A path through a
reference that the server computes (``project.name`` of a shot) writes nothing; as part of the key it finds entities.
All that is wrong with a mapping is reported at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from attrs import field, frozen

from callsheet.errors import QueryError, SchemaError, UsageError
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Path, Step
from callsheet.model.schema import Attribute, EntityType, Schema
from callsheet.sync.external import External

__all__ = ["Lookup", "RowLayout", "Target", "beside", "lay_out", "path_text"]


FOREIGN_ID = Attribute("foreign_id")


def path_text(path: Path) -> str:
    """The path as its user wrote it: ``parent.name``."""
    return ".".join(path.names)


@frozen
class Target:
    """One attribute path that rows give a value for.

    ``writes`` is the attribute that the value ends in: ``scalar`` (``name``), ``item`` (``metadata.lens``),
    ``items`` (``metadata``, all of it), ``reference``, ``members`` (a many-to-many collection), ``key`` (the primary
    key) or ``nothing`` (it only finds entities). ``cell`` describes the value itself: for ``status.name`` the name of a
    status.
    """

    path: Path
    writes: str
    attribute: Attribute
    cell: Attribute
    #: The path as it was written: `status_id` for what is `status.id`.
    text: str

    @property
    def name(self) -> str:
        """The name under which operations write it."""
        return path_text(self.path) if self.writes == "item" else self.attribute.name

    @property
    def held(self) -> Path:
        """The path of what the attribute holds: the value, or for a relation the entities themselves."""
        return self.path if self.writes in ("scalar", "item", "items") else Path((Step(self.attribute.name),))

    @property
    def rest(self) -> Path:
        """The path from the referenced entity on."""
        return Path(self.path.steps[1:])


@frozen
class Lookup:
    """A reference (or collection) and the paths by which its entities are found, as seen from these."""

    attribute: Attribute
    target_type: str
    targets: tuple[Target, ...]
    #: Where cells are ids of another system: which.
    external: External | None = None
    #: The paths of the targets as they were written.
    texts: tuple[str, ...] = field(init=False)

    @texts.default
    def _texts(self) -> tuple[str, ...]:
        return tuple(target.text for target in self.targets)

    @property
    def many(self) -> bool:
        """Whether it finds the members of a collection."""
        return self.attribute.kind == "collection"


@frozen
class RowLayout:
    """The layout of a plan's entity type: targets by path, the key, and the references to look up."""

    entity_type: EntityType
    targets: dict[str, Target]
    keys: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    #: The collections and mappings that keep what a row does not list.
    added_to: frozenset[str] = frozenset()

    @property
    def whole(self) -> tuple[str, ...]:
        """The mappings that rows give as a whole."""
        return tuple(each.attribute.name for each in self.targets.values() if each.writes == "items")

    @property
    def written(self) -> tuple[Target, ...]:
        """The targets that write, one for each attribute; several paths may lead through one reference."""
        writing = {each.name: each for each in self.targets.values() if each.writes not in ("nothing", "key")}
        return tuple(writing.values())


def lay_out(
    schema: Schema,
    type_name: str,
    targets: Iterable[str],
    key: Sequence[str],
    *,
    finding: Collection[str] = (),
    externals: Mapping[str, External] | None = None,
    beside: Mapping[str, Target] | None = None,
    added_to: Collection[str] = (),
) -> RowLayout:
    """The layout; `UsageError` lists everything that is wrong. Without a key it says what is written to any entity.

    ``finding`` are paths that find entities though they are not in the key, ``externals`` those whose cells are ids of
    another system. ``beside`` are targets that are no attributes, ``added_to`` those that keep what is not listed.
    """
    externals = externals or {}
    entity_type = schema.type(type_name)
    problems: list[str] = []
    found: dict[str, Target] = {}
    for text in targets:
        try:
            target = _external(entity_type, text) if text in externals else _target(schema, entity_type, text)
        except (SchemaError, QueryError) as error:
            problems.append(str(error))
            continue
        if any(_overlap(target, each) for each in found.values()):
            problems.append(f"`{text}` gets two values")
        if text in added_to and target.writes not in ("members", "items"):
            problems.append(f"`{text}` is neither a collection nor a mapping as a whole, and has no `members`")
        found[text] = target
    found |= beside or {}
    problems += _key_problems(found, key)
    problems += [
        f"`{text}`, which finds entities, gets no value from the rows" for text in finding if text not in found
    ]
    problems += [
        f"{type_name}.{text} is computed by the server and cannot be written"
        for text, target in found.items()
        if text not in (*key, *finding, *(beside or ()))
        and (target.writes == "nothing" or (target.writes == "key" and not key))
    ]
    if problems:
        raise UsageError(f"the mapping to {type_name} cannot be used: {'; '.join(problems)}")
    kept = frozenset(found[text].attribute.name for text in added_to)
    return RowLayout(entity_type, found, tuple(key), _lookups(found, externals), kept)


def _overlap(one: Target, other: Target) -> bool:
    """Whether two targets write the same; a mapping as a whole contains each of its items."""
    if one.writes.startswith("item") and other.writes.startswith("item") and one.writes != other.writes:
        return one.attribute.name == other.attribute.name
    return one.path == other.path


def _key_problems(found: dict[str, Target], key: Sequence[str]) -> list[str]:
    problems = [f"the key `{text}` gets no value from the rows" for text in key if text not in found]
    return problems + [
        f"the key `{text}` is {wrong}" for text in key if text in found and (wrong := _no_key(found[text]))
    ]


def _no_key(target: Target) -> str:
    """Why a target cannot identify entities; empty if it can."""
    if target.writes == "members":
        return "a collection"
    if target.writes == "items":
        return "a mapping"
    return "JSON data, which is not compared" if target.cell.data_type == "json" else ""


def _target(schema: Schema, entity_type: EntityType, text: str) -> Target:
    path = parse_path(text)
    first, *rest = path.steps
    if first.cast:
        raise SchemaError(f"`{text}`: a cast cannot be written to")
    attribute = entity_type.attribute(first.name)
    if attribute.kind == "mapping":
        if not rest:
            return Target(path, "nothing" if attribute.computed else "items", attribute, attribute, text)
        if len(rest) != 1:
            raise SchemaError(f"`{text}` names no single item: write `{first.name}.<key>`")
        return Target(path, "item", attribute, entity_type.item(attribute.name, rest[0].name), text)
    if attribute.kind == "scalar":
        if rest:
            raise SchemaError(f"{entity_type.name}.{first.name} is a value and has no `{rest[0].name}`")
        return Target(path, _written(entity_type, attribute), attribute, attribute, text)
    target_type = schema.types[str(attribute.target)]
    if first.name in entity_type.aliases:
        path = Path((Step(attribute.name), Step(target_type.key[0])))
    elif not rest:
        path = Path((*path.steps, Step(target_type.label)))
    cell = _cell(schema, target_type, path.steps[1:])
    if attribute.kind == "reference":
        return Target(path, "nothing" if attribute.computed else "reference", attribute, cell, text)
    if schema.is_one_to_many(attribute):
        other = f"{target_type.name}.{attribute.inverse}"
        raise SchemaError(f"{entity_type.name}.{attribute.name} is written from its other side: {other}")
    return Target(path, "members", attribute, cell, text)


def _written(entity_type: EntityType, attribute: Attribute) -> str:
    if attribute.name in entity_type.key:
        return "key"
    return "nothing" if attribute.computed else "scalar"


def _cell(schema: Schema, entity_type: EntityType, steps: Sequence[Step]) -> Attribute:
    """The attribute at the end of a path that leads through references."""
    first, *rest = steps
    attribute = entity_type.attribute(first.name)
    if attribute.kind == "mapping" and len(rest) == 1:
        return entity_type.item(attribute.name, rest[0].name)
    if attribute.kind == "reference" and rest:
        return _cell(schema, schema.types[first.cast or str(attribute.target)], rest)
    if attribute.kind == "scalar" and not rest:
        return attribute
    raise SchemaError(f"`{'.'.join(step.name for step in steps)}` of {entity_type.name} does not end at a value")


def _external(entity_type: EntityType, text: str) -> Target:
    """A reference or collection whose cells are ids of another system."""
    attribute = entity_type.attribute(text)
    if attribute.kind not in ("reference", "collection") or attribute.computed:
        raise SchemaError(f"{entity_type.name}.{text} is no reference that can be written; external ids name entities")
    writes = "reference" if attribute.kind == "reference" else "members"
    return Target(Path((Step(text), Step("foreign_id"))), writes, attribute, FOREIGN_ID, text)


def _lookups(targets: dict[str, Target], externals: Mapping[str, External]) -> tuple[Lookup, ...]:
    grouped: dict[str, list[Target]] = {}
    for target in targets.values():
        if target.writes in ("reference", "members"):
            grouped.setdefault(target.attribute.name, []).append(target)
    return tuple(
        Lookup(group[0].attribute, str(group[0].attribute.target), tuple(group), externals.get(group[0].text))
        for group in grouped.values()
    )


def beside(text: str, data_type: str) -> Target:
    """A target of cells that no attribute holds: ids of another system, times of changes."""
    attribute = Attribute(text, "scalar", data_type)
    return Target(Path((Step(text),)), "nothing", attribute, attribute, text)
