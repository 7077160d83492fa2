"""A condition, an order and a page mean the same in SQL and in Python, on every database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from databases import postgres_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet.model.language.checking import check, check_condition
from callsheet.model.language.matching import matches
from callsheet.model.language.relative import fixed_condition
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Select, Step
from callsheet.model.relative_time import now
from callsheet.server.reading.pages import read_page
from callsheet.server.store.store import Store

DOCUMENT: dict[str, Any] = {
    "types": {
        "Thing": {
            "abstract": True,
            "attributes": {
                "name": {"type": "string"},
                "parent": {"type": "reference", "target": "Thing"},
                "children": {"type": "collection", "target": "Thing", "inverse": "parent"},
                "metadata": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
            "custom": {
                "weight": {"type": "number"},
                "n": {"type": "integer"},
                "on": {"type": "boolean"},
                "when": {"type": "datetime"},
                "day": {"type": "date"},
                "label": {"type": "string"},
            },
        },
        "Node": {"extends": "Thing", "attributes": {"size": {"type": "number"}, "n": {"type": "integer"}}},
        "Leaf": {
            "extends": "Thing",
            "attributes": {
                "flag": {"type": "boolean"},
                "due": {"type": "date"},
                "at": {"type": "datetime"},
                "kind": {"type": "enum", "choices": ["a", "B"]},
                "status": {"type": "reference", "target": "Status"},
                "tags": {"type": "collection", "target": "Tag", "inverse": "leaves"},
            },
        },
        "Status": {"attributes": {"name": {"type": "string"}}},
        "Tag": {
            "attributes": {
                "name": {"type": "string"},
                "leaves": {"type": "collection", "target": "Leaf", "inverse": "tags"},
            }
        },
    }
}

TEXTS = ["", "a", "A", "ab", "é", "É", "a_b", "a%b", "axb", "\\", "a\\b", "ß", "\ufffd", "😀", "q\"'", "k", "\u212a"]
PATTERNS = ["%", "a%", "%B", "A_B", r"a\%b", "\\\\", "%\\%%", "é", "É%", "%%a", "a\\b", "", "\\", "_", "k", '%"%']
DATES = [date(2026, 1, 1), date(2026, 1, 2), date(999, 12, 31)]
TIMES = [
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1900, 1, 1, tzinfo=UTC),
]
POOLS: dict[str, list[Any]] = {
    "string": TEXTS,
    "enum": ["a", "B"],
    "number": [0.0, 1.5, -2.0, 1e300, 3.0],
    "integer": [0, 1, -2, 3, 2**53 + 1],
    "boolean": [True, False],
    "date": DATES,
    "datetime": TIMES,
    "key": ["t0", "t1", "t2", "s0", "x"],
}
ITEMS = ["colour", "a b", "dot.dot", 'quo"te', "back\\slash", "é"]
NOW = TIMES[0]
RELATIVE = [now(), now(days=1), now(days=-1, start="day"), now(years=-126, zone="Europe/Berlin")]
LITERALS = {
    **POOLS,
    "integer": [*POOLS["integer"], 1.5, -0.5],
    "date": [*DATES, *RELATIVE],
    "datetime": [*TIMES, *RELATIVE],
}


def perhaps(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Up to six things in a tree, two statuses, two tags."""
    number = draw(st.integers(1, 6))
    world: dict[str, dict[str, Any]] = {}
    for key in ("s0", "s1"):
        world[key] = {"@type": "Status", "id": key, "name": draw(perhaps(st.sampled_from(TEXTS)))}
    for key in ("g0", "g1"):
        world[key] = {"@type": "Tag", "id": key, "name": draw(perhaps(st.sampled_from(TEXTS)))}
    custom = DOCUMENT["types"]["Thing"]["custom"]
    for index in range(number):
        thing: dict[str, Any] = {"@type": draw(st.sampled_from(["Node", "Leaf"])), "id": f"t{index}"}
        thing["name"] = draw(perhaps(st.sampled_from(TEXTS)))
        thing["parent"] = draw(perhaps(st.sampled_from([f"t{other}" for other in range(number)])))
        thing["metadata"] = draw(st.dictionaries(st.sampled_from(ITEMS), st.sampled_from(TEXTS), max_size=2))
        items = {name: st.sampled_from(POOLS[told["type"]]) for name, told in custom.items()}
        thing["custom_attributes"] = draw(st.fixed_dictionaries({}, optional=items))
        for name, told in DOCUMENT["types"][thing["@type"]]["attributes"].items():
            if told["type"] in POOLS:
                thing[name] = draw(perhaps(st.sampled_from(POOLS[told["type"]])))
        if thing["@type"] == "Leaf":
            thing["status"] = draw(perhaps(st.sampled_from(["s0", "s1"])))
            thing["tags"] = sorted(draw(st.sets(st.sampled_from(["g0", "g1"]))))
        world[thing["id"]] = thing
    return world


