"""What became of a commit that was not answered, from what is on the server.

Theory. The server does a commit as a whole or not at all, so one trace of it is proof. Keys of what a commit
creates were made by the client and are in no other commit: if one of them exists, the commit was done.
Where nothing was created, deletes leave a trace, too; and where there are only updates, the trace is that all
values are as they were to be. Then it does not matter whether they came by this commit: sending it again
would change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from callsheet.chunks import chunks
from callsheet.dialects.ftrack.client.commit_prefetch import CHUNK
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.flow import Flow
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select, Step
from callsheet.model.record import Identity, Page

__all__ = ["was_done"]


class Selecting(Protocol):
    """Runs queries."""

    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]: ...


def was_done(changes: ChangeSet, vocabulary: Vocabulary, selecting: Selecting) -> Flow[bool]:
    """Whether the commit left its traces."""
    created = [operation.identity for operation in changes.operations if isinstance(operation, Create)]
    if created:
        return bool((yield from _existing(created, vocabulary, selecting)))
    deleted = [operation.identity for operation in changes.operations if isinstance(operation, Delete)]
    if deleted:
        return not (yield from _existing(deleted, vocabulary, selecting))
    updates = [operation for operation in changes.operations if isinstance(operation, Update)]
    return (yield from _all_as_written(updates, vocabulary, selecting))


def _existing(identities: Sequence[Identity], vocabulary: Vocabulary, selecting: Selecting) -> Flow[list[Any]]:
    """Those of the entities that exist; the first that are found are enough."""
    by_type: dict[str, list[Any]] = {}
    for identity in identities:
        by_type.setdefault(identity.entity_type, []).append(identity.key)
    for entity_type, keys in by_type.items():
        names = vocabulary.schema.type(entity_type).key
        for part in chunks(dict.fromkeys(keys), CHUNK):
            select = Select(entity_type, tuple(Path((Step(name),)) for name in names), _keyed(names, part))
            page = yield from selecting.select(select, len(part))
            if len(page):
                return [row[0] for records in page.records[: page.roots] for row in records.rows]
    return []


def _keyed(names: Sequence[str], keys: Sequence[Any]) -> Condition:
    if len(names) == 1:
        return Comparison(Path((Step(names[0]),)), "in", tuple(keys))
    terms = [And(tuple(Comparison(Path((Step(name),)), "=", part) for name, part in zip(names, key))) for key in keys]
    return terms[0] if len(terms) == 1 else Or(tuple(terms))


def _all_as_written(updates: Sequence[Update], vocabulary: Vocabulary, selecting: Selecting) -> Flow[bool]:
    """Whether all that was to be written is there, read in as few pages as there are kinds of updates."""
    by_shape: dict[tuple[str, tuple[str, ...]], list[Update]] = {}
    for update in updates:
        names = {name.partition(".")[0] for name in (*update.values, *update.added, *update.removed)}
        by_shape.setdefault((update.identity.entity_type, tuple(sorted(names))), []).append(update)
    for (entity_type, shape), members in by_shape.items():
        projections = tuple(Path((Step(name),)) for name in shape)
        for part in chunks(range(len(members)), CHUNK):
            chosen = [members[place] for place in part]
            where = _keyed(vocabulary.schema.type(entity_type).key, [update.identity.key for update in chosen])
            page = yield from selecting.select(Select(entity_type, projections, where), len(chosen))
            stored = _rows(page)
            if not all(_as_written(update, stored.get(update.identity.key)) for update in chosen):
                return False
    return True


def _rows(page: Page) -> dict[Any, dict[str, Any]]:
    blocks = page.records[: page.roots]
    return {row[0]: dict(zip(records.attributes, row[2:])) for records in blocks for row in records.rows}


def _as_written(update: Update, stored: Mapping[str, Any] | None) -> bool:
    if stored is None:
        return False
    for name, value in update.values.items():
        mapping, dot, key = name.partition(".")
        found = (stored.get(mapping) or {}).get(key) if dot else stored.get(name)
        if not _alike(value, found):
            return False
    for name in {*update.added, *update.removed}:
        members = {_key(member) for member in stored.get(name) or ()}
        if not all(member.key in members for member in update.added.get(name, ())):
            return False
        if any(member.key in members for member in update.removed.get(name, ())):
            return False
    return True


def _key(value: Any) -> Any:
    """The key of a reference: it is alone, or comes after the type."""
    return value[1] if isinstance(value, tuple) and len(value) == 2 else value


def _alike(written: Any, found: Any) -> bool:
    if isinstance(written, Identity):
        return bool(written.key in (found, _key(found)))
    if isinstance(written, datetime) and isinstance(found, datetime):
        # The server keeps seconds.
        return abs((written - found).total_seconds()) < 1
    return bool(written == found)
