"""A catalog: things that have names, in their order, at once a sequence and a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar, overload

from callsheet.analytics.display import Shown
from callsheet.errors import AmbiguousName, UnknownName
from callsheet.model.schema import did_you_mean

__all__ = ["Catalog", "Named"]


class Named(Protocol):
    """A thing in a catalog."""

    @property
    def name(self) -> str:
        """The name in the schema."""
        ...

    @property
    def _names(self) -> tuple[str, ...]:
        """All names it can be looked up by; the last one is its own, whatever else is called so."""
        ...

    @property
    def _cells(self) -> tuple[str, ...]:
        """What a table of the catalog shows of it."""
        ...


N = TypeVar("N", bound=Named)
D = TypeVar("D")


class Catalog(Shown, Sequence[N]):
    """Things in their order, looked up by place or by any of their names; iterating gives the things.

    A name that several things have is an error that lists them; `keys` are names that only one thing has. Names are
    compared exactly. ``in`` takes a name, or a thing.
    """

    def __init__(self, what: str, columns: tuple[str, ...], things: Sequence[N]) -> None:
        self._what, self._columns, self._things = what, columns, tuple(things)
        self._by_name: dict[str, list[N]] = {}
        self._by_last = {thing._names[-1]: thing for thing in self._things}
        for thing in self._things:
            for name in dict.fromkeys(thing._names):
                self._by_name.setdefault(name, []).append(thing)

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[N]:
        return iter(self._things)

    def __contains__(self, wanted: object) -> bool:
        if isinstance(wanted, str):
            return wanted in self._by_name
        return any(wanted is thing or (type(wanted) is type(thing) and bool(wanted == thing)) for thing in self._things)

    @overload
    def __getitem__(self, key: int | str) -> N: ...
    @overload
    def __getitem__(self, key: slice) -> list[N]: ...
    def __getitem__(self, key: int | str | slice) -> N | list[N]:
        if isinstance(key, slice):
            return list(self._things[key])
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise TypeError(f"a {self._what} is looked up by its place or its name, not by {key!r:.80}")
        if isinstance(key, int):
            try:
                return self._things[key]
            except IndexError:
                raise IndexError(f"there is no {self._what} {key}: there are {len(self)}") from None
        return self._named(key)

    def _named(self, name: str) -> N:
        if name in self._by_last:
            return self._by_last[name]
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            choices = ", ".join(f"`{thing._names[-1]}`" for thing in found)
            raise AmbiguousName(f"several {self._what}s are called `{name:.80}`: {choices}; look it up by one of these")
        raise UnknownName(f"there is no {self._what} `{name:.80}`{did_you_mean(name, self.names_like(name))}")

    @overload
    def get(self, key: int | str) -> N | None: ...
    @overload
    def get(self, key: int | str, default: D) -> N | D: ...
    def get(self, key: int | str, default: Any = None) -> Any:
        """The thing of this name or place; the default if there is none. A name of several is an error here, too."""
        if isinstance(key, str) and key not in self._by_name:
            return default
        try:
            return self[key]
        except IndexError:
            return default

    def names_like(self, name: str) -> list[str]:
        """All names that things can be looked up by; those after the name of a table only for a name like that."""
        return [each for each in self._by_name if "." in name or "." not in each]

    def keys(self) -> list[str]:
        """A name for each thing that no other has, in the order of the things."""
        return [self._key(thing) for thing in self._things]

    def values(self) -> list[N]:
        """The things."""
        return list(self._things)

    def items(self) -> list[tuple[str, N]]:
        """Pairs of key and thing."""
        return [(self._key(thing), thing) for thing in self._things]

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The place of a thing, or of the thing of a name."""
        wanted = self[value] if isinstance(value, str) else value
        for place in range(*slice(start, stop).indices(len(self))):
            thing = self._things[place]
            if wanted is thing or (type(wanted) is type(thing) and bool(wanted == thing)):
                return place
        raise ValueError(f"{value!r:.80} is no {self._what} of these")

    def count(self, value: Any) -> int:
        """How many things have this name, or are this thing."""
        return len(self._by_name.get(value, ())) if isinstance(value, str) else int(value in self)

    def _key(self, thing: N) -> str:
        alone = thing.name not in self._by_last and len(self._by_name[thing.name]) == 1
        return thing.name if alone else thing._names[-1]

    def _ipython_key_completions_(self) -> list[str]:
        return [name for name, found in self._by_name.items() if len(found) == 1 or name in self._by_last]

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return self._columns, [thing._cells for thing in self._things]

    def _title(self) -> str:
        return f"{len(self)} {self._what}{'' if len(self) == 1 else 's'}"
