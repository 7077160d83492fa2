"""Copies a project from one server to another, with its keys; run again after an interruption, it continues.

Theory. Entities keep their keys, so a query finds what the copy already has, and no state is stored between runs.
Entities are created in rounds: one whose references are not in the copy yet waits for the next round. Those that wait
for each other are created without their optional references; these, and members of many-to-many collections, are set
in a last pass. References to entities that cannot be read (deleted, or hidden from the account) stay empty, and are
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field

from callsheet.batch.belonging import Belongings, belongings, is_passed_over
from callsheet.errors import CommitError, NoResult, SchemaError, ServerError, TransportError, Unavailable, UsageError
from callsheet.model.query import Comparison, Path, Select
from callsheet.model.record import NOT_SET
from callsheet.model.schema import Attribute, EntityType, Schema
from callsheet.session.blocking import Session

__all__ = ["Copied", "clone"]

BACK = frozenset(("parent_id", "entity_id", "from_id", "to_id"))
"""Keys by which rows refer back to what they belong to, where the schema does not call them references."""

BATCH = 400
"""Entities read and written at once; a server may take fewer keys in one query."""

Progress = Callable[[str, int, int], None]
"""Called with a family's name, the number of its entities that are done, and their total."""


@define
class Copied:
    """What a run did: how many entities of each family were made, and how many were there before it.

    ``empty`` counts references that stayed empty because nothing readable was behind them, ``refused`` names the
    entities that the copy did not take, with the reason.
    """

    made: dict[str, int] = field(factory=dict)
    there: dict[str, int] = field(factory=dict)
    empty: int = 0
    refused: dict[tuple[str, Any], str] = field(factory=dict)


def clone(source: Session, target: Session, project: str, progress: Progress = lambda *_: None) -> Copied:
    """Copy a project, found by its name or key, and all that belongs to it.

    ``target`` serves the same schema as ``source``. Raises `NoResult` where there is no such project, and
    `UsageError` where the schemas have none.
    """
    if "Project" not in source.schema.types:
        raise UsageError(f"the server's schema ({source.schema.name}) has no projects to copy")
    missing = sorted(set(source.schema.types) - set(target.schema.types))
    if missing:
        raise UsageError(f"the copy has another schema: it lacks {', '.join(missing[:5])}")
    found = _project(source, project)
    with source.fork() as fork, fork.auto_populating(False):
        most = min(BATCH, source.features.literals)
        tree = belongings(source.schema, lambda select: fork.select(select).all(), "Project", found.identity.key, most)
    return _Copy(source, target, tree, progress).run()


def _project(source: Session, name: str) -> Any:
    found = source.query("Project").where(name=name).first()
    if found is None:
        with suppress(ServerError, SchemaError):
            found = source.get("Project", name)
    if found is None:
        raise NoResult(f"the server has no project with the name or key `{name}` that this account may read")
    return found


