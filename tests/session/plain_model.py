"""What sessions should do, with nothing but dictionaries: rows that are committed, and what each party knows.

`World` is the server: rows by key, and memberships. `Party` is one session: the rows as it was last told of
them, what it did since, and the rows as it should show them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from attrs import define, field

DOCUMENT: dict[str, Any] = {
    "name": "plain",
    "types": {
        "Context": {
            "abstract": True,
            "attributes": {
                "name": {"type": "string"},
                "data": {"type": "json"},
                "metadata": {"type": "mapping"},
                "children": {"type": "collection", "target": "Context", "inverse": "parent"},
                "parent": {"type": "reference", "target": "Context", "inverse": "children", "on_delete": "cascade"},
                "tags": {"type": "collection", "target": "Tag", "inverse": "contexts"},
            },
        },
        "Project": {"extends": "Context"},
        "Task": {
            "extends": "Context",
            "attributes": {
                "bid": {"type": "integer", "default": 0},
                "done": {"type": "boolean"},
                "status": {"type": "reference", "target": "Status", "inverse": "tasks", "on_delete": "nullify"},
                "kind": {"type": "reference", "target": "Kind", "on_delete": "restrict"},
            },
        },
        "Status": {
            "attributes": {
                "name": {"type": "string", "unique": True},
                "tasks": {"type": "collection", "target": "Task", "inverse": "status"},
            }
        },
        "Kind": {"attributes": {"name": {"type": "string"}}},
        "Tag": {
            "attributes": {
                "name": {"type": "string"},
                "contexts": {"type": "collection", "target": "Context", "inverse": "tags"},
            }
        },
    },
}

#: The plain attributes of each type with their defaults; ``metadata`` is a dict.
DEFAULTS: dict[str, dict[str, Any]] = {
    "Project": {"name": None, "data": None, "parent": None},
    "Task": {"name": None, "data": None, "parent": None, "bid": 0, "done": None, "status": None, "kind": None},
    "Status": {"name": None},
    "Kind": {"name": None},
    "Tag": {"name": None},
}
#: Where a reference may point.
TARGETS = {"parent": ("Project", "Task"), "status": ("Status",), "kind": ("Kind",)}
CONTEXTS = ("Project", "Task")

Row = dict[str, Any]
Link = tuple[str, str]


class Refused(Exception):
    """The server should refuse the batch. ``certain`` is false where that hangs on what others did meanwhile."""

    def __init__(self, reason: str, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain


def new_row(entity_type: str, values: Row) -> Row:
    row = {"@type": entity_type, **deepcopy(DEFAULTS[entity_type]), **values}
    if entity_type in CONTEXTS:
        row.setdefault("metadata", {})
    return row


def alike(one: Any, other: Any) -> bool:
    """Equal all the way down, and True is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    return repr(one) == repr(other)


def agree(name: str) -> bool:
    """Whether two who wrote the same agree: on texts and references, but not on numbers, truths and JSON data."""
    return name not in ("bid", "done", "data")


def cell_of(row: Row, name: str) -> Any:
    """An attribute's value, or an item's (``metadata.colour``)."""
    mapping, dot, key = name.partition(".")
    return row[mapping].get(key) if dot else row[name]


def put(row: Row, name: str, value: Any) -> None:
    mapping, dot, key = name.partition(".")
    if not dot:
        row[name] = value
    elif value is None:
        row[mapping].pop(key, None)
    else:
        row[mapping][key] = value


def below(rows: dict[str, Row], key: str, other: str | None) -> bool:
    """Whether ``other`` is the entity or below it."""
    passed: set[str] = set()
    while other is not None and other not in passed:
        if other == key:
            return True
        passed.add(other)
        other = rows[other].get("parent") if other in rows else None
    return False


