"""The measures of a cube, as a mapping that one edits: ``m["Ratio"] = m["Actual"] / m["Bid"]``."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any
from unicodedata import normalize

from attrs import evolve

from callsheet.analytics.cube_homes import EditedCube
from callsheet.analytics.cube_reading import by_name, check_measure, read_measure
from callsheet.analytics.display import Shown
from callsheet.analytics.mdx.formats import format_value
from callsheet.errors import UnknownName, UsageError
from callsheet.model.cube import CubeMeasure
from callsheet.model.language.measures import measure_text
from callsheet.model.measure import Measure
from callsheet.model.named import NamedMeasure, names_in, resolved
from callsheet.model.query import Condition
from callsheet.model.schema import did_you_mean

__all__ = ["LiveMeasure", "Measures", "check_name"]

LONGEST_NAME = 200


def check_name(what: str, name: Any) -> str:
    """The name of a part of a cube."""
    if not isinstance(name, str) or not name.strip() or name != name.strip() or len(name) > LONGEST_NAME:
        raise UsageError(f"a {what} is named by a text without spaces at its ends, not by {name!r:.80}")
    if not name.isprintable():
        raise UsageError(f"the name of a {what} has only characters that are printed, not {name!r:.80}")
    return normalize("NFC", name)


class LiveMeasure(NamedMeasure):
    """A measure of a cube: it is a measure, so it is joined by ``+ - * /`` and compared; what it is called and how it
    is shown can be set.

    >>> cube.measures["Ratio"].format = "0.0%"  # doctest: +SKIP
    """

    __slots__ = ("cube",)
    cube: Any

    def __init__(self, cube: EditedCube, name: str) -> None:
        super().__init__(name)
        object.__setattr__(self, "cube", cube)

    def __repr__(self) -> str:
        there = self.name in self.cube.measures
        return f"<LiveMeasure {self.name}: {self.text}>" if there else f"<LiveMeasure {self.name}, removed>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveMeasure) and self.cube is other.cube and self.name == other.name

    def __hash__(self) -> int:
        return hash((id(self.cube), self.name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("format", "folder", "description"):
            raise AttributeError(f"`{name}` of a measure cannot be set; a new measure is `measures[name] = …`")
        object.__setattr__(self, name, value)

    @property
    def defined(self) -> CubeMeasure:
        """What the cube holds under this name."""
        found: CubeMeasure = self.cube.measures._defined(self.name)
        return found

    @property
    def plain(self) -> Measure:
        """The measure with what its names stand for."""
        known = {each.name: each.measure for each in self.cube._raw.measures}
        return resolved(self.defined.measure, known, (self.name,))

    @property
    def text(self) -> str:
        """Its text: ``[Actual] / [Bid]``."""
        return measure_text(self.defined.measure)

    @property
    def format(self) -> str:
        """How numbers are shown, in the manner of MDX: ``#,##0.00``, ``$#,##0;($#,##0)``, ``Percent``."""
        return self.defined.format

    @format.setter
    def format(self, pattern: str) -> None:
        if not isinstance(pattern, str):
            raise UsageError(f"a format is a text such as '#,##0.00', not {pattern!r:.80}")
        format_value(-1234.5, pattern)
        self._change(format=pattern)

    @property
    def folder(self) -> str:
        """The folder that it is listed in."""
        return self.defined.folder

    @folder.setter
    def folder(self, folder: str) -> None:
        self._change(folder=check_text("folder", folder))

    @property
    def description(self) -> str:
        """What it says, for people."""
        return self.defined.description

    @description.setter
    def description(self, description: str) -> None:
        self._change(description=check_text("description", description))

    def _change(self, **values: str) -> None:
        self.cube._home.put_measure(evolve(self.defined, **values))

    def where(self, condition: Condition) -> Measure:
        """The measure of only those facts that fulfil a condition, too."""
        return self.plain.where(condition)


def check_text(what: str, value: Any) -> str:
    """A text for people."""
    if not isinstance(value, str):
        raise UsageError(f"a {what} is a text, not {value!r:.80}")
    return value


class Measures(Shown, MutableMapping[str, LiveMeasure]):
    """The measures of a cube by name, in their order."""

    def __init__(self, cube: EditedCube) -> None:
        self._cube = cube

    def _defined(self, name: str) -> CubeMeasure:
        for each in self._cube._raw.measures:
            if each.name == name:
                return each
        names = [each.name for each in self._cube._raw.measures]
        raise UnknownName(f"there is no measure `{name!s:.80}`{did_you_mean(str(name), names)}")

    def __getitem__(self, name: str) -> LiveMeasure:
        return LiveMeasure(self._cube, self._defined(name).name)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self._cube._raw.measures)

    def __iter__(self) -> Iterator[str]:
        return iter([each.name for each in self._cube._raw.measures])

    def __len__(self) -> int:
        return len(self._cube._raw.measures)

    def __setitem__(self, name: str, given: Any) -> None:
        """Add or replace a measure; its format, folder and description stay. It is checked by the schema first."""
        name = check_name("measure", name)
        raw = self._cube._raw
        before = {each.name: each for each in raw.measures}
        made = self._read(name, given, before.get(name))
        after = {**{each.name: each.measure for each in raw.measures}, name: made.measure}
        plain = resolved(made.measure, after, (name,))
        check_measure(self._cube._core.schema, raw, plain, name)
        for user in self._users(name):
            resolved(after[user], after, (user,))
        self._cube._home.put_measure(made)

    def _read(self, name: str, given: Any, before: CubeMeasure | None) -> CubeMeasure:
        if isinstance(given, CubeMeasure):
            return evolve(given, name=name, measure=by_name(given.measure, self._cube))
        measure = by_name(read_measure(self._cube.table, given), self._cube)
        if before is not None:
            return evolve(before, measure=measure)
        return CubeMeasure(name, measure, self._format_like(measure))

    def _format_like(self, measure: Measure) -> str:
        """The format of a new measure: that of the first one that it names, unless it is divided."""
        first = next(names_in(measure), None)
        if getattr(measure, "operator", "") == "/" or first is None:
            return "#,##0.00"
        return self._defined(first).format

    def __delitem__(self, name: str) -> None:
        """Remove a measure; not one that others name."""
        self._defined(name)
        if users := self._users(name):
            shown = ", ".join(f"`{each}`" for each in users)
            raise UsageError(f"`{name}` is part of {shown}: remove {'it' if len(users) == 1 else 'them'} first")
        self._cube._home.drop_measure(name)

    def _users(self, name: str) -> list[str]:
        return [each.name for each in self._cube._raw.measures if name in names_in(each.measure)]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("measure", "is", "format", "folder", "description"), [
            (each.name, measure_text(each.measure), each.format, each.folder, each.description)
            for each in self._cube._raw.measures
        ]

    def _title(self) -> str:
        return f"{len(self)} measure{'' if len(self) == 1 else 's'} of {self._cube.name}"