class View(Mapping[str, Any]):
    """One entity of a world, with what it leads to."""

    def __init__(self, world: dict[str, dict[str, Any]], key: str) -> None:
        self.world, self.values_of = world, world[key]

    def __getitem__(self, name: str) -> Any:
        key = self.values_of["id"]
        if name == "children":
            return [View(self.world, each["id"]) for each in self.world.values() if each.get("parent") == key]
        if name == "leaves":
            return [View(self.world, each["id"]) for each in self.world.values() if key in each.get("tags", ())]
        value = self.values_of[name]
        if name == "tags":
            return [View(self.world, each) for each in value]
        if name in ("parent", "status"):
            return None if value is None else View(self.world, value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


def fill(store: Store, world: dict[str, dict[str, Any]]) -> None:
    """Put a world into an empty store."""
    link = store.link("Leaf", "tags")

    def work(connection: Any) -> None:
        for table in (*store.tables.values(), link.table):
            connection.execute(table.delete())
        for entity in world.values():
            row = {name: value for name, value in entity.items() if name not in ("@type", "tags")}
            row |= {"_type": entity["@type"], "_version": 1}
            if row.get("parent"):
                row["parent__type"] = world[row["parent"]]["@type"]
            root = store.schema.types[entity["@type"]].root
            connection.execute(store.tables[root].insert(), row)
            for tag in entity.get("tags", ()):
                connection.execute(link.table.insert(), {link.near.name: entity["id"], link.far.name: tag})

    store.write(work)


@st.composite
def ways(draw: st.DrawFn, type_name: str, ends: str) -> tuple[Path, str]:
    """A path from a type: to a ``value`` or a ``relation``; and the data type or entity type there."""
    steps: list[Step] = []
    while True:
        attributes: dict[str, Any] = dict(DOCUMENT["types"][type_name]["attributes"])
        if DOCUMENT["types"][type_name].get("extends"):
            attributes = {**DOCUMENT["types"]["Thing"]["attributes"], **attributes}
        relations = {name: told for name, told in attributes.items() if "target" in told}
        if steps and ends == "relation" and (not relations or len(steps) > 2 or draw(st.booleans())):
            return Path(tuple(steps)), type_name
        if ends == "value" and (not relations or len(steps) > 2 or draw(st.integers(0, 2)) > 0):
            values = [name for name in attributes if name not in relations]
            name = draw(st.sampled_from(["id", *values]))
            if name == "metadata":
                return Path((*steps, Step(name), Step(draw(st.sampled_from(ITEMS))))), "string"
            if name == "custom_attributes":
                custom = DOCUMENT["types"]["Thing"]["custom"]
                item = draw(st.sampled_from(list(custom)))
                return Path((*steps, Step(name), Step(item))), custom[item]["type"]
            return Path((*steps, Step(name))), "key" if name == "id" else attributes[name]["type"]
        name = draw(st.sampled_from(list(relations)))
        target = relations[name]["target"]
        cast = draw(st.sampled_from([None, "Node", "Leaf"])) if target == "Thing" else None
        steps.append(Step(name, cast))
        type_name = cast or target


@st.composite
def conditions(draw: st.DrawFn, type_name: str, depth: int = 3) -> Condition:
    """A condition on entities of a type."""
    shape = draw(st.sampled_from(["compare"] * 4 + ["and", "or", "not", "any"])) if depth else "compare"
    if shape in ("and", "or"):
        parts = draw(st.lists(conditions(type_name, depth - 1), min_size=2, max_size=3))
        return And(tuple(parts)) if shape == "and" else Or(tuple(parts))
    if shape == "not":
        return Not(draw(conditions(type_name, depth - 1)))
    if shape == "any" and type_name != "Status":
        path, target = draw(ways(type_name, "relation"))
        return Any_(path, draw(perhaps(conditions(target, depth - 1))))
    path, data_type = draw(ways(type_name, "value"))
    operators = ["=", "!=", "in", "not_in"]
    if data_type in ("string", "enum", "key"):
        operators += ["like", "not_like"]
    if data_type != "boolean":
        operators += ["<", "<=", ">", ">="]
    operator = draw(st.sampled_from(operators))
    values = st.sampled_from(LITERALS[data_type])
    if operator in ("in", "not_in"):
        return Comparison(path, operator, tuple(draw(st.lists(perhaps(values), max_size=3))))
    if operator in ("like", "not_like"):
        return Comparison(path, operator, draw(st.sampled_from(PATTERNS)))
    return Comparison(path, operator, draw(perhaps(values) if operator in ("=", "!=") else values))


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, list[Condition]]:
    type_name = draw(st.sampled_from(["Thing", "Node", "Leaf"]))
    return type_name, draw(st.lists(conditions(type_name), min_size=1, max_size=5))


