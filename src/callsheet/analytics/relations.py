"""The graph of relations between entity types: which lead where, and by which ways one gets from one to another.

Theory. The nodes are entity types; a reference or a collection is a link from its type to its target, and to each type
below the target (then with a cast). A reference without a mirroring collection is a link in both directions: the way
down is then a query for the entities that refer here.

The *tree* is the part of the graph that an analyst sees first: each type has at most one parent, the target of the
reference that its schema names under ``belongs_to``. Where it names none, the parent is that of the reference
``parent``, else of the only reference whose entity takes this one with it when it is deleted. A reference to the own
family (a folder in a folder) is never the parent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property

from attrs import frozen

from callsheet.errors import SchemaError, UsageError
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean

__all__ = ["TableLink", "TableGraph", "TablePath"]

LONGEST = 6
"""The most links of a route that is looked for."""
MOST = 200
"""The most routes that are looked for."""


@frozen
class TableLink:
    """One step from an entity type to another.

    ``attribute`` names the reference or collection that is followed; with ``backwards`` it is a reference of the
    target, which has no collection that mirrors it. ``many`` says whether several entities may be reached.
    """

    source: str
    target: str
    attribute: str
    many: bool
    backwards: bool = False
    cast: bool = False

    def __str__(self) -> str:
        if self.backwards:
            return f"{self.target}.{self.attribute}"
        return f"{self.attribute}[{self.target}]" if self.cast else self.attribute


@frozen
class TablePath:
    """A way from one entity type to another, as links that follow each other; its text names them."""

    source: str
    links: tuple[TableLink, ...]

    @property
    def target(self) -> str:
        """Where it leads."""
        return self.links[-1].target if self.links else self.source

    @property
    def many(self) -> bool:
        """Whether it may reach several entities."""
        return any(link.many for link in self.links)

    def __str__(self) -> str:
        return " > ".join((self.source, *(str(link) for link in self.links)))

    def __repr__(self) -> str:
        return f"<TablePath {self}>"


class TableGraph:
    """The links of a schema, and the tree in them."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @cached_property
    def parents(self) -> dict[str, TableLink | None]:
        """The link from each type to its parent."""
        return {name: self._parent(entity_type) for name, entity_type in self._schema.types.items()}

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """The types whose parent is this one, in the order of the schema."""
        found: dict[str, list[str]] = {name: [] for name in self._schema.types}
        for name, link in self.parents.items():
            if link is not None:
                found[link.target].append(name)
        return found

    def ancestors(self, name: str) -> list[str]:
        """The parent, its parent, and so on."""
        found: list[str] = []
        link = self.parents[name]
        while link is not None and link.target not in found and link.target != name:
            found.append(link.target)
            link = self.parents[link.target]
        return found

    def descendants(self, name: str) -> list[str]:
        """The children and theirs, each child followed by its own."""
        found: list[str] = []
        pending = list(reversed(self.children[name]))
        while pending:
            child = pending.pop()
            if child not in found and child != name:
                found.append(child)
                pending += reversed(self.children[child])
        return found

    @cached_property
    def master(self) -> str:
        """The type that the schema names; else the root with the most descendants, the first of several."""
        stated = self._schema.document.get("master")
        if isinstance(stated, str) and stated in self._schema.types:
            return stated
        roots = [name for name, link in self.parents.items() if link is None]
        if not roots:
            raise SchemaError("this schema has no master table: each type belongs to another; name one under `master`")
        return max(roots, key=lambda name: len(self.descendants(name)))

    @cached_property
    def links(self) -> dict[str, tuple[TableLink, ...]]:
        """All links by the type that they start from."""
        found: dict[str, list[TableLink]] = {name: [] for name in self._schema.types}
        for entity_type in self._schema.types.values():
            for attribute in entity_type.attributes.values():
                if attribute.kind in ("reference", "collection") and attribute.target in self._schema.types:
                    for link in self._of(entity_type, attribute):
                        found[link.source].append(link)
        return {name: tuple(dict.fromkeys(links)) for name, links in found.items()}

    def routes(self, source: str, target: str) -> list[TablePath]:
        """All ways that pass no type twice, the shortest first; at most `MOST`, of at most `LONGEST` links."""
        if source == target:
            return [TablePath(source, ())]
        found: list[TablePath] = []
        pending = deque([TablePath(source, ())])
        reaching = self._reaching(target)
        while pending and len(found) < MOST:
            route = pending.popleft()
            seen = {source, *(link.target for link in route.links)}
            for link in self.links[route.target]:
                if link.target == target:
                    found.append(TablePath(source, (*route.links, link)))
                elif link.target not in seen and len(route.links) + 1 < LONGEST and link.target in reaching:
                    pending.append(TablePath(source, (*route.links, link)))
        return found

    def _reaching(self, target: str) -> frozenset[str]:
        """The types from which there is a way to the target."""
        found = self._reach.get(target)
        if found is None:
            into: dict[str, set[str]] = {}
            for links in self.links.values():
                for link in links:
                    into.setdefault(link.target, set()).add(link.source)
            reached, pending = {target}, [target]
            while pending:
                for source in into.get(pending.pop(), ()):
                    if source not in reached:
                        reached.add(source)
                        pending.append(source)
            found = self._reach[target] = frozenset(reached)
        return found

    @cached_property
    def _reach(self) -> dict[str, frozenset[str]]:
        return {}

    def tree_route(self, source: str, target: str) -> TablePath | None:
        """The way in the tree: up to the nearest type that both belong to, and down from there; None without one."""
        up = [source, *self.ancestors(source)]
        down = [target, *self.ancestors(target)]
        meeting = next((name for name in up if name in down), None)
        if meeting is None:
            return None
        links = [self._up(name) for name in up[: up.index(meeting)]]
        links += [self._down(name) for name in reversed(down[: down.index(meeting)])]
        return TablePath(source, tuple(links))

    def route(self, source: str, target: str, through: str | TablePath | None = None) -> TablePath:
        """The way that is meant: that of the tree, else the only shortest one.

        ``through`` chooses: a `TablePath`, its text, or the name of an attribute that one route alone follows. Raises
        `UsageError` where there is no way, or where there are several.
        """
        if isinstance(through, TablePath):
            if (through.source, through.target) != (source, target):
                raise UsageError(f"{through!r} does not lead from {source} to {target}")
            return through
        if through is not None:
            return self._chosen(source, target, str(through))
        found = self.tree_route(source, target)
        if found is not None:
            return found
        routes = self.routes(source, target)
        if not routes:
            raise UsageError(f"{source} and {target} are not related: no reference leads from one to the other")
        shortest = [route for route in routes if len(route.links) == len(routes[0].links)]
        if len(shortest) > 1:
            raise UsageError(f"there are {len(shortest)} ways from {source} to {target}: {_listed(shortest)}")
        return shortest[0]

    def _chosen(self, source: str, target: str, through: str) -> TablePath:
        routes = self.routes(source, target)
        by_text = {str(route): route for route in routes}
        if through in by_text:
            return by_text[through]
        named = [route for route in routes if any(through in (link.attribute, str(link)) for link in route.links)]
        named = [route for route in named if len(route.links) == len(named[0].links)]
        if not named:
            names = sorted({link.attribute for route in routes for link in route.links})
            raise UsageError(
                f"no way from {source} to {target} goes through `{through}`{did_you_mean(through, names)}"
                + (f": {_listed(routes)}" if routes else "")
            )
        if len(named) > 1:
            raise UsageError(f"several ways from {source} to {target} go through `{through}`: {_listed(named)}")
        return named[0]

    def _of(self, entity_type: EntityType, attribute: Attribute) -> Iterator[TableLink]:
        schema, name, target = self._schema, attribute.name, str(attribute.target)
        many = attribute.kind == "collection"
        for below in self._family(target):
            yield TableLink(entity_type.name, below, name, many, cast=below != target)
        if not many and schema.inverse(attribute) is None:
            for below in self._family(target):
                yield TableLink(below, entity_type.name, name, True, backwards=True)

    def _family(self, name: str) -> Sequence[str]:
        found = [name]
        for below in self._schema.children[name]:
            found += self._family(below)
        return found

    def _up(self, name: str) -> TableLink:
        link = self.parents[name]
        assert link is not None
        return link

    def _down(self, name: str) -> TableLink:
        """The link from the parent of a type to it."""
        up = self._up(name)
        attribute = self._schema.types[name].attributes[up.attribute]
        inverse = self._schema.inverse(attribute)
        if inverse is None:
            return TableLink(up.target, name, attribute.name, True, backwards=True)
        return TableLink(up.target, name, inverse.name, True, cast=inverse.target != name)

    def _parent(self, entity_type: EntityType) -> TableLink | None:
        stated = entity_type.belongs_to
        references = [a for a in entity_type.attributes.values() if self._may_lead_up(entity_type, a)]
        if stated is not None:
            chosen = [each for each in references if each.name == stated]
        else:
            owners = [each for each in references if each.on_delete == "cascade"]
            chosen = [each for each in references if each.name == "parent"] or (owners if len(owners) == 1 else [])
        if not chosen:
            return None
        return TableLink(entity_type.name, str(chosen[0].target), chosen[0].name, False)

    def _may_lead_up(self, entity_type: EntityType, attribute: Attribute) -> bool:
        if attribute.kind != "reference" or attribute.target not in self._schema.types:
            return False
        return self._schema.types[str(attribute.target)].root != entity_type.root


def _listed(routes: Sequence[TablePath]) -> str:
    shown = "; ".join(f"`{route}`" for route in routes[:8])
    more = f" and {len(routes) - 8} more" if len(routes) > 8 else ""
    path = ".".join(str(link) for link in routes[0].links)
    return f"{shown}{more}; choose one by `through=`, or write a variable as a path: `{path}.…`"
