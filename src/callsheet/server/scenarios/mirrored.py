"""Scenarios in the mirror: their own rows are copied beside the mirrored ones, when a question first needs them.

A scenario's rows are as of one revision. A question copies those of the scenarios it stands on whose revision in the
mirror is another one; so a session sees what it has committed into its scenario.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import evolve
from sqlalchemy import Connection

from callsheet.server.mirror.feed import copy_part, create_tables
from callsheet.server.mirror.keys import TextKeys
from callsheet.server.scenarios.overlaying import ScenarioStores, own_tables
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.store.database import Database
from callsheet.server.store.scenario_tables import SCENARIO, overlay_table
from callsheet.server.store.store import Store

if TYPE_CHECKING:
    from callsheet.server.mirror.mirror import Mirror, MirroredState

__all__ = ["MirroredScenarios"]


class MirroredScenarios:
    """What a mirror has of scenarios; several threads may ask."""

    def __init__(self, mirror: Mirror, present: Store, stores: ScenarioStores) -> None:
        self._mirror, self._present, self._stores = mirror, present, stores
        self._lock = threading.Lock()
        self._database: object = None
        self._tables: set[str] = set()
        self._copied: dict[int, Hashable] = {}

    @contextmanager
    def reading(self, chain_of: Callable[[Connection], Chain]) -> Iterator[MirroredState]:
        """The mirror's state with a scenario over it; ``chain_of`` finds the scenario in the store."""
        while True:
            chain, database = self._chain(chain_of)
            with self._mirror.reading() as state:
                # Keys may have become texts in between.
                if state.store.database is database:
                    yield evolve(state, store=self._stores.over(state.store, chain), cells=None)
                    return

    def _chain(self, chain_of: Callable[[Connection], Chain]) -> tuple[Chain, Database]:
        """The scenarios that one stands on, all of whose rows are in the mirror now, and its database."""
        while True:
            with self._mirror.reading() as state:
                store = state.store
            try:
                with self._present.reading(math.inf) as source:
                    chain = chain_of(source)
                    self._bring(store, source, chain)
                    return chain, store.database
            except TextKeys as found:
                root = found.root
            self._mirror.keep_as_texts(root)

    def _bring(self, store: Store, source: Connection, chain: Chain) -> None:
        """Copy what the mirror lacks."""
        with self._lock:
            if store.database is not self._database:
                # It may have rows of an earlier process.
                self._database, self._tables, self._copied = store.database, set(), {}
            stale = [each for each in chain.scenarios if self._copied.get(each.id) != _revision(each)]
            if not stale:
                return
            made = set(self._tables)
            store.write(lambda target: self._copy(source, target, stale, made))
            self._tables = made
            self._copied.update((each.id, _revision(each)) for each in stale)

    def _copy(self, source: Connection, target: Connection, stale: Iterable[ScenarioRow], made: set[str]) -> None:
        tables = own_tables(self._present)
        for each in stale:
            for name in each.overlaid:
                if name not in tables:
                    continue
                over = overlay_table(tables[name])
                if name not in made:
                    create_tables([over], target)
                    made.add(name)
                copy_part(source, target, over, SCENARIO, each.id)


def _revision(scenario: ScenarioRow) -> Hashable:
    return scenario.revision, scenario.position, tuple(scenario.overlaid)
