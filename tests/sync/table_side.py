"""A side of tables in memory, and runs of a two-way sync that are killed between any two of its turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.flow import Flow
from callsheet.sync.side import SideChange, SideChanges, SideOutcome, SideReference, SideRow
from callsheet.transport import drive
from callsheet.transport.local import LocalTransport


class Killed(Exception):
    """The process was killed here."""


class TableSide:
    """Rows by type and id. It has no transactions: a run may be killed between two changes of one `write`."""

    def __init__(self, name: str, whole: bool = False) -> None:
        self.name = name
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.log: list[tuple[str, str, str]] = []
        #: Whether it cannot say what changed.
        self.whole = whole
        #: How many more changes are written before the process is killed; None: all.
        self.left_to_write: int | None = None
        self.written: list[SideChange] = []

    def run(self, flow: Flow[Any]) -> Any:
        return drive.run(flow, LocalTransport())

    # -- what people do --------------------------------------------------------------------------------------

    def put(self, type: str, id: str, origin: str = "", **values: Any) -> None:
        self.tables.setdefault(type, {}).setdefault(id, {}).update(values)
        self.log.append((type, id, origin))

    def remove(self, type: str, id: str, origin: str = "") -> None:
        self.tables.get(type, {}).pop(id, None)
        self.log.append((type, id, origin))

    # -- the protocol ----------------------------------------------------------------------------------------

    def changes(self, types: Sequence[str], since: Any, origin: str) -> Flow[SideChanges]:
        yield from ()
        if since is None or self.whole:
            return SideChanges(len(self.log), None if self.whole else {})
        found: dict[str, set[str]] = {}
        for type, id, by in self.log[since:]:
            if not by.startswith(origin) and type in types:
                found.setdefault(type, set()).add(id)
        return SideChanges(len(self.log), found)

    def read(self, type: str, attributes: Sequence[str], ids: Sequence[str] | None = None) -> Flow[list[SideRow]]:
        yield from ()
        table = self.tables.get(type, {})
        wanted = table if ids is None else [id for id in ids if id in table]
        made = {(kind, id): token for (kind, token), id in self.tokens.items()}
        return [
            SideRow(id, {n: table[id].get(n) for n in attributes}, None, made.get((type, id), ""), str(id))
            for id in wanted
        ]

    def write(self, changes: Sequence[SideChange], origin: str) -> Flow[list[SideOutcome]]:
        yield from ()
        return [self._write(each, origin) for each in changes]

    def _write(self, change: SideChange, origin: str) -> SideOutcome:
        if self.left_to_write is not None:
            if self.left_to_write == 0:
                raise Killed
            self.left_to_write -= 1
        self.written.append(change)
        if change.kind == "create":
            return self._create(change, origin)
        assert change.id is not None
        table = self.tables.get(change.type, {})
        if change.id not in table:
            return SideOutcome("conflict", change.id, "is gone")
        if any(table[change.id].get(name) != value for name, value in change.before.items() if name in change.values):
            return SideOutcome("conflict", change.id, "has another value")
        if change.kind == "update":
            self._check_references(change.values)
            self.put(change.type, change.id, origin, **change.values)
        else:
            self.remove(change.type, change.id, origin)
        return SideOutcome("done", change.id)

    def _create(self, change: SideChange, origin: str) -> SideOutcome:
        made = self.tokens.get((change.type, change.token))
        if made is not None and made in self.tables.get(change.type, {}):
            return SideOutcome("done", made)
        self._check_references(change.values)
        id = f"{self.name}-{len(self.log)}"
        self.tokens[change.type, change.token] = id
        self.put(change.type, id, origin, **change.values)
        return SideOutcome("done", id)

    def _check_references(self, values: Mapping[str, Any]) -> None:
        """A reference is to a row that was there at some time: nothing else is ever written."""
        for value in values.values():
            for each in value if isinstance(value, frozenset) else (value,):
                if isinstance(each, SideReference):
                    assert any(row[:2] == (each.type, each.id) for row in self.log), each


def killed(conversation: Any, turns: int, after: bool) -> bool:
    """Run a conversation until it is killed before (or after the deed of) a turn; whether it came to its end."""
    answer: Any = None
    try:
        turn = next(conversation)
        while True:
            if turns == 0:
                if after:
                    turn.party.run(turn.flow)
                conversation.close()
                return False
            turns -= 1
            answer = turn.party.run(turn.flow)
            turn = conversation.send(answer)
    except Killed:
        conversation.close()
        return False
    except StopIteration:
        return True
