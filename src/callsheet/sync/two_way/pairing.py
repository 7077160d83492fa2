"""What corresponds to what in a two-way sync: types, their attributes, and the policies of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from callsheet.errors import UsageError

__all__ = ["Carried", "SideName", "TypePair", "checked", "mapping_names"]

SideName: TypeAlias = Literal["left", "right"]
POLICIES = ("left", "right", "newest", "raise", "merge")
DELETES = ("keep", "delete", "omit")
CREATES = ("both", "left", "right", "none")


@frozen
class Carried:
    """How one attribute corresponds: its name on the right, and (``values``) which values there stand for the left's.

    ``only`` is ``"left"`` or ``"right"`` where one side is written and the other decides.

    >>> Carried("status", values={"In Progress": "wip"}).to
    'status'
    """

    to: str
    values: Mapping[Any, Any] = field(factory=dict)
    only: str = ""


@frozen
class TypePair:
    """One type of the left side and one of the right, and how their attributes correspond.

    ``attributes`` maps names of the left to names (or `Carried`) of the right; in a sequence, the names are the same on
    both sides. ``adopt`` are left attributes by which rows that are there on both sides are paired. ``conflicts`` is
    the policy where both sides changed a value: ``"left"``, ``"right"``, ``"newest"``, ``"merge"`` or ``"raise"``, or a
    dict by left attribute (others: ``"raise"``). ``delete`` says what becomes of a row whose partner is gone:
    ``"keep"``, ``"delete"`` or ``"omit"``; never of more than the share ``max_deleted``. ``creates`` says on which side
    rows are made that are missing there: ``"both"``, ``"left"``, ``"right"`` or ``"none"``.

    >>> TypePair("Shot", "Shot", ["name", "parent"], adopt=("parent", "name")).columns
    {'name': Carried(to='name', values={}, only=''), 'parent': Carried(to='parent', values={}, only='')}
    """

    left: str
    right: str
    attributes: Mapping[str, str | Carried] | Sequence[str] = ()
    adopt: Sequence[str] = ()
    conflicts: str | Mapping[str, str] = "raise"
    delete: str = "keep"
    creates: str = "both"
    max_deleted: float = 0.1

    @property
    def columns(self) -> dict[str, Carried]:
        """How each left attribute corresponds."""
        if isinstance(self.attributes, Mapping):
            return {n: each if isinstance(each, Carried) else Carried(each) for n, each in self.attributes.items()}
        return {name: Carried(name) for name in self.attributes}

    def policy(self, name: str) -> str:
        """The policy of a left attribute."""
        return self.conflicts if isinstance(self.conflicts, str) else self.conflicts.get(name, "raise")

    def type(self, side: SideName) -> str:
        """The name of the type on a side."""
        return self.left if side == "left" else self.right

    def names(self, side: SideName) -> tuple[str, ...]:
        """The attributes that are read of a side."""
        return tuple(self.columns) if side == "left" else tuple(each.to for each in self.columns.values())

    def creates_on(self, side: SideName) -> bool:
        """Whether rows that are missing on a side are made there."""
        return self.creates in ("both", side)


def mapping_names(pairs: Sequence[TypePair]) -> list[list[str]]:
    """The types and attributes that are read, as plain data: what was read for others has to be read again.

    >>> mapping_names([TypePair("Shot", "Shot", {"name": "code"})])
    [['Shot', 'Shot', 'name', 'code']]
    """
    return [
        [pair.left, pair.right, *(text for name, each in sorted(pair.columns.items()) for text in (name, each.to))]
        for pair in pairs
    ]


def checked(pairs: Any) -> tuple[TypePair, ...]:
    """The pairs, in order; `UsageError` has all that is wrong with them."""
    if isinstance(pairs, TypePair):
        pairs = (pairs,)
    if not isinstance(pairs, list | tuple) or not all(isinstance(each, TypePair) for each in pairs) or not pairs:
        raise UsageError(f"the mapping of a two-way sync is a list of TypePair, not {pairs!r:.80}")
    problems = [f"{each.left} and {each.right}: {wrong}" for each in pairs for wrong in _problems(each)]
    for side in ("left", "right"):
        types = [getattr(each, side) for each in pairs]
        problems += [
            f"{name} of the {side} is in several pairs" for name in sorted(set(types)) if types.count(name) > 1
        ]
    if problems:
        raise UsageError("; ".join(problems))
    return tuple(pairs)


def _problems(pair: TypePair) -> Iterator[str]:
    policies = (pair.conflicts,) if isinstance(pair.conflicts, str) else pair.conflicts.values()
    yield from (
        f"conflicts: {each!r:.60} is none of {', '.join(POLICIES)}" for each in policies if each not in POLICIES
    )
    given = () if isinstance(pair.conflicts, str) else pair.conflicts
    yield from (f"{name!r} is not among the attributes" for name in (*pair.adopt, *given) if name not in pair.columns)
    if pair.delete not in DELETES:
        yield f"delete is one of {', '.join(DELETES)}, not {pair.delete!r:.60}"
    if pair.creates not in CREATES:
        yield f"creates is one of {', '.join(CREATES)}, not {pair.creates!r:.60}"
    if isinstance(pair.max_deleted, bool) or not 0 <= pair.max_deleted <= 1:
        yield f"max_deleted is a share from 0 to 1, not {pair.max_deleted!r:.60}"
    for name, each in pair.columns.items():
        if each.only not in ("", "left", "right"):
            yield f"`only` of {name} is left or right, not {each.only!r:.60}"
        if len(set(each.values.values())) < len(each.values):
            yield f"`values` of {name} gives two values of the left the same on the right"
