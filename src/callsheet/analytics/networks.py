"""The network of relations between entities: what they refer to, what that refers to, and so on.

Theory. The network grows by levels. All that one level leads to is fetched together, before any of it is looked at; so
its cost is a few requests for each level, whatever the number of entities. Nothing is read lazily.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any

from attrs import field, frozen

from callsheet.analytics.network_drawing import draw
from callsheet.core.core import Core
from callsheet.core.plain.fetching import fetch_tree, related
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.scalar import shown
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["NetworkLink", "RelationNetwork", "network_of"]


@frozen
class NetworkLink:
    """That an entity's relation leads to another entity."""

    source: Identity
    relation: str
    target: Identity


@frozen
class RelationNetwork:
    """Entities by identity, in levels, and the links between them.

    ``levels`` says after how many links each was reached first; those that the network began with have 0.
    """

    entities: dict[Identity, Any] = field(repr=False)
    levels: dict[Identity, int] = field(repr=False)
    links: tuple[NetworkLink, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.entities)

    def __repr__(self) -> str:
        return f"<RelationNetwork of {len(self.entities):,} entities and {len(self.links):,} links>"

    @cached_property
    def labels(self) -> dict[Identity, str]:
        """The label of each entity as it is known, else its key."""
        return {identity: _label(entity) for identity, entity in self.entities.items()}

    @cached_property
    def graph(self) -> Any:
        """The network as a ``networkx.MultiDiGraph`` (extra ``graph``).

        Its nodes are identities, with the attributes ``entity_type``, ``label`` and ``level``; its edges have their
        relation as key and as attribute ``relation``.
        """
        try:
            graph = import_module("networkx").MultiDiGraph()
        except ImportError:
            raise UsageError("a graph needs networkx: `pip install callsheet[graph]`") from None
        for identity, level in self.levels.items():
            graph.add_node(identity, entity_type=identity.entity_type, label=self.labels[identity], level=level)
        for link in self.links:
            graph.add_edge(link.source, link.target, key=link.relation, relation=link.relation)
        return graph

    def draw(self, path: Any = None, ax: Any = None) -> Any:
        """A picture by matplotlib (extra ``graph``); gives its axes, and writes it to a file if there is a ``path``.

        Levels are columns, types and relations have colours. The ending of the file says the format: ``.png``,
        ``.svg``, ``.pdf``. No window and no display is needed.
        """
        return draw(self, path, ax)


def network_of(
    core: Core, entities: Sequence[Any], relations: Iterable[str], depth: int | None, most: int
) -> Flow[RelationNetwork]:
    """The network that begins with these entities and follows these relations."""
    names = _relation_names(core.schema, relations)
    for word, number in (("depth", depth), ("most", most)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
            raise UsageError(f"{word} is a whole number from 0, not {shown(number)}")
    found: dict[Identity, Any] = {each.identity: each for each in entities}
    levels = dict.fromkeys(found, 0)
    links: dict[NetworkLink, None] = {}
    level, number = list(found.values()), 0
    while level and (depth is None or number < depth):
        _check_size(found, most)
        yield from _load_level(core, level, names)
        number, reached = number + 1, level
        level = []
        for entity in reached:
            for name in names:
                for other in related(entity, name):
                    links[NetworkLink(entity.identity, name, other.identity)] = None
                    if other.identity not in found:
                        found[other.identity] = other
                        levels[other.identity] = number
                        level.append(other)
    _check_size(found, most)
    return RelationNetwork(found, levels, tuple(links))


def _load_level(core: Core, level: Sequence[Any], names: Sequence[str]) -> Flow[None]:
    """What the relations of a level lead to is loaded, with its labels."""
    by_type: dict[str, list[Any]] = {}
    for each in level:
        by_type.setdefault(each._name, []).append(each)
    for type_name, members in by_type.items():
        attributes = core.schema.types[type_name].attributes
        yield from fetch_tree(core, members, {name: {} for name in names if name in attributes})


def _check_size(found: dict[Identity, Any], most: int) -> None:
    if len(found) > most:
        raise UsageError(
            f"this network has more than {most:,} entities: set a `depth`, name fewer relations, or `most`"
        )


def _relation_names(schema: Schema, relations: Iterable[str]) -> list[str]:
    given = relations.split(",") if isinstance(relations, str) else relations
    if not isinstance(given, Iterable):
        raise UsageError(f"a network follows the names of relations, not {shown(given)}")
    names = [each.strip() if isinstance(each, str) else each for each in given]
    known = {
        each.name for kind in schema.types.values() for each in kind.attributes.values() if each.target is not None
    }
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"a network follows the names of relations, not {shown(name)}")
        if name not in known:
            raise UsageError(f"no type has a relation `{name}`{did_you_mean(name, sorted(known))}")
    if not names:
        raise UsageError('a network follows at least one relation, as in `["parents", "items"]`')
    return list(dict.fromkeys(names))


def _label(entity: Any) -> str:
    value = entity.peek(entity._type.label) if entity._type.label in entity._type.attributes else NOT_SET
    return str(entity._key if value is NOT_SET or value is None else value)
