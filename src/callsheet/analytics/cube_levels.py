"""The hierarchies and levels of a cube, as mappings: ``h["Time"] = ["year(start)", "month(start)"]``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime
from typing import Any

from attrs import evolve

from callsheet.analytics.cube_homes import EditedCube
from callsheet.analytics.cube_measures import check_name, check_text
from callsheet.analytics.cube_reading import read_levels
from callsheet.analytics.display import Shown
from callsheet.analytics.period_conditions import in_period
from callsheet.entity.expressions import compare, listed
from callsheet.errors import AmbiguousName, UnknownName, UsageError
from callsheet.model.cube import CubeHierarchy, CubeLevel
from callsheet.model.language.checking import check_path
from callsheet.model.language.measures import level_text
from callsheet.model.measure import Level
from callsheet.model.query import Condition, Not, Or
from callsheet.model.schema import did_you_mean

__all__ = ["Hierarchies", "Levels", "LiveHierarchy", "LiveLevel"]


class LiveLevel:
    """A level of a cube. Comparing it gives a condition: ``cube.levels["Month"] == date(2026, 3, 1)``."""

    def __init__(self, cube: EditedCube, hierarchy: str, defined: CubeLevel) -> None:
        self._cube, self._hierarchy, self._defined = cube, hierarchy, defined

    def __repr__(self) -> str:
        return f"<LiveLevel {self._hierarchy}.{self.name}: {self.text}>"

    @property
    def name(self) -> str:
        """Its name."""
        return self._defined.name

    @property
    def hierarchy(self) -> LiveHierarchy:
        """The hierarchy that it belongs to."""
        found: LiveHierarchy = self._cube.hierarchies[self._hierarchy]
        return found

    @property
    def text(self) -> str:
        """What facts are grouped by, as text: ``month(start)``."""
        return level_text(self.as_level())

    @property
    def defined(self) -> CubeLevel:
        """What the cube holds."""
        return self._defined

    def as_level(self) -> Level:
        """The level of an aggregate."""
        return Level(self._defined.path, self._defined.band, self.name)

    def as_cube_level(self) -> CubeLevel:
        """The level of another hierarchy."""
        return self._defined

    @property
    def _path(self) -> Any:
        return self._defined.path

    def _kind(self) -> str:
        return check_path(self._path, self._cube._raw.table, self._cube._core.schema)[-1][1].data_type

    def _is(self, value: Any) -> Condition:
        band = self._defined.band
        if band is None:
            return compare(self._path, "=", value)
        if isinstance(value, datetime) or not isinstance(value, date | None):
            raise UsageError(f"a {band} is named by its first day, a date, not by {value!r:.80}")
        return in_period(self._path, band, value, self._kind())

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._is(other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Not(self._is(other))

    def __hash__(self) -> int:
        return hash((self._hierarchy, self._defined.name))

    def in_(self, values: Iterable[Any]) -> Condition:
        """Is one of these members."""
        if self._defined.band is None:
            return listed(self._path, "in", values)
        return Or(tuple(self._is(value) for value in values))

    def __lt__(self, other: Any) -> Condition:
        return compare(self._path, "<", other)

    def __le__(self, other: Any) -> Condition:
        return compare(self._path, "<=", other)

    def __gt__(self, other: Any) -> Condition:
        return compare(self._path, ">", other)

    def __ge__(self, other: Any) -> Condition:
        return compare(self._path, ">=", other)


class LiveHierarchy(Shown, Mapping[str, LiveLevel]):
    """A hierarchy of a cube: its levels by name, from the top down."""

    def __init__(self, cube: EditedCube, defined: CubeHierarchy) -> None:
        self._cube, self._defined = cube, defined

    @property
    def name(self) -> str:
        """Its name."""
        return self._defined.name

    @property
    def defined(self) -> CubeHierarchy:
        """What the cube holds."""
        return self._defined

    @property
    def folder(self) -> str:
        """The folder that it is listed in."""
        return self._defined.folder

    @folder.setter
    def folder(self, folder: str) -> None:
        self._change(folder=check_text("folder", folder))

    @property
    def description(self) -> str:
        """What it is, for people."""
        return self._defined.description

    @description.setter
    def description(self, description: str) -> None:
        self._change(description=check_text("description", description))

    def _change(self, **values: Any) -> None:
        self._defined = evolve(self._defined, **values)
        self._cube._home.put_hierarchy(self._defined)

    def __getitem__(self, name: str) -> LiveLevel:
        for each in self._defined.levels:
            if each.name == name:
                return LiveLevel(self._cube, self.name, each)
        near = did_you_mean(str(name), [each.name for each in self._defined.levels])
        raise UnknownName(f"{self.name} has no level `{name!s:.80}`{near}")

    def __iter__(self) -> Iterator[str]:
        return iter([each.name for each in self._defined.levels])

    def __len__(self) -> int:
        return len(self._defined.levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveHierarchy) and self._cube is other._cube and self._defined == other._defined

    def __hash__(self) -> int:
        return hash((id(self._cube), self.name))

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("level", "is"), [(each.name, level_text(Level(each.path, each.band))) for each in self._defined.levels]

    def _title(self) -> str:
        return f"{self.name}, a hierarchy of {self._cube.name}"


class Hierarchies(Shown, MutableMapping[str, LiveHierarchy]):
    """The hierarchies of a cube by name."""

    def __init__(self, cube: EditedCube) -> None:
        self._cube = cube

    def __getitem__(self, name: str) -> LiveHierarchy:
        for each in self._cube._raw.hierarchies:
            if each.name == name:
                return LiveHierarchy(self._cube, each)
        names = [each.name for each in self._cube._raw.hierarchies]
        raise UnknownName(f"there is no hierarchy `{name!s:.80}`{did_you_mean(str(name), names)}")

    def __iter__(self) -> Iterator[str]:
        return iter([each.name for each in self._cube._raw.hierarchies])

    def __len__(self) -> int:
        return len(self._cube._raw.hierarchies)

    def __setitem__(self, name: str, given: Any) -> None:
        """Add or replace a hierarchy: its levels from the top down, or a `CubeHierarchy`."""
        name = check_name("hierarchy", name)
        before = next((each for each in self._cube._raw.hierarchies if each.name == name), None)
        if isinstance(given, LiveHierarchy):
            given = given.defined
        if isinstance(given, CubeHierarchy):
            levels = read_levels(self._cube.table, given.levels)
            self._cube._home.put_hierarchy(evolve(given, name=name, levels=levels))
            return
        levels = read_levels(self._cube.table, given)
        time = all(each.band is not None for each in levels)
        made = CubeHierarchy(name, levels, time=time) if before is None else evolve(before, levels=levels, time=time)
        self._cube._home.put_hierarchy(made)

    def __delitem__(self, name: str) -> None:
        self._cube._home.drop_hierarchy(self[name].name)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("hierarchy", "levels", "folder", "description"), [
            (each.name, " > ".join(level.name for level in each.levels), each.folder, each.description)
            for each in self._cube._raw.hierarchies
        ]

    def _title(self) -> str:
        number = len(self)
        return f"{number} hierarch{'y' if number == 1 else 'ies'} of {self._cube.name}"


class Levels(Shown, Mapping[str, LiveLevel]):
    """The levels of all hierarchies of a cube.

    A level is looked up by its name, if only one has it, by ``"Hierarchy.Level"``, or by both names as a tuple. The
    keys are the shortest of these.
    """

    def __init__(self, cube: EditedCube) -> None:
        self._cube = cube

    def _all(self) -> list[tuple[str, CubeLevel]]:
        return [(each.name, level) for each in self._cube._raw.hierarchies for level in each.levels]

    def _keys(self) -> list[tuple[str, str, CubeLevel]]:
        """For each level its key, the name of its hierarchy, and itself."""
        every = self._all()
        names = [level.name for _, level in every]
        return [
            (level.name if names.count(level.name) == 1 else f"{hierarchy}.{level.name}", hierarchy, level)
            for hierarchy, level in every
        ]

    def __getitem__(self, name: str | tuple[str, str]) -> LiveLevel:
        every = self._all()
        if isinstance(name, tuple):
            found = [each for each in every if (each[0], each[1].name) == name]
        else:
            found = [each for each in every if each[1].name == name]
            found = found or [each for each in every if f"{each[0]}.{each[1].name}" == name]
        if len(found) == 1:
            return LiveLevel(self._cube, *found[0])
        if found:
            return self._of_own_hierarchy(str(name), found)
        shown = ".".join(map(str, name)) if isinstance(name, tuple) else str(name)
        names = dict.fromkeys((*(level.name for _, level in every), *(key for key, _, _ in self._keys())))
        near = did_you_mean(shown, names)
        raise UnknownName(f"there is no level `{shown:.80}`{near}")

    def _of_own_hierarchy(self, name: str, found: Sequence[tuple[str, CubeLevel]]) -> LiveLevel:
        """Of several levels of a name that whose hierarchy is called so, too."""
        own = [each for each in found if each[0] == name]
        if len(own) == 1:
            return LiveLevel(self._cube, *own[0])
        shown = ", ".join(f"`{hierarchy}.{level.name}`" for hierarchy, level in found)
        raise AmbiguousName(f"several levels are called `{name:.80}`: {shown}")

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]
        except UnknownName:
            return False
        except TypeError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _, _ in self._keys()])

    def __len__(self) -> int:
        return len(self._all())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("level", "hierarchy", "is"), [
            (key, hierarchy, level_text(Level(level.path, level.band))) for key, hierarchy, level in self._keys()
        ]

    def _title(self) -> str:
        return f"{len(self)} level{'' if len(self) == 1 else 's'} of {self._cube.name}"
