"""What ftrack's schema leaves out of its types and relations, as tables: `wiring.toml` and `client.toml`.

`shared` has the facts of both halves. `wiring` adds those that only the client needs; the server's half adds its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property

from attrs import frozen
from msgspec import Struct

from callsheet.dialects.ftrack.common.facts import FactNames, FactTable, facts_in

__all__ = ["ClientFacts", "SharedFacts", "Through", "Wiring", "shared", "wiring"]


@frozen
class Through:
    """The rows that hold a many-to-many collection: their type, and their references to owner and member."""

    entity_type: str
    owner: str
    member: str

    @property
    def owner_key(self) -> str:
        return f"{self.owner}_id"

    @property
    def member_key(self) -> str:
        return f"{self.member}_id"


class SharedFacts(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The tables of ``wiring.toml``, as that file explains them."""

    plain: FactNames
    extends: FactTable[str]
    views: FactTable[str]
    foreign_keys: FactTable[str]
    same: FactTable[str]
    types: FactTable[str]
    targets: FactTable[str]
    inverses: FactTable[str]
    mirrors: FactTable[str]
    pairs: dict[str, dict[str, str]]
    configured: dict[str, str]

    @cached_property
    def through(self) -> dict[str, Through]:
        """By collection, the rows that hold it."""
        return {
            side: Through(rows, near, far)
            for rows, sides in self.pairs.items()
            for side, near, far in _directions(sides)
            if "." in side
        }

    @cached_property
    def all_inverses(self) -> FactTable[str]:
        """Inverses as the document states them, and as they follow from mirrors and pairs."""
        found = dict(self.inverses.facts)
        for written, mirror in self.mirrors.facts.items():
            found[written], found[mirror] = _attribute(mirror), _attribute(written)
        for sides in self.pairs.values():
            one, other = sides
            found |= {side: _attribute(far) for side, far in ((one, other), (other, one)) if "." in side}
        return FactTable(found)


def _directions(sides: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    (one, to_one), (other, to_other) = sides.items()
    yield one, to_one, to_other
    yield other, to_other, to_one


def _attribute(side: str) -> str:
    return side.partition(".")[2]


class ClientFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """The tables of ``client.toml``."""

    because: dict[str, str]
    labels: FactTable[str]
    targets: FactTable[str]
    read_only: FactNames
    configured: dict[str, str]


@frozen
class Wiring:
    """The facts that the client reads.

    >>> wiring().inverses.find(["Task", "TypedContext"], "incoming_links")
    'to'
    """

    extends: FactTable[str]
    labels: FactTable[str]
    foreign_keys: FactTable[str]
    plain: FactNames
    same: FactTable[str]
    types: FactTable[str]
    targets: FactTable[str]
    inverses: FactTable[str]
    read_only: FactNames
    through: Mapping[str, Through]
    configured: Mapping[str, str]
    #: By a collection that is written from the other side, the collection there.
    written_at: Mapping[str, str]


@cache
def shared() -> SharedFacts:
    """The facts of both halves, read once."""
    return facts_in("wiring.toml", SharedFacts)


@cache
def wiring() -> Wiring:
    """The facts of both halves and those of the client, read once."""
    both, own = shared(), facts_in("client.toml", ClientFacts)
    return Wiring(
        FactTable({**both.extends.facts, **both.views.facts}),
        own.labels,
        both.foreign_keys,
        both.plain,
        both.same,
        both.types,
        FactTable({**both.targets.facts, **own.targets.facts}),
        both.all_inverses,
        own.read_only,
        both.through,
        {**both.configured, **own.configured},
        {mirror: _attribute(written) for written, mirror in both.mirrors.facts.items()},
    )
