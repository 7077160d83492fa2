"""Planning: rows and what the server has are compared by key. Nothing is changed.

Theory. The steps, each over all rows at once, so that a plan takes as many requests as the server's limits ask for and
never one for a row: read the rows as cells; find the entities of their keys; give identities to the rest; look up
what the cells refer to; compare; and, if entities without a row are to go, read the keys of the scope. A row that
cannot go in is refused with its reason and takes no part in the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from attrs import evolve, frozen

from callsheet.core.core import Core
from callsheet.entity.entity import type_name
from callsheet.errors import UsageError
from callsheet.flow import Flow, Work
from callsheet.model.schema import Schema
from callsheet.sync.circle import StepWork, compare_circle, created, refuse_all, refuse_what_refers
from callsheet.sync.external import External
from callsheet.sync.files.definition import read_definition
from callsheet.sync.large_planning import LargePlanning
from callsheet.sync.listed_parents import ListedParents
from callsheet.sync.mapping import DeletePolicy
from callsheet.sync.nesting import Nested
from callsheet.sync.plan import plan_class
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.reading import ManyRows, next_rows, read_rows
from callsheet.sync.references import Born
from callsheet.sync.rows import open_rows
from callsheet.sync.runs import digest_of
from callsheet.sync.scope_ending import Ending, as_ending
from callsheet.sync.step_layout import lay_step
from callsheet.sync.step_order import in_order, may_refer, refers
from callsheet.sync.step_planning import StepPlanning

__all__ = ["plan", "plan_file", "plan_steps"]


def plan(
    core: Core,
    entity_type: Any,
    rows: Any,
    key: str | Sequence[str] | External,
    mapping: Any = None,
    *,
    delete: DeletePolicy = "keep",
    scope: str = "",
    max_deleted: float = 0.1,
    on_error: str = "stop",
    name: str = "",
    adopt: str | Sequence[str] = (),
    conflicts: str | Mapping[str, str] | None = None,
    gone: str = "leave",
    updated_at: str = "",
    since: int | datetime | None = None,
) -> Flow[Any]:
    """Compare rows with the entities of a type, by key; gives a `Plan` that changes nothing until it is applied.

    ``rows`` are mappings, a frame, or a file (see `callsheet.rows`). ``key`` names the attribute paths that identify an
    entity. ``mapping`` maps columns to attribute paths (None: the names are the same); see `RowMapping`. ``delete``
    says what becomes of entities in ``scope`` (a condition) that no row names: ``"keep"``, ``"delete"``, ``"omit"``
    (the status Omitted), a dict of the values they get, or a function that gives one of these, and is called for each
    with a dict of its ``id`` and the values of its key. More than the share ``max_deleted`` of the scope is never
    removed. ``on_error="skip"`` lets a plan with refused rows be applied without them. ``name`` is the name of its runs
    in the log (default: the entity type).

    With ``key=callsheet.external(…)`` rows name entities by ids of another system, which the server's registry stores;
    ``adopt`` is the natural key by which entities that are there already are linked, and ``gone`` says what becomes of
    rows whose entity was deleted here: ``"leave"`` them out, ``"create"`` it again, or ``"conflict"``.

    ``conflicts`` says what happens to values that were changed here since the last run: ``"source"``, ``"target"``,
    ``"newest"`` (by the time in the column ``updated_at``), ``"merge"`` or ``"raise"``, for all attributes or by path.
    Without it the row decides, and nothing is noted for later runs. ``since``, a position in the server's log or a
    time, reads only what was changed here since; with a time, rows that are older (``updated_at``) are passed over.

    Raises `UsageError` for a mapping, key or scope that makes no sense, with all that is wrong.

    >>> plan = session.plan("Project", [{"name": "sintel"}], key="name")  # doctest: +SKIP
    """
    step = PlanStep(type_name(entity_type), rows, _key(key))
    if not isinstance(scope, str):
        raise UsageError(f"scope is a condition as text, not {scope!r:.80}")
    if not isinstance(name, str):
        raise UsageError(f"name is what the log calls the runs, a text, not {name!r:.80}")
    step = evolve(step, mapping=mapping, delete=delete, scope=scope)
    step = evolve(step, max_deleted=max_deleted, on_error=on_error)
    step = evolve(step, adopt=_paths("adopt", adopt), conflicts=conflicts, gone=gone, updated_at=updated_at)
    step = evolve(step, since=since)
    return (yield from plan_steps(core, [step], name or step.entity_type))


def _key(given: Any) -> tuple[str, ...] | External:
    return given if isinstance(given, External) else _paths("key", given)


def _paths(name: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise UsageError(f"{name} is an attribute path or a sequence of them, not {given!r:.80}")
    return tuple(given)


def plan_steps(core: Core, steps: Sequence[PlanStep], name: str) -> Flow[Any]:
    """The plan of several types, in whatever order they are given: each may refer to what the others create."""
    born: list[Born] = []
    read = yield from _read_all(core, steps, name, born)
    groups = _groups(core.schema, read)
    works: list[StepWork] = []
    for place, group in enumerate(groups):
        later = [other.laid for following in groups[place + 1 :] for other in following]
        found = [each.work(any(may_refer(core.schema, other, each.laid) for other in later)) for each in group]
        if len(found) == 1:
            yield from found[0].compare()
        else:
            yield from compare_circle(found, born)
        for work, each in zip(found, group):
            if each.chosen:
                yield from work.end_the_rest()
        works += found
    yield from _keep_what_rows_name(works)
    planned = [work.data(each.step) for work, each in zip(works, (each for group in groups for each in group))]
    digest = yield Work(lambda: digest_of(step.rows for step in steps))
    return plan_class(core)(core, planned, name, digest)


@frozen(eq=False)
class _ReadStep:
    """A step whose rows are read: what is planned of it, and the rows, if they are many."""

    step: PlanStep
    laid: StepPlanning
    many: ManyRows | None
    #: What becomes of entities without a row; None: nothing.
    chosen: Any
    #: Who is the parent of the rows within these rows.
    parents: Sequence[ListedParents]

    def work(self, is_followed: bool) -> StepWork:
        """The planning of the step; ``is_followed``: others may refer to what it creates."""
        work = self.laid if self.many is None else LargePlanning(self.laid, self.many, self.step, is_followed)
        for each in self.parents:
            each.work = work
        return work


def _read_all(core: Core, steps: Sequence[PlanStep], name: str, born: list[Born]) -> Flow[list[_ReadStep]]:
    """The steps with their rows, and after each the steps of the rows within them."""
    read: list[_ReadStep] = []
    waiting = list(steps)
    while waiting:
        step = waiting.pop(0)
        chosen = _chosen(step.delete, step.on_error, step.max_deleted)
        nested = Nested(step)
        source = nested.collect(open_rows((yield from _in_hand(core, step.rows))))
        first = yield from next_rows(source)
        laid = lay_step(core, step, chosen, first, name, born)
        many = yield from read_rows(laid.intake, first, source)
        waiting[:0] = nested.steps()
        read.append(_ReadStep(step, laid, many, chosen, tuple(nested.parents.values())))
    return read


def _groups(schema: Schema, read: Sequence[_ReadStep]) -> list[list[_ReadStep]]:
    """The steps in order. Many types may be the parent of any other: there the rows decide which refers to which."""
    found: list[list[_ReadStep]] = []
    for group in in_order(read, lambda one, other: may_refer(schema, one.laid, other.laid)):
        found += in_order(group, lambda one, other: _needs(schema, one, other)) if len(group) > 1 else [group]
    return found


def _needs(schema: Schema, one: _ReadStep, other: _ReadStep) -> bool:
    """Whether rows of one step refer to rows of the other; of many rows it is assumed where the types allow it.

    What ends below parents is known when these have been compared, even if no child has a row.
    """
    if any(each is one.step.parents for each in other.parents):
        return True
    if not may_refer(schema, one.laid, other.laid):
        return False
    rows = other.laid.rows if other.many is None else other.many.all()
    return one.many is not None or refers(schema, one.laid, other.laid, rows)


def _keep_what_rows_name(works: Sequence[StepWork]) -> Flow[None]:
    """An entity that a row refers to is not deleted, and the row is refused, since the two contradict each other."""
    removed = {each.identity for work in works for each in work.removals}
    if not removed:
        return
    made = created(works)
    kept = yield from refuse_all(
        works, removed, "has no row of its own and would be deleted, and this row refers to it"
    )
    yield from refuse_what_refers(works, made)
    for work in works:
        work.removals = [each for each in work.removals if each.identity not in kept]


def plan_file(core: Core, path: str | FilePath) -> Flow[Any]:
    """The plan of a sync file (see ``docs/reference/sync.md``); gives a `Plan`.

    Raises `UsageError` for a file that cannot be used, with all that is wrong in it.
    """
    definition = yield Work(lambda: read_definition(FilePath(path)))
    return (yield from plan_steps(core, definition.steps, definition.name))


def _chosen(delete: DeletePolicy, on_error: str, max_deleted: float) -> Ending:
    if on_error not in ("stop", "skip"):
        raise UsageError(f'on_error is "stop" or "skip", not {on_error!r:.80}')
    if isinstance(max_deleted, bool) or not isinstance(max_deleted, int | float) or not 0 <= max_deleted <= 1:
        raise UsageError(f"max_deleted is a share from 0 to 1, not {max_deleted!r:.80}")
    return as_ending(delete)


def _in_hand(core: Core, rows: Any) -> Flow[Any]:
    """Rows that can be iterated over: the results of a query of this session are read, since it is busy planning."""
    if getattr(rows, "_core", None) is not core or not hasattr(rows, "select_statement"):
        return rows
    return (yield from rows._records())
