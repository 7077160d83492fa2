"""How the rows of one type are linked to entities, and the base of each: what a plan takes from the registry.

Theory. With external ids the link is how an entity is found; a row without one may adopt an entity that has its natural
key and no link yet. With a key of our own entities are found by it, and the link only keeps the base. A link without an
entity shows that the row's entity was deleted here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, evolve, field

from callsheet.core.core import Core
from callsheet.flow import Flow
from callsheet.model.operation import Create, Delete, Update
from callsheet.model.query import Condition, Path
from callsheet.model.record import Identity
from callsheet.sync.cells import Cells
from callsheet.sync.finding import Found, find
from callsheet.sync.layout import RowLayout
from callsheet.sync.registry import ForeignLink, link_operation, links_by_foreign_id, links_in, links_to
from callsheet.sync.since import Since
from callsheet.sync.steps import Linked, LostEntity

__all__ = ["GONE", "RowLinks"]

GONE = ("leave", "create", "conflict")

KeyTuple = tuple[Any, ...]


@define(eq=False)
class RowLinks:
    """The links of one step's rows."""

    core: Core
    layout: RowLayout
    system: str
    type: str
    #: Whether entities are found by their links, and the natural key of those that may be adopted.
    external: bool
    adopt: tuple[str, ...] = ()
    gone: str = "leave"
    #: Since when the target is read; None: all of it.
    since: Since | None = None
    links: dict[KeyTuple, ForeignLink] = field(factory=dict)
    linked: list[Linked] = field(factory=list)
    lost: list[LostEntity] = field(factory=list)
    #: Rows that cannot be linked: the column's target, and why.
    refused: dict[KeyTuple, tuple[str, str]] = field(factory=dict)
    #: Keys without a row whose entities a refused row names: they are not gone.
    meant: set[KeyTuple] = field(factory=set)
    #: Rows whose entity is what the base says, and rows that need no look.
    believed: dict[KeyTuple, Found] = field(factory=dict)
    skipped: set[KeyTuple] = field(factory=set)
    #: Whether the rows are some of those of the step only.
    part: bool = False

    def afresh(self) -> RowLinks:
        """The links of other rows of the step: none is known yet."""
        return RowLinks(
            self.core, self.layout, self.system, self.type, self.external, self.adopt, self.gone, self.since
        )

    def foreign_id(self, key: KeyTuple) -> str:
        """The key as one text."""
        if len(key) == 1 and isinstance(key[0], str):
            return key[0]
        return json.dumps(key, ensure_ascii=False, default=str)

    def find(
        self, rows: Mapping[KeyTuple, Cells], held: Iterable[Path], *, part: bool = False
    ) -> Flow[dict[KeyTuple, list[Found]]]:
        """The entities of the rows' keys; ``part`` says that these are some of the rows only."""
        self.part = part
        held = list(held)
        changed = None if self.since is None else (yield from self.since.changed(self.core, self.layout.entity_type))
        if self.since is not None and changed is not None:
            rows = yield from self._looked_at(self.since, changed, rows)
        named = {self.foreign_id(key): key for key in rows}
        found = yield from links_by_foreign_id(self.core, self.system, self.type, named, part=part)
        self.links = {named[foreign_id]: link for foreign_id, link in found.items()}
        if self.since is not None and changed is not None:
            trusted = {
                key: link for key, link in self.links.items() if link.base and str(link.entity.key) not in changed
            }
            self.believed = {key: self.since.believed(link) for key, link in trusted.items()}
        present = yield from self._read({key: cells for key, cells in rows.items() if key not in self.believed}, held)
        if self.adopt:
            present |= yield from self._adopted(rows, held)
        return present | {key: [found] for key, found in self.believed.items()}

    def read(self, rows: Mapping[KeyTuple, Cells], held: Iterable[Path]) -> Flow[dict[KeyTuple, list[Found]]]:
        """Read the entities of rows that were assumed to equal their base."""
        for key in rows:
            self.believed.pop(key, None)
        return (yield from self._read(rows, list(held)))

    def _looked_at(
        self, since: Since, changed: set[str], rows: Mapping[KeyTuple, Cells]
    ) -> Flow[Mapping[KeyTuple, Cells]]:
        """The rows without the old ones whose entities nobody changed."""
        old = {key for key, cells in rows.items() if since.is_old(cells)}
        if not old:
            return rows
        links = yield from links_to(self.core, self.system, self.type, changed)
        touched = {link.foreign_id for link in links.values()}
        self.skipped = {key for key in old if self.foreign_id(key) not in touched}
        return {key: cells for key, cells in rows.items() if key not in self.skipped}

    def _read(self, rows: Mapping[KeyTuple, Cells], held: list[Path]) -> Flow[dict[KeyTuple, list[Found]]]:
        """The entities of these rows as the server has them; missing entities are recorded."""
        links = {key: link for key, link in self.links.items() if key in rows}
        if self.external:
            present = yield from self._linked_entities(links, held)
        else:
            paths = [self.layout.targets[name].path for name in self.layout.keys]
            present = yield from find(self.core, self.layout.entity_type, paths, rows, held, part=self.part)
        for key, link in links.items():
            if key not in present and key not in self.refused:
                self.lost.append(LostEntity(rows[key].number, key, link.entity))
        return present

    def _linked_entities(
        self, links: Mapping[KeyTuple, ForeignLink], held: list[Path]
    ) -> Flow[dict[KeyTuple, list[Found]]]:
        keys = {str(link.entity.key): key for key, link in links.items()}
        for key, link in links.items():
            if (other := keys[str(link.entity.key)]) != key:
                reason = f"is linked to {_shown(link.entity)}, as {other[0]!r:.60} is"
                self.refused[key] = (self.layout.keys[0], reason)
        entity_type = self.layout.entity_type
        path, wanted = Path.of(entity_type.key[0]), [(key,) for key in keys]
        found = yield from find(self.core, entity_type, [path], wanted, held, part=self.part)
        return {keys[str(own[0])]: entities for own, entities in found.items()}

    def _adopted(self, rows: Mapping[KeyTuple, Cells], held: list[Path]) -> Flow[dict[KeyTuple, list[Found]]]:
        """Entities without a link that have the natural key of a row without one."""
        natural: dict[KeyTuple, KeyTuple] = {}
        for key, cells in rows.items():
            own = tuple(cells.values.get(name) for name in self.adopt)
            if key in self.links or None in own:
                continue
            if own in natural:
                other = rows[natural[own]].number
                self.refused[key] = (self.adopt[-1], f"row {other} has the same {self._natural(own)}")
            else:
                natural[own] = key
        paths = [self.layout.targets[name].path for name in self.adopt]
        found = yield from find(self.core, self.layout.entity_type, paths, natural, held)
        keys = {str(each.identity.key) for entities in found.values() for each in entities}
        taken = yield from links_to(self.core, self.system, self.type, keys)
        adopted: dict[KeyTuple, list[Found]] = {}
        for own, entities in found.items():
            key = natural[own]
            if len(entities) > 1:
                reason = f"{len(entities)} entities have the {self._natural(own)}; link one of them, or adopt by more"
                self.refused[key] = (self.adopt[-1], reason)
            elif (link := taken.get(str(entities[0].identity.key))) is not None:
                if self._moves(rows, link, own):
                    continue
                self.meant.add((link.foreign_id,))
                reason = f"the entity with the {self._natural(own)} is linked to {link.foreign_id!r:.60} already"
                self.refused[key] = (self.adopt[-1], reason)
            else:
                adopted[key] = entities
                self.linked.append(Linked(rows[key].number, key, entities[0].identity, own))
        return adopted

    def _moves(self, rows: Mapping[KeyTuple, Cells], link: ForeignLink, own: KeyTuple) -> bool:
        """Whether the entity that has the natural key now gets another one by its own row."""
        cells = rows.get((link.foreign_id,))
        return cells is not None and tuple(cells.values.get(name) for name in self.adopt) != own

    def _natural(self, own: KeyTuple) -> str:
        return " and ".join(f"{name} {value!r:.60}" for name, value in zip(self.adopt, own))

    def base(self, key: KeyTuple, entity: Identity) -> Mapping[str, Any]:
        """The base that is known of an entity; empty where there is none, or where it is that of another entity."""
        link = self.links.get(key)
        return link.base or {} if link is not None and str(link.entity.key) == str(entity.key) else {}

    def link(self, key: KeyTuple, entity: Identity, base: Mapping[str, Any] | None) -> Create | Update | Delete | None:
        """What makes the registry link the key to an entity, with a base (None: the base it has)."""
        old = self.links.get(key)
        if old is not None and (base is None or base is old.base) and old.entity.key == str(entity.key):
            return None
        new = ForeignLink(self.system, self.type, self.foreign_id(key), entity, base)
        if old is not None:
            new = evolve(new, identity=old.identity, base=old.base if base is None else base)
        return link_operation(new, old)

    def linked_entities(self, projections: list[Path], scope: Condition | None) -> Flow[list[Found]]:
        """All linked entities in scope, by the key of their link."""
        links = yield from links_in(self.core, self.system, self.type)
        self.links = {(link.foreign_id,): link for link in links} | self.links
        keys = {str(link.entity.key): key for key, link in self.links.items()}
        entity_type = self.layout.entity_type
        path = Path.of(entity_type.key[0])
        found = yield from find(self.core, entity_type, [path], ((key,) for key in keys), projections, scope)
        return [each._replace(key=keys[str(own[0])]) for own, entities in found.items() for each in entities]

    def with_links(self, found: Iterable[Found]) -> Flow[list[Found]]:
        """Those of the entities that are linked, by the key of their link."""
        entities = {str(each.identity.key): each for each in found}
        links = yield from links_to(self.core, self.system, self.type, entities)
        self.links = {(link.foreign_id,): link for link in links.values()} | self.links
        return [entities[key]._replace(key=(link.foreign_id,), values=()) for key, link in links.items()]

    def learn(self, keys: Iterable[KeyTuple]) -> Flow[None]:
        """Read the links of keys of our own that no row has."""
        named = {self.foreign_id(key): key for key in keys}
        found = yield from links_by_foreign_id(self.core, self.system, self.type, named)
        self.links |= {named[foreign_id]: link for foreign_id, link in found.items()}

    def unlink(self, key: KeyTuple) -> Delete | None:
        """The operation that removes a key from the registry."""
        old = self.links.get(key)
        return None if old is None else Delete(old.identity, old.version)


def _shown(identity: Identity) -> str:
    return f"{identity.entity_type} {identity.key}"
