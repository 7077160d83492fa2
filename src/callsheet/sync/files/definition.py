"""A sync as a file: which rows go into which type, in TOML. See ``docs/reference/sync.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from callsheet.errors import UsageError
from callsheet.sync.external import External, as_external
from callsheet.sync.files.documents import is_two_way, read_document
from callsheet.sync.files.structuring import structured
from callsheet.sync.files.tables import ChildTable, Document, ExternalTable, RowsTable, StepTable
from callsheet.sync.files.variables import with_variables
from callsheet.sync.mapping import Children, RowMapping
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.rows.opening import rows

__all__ = ["Definition", "read_definition"]


@frozen
class Definition:
    """A sync file: its name, and its steps in order."""

    name: str
    steps: tuple[PlanStep, ...]


def read_definition(path: Path) -> Definition:
    """The definition in a file; paths in it are relative to its folder. `UsageError` lists all that is wrong."""
    document = read_document(path)
    if is_two_way(document):
        raise UsageError(f"{path.name} is a sync of two ways: `callsheet sync` runs it, or callsheet.Sync.from_file")
    read = structured(document, Document, "sync", path.name)
    return Definition(read.name or path.stem, tuple(_step(each, path.parent) for each in read.sync))


def _step(step: StepTable, folder: Path) -> PlanStep:
    children = {column: _children(child) for column, child in step.children.items()}
    mapped = step.columns or step.constants or step.templates or children
    mapping = RowMapping(step.columns, step.constants, step.templates, children=children) if mapped else None
    found = PlanStep(step.type, _source(step, folder), _key_of(step.key), mapping, step.delete, step.scope)
    found = evolve(found, max_deleted=step.max_deleted, on_error=step.on_error)
    adopt = (step.adopt,) if isinstance(step.adopt, str) else step.adopt
    found = evolve(found, adopt=adopt, conflicts=step.conflicts, gone=step.gone)
    return evolve(found, updated_at=step.updated_at, since=step.since)


def _children(child: ChildTable) -> Children:
    mapping = RowMapping(child.columns, child.constants, child.templates)
    return Children(child.type, _key_of(child.key), mapping, child.parent, child.delete, child.scope, child.max_deleted)


def _key_of(given: str | tuple[str, ...] | ExternalTable) -> Any:
    if isinstance(given, ExternalTable):
        return as_external(External, system=given.external, column=given.column, type=given.type)
    return (given,) if isinstance(given, str) else given


def _source(step: StepTable, folder: Path) -> Any:
    given = RowsTable(step.rows) if isinstance(step.rows, str) else step.rows
    if bool(given.file) == bool(given.database):
        raise UsageError(f"rows of {step.type}: either a `file` or a `database` with its `query` is needed")
    if given.database:
        return rows(
            with_variables(given.database, f"rows of {step.type}"), query=given.query, parameters=given.parameters
        )
    return rows(
        folder / given.file,
        given.format,
        encoding=given.encoding,
        separator=given.separator,
        sheet=given.sheet,
        columns=given.columns,
    )
