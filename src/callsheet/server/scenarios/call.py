"""One call of an action of scenarios: who calls, with which rights, on which store."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Forbidden
from callsheet.model.operation import ChangeSet
from callsheet.model.record import Identity
from callsheet.server.access.access import Access
from callsheet.server.scenarios import registry
from callsheet.server.scenarios.overlaying import ScenarioStores
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.scenarios.staging import stage
from callsheet.server.store.store import Store

__all__ = ["ScenarioCall"]


@frozen
class ScenarioCall:
    """``most`` is how many bytes the scenarios of an account may hold; ``committed`` follows up a real commit."""

    store: Store
    stores: ScenarioStores
    now: Callable[[], datetime]
    account: str
    access: Access
    most: int
    committed: Callable[[int, bool, bool], None]

    def named(self, connection: Connection, label: Any, owned: bool = False) -> ScenarioRow:
        """The scenario of a name; if ``owned``, locked, and `Forbidden` unless the caller owns it."""
        found = registry.named(self.store, connection, self.account, label, self.now(), lock=owned)
        if owned and found.owner != self.account:
            raise Forbidden(f"only its owner, `{found.owner}`, may change the scenario {found.name!r}")
        return found

    def chain(self, connection: Connection, scenario: ScenarioRow) -> Chain:
        """The scenario and those that it stands on."""
        return registry.chain_of(self.store, connection, scenario)

    def over(self, chain: Chain) -> Store:
        """The store of a chain's state."""
        return self.stores.over(self.store, chain)

    def rights(self, store: Store) -> Access:
        """The caller's rights on the entities of such a store."""
        return self.access if store is self.store else self.access.over(store)

    def stage(self, connection: Connection, chain: Chain, changes: ChangeSet) -> CommitResult:
        """Commit a change set into the nearest scenario of a chain."""
        return stage(
            self.store, connection, self.stores, chain, changes, self.account, self.now(), self.rights, self.most
        )

    def readable(self, connection: Connection, chain: Chain) -> Callable[[Collection[Identity]], set[Identity]]:
        """The function that gives, of some entities, those that the caller may read, in the scenario or below it."""
        rights = [self.rights(self.over(each)) for each in (chain, chain.below)]

        def function(identities: Collection[Identity]) -> set[Identity]:
            if self.access.reads_all:
                return set(identities)
            found: set[Identity] = set()
            for root, named in self._by_root(identities).items():
                for access in rights:
                    keys = access.among("read", connection, root, [str(each.key) for each in named])
                    found.update(each for each in named if each.key in keys)
            return found

        return function

    def _by_root(self, identities: Collection[Identity]) -> dict[str, list[Identity]]:
        found: dict[str, list[Identity]] = {}
        for each in identities:
            found.setdefault(self.store.schema.types[each.entity_type].root, []).append(each)
        return found