@define
class World:
    """What is committed."""

    rows: dict[str, Row] = field(factory=dict)
    links: set[Link] = field(factory=set)

    def delete(self, key: str) -> None:
        """With what the schema says of relations: children go too, statuses are nullified."""
        row = self.rows.pop(key, None)
        if row is None:
            return
        self.links = {link for link in self.links if key not in link}
        for other, values in list(self.rows.items()):
            if values.get("status") == key:
                values["status"] = None
            if values.get("parent") == key and other in self.rows:
                self.delete(other)

    def check(self) -> None:
        """The rules at the end of a batch."""
        for key, row in self.rows.items():
            if below(self.rows, key, row.get("parent")):
                raise Refused("its own ancestor")
            for name in TARGETS:
                if row.get(name) is not None and row[name] not in self.rows:
                    raise Refused(f"{name} refers to nothing")
        for link in self.links:
            if link[0] not in self.rows or link[1] not in self.rows:
                raise Refused("a membership of nothing")
        names = [row["name"] for row in self.rows.values() if row["@type"] == "Status" and row["name"] is not None]
        if len(set(names)) < len(names):
            raise Refused("a status has the name of another")


@define
class Party:
    """One session: what it was told, what it did, what it should show."""

    seen: dict[str, Row] = field(factory=dict)
    seen_links: set[Link] = field(factory=set)
    local: dict[str, Row] = field(factory=dict)
    links: set[Link] = field(factory=set)
    log: list[tuple[Any, ...]] = field(factory=list)
    base: dict[Link, Any] = field(factory=dict)
    born: set[str] = field(factory=set)
    dead: set[str] = field(factory=set)
    #: Everything it holds is as committed, and it holds everything.
    current: bool = True
    #: The contexts of which it changed memberships that it did not know.
    blind: set[str] = field(factory=set)

    # -- what it does ------------------------------------------------------------------------------------

    def create(self, key: str, entity_type: str, values: Row, members: list[str]) -> None:
        self.local[key] = new_row(entity_type, values)
        self.born.add(key)
        self.log.append(("create", key, entity_type, deepcopy(values)))
        for member in members:
            self.link(key, member, True)

    def set(self, key: str, name: str, value: Any) -> None:
        row = self.local[key]
        if alike(cell_of(row, name), value):
            return
        if key not in self.born:
            self.base.setdefault((key, name), cell_of(row, name))
        put(row, name, value)
        self.log.append(("set", key, name, value))
        self._drop_taken_back()

    def _drop_taken_back(self) -> None:
        """What has the value it began with is no change, and never was one; it shows what was told last."""
        kept = self.changed_cells()
        for key, name in self.base.keys() - kept:
            if key in self.local:
                put(self.local[key], name, deepcopy(cell_of(self.seen[key], name)))
        self.base = {cell: was for cell, was in self.base.items() if cell in kept}
        self.log = [step for step in self.log if step[0] != "set" or step[1] in self.born or (step[1], step[2]) in kept]

    def link(self, context: str, tag: str, present: bool) -> None:
        if ((context, tag) in self.links) is present:
            return
        (self.links.add if present else self.links.discard)((context, tag))
        self.log.append(("link", context, tag, present))

    def delete(self, key: str) -> None:
        self.dead.add(key)
        self.log.append(("delete", key))

    def rollback(self) -> None:
        self.local, self.links = deepcopy(self.seen), set(self.seen_links)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.log, self.base, self.born, self.dead, self.blind = [], {}, set(), set(), set()

    # -- what it is told ---------------------------------------------------------------------------------

    def merge(self, world: World, keys: list[str]) -> None:
        """Rows arrive: what is pending stays."""
        for key in keys:
            self.seen[key] = deepcopy(world.rows[key])
            row = deepcopy(world.rows[key])
            for changed, name in self.base:
                if changed == key:
                    put(row, name, cell_of(self.local[key], name))
            self.local[key] = row

    def forget(self, key: str) -> None:
        """Drop what is pending on an existing entity."""
        self.log = [step for step in self.log if step[1] != key]
        self.base = {cell: was for cell, was in self.base.items() if cell[0] != key}
        self.dead.discard(key)
        self.local[key] = deepcopy(self.seen[key])
        self.links = {link for link in self.links if link[0] != key}
        self.links |= {link for link in self.seen_links if link[0] == key}

    def refresh(self, world: World, key: str) -> None:
        """One entity is fetched again, and its pending changes count as made on that."""
        if key not in world.rows:
            self.forget(key)
            del self.local[key], self.seen[key]
            return
        self.merge(world, [key])
        for cell in self.base:
            if cell[0] == key:
                self.base[cell] = cell_of(world.rows[key], cell[1])
        self._drop_taken_back()

    def rebase(self, world: World) -> None:
        """Everything is fetched again, and pending changes count as made on that."""
        self.merge(world, list(world.rows))
        gone = [key for key in self.local if key not in world.rows and key not in self.born]
        for key in gone:
            del self.local[key]
            self.seen.pop(key, None)
        self.dead.difference_update(gone)
        for cell in list(self.base):
            if cell[0] in gone:
                del self.base[cell]
            else:
                self.base[cell] = cell_of(world.rows[cell[0]], cell[1])
        self.log = [step for step in self.log if step[1] not in gone]
        # Whether a pending membership is a change cannot be told any more.
        self.blind |= {step[1] for step in self.log if step[0] == "link"}
        self.seen_links = set(world.links)
        self.links = set(world.links)
        for step in self.log:
            if step[0] == "link":
                (self.links.add if step[3] else self.links.discard)((step[1], step[2]))
        self.current = True
        self._drop_taken_back()

    def settle(self, before: World, world: World, told_again: set[str]) -> None:
        """A commit is done; ``told_again`` are the keys whose rows are fetched anew."""
        gone = {
            key for key in self.local if key in self.dead or key in before.rows.keys() | self.born
        } - world.rows.keys()
        for key in gone & self.local.keys():
            del self.local[key]
        for key, row in self.local.items():
            if key in world.rows and (self.current or key in told_again or key in self.born):
                self.local[key] = deepcopy(world.rows[key])
            elif row.get("status") in gone:
                row["status"] = None
        self.links = {link for link in self.links if link[0] in self.local and link[1] in self.local}
        self.seen, self.seen_links = deepcopy(self.local), set(self.links)
        self._begin_anew()

    # -- what follows ------------------------------------------------------------------------------------

    def doomed(self, key: str | None) -> bool:
        """Whether a pending delete takes it along."""
        passed: set[str] = set()
        while key is not None and key in self.local and key not in passed:
            if key in self.dead:
                return True
            passed.add(key)
            key = self.local[key].get("parent")
        return False

    def usable(self, *types: str) -> list[str]:
        """What may be changed or referred to, in a steady order."""
        return [key for key, row in self.local.items() if row["@type"] in types and not self.doomed(key)]

    def below(self, key: str, other: str | None) -> bool:
        """Whether ``other`` is the entity or below it, so that it cannot become its parent."""
        return below(self.local, key, other)

    def changed_cells(self) -> set[Link]:
        """The cells of existing entities whose value is not the one they began with."""
        return {
            cell
            for cell, was in self.base.items()
            if cell[0] in self.local and not alike(was, cell_of(self.local[cell[0]], cell[1]))
        }

    def changed_links(self) -> set[Link]:
        return self.links ^ self.seen_links

    def has_nothing(self) -> bool:
        """Whether nothing at all is pending, as far as that is known."""
        alive = self.born - self.dead
        return not (self.dead or alive or self.changed_cells() or self.changed_links() or self.blind)


