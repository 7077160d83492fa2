"""Rows, entities and their bases compared three ways, attribute by attribute, by the policies of a step.

Theory. When the target's value was changed is read from the server's log, for all contested attributes at once, and
only as far back as the oldest edit of the source that contests one: an edit that is not found there is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from attrs import define, field, frozen

from callsheet.core.core import Core
from callsheet.core.ensure import alike
from callsheet.core.past.history import commits_where
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.cells import Cells
from callsheet.sync.finding import Found
from callsheet.sync.policies import Policies, decide
from callsheet.sync.steps import Difference, Disagreement

__all__ = ["Judge", "Judged", "based", "same"]


@frozen
class Judged:
    """What was decided on one row: what changes, and the base that is noted."""

    differences: tuple[Difference, ...]
    base: Mapping[str, Any]


@define(eq=False)
class Judge:
    """Decides on rows whose entity is there, and keeps what was overridden or left open."""

    core: Core
    policies: Policies
    #: The sync's origin in the log: its own commits do not count as edits.
    name: str
    #: The target of the cell that says when the row was changed, and the names of attributes by policy.
    time: str = ""
    paths: Mapping[str, tuple[str, ...]] = field(factory=dict)
    #: The mappings that rows give as a whole.
    whole: frozenset[str] = frozenset()
    conflicts: list[Disagreement] = field(factory=list)
    overridden: list[Disagreement] = field(factory=list)
    _times: dict[tuple[Identity, str], datetime] = field(factory=dict)

    def afresh(self) -> Judge:
        """The judge of other rows of the step."""
        return Judge(self.core, self.policies, self.name, self.time, self.paths, self.whole)

    @property
    def asks(self) -> bool:
        """Whether a policy needs the times of changes."""
        return "newest" in self.policies.used

    def contested(self, base: Mapping[str, Any], values: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
        """The attributes that both sides changed, where the later edit stands."""
        for name, source in values.items():
            if self._policy(name) != "newest" or name not in there or same(there[name], source):
                continue
            old = self._based(base, name, source)
            if old is NOT_SET or not (same(old, source) or same(there[name], old)):
                yield name

    def learn_times(self, contested: Iterable[tuple[Cells, Found, str]]) -> Flow[None]:
        """Read when the target's values were changed."""
        wanted = {(found.identity, name): cells.values.get(self.time) for cells, found, name in contested}
        times = [time for time in wanted.values() if time is not None]
        if not times:
            return
        if not self.core.features.history:
            raise UsageError("this server keeps no history, so nothing says when a value was changed: no `newest`")
        own = f"sync/{quote(self.name, safe='')}/"
        for commit in (yield from commits_where(self.core, 0, None, since=min(times))):
            if commit.origin.startswith(own):
                continue
            for change in commit.changes:
                for name in (*change.after, *change.added, *change.removed):
                    if (change.identity, name) in wanted:
                        self._times[change.identity, name] = commit.time

    def judge(
        self,
        cells: Cells,
        key: tuple[Any, ...],
        found: Found,
        base: Mapping[str, Any],
        values: Mapping[str, Any],
        there: Mapping[str, Any],
    ) -> Judged:
        """Decide on a row: the ``values`` it writes, and what is ``there``."""
        differences: list[Difference] = []
        noted: Mapping[str, Any] = base
        for name, source in values.items():
            if name not in there:
                continue
            target = there[name]
            if isinstance(source, frozenset):
                target = target or frozenset()
            old = self._based(base, name, source)
            if same(target, source) and same(old, source):
                # Most values are what they were.
                continue
            policy = self._policy(name)
            if policy == "merge" and self._is_item(name) and same(old, source):
                # What the target added to the mapping, or did to an item, stays.
                continue
            newer = self._is_newer(cells, found.identity, name)
            verdict = decide(policy, old, source, target, same, newer)
            if verdict.value is not NOT_SET:
                differences.append(Difference(name, target, verdict.value))
            if verdict.base is not NOT_SET:
                noted = {**noted, name: verdict.base}
            if verdict.open or verdict.kept:
                what = Disagreement(cells.number, key, found.identity, name, old, source, target, verdict.kept)
                (self.conflicts if verdict.open else self.overridden).append(what)
        return Judged(tuple(differences), noted)

    def _policy(self, name: str) -> str:
        paths = self.paths.get(name) or self.paths.get(name.partition(".")[0], (name,))
        return self.policies.of(*paths, name)

    def _is_item(self, name: str) -> bool:
        """Whether it is an item of a mapping as a whole."""
        return bool(self.whole) and name.partition(".")[0] in self.whole

    def _based(self, base: Mapping[str, Any], name: str, source: Any) -> Any:
        """The value in the base. An item that a mapping did not have is empty there; without any base it is unknown."""
        old = based(base, name, source)
        return None if old is NOT_SET and base and self._is_item(name) else old

    def _is_newer(self, cells: Cells, identity: Identity, name: str) -> bool | None:
        """Whether the row's edit is the later one; None where the row has no time."""
        time = cells.values.get(self.time)
        if time is None:
            return None
        other = self._times.get((identity, name))
        return other is None or time > other


def based(base: Mapping[str, Any], name: str, source: Any) -> Any:
    """The value in the base; of a collection a set, as everywhere."""
    old = base.get(name, NOT_SET)
    return frozenset(old) if isinstance(source, frozenset) and isinstance(old, list) else old


def same(now: Any, then: Any) -> bool:
    """Whether two values of an attribute mean the same, so that nothing has to be written."""
    if isinstance(now, Identity) and isinstance(then, Identity):
        return bool(now.key == then.key)
    if isinstance(now, frozenset) and isinstance(then, frozenset):
        return {each.key for each in now} == {each.key for each in then}
    return alike(now, then)
