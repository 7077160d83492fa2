"""Where a cube's definition is kept: in the session, or in entities of the server."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import evolve

from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeMeasure
from callsheet.model.named import resolved

__all__ = ["CubeHome", "EditedCube", "SessionHome", "plain_definition"]


class CubeHome(Protocol):
    """A definition that is edited part by part; measures in it may name each other."""

    @property
    def entity(self) -> Any:
        """The entity that it is kept in; None if it is in the session only."""

    @property
    def is_alive(self) -> bool:
        """Whether the cube is neither deleted nor taken back."""

    def read(self) -> CubeDefinition:
        """The definition as it is now, pending changes included."""

    def write(self, definition: CubeDefinition) -> None:
        """Become another definition; only what differs is recorded."""

    def remove(self) -> None:
        """Delete what the definition is kept in."""

    def put_measure(self, measure: CubeMeasure) -> None:
        """Add a measure, or replace the one of its name."""

    def drop_measure(self, name: str) -> None:
        """Remove a measure."""

    def put_hierarchy(self, hierarchy: CubeHierarchy) -> None:
        """Add a hierarchy, or replace the one of its name."""

    def drop_hierarchy(self, name: str) -> None:
        """Remove a hierarchy."""

    def change(self, **values: Any) -> None:
        """Change attributes of the definition: ``description``, ``folder``, ``where``, ``formulas``."""


class EditedCube(Protocol):
    """What the mappings of a cube need of it."""

    _core: Any
    _home: CubeHome

    @property
    def _raw(self) -> CubeDefinition:
        """The definition, with names."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def table(self) -> Any:
        """The table of its facts."""

    @property
    def hierarchies(self) -> Any:
        """Its hierarchies."""

    @property
    def measures(self) -> Any:
        """Its measures."""


class SessionHome:
    """A definition in memory."""

    entity = None
    is_alive = True

    def __init__(self, definition: CubeDefinition) -> None:
        self._definition = definition

    def read(self) -> CubeDefinition:
        return self._definition

    def write(self, definition: CubeDefinition) -> None:
        self._definition = definition

    def remove(self) -> None:
        """Nothing is kept elsewhere."""

    def put_measure(self, measure: CubeMeasure) -> None:
        self.change(measures=_with(self._definition.measures, measure))

    def drop_measure(self, name: str) -> None:
        self.change(measures=_without(self._definition.measures, name))

    def put_hierarchy(self, hierarchy: CubeHierarchy) -> None:
        self.change(hierarchies=_with(self._definition.hierarchies, hierarchy))

    def drop_hierarchy(self, name: str) -> None:
        self.change(hierarchies=_without(self._definition.hierarchies, name))

    def change(self, **values: Any) -> None:
        self._definition = evolve(self._definition, **values)


def _with(parts: tuple[Any, ...], new: Any) -> tuple[Any, ...]:
    found = {each.name: each for each in parts}
    found[new.name] = new
    return tuple(found.values())


def _without(parts: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    return tuple(each for each in parts if each.name != name)


def plain_definition(definition: CubeDefinition) -> CubeDefinition:
    """The definition in which no measure names another."""
    known = {each.name: each.measure for each in definition.measures}
    measures = tuple(evolve(each, measure=resolved(each.measure, known, (each.name,))) for each in definition.measures)
    return evolve(definition, measures=measures)
