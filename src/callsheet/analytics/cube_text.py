"""A cube as a text in TOML, for review and version control, and back.

Levels, conditions and measures are written in the query language. What is wrong is said with its line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from attrs import evolve

from callsheet.analytics.cube_plain import (
    check_keys,
    formulas_from,
    formulas_plain,
    level_from,
    level_plain,
    parts_plain,
    shared_from,
    shared_plain,
    stored_from,
    stored_plain,
    text_of,
)
from callsheet.errors import CallsheetError, UsageError
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeMeasure
from callsheet.model.language.measures import measure_text, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.text import condition_text

__all__ = ["cube_from_toml", "cube_toml"]

T = TypeVar("T")
CUBE_KEYS = (
    *("name", "table", "description", "folder", "filter", "stored"),
    *("hierarchies", "measures", "formulas", "shared", "sets", "parts"),
)
HIERARCHY_KEYS = ("levels", "all", "dimension", "default", "time", "folder", "description")
MEASURE_KEYS = ("is", "format", "folder", "description")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


# -- writing -------------------------------------------------------------------------------------------------------


def cube_toml(cube: CubeDefinition) -> str:
    """The text of a cube; `cube_from_toml` reads an equal one.

    >>> print(cube_toml(CubeDefinition("Bids", "Task", [], [CubeMeasure("Bid", parse_measure("sum(bid)"), "0.0")])))
    name = "Bids"
    table = "Task"
    <BLANKLINE>
    [measures.Bid]
    is = "sum(bid)"
    format = "0.0"
    <BLANKLINE>
    """
    lines = [f"name = {_value(cube.name)}", f"table = {_value(cube.table)}"]
    lines += _texts(description=cube.description, folder=cube.folder)
    if cube.where is not None:
        lines.append(f"filter = {_value(condition_text(cube.where))}")
    if (stored := stored_plain(cube.stored)) is not None:
        named = {key: names for key, names in stored.items() if names}
        lines.append(f"stored = {_value(named or True)}")
    if cube.parts:
        lines.append(f"parts = {_value([each['cube'] for each in parts_plain(cube.parts).values()])}")
    for hierarchy in cube.hierarchies:
        lines += _hierarchy_lines(hierarchy)
    for measure in cube.measures:
        lines += ["", f"[measures.{_key(measure.name)}]", f"is = {_value(measure_text(measure.measure))}"]
        lines += [] if measure.format == "Standard" else [f"format = {_value(measure.format)}"]
        lines += _texts(folder=measure.folder, description=measure.description)
    for name, formula in formulas_plain(cube.formulas).items():
        lines += ["", f"[formulas.{_key(name)}]", *(f"{_key(key)} = {_value(each)}" for key, each in formula.items())]
    if cube.sets:
        lines += ["", "[sets]", *(f"{_key(name)} = {_value(text)}" for name, text in cube.sets.items())]
    for table, pairs in shared_plain(cube.shared).items():
        lines += ["", f"[shared.{_key(table)}]", *(f"{_key(here)} = {_value(there)}" for here, there in pairs.items())]
    return "\n".join(lines) + "\n"


def _hierarchy_lines(hierarchy: CubeHierarchy) -> list[str]:
    key = f"hierarchies.{_key(hierarchy.name)}"
    lines = ["", f"[{key}]"]
    if hierarchy.all_name is None:
        lines.append("all = false")
    elif hierarchy.all_name != CubeHierarchy(hierarchy.name, ()).all_name:
        lines.append(f"all = {_value(hierarchy.all_name)}")
    lines += _texts(dimension=hierarchy.dimension, folder=hierarchy.folder, description=hierarchy.description)
    lines += [] if hierarchy.default is None else [f"default = {_value(list(hierarchy.default))}"]
    lines += ["time = true"] if hierarchy.time else []
    if hierarchy.levels:
        # A header without lines of its own is not needed.
        lines = [*(lines if len(lines) > 2 else []), "", f"[{key}.levels]"]
    for level in hierarchy.levels:
        plain = level_plain(level)
        lines.append(f"{_key(level.name)} = {_value(plain['level'] if set(plain) == {'level'} else plain)}")
    return lines


def _texts(**texts: str) -> list[str]:
    return [f"{name} = {_value(text)}" for name, text in texts.items() if text]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """A value in TOML; strings have the escapes of JSON, which TOML has, too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join('{ none = true }' if each is None else _value(each) for each in value)}]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


# -- reading -------------------------------------------------------------------------------------------------------


def cube_from_toml(text: str) -> CubeDefinition:
    """The cube of a text in TOML. Raises `UsageError` that names the line of the first fault."""
    if not isinstance(text, str):
        raise UsageError(f"a cube is read from a text in TOML, not from {type(text).__name__}")
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"this is no TOML: {error}") from error
    return _Reading(text).cube(document)


