"""The plan of a change of the schema: each change with the rows that it concerns, loses, or that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection

from callsheet.errors import Invalid
from callsheet.model.schema import Schema
from callsheet.server.migration.cells import Cures
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.difference import SchemaChange, difference
from callsheet.server.migration.survey import Survey, UnfitEntity, survey

__all__ = ["SchemaPlan", "PlannedChange", "check_fits", "make_plan", "plan_to_plain"]


@frozen
class PlannedChange:
    """A change, and what it means for rows: how many become others, are lost, do not fit, with the first of these."""

    change: SchemaChange
    changed: int = 0
    lost: int = 0
    unfit: int = 0
    examples: tuple[UnfitEntity, ...] = ()


@frozen
class SchemaPlan:
    """All changes from one schema (its hash) to another."""

    before: str
    after: str
    changes: tuple[PlannedChange, ...]

    @property
    def lost(self) -> int:
        """Values and entities that are gone afterwards."""
        return sum(each.lost for each in self.changes)

    @property
    def changed(self) -> int:
        """Values that become others."""
        return sum(each.changed for each in self.changes)

    @property
    def unfit(self) -> int:
        """Entities that keep it from being applied."""
        return sum(each.unfit for each in self.changes)


def make_plan(connection: Connection, both: Correspondence, cures: Cures, now: datetime) -> SchemaPlan:
    """The plan for a database, with the rows that it has."""
    check_cures(both.new, cures)
    changes = difference(both)
    found = survey(connection, both, cures, now) if changes else Survey()
    planned, left = [], {*found.lost, *found.changed, *found.unfit}
    for change in changes:
        places = {place for place in left if _concerns(both.new, change, place)}
        left -= places
        planned.append(_with(PlannedChange(change), found, places))
    for name, attribute in sorted(left, key=str):
        # What follows from other changes: references to entities that are gone.
        planned.append(_with(PlannedChange(SchemaChange("change", name, attribute)), found, {(name, attribute)}))
    return SchemaPlan(both.old.hash, both.new.hash, tuple(planned))


def check_cures(schema: Schema, cures: Cures) -> None:
    """Raise `Invalid` for a cure of something that is not in the new schema."""
    for name, attribute in cures:
        found = schema.types.get(name)
        if found is None or attribute not in found.attributes:
            raise Invalid(f"there is no {name}.{attribute} in the new schema; name types and attributes as it does")


def _concerns(schema: Schema, change: SchemaChange, place: tuple[str, str | None]) -> bool:
    name, attribute = place
    if attribute != change.attribute or change.entity_type is None:
        return False
    if name == change.entity_type:
        return True
    return attribute is not None and name in schema.types and change.entity_type in schema.types[name].ancestors


def _with(planned: PlannedChange, found: Survey, places: set[tuple[str, str | None]]) -> PlannedChange:
    examples = tuple(each for place in sorted(places, key=str) for each in found.examples.get(place, ()))
    return evolve(
        planned,
        changed=sum(found.changed[place] for place in places),
        lost=sum(found.lost[place] for place in places),
        unfit=sum(found.unfit[place] for place in places),
        examples=examples,
    )


def check_fits(plan: SchemaPlan) -> None:
    """Raise `Invalid` if entities do not fit; it names some of each attribute, and what helps."""
    if not plan.unfit:
        return
    lines = "".join(f"\n  - {line}" for each in plan.changes for line in _misfits(each))
    raise Invalid(
        f"{plan.unfit:,} {'entity does' if plan.unfit == 1 else 'entities do'} not fit the new schema, so nothing was "
        f"changed:{lines}\nChange them, or say what they become: a value to fill in, values to replace, or clear"
    )


def _misfits(planned: PlannedChange) -> Iterator[str]:
    for each in planned.examples:
        yield f"{planned.change.place}: {each.entity_type} {each.key}: {each.why}"
    if (more := planned.unfit - len(planned.examples)) > 0:
        yield f"{planned.change.place}: {more:,} more"


def plan_to_plain(plan: SchemaPlan) -> dict[str, Any]:
    """The plan as plain data, for JSON."""
    return {
        "before": plan.before,
        "after": plan.after,
        "lost": plan.lost,
        "changed": plan.changed,
        "unfit": plan.unfit,
        "changes": [_to_plain(each) for each in plan.changes],
    }


def _to_plain(planned: PlannedChange) -> dict[str, Any]:
    change = planned.change
    plain: dict[str, Any] = {"action": change.action, "type": change.entity_type, "attribute": change.attribute}
    if change.was is not None:
        plain["was"] = change.was
    plain["facts"] = {key: [_plain(before), _plain(after)] for key, (before, after) in change.facts.items()}
    plain |= {"changed": planned.changed, "lost": planned.lost, "unfit": planned.unfit}
    plain["examples"] = [{"type": each.entity_type, "key": each.key, "why": each.why} for each in planned.examples]
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, dict) else value