class _Copy:
    """One run."""

    def __init__(self, source: Session, target: Session, tree: Belongings, progress: Progress) -> None:
        self.source, self.target, self.tree, self.progress = source, target, tree, progress
        self.copied = Copied()
        self.present: dict[str, set[Any]] = {}
        self.members: list[Any] = []
        self.size = min(BATCH, source.features.literals, target.features.literals)

    def run(self) -> Copied:
        waiting = {family: keys for family in self.tree.families() if (keys := self._absent(family))}
        patient = True
        while waiting:
            left = {family: rest for family, keys in waiting.items() if (rest := self._make(family, keys, patient))}
            # Custom attributes that were configured just now can be written from here on.
            self.target.reload_schema()
            if left == waiting and not patient:
                self._give_up(left)
                break
            # Those that wait for each other are made without what they can be without.
            waiting, patient = left, left != waiting
        for family in self.tree.families():
            self._complete(family)
        self.target.reload_schema()
        return self.copied

    def _absent(self, family: str) -> list[Any]:
        """The keys of a family that the copy does not hold."""
        keys = self.tree.keys(family)
        entity_type = self.target.schema.types[family]
        there = {entity.identity.key for entity in _with_keys(self.target.fork(), entity_type, keys, self.size)}
        self.present[family] = there & set(keys)
        self.copied.there[family] = len(self.present[family])
        return [key for key in keys if key not in there]

    def _make(self, family: str, keys: list[Any], patient: bool) -> list[Any]:
        """Create what can be; the keys of what has to wait, where ``patient``, for all that is to come."""
        left: list[Any] = []
        for entities in self._read(family, keys):
            with self.target.fork() as writing:
                made: dict[Any, tuple[str, dict[str, Any]]] = {}
                for entity in _parents_first(entities):
                    values = self._values(writing, entity, patient)
                    if values is None:
                        left.append(entity.identity.key)
                        continue
                    try:
                        writing.create(entity.entity_type, values)
                    except SchemaError as error:
                        # A server may hold a value that its own schema does not allow.
                        self.copied.refused[(family, entity.identity.key)] = str(error)
                        continue
                    made[entity.identity.key] = (entity.entity_type, values)
                    self.present[family].add(entity.identity.key)
                self._commit(writing, family, made)
            self.progress(family, len(self.present[family]), len(self.tree.keys(family)))
        return left

    def _commit(self, writing: Session, family: str, made: dict[Any, tuple[str, dict[str, Any]]]) -> None:
        try:
            writing.commit()
        except (CommitError, ServerError) as error:
            if isinstance(error.__cause__, TransportError) or isinstance(error, Unavailable):
                raise
            self.present[family].difference_update(made)
            if len(made) == 1:
                self.copied.refused |= {(family, key): str(error) for key in made}
            else:
                self._one_by_one(family, made)
        else:
            self.copied.made[family] = self.copied.made.get(family, 0) + len(made)

    def _one_by_one(self, family: str, made: dict[Any, tuple[str, dict[str, Any]]]) -> None:
        """Commit the creates one by one, so that a refused one does not stop the others."""
        for key, (entity_type, values) in made.items():
            with self.target.fork() as writing:
                writing.create(entity_type, values)
                self.present[family].add(key)
                self._commit(writing, family, {key: (entity_type, values)})

    def _values(self, writing: Session, entity: Any, patient: bool) -> dict[str, Any] | None:
        """What to create an entity with; None while something it has to wait for is not in the copy."""
        values: dict[str, Any] = {}
        for attribute in _type_of(entity).attributes.values():
            value = entity.peek(attribute.name)
            if value is NOT_SET or value is None or attribute.computed or attribute.kind == "collection":
                continue
            if attribute.kind == "mapping":
                values[attribute.name] = self._items(entity.entity_type, attribute, value)
            elif attribute.kind == "scalar":
                values[attribute.name] = value
            elif self._is_here(value):
                _refer(writing, values, attribute, value)
            elif self.tree.has(*_place(value)) and (patient or attribute.required or attribute.immutable):
                return None
        return values

    def _items(self, type_name: str, attribute: Attribute, value: Any) -> dict[str, Any]:
        """The items of a mapping whose attributes exist in the copy; the others are set in the last pass."""
        known = None if attribute.data_type != "custom" else self.target.schema.types[type_name].custom
        return {key: held for key, held in dict(value).items() if held is not None and (known is None or key in known)}

    def _is_here(self, value: Any) -> bool:
        family, key = _place(value)
        return key in self.present.get(family, ())

    def _read(self, family: str, keys: Sequence[Any], links: bool = False) -> Iterator[list[Any]]:
        """Entities with all their values, in batches; with the members of many-to-many collections, if requested."""
        entity_type = self.source.schema.types[family]
        for start in range(0, len(keys), self.size):
            chosen = keys[start : start + self.size]
            with self.source.fork() as fork, fork.auto_populating(False):
                found = list(_with_keys(fork, entity_type, chosen, self.size))
                for concrete, mine in _by_type(found).items():
                    more = _links(self.source.schema, concrete) if links else []
                    fork.populate(mine, ", ".join([*_readable(concrete), *more]))
                yield found

    def _complete(self, family: str) -> None:
        """Set what could not be set when the entities were made."""
        keys = [key for key in self.tree.keys(family) if key in self.present.get(family, ())]
        entity_type = self.source.schema.types[family]
        for entities in self._read(family, keys, links=True) if len(entity_type.key) == 1 else ():
            with self.target.fork() as writing, writing.auto_populating(False):
                there = {entity.identity.key: entity for entity in self._copies(writing, entity_type, entities)}
                for entity in entities:
                    if entity.identity.key not in there:
                        continue
                    try:
                        self._complete_one(entity, there[entity.identity.key])
                    except SchemaError as error:
                        self.copied.refused[(family, entity.identity.key)] = str(error)
                writing.commit()

    def _copies(self, writing: Session, entity_type: EntityType, entities: list[Any]) -> list[Any]:
        keys = [entity.identity.key for entity in entities]
        found = list(_with_keys(writing, entity_type, keys, self.size))
        for concrete, mine in _by_type(found).items():
            writing.populate(mine, ", ".join([*_readable(concrete), *_links(writing.schema, concrete)]))
        # Held until it is committed: found in memory, the members need no request each.
        self.members = [member for entity in entities for member in self._members(writing, entity)]
        return found

    def _members(self, writing: Session, entity: Any) -> Iterator[Any]:
        """The copies of the members of an entity's many-to-many collections."""
        members = [member for name in _links(self.source.schema, _type_of(entity)) for member in entity[name]]
        for concrete, mine in _by_type(members).items():
            wanted = [member.identity.key for member in mine if self._is_here(member)]
            yield from _with_keys(writing, concrete, wanted, self.size)

    def _complete_one(self, entity: Any, copy: Any) -> None:
        for attribute in _type_of(entity).attributes.values():
            value = entity.peek(attribute.name)
            if value is NOT_SET or value is None or attribute.computed or attribute.kind == "scalar":
                continue
            if attribute.kind == "reference":
                self._complete_reference(copy, attribute, value)
            elif attribute.kind == "mapping":
                held = dict(copy[attribute.name])
                for key, item in self._items(entity.entity_type, attribute, value).items():
                    if held.get(key) is None:
                        copy[attribute.name][key] = item
            elif attribute.name in _links(self.source.schema, _type_of(entity)):
                self._complete_members(copy, attribute, value)

    def _complete_reference(self, copy: Any, attribute: Attribute, value: Any) -> None:
        if copy.peek(attribute.name):
            return
        if self._is_here(value) and not attribute.immutable:
            _refer(copy.session, copy, attribute, value)
        else:
            self.copied.empty += 1

    def _complete_members(self, copy: Any, attribute: Attribute, value: Any) -> None:
        known = {member.identity.key for member in copy[attribute.name]}
        for member in value:
            if member.identity.key not in known and self._is_here(member):
                copy[attribute.name].append(copy.session.get(member.entity_type, member.identity.key))

    def _give_up(self, left: dict[str, list[Any]]) -> None:
        for family, keys in left.items():
            for key in keys:
                self.copied.refused[(family, key)] = "something it cannot be without is not in the copy"


