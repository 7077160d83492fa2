"""Conditions on relations that the store does not have, as queries within the query."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.dialects.ftrack.server.schema.catalogue import Property, VendorType
from callsheet.model.query import And, Any_, Comparison, Condition, Or, Path, Select, Step

__all__ = ["ID", "Steps", "lineage_condition", "related_condition"]

ID = Step("id")
Steps = Sequence[Step]
DEEPEST = 6
"""Levels of parents that ``ancestors`` and ``descendants`` look at in a condition."""


def related_condition(prop: Property, taken: Steps, inner: Condition | None, cast: str | None) -> Condition:
    """A condition on who is related by rows of another type: such a row exists, and what it leads to fits."""
    related = prop.related
    assert related is not None
    parts: list[Condition] = []
    if related.name is not None:
        parts.append(Comparison(Path.of(related.name), "=", related.value))
    if inner is not None and related.far is not None:
        parts.append(Any_(Path((Step(related.far),)), inner, "has"))
    elif inner is not None:
        parts.append(inner)
    entity_type = cast if cast is not None and related.far is None else related.entity_type
    where = None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
    return Comparison(Path((*taken, ID)), "in", Select(entity_type, (Path((Step(related.near),)),), where))


def lineage_condition(
    found: VendorType, prop: Property, taken: Steps, inner: Condition | None, cast: str | None
) -> Condition:
    """A condition on who is above or below an entity, as far up or down as `DEEPEST` levels."""
    kind = cast or "TypedContext"
    if prop.name == "ancestors":
        up = Step("parent")
        ways = [(*taken, *[up] * level, Step("parent", kind)) for level in range(DEEPEST)]
        return Or(tuple(Any_(Path(way), inner, "has") for way in ways))
    if found.name == "Project":
        of_all = Select(kind, (Path.of("project_id"),), inner)
        return Comparison(Path((*taken, ID)), "in", of_all)
    up = Step("parent")
    below = [Select(kind, (Path((*[up] * level, ID)),), inner) for level in range(1, DEEPEST + 1)]
    return Or(tuple(Comparison(Path((*taken, ID)), "in", each) for each in below))
