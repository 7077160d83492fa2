"""Levels and formulas of a cube as plain data, in the words of its text form.

A level is the text of what facts are grouped by, or a table: ``{"level": "parent.name", "order": "parent.sort"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from callsheet.errors import UsageError
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeLevel, StoredParts
from callsheet.model.language.measures import level_text, parse_level
from callsheet.model.language.parser import parse_path
from callsheet.model.language.text import path_text
from callsheet.model.measure import Level, Shared, as_shared
from callsheet.model.query import Path
from callsheet.model.schema import did_you_mean

__all__ = [
    "check_keys",
    "formulas_from",
    "formulas_plain",
    "levels_from",
    "levels_plain",
    "parts_from",
    "parts_plain",
    "sets_from",
    "sets_plain",
    "shared_from",
    "shared_plain",
    "stored_from",
    "stored_plain",
]

LEVEL_KEYS = ("name", "level", "caption", "order", "properties", "unique", "kind", "description", "parent", "hidden")
STORED_KEYS = ("levels", "measures")
FORMULA_KEYS = ("is", "format", "solve_order", "caption")


def check_keys(what: str, given: Any, known: Iterable[str]) -> Mapping[str, Any]:
    """A table with known keys only."""
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} is a table, not {given!r:.80}")
    names = list(known)
    for key in given:
        if key not in names:
            raise UsageError(f"{what} has no `{key!s:.80}`{did_you_mean(str(key), names)}: {', '.join(names)}")
    return given


def text_of(what: str, given: Any) -> str:
    """A text."""
    if not isinstance(given, str):
        raise UsageError(f"{what} is a text, not {given!r:.80}")
    return given


# -- levels --------------------------------------------------------------------------------------------------------


def levels_plain(levels: Iterable[CubeLevel]) -> list[dict[str, Any]]:
    """Levels as a list of tables, which keeps their order."""
    return [{"name": each.name, **level_plain(each)} for each in levels]


def level_plain(level: CubeLevel) -> dict[str, Any]:
    """A level as a table, without its name."""
    found: dict[str, Any] = {"level": level_text(Level(level.path, level.band))}
    found |= {
        name: path_text(path) for name in ("caption", "order", "parent") if (path := getattr(level, name)) is not None
    }
    if level.properties:
        found["properties"] = {name: path_text(path) for name, path in level.properties.items()}
    if level.unique != _is_unique(level.band):
        found["unique"] = level.unique
    if level.kind != (level.band or ""):
        found["kind"] = level.kind
    found |= {name: text for name in ("description", "hidden") if (text := getattr(level, name))}
    return found


def levels_from(given: Any) -> list[CubeLevel]:
    """The levels of a list of tables."""
    if not isinstance(given, list | tuple) or not given:
        raise UsageError(f"the levels are a list of tables, not {given!r:.80}")
    return [level_from(text_of("the name of a level", check_keys("a level", each, LEVEL_KEYS).get("name")), each)
            for each in given]  # fmt: skip


def level_from(name: str, given: Any) -> CubeLevel:
    """The level of a text, or of a table."""
    if isinstance(given, str):
        given = {"level": given}
    given = check_keys(f"the level `{name}`", given, LEVEL_KEYS)
    level = parse_level(text_of(f"`level` of `{name}`", given.get("level")))
    properties = given.get("properties", {})
    if not isinstance(properties, Mapping):
        raise UsageError(f"`properties` of `{name}` is a table of paths, not {properties!r:.80}")
    unique = given.get("unique", _is_unique(level.band))
    if not isinstance(unique, bool):
        raise UsageError(f"`unique` of `{name}` is true or false, not {unique!r:.80}")
    return CubeLevel(
        name,
        level.path,
        _path(name, "caption", given),
        _path(name, "order", given),
        {each: parse_path(text_of(f"`{each}` of `{name}`", path)) for each, path in properties.items()},
        unique,
        level.band,
        text_of(f"`kind` of `{name}`", given.get("kind", level.band or "")),
        text_of(f"`description` of `{name}`", given.get("description", "")),
        _path(name, "parent", given),
        text_of(f"`hidden` of `{name}`", given.get("hidden", "")),
    )


def _is_unique(band: str | None) -> bool:
    """Whether a period lies in one of the next longer ones: weeks do not."""
    return band not in (None, "week")


def _path(name: str, key: str, given: Mapping[str, Any]) -> Path | None:
    return None if key not in given else parse_path(text_of(f"`{key}` of `{name}`", given[key]))


# -- formulas ------------------------------------------------------------------------------------------------------


def formulas_plain(formulas: Iterable[CubeFormula]) -> dict[str, Any]:
    """Members that formulas in MDX compute, as a table by name."""
    found: dict[str, Any] = {}
    for each in formulas:
        found[each.name] = {"is": each.formula}
        found[each.name] |= {"format": each.format} if each.format else {}
        found[each.name] |= {"solve_order": each.solve_order} if each.solve_order else {}
        found[each.name] |= {"caption": each.caption} if each.caption else {}
    return found


def sets_plain(sets: Mapping[str, str]) -> dict[str, Any]:
    """Sets that queries in MDX may name, beside the formulas of the same table."""
    return {name: {"set": text} for name, text in sets.items()}


def sets_from(given: Any) -> dict[str, str]:
    """The sets of a table of formulas and sets."""
    tables = given.items() if isinstance(given, Mapping) else ()
    return {
        name: text_of(f"`set` of `{name}`", each["set"])
        for name, each in tables
        if isinstance(each, Mapping) and "set" in each
    }


def parts_plain(parts: Iterable[str | CubeDefinition]) -> dict[str, Any]:
    """The cubes that a cube is made of, beside the formulas of the same table."""
    names = [each if isinstance(each, str) else each.name for each in parts]
    return {f"part {number}": {"cube": name} for number, name in enumerate(names, 1)}


def parts_from(given: Any) -> tuple[str, ...]:
    """The cubes of a table of formulas, sets and parts."""
    tables = given.items() if isinstance(given, Mapping) else ()
    found = {
        name: text_of(f"`cube` of `{name}`", each["cube"])
        for name, each in tables
        if isinstance(each, Mapping) and "cube" in each
    }
    return tuple(found[name] for name in sorted(found, key=lambda name: (len(name), name)))


def formulas_from(given: Any) -> list[CubeFormula]:
    """The formulas of a table by name, without its sets."""
    if not isinstance(given, Mapping):
        raise UsageError(f"formulas are a table by name, not {given!r:.80}")
    found = []
    for name, each in given.items():
        if isinstance(each, Mapping) and ("set" in each or "cube" in each):
            continue
        table = check_keys(f"the formula `{name}`", {"is": each} if isinstance(each, str) else each, FORMULA_KEYS)
        order = table.get("solve_order", 0)
        if isinstance(order, bool) or not isinstance(order, int):
            raise UsageError(f"`solve_order` of `{name}` is a whole number, not {order!r:.80}")
        text = text_of(f"`is` of `{name}`", table.get("is"))
        shown, caption = (text_of(f"`{key}` of `{name}`", table.get(key, "")) for key in ("format", "caption"))
        found.append(CubeFormula(name, text, shown, order, caption))
    return found


# -- second tables -------------------------------------------------------------------------------------------------


def shared_plain(shared: Shared) -> dict[str, dict[str, str]]:
    """For each second table, paths of the facts with those there, as texts."""
    return {table: {path_text(here): path_text(there) for here, there in pairs} for table, pairs in shared}


def shared_from(given: Any) -> Shared:
    """The paths that texts stand for."""
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise UsageError(f"what is shared are tables of paths by name, not {given!r:.80}")
    return as_shared(
        {
            table: {
                parse_path(here): parse_path(text_of(f"`{here}` of `{table}`", there)) for here, there in pairs.items()
            }
            for table, pairs in given.items()
        }
    )


# -- what is stored ------------------------------------------------------------------------------------------------


def stored_plain(stored: StoredParts | None) -> dict[str, list[str]] | None:
    """What the server keeps of a cube, as two lists of names; None: nothing."""
    return None if stored is None else {"levels": list(stored.levels), "measures": list(stored.measures)}


def stored_from(given: Any) -> StoredParts | None:
    """What lists of names stand for; True is all, and False or None nothing."""
    if given is None or given is False:
        return None
    if given is True:
        return StoredParts()
    table = check_keys("what is stored", given, STORED_KEYS)
    for key, names in table.items():
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise UsageError(f"`{key}` of what is stored is a list of names, not {names!r:.80}")
    return StoredParts(table.get("levels", ()), table.get("measures", ()))
