"""Places in a query as JSON, and the errors that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from callsheet.errors import QueryError, UsageError
from callsheet.model.record import Identity
from callsheet.model.scalar import INTEGER_LIMIT, shown
from callsheet.model.schema import did_you_mean

__all__ = ["Place", "at", "is_entity", "is_list", "names", "number", "place_text", "read", "wrong"]

Place: TypeAlias = tuple[str | int, ...]


def number(value: Any, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < INTEGER_LIMIT:
        raise wrong(place, f"takes a whole number from 0, not {shown(value)}")
    return value


def is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and not isinstance(value, Identity)


def is_entity(value: Any) -> bool:
    """Whether this is an entity, which a caller in Python may give as a value; entities are mappings, too."""
    return isinstance(getattr(value, "identity", None), Identity)


def names(data: Any, names: Iterable[str], place: Place) -> None:
    """Raise unless this is an object with no other keys."""
    known = tuple(names)
    if not isinstance(data, Mapping):
        raise wrong(place, f"takes an object, not {shown(data)}", f"with {', '.join(f'`{name}`' for name in known)}")
    for key in data:
        if key not in known:
            near = did_you_mean(key, known) if isinstance(key, str) else ""
            raise wrong((*place, key), f"there is no such word{near}", f"one of {', '.join(known)}")


def read(rule: Callable[[str], Any], text: Any, place: Place) -> Any:
    if not isinstance(text, str):
        raise wrong(place, f"takes a text, not {shown(text)}")
    with at(place):
        return rule(text)


@contextmanager
def at(place: Place) -> Iterator[None]:
    try:
        yield
    except QueryError as error:
        raise wrong(place, error.message, error.hint) from None
    except UsageError as error:
        raise wrong(place, str(error)) from None


def wrong(place: Place, message: str, hint: str = "") -> QueryError:
    return QueryError(message, hint=hint, place=place_text(place))


def place_text(place: Place) -> str:
    """A place as it is written: ``__query__.name``, ``__query__.__or__[1]``.

    >>> place_text(("__query__", "__or__", 1, "name"))
    '__query__.__or__[1].name'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) and not isinstance(part, bool) else f".{part!s:.80}"
    return text.removeprefix(".")
