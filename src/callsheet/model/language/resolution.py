"""A path followed through the schema: what each step names, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from attrs import field, frozen

from callsheet.errors import QueryError
from callsheet.model.language.text import path_text
from callsheet.model.query import Path, Step
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean

__all__ = ["Chain", "ResolvedPath", "resolve"]

RELATIONS: Final = 12

Chain: TypeAlias = list[tuple[EntityType, Attribute]]


@frozen
class ResolvedPath:
    """A path that was followed.

    ``steps`` name attributes, no foreign keys; ``chain`` has the entity type and the attribute of each.
    ``target`` is the entity type reached: that of the last relation, after its cast. ``collections`` are
    the indices of the steps that are collections. ``item`` says that the last step is a mapping's item,
    ``alias`` that it was a foreign key, ``bare`` that a reference itself was compared.
    """

    steps: tuple[Step, ...]
    chain: Chain
    target: EntityType
    position: int = -1
    collections: tuple[int, ...] = field(default=())
    item: bool = False
    alias: bool = False
    bare: bool = False

    @property
    def attribute(self) -> Attribute:
        return self.chain[-1][1]

    @property
    def relation(self) -> bool:
        return self.attribute.kind in ("reference", "collection") and not self.item


def resolve(path: Path, entity_type: EntityType, schema: Schema, text: str = "") -> ResolvedPath:
    """Follow a path; `QueryError`, with the nearest names, where it leads nowhere."""
    return _Walk(path, schema, text).follow(entity_type)


class _Walk:
    """One path on its way; keeps what errors need to say."""

    def __init__(self, path: Path, schema: Schema, text: str) -> None:
        self._path, self._schema, self._text = path, schema, text
        self._index = 0
        self._mapping: Attribute | None = None

    def follow(self, owner: EntityType) -> ResolvedPath:
        steps = self._path.steps
        chain: Chain = []
        taken: list[Step] = []
        collections: list[int] = []
        item = alias = False
        relations = 0
        if not steps:
            raise QueryError("a path needs a name")
        for self._index, step in enumerate(steps):
            if item or (chain and chain[-1][1].kind == "scalar"):
                raise self._nothing_follows(*chain[-1])
            if chain and chain[-1][1].kind == "mapping":
                self._mapping = chain[-1][1]
                chain.append((owner, self._item(owner, self._mapping, step)))
                taken.append(self._uncast(step))
                item = True
                continue
            attribute = self._attribute(owner, step)
            alias = attribute.name != step.name
            chain.append((owner, attribute))
            taken.append(Step(attribute.name, step.cast) if alias else step)
            if attribute.kind in ("scalar", "mapping"):
                self._uncast(step)
                continue
            if attribute.kind == "collection":
                collections.append(self._index)
            relations += 1
            if relations > RELATIONS:
                raise self._error(f"a path leads through at most {RELATIONS} relations")
            owner = self._reached(attribute, step)
        return ResolvedPath(tuple(taken), chain, owner, self._path.position, tuple(collections), item, alias)

    def _attribute(self, owner: EntityType, step: Step) -> Attribute:
        found = owner.attributes.get(step.name)
        if found is not None:
            return found
        reference = owner.aliases.get(step.name)
        if reference is None:
            message = f"{owner.name} has no attribute `{step.name:.80}`"
            having = (t.name for t in self._subtypes(owner) if step.name in t.attributes or step.name in t.aliases)
            raise self._error(message, self._cure(having) or _nearest(step.name, owner.names))
        if self._index < len(self._path.steps) - 1:
            raise self._error(f"`{step.name}` is a key, nothing follows it", f"go through `{reference}`")
        return owner.attributes[reference]

    def _item(self, owner: EntityType, mapping: Attribute, step: Step) -> Attribute:
        if mapping.data_type == "custom" and step.name not in owner.custom:
            message = f"{owner.name} has no custom attribute `{step.name:.80}`"
            having = (t.name for t in self._subtypes(owner) if step.name in t.custom)
            raise self._error(message, self._cure(having) or _nearest(step.name, owner.custom))
        return owner.item(mapping.name, step.name)

    def _reached(self, attribute: Attribute, step: Step) -> EntityType:
        target = attribute.target or ""
        if step.cast is None:
            return self._schema.type(target)
        if step.cast not in self._schema.types:
            near = _nearest(step.cast, self._schema.concrete(target))
            raise self._error(f"there is no entity type `{step.cast:.80}` to cast to", near, step.cast)
        if not (self._schema.is_a(step.cast, target) or self._schema.is_a(target, step.cast)):
            subtypes = ", ".join(f"`{name}`" for name in self._schema.concrete(target)[:8])
            raise self._error(f"`{step.name}` is a {target}, never a {step.cast}", f"one of {subtypes}", step.cast)
        return self._schema.types[step.cast]

    def _uncast(self, step: Step) -> Step:
        if step.cast is not None:
            raise self._error(f"`{step.name}` holds a value and has no type to cast to", "only relations have one")
        return step

    def _subtypes(self, owner: EntityType) -> list[EntityType]:
        return [other for other in self._schema.types.values() if owner.name in other.ancestors]

    def _cure(self, having: Iterable[str]) -> str:
        """How to reach an attribute, or a mapping's item, that only subtypes have."""
        subtype = next(iter(having), None)
        if subtype is None:
            return ""
        steps = list(self._path.steps)
        # The relation to cast is the step before: the one before that, where this is a mapping's item.
        relation = self._index - 1 - (self._mapping is not None)
        if relation < 0:
            return f"{subtype} has it: ask for {subtype}"
        steps[relation] = Step(steps[relation].name, subtype)
        return f"cast: `{path_text(Path(tuple(steps)))}`"

    def _nothing_follows(self, owner: EntityType, attribute: Attribute) -> QueryError:
        name = f"{owner.name}.{attribute.name}"
        return self._error(f"`{name}` is a {attribute.data_type}, nothing follows it")

    def _error(self, message: str, hint: str = "", name: str = "") -> QueryError:
        position = self._path.position
        if self._text and position >= 0:
            name = name or self._path.steps[self._index].name
            position = max(self._text.find(name, position), position)
        return QueryError(message, position, hint, self._text)


def _nearest(name: str, names: Iterable[str]) -> str:
    return did_you_mean(name, names).removeprefix("; ")
