"""The plan of one entity type in progress: its rows read, compared with what is there, and what has no row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from callsheet import collector
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.model.query import Condition, Path
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.schema import EntityType
from callsheet.sync.cells import Cells, Reader, RefusedRow, Row
from callsheet.sync.finding import Found, find, find_each
from callsheet.sync.identity import new_identities
from callsheet.sync.judging import Judge, same
from callsheet.sync.layout import RowLayout, path_text
from callsheet.sync.linking import RowLinks
from callsheet.sync.plan_data import PlanData
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.references import Born, KnownKeys, look_up
from callsheet.sync.row_values import Constants, RowValues, constant_values
from callsheet.sync.steps import Addition, Difference, Disagreement, LostEntity, Modification, Removal, Same

__all__ = ["StepPlanning"]


@define(eq=False)
class StepPlanning:
    """One plan in progress."""

    core: Core
    layout: RowLayout
    reader: Reader
    scope: Condition | None
    ending: Any
    #: What is to be created, by this step and those before it.
    born: list[Born]
    #: Whether the columns of the first rows are the mapping, so that later ones have no others.
    alike: bool = False
    #: How rows and entities are linked, and who decides where both changed; None: the row, and nothing is noted.
    linking: RowLinks | None = None
    judge: Judge | None = None
    #: The names of the attributes that are written, and the paths of what they hold.
    names: tuple[str, ...] = field(init=False)
    held: tuple[Path, ...] = field(init=False)
    #: Whether rows may give the primary key.
    gives_keys: bool = field(init=False)
    #: The attributes that a new entity needs a value for.
    needed: tuple[str, ...] = field(init=False)
    #: What the rows write; known once what they refer to has been looked up.
    values: RowValues = field(init=False)
    rows: list[Cells] = field(factory=list)
    keys: dict[tuple[Any, ...], Cells] = field(factory=dict)
    present: dict[tuple[Any, ...], list[Found]] = field(factory=dict)
    #: The identities of rows whose key no entity has, and what they make.
    identities: Mapping[tuple[Any, ...], Identity] = field(factory=dict)
    fresh: list[Born] = field(factory=list)
    additions: list[Addition] = field(factory=list)
    modifications: list[Modification] = field(factory=list)
    removals: list[Removal] = field(factory=list)
    unchanged: list[Same] = field(factory=list)
    #: What the registry is to have of a row's entity: the key, the entity, and the base.
    bases: dict[int, tuple[tuple[Any, ...], Identity, Mapping[str, Any] | None]] = field(factory=dict)
    #: What the server has of the keys that rows refer to; all parts of a plan share it.
    known: KnownKeys = field(factory=dict)
    in_scope: int = 0
    #: Keys of all rows, refused ones included, and how many rows have none: their entities are not gone.
    named: set[tuple[Any, ...]] = field(factory=set)
    nameless: int = 0

    def __attrs_post_init__(self) -> None:
        self.names = tuple(target.name for target in self.layout.written)
        self.held = tuple(target.held for target in self.layout.written)
        self.needed = () if self.core.features.fills else tuple(_needed(self.layout.entity_type))
        self.gives_keys = all(name in self.layout.targets for name in self.layout.entity_type.key)

    def part(self) -> StepPlanning:
        """The planning of a part of the rows: it has no rows yet."""
        part = StepPlanning(
            self.core,
            self.layout,
            self.reader.afresh(),
            self.scope,
            self.ending,
            self.born,
            self.alike,
            None if self.linking is None else self.linking.afresh(),
            None if self.judge is None else self.judge.afresh(),
        )
        part.known = self.known
        return part

    # -- reading ---------------------------------------------------------------------------------------------

    def check_columns(self, run: list[Row], known_from: int) -> None:
        """Raise if rows have a column that the first rows do not have."""
        known = self.reader.columns
        if self.alike and (late := next((row for row in run if not known.issuperset(row.values)), None)):
            column = next(name for name in late.values if name not in known)
            first = f"the first {known_from:,} rows do not have"
            raise UsageError(f"row {late.number} has a column {column!r:.60} that {first}: give a mapping")

    def key_of(self, cells: Cells) -> tuple[Any, ...] | None:
        """The key of a row, None if it has not all of it."""
        key = tuple([cells.values.get(name) for name in self.layout.keys])
        return None if None in key else key

    def take(self, cells: Cells) -> None:
        """Plan a row, too; a second row of a key is refused if it contradicts the first."""
        key = self.key_of(cells)
        if key is None:
            self.nameless += 1
            if cells.whole:
                name = next(name for name in self.layout.keys if cells.values.get(name) is None)
                self._refuse(cells.number, name, NOT_SET, "is empty, and it is part of the key")
            return
        self.named.add(key)
        if not cells.whole:
            return
        if (other := self.keys.get(key)) is not None:
            # Rows of shots name their sequence again and again; only what contradicts itself is wrong.
            differing = [name for name in self.written_cells(cells) if cells.values[name] != other.values.get(name)]
            if differing:
                reason = f"row {other.number} has the same key and another value here"
                self._refuse(cells.number, differing[0], cells.values[differing[0]], reason)
            return
        self.keys[key] = cells
        self.rows.append(cells)

    def written_cells(self, cells: Cells) -> Iterable[str]:
        """The targets of a row's cells, without when the row was changed."""
        time = self.judge.time if self.judge is not None else ""
        return (name for name in cells.values if name != time)

    def _refuse(self, row: int, target: str, value: Any, reason: str) -> None:
        self.reader.refused.append(RefusedRow(row, self.reader.column(target), value, reason))

    # -- comparing -------------------------------------------------------------------------------------------

    def compare(self) -> Flow[None]:
        """Compare the rows with what is there."""
        yield from self.locate()
        yield from self.settle()

    def locate(self) -> Flow[None]:
        """Find the entities of the rows' keys, and give identities to the rows that have none."""
        layout = self.layout
        if self.linking is None:
            paths = [layout.targets[name].path for name in layout.keys]
            self.present = yield from find(self.core, layout.entity_type, paths, self.keys, self.held)
        else:
            self.present = yield from self.linking.find(self.keys, self.held)
            self._heed(self.linking)
        new = [key for key in self.keys if key not in self.present]
        self.identities = yield from self._identities(new)
        self.fresh = self._born({self.identities[key]: self.keys[key].values for key in new})

    @property
    def made(self) -> Iterable[Identity]:
        """The entities that are created."""
        return (each.identity for each in self.additions)

    def find_new(self) -> Flow[list[Born]]:
        """Find the entities of the rows' keys; gives what the other rows create."""
        yield from self.locate()
        return self.fresh

    def settle_known(self) -> Flow[None]:
        """Decide what becomes of each row; others have the new entities of all rows, and refuse what refers to none."""
        yield from self._learn()
        with collector.paused():
            self._compare_all(self.identities)

    def settle(self, known: bool = False) -> Flow[None]:
        """Decide what becomes of each row; ``known``: others have the new entities of these rows already."""
        if not known:
            self.born += self.fresh
        yield from self.settle_known()
        with collector.paused():
            self._leave_out({each.identity for each in self.fresh})

    def _learn(self) -> Flow[None]:
        """Look up what the rows refer to, and what their entities are compared with."""
        references = yield from look_up(self.core, self.layout, self.rows, self.born, self.known)
        self.values = RowValues(self.layout, self.reader, references)
        if self.linking is not None and self.linking.believed:
            yield from self._doubt(self.linking)
        if self.judge is not None:
            yield from self.judge.learn_times(self._contested())

    def _doubt(self, linking: RowLinks) -> Flow[None]:
        """Read the entities of rows that differ from their base after all."""
        before, differing = len(self.reader.refused), {}
        for key, found in linking.believed.items():
            values = self.values.of(self.keys[key])
            if linking.since is None or values is None or not linking.since.agrees(found, values):
                differing[key] = self.keys[key]
        del self.reader.refused[before:]
        present = yield from linking.read(differing, self.held)
        self.present = {key: found for key, found in self.present.items() if key not in differing} | present
        # An entity that was gone before the moment is left out now; a run that reads all of it may make it again.
        out = differing.keys() - present.keys()
        self.rows = [cells for key, cells in self.keys.items() if key not in out]
        self.keys = {key: cells for key, cells in self.keys.items() if key not in out}

    def _heed(self, linking: RowLinks) -> None:
        """Leave out the rows that cannot be linked, and those whose entity is gone, if the policy says so."""
        out = set(linking.refused) | linking.skipped
        for key, (target, reason) in linking.refused.items():
            cells = self.keys[key]
            self._refuse(cells.number, target, cells.values.get(target, NOT_SET), reason)
        if linking.gone != "create":
            out |= {each.key for each in linking.lost}
        if out:
            self.rows = [cells for key, cells in self.keys.items() if key not in out]
            self.keys = {key: cells for key, cells in self.keys.items() if key not in out}
            self.present = {key: found for key, found in self.present.items() if key not in out}

    def _contested(self) -> Iterable[tuple[Cells, Found, str]]:
        """The attributes that both sides changed, and whose policy needs the times."""
        if self.judge is None or self.linking is None or not self.judge.asks:
            return
        before = len(self.reader.refused)
        for key, found in self.present.items():
            values = self.values.of(self.keys[key]) or {}
            base = self.linking.base(key, found[0].identity)
            for name in self.judge.contested(base, values, dict(zip(self.names, found[0].values))):
                yield self.keys[key], found[0], name
        del self.reader.refused[before:]

    def _born(self, new: Mapping[Identity, Mapping[str, Any]]) -> list[Born]:
        """New entities with their cells by whole paths, as others refer to them."""
        whole = {text: path_text(target.path) for text, target in self.layout.targets.items()}
        if all(text == path for text, path in whole.items()):
            return [Born(identity, cells, self._foreign(cells)) for identity, cells in new.items()]
        return [
            Born(identity, {whole[text]: cells[text] for text in cells}, self._foreign(cells))
            for identity, cells in new.items()
        ]

    def _foreign(self, cells: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """The row of another system that an entity will be linked to."""
        if self.linking is None or not self.linking.external:
            return None
        return self.linking.system, self.linking.type, cells[self.layout.keys[0]]

    def _leave_out(self, born: set[Identity]) -> None:
        """Refuse what refers to a row that was refused, and what refers to that; later types do not find them."""
        gone = born - {each.identity for each in self.additions}
        while gone:
            self.born[:] = [each for each in self.born if each.identity not in gone]
            before = {each.identity for each in self.additions}
            self.refuse_users(gone, "is a row that was refused")
            gone = before - {each.identity for each in self.additions}

    def refuse(self, gone: set[Identity], reason: str) -> Flow[set[Identity]]:
        """Refuse the rows that refer to one of these; gives those that rows do refer to."""
        return self.refuse_users(gone, reason)
        yield

    def refuse_users(self, gone: set[Identity], reason: str) -> set[Identity]:
        """Refuse the rows that refer to one of these; gives those that rows do refer to."""
        found: set[Identity] = set()
        rows: set[int] = set()
        for cells, values in self._accepted():
            for lookup in self.layout.lookups:
                value = values.get(lookup.attribute.name)
                if used := gone.intersection(value if isinstance(value, frozenset) else (value,)):
                    text = lookup.texts[0]
                    self._refuse(cells.number, text, cells.values[text], reason)
                    rows.add(cells.number)
                    found |= used
        self.additions = [each for each in self.additions if each.row not in rows]
        self.modifications = [each for each in self.modifications if each.row not in rows]
        self.unchanged = [each for each in self.unchanged if each.row not in rows]
        return found

    def _taken(self) -> set[int]:
        """The rows that were not refused."""
        taken = {each.row for each in self.additions}
        return taken | {each.row for each in self.modifications} | {each.row for each in self.unchanged}

    def _accepted(self) -> Iterable[tuple[Cells, dict[str, Any]]]:
        """The rows that were not refused, with what each writes."""
        taken = self._taken()
        for cells in self.rows:
            values = self.values.of(cells) if cells.number in taken else None
            if values is not None:
                yield cells, values

    def _compare_all(self, identities: Mapping[tuple[Any, ...], Identity]) -> None:
        layout = self.layout
        for key, cells in self.keys.items():
            found = self.present.get(key, [])
            if len(found) > 1:
                what = f"{len(found)} entities of type {layout.entity_type.name} have this key"
                self._refuse(cells.number, layout.keys[-1], key[-1], f"{what}; a longer key tells them apart")
                continue
            values = self.values.of(cells)
            if values is None:
                continue
            if found:
                self._compare(key, cells, values, found[0])
            else:
                self._add(key, cells, values, identities[key])

    def _identities(self, new: list[tuple[Any, ...]]) -> Flow[dict[tuple[Any, ...], Identity]]:
        entity_type = self.layout.entity_type
        if new and entity_type.abstract:
            raise UsageError(f"{entity_type.name} is abstract: rows whose key no entity has cannot be created")
        given = {key: own for key in new if (own := self._own_key(self.keys[key])) is not None}
        left = [key for key in new if key not in given]
        if left and len(entity_type.key) > 1:
            parts = ", ".join(entity_type.key)
            raise UsageError(f"a new {entity_type.name} has the key ({parts}): rows need a value for each of these")
        # Two systems may use one id: what an identity follows from names the system, too.
        named = {key: self._foreign(self.keys[key].values) or key for key in left}
        made = yield from new_identities(self.core, entity_type, list(named.values()))
        return {key: Identity(entity_type.name, given.get(key) or made[named[key]]) for key in new}

    def _own_key(self, cells: Cells) -> Any:
        """The primary key that the row gives, None if it gives none or not all of it."""
        if not self.gives_keys:
            return None
        parts = tuple(cells.values.get(name) for name in self.layout.entity_type.key)
        return None if None in parts else parts if len(parts) > 1 else parts[0]

    def _add(self, key: tuple[Any, ...], cells: Cells, values: dict[str, Any], identity: Identity) -> None:
        members = {name: tuple(sorted(each)) for name, each in values.items() if each and isinstance(each, frozenset)}
        attributes = self.layout.entity_type.attributes
        plain = {
            # An empty cell stays empty where a default would step in.
            n: each
            for n, each in values.items()
            if not isinstance(each, frozenset)
            and (each is not None or (n in attributes and attributes[n].default is not None))
        }
        missing = [name for name in self.needed if plain.get(name) is None]
        if missing:
            self._refuse(cells.number, ", ".join(missing), NOT_SET, "has no value, and a new entity needs one")
            return
        self.additions.append(Addition(cells.number, key, identity, plain, members))
        self.bases[cells.number] = (key, identity, None if self.judge is None else values)

    def _compare(self, key: tuple[Any, ...], cells: Cells, values: dict[str, Any], found: Found) -> None:
        own = self._own_key(cells)
        if own is not None and own != found.identity.key:
            reason = f"cannot change: the entity has {found.identity.key!r:.60} for good"
            self._refuse(cells.number, self.layout.entity_type.key[0], own, reason)
            return
        judged = self._judged(key, cells, values, found)
        differences = tuple(self._differences(values, found)) if judged is None else judged
        for each in differences:
            attribute = self.layout.entity_type.attributes.get(each.attribute)
            if attribute is not None and attribute.immutable:
                reason = f"cannot change: the entity has {each.before!r:.60} for good"
                self._refuse(cells.number, each.attribute, each.after, reason)
                return
        if differences:
            changed = Modification(cells.number, key, found.identity, found.version, differences)
            self.modifications.append(changed)
        else:
            self.unchanged.append(Same(cells.number, key, found.identity))

    def _judged(
        self, key: tuple[Any, ...], cells: Cells, values: Mapping[str, Any], found: Found
    ) -> tuple[Difference, ...] | None:
        """What changes by the policies, and what is noted; None where the row decides."""
        if self.judge is None or self.linking is None:
            self.bases[cells.number] = (key, found.identity, None)
            return None
        base = self.linking.base(key, found.identity)
        judged = self.judge.judge(cells, key, found, base, values, dict(zip(self.names, found.values)))
        self.bases[cells.number] = (key, found.identity, judged.base)
        return judged.differences

    def _differences(self, values: Mapping[str, Any], found: Found) -> Iterable[Difference]:
        for name, now in zip(self.names, found.values):
            then = values.get(name, NOT_SET)
            if then is NOT_SET or (now == then and type(now) is type(then)):
                continue
            if isinstance(then, frozenset):
                now = now or frozenset()
            if not same(now, then):
                yield Difference(name, now, then)

    # -- what no row names -----------------------------------------------------------------------------------

    def end_the_rest(self) -> Flow[None]:
        """Plan the end of the entities in scope that no row names; of none if a row's key could not be read."""
        if self.nameless:
            return
        found: list[Found] = []
        ending = yield from self.find_scope(found.extend)
        self.in_scope = len(found)
        for each in found:
            if each.key not in self.named:
                self.end(each, ending)
        yield from self.learn_links()

    def find_scope(self, take: Callable[[list[Found]], object]) -> Flow[Constants | None]:
        """Call the function with all entities in scope; gives what entities without a row get, None if deleted."""
        layout = self.layout
        paths = [layout.targets[name].path for name in layout.keys]
        ending: Constants | None = None
        projections: list[Path] = []
        if isinstance(self.ending, Mapping):
            ending = yield from constant_values(self.core, layout.entity_type.name, self.ending, "delete")
            projections = [target.held for target, _ in ending]
        if self.linking is not None and self.linking.external:
            take((yield from self.linking.linked_entities(projections, self.scope)))
        else:
            yield from find_each(self.core, layout.entity_type, paths, projections, self.scope, take)
        return ending

    def end(self, each: Found, ending: Constants | None) -> None:
        """Plan the end of an entity that no row names, unless a refused row means it."""
        if self.linking is not None and each.key in self.linking.meant:
            return
        if ending is None:
            self.removals.append(Removal(each.key, each.identity, each.version))
            return
        changes = [(target.name, now, value) for now, (target, value) in zip(each.values, ending)]
        differences = tuple(Difference(*change) for change in changes if not same(*change[1:]))
        if differences:
            self.modifications.append(Modification(0, each.key, each.identity, each.version, differences))

    def learn_links(self) -> Flow[None]:
        """Read the links of what is deleted."""
        if self.linking is not None and not self.linking.external:
            yield from self.linking.learn(each.key for each in self.removals)

    def data(self, step: PlanStep) -> PlanData:
        """What was found."""
        linking, judge = self.linking, self.judge
        rows = self._taken()
        lost = tuple(linking.lost) if linking else ()
        undecided = lost if linking and linking.gone == "conflict" else ()
        conflicts = (*(judge.conflicts if judge else ()), *map(_ended_here, undecided))
        ended = len(self.removals) + sum(not each.row for each in self.modifications)
        return PlanData(
            step.entity_type,
            self.layout.keys,
            tuple(self.additions),
            tuple(self.modifications),
            tuple(self.removals),
            tuple(self.unchanged),
            tuple(sorted(self.reader.refused, key=lambda each: each.row)),
            step.scope,
            self.in_scope,
            ended,
            step.max_deleted,
            step.on_error,
            self.nameless if self.ending else 0,
            tuple(each for each in linking.linked if each.row in rows) if linking else (),
            lost,
            tuple(each for each in conflicts if each.row in rows or not each.attribute),
            tuple(each for each in judge.overridden if each.row in rows) if judge else (),
            self._links(rows),
            len(linking.skipped) if linking else 0,
        )

    def _links(self, rows: set[int]) -> dict[Identity, Operation]:
        """What the registry gets for the rows that go in, and for what is deleted."""
        if self.linking is None:
            return {}
        noted = (self.bases[row] for row in rows if row in self.bases)
        links = {identity: self.linking.link(key, identity, base) for key, identity, base in noted}
        links |= {each.identity: self.linking.unlink(each.key) for each in self.removals}
        return {identity: operation for identity, operation in links.items() if operation is not None}


def _ended_here(gone: LostEntity) -> Disagreement:
    return Disagreement(gone.row, gone.key, gone.identity, "", NOT_SET, NOT_SET, None)


def _needed(entity_type: EntityType) -> Iterable[str]:
    """The attributes that are never empty and that nothing but a row fills."""
    for each in entity_type.attributes.values():
        if each.required and each.default is None and not each.computed and each.name not in entity_type.key:
            yield each.name
