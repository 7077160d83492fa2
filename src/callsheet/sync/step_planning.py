"""The plan of one entity type in progress: its rows read, compared with what is there, and what has no row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field

from callsheet import collector
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.query import Path
from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.cells import Cells
from callsheet.sync.finding import Found, find
from callsheet.sync.identity import new_identities
from callsheet.sync.layout import RowLayout, path_text
from callsheet.sync.linking import RowLinks
from callsheet.sync.plan_data import PlanData
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.references import Born, KnownKeys, look_up
from callsheet.sync.row_intake import KeyTuple, RowIntake
from callsheet.sync.row_outcome import RowOutcome, own_key
from callsheet.sync.row_values import RowValues
from callsheet.sync.scope_ending import ScopeEnding
from callsheet.sync.steps import Disagreement, LostEntity, Removal

__all__ = ["StepPlanning"]


@define(eq=False)
class StepPlanning:
    """One plan in progress: the rows it takes, what becomes of each, and of what no row names."""

    core: Core
    layout: RowLayout
    intake: RowIntake
    outcome: RowOutcome
    ending: ScopeEnding
    #: What is to be created, by this step and those before it.
    born: list[Born]
    #: How rows and entities are linked; None: nothing is noted.
    linking: RowLinks | None = None
    #: Whether these are some of the rows only.
    is_part: bool = False
    #: The paths of what the written attributes hold.
    held: tuple[Path, ...] = field(init=False)
    #: What the rows write; known once what they refer to has been looked up.
    values: RowValues = field(init=False)
    present: dict[KeyTuple, list[Found]] = field(factory=dict)
    #: The identities of rows whose key no entity has, and what they make.
    identities: Mapping[KeyTuple, Identity] = field(factory=dict)
    fresh: list[Born] = field(factory=list)
    #: What the server has of the keys that rows refer to; all parts of a plan share it.
    known: KnownKeys = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.held = tuple(target.held for target in self.layout.written)

    def part(self) -> StepPlanning:
        """The planning of a part of the rows: it has no rows yet."""
        intake = self.intake.afresh()
        linking = None if self.linking is None else self.linking.afresh()
        judge = None if self.outcome.judge is None else self.outcome.judge.afresh()
        outcome = RowOutcome(self.core, self.layout, intake, linking, judge)
        ending = ScopeEnding(self.core, self.layout, None, self.ending.ending)
        part = StepPlanning(self.core, self.layout, intake, outcome, ending, self.born, linking, is_part=True)
        part.known = self.known
        return part

    @property
    def rows(self) -> list[Cells]:
        """The rows that take part."""
        return self.intake.rows

    @property
    def removals(self) -> list[Removal]:
        """The entities that no row names, and that are deleted."""
        return self.ending.removals

    @removals.setter
    def removals(self, removals: list[Removal]) -> None:
        self.ending.removals = removals

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
            self.present = yield from find(
                self.core, layout.entity_type, paths, self.intake.keys, self.held, part=self.is_part
            )
        else:
            self.present = yield from self.linking.find(self.intake.keys, self.held, part=self.is_part)
            self._heed(self.linking)
        new = [key for key in self.intake.keys if key not in self.present]
        self.identities = yield from self._identities(new)
        self.fresh = self._born({self.identities[key]: self.intake.keys[key].values for key in new})

    @property
    def made(self) -> Iterable[Identity]:
        """The entities that are created."""
        return (each.identity for each in self.outcome.additions)

    @property
    def accepted(self) -> Iterable[tuple[int, Identity]]:
        """The rows that go in and whose entity is there already, by number, with the entity."""
        for each in self.outcome.unchanged:
            yield each.row, each.identity
        for changed in self.outcome.modifications:
            yield changed.row, changed.identity

    def find_new(self) -> Flow[list[Born]]:
        """Find the entities of the rows' keys; gives what the other rows create."""
        yield from self.locate()
        return self.fresh

    def settle_known(self) -> Flow[None]:
        """Decide what becomes of each row; others have the new entities of all rows, and refuse what refers to none."""
        yield from self._learn()
        with collector.paused():
            self.outcome.compare_all(self.present, self.identities, self.values)

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
        self.values = RowValues(self.layout, self.intake.reader, references)
        if self.linking is not None and self.linking.believed:
            yield from self._doubt(self.linking)
        if self.outcome.judge is not None:
            yield from self.outcome.judge.learn_times(self._contested())

    def _doubt(self, linking: RowLinks) -> Flow[None]:
        """Read the entities of rows that differ from their base after all."""
        before, differing = len(self.intake.reader.refused), {}
        for key, found in linking.believed.items():
            values = self.values.of(self.intake.keys[key])
            if linking.since is None or values is None or not linking.since.agrees(found, values):
                differing[key] = self.intake.keys[key]
        del self.intake.reader.refused[before:]
        present = yield from linking.read(differing, self.held)
        self.present = {key: found for key, found in self.present.items() if key not in differing} | present
        # An entity that was gone before the moment is left out now; a run that reads all of it may make it again.
        self.intake.leave_out(differing.keys() - present.keys())

    def _heed(self, linking: RowLinks) -> None:
        """Leave out the rows that cannot be linked, and those whose entity is gone, if the policy says so."""
        out = set(linking.refused) | linking.skipped
        for key, (target, reason) in linking.refused.items():
            cells = self.intake.keys[key]
            self.intake.refuse(cells.number, target, cells.values.get(target, NOT_SET), reason)
        if linking.gone != "create":
            out |= {each.key for each in linking.lost}
        if out:
            self.intake.leave_out(out)
            self.present = {key: found for key, found in self.present.items() if key not in out}

    def _contested(self) -> Iterable[tuple[Cells, Found, str]]:
        """The attributes that both sides changed, and whose policy needs the times."""
        judge = self.outcome.judge
        if judge is None or self.linking is None or not judge.asks:
            return
        before = len(self.intake.reader.refused)
        for key, found in self.present.items():
            values = self.values.of(self.intake.keys[key]) or {}
            base = self.linking.base(key, found[0].identity)
            for name in judge.contested(base, values, self.outcome.beside(values, found[0])):
                yield self.intake.keys[key], found[0], name
        del self.intake.reader.refused[before:]

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
        gone = born - {each.identity for each in self.outcome.additions}
        while gone:
            self.born[:] = [each for each in self.born if each.identity not in gone]
            before = {each.identity for each in self.outcome.additions}
            self.refuse_users(gone, "is a row that was refused")
            gone = before - {each.identity for each in self.outcome.additions}

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
                    self.intake.refuse(cells.number, text, cells.values[text], reason)
                    rows.add(cells.number)
                    found |= used
        self.outcome.drop(rows)
        return found

    def _accepted(self) -> Iterable[tuple[Cells, dict[str, Any]]]:
        """The rows that were not refused, with what each writes."""
        taken = self.outcome.taken
        for cells in self.rows:
            values = self.values.of(cells) if cells.number in taken else None
            if values is not None:
                yield cells, values

    def _identities(self, new: list[KeyTuple]) -> Flow[dict[KeyTuple, Identity]]:
        entity_type = self.layout.entity_type
        if new and entity_type.abstract:
            raise UsageError(f"{entity_type.name} is abstract: rows whose key no entity has cannot be created")
        given = {key: own for key in new if (own := own_key(self.layout, self.intake.keys[key])) is not None}
        left = [key for key in new if key not in given]
        if left and len(entity_type.key) > 1:
            parts = ", ".join(entity_type.key)
            raise UsageError(f"a new {entity_type.name} has the key ({parts}): rows need a value for each of these")
        # Two systems may use one id: what an identity follows from names the system, too.
        named = {key: self._foreign(self.intake.keys[key].values) or key for key in left}
        made = yield from new_identities(self.core, entity_type, list(named.values()))
        return {key: Identity(entity_type.name, given.get(key) or made[named[key]]) for key in new}

    # -- what no row names -----------------------------------------------------------------------------------

    def end_the_rest(self) -> Flow[None]:
        """Plan the end of the entities in scope that no row names; of none if a row's key could not be read."""
        if self.intake.nameless:
            return
        found: list[Found] = []
        yield from self.ending.find_scope(found.extend)
        yield from self.ending.end([each for each in found if each.key not in self.intake.named])
        yield from self.ending.learn_links()

    def data(self, step: PlanStep) -> PlanData:
        """What was found."""
        linking, outcome, ending, judge = self.linking, self.outcome, self.ending, self.outcome.judge
        rows = outcome.taken
        lost = tuple(linking.lost) if linking else ()
        undecided = lost if linking and linking.gone == "conflict" else ()
        conflicts = (*(judge.conflicts if judge else ()), *map(_ended_here, undecided))
        return PlanData(
            step.entity_type,
            self.layout.keys,
            tuple(outcome.additions),
            (*outcome.modifications, *ending.changed),
            tuple(ending.removals),
            tuple(outcome.unchanged),
            tuple(sorted(self.intake.reader.refused, key=lambda each: each.row)),
            step.scope,
            ending.in_scope,
            len(ending.removals) + len(ending.changed),
            step.max_deleted,
            step.on_error,
            self.intake.nameless if ending.ending else 0,
            tuple(each for each in linking.linked if each.row in rows) if linking else (),
            lost,
            tuple(each for each in conflicts if each.row in rows or not each.attribute),
            tuple(each for each in judge.overridden if each.row in rows) if judge else (),
            {**outcome.links(rows), **ending.links()},
            len(linking.skipped) if linking else 0,
            held_members=outcome.held_members,
            lost_members=outcome.lost_members,
        )


def _ended_here(gone: LostEntity) -> Disagreement:
    return Disagreement(gone.row, gone.key, gone.identity, "", NOT_SET, NOT_SET, None)
