"""The projections of a query as a tree, with one node for each relation on their paths."""

from __future__ import annotations

from attrs import define, field

from callsheet.model.query import Path
from callsheet.model.schema import EntityType, Schema

__all__ = ["ProjectionNode", "projected"]


@define(eq=False)
class ProjectionNode:
    """The attributes to read of the entities at one place, and a node for each relation from there.

    With ``everything``, all attributes but collections are read. ``relations`` are keyed by attribute and cast.
    """

    entity_type: EntityType
    names: dict[str, None] = field(factory=dict)
    relations: dict[tuple[str, str | None], ProjectionNode] = field(factory=dict)
    everything: bool = False

    def attributes(self, concrete: EntityType) -> list[str]:
        """The attributes to read of an entity of this type."""
        if self.everything:
            return [a.name for a in concrete.attributes.values() if a.kind != "collection" and a.name != "id"]
        return list(self.names)


def projected(schema: Schema, entity_type: str, projections: tuple[Path, ...]) -> ProjectionNode:
    """The tree of the projections."""
    root = ProjectionNode(schema.type(entity_type), everything=not projections)
    for path in projections:
        _add(schema, root, path)
    return root


def _add(schema: Schema, node: ProjectionNode, path: Path) -> None:
    for index, step in enumerate(path.steps):
        if step.name == "id":
            return
        attribute = node.entity_type.attribute(step.name)
        node.names[attribute.name] = None
        rest = path.steps[index + 1 :]
        if attribute.kind in ("scalar", "mapping") or not rest or (len(rest) == 1 and rest[0].name == "id"):
            return
        target = schema.type(step.cast or str(attribute.target))
        node = node.relations.setdefault((attribute.name, step.cast), ProjectionNode(target))
