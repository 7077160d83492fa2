"""Loading on request: paths that many entities lack, and what is known of them once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.chunks import chunks
from callsheet.core.core import Core
from callsheet.core.reading import fetch, is_loaded, key_condition, merge_page, page
from callsheet.entity.peers import Peers
from callsheet.errors import SchemaError, UsageError
from callsheet.flow import Flow
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Path, Select, Step
from callsheet.model.record import NOT_SET
from callsheet.model.schema import Attribute, EntityType

__all__ = ["populate", "refresh"]


def populate(core: Core, entities: Any, projections: str | Iterable[str]) -> Flow[None]:
    """Load paths such as ``"status.name, parent.name"`` for one or many entities, of any types.

    Only entities that lack a part of a path are fetched, in bounded chunks; those not yet created are left out.
    """
    paths = [parse_path(text) for text in _split(projections)]
    chosen: dict[str, list[Any]] = {}
    for entity in core._check_entities(entities):
        if entity._changes is not None and (entity._changes.born or entity._changes.state == "detached"):
            continue
        if not all(_path_loaded(core, entity, path.steps) for path in paths):
            chosen.setdefault(entity._name, []).append(entity)
    for type_name, members in chosen.items():
        wanted = tuple(path for path in paths if path.steps[0].name in core.schema.types[type_name].names)
        if len(wanted) < len(paths):
            unknown = next(path for path in paths if path not in wanted)
            core.schema.types[type_name].attribute(unknown.steps[0].name)
        for chunk in chunks(members, min(core.features.rows, core.features.literals)):
            where = key_condition(core.schema.types[type_name], [entity._key for entity in chunk])
            root = core.schema.types[type_name].root
            before = [entity._peers for entity in chunk]
            yield from fetch(core, Select(type_name, wanted, where), len(chunk), None, Peers(root))
            for entity, peers in zip(chunk, before):
                if peers is not None:
                    object.__setattr__(entity, "_peers", peers)


def _split(projections: str | Iterable[str]) -> list[str]:
    texts = projections.split(",") if isinstance(projections, str) else list(projections)
    found = [text.strip() for text in texts if text.strip()]
    if not found:
        raise SchemaError('populate takes at least one projection, as in `"name, status.name"`')
    return found


def _path_loaded(core: Core, entity: Any, steps: Sequence[Step]) -> bool:
    step = steps[0]
    if step.cast is not None and not steps[1:]:
        steps = (Step(step.name),)
    entity_type: EntityType = entity._type
    if step.name not in entity_type.names and step.name not in entity_type.key:
        return False
    if step.name in entity_type.key:
        return True
    attribute: Attribute = entity_type.attribute(step.name)
    if not is_loaded(entity, attribute.name):
        return False
    if len(steps) == 1 or attribute.kind in ("scalar", "mapping"):
        return True
    value = entity.peek(attribute.name)
    members = [value] if attribute.kind == "reference" else value._members()
    return all(
        _path_loaded(core, member, steps[1:])
        for member in members
        if member is not None and (step.cast is None or core.schema.is_a(member._name, step.cast))
    )


def refresh(core: Core, entities: Any, keep: str = "local") -> Flow[None]:
    """Fetch what is known of entities again; ``keep`` says whether pending changes stay.

    ``keep="local"`` keeps pending changes and bases them on the new values, so that a commit overwrites
    what it knows of; ``keep="remote"`` drops them.
    """
    chosen = core._check_entities(entities)
    if keep not in ("local", "remote"):
        raise UsageError(f'keep is "local" or "remote", not {keep!r}')
    if keep == "remote":
        core.unit.forget_changes(chosen)
    by_shape: dict[tuple[str, tuple[str, ...]], list[Any]] = {}
    for entity in chosen:
        if entity._changes is not None and entity._changes.born:
            continue
        known = tuple(name for name in entity._type.attributes if entity.peek(name) is not NOT_SET)
        names = tuple(name for name in known if name not in entity._type.key and is_loaded(entity, name))
        by_shape.setdefault((entity._name, names), []).append(entity)
    for (type_name, names), members in by_shape.items():
        entity_type = core.schema.types[type_name]
        projections = tuple(Path((Step(name),)) for name in names)
        for chunk in chunks(members, min(core.features.rows, core.features.literals)):
            select = Select(type_name, projections, key_condition(entity_type, [entity._key for entity in chunk]))
            answer = yield from page(core, select, len(chunk), None)
            found_versions = {row[0]: row[1] for records in answer.records[: answer.roots] for row in records.rows}
            merge_page(core, answer, Peers(entity_type.root))
            for entity in chunk:
                if entity._key not in found_versions:
                    core.unit.forget_changes([entity])
                    core.unit.detach(entity)
                else:
                    core.unit.rebase(entity, found_versions[entity._key])
