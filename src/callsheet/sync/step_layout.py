"""What a step is given, checked and resolved: its mapping, key, links and policies, ready to be planned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.model.language.parser import parse_condition
from callsheet.sync.cells import Reader, Row
from callsheet.sync.external import External
from callsheet.sync.judging import Judge
from callsheet.sync.layout import RowLayout, beside, lay_out
from callsheet.sync.linking import GONE, RowLinks
from callsheet.sync.mapping import RowMapping, as_mapping
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.policies import Policies, as_policies
from callsheet.sync.references import Born
from callsheet.sync.registry import BASES, registry_type
from callsheet.sync.row_intake import RowIntake
from callsheet.sync.row_outcome import RowOutcome
from callsheet.sync.scope_ending import Ending, ScopeEnding
from callsheet.sync.since import Since, as_moment
from callsheet.sync.step_planning import StepPlanning

__all__ = ["lay_step"]


def lay_step(core: Core, step: PlanStep, ending: Ending, first: list[Row], name: str, born: list[Born]) -> StepPlanning:
    """A step before its rows are read; ``first`` are those that name the columns where no mapping does."""
    _check(step)
    external, key = (step.key, (step.key.text,)) if isinstance(step.key, External) else (None, step.key)
    columns = _columns_beside(step, external)
    mapping = as_mapping(step.mapping) or _named_alike(first, step.adopt if external else key, columns.values())
    policies = as_policies(step.conflicts, mapping.targets)
    targets = {text: beside(text, "datetime" if text == _time(step) else "string") for text in columns}
    layout = lay_out(
        core.schema,
        step.entity_type,
        mapping.targets,
        key,
        finding=step.adopt,
        externals=mapping.externals,
        beside=targets,
        added_to=mapping.added_to,
    )
    condition = parse_condition(step.scope, core.operators) if step.scope else None
    linking = _linking(core, step, layout, external, policies, name)
    judge = _judge(core, step, layout, policies, name)
    intake = RowIntake(layout, Reader(layout, mapping, columns), step.mapping is None, judge.time if judge else "")
    outcome = RowOutcome(core, layout, intake, linking, judge)
    ends = ScopeEnding(core, layout, condition, ending, linking, step.parents)
    return StepPlanning(core, layout, intake, outcome, ends, born, linking)


def _check(step: PlanStep) -> None:
    if not step.key:
        what = step.entity_type
        raise UsageError(f'a key is needed: the attributes that tell one {what} from another, like ("name",)')
    if step.gone not in GONE:
        raise UsageError(f"gone is one of {', '.join(GONE)}, not {step.gone!r:.80}")
    if step.adopt and not isinstance(step.key, External):
        raise UsageError("adopt is the natural key of rows whose key is external; a key of one's own finds all")
    if not isinstance(step.updated_at, str):
        raise UsageError(f"updated_at is the column that says when a row was changed, not {step.updated_at!r:.80}")


def _time(step: PlanStep) -> str:
    """The target of the column that says when a row was changed."""
    return f"{step.updated_at} of the row"


def _columns_beside(step: PlanStep, external: External | None) -> dict[str, str]:
    """The columns that no attribute gets, by the names of their targets."""
    found = {external.text: external.column} if external else {}
    return found | ({_time(step): step.updated_at} if step.updated_at else {})


def _named_alike(rows: Sequence[Row], key: Sequence[str], beside: Collection[str]) -> RowMapping:
    """Each column is called like its attribute; without any row the key is known at least."""
    columns = [column for column in _columns(rows) or key if column not in beside]
    if strange := [column for column in columns if not isinstance(column, str)]:
        raise UsageError(f"a column is called like its attribute, not {strange[0]!r:.60}: give a mapping")
    return RowMapping({column: column for column in columns})


def _columns(rows: Iterable[Row]) -> list[str]:
    """The columns of the first rows, in the order of their occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row.values))


def _linking(
    core: Core, step: PlanStep, layout: RowLayout, external: External | None, policies: Policies | None, name: str
) -> RowLinks | None:
    since = _since(step, layout, policies)
    if external is None and policies is None:
        return None
    registry_type(core.schema)
    entity_type = layout.entity_type
    if len(entity_type.key) > 1:
        parts = ", ".join(entity_type.key)
        raise UsageError(
            f"{entity_type.name} has the key ({parts}); the registry keeps entities with a key of one part"
        )
    if external is None:
        return RowLinks(core, layout, f"{BASES}{name}", entity_type.name, False, (), step.gone, since)
    own = external.type or entity_type.name
    return RowLinks(core, layout, external.system, own, True, step.adopt, step.gone, since)


def _since(step: PlanStep, layout: RowLayout, policies: Policies | None) -> Since | None:
    moment = as_moment(step.since)
    if moment is None:
        return None
    if policies is None:
        raise UsageError("since needs conflicts=: only then a run notes what the next one need not read")
    return Since(moment, layout, _time(step) if step.updated_at else "")


def _judge(core: Core, step: PlanStep, layout: RowLayout, policies: Policies | None, name: str) -> Judge | None:
    if policies is None:
        return None
    if "newest" in policies.used and not step.updated_at:
        raise UsageError('the policy "newest" needs updated_at, the column that says when a row was changed')
    paths: dict[str, tuple[str, ...]] = {}
    for text, target in layout.targets.items():
        paths[target.name] = (*paths.get(target.name, ()), text)
    time = _time(step) if step.updated_at else ""
    return Judge(core, policies, name, time, paths, frozenset(layout.whole))
