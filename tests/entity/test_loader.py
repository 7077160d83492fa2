"""The generated loader merges rows exactly as its plain twin does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.dialects.protocol import Description
from callsheet.entity.loader import merge_records
from callsheet.entity.peers import Peers
from callsheet.errors import CallsheetError, Unavailable
from callsheet.model.query import Select
from callsheet.model.record import NOT_SET, Page, Records
from callsheet.model.schema import Schema
from callsheet.session.connection import over
from entity.plain_loader import held, merge_plainly

TYPES = {"Place": None, "Room": "Place", "Hall": "Room", "Thing": None}
"""Two families, one of them three types deep."""
ROOTS = ("Place", "Thing")
KEYS = ("a", "b", "c", "d")
WORDS = ("name", "class", "v0", "entity", "slot", "rows", "peek", "key", "Class", "find")
"""Names of attributes: some are Python's, some an entity's own, some the generated code's."""
JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), lambda part: (
    st.lists(part, max_size=2) | st.dictionaries(st.sampled_from("xy"), part, max_size=2)
), max_leaves=4)  # fmt: skip
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.none() | st.text(max_size=3),
    "integer": st.none() | st.integers(-9, 9),
    "number": st.none() | st.floats(-9, 9),
    "boolean": st.none() | st.booleans(),
    "date": st.none() | st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    "datetime": st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    "json": JSON,
}
VERSIONS = st.none() | st.integers(1, 9)
Step = tuple[Any, ...]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Scalars of all types anywhere; references and collections between any two types."""
    types: dict[str, Any] = {name: {"attributes": {}} for name in TYPES}
    for name, parent in TYPES.items():
        types[name] |= {} if parent is None else {"extends": parent}
    types["Place"]["abstract"] = draw(st.booleans())
    for word in draw(st.lists(st.sampled_from(WORDS), unique=True, max_size=6)):
        kind = draw(st.sampled_from(sorted(SCALARS)))
        types[draw(st.sampled_from(list(TYPES)))]["attributes"][word] = {"type": kind}
    for number in range(draw(st.integers(0, 4))):
        near, far = (draw(st.sampled_from(list(TYPES))) for _ in range(2))
        types[near]["attributes"][f"reference{number}"] = {"type": "reference", "target": far}
        if draw(st.booleans()):
            mirror = {"type": "collection", "target": near, "inverse": f"reference{number}"}
            types[far]["attributes"][f"members{number}"] = mirror
        if draw(st.booleans()):
            types[near]["attributes"][f"linked{number}"] = {"type": "collection", "target": far}
    return Schema({"name": "random", "types": types})


def concrete(schema: Schema) -> list[str]:
    return [name for name, found in schema.types.items() if not found.abstract]


@st.composite
def ends(draw: st.DrawFn, schema: Schema, target: str) -> Any:
    """What a row holds of another entity: its key, with its type where there are several."""
    key = draw(st.sampled_from(KEYS))
    below = [name for name in schema.types if schema.is_a(name, target)]
    return (draw(st.sampled_from(below)), key) if schema.polymorphic(target) else key


def values(schema: Schema, attribute: Any) -> st.SearchStrategy[Any]:
    if attribute.kind == "reference":
        return st.none() | ends(schema, attribute.target)
    if attribute.kind == "collection":
        return st.none() | st.lists(ends(schema, attribute.target), max_size=3)
    return SCALARS[attribute.data_type]


@st.composite
def blocks(draw: st.DrawFn, schema: Schema) -> Records:
    """Rows of one type, with some of its attributes in any order; a key may come twice."""
    name = draw(st.sampled_from(concrete(schema)))
    attributes = {each: found for each, found in schema.types[name].attributes.items() if each != "id"}
    chosen = draw(st.lists(st.sampled_from(sorted(attributes)), unique=True)) if attributes else []
    told = [values(schema, attributes[each]) for each in chosen]
    rows = draw(st.lists(st.tuples(st.sampled_from(KEYS), VERSIONS, *told), min_size=1, max_size=4))
    return Records(name, tuple(chosen), rows)


@st.composite
def changes(draw: st.DrawFn, schema: Schema) -> Step:
    """Something done here: to the entity of a key of one of the families, or in an attribute of it."""
    root, key = draw(st.sampled_from(ROOTS)), draw(st.sampled_from(KEYS))
    kind = draw(st.sampled_from(["set", "set", "refer", "add", "remove", "delete", "create", "rollback"]))
    names = sorted({each for found in schema.types.values() for each in found.attributes})
    name = draw(st.sampled_from(names)) if names else ""
    value = draw(st.one_of(*SCALARS.values())) if kind == "set" else draw(st.sampled_from(KEYS))
    made = draw(st.sampled_from(concrete(schema)))
    return kind, root, key, name, value, made


@st.composite
def stories(draw: st.DrawFn) -> tuple[Schema, list[Any]]:
    """A schema, and what happens: blocks come, and things are done here."""
    schema = draw(schemas())
    steps = st.lists(st.one_of(blocks(schema), blocks(schema), changes(schema)), min_size=1, max_size=8)
    return schema, draw(steps)


class Describing:
    """A backend that says what its schema is and has no rows to read."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def describe(self, known_hash: str) -> Description:
        return Description("tests", "1", datetime(2026, 1, 1, tzinfo=UTC), self.schema.hash, self.schema)

    def select(self, select: Select, size: int, cursor: str | None) -> Page:
        raise Unavailable("nothing is read here")


