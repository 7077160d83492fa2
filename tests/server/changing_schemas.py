"""Random schemas, data for them, and changes of them, for the laws of changes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

SCALARS = ("string", "integer", "number", "boolean", "date", "datetime", "enum", "json")
NAMES = ("a", "b", "c", "d")
ROOTS = ("One", "Two", "Three")
BELOW = ("Four", "Five")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["1", "2.5", "x", "", "true", "2026-01-31", "red", "é"]),
    "integer": st.integers(-3, 3),
    "number": st.sampled_from([0.0, 1.0, 2.5, -1.0]),
    "boolean": st.booleans(),
    "date": st.dates().filter(lambda day: day.year > 2).map(lambda day: day.isoformat()),
    "datetime": st.sampled_from(["2026-01-31T00:00:00+00:00", "2026-01-31T10:00:00+00:00"]),
    "enum": st.sampled_from(["red", "green"]),
    "json": st.sampled_from([1, "x", [1], {"a": 2}, True]),
}


@st.composite
def attributes(draw: st.DrawFn, targets: list[str]) -> dict[str, Any]:
    """One attribute: a scalar, a reference, or a many-to-many collection."""
    kind = draw(st.sampled_from((*SCALARS, "reference", "collection")))
    if kind in ("reference", "collection"):
        return {"type": kind, "target": draw(st.sampled_from(targets))}
    if kind == "enum":
        return {"type": kind, "choices": draw(st.sampled_from([["red", "green"], ["red"], ["green", "blue"]]))}
    return {"type": kind}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A schema of a few types, some below others. Types of one family share no names of attributes."""
    roots = draw(st.lists(st.sampled_from(ROOTS), min_size=1, max_size=3, unique=True))
    types: dict[str, Any] = {name: {"attributes": {}} for name in roots}
    for name in draw(st.lists(st.sampled_from(BELOW), max_size=2, unique=True)):
        types[name] = {"extends": draw(st.sampled_from(roots)), "attributes": {}}
    for name, described in types.items():
        for attribute in draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True)):
            own = f"{attribute}_{name.lower()}" if name in BELOW else attribute
            described["attributes"][own] = draw(attributes(list(types)))
    return {"name": "random", "types": types}


@st.composite
def changed(draw: st.DrawFn, old: Document) -> Document:
    """The document after a few changes, with the former names of what they rename."""
    new = deepcopy(old)
    types = new["types"]
    for _ in range(draw(st.integers(2, 5))):
        name = draw(st.sampled_from(list(types)))
        own = types[name]["attributes"]
        step = draw(
            st.sampled_from(("add", "drop", "rename", "retype", "rules", "type", "no type", "other name", "move"))
        )
        if step == "add":
            own.setdefault(f"new_{name.lower()}", draw(attributes(list(types))))
        elif step in ("drop", "rename", "retype", "rules") and own:
            attribute = draw(st.sampled_from(list(own)))
            if step == "drop":
                del own[attribute]
            elif step == "rename":
                if "was" not in own[attribute] and not attribute.startswith("new_"):
                    own[f"re_{attribute}"] = {**own.pop(attribute), "was": attribute}
            elif step == "retype":
                was = {"was": own[attribute]["was"]} if "was" in own[attribute] else {}
                own[attribute] = {**draw(attributes(list(types))), **was}
            elif own[attribute]["type"] not in ("collection", "json"):
                own[attribute][draw(st.sampled_from(("unique", "indexed")))] = draw(st.booleans())
        elif step == "type":
            types.setdefault("Extra", {"attributes": {"e": {"type": "string"}}})
        elif step == "no type" and len(types) > 1:
            _drop_type(types, name)
        elif step == "other name" and "was" not in types[name] and name != "Extra":
            _rename_type(types, name, f"Re{name}")
        elif step == "move" and types[name].get("extends"):
            types[name].pop("extends")
    return new


def _drop_type(types: dict[str, Any], name: str) -> None:
    if any(each.get("extends") == name for each in types.values()):
        return
    del types[name]
    for each in types.values():
        gone = [key for key, value in each["attributes"].items() if value.get("target") == name]
        for key in gone:
            del each["attributes"][key]


def _rename_type(types: dict[str, Any], name: str, new: str) -> None:
    types[new] = {**types.pop(name), "was": name}
    for each in types.values():
        if each.get("extends") == name:
            each["extends"] = new
        for value in each["attributes"].values():
            if value.get("target") == name:
                value["target"] = new


@st.composite
def entities(draw: st.DrawFn, document: Document) -> list[tuple[str, dict[str, Any]]]:
    """Some entities of a schema: type and values; what relations hold are indexes into the list, as far as they fit."""
    types = document["types"]
    kinds = draw(st.lists(st.sampled_from(list(types)), min_size=3, max_size=8))
    found: list[tuple[str, dict[str, Any]]] = []
    for kind in kinds:
        line = [kind, *([types[kind]["extends"]] if types[kind].get("extends") else [])]
        own = {key: value for each in line for key, value in types[each]["attributes"].items()}
        values: dict[str, Any] = {}
        for name, described in own.items():
            if described["type"] in ("reference", "collection"):
                target = described["target"]
                fit = [i for i, each in enumerate(kinds) if target in (each, types[each].get("extends"))]
                if fit and draw(st.booleans()):
                    picked = draw(st.lists(st.sampled_from(fit), min_size=1, max_size=2, unique=True))
                    values[name] = picked if described["type"] == "collection" else picked[0]
            elif draw(st.integers(0, 3)):
                value = VALUES[described["type"]]
                values[name] = draw(st.sampled_from(described["choices"]) if "choices" in described else value)
        found.append((kind, values))
    return found
