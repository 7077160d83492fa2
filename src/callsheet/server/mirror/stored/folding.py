"""The stored cubes of a mirror follow it: what a batch touches is taken out of their cells, and put in again.

A cube is built when it is declared, when its definition or the schema changes, and when a table that it reads is
copied; all of that in the transaction of the batch. What goes wrong with one cube is noted, and the feed goes on
without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import duckdb
from attrs import evolve, frozen
from sqlalchemy import Connection, Table, delete, func, select, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from callsheet.bounded import BoundedDict
from callsheet.errors import CallsheetError
from callsheet.model.language.reaching import Reaching, reaching
from callsheet.server.limits import Limits
from callsheet.server.mirror.feed import drop_tables
from callsheet.server.mirror.following import AppliedBatch, FollowerFailed
from callsheet.server.mirror.stored.cells import CellShape, shape_of
from callsheet.server.mirror.stored.declared import CUBES, DeclaredCube, aggregate_of, declared_cubes, declares
from callsheet.server.mirror.stored.registry import KeptCube, create_registry, forget, kept_cubes, remember
from callsheet.server.mirror.stored.touching import key_tables, touched_facts
from callsheet.server.reading.same_groups import among_groups
from callsheet.server.store.store import Store

__all__ = ["CellsOfCube", "StoredCubes"]

T = TypeVar("T")
KNOWN = 200
"""Cubes, and earlier definitions of them, whose tables are held."""


@frozen(eq=False)
class CellsOfCube:
    """The cells of one cube in a state of the mirror, and what their aggregate reads.

    ``table`` is that of its cells; ``delta`` and ``new`` are temporary ones. They are made once, because a statement is
    compiled once for the same tables.
    """

    cube: KeptCube
    shape: CellShape
    read: Reaching
    table: Table
    delta: Table
    new: Table

    @staticmethod
    def of(cube: KeptCube, store: Store) -> CellsOfCube:
        """Those of a cube that is kept."""
        aggregate = aggregate_of(cube.text, store.schema)
        shape, name = shape_of(store, aggregate), cube.table
        return CellsOfCube(
            cube,
            shape,
            reaching(aggregate, store.schema),
            shape.table(name),
            shape.table(f"_delta{name}", values=False, temporary=True),
            shape.table(f"_new{name}", temporary=True),
        )


class StoredCubes:
    """The stored cubes of a mirror, as its follower; several threads may read."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._checked = ""
        """The hash of the schema for which declared cubes were last compared with those that are kept."""
        self._is_new = True
        self._broken: dict[tuple[str, str], str] = {}
        """Cubes, by key and text, that failed, with the reason."""
        self._known: BoundedDict[tuple[str, str, int], tuple[object, CellsOfCube]] = BoundedDict(KNOWN)

    # -- reading ---------------------------------------------------------------------------------------------

    def cubes(self, store: Store, connection: Connection) -> list[CellsOfCube | KeptCube]:
        """The cubes of a state, those without cells as what is known of them; of another schema's there are none."""
        if not declares(store.schema):
            return []
        return [
            each if each.problem else self._cells(store, each)
            for each in kept_cubes(connection)
            if each.schema == store.schema.hash
        ]

    def _cells(self, store: Store, cube: KeptCube) -> CellsOfCube:
        place = cube.key, cube.text, cube.number
        known = self._known.get(place)
        if known is None or known[0] is not store.layout:
            known = self._known[place] = store.layout, CellsOfCube.of(cube, store)
        return evolve(known[1], cube=cube)

    # -- following -------------------------------------------------------------------------------------------

    @contextmanager
    def following(self, batch: AppliedBatch) -> Iterator[None]:
        """Fold a batch into the cells of all cubes."""
        if not declares(batch.store.schema):
            yield
            return
        create_registry(batch.connection)
        kept = kept_cubes(batch.connection)
        folds = self._folds(batch, kept)
        for fold in folds:
            self._guarded(fold.cells.cube, fold.take_out)
        yield
        if self._must_check(batch):
            kept = self._compared(batch, kept)
            self._checked, self._is_new = batch.store.schema.hash, False
        folded = {fold.cells.cube.key: fold for fold in folds}
        for cube in kept:
            if (found := folded.get(cube.key)) is not None:
                self._counted(batch.connection, cube, self._guarded(cube, found.put_in))
            elif self._is_copied(batch, cube):
                self._build(batch, cube)

    def _must_check(self, batch: AppliedBatch) -> bool:
        changed = {*batch.touched.entities, *batch.copied, *batch.touched.anew}
        return bool(CUBES & changed) or self._checked != batch.store.schema.hash

    def _folds(self, batch: AppliedBatch, kept: list[KeptCube]) -> list[CubeFold]:
        """What is to be folded: cubes with cells, that read tables that are touched and not copied."""
        changed = {root: keys for root, keys in batch.touched.entities.items() if keys}
        usable = [
            self._cells(batch.store, each)
            for each in kept
            if each.schema == batch.store.schema.hash
            and not self._lacks_cells(each)
            and not self._is_copied(batch, each)
        ]
        usable = [each for each in usable if each.read.roots & changed.keys()]
        if not usable:
            return []
        read = frozenset[str]().union(*(each.read.roots for each in usable))
        tables = key_tables(batch.store, batch.connection, {root: changed[root] for root in read & changed.keys()})
        return [CubeFold(batch.store, batch.connection, each, tables) for each in usable]

    def _is_copied(self, batch: AppliedBatch, cube: KeptCube) -> bool:
        if not cube.text or cube.schema != batch.store.schema.hash:
            return False
        roots = reaching(aggregate_of(cube.text, batch.store.schema), batch.store.schema).roots
        return bool(roots & {*batch.copied, *batch.touched.anew})

    # -- what is declared ------------------------------------------------------------------------------------

    def _compared(self, batch: AppliedBatch, kept: list[KeptCube]) -> list[KeptCube]:
        """Make the kept cubes those that are declared; gives those that are kept as they were."""
        declared = {each.key: each for each in declared_cubes(batch.store, batch.connection)}
        same = [each for each in kept if self._is_same(batch.store, each, declared.get(each.key))]
        gone = [each for each in kept if each not in same]
        drop_tables((each.table for each in gone), batch.connection)
        forget(batch.connection, [each.key for each in gone])
        number = max((each.number for each in kept), default=0)
        held = sum(not each.problem for each in same)
        for each in declared.values():
            if any(each.key == one.key for one in same):
                continue
            number += 1
            cube = KeptCube(each.key, each.name, each.text, batch.store.schema.hash, number, problem=each.problem)
            if not cube.problem and held >= self._limits.stored_cubes:
                # Without its text, it is tried again when another one goes.
                cube = evolve(
                    cube, text="", problem=f"the server keeps {self._limits.stored_cubes} stored cubes already"
                )
            if cube.problem:
                remember(batch.connection, cube)
                continue
            held += self._build(batch, cube)
        return same

    def _is_same(self, store: Store, kept: KeptCube, declared: DeclaredCube | None) -> bool:
        """Whether a kept cube, or the reason why it is not, still holds; after a restart it is tried again."""
        if declared is None or (kept.key, kept.text) in self._broken or (kept.problem and self._is_new):
            return False
        same = (kept.name, kept.text, kept.schema) == (declared.name, declared.text, store.schema.hash)
        return same and (bool(kept.text) or kept.problem == declared.problem)

    def _lacks_cells(self, kept: KeptCube) -> bool:
        return bool(kept.problem) or (kept.key, kept.text) in self._broken

    def _build(self, batch: AppliedBatch, cube: KeptCube) -> bool:
        """Make all cells of a cube anew; false if it cannot be kept."""
        connection = batch.connection
        drop_tables([cube.table], connection)
        if reason := self._broken.get((cube.key, cube.text)):
            remember(connection, evolve(cube, problem=reason))
            return False

        def built() -> int:
            cells = self._cells(batch.store, cube)
            table = cells.table
            connection.execute(CreateTable(table))
            facts = cells.shape.worth(batch.store).subquery()
            connection.execute(table.insert().from_select(list(table.c), cells.shape.complete(facts, batch.store)))
            return _number(connection, table)

        remember(connection, cube)
        return self._counted(connection, cube, self._guarded(cube, built))

    def _counted(self, connection: Connection, cube: KeptCube, cells: int) -> bool:
        """Note the number of cells; a cube with too many has none."""
        most = self._limits.stored_cells
        if cells > most:
            drop_tables([cube.table], connection)
            problem = f"it has {cells:,} cells, more than {most:,}: name fewer levels to store"
            remember(connection, evolve(cube, cells=0, problem=problem))
            return False
        if cells != cube.cells:
            remember(connection, evolve(cube, cells=cells))
        return True

    def _guarded(self, cube: KeptCube, work: Callable[[], T]) -> T:
        """What work gives; an error is one of the cube, without which the batch is applied again."""
        try:
            return work()
        except (DBAPIError, duckdb.Error, CallsheetError) as error:
            cause = getattr(error, "orig", None) or error
            reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
            self._broken[cube.key, cube.text] = f"its cells cannot be computed: {reason:.200}"
            self._checked = ""
            raise FollowerFailed(cube.name) from error