class Holding(dict[Any, Any]):
    """A family's slots that keep their entities alive, so that Python's collector decides nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def __setitem__(self, key: Any, slot: Any) -> None:
        self.kept.append(slot())
        super().__setitem__(key, slot)


class Reader:
    """A session whose blocks are merged by one of the two loaders."""

    def __init__(self, schema: Schema, merge: Callable[..., list[Any]]) -> None:
        self.session: Any = Session(connection=over(Describing(schema)), auto_populate=False)
        self.session.open()
        self.merge = merge
        for root in ROOTS:
            self.session.identities.family(root).slots = Holding()
        self.peers: list[Peers] = []

    def live(self, root: str, key: str) -> Any:
        return self.session.identities.family(root).get(key)

    def step(self, step: Any) -> list[Any]:
        """Does a step; what can be seen then."""
        if isinstance(step, Records):
            self.peers.append(Peers(self.session.schema.types[step.entity_type].root))
            found = self.merge(step, self.session, self.session.types, self.peers[-1])
            return [_named(entity) for entity in found] + self.seen()
        try:
            self.change(*step)
        except CallsheetError as error:
            return [type(error).__name__, str(error), *self.seen()]
        return self.seen()

    def change(self, kind: str, root: str, key: str, name: str, value: Any, made: str) -> None:
        entity = self.live(root, key)
        if kind == "rollback":
            self.session.rollback()
        elif kind == "create":
            self.session.create(made, {"id": f"new {key}"})
        elif entity is None:
            return
        elif kind == "delete":
            self.session.delete(entity)
        elif kind == "set":
            if name not in entity._type.attributes or entity._type.attributes[name].kind == "scalar":
                entity[name] = value
        elif kind == "refer":
            entity[name] = self.live("Place", value) or self.live("Thing", value)
        else:
            other = self.live("Place", value) or self.live("Thing", value)
            attribute = entity._type.attributes.get(name)
            if attribute is not None and attribute.kind == "collection" and other is not None:
                collection = self.session.unit.collection(entity, name)
                (collection.append if kind == "add" else collection.discard)(other)

    def seen(self) -> list[Any]:
        """Every live entity with all that it holds, the operations, and who came together."""
        entities = [entity for root in ROOTS for entity in self.session.identities.family(root)]
        found: list[Any] = sorted((self.shown(entity) for entity in entities), key=repr)
        found += [repr(self.session.recorded_operations), repr(self.session.pending)]
        return found + [(peers.root, peers.keys) for peers in self.peers]

    def shown(self, entity: Any) -> Any:
        attributes = entity._type.attributes.items()
        slots = {name: _value(held(entity, each)) for name, each in attributes if name != "id"}
        changes = entity._changes
        pending = changes and [changes.state, changes.version, _items(changes.before), _items(changes.remote)]
        peers = entity._peers
        group = peers and (peers.root, list(peers.keys), peers.path("x"))
        is_mapped = self.live(entity._type.root, entity._key) is entity
        return [_named(entity), type(entity) is self.session.types[entity._name], entity._version, is_mapped,
                repr(slots), repr(pending), repr(group)]  # fmt: skip


def _named(entity: Any) -> str:
    return f"{entity._name} {entity._key}"


def _items(values: Any) -> dict[str, Any]:
    return {str(name): _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    """A value that can be compared between sessions; of another entity, whether the identity map has it."""
    if value is NOT_SET:
        return "not set"
    if hasattr(value, "_storage"):
        return _named(value), value._core.identities.family(value._type.root).get(value._key) is value
    if hasattr(value, "remote"):
        return [None if part is None else [_value(each) for each in part]
                for part in (value.remote, value.added, value.removed)]  # fmt: skip
    return type(value).__name__, value


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories())
def test_the_generated_loader_does_what_its_plain_twin_does(story: tuple[Schema, list[Any]]) -> None:
    """Entities, their types, values, ghosts, peers and pending changes are the same after each step."""
    schema, steps = story
    fast, plain = Reader(schema, merge_records), Reader(schema, merge_plainly)
    with fast.session, plain.session:
        for number, step in enumerate(steps):
            assert fast.step(step) == plain.step(step), f"step {number}"


SELF = Schema({"name": "self", "types": {"User": {"attributes": {"maker": {"type": "reference", "target": "User"}}}}})


@pytest.mark.parametrize("merge", [merge_records, merge_plainly])
def test_a_row_that_refers_to_itself_is_one_entity(merge: Callable[..., list[Any]]) -> None:
    """A user who made their own account is one object, as every identity is."""
    reader = Reader(SELF, merge)
    with reader.session:
        (user,) = merge(
            Records("User", ("maker",), [("a", 1, "a")]), reader.session, reader.session.types, Peers("User")
        )
        assert user["maker"] is user
        assert reader.live("User", "a") is user