def keys_of(store: Store, select: Select, size: int = 1000) -> list[str]:
    """The keys of the results, in order, over all pages."""
    found: list[str] = []
    cursor = None
    with store.reading() as connection:
        while True:
            page = read_page(store, connection, select, size, cursor)
            rows = [row[0] for block in page.records[: page.roots] for row in block.rows]
            found += rows if page.order is None else [rows[index] for index in page.order]
            cursor = page.cursor
            if cursor is None:
                return found


def conditions_agree(store: Store, world: dict[str, dict[str, Any]], type_name: str, asked: list[Condition]) -> None:
    fill(store, world)
    schema = store.schema
    for condition in asked:
        checked = fixed_condition(check_condition(condition, type_name, schema), NOW)
        expected = [
            key
            for key, entity in world.items()
            if key[0] == "t" and schema.is_a(entity["@type"], type_name) and matches(checked, View(world, key), schema)
        ]
        assert keys_of(store, Select(type_name, (Path((Step("name"),)),), checked)) == sorted(expected), checked


def value_at(view: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        view = view.get(step.name) if view is not None else None
        if step.cast and view is not None and view["@type"] != step.cast:
            view = None
    return view


def pages_agree(store: Store, world: dict[str, dict[str, Any]], asked: tuple[Select, int]) -> None:
    fill(store, world)
    select = check(asked[0], store.schema)
    expected = [key for key, entity in world.items() if store.schema.is_a(entity["@type"], select.entity_type)]
    expected.sort()
    for order in reversed(select.order):

        def place(key: str, order: Order = order) -> tuple[bool, Any]:
            value = value_at(View(world, key), order.path.steps)
            return (value is not None, 0 if value is None else value)

        # Python's sort is stable, also in reverse: equal values keep the order of the keys.
        expected.sort(key=place, reverse=order.descending)
    end = None if select.limit is None else select.offset + select.limit
    assert keys_of(store, select, asked[1]) == expected[select.offset : end], select


@st.composite
def selects(draw: st.DrawFn) -> tuple[Select, int]:
    type_name = draw(st.sampled_from(["Thing", "Node", "Leaf"]))
    paths = draw(st.lists(ways(type_name, "value"), max_size=3))
    single = [path for path, _ in paths if not {"children", "tags", "leaves"} & set(path.names)]
    order = tuple(Order(path, draw(st.booleans())) for path in single)
    limit, offset = draw(perhaps(st.integers(0, 7))), draw(st.integers(0, 3))
    return Select(type_name, (), None, order, limit, offset), draw(st.integers(1, 4))


SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@contextmanager
def memory() -> Iterator[Store]:
    store = Store.open("memory:", DOCUMENT)
    try:
        yield store
    finally:
        store.close()


@settings(SETTINGS, max_examples=250)
@given(worlds(), questions())
def test_conditions_mean_the_same_in_sqlite_and_in_python(
    world: dict[str, dict[str, Any]], asked: tuple[str, list[Condition]]
) -> None:
    """The entities that SQLite selects are those that `matches` finds."""
    with memory() as store:
        conditions_agree(store, world, *asked)


@settings(SETTINGS, max_examples=100)
@given(worlds(), selects())
def test_pages_come_in_order_from_sqlite(world: dict[str, dict[str, Any]], asked: tuple[Select, int]) -> None:
    """All pages together are the sorted results, each once, whatever the order, the limit and the page's size."""
    with memory() as store:
        pages_agree(store, world, asked)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Store]:
    """One store on PostgreSQL, filled anew for each example."""
    with postgres_database() as url:
        store = Store.open(url, DOCUMENT)
        yield store
        store.close()


def test_conditions_mean_the_same_in_postgres_and_in_python(postgres: Store) -> None:
    """The entities that PostgreSQL selects are those that `matches` finds."""

    @settings(SETTINGS, max_examples=60)
    @given(worlds(), questions())
    def law(world: dict[str, dict[str, Any]], asked: tuple[str, list[Condition]]) -> None:
        conditions_agree(postgres, world, *asked)

    law()


def test_pages_come_in_order_from_postgres(postgres: Store) -> None:
    """The same order and the same pages as SQLite's."""

    @settings(SETTINGS, max_examples=40)
    @given(worlds(), selects())
    def law(world: dict[str, dict[str, Any]], asked: tuple[Select, int]) -> None:
        pages_agree(postgres, world, asked)

    law()
