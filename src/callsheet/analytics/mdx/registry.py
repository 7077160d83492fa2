"""Which functions there are: each is declared with its signature, and found by name and by how it is written.

A signature is written as a call: ``Head(set, number?)`` is a function, ``member.Lag(number)`` a method, and
``member.Children`` a property. The words in it are kinds of arguments: ``?`` may be left out, ``*`` may be repeated.

=========== ==========================================================================================================
kind        what the function gets
=========== ==========================================================================================================
set         a list of tuples of members
tuple       a tuple of members
member      one member; of a hierarchy its current one
level       a level
hierarchy   a hierarchy; of a dimension its first one
number      a number or None
text        a text or None
truth       True or False
value       a number, a text, truth or None
any         what the argument is, not converted
node        the expression itself, to be evaluated in several contexts
word        a word of the language, in capitals
=========== ==========================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

from callsheet.analytics.mdx.errors import MdxError, nearest_name

__all__ = ["FUNCTIONS", "MdxFunction", "find_function", "is_property", "mdx_function"]

_F = TypeVar("_F", bound=Callable[..., Any])
_SIGNATURE = re.compile(r"^(?:(?P<first>\w+)\.)?(?P<name>\w+)(?P<call>\((?P<rest>.*)\))?$")


@frozen
class MdxFunction:
    """A function: its signature, its kinds of arguments, and what computes it."""

    signature: str
    name: str
    style: str
    kinds: tuple[str, ...]
    least: int
    most: int | None
    compute: Callable[..., Any]
    family: str

    def kind(self, place: int) -> str:
        """The kind of the argument at a place, from 0."""
        return self.kinds[min(place, len(self.kinds) - 1)]

    def takes(self, count: int) -> bool:
        """True if it can be called with so many arguments."""
        return self.least <= count and (self.most is None or count <= self.most)


FUNCTIONS: dict[str, list[MdxFunction]] = {}
"""All functions by their name in small letters."""


def mdx_function(*signatures: str) -> Callable[[_F], _F]:
    """Declare a function by its signatures."""

    def declare(compute: _F) -> _F:
        for signature in signatures:
            made = _function(signature, compute)
            FUNCTIONS.setdefault(made.name.lower(), []).append(made)
        return compute

    return declare


def _function(signature: str, compute: Callable[..., Any]) -> MdxFunction:
    match = _SIGNATURE.match(signature)
    assert match is not None, signature
    first, rest = match["first"], match["rest"]
    words = ([first] if first else []) + [word.strip() for word in (rest or "").split(",") if word.strip()]
    style = "function" if not first else ("method" if match["call"] else "property")
    least = sum(not word.endswith(("?", "*")) for word in words)
    most = None if words and words[-1].endswith("*") else len(words)
    kinds = tuple(word.rstrip("?*") for word in words)
    family = compute.__module__.rpartition(".")[2]
    return MdxFunction(signature, match["name"], style, kinds, least, most, compute, family)


def is_property(name: str) -> bool:
    """True if ``x.name`` is a call."""
    return any(each.style == "property" for each in FUNCTIONS.get(name.lower(), ()))


def find_function(name: str, style: str, count: int) -> MdxFunction:
    """The function with this name; `MdxError` if there is none, or none with so many arguments."""
    known = FUNCTIONS.get(name.lower())
    if not known:
        names = {each[0].name for each in FUNCTIONS.values()}
        raise MdxError(f"there is no function `{name}`", -1, nearest_name(name, names))
    fitting = [each for each in known if each.takes(count)]
    for wanted in ((style,), ("method", "property") if style != "function" else ()):
        for each in fitting:
            if each.style in wanted:
                return each
    forms = ", ".join(each.signature for each in known)
    raise MdxError(f"`{name}` is not called like this with {count} arguments", -1, f"it is: {forms}")
