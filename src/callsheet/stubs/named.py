"""Types of a schema by their names alone: what a module of ``callsheet stubs --install`` gives at run time.

The real class of a type belongs to a session and its schema. `NamedType` stands for it wherever a script names a type:
``session.query(Task)``, ``Task.bid > 3``, ``isinstance(found, Task)``. Names of attributes are checked by the query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callsheet.entity.entity import Entity
from callsheet.entity.expressions import Expression
from callsheet.model.query import Path, Step
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["NamedType", "named_type", "named_types"]

_UNKNOWN = Schema({"types": {}})


class NamedPath(Expression):
    """A path whose names are not checked before a query takes it."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Expression:
        return NamedPath(_UNKNOWN, None, self._longer(name))

    def cast(self, type_name: str) -> Expression:
        """The same relation, seen as the entity type below."""
        last = self._path.steps[-1]
        return NamedPath(_UNKNOWN, None, Path((*self._path.steps[:-1], Step(last.name, type_name))))


class NamedType(type):
    """The class of stand-ins: reading an attribute of one gives an expression for conditions."""

    def __getattribute__(cls, name: str) -> Any:
        if name.startswith("_"):
            return type.__getattribute__(cls, name)
        return NamedPath(_UNKNOWN, None, Path((Step(name),)))

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Entity) and cls.__name__ in (instance._name, *instance._type.ancestors)

    def __repr__(cls) -> str:
        return f"<type {cls.__name__}>"


def named_type(name: str) -> NamedType:
    """The stand-in for the entity type of this name.

    >>> task = named_type("Task")
    >>> (task.name == "anim").value
    'anim'
    """
    return NamedType(name, (), {"__slots__": (), "__module__": "callsheet.entities"})


def named_types(module: str, names: Mapping[str, str], data: tuple[str, ...] = ()) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that gives a stand-in for each type; ``data`` are names of dictionaries."""
    made: dict[str, Any] = dict.fromkeys(data, dict)

    def get(name: str) -> Any:
        if name not in made and name in names:
            made[name] = named_type(names[name])
        if name not in made:
            raise AttributeError(f"module {module!r} has no attribute {name!r}{did_you_mean(name, names)}")
        return made[name]

    return get
