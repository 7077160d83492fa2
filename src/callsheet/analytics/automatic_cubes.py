"""The cube that a schema suggests: hierarchies of what facts are in, of dates and categories; sums and means.

Nothing is read for it. Keys and ids make neither hierarchies nor measures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from callsheet.analytics.naming import plural_of
from callsheet.analytics.production_line import LineStop, label_path, label_step, line_of
from callsheet.analytics.relations import TableGraph
from callsheet.model.cube import CubeHierarchy, CubeLevel, CubeMeasure
from callsheet.model.measure import BANDS, AggregateFunction
from callsheet.model.query import Path, Step
from callsheet.model.schema import NUMBERS, Attribute, EntityType, Schema

__all__ = ["count_measure", "hierarchies_of", "measures_of", "words"]

_ID = re.compile(r"(^|_|\s)(id|ids|uuid|guid|key)$|[a-z](Id|ID|Key)$")
LONG_TEXTS = frozenset((
    "body", "comment", "content", "description", "link", "message", "note", "notes", "path", "root", "source",
    "summary", "text", "thumbnail", "url",
))  # fmt: skip
"""Names of texts that are read, not grouped by."""
NO_AMOUNTS = frozenset(("sort", "cut_order", "position"))
"""Names of numbers that are places, whose sum says nothing."""


def words(name: str) -> str:
    """A name of the schema as words.

    >>> words("due_date"), words("AssetBuild")
    ('Due date', 'Asset build')
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip()
    return text[:1].upper() + text[1:].lower() if not text.isupper() else text


def is_id(entity_type: EntityType, attribute: Attribute) -> bool:
    """Whether values are keys, which nobody counts or groups by."""
    return attribute.name in entity_type.key or attribute.key_of is not None or bool(_ID.search(attribute.name))


# -- hierarchies ---------------------------------------------------------------------------------------------------


def hierarchies_of(schema: Schema, relations: TableGraph, table: str) -> list[CubeHierarchy]:
    """The hierarchies that a schema suggests for facts of a type."""
    stops = line_of(schema, relations, table)
    found: dict[str, CubeHierarchy] = {}
    for each in (*_line(schema, table, stops), *_of_type(schema, table, stops)):
        found.setdefault(each.name, each)
    return list(found.values())


def _line(schema: Schema, table: str, stops: list[LineStop]) -> Iterator[CubeHierarchy]:
    """One hierarchy of what facts are in; facts that have names are its lowest level."""
    levels = []
    own = label_step(schema, table)
    if own is not None and schema.types[table].attributes[own.name].required:
        levels.append(CubeLevel(_of_type_name(schema, table), Path((own,))))
    for stop in stops:
        path = label_path(schema, stop)
        if path is not None:
            levels.append(CubeLevel(_of_type_name(schema, stop.entity_type), path))
    if levels:
        levels.reverse()
        yield CubeHierarchy(levels[0].name, levels)


def _of_type_name(schema: Schema, name: str) -> str:
    return schema.types[name].singular or words(name)


def _of_type(schema: Schema, table: str, stops: list[LineStop]) -> Iterator[CubeHierarchy]:
    """Dates and categories of the facts, then categories of what they are in, next to them."""
    entity_type = schema.types[table]
    taken = {each.steps[0].name for each in stops if each.steps}
    yield from _dates(entity_type)
    yield from _categories(schema, entity_type, (), "", taken)
    if stops:
        near = stops[0]
        above = {each.steps[len(near.steps)].name for each in stops[1:] if len(each.steps) > len(near.steps)}
        if near.entity_type != "Project":
            prefix = f"{_of_type_name(schema, near.entity_type)} "
            yield from _categories(
                schema, schema.types[near.entity_type], near.steps, prefix, above | {"parent", "project"}
            )


def _dates(entity_type: EntityType) -> Iterator[CubeHierarchy]:
    dates = [each for each in _plain(entity_type) if each.data_type in ("date", "datetime")]
    # When a row was written says something only where nothing else does.
    for each in [each for each in dates if each.writable] or dates:
        levels = [CubeLevel(words(band), Path((Step(each.name),)), band=band, unique=band != "week") for band in BANDS]
        yield CubeHierarchy(each.label or words(each.name), levels, time=True)


def _categories(
    schema: Schema, entity_type: EntityType, steps: tuple[Step, ...], prefix: str, taken: Iterable[str]
) -> Iterator[CubeHierarchy]:
    own_label = label_step(schema, entity_type.name)
    for each in entity_type.attributes.values():
        if each.name in taken or not each.writable or (own_label is not None and each.name == own_label.name):
            continue
        path = _category(schema, entity_type, each)
        if path is not None:
            name = each.label or words(each.name)
            name = f"{prefix}{name[:1].lower()}{name[1:]}" if prefix else name
            yield CubeHierarchy(name, [CubeLevel(name, Path((*steps, *path)))])


def _category(schema: Schema, entity_type: EntityType, attribute: Attribute) -> tuple[Step, ...] | None:
    """The steps to a category that an attribute holds; None if it holds none."""
    if attribute.kind == "reference" and attribute.name not in LONG_TEXTS:
        label = label_step(schema, str(attribute.target)) if attribute.target in schema.types else None
        return None if label is None else (Step(attribute.name), label)
    if attribute.kind != "scalar" or is_id(entity_type, attribute):
        return None
    short = attribute.data_type == "string" and attribute.name.lower() not in LONG_TEXTS and not attribute.within
    return (Step(attribute.name),) if short or attribute.data_type in ("enum", "boolean") else None


# -- measures ------------------------------------------------------------------------------------------------------


def count_measure(entity_type: EntityType) -> CubeMeasure:
    """How many facts there are."""
    name = entity_type.plural or plural_of(entity_type.singular or words(entity_type.name))
    return CubeMeasure(name, AggregateFunction("count"), "#,##0")


def measures_of(entity_type: EntityType) -> list[CubeMeasure]:
    """The count, and the sum and the mean of each number that is an amount."""
    found = [count_measure(entity_type)]
    for each in _plain(entity_type):
        if each.data_type in NUMBERS and each.name not in NO_AMOUNTS and each.computed is None:
            label = each.label or each.name
            whole = "#,##0" if each.data_type == "integer" else "#,##0.00"
            found.append(CubeMeasure(f"Sum({label})", AggregateFunction("sum", Path((Step(each.name),))), whole))
            mean = AggregateFunction("average", Path((Step(each.name),)))
            found.append(CubeMeasure(f"Mean({label})", mean, "#,##0.00"))
    return found


def _plain(entity_type: EntityType) -> Iterator[Attribute]:
    for each in entity_type.attributes.values():
        if each.kind == "scalar" and not is_id(entity_type, each):
            yield each