class _Reading:
    """One reading; each part is read under its header, so that an error has a line."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def cube(self, document: Mapping[str, Any]) -> CubeDefinition:
        given = self._at((), lambda: check_keys("a cube", document, CUBE_KEYS))
        where = given.get("filter")
        return CubeDefinition(
            self._at(("name",), lambda: _named("name", given)),
            self._at(("table",), lambda: _named("table", given)),
            [self._hierarchy(name, each) for name, each in self._parts(given, "hierarchies")],
            [self._measure(name, each) for name, each in self._parts(given, "measures")],
            self._at(("formulas",), lambda: formulas_from(given.get("formulas", {}))),
            None if where is None else self._at(("filter",), lambda: parse_condition(text_of("`filter`", where))),
            self._text(given, "folder"),
            self._text(given, "description"),
            self._at(("shared",), lambda: shared_from(given.get("shared", {}))),
            stored=self._at(("stored",), lambda: stored_from(given.get("stored"))),
            sets={
                name: self._at(("sets", name), lambda name=name, text=text: text_of(f"the set `{name}`", text))  # type: ignore[misc]
                for name, text in self._parts(given, "sets")
            },
            parts=self._at(("parts",), lambda: _names(given.get("parts", []))),
        )

    def _parts(self, given: Mapping[str, Any], name: str) -> Any:
        parts = given.get(name, {})
        if not isinstance(parts, Mapping):
            raise self._wrong((name,), f"`{name}` is a table by name, not {parts!r:.80}")
        return parts.items()

    def _text(self, given: Mapping[str, Any], key: str, *way: str) -> str:
        return self._at((*way, key), lambda: text_of(f"`{key}`", given.get(key, "")))

    def _measure(self, name: str, given: Any) -> CubeMeasure:
        way = ("measures", name)
        table = {"is": given} if isinstance(given, str) else given
        found = self._at(way, lambda: check_keys(f"the measure `{name}`", table, MEASURE_KEYS))
        measure = self._at((*way, "is"), lambda: parse_measure(_named("is", found)))
        pattern = self._text(found, "format", *way) if "format" in found else "Standard"
        return CubeMeasure(
            name, measure, pattern, self._text(found, "folder", *way), self._text(found, "description", *way)
        )

    def _hierarchy(self, name: str, given: Any) -> CubeHierarchy:
        way = ("hierarchies", name)
        found = self._at(way, lambda: check_keys(f"the hierarchy `{name}`", given, HIERARCHY_KEYS))
        levels = found.get("levels", {})
        if not isinstance(levels, Mapping):
            raise self._wrong((*way, "levels"), f"the levels of `{name}` are a table by name, not {levels!r:.80}")
        default, time = found.get("default"), found.get("time", False)
        if not isinstance(default, list | None) or not isinstance(time, bool):
            raise self._wrong(way, f"of `{name}`, `default` is a list and `time` true or false")
        made = CubeHierarchy(
            name,
            [
                self._at((*way, "levels", each), lambda each=each, value=value: level_from(each, value))  # type: ignore[misc]
                for each, value in levels.items()
            ],
            dimension=self._text(found, "dimension", *way),
            default=None if default is None else tuple(None if each == {"none": True} else each for each in default),
            time=time,
            folder=self._text(found, "folder", *way),
            description=self._text(found, "description", *way),
        )
        return self._above(made, found)

    def _above(self, made: CubeHierarchy, found: Mapping[str, Any]) -> CubeHierarchy:
        given = found.get("all", made.all_name)
        if given is not False and not isinstance(given, str | None):
            raise self._wrong(("hierarchies", made.name, "all"), f"`all` is a name, or false, not {given!r:.80}")
        return evolve(made, all_name=None if given is False else given)

    # Lines

    def _at(self, way: tuple[str, ...], read: Callable[[], T]) -> T:
        """What is read at a place; an error says its line."""
        try:
            return read()
        except CallsheetError as error:
            raise self._wrong(way, str(error)) from error

    def _wrong(self, way: tuple[str, ...], message: str) -> UsageError:
        return UsageError(f"line {self._line(way)}: {message}")

    def _line(self, way: tuple[str, ...]) -> int:
        """The line of a place: its key below its header; else that of the longest header on the way to it."""
        header: tuple[str, ...] = ()
        best, depth = 1, 0
        for number, line in enumerate(self._lines, 1):
            found = _keys(line)
            if found is None:
                continue
            if line.lstrip().startswith("["):
                header = found
                here = header
            else:
                here = (*header, *found)
            if here == way[: len(here)] and len(here) > depth:
                best, depth = number, len(here)
        return best


def _keys(line: str) -> tuple[str, ...] | None:
    """The names in a header, or before the sign of a line; None if there are none."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    try:
        document = tomllib.loads(text if text.startswith("[") else f"{_before_sign(text)} = 0")
    except tomllib.TOMLDecodeError:
        return None
    names: list[str] = []
    while isinstance(document, dict) and len(document) == 1:
        ((name, document),) = document.items()
        names.append(name)
    return tuple(names)


def _before_sign(text: str) -> str:
    """What stands before the first sign of equality that is in no quotes."""
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character == "=":
            return text[:place]
    return text


def _names(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise UsageError(f"`parts` are names of cubes, not {given!r:.80}")
    return tuple(text_of("the name of a cube", each) for each in given)


def _named(key: str, given: Mapping[str, Any]) -> str:
    if not given.get(key):
        raise UsageError(f"`{key}` is missing")
    return text_of(f"`{key}`", given[key])