def _with_keys(session: Session, entity_type: EntityType, keys: Sequence[Any], size: int) -> Iterator[Any]:
    """The entities of these keys; of a composite one, those whose first part is among them, and no others."""
    names, wanted = entity_type.key, set(keys)
    first = keys if len(names) == 1 else list(dict.fromkeys(key[0] for key in keys))
    projections = tuple(map(Path.of, names))
    for start in range(0, len(first), size):
        chosen = Comparison(Path.of(names[0]), "in", tuple(first[start : start + size]))
        for entity in session.select(Select(entity_type.name, projections, chosen)).all():
            if entity.identity.key in wanted:
                yield entity


def _refer(session: Session, values: Any, attribute: Attribute, value: Any) -> None:
    """Set a reference by its key, or where the schema has no name for that, by the entity."""
    if attribute.foreign_key:
        values[attribute.foreign_key] = value.identity.key
    else:
        values[attribute.name] = session.get(value.entity_type, value.identity.key)


def _type_of(entity: Any) -> EntityType:
    found: EntityType = entity.session.schema.types[entity.entity_type]
    return found


def _place(entity: Any) -> tuple[str, Any]:
    return _type_of(entity).root, entity.identity.key


def _by_type(entities: list[Any]) -> dict[EntityType, list[Any]]:
    """Entities by concrete type."""
    found: dict[EntityType, list[Any]] = {}
    for entity in entities:
        found.setdefault(_type_of(entity), []).append(entity)
    return found


def _links(schema: Schema, entity_type: EntityType) -> list[str]:
    """Collections whose members do not refer back, so that only the collection has the relation."""
    return [
        attribute.name
        for attribute in entity_type.attributes.values()
        if attribute.kind == "collection" and not attribute.computed and _is_link(schema, entity_type, attribute)
    ]


def _is_link(schema: Schema, entity_type: EntityType, attribute: Attribute) -> bool:
    target = schema.types[str(attribute.target)]
    if is_passed_over(target.name) or BACK & target.attributes.keys():
        return False
    if attribute.inverse is not None:
        return not schema.is_one_to_many(attribute)
    owner = entity_type.root
    return all(schema.types[str(a.target)].root != owner for a in target.attributes.values() if a.kind == "reference")


def _readable(entity_type: EntityType) -> list[str]:
    """What is copied of a type: all but collections and what the server works out."""
    return [a.name for a in entity_type.attributes.values() if a.kind != "collection" and not a.computed]


def _parents_first(entities: list[Any]) -> list[Any]:
    """The entities in an order in which none comes before one it refers to."""
    known = {(_type_of(entity).root, entity.identity.key): entity for entity in entities}
    ordered: dict[int, Any] = {}

    def add(entity: Any, above: frozenset[int]) -> None:
        if id(entity) in ordered or id(entity) in above:
            return
        for attribute in _type_of(entity).attributes.values():
            value = entity.peek(attribute.name) if attribute.kind == "reference" else None
            before = known.get((_type_of(value).root, value.identity.key)) if value else None
            if before is not None:
                add(before, above | {id(entity)})
        ordered[id(entity)] = entity

    for entity in entities:
        add(entity, frozenset())
    return list(ordered.values())
