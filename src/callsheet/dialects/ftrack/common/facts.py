"""The documents in ``data/`` as typed tables: facts of ftrack, each in one place, read by both halves.

A document is read when one of its facts is first needed. msgspec makes its tables, because a session that opens has
msgspec loaded, and not cattrs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any, Generic, TypeVar, get_origin

import msgspec

__all__ = ["FactNames", "FactTable", "facts_in", "facts_of"]

T = TypeVar("T")


class FactTable(Generic[T]):
    """Facts by name: ``Type`` or ``Type.attribute``, where ``*`` stands for any letters.

    ``line`` is a type and its ancestors, the type first: a fact of a type holds for the types below it.

    >>> table = FactTable({"*.children": "parent", "Context.assets": "parent"})
    >>> table.find(["Shot", "Context"], "children"), table.find(["Shot", "Context"], "notes")
    ('parent', None)
    """

    def __init__(self, facts: Mapping[str, T]) -> None:
        self.facts = facts
        self._patterns = sorted((name for name in facts if "*" in name), key=len, reverse=True)
        self._exact: dict[str, dict[str, T]] = {}
        for name, fact in facts.items():
            kind, _, attribute = name.partition(".")
            self._exact.setdefault(attribute, {})[kind] = fact
        # Patterns by attribute, so that most look-ups try none.
        ends = {name: name.partition(".")[2] for name in self._patterns}
        self._open = [name for name in self._patterns if "*" in ends[name]]
        self._fitting = {
            attribute: [name for name in self._patterns if ends[name] == attribute or "*" in ends[name]]
            for attribute in ends.values()
        }

    def find(self, line: Sequence[str], attribute: str) -> T | None:
        """The fact of an attribute: by the exact name of the nearest type, else by the longest pattern."""
        exact = self._exact.get(attribute)
        if exact is not None:
            for name in line:
                if name in exact:
                    return exact[name]
        for pattern in self._fitting.get(attribute, self._open):
            if any(fnmatchcase(f"{name}.{attribute}", pattern) for name in line):
                return self.facts[pattern]
        return None

    def of_type(self, name: str) -> T | None:
        """The fact of a type; None also where the fact is the type itself."""
        patterns = (pattern for pattern in self._patterns if fnmatchcase(name, pattern))
        nearest = name if name in self.facts else next(patterns, None)
        found = None if nearest is None else self.facts[nearest]
        return None if found == name else found


class FactNames:
    """The names for which a fact holds, written as in `FactTable`.

    >>> FactNames(["*.link", "Note.date"]).holds(["Task", "Context"], "link")
    True
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._table = FactTable(dict.fromkeys(names, True))

    @property
    def names(self) -> Collection[str]:
        return self._table.facts.keys()

    def holds(self, line: Sequence[str], attribute: str) -> bool:
        """Whether the fact holds for an attribute of a type or of its ancestors."""
        return self._table.find(line, attribute) is not None


def facts_in(document: str, kind: type[T]) -> T:
    """The facts of a document in ``data/``; `ValueError`, with file and path, where it has another form."""
    text = (resources.files("callsheet.dialects.ftrack.data") / document).read_text(encoding="utf-8")
    return facts_of(tomllib.loads(text), kind, document)


def facts_of(tables: Any, kind: type[T], document: str) -> T:
    """The facts of a document's tables."""
    try:
        return msgspec.convert(tables, kind, dec_hook=_table)
    except msgspec.ValidationError as error:
        raise ValueError(f"{document}: {error}") from None


def _table(kind: type[Any], found: Any) -> Any:
    if get_origin(kind) is FactTable and isinstance(found, dict):
        wrong = next((name for name, fact in found.items() if not isinstance(fact, str)), None)
        if wrong is None:
            return FactTable(found)
        raise ValueError(f"`{wrong}` must be a text, not {found[wrong]!r:.80}")
    if kind is FactNames and isinstance(found, list) and all(isinstance(name, str) for name in found):
        return FactNames(found)
    raise ValueError("this must be a list of names" if kind is FactNames else "this must be a table of texts")
