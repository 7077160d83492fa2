"""The studio's lists that Kitsu's rows refer to by id: task types, statuses, entity types."""

from __future__ import annotations

from hashlib import sha256

from attrs import define, field

from callsheet.errors import Invalid
from callsheet.flow import Flow
from callsheet.model.schema import did_you_mean
from kitsu_sync.account import KitsuAccount

__all__ = ["StudioLists"]

LISTS = ("entity-types", "task-types", "task-status")
"""The lists, as they are called in routes."""

NOT_ASSETS = ("Episode", "Sequence", "Shot", "Scene", "Edit", "Concept", "ConceptFolder")
"""The entity types that are not types of assets."""


@define(eq=False)
class StudioLists:
    """Names and ids of each list, read when first needed, and again when an id or a name is not among them."""

    account: KitsuAccount
    _names: dict[str, dict[str, str]] = field(factory=dict)
    _default: str = ""

    def load(self, which: str) -> Flow[dict[str, str]]:
        """The list as id → name."""
        if which not in self._names:
            rows = yield from self.account.rows(f"/data/{which}")
            self._names[which] = {row["id"]: row["name"] for row in rows}
            if which == "task-status":
                self._default = next((row["id"] for row in rows if row.get("is_default")), rows[0]["id"])
        return self._names[which]

    def digest(self) -> Flow[str]:
        """A digest of all names as they are now: another one means that values by name have changed."""
        self._names.clear()
        found = []
        for which in LISTS:
            found.append(sorted((yield from self.load(which)).items()))
        return sha256(repr(found).encode()).hexdigest()[:32]

    def first_status(self) -> Flow[str]:
        """The id of the status that new tasks have."""
        yield from self.load("task-status")
        return self._default

    def name(self, which: str, id: str | None) -> Flow[str | None]:
        """The name of an id."""
        if id is None:
            return None
        names = yield from self.load(which)
        if id not in names:
            self._names.pop(which)
            names = yield from self.load(which)
        return names.get(id, id)

    def id(self, which: str, name: str | None) -> Flow[str | None]:
        """The id of a name. Raises `Invalid` if the studio has none of this name, with what it may mean."""
        if name is None:
            return None
        for again in (False, True):
            if again:
                self._names.pop(which, None)
            names = yield from self.load(which)
            found = [id for id, each in names.items() if each == name]
            if found:
                return found[0]
        raise Invalid(f"the studio's {which} have no {name!r:.60}{did_you_mean(name, names.values())}")
