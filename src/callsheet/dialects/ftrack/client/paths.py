"""Paths in the vendor's names; `QueryError` for what the vendor's language cannot reach."""

from __future__ import annotations

from attrs import frozen

from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.errors import QueryError
from callsheet.model.language.resolution import ResolvedPath, resolve
from callsheet.model.language.text import path_text
from callsheet.model.query import Path, Step
from callsheet.model.schema import Attribute, EntityType

__all__ = ["PathWriter", "longer", "path_out"]


def path_out(path: Path, entity_type: EntityType, vocabulary: Vocabulary) -> tuple[str, Attribute]:
    """A path to a value in the vendor's words, and the attribute it leads to; a reference's key is the value."""
    writer = PathWriter(vocabulary)
    way = writer.way(path, entity_type)
    if way.item or way.collections:
        raise QueryError(f"this server cannot work with `{path_text(path)}` here", path.position)
    if way.relation:
        way = writer.key_of(way)
    return writer.path(way), way.attribute


@frozen
class PathWriter:
    """Writes paths by a schema and what of it the vendor knows."""

    vocabulary: Vocabulary

    def way(self, path: Path, owner: EntityType) -> ResolvedPath:
        """The attributes that a path leads through."""
        return resolve(path, owner, self.vocabulary.schema)

    def key_of(self, way: ResolvedPath) -> ResolvedPath:
        """The way on to the key of what a relation leads to."""
        target = self.vocabulary.schema.types[str(way.attribute.target)]
        if len(target.key) > 1:
            raise QueryError(
                f"a {target.name} has a key of several parts: compare {', '.join(target.key)}", way.position
            )
        return longer(way, target.key[0])

    def path(self, way: ResolvedPath) -> str:
        """The path in the vendor's names: the key of a reference is its foreign key."""
        texts: list[str] = []
        for place, (step, (owner, attribute)) in enumerate(zip(way.steps, way.chain)):
            last = place == len(way.steps) - 1
            if attribute.kind == "reference" and not step.cast and place == len(way.steps) - 2:
                target = self.vocabulary.schema.types[str(attribute.target)]
                if attribute.foreign_key and target.key == (way.steps[-1].name,):
                    return ".".join((*texts, attribute.foreign_key))
            if not self.vocabulary.knows(owner, attribute.name) and not (last and attribute.kind == "scalar"):
                raise QueryError(
                    f"this server knows only the key of {owner.name}.{attribute.name}, `{attribute.foreign_key}`; "
                    "it cannot go on from there",
                    way.position,
                )
            texts.append(f"{step.name}[{step.cast}]" if step.cast else step.name)
        return ".".join(texts)


def longer(way: ResolvedPath, name: str) -> ResolvedPath:
    """The way with one more step: to an attribute of what it has reached."""
    attribute = way.target.attributes.get(name)
    if attribute is None:
        attribute = way.target.attributes[way.target.aliases[name]]
    return ResolvedPath(
        (*way.steps, Step(name)), [*way.chain, (way.target, attribute)], way.target, way.position, way.collections
    )
