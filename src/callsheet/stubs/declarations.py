"""What stub files are made of: to type checkers, these classes say what attributes hold and what paths compare with.

Theory. `Entity` and `Expression` have a ``__getattr__``, because their attributes come with the schema: to a checker
every name is right. A stub knows the names. So its classes take ``__getattr__`` away again: here the name is declared
as None, which both mypy and pyright read as *there is no such method*. Nothing of this exists at run time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, Never, TypeAlias, TypeVar, overload

from callsheet.entity.collection import MappingView
from callsheet.entity.entity import Entity, EntityClass
from callsheet.entity.expressions import Expression
from callsheet.model.query import Comparison
from callsheet.model.record import Identity
from callsheet.session.accessors import AsyncTypeAccessor, TypeAccessor

if TYPE_CHECKING:
    from callsheet.session.query import Query

__all__ = [
    "ComputedAttribute",
    "DictAnswer",
    "EntityAnswer",
    "EntityPath",
    "ItemsPath",
    "ListAnswer",
    "Moment",
    "NumberAnswer",
    "ScalarPath",
    "TextAnswer",
    "TypedAccessor",
    "TypedAsyncAccessor",
    "TypedAttribute",
    "TypedEntity",
    "TypedItems",
    "TypedPath",
]

R = TypeVar("R")
W = TypeVar("W")
P = TypeVar("P")
V = TypeVar("V")
K = TypeVar("K")
E = TypeVar("E", bound=Entity)

#: What a time can be compared with.
Moment: TypeAlias = datetime | date | str


class TypedClass(EntityClass):
    """The class of an entity class whose attributes are declared."""

    if TYPE_CHECKING:
        __getattr__: None  # type: ignore[assignment, misc]


class TypedEntity(Entity, metaclass=TypedClass):
    """An entity whose attributes are declared, so that any other name is an error."""

    __slots__ = ()

    if TYPE_CHECKING:
        __getattr__: None  # type: ignore[assignment, misc]
        __setattr__: None  # type: ignore[assignment, misc]


class EntityAnswer(Entity):
    """An entity that a method gives: it is there in a session that blocks, and awaited in another."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, Entity]: ...


class ListAnswer(list[V]):
    """The same for a list."""

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, list[V]]: ...


class DictAnswer(dict[K, V]):
    """The same for a dict."""

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, dict[K, V]]: ...


class TextAnswer(str):
    """The same for a text."""

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, str]: ...


class NumberAnswer(int):
    """The same for a whole number."""

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, int]: ...


class TypedAttribute(Generic[R, W, P]):
    """An attribute that is read as ``R`` and written as ``W``; on the class it is the path ``P``."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any) -> P: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> R: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: W) -> None: ...


class ComputedAttribute(Generic[R, P]):
    """An attribute that is read as ``R`` and cannot be set."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any) -> P: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> R: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: Never) -> None: ...


class TypedItems(MappingView):
    """The items of a mapping whose keys are declared: custom attributes."""

    __slots__ = ()


class TypedPath(Expression):
    """A path whose attributes are declared."""

    __slots__ = ()

    if TYPE_CHECKING:
        __getattr__: None  # type: ignore[assignment, misc]


class ScalarPath(TypedPath, Generic[V]):
    """A path to a value that is compared with ``V``."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __eq__(self, other: V | None) -> Comparison: ...  # type: ignore[override]
        def __ne__(self, other: V | None) -> Comparison: ...  # type: ignore[override]
        def __lt__(self, other: V) -> Comparison: ...
        def __le__(self, other: V) -> Comparison: ...
        def __gt__(self, other: V) -> Comparison: ...
        def __ge__(self, other: V) -> Comparison: ...
        def in_(self, values: Iterable[V | None] | Query[Any]) -> Comparison: ...
        def not_in(self, values: Iterable[V | None] | Query[Any]) -> Comparison: ...


class EntityPath(TypedPath, Generic[E]):
    """A path to an entity, or to the members of a collection; a text is compared with its label."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __eq__(self, other: E | Identity | str | None) -> Comparison: ...  # type: ignore[override]
        def __ne__(self, other: E | Identity | str | None) -> Comparison: ...  # type: ignore[override]
        def in_(self, values: Iterable[E | Identity | str | None] | Query[Any]) -> Comparison: ...
        def not_in(self, values: Iterable[E | Identity | str | None] | Query[Any]) -> Comparison: ...


class ItemsPath(TypedPath, Generic[V]):
    """A path to the items of a mapping; an item's key leads on."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getitem__(self, name: str) -> ScalarPath[V]: ...


class TypedAccessor(TypeAccessor[E]):
    """The verbs of an entity type whose attributes are declared."""

    __slots__ = ()

    if TYPE_CHECKING:
        __getattr__: None  # type: ignore[assignment, misc]


class TypedAsyncAccessor(AsyncTypeAccessor[E]):
    """The same, awaited."""

    __slots__ = ()

    if TYPE_CHECKING:
        __getattr__: None  # type: ignore[assignment, misc]
