"""A small studio to try things on: the people and custom attributes of ``data/studio.toml``, and a production.

`studio_operations` needs the essential rows in the store. The document has what a production
consists of; this file has how its entities hang together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from msgspec import Struct

from callsheet.dialects.ftrack.common.facts import facts_in
from callsheet.dialects.ftrack.server.seed.rows import SeedRow, SeedRows, key_of_row, operations, rows_of
from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.model.schema import Schema

__all__ = ["studio_operations"]

Values = dict[str, Any]


class StudioTask(Struct, frozen=True, forbid_unknown_fields=True):
    """A task that each shot has."""

    type: str
    user: str
    status: str


class StudioProduction(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[production]``; ``bid`` and ``logged`` are seconds."""

    project: str
    full_name: str
    client: str
    project_schema: str
    start: datetime
    days: int
    sequences: list[str]
    shots: list[str]
    build: str
    build_type: str
    dailies: str
    dailies_category: str
    bid: float
    versions: int
    note: str
    reply: str
    logged: float
    log_comment: str
    tasks: tuple[StudioTask, ...]


class StudioRows(SeedRows, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The tables of ``studio.toml``."""

    production: StudioProduction


def studio_operations(schema: Schema) -> tuple[tuple[Operation, ...], ...]:
    """The creates of a small studio, as commits one after another; the essential ones must be there.

    Values of custom attributes can be written when their configurations are known.
    """
    document = facts_in("studio.toml", StudioRows)
    return operations(schema, rows_of(document)), operations(schema, _ProductionRows(document.production).all())


def _of(entity_type: str, name: str) -> Identity:
    return Identity(entity_type, key_of_row(entity_type, name))


@frozen
class _ProductionRows:
    """Makes the rows of a production."""

    plan: StudioProduction

    @property
    def project(self) -> Identity:
        return _of("Project", self.plan.project)

    def all(self) -> Iterator[SeedRow]:
        plan = self.plan
        yield self._project()
        for name in plan.sequences:
            sequence = _context("Sequence", name, self.project)
            yield sequence
            for shot in plan.shots:
                yield from self._shot(sequence.identity, shot)
        yield _context("AssetBuild", plan.build, self.project, type=_of("Type", plan.build_type))
        values = {"name": plan.dailies, "project": self.project, "system_type": "assetversion", "is_open": True}
        category = _of("ListCategory", plan.dailies_category)
        yield SeedRow("AssetVersionList", plan.dailies_category, {**values, "category": category})

    def _project(self) -> SeedRow:
        plan = self.plan
        values: Values = {"name": plan.project, "full_name": plan.full_name, "root": plan.project}
        values |= {"project_schema": _of("ProjectSchema", plan.project_schema), "metadata.client": plan.client}
        values |= {"context_type": "show", "project_status": "active", "is_private": False, "is_global": False}
        values |= {"start_date": plan.start, "end_date": plan.start + timedelta(days=plan.days)}
        return SeedRow("Project", plan.project, values)

    def _shot(self, sequence: Identity, name: str) -> Iterator[SeedRow]:
        """A shot, with its tasks; of the first there are results."""
        item = f"custom_attributes.{key_of_row('CustomAttributeConfiguration', 'fstart')}"
        shot = _context("Shot", name, sequence, **{"description": f"Shot {name}", item: 1001.0})
        yield shot
        for week, planned in enumerate(self.plan.tasks):
            task, user = self._task(shot.identity, planned, week), _of("User", planned.user)
            yield task
            assigned = {"context": task.identity, "resource": user, "type": "assignment"}
            yield SeedRow("Appointment", task.identity.key, assigned)
            if week == 0:
                yield from self._versions(shot.identity, task.identity, user)
                yield from self._notes(shot.identity, task.identity, user)
                yield self._timelog(task.identity, user)

    def _task(self, shot: Identity, planned: StudioTask, week: int) -> SeedRow:
        start = self.plan.start + timedelta(weeks=week)
        values: Values = {"type": _of("Type", planned.type), "status": _of("Status", planned.status)}
        values |= {"bid": self.plan.bid, "start_date": start, "end_date": start + timedelta(days=5)}
        return _context("Task", planned.type.lower(), shot, **values)

    def _timelog(self, task: Identity, user: Identity) -> SeedRow:
        values: Values = {"context": task, "user": user, "start": self.plan.start, "duration": self.plan.logged}
        return SeedRow("Timelog", task.key, {**values, "comment": self.plan.log_comment})

    def _versions(self, shot: Identity, task: Identity, user: Identity) -> Iterator[SeedRow]:
        asset, last = _of("Asset", shot.key), self.plan.versions
        values: Values = {"name": "animation", "parent": shot, "type": _of("AssetType", "Animation")}
        latest = _of("AssetVersion", f"{shot.key}/{last}")
        yield SeedRow("Asset", shot.key, {**values, "latest_version": latest})
        for number in range(1, last + 1):
            values = {"asset": asset, "version": number, "task": task, "user": user, "comment": f"Take {number}"}
            values |= {"status": _of("Status", "Pending review"), "date": self.plan.start + timedelta(days=number)}
            values |= {"is_published": True, "is_latest_version": number == last}
            yield SeedRow("AssetVersion", f"{shot.key}/{number}", values)

    def _notes(self, shot: Identity, task: Identity, user: Identity) -> Iterator[SeedRow]:
        """A note on the task, with its answer and its recipient."""
        when = self.plan.start + timedelta(days=2)
        values: Values = {"content": self.plan.note, "author": _of("User", "admin"), "date": when, "is_todo": True}
        values |= {"thread_activity": when, "parent_id": task.key, "parent_type": "Task"}
        note = SeedRow("Note", shot.key, values)
        yield note
        answer = {"content": self.plan.reply, "author": user, "date": when + timedelta(hours=3), "is_todo": False}
        yield SeedRow("Note", f"{shot.key}/reply", {**answer, "in_reply_to": note.identity})
        yield SeedRow("Recipient", None, {"note": note.identity, "recipient": user})


def _context(kind: str, name: str, parent: Identity, **values: Any) -> SeedRow:
    """A context below another; its key is derived from its parent's and its name."""
    usual: Values = {"name": name, "parent": parent, "context_type": "task", "bid": 0.0, "sort": 0.0}
    usual["object_type"] = _of("ObjectType", "Asset Build" if kind == "AssetBuild" else kind)
    usual |= {"status": _of("Status", "Not started"), "type": _of("Type", "Generic")}
    return SeedRow(kind, f"{parent.key}/{name}", {**usual, "priority": _of("Priority", "None"), **values})
