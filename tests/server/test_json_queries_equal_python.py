"""What the published JSON Schema of queries accepts is answered as brute force in Python answers; nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_matches_equals_sql import DOCUMENT, NOW, View, fill, keys_of, worlds

from callsheet import QueryError, UsageError
from callsheet.errors import ServerError
from callsheet.model.language.json_query import read_query
from callsheet.model.language.json_schema import query_schema
from callsheet.model.language.json_text import select_json
from callsheet.model.language.matching import matches
from callsheet.model.language.relative import fixed_select
from callsheet.model.query import Select
from callsheet.server.store.store import Store

SETTINGS = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
DEPTH = 3
TEXTS_OF = {
    "": ["a", "A", "ab", "a%b", "é", "%", "", "q\"'", "\\", "t1", "s0"],
    "date": ["2026-01-01", "2026-01-02", "0999-12-31"],
    "date-time": ["2026-01-01T00:00:00Z", "1900-01-01T01:00:00+01:00"],
}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    opened = Store.open("memory:", DOCUMENT)
    yield opened
    opened.close()


def instances(schema: dict[str, Any], part: dict[str, Any], depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Instances of a part of the published schema; objects of conditions are empty below some depth."""
    if "$ref" in part:
        name = part["$ref"].removeprefix("#/$defs/")
        found = schema["$defs"][name]
        if name.startswith("conditions_"):
            if depth == 0:
                return st.just({})
            return st.deferred(lambda: objects(schema, found, depth - 1))
        return instances(schema, found, depth)
    if "allOf" in part:
        # Conditions that are not empty.
        return instances(schema, part["allOf"][0], depth).filter(bool)
    if "enum" in part or "const" in part:
        return st.sampled_from(part.get("enum", [part.get("const")]))
    if "anyOf" in part and "properties" not in part:
        return st.one_of([instances(schema, each, depth) for each in part["anyOf"]])
    kind = part["type"]
    if kind == "object":
        return objects(schema, part, depth)
    if kind == "array":
        sizes = {"min_size": part.get("minItems", 0), "max_size": part.get("maxItems", 2)}
        return st.lists(instances(schema, part["items"], depth), **sizes)
    if kind == "string":
        return st.sampled_from(TEXTS_OF[part.get("format", "")])
    low, high = part.get("minimum"), part.get("maximum")
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": st.integers(low, high) | st.integers(max(-9, low or -9), min(9, high or 9)),
        "number": st.sampled_from([0.0, 1.5, -2, 3, 1]),
    }[kind]


def objects(schema: dict[str, Any], part: dict[str, Any], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a few of the keys that the schema knows."""
    inside = {key: value for key, value in part["properties"].items() if key not in ("custom_attributes", "metadata")}
    keys = st.lists(st.sampled_from(sorted(inside)), min_size=part.get("minProperties", 0), max_size=2, unique=True)
    needed = part.get("required", [])

    def made(chosen: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        names = dict.fromkeys([*needed, *chosen])
        return st.fixed_dictionaries({name: instances(schema, inside[name], depth) for name in names})

    found = keys.flatmap(made)
    units = [each["required"][0] for each in part.get("anyOf", ())]
    return found.filter(lambda each: any(unit in each for unit in units)) if units else found


def queries(store: Store) -> st.SearchStrategy[dict[str, Any]]:
    schema = query_schema(store.schema)
    where = instances(schema, {"$ref": "#/$defs/where_Leaf"})
    return st.builds(lambda found: {"__model__": "Leaf", "__query__": found}, where)


def test_the_schema_is_one(store: Store) -> None:
    """A kept validator accepts the published schema itself."""
    jsonschema.Draft202012Validator.check_schema(query_schema(store.schema))


def is_answered(store: Store, world: dict[str, Any], query: dict[str, Any]) -> bool:
    """A query is answered as in Python, or refused with a place; whether it was answered."""
    schema = store.schema
    try:
        select = read_query(query, schema).select
    except QueryError:
        return False
    assert read_query(select_json(select), schema).select == select
    fixed = fixed_select(select, NOW)
    expected = sorted(
        key
        for key, entity in world.items()
        if entity["@type"] == "Leaf" and (fixed.where is None or matches(fixed.where, View(world, key), schema))
    )
    found = keys_of(store, Select("Leaf", (), fixed.where))
    assert found == expected, query
    return True


def check_generated(store: Store, number: int) -> None:
    """So many queries that the schema generates are read, and find what brute force finds; most are answered."""
    answered = []
    validator = jsonschema.Draft202012Validator(query_schema(store.schema))

    @settings(SETTINGS, max_examples=number)
    @given(worlds(), queries(store))
    def law(world: dict[str, Any], query: dict[str, Any]) -> None:
        assert validator.is_valid(query)
        fill(store, world)
        answered.append(is_answered(store, world, query))

    law()
    assert sum(answered) > len(answered) * 0.6


def test_generated_queries_mean_the_same_in_sql_and_in_python(store: Store) -> None:
    """What the published schema takes is answered as by brute force, or refused with a place."""
    check_generated(store, 60)


@pytest.mark.deep
def test_many_generated_queries_mean_the_same_in_sql_and_in_python(store: Store) -> None:
    """The same, ten times as often."""
    check_generated(store, 600)


WORDS = ["__query__", "__not__", "__time__", "__days__", "name", "status", "__in__", "__or__", "due", "at", "__gt__"]
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=4))
LITERALS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just("2026-01-01"))
ANYTHING = st.recursive(LITERALS, lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3))
OPTIONS = st.dictionaries(st.sampled_from(["limit", "order", "x"]), ANYTHING, max_size=2)


@settings(SETTINGS, max_examples=120)
@given(st.dictionaries(KEYS, ANYTHING, max_size=3), st.none() | OPTIONS)
def test_any_json_is_read_or_refused(store: Store, where: dict[str, Any], options: dict[str, Any] | None) -> None:
    """Whatever JSON comes, and whatever is broken in a query: only errors of usage, never of the server."""
    query = {"__model__": "Leaf", "__query__": where} | ({} if options is None else {"__options__": options})
    try:
        select = read_query(query, store.schema).select
        keys_of(store, fixed_select(select, NOW))
    except UsageError:
        return
    except ServerError as error:
        pytest.fail(f"the server refused what the reader took: {error}")