@frozen(eq=False)
class CubeFold:
    """One batch folded into the cells of one cube; ``changed`` are tables of changed keys, by root type."""

    store: Store
    connection: Connection
    cells: CellsOfCube
    changed: dict[str, Table]

    def take_out(self) -> None:
        """Note what touched facts are worth before the batch."""
        delta = self.cells.delta
        drop_tables([delta.name], self.connection)
        self.connection.execute(CreateTable(delta))
        self._add(-1)

    def put_in(self) -> int:
        """Add what touched facts are worth now; returns the number of cells."""
        self._add(1)
        shape, cells, delta = self.cells.shape, self.cells.table, self.cells.delta
        names = [*shape.level_names, *shape.part_columns]
        touched = select(*(delta.c[name] for name in shape.level_names)).distinct().subquery()
        had = select(*(cells.c[name] for name in names)).where(among_groups(cells, touched, shape.level_names))
        all_parts = union_all(had, select(*(delta.c[name] for name in names))).subquery()
        new = self.cells.new
        drop_tables([new.name], self.connection)
        self.connection.execute(CreateTable(new))
        complete = shape.complete(shape.summed(all_parts).subquery(), self.store, touched)
        self.connection.execute(new.insert().from_select(list(new.c), complete))
        self.connection.execute(delete(cells).where(among_groups(cells, touched, shape.level_names)))
        self.connection.execute(cells.insert().from_select(list(cells.c), select(*new.c)))
        return _number(self.connection, cells)

    def _add(self, sign: int) -> None:
        shape, delta = self.cells.shape, self.cells.delta
        kind = shape.aggregate.select.entity_type
        facts = touched_facts(self.store, kind, self.cells.read, self.changed)
        if facts is not None:
            worth = shape.worth(self.store, facts, sign)
            self.connection.execute(delta.insert().from_select(list(delta.c), worth))


def _number(connection: Connection, table: Table) -> int:
    found: Any = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return int(found)
