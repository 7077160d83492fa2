"""What becomes of the entities in scope that no row names: kept, deleted, or given other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.model.query import Condition, Path, Step
from callsheet.model.record import Identity
from callsheet.sync.finding import Found, find, find_each
from callsheet.sync.judging import same
from callsheet.sync.layout import RowLayout
from callsheet.sync.linking import RowLinks
from callsheet.sync.listed_parents import ListedParents
from callsheet.sync.listed_values import spread
from callsheet.sync.row_values import Constants, constant_values
from callsheet.sync.steps import Difference, Modification, Removal

__all__ = ["Ending", "ScopeEnding", "as_ending"]

BELOW = 1_000
"""Parents whose children are read at once."""
CHOICES: dict[str, Any] = {"keep": None, "delete": "delete", "omit": {"status.name": "Omitted"}}
Ending = Any
"""None: nothing ends; "delete"; a dict of values; or a function that gives one of the words or a dict."""


def as_ending(delete: Any) -> Ending:
    """What ``delete`` says; `UsageError` for what says nothing."""
    if callable(delete):
        return delete
    if isinstance(delete, Mapping):
        return delete or None
    if not isinstance(delete, str) or delete not in CHOICES:
        words = '"keep", "delete", "omit", a dict of values or a function that gives one of these'
        raise UsageError(f"delete is {words}, not {delete!r:.80}")
    return CHOICES[delete]


@define(eq=False)
class ScopeEnding:
    """Finds the entities in scope, and plans the end of those that no row names."""

    core: Core
    layout: RowLayout
    scope: Condition | None
    ending: Ending
    linking: RowLinks | None = None
    #: Of rows within rows: the entities below which those without a row end.
    parents: ListedParents | None = None
    removals: list[Removal] = field(factory=list)
    changed: list[Modification] = field(factory=list)
    in_scope: int = 0
    _constants: dict[str, Constants] = field(factory=dict)

    def find_scope(self, take: Callable[[list[Found]], object]) -> Flow[None]:
        """Call the function with all entities in scope, a page at a time.

        Values that entities without a row get are checked before, so that they are refused even if all have a row.
        """
        if isinstance(self.ending, Mapping):
            yield from self._constants_of(self.ending)

        def count(found: list[Found]) -> None:
            self.in_scope += len(found)
            take(found)

        if self.parents is not None:
            yield from self._find_below(self.parents, count)
            return
        if self.linking is not None and self.linking.external:
            count((yield from self.linking.linked_entities([], self.scope)))
            return
        paths = [self.layout.targets[name].path for name in self.layout.keys]
        yield from find_each(self.core, self.layout.entity_type, paths, (), self.scope, count)

    def _find_below(self, parents: ListedParents, take: Callable[[list[Found]], object]) -> Flow[None]:
        """Call the function with all children of the parents in scope."""
        reference = self.layout.entity_type.attribute(parents.reference)
        above = self.core.schema.types[str(reference.target)]
        way = Path((Step(reference.name), Step(above.key[0])))
        external = self.linking is not None and self.linking.external
        paths = [] if external else [self.layout.targets[name].path for name in self.layout.keys]
        left = parents.keys()
        while keys := list(islice(left, BELOW)):
            below = yield from find(self.core, self.layout.entity_type, [way], ((k,) for k in keys), paths, self.scope)
            found = [each for entities in below.values() for each in entities]
            if self.linking is not None and external:
                take((yield from self.linking.with_links(found)))
            else:
                take([each._replace(key=each.values, values=()) for each in found])

    def end(self, rest: Sequence[Found]) -> Flow[None]:
        """Plan the end of entities that no row names, unless a refused row means them."""
        meant = self.linking.meant if self.linking is not None else ()
        groups: dict[str, tuple[Mapping[str, Any], list[Found]]] = {}
        for each in rest:
            ending = None if each.key in meant else self._decided(each)
            if ending == "delete":
                self.removals.append(Removal(each.key, each.identity, each.version))
            elif ending is not None:
                groups.setdefault(repr(ending), (ending, []))[1].append(each)
        for values, found in groups.values():
            yield from self._change(values, found)

    def _decided(self, each: Found) -> Ending:
        if not callable(self.ending):
            return self.ending
        key = self.layout.entity_type.key
        own = each.identity.key if len(key) == 1 else dict(zip(key, each.identity.key))
        try:
            given = self.ending({"id": own, **dict(zip(self.layout.keys, each.key))})
        except Exception as error:
            what = f"the function that decides on {each.key!r:.80}, which has no row, failed"
            raise UsageError(f"delete: {what}: {type(error).__name__}: {error}") from error
        if callable(given):
            raise UsageError("delete: the function gives a word or a dict of values, not another function")
        return as_ending(given)

    def _change(self, values: Mapping[str, Any], found: list[Found]) -> Flow[None]:
        """Give entities without a row these values."""
        constants = yield from self._constants_of(values)
        names = {each.identity: each.key for each in found}
        keys = [each.key if isinstance(each.key, tuple) else (each.key,) for each in names]
        paths = [Path.of(name) for name in self.layout.entity_type.key]
        held = [target.held for target, _ in constants]
        whole = [target.name for target, _ in constants if target.writes == "items"]
        there = yield from find(self.core, self.layout.entity_type, paths, keys, held)
        for each in (each for entities in there.values() for each in entities):
            after = {target.name: value for target, value in constants}
            now = {target.name: value for value, (target, _) in zip(each.values, constants)}
            spread(self.layout.entity_type, whole, (), after, now)
            changes = [(name, now.get(name), value) for name, value in after.items()]
            differences = tuple(Difference(*change) for change in changes if not same(*change[1:]))
            if differences:
                own = names[each.identity]
                self.changed.append(Modification(0, own, each.identity, each.version, differences))

    def _constants_of(self, values: Mapping[str, Any]) -> Flow[Constants]:
        text = repr(values)
        if text not in self._constants:
            name = self.layout.entity_type.name
            self._constants[text] = yield from constant_values(self.core, name, values, "delete")
        return self._constants[text]

    def learn_links(self) -> Flow[None]:
        """Read the links of what is deleted."""
        if self.linking is not None and not self.linking.external:
            yield from self.linking.learn(each.key for each in self.removals)

    def links(self) -> dict[Identity, Operation]:
        """What the registry gets for what is deleted."""
        if self.linking is None:
            return {}
        links = {each.identity: self.linking.unlink(each.key) for each in self.removals}
        return {identity: operation for identity, operation in links.items() if operation is not None}
