"""One scenario as data, and its place: a chain of scenarios from itself to the one that stands on the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Row

__all__ = ["EVERYBODY", "Chain", "ScenarioRow"]

EVERYBODY = "*"
"""A reader's name that stands for all accounts."""


@frozen
class ScenarioRow:
    """A row of ``_scenario``.

    ``uid`` is the id of the commit that ends it; ``origin`` the scenario below it (None: the base); ``position`` that
    of the log when it began or was rebased; ``revision`` counts what was staged; ``overlaid`` are the tables of which
    it has rows; ``readers`` the accounts that it is shared with.
    """

    id: int
    uid: str
    name: str
    owner: str
    description: str
    origin: int | None
    created: datetime
    expires: datetime | None
    position: int
    revision: int
    overlaid: Sequence[str]
    readers: Sequence[str]

    @staticmethod
    def of(row: Row[Any]) -> ScenarioRow:
        """The scenario of a row."""
        return ScenarioRow(**row._mapping)

    def readable_by(self, account: str) -> bool:
        """Whether an account may read it: the owner, and those that it is shared with."""
        return self.owner == account or account in self.readers or EVERYBODY in self.readers

    def lives_at(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires is None or self.expires > now


@frozen
class Chain:
    """A scenario and those below it, nearest first."""

    scenarios: tuple[ScenarioRow, ...]

    @property
    def top(self) -> ScenarioRow:
        """The scenario itself."""
        return self.scenarios[0]

    @property
    def below(self) -> Chain:
        """What it stands on; empty for one that stands on the base."""
        return Chain(self.scenarios[1:])

    @property
    def holders(self) -> Mapping[str, tuple[int, ...]]:
        """By table, the scenarios with rows of it, nearest first."""
        found: dict[str, tuple[int, ...]] = {}
        for scenario in self.scenarios:
            for name in scenario.overlaid:
                found[name] = (*found.get(name, ()), scenario.id)
        return found
