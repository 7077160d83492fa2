"""Conflict policies: what an attribute becomes when its row, its entity, or both were changed since the base.

Theory. The base is the value that the source had when the target was last brought in line with it. Against it each
side either changed or did not. Where only the source did, its value is written. Where the target did, the policy of
the attribute decides. After a decision the base becomes the source's value, so the next run neither decides again on
the same edit of the target nor loses it. A base that is not known counts as different from both.

=========== =========================================================================
``source``  the source's value is written (a session's word is *ours*)
``target``  the target keeps its own (*theirs*)
``newest``  the later of the two edits stands
``merge``   of lists and collections, what either side added and nothing that either removed; else as ``raise``
``raise``   nothing is written; the plan lists it as a conflict until somebody decides
=========== =========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET
from callsheet.model.schema import did_you_mean

__all__ = ["POLICIES", "Policies", "Verdict", "as_policies", "decide", "merged"]

POLICIES = ("source", "target", "newest", "raise", "merge")
Kept: TypeAlias = Literal["source", "target", ""]


@frozen
class Policies:
    """The policy of each attribute path; ``otherwise`` is that of the others."""

    by_path: Mapping[str, str] = field(factory=dict)
    otherwise: str = "source"

    def of(self, *names: str) -> str:
        """The policy of an attribute, by the first of its names that has one."""
        return next((self.by_path[name] for name in names if name in self.by_path), self.otherwise)

    @property
    def used(self) -> frozenset[str]:
        """The policies that occur."""
        return frozenset((self.otherwise, *self.by_path.values()))


@frozen
class Verdict:
    """What becomes of one attribute.

    ``value`` is what the target gets, ``base`` what is noted (`NOT_SET`: nothing changes). ``kept`` says whose edit
    stands where the other's does not; an ``open`` conflict leaves both as they are.
    """

    value: Any = NOT_SET
    base: Any = NOT_SET
    kept: Kept = ""
    open: bool = False


def as_policies(given: Any, known: Iterable[str]) -> Policies | None:
    """Policies from what a caller gives: None, one for all attributes, or a dict by attribute path (others: source)."""
    if given is None:
        return None
    found = Policies(given) if isinstance(given, Mapping) else Policies({}, given)
    paths = list(known)
    problems = [
        f"conflicts: {each!r:.60} is no policy; they are {', '.join(POLICIES)}"
        for each in (*found.by_path.values(), found.otherwise)
        if not isinstance(each, str) or each not in POLICIES
    ]
    problems += [
        f"conflicts: `{path}` gets no value from the rows{did_you_mean(str(path), paths)}"
        for path in found.by_path
        if path not in paths
    ]
    if problems:
        raise UsageError("; ".join(problems))
    return found


def decide(
    policy: str, base: Any, source: Any, target: Any, same: Callable[[Any, Any], bool], newer: bool | None = None
) -> Verdict:
    """The verdict on one attribute.

    ``same`` says whether two values mean the same, ``newer`` whether the source's edit is the later one (None: its
    time is not known).

    >>> decide("target", base=1, source=2, target=3, same=int.__eq__)
    Verdict(value=NOT_SET, base=2, kept='target', open=False)
    """
    if same(target, source):
        return Verdict(base=source)
    known = base is not NOT_SET
    if known and same(target, base):
        return Verdict(source, source)
    source_changed = not known or not same(source, base)
    if policy == "newest" and source_changed:
        policy = "raise" if newer is None else "source" if newer else "target"
    elif policy == "newest":
        policy = "target"
    if policy == "merge" and _is_many(source, target):
        value = merged(base if known else None, source, target)
        return Verdict(NOT_SET if same(target, value) else value, source)
    if policy == "source":
        return Verdict(source, source, "source")
    if policy == "target":
        return Verdict(base=source, kept="target" if source_changed else "")
    return Verdict(open=True)


def _is_many(source: Any, target: Any) -> bool:
    many = (list, tuple, frozenset)
    return (isinstance(source, many) or source is None) and (isinstance(target, many) or target is None)


def merged(base: Any, source: Any, target: Any) -> Any:
    """What either side added to the base, without what either removed; lists keep the target's order.

    >>> merged(["a", "b"], ["a", "b", "c"], ["b", "d"])
    ['b', 'd', 'c']
    """
    old, mine, theirs = (list(each or ()) for each in (base, source, target))
    removed = [each for each in old if each not in mine or each not in theirs]
    both = [*theirs, *(each for each in mine if each not in theirs)]
    kept = [each for each in both if each not in removed]
    return frozenset(kept) if isinstance(source, frozenset) or isinstance(target, frozenset) else kept
