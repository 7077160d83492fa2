"""A sync as a file: which rows go into which type, in TOML. See ``docs/reference/sync.md``."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import evolve, field, fields, frozen

from callsheet.errors import StorageError, UsageError
from callsheet.model.schema import did_you_mean
from callsheet.sync.external import External, as_external
from callsheet.sync.linking import GONE
from callsheet.sync.mapping import Children, Column, RowMapping
from callsheet.sync.policies import POLICIES
from callsheet.sync.rows.opening import rows

__all__ = ["Definition", "Document", "PlanStep", "read_definition"]


@frozen
class PlanStep:
    """What is planned of one entity type: its rows, key and mapping, and what becomes of entities without a row."""

    entity_type: str
    rows: Any
    key: tuple[str, ...] | External
    mapping: RowMapping | None = None
    delete: str | Mapping[str, Any] = "keep"
    scope: str = ""
    max_deleted: float = 0.1
    on_error: str = "stop"
    adopt: tuple[str, ...] = ()
    conflicts: str | Mapping[str, str] | None = None
    gone: str = "leave"
    updated_at: str = ""
    since: Any = None


@frozen
class Definition:
    """A sync file: its name, and its steps in order."""

    name: str
    steps: tuple[PlanStep, ...]


def _is(text: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a key of a table is, for editors, and the words that it may be, if there are only some."""
    return {"is": text, "words": words}


@frozen
class RowsTable:
    """``rows`` of a step: a file and how it is read, or a database and its query."""

    file: str = field(default="", metadata=_is("A file, beside the sync file."))
    format: str = field(default="", metadata=_is("How the file is read; its ending says it."))
    encoding: str = field(default="", metadata=_is("The encoding of text; it is found."))
    separator: str = field(default="", metadata=_is("The character between cells of text; it is found."))
    sheet: str = field(default="", metadata=_is("The sheet of Excel; the first."))
    columns: tuple[str, ...] = field(default=(), metadata=_is("The columns of a file that has no header."))
    database: str = field(
        default="", metadata=_is("The address of a database; ${NAME} is a variable of the environment.")
    )
    query: str = field(default="", metadata=_is("The SQL query of the database."))
    parameters: dict[str, Any] = field(factory=dict, metadata=_is("The values of :name in the query."))


@frozen
class ExternalTable:
    """``key`` of a step, or ``external`` of a column: ids of another system."""

    external: str = field(metadata=_is("What the registry calls the other system."))
    column: str = field(default="id", metadata=_is("The column with its ids."))
    type: str = field(default="", metadata=_is("Its name of the type; the entity type's own."))


@frozen
class ChildTable:
    """A table ``[sync.children.COLUMN]``: the rows within a row."""

    type: str = field(metadata=_is("The entity type of the children."))
    key: str | tuple[str, ...] | ExternalTable = field(metadata=_is("Paths that identify the children of one parent."))
    parent: str = field(default="parent", metadata=_is("The reference that leads to the entity around them."))
    columns: dict[str, str | Column] = field(factory=dict, metadata=_is("Column to attribute path."))
    constants: dict[str, Any] = field(factory=dict, metadata=_is("Attribute path to a value that all have."))
    templates: dict[str, str] = field(factory=dict, metadata=_is("Attribute path to text with columns in braces."))


@frozen
class StepTable:
    """A table ``[[sync]]`` as it is written."""

    type: str = field(metadata=_is("The entity type."))
    rows: str | RowsTable = field(metadata=_is("A file, or a table that says how rows are read."))
    key: str | tuple[str, ...] | ExternalTable = field(metadata=_is("The attribute paths that identify an entity."))
    columns: dict[str, str | Column] = field(factory=dict, metadata=_is("Column to attribute path."))
    constants: dict[str, Any] = field(factory=dict, metadata=_is("Attribute path to a value that all rows have."))
    templates: dict[str, str] = field(factory=dict, metadata=_is("Attribute path to text with columns in braces."))
    delete: str | dict[str, Any] = field(
        default="keep",
        metadata=_is("What becomes of entities in scope without a row.", words=("keep", "delete", "omit")),
    )
    scope: str = field(default="", metadata=_is("A condition: what may be taken away."))
    max_deleted: float = field(default=0.1, metadata=_is("The largest share of the scope that may go."))
    on_error: str = field(default="stop", metadata=_is("Whether refused rows stop the run.", words=("stop", "skip")))
    adopt: str | tuple[str, ...] = field(default=(), metadata=_is("The natural key of entities that get a link."))
    conflicts: str | dict[str, Any] | None = field(
        default=None,
        metadata=_is("What happens to values that both sides changed, for all or by path.", words=POLICIES),
    )
    gone: str = field(default="leave", metadata=_is("What happens to rows whose entity was deleted here.", words=GONE))
    updated_at: str = field(default="", metadata=_is("The column that says when a row was changed."))
    since: int | datetime | None = field(
        default=None, metadata=_is("Only what was changed here since this position or time.")
    )
    children: dict[str, ChildTable] = field(factory=dict, metadata=_is("Columns with rows within the row."))


