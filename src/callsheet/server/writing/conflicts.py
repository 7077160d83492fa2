"""Conflicts with other commits: each attribute is compared three ways, and a policy decides.

An attribute is in conflict if its stored value is not the value that the writer saw. A stored value equal to the
writer's new value is in conflict too: of two writers who saw 5 and wrote 6, both may have added one. The exception are
attributes on which writers of the same value *agree* by the schema (a status, a name; never a number), unless the
commit sets ``agree``. One `Conflict` error reports all conflicts of a commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

from callsheet.errors import Conflict, Invalid
from callsheet.model.operation import Delete, Update
from callsheet.model.record import Identity, equal
from callsheet.model.schema import NUMBERS
from callsheet.server.writing.overlay import WorkingRow

__all__ = ["POLICIES", "Conflicts"]

POLICIES = ("raise", "ours", "theirs")


@define
class Conflicts:
    """The conflicts of one commit, and the indices of operations on entities changed by others (``merged``).

    A reference to an entity that is ``hidden`` from the commit's author counts as None, as the author reads it.
    """

    policy: str
    agree: bool | None = None
    hidden: Callable[[Identity], bool] = lambda identity: False
    merged: list[int] = field(factory=list)
    met: dict[tuple[int, str], Any] = field(factory=dict)
    """What was there, by operation and attribute, where another commit had changed it (of a delete: the version)."""
    _found: list[dict[str, Any]] = field(factory=list)
    _first: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise Invalid(f"the policy is one of {', '.join(POLICIES)}, not {self.policy!r:.80}")

    def update(self, index: int, operation: Update, entry: WorkingRow) -> list[str]:
        """The names of the update's values to write."""
        kept = list(operation.values)
        met = not entry.created and operation.version not in (None, entry.version)
        for name, base in operation.before.items():
            if name in operation.adjusted:
                # An adjustment is never in conflict, but a changed base is reported to the writer (`merged`).
                met = met or not equal(entry.get(name), base)
                continue
            ours, theirs = operation.values[name], entry.get(name)
            if isinstance(theirs, Identity) and self.hidden(theirs):
                theirs = None
            if equal(theirs, base) or (theirs is None and _is_default(entry, name, base)):
                continue
            if equal(theirs, ours) and self._agree(entry, name, ours):
                self.met[index, name] = theirs
                continue
            if equal(entry.original(name), base):
                # No conflict: a delete earlier in this commit emptied the reference.
                continue
            met = True
            self._note(index, entry, name, base, ours, theirs)
            if self.policy == "theirs":
                kept.remove(name)
        if met:
            self.merged.append(index)
        return kept

    def _agree(self, entry: WorkingRow, name: str, value: Any) -> bool:
        """Whether two writers of this same value agree."""
        attribute = entry.rules.entity_type.attribute(name)
        if attribute.data_type in NUMBERS or (isinstance(value, int | float) and not isinstance(value, bool)):
            return False
        return attribute.agrees if self.agree is None else self.agree

    def delete(self, index: int, operation: Delete, entry: WorkingRow) -> bool:
        """Whether to delete the entity."""
        if entry.created or operation.version in (None, entry.version):
            return True
        self.merged.append(index)
        self._note(index, entry, "", operation.version, None, entry.version)
        return self.policy != "theirs"

    def _note(self, index: int, entry: WorkingRow, name: str, base: Any, ours: Any, theirs: Any) -> None:
        if self._first is None:
            self._first = index
        self.met[index, name] = theirs
        self._found.append(
            {
                "entity": list(entry.identity),
                "attribute": name,
                "base": base,
                "ours": ours,
                "theirs": theirs,
            }
        )

    def check(self, last_writer: Callable[[Identity], str]) -> None:
        """Raise `Conflict` with all conflicts if the policy is `raise`; the text names the last writer of the first."""
        if self.policy != "raise" or not self._found:
            return
        kind, key = self._found[0]["entity"]
        name = self._found[0]["attribute"]
        more = f" (and {len(self._found) - 1} more)" if len(self._found) > 1 else ""
        what = f"{kind}.{name} of {key}" if name else f"{kind} {key}"
        who = last_writer(Identity(kind, key))
        raise Conflict(
            f"operation {self._first}: {what} was changed by {who}{more}; refresh and commit again",
            operation=self._first,
            entity=(kind, key),
            attribute=name,
            details={"conflicts": self._found},
        )


def _is_default(entry: WorkingRow, name: str, base: Any) -> bool:
    """Whether the base that the writer saw is the default of a custom attribute, which was never set."""
    if not name.startswith("custom_attributes."):
        return False
    default = entry.rules.entity_type.attribute(name).default
    return default is not None and equal(base, default)