def commit(world: World, party: Party, policy: str) -> World:
    """The world after the party's commit, done step by step as the script did it; or `Refused`."""
    after = deepcopy(world)
    kept = _unwritten(world, party, policy)
    for step in party.log:
        kind, key = step[:2]
        if kind == "create":
            after.rows[key] = new_row(step[2], deepcopy(step[3]))
        elif kind == "delete":
            if key not in world.rows and key not in party.born:
                raise Refused("delete of nothing", certain=False)
            after.delete(key)
        elif kind == "link":
            (after.links.add if step[3] else after.links.discard)((key, step[2]))
        elif (key, step[2]) not in kept:
            if key not in after.rows:
                raise Refused("update of nothing", certain=False)
            put(after.rows[key], step[2], deepcopy(step[3]))
    after.check()
    return after


def _unwritten(world: World, party: Party, policy: str) -> set[Link]:
    """The cells that are not written: taken back, or left to the others by the policy."""
    changed = party.changed_cells()
    kept = set(party.base) - changed
    for cell in changed:
        if cell[0] in party.dead or cell[0] not in world.rows:
            continue
        theirs, ours = cell_of(world.rows[cell[0]], cell[1]), cell_of(party.local[cell[0]], cell[1])
        if not alike(theirs, party.base[cell]) and not (alike(theirs, ours) and agree(cell[1])):
            if policy == "raise":
                raise Refused(f"conflict on {cell[1]}")
            if policy == "theirs":
                kept.add(cell)
    return kept