@frozen
class Document:
    """A sync file as it is written."""

    sync: tuple[StepTable, ...] = field(metadata=_is("One table for each entity type, in order."))
    name: str = field(default="", metadata=_is("What the log calls the runs; the file's name."))


def read_definition(path: Path) -> Definition:
    """The definition in a file; paths in it are relative to its folder. `UsageError` lists all that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is no TOML: {error}") from None
    read = _structured(document, path)
    return Definition(read.name or path.stem, tuple(_step(each, path.parent) for each in read.sync))


def _structured(document: dict[str, Any], path: Path) -> Document:
    import cattrs

    steps = document.get("sync", [{}])
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise UsageError(f"{path.name} cannot be used: sync: one table for each type is needed, headed `[[sync]]`")
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(float, _number)
    for either, table in ((str | RowsTable, RowsTable), (str | Column, Column)):
        converter.register_structure_hook(either, _or_table(converter, table))
    converter.register_structure_hook(str | tuple[str, ...], lambda value, _: _texts(value))
    converter.register_structure_hook(str | tuple[str, ...] | ExternalTable, _key(converter))
    for loose in (str | dict[str, Any] | None, int | datetime | None):
        converter.register_structure_hook(loose, lambda value, _: value)
    converter.register_structure_hook(str | dict[str, Any], lambda value, _: value)
    converter.register_structure_hook(Column, _loose_column(converter))
    try:
        return converter.structure(document, Document)
    except Exception as error:
        problems = [_in_words(each) for each in cattrs.transform_error(error, "", _reason)]
        raise UsageError(f"{path.name} cannot be used: {'; '.join(problems)}") from None


def _in_words(problem: str) -> str:
    reason, _, place = problem.rpartition(" @ ")
    return f"{place.removeprefix('.')}: {reason}" if place else reason


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    extra = sorted(getattr(error, "extra_fields", ()))
    if extra:
        names = [field.name for field in fields(error.cl)]  # type: ignore[attr-defined]
        return "; ".join(f"`{name}` is unknown{did_you_mean(name, names)}" for name in extra)
    return str(error)


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {value!r:.40}")
    return value


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"a text or a list of texts is needed, not {value!r:.40}")
    return tuple(value)


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed, not {value!r:.40}")
    return value


def _or_table(converter: Any, table: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, str | dict):
            raise TypeError(f"a text or a table is needed, not {value!r:.40}")
        return value if isinstance(value, str) else converter.structure(value, table)

    return structure


def _key(converter: Any) -> Any:
    def structure(value: Any, _: Any) -> Any:
        return converter.structure(value, ExternalTable) if isinstance(value, dict) else _texts(value)

    return structure


def _loose_column(converter: Any) -> Any:
    """A column's ``values`` and ``default`` may be anything."""

    def structure(value: Any, _: Any) -> Column:
        if not isinstance(value, dict):
            raise TypeError(f"an attribute path or a table is needed, not {value!r:.40}")
        given = dict(value)
        loose = {name: given.pop(name) for name in ("values", "default") if name in given}
        external = _external(given.pop("external")) if "external" in given else ""
        known = {"to", "split", "pattern", "zone", "decimal"}
        if extra := sorted(given.keys() - known):
            raise TypeError(f"a column has no {', '.join(extra)}")
        texts: dict[str, Any] = {name: _text(each, str) for name, each in given.items()}
        if "to" not in texts:
            raise TypeError("a column needs `to`, the attribute path")
        return Column(**texts, **loose, external=external)

    return structure


def _external(value: Any) -> External:
    """``external`` of a column: the name of a system, or a table of it and the type there."""
    if isinstance(value, str):
        return as_external(value)
    if not isinstance(value, dict) or value.keys() - {"system", "type"} or not value.get("system"):
        raise TypeError(f"`external` is the name of a system, or a table of `system` and `type`, not {value!r:.60}")
    return as_external(External, **value)


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
    return Children(child.type, _key_of(child.key), mapping, child.parent)


def _key_of(given: str | tuple[str, ...] | ExternalTable) -> Any:
    if isinstance(given, ExternalTable):
        return as_external(External, system=given.external, column=given.column, type=given.type)
    return (given,) if isinstance(given, str) else given


def _source(step: StepTable, folder: Path) -> Any:
    given = RowsTable(step.rows) if isinstance(step.rows, str) else step.rows
    if bool(given.file) == bool(given.database):
        raise UsageError(f"rows of {step.type}: either a `file` or a `database` with its `query` is needed")
    if given.database:
        return rows(_with_variables(given.database, step.type), query=given.query, parameters=given.parameters)
    return rows(
        folder / given.file,
        given.format,
        encoding=given.encoding,
        separator=given.separator,
        sheet=given.sheet,
        columns=given.columns,
    )


def _with_variables(address: str, entity_type: str) -> str:
    """The address with the values of ``${NAME}``: a password has its place in the environment."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in os.environ:
            raise UsageError(f"rows of {entity_type}: there is no environment variable {name}")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, address)
