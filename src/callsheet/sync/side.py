"""A side of a two-way sync: what `Sync` needs of a system, and what it promises in return. This is the specification.

Theory. A two-way sync compares two systems by value, against the values that both had when they last agreed. It needs
nothing else from them: each is a *side*, an object with the four methods of `Side`. Their results are flows (see
``flow.py``), so one side serves blocking and awaiting programs; `Side.run` runs them, with the side's own connection.

**Types and attributes** are the side's own names, as texts. The sync's mapping says what corresponds to what.

**Ids** are texts, never empty, and name one row of a type for good. An id is not given to another row later.

**Values** are plain: None, bool, int, float, str, date, datetime (with its zone), and lists and dicts of these; a
`SideReference` where an attribute refers to another row, and a frozenset of these for a collection without order. A
side gives the same value in the same form each time, and two values that mean the same are equal. An attribute that a
row does not give is not known, and takes no part; None says that it is empty. A ``SideReference`` has the exact type
of the row it refers to, not one that it inherits from. What it refers to need not be part of the sync; then the
attribute (or the new row, if rows are paired by that attribute) cannot be carried over, and the plan says so.

**Gone.** There is one meaning: a row is gone if `Side.read` does not give it. A side whose system archives, cancels or
omits what is deleted leaves such rows out of its readings.

**Changes.** `Side.changes` gives a *position* (any JSON data that is not None) and the ids that changed since another.
The position is taken before anything is read, so what changes during the sync is found by the next one. Too many ids do
no harm (the rows are read and compared); none of these may be missing: created, changed and deleted rows, and rows of
which a value changed through another row. A side that cannot say gives None instead of ids, and is read whole. Changes
that this sync itself made (their origin begins with ``origin``) may be left out: their values are known. They may be
left out only if nobody else changed the same row since.

**Writing.** `Side.write` takes changes in an order in which what they refer to comes first, and gives one outcome for
each, in the same order:

========== ================================================================================================
``done``   it is so now; ``id`` is that of the row
``refused`` the system says no, and ``reason`` why; nothing of this change was done
``conflict`` the row has another value now than ``before`` says, or is gone; nothing of this change was done
``unknown`` no answer came, or the system does not say; the next sync reads the row and goes on from there
========== ================================================================================================

A side that has transactions may write all changes as one; if it is refused, it finds out which change is to blame and
goes on without it: one bad row does not stop the others. A side without transactions compares ``before`` with what
the system has just before it writes. An exception ends the sync; the next one goes on.

**Once.** A create has a ``token``: a UUID as text, the same whenever the same row is created for the same row of the
other side. A create whose token was used already makes nothing: its outcome is ``done`` with the id of the row that
is there. A side keeps the token with the row (best as its id), and gives it as `SideRow.token`. A side whose system
has no place for it leaves it empty; then a sync that is killed between a create and the note of it pairs the rows by
the mapping's ``adopt`` attributes, and where there are none, the row may be doubled. Updates, deletes and omissions
are safe to send again.

>>> SideChange("create", "Shot", None, {"name": "sh010"}, token="6f0e5b0a-9d0b-4c1b-8f5a-0a577f0f1c1e").kind
'create'
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from attrs import field, frozen

from callsheet.flow import Flow

__all__ = ["Side", "SideChange", "SideChanges", "SideOutcome", "SideReference", "SideRow"]

ChangeKind: TypeAlias = Literal["create", "update", "delete", "omit"]
OutcomeStatus: TypeAlias = Literal["done", "refused", "conflict", "unknown"]


@frozen(order=True)
class SideReference:
    """A value that refers to another row of the same side, by its exact type and its id."""

    type: str
    id: str


@frozen
class SideRow:
    """One row of a side: its id and its values by attribute; see the module for what a value is.

    ``updated_at`` is when it was changed last, with a zone, None if the system does not say. ``token`` is that of its
    creation, if a sync created it. ``label`` is its name for people.
    """

    id: str
    values: Mapping[str, Any]
    updated_at: datetime | None = None
    token: str = ""
    label: str = ""


@frozen
class SideChanges:
    """Where a side is (``position``), and which ids of each type changed since the position that was given.

    ``ids`` is None where the side cannot say: everything has to be read.
    """

    position: Any
    ids: Mapping[str, Collection[str]] | None = None


@frozen
class SideChange:
    """One change to write.

    ``create`` has no ``id``, and a ``token``. ``update`` has the new ``values`` and those of ``before`` that the plan
    saw. ``delete`` and ``omit`` end a row: ``omit`` so that the system keeps it (archived, cancelled, omitted), and
    `Side.read` gives it no more; a side that cannot omit refuses. Their ``before`` has all values that the plan saw.
    """

    kind: ChangeKind
    type: str
    id: str | None
    values: Mapping[str, Any] = field(factory=dict)
    before: Mapping[str, Any] = field(factory=dict)
    token: str = ""


@frozen
class SideOutcome:
    """What became of one change; see the module for the words."""

    status: OutcomeStatus
    id: str | None = None
    reason: str = ""


class Side(Protocol):
    """What a two-way sync needs of a system; the docstring of this module says what each method has to keep."""

    @property
    def name(self) -> str:
        """What the registry calls the system, like ``tracker``; the same in every run, never empty."""
        ...

    def run(self, flow: Flow[Any]) -> Any:
        """The result of a flow of this side, over its own connection; awaitable where the program awaits."""
        ...

    def changes(self, types: Sequence[str], since: Any, origin: str) -> Flow[SideChanges]:
        """The position now, and which ids of these types changed since another; None for ``since``: no ids.

        ``origin`` is the text that the origin of this sync's own changes begins with.
        """
        ...

    def read(self, type: str, attributes: Sequence[str], ids: Sequence[str] | None = None) -> Flow[Sequence[SideRow]]:
        """The rows of a type, with these attributes: all that the sync is about, or those of ``ids`` that are there.

        Raises `UsageError` for a type or attribute that the side does not have, with a hint.
        """
        ...

    def write(self, changes: Sequence[SideChange], origin: str) -> Flow[Sequence[SideOutcome]]:
        """Write the changes; an outcome for each, in the same order. ``origin`` is noted where the system can."""
        ...
