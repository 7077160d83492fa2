"""Constraints that are checked after the last operation: references, required attributes, unique combinations.

So a commit can swap unique values, and refer to an entity that a later operation creates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, select, tuple_

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.normalisation import INDEXED_BYTES, text_bytes
from callsheet.model.record import Identity
from callsheet.server.store.alike import alike_columns, alike_form
from callsheet.server.store.rules import Combination
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["check_references", "check_required", "check_unique", "lock_name"]

COMBINATIONS = 300
"""Combinations of values in one statement."""

SIBLINGS = 8
"""From so many on, combinations that differ in their last value alone have a statement of their own."""


def _invalid(entry: WorkingRow, problem: str, attribute: str) -> Invalid:
    kind, key = entry.identity
    return Invalid(
        f"operation {entry.operation}: {problem}", operation=entry.operation, entity=(kind, key), attribute=attribute
    )


def check_references(overlay: Overlay) -> None:
    """Each written reference must name an existing entity of an accepted type; it is stored with its concrete type."""
    known: dict[tuple[str, Identity], Identity] = {}
    takes: dict[str, set[str]] = {}
    for entry in overlay.touched():
        attributes, values = entry.rules.entity_type.attributes, entry.values
        for name, value in values.items():
            if isinstance(value, Identity):
                wanted = (str(attributes[name].target), value)
                if wanted not in known:
                    if wanted[0] not in takes:
                        takes[wanted[0]] = set(overlay.schema.concrete(wanted[0]))
                    known[wanted] = _referred(overlay, entry, name, value, takes[wanted[0]])
                values[name] = known[wanted]


def _referred(overlay: Overlay, entry: WorkingRow, name: str, value: Identity, takes: set[str]) -> Identity:
    """The identity that a reference names, with its concrete type; raises `Invalid` if the attribute cannot have it."""
    of = f"{entry.rules.entity_type.name}.{name}"
    found = overlay.visible(value)
    if found is None or not found.alive:
        gone = "was deleted in this commit" if found is not None else "does not exist"
        raise _invalid(entry, f"{of}: {value.entity_type} {value.key} {gone}", name)
    kind = found.identity.entity_type
    if kind not in takes:
        target = entry.rules.entity_type.attributes[name].target
        raise _invalid(entry, f"{of} takes a {target}; {value.key} is a {kind}", name)
    return found.identity


def check_required(overlay: Overlay) -> None:
    """Raise `Invalid` if required attributes have no value; it names all of one entity."""
    for entry in overlay.touched():
        names = entry.rules.required
        values = entry.values
        concerned = names if entry.created else [name for name in names if name in values]
        missing = [name for name in concerned if values.get(name) is None]
        if missing:
            kind = entry.identity.entity_type
            named = ", ".join(f"{kind}.{name}" for name in missing)
            raise _invalid(entry, f"{named} {'is' if len(missing) == 1 else 'are'} required", missing[0])


def check_unique(overlay: Overlay) -> None:
    """Raise `Invalid` if two entities share a unique combination of values; one with only None is not compared."""
    for combination, entries in sorted(_concerned(overlay).items(), key=lambda item: lock_name(item[0])):
        held: dict[tuple[Any, ...], WorkingRow] = {}
        for entry in entries:
            values = _values(entry, combination)
            if all(value is None for value in values):
                continue
            _check_room(entry, combination, values)
            if values in held:
                raise _taken(overlay, entry, combination, values, held[values].identity.key)
            held[values] = entry
        if held:
            _check_stored(overlay, combination, held)


def _check_room(entry: WorkingRow, combination: Combination, values: tuple[Any, ...]) -> None:
    """Raise `Invalid` if the texts of a combination are too long for one index entry."""
    sizes = {name: text_bytes(value) for name, value in zip(combination.names, values)}
    if sum(sizes.values()) > INDEXED_BYTES:
        longest = max(sizes, key=sizes.__getitem__)
        problem = (
            f"{combination.scope}.{longest} is too long: the texts of the unique combination "
            f"{', '.join(combination.names)} have up to {INDEXED_BYTES:,} bytes of UTF-8 together, not "
            f"{sum(sizes.values()):,}"
        )
        raise _invalid(entry, problem, longest)


def _concerned(overlay: Overlay) -> dict[Combination, list[WorkingRow]]:
    found: dict[Combination, list[WorkingRow]] = {}
    for entry in overlay.touched():
        for combination in entry.rules.unique:
            if entry.created or any(name in entry.values for name in combination.names):
                found.setdefault(combination, []).append(entry)
    return found


def _values(entry: WorkingRow, combination: Combination) -> tuple[Any, ...]:
    values = tuple([entry.get(name) for name in combination.names])
    if combination.alike:
        texts = entry.rules.alike
        values = tuple(
            [alike_form(v) if name in texts and v is not None else v for name, v in zip(combination.names, values)]
        )
    return tuple([value.key if isinstance(value, Identity) else value for value in values])


def _taken(overlay: Overlay, entry: WorkingRow, combination: Combination, values: tuple[Any, ...], key: str) -> Invalid:
    if combination.alike:
        values = tuple(entry.get(name) for name in combination.names)
    taken = ", ".join(f"{name} {value!r:.80}" for name, value in zip(combination.names, values))
    by = f" ({key})" if overlay.may_reveal((entry.rules.root, key)) else ""
    kind = "that looks like" if combination.alike else "with"
    problem = f"{combination.scope} {kind} {taken} exists already{by}; it must be unique"
    return _invalid(entry, problem, combination.names[-1])


def lock_name(combination: Combination) -> str:
    """The name of the counter row that commits lock if the database runs them concurrently."""
    return f"{'alike' if combination.alike else 'unique'}:{combination.scope}:{','.join(combination.names)}"


def _check_stored(overlay: Overlay, combination: Combination, held: dict[tuple[Any, ...], WorkingRow]) -> None:
    """Compare with the database's rows; for rows that this commit changes, their new values count."""
    root = overlay.schema.types[combination.scope].root
    if combination.scope != root or any(None in values for values in held):
        # In the other cases a constraint of the database guards against concurrent commits.
        overlay.take_lock(lock_name(combination))
    table = overlay.store.tables[root]
    columns = [table.c[name] for name in _columns(overlay, combination)]
    kinds = overlay.schema.concrete(combination.scope)
    family = table.c._type.in_(kinds) if len(kinds) < len(overlay.schema.concrete(root)) else None
    for where in _conditions(columns, list(held)):
        statement = select(table.c.id, *columns).where(where if family is None else and_(where, family))
        for key, *found in overlay.connection.execute(statement):
            values = tuple(found)
            other = overlay.at((root, key))
            if other is not None and (not other.alive or _values(other, combination) != values):
                continue
            if values in held and held[values] is not other:
                raise _taken(overlay, held[values], combination, values, key)


def _columns(overlay: Overlay, combination: Combination) -> list[str]:
    if not combination.alike:
        return list(combination.names)
    columns = alike_columns(overlay.schema.types[combination.scope])
    return [columns.get(name, name) for name in combination.names]


def _conditions(columns: list[Any], wanted: list[tuple[Any, ...]]) -> Iterator[ColumnElement[bool]]:
    """Conditions that together find the rows with these values; None is compared by ``IS NULL``."""
    patterns: dict[tuple[bool, ...], list[tuple[Any, ...]]] = {}
    for values in wanted:
        patterns.setdefault(tuple(value is None for value in values), []).append(values)
    for pattern, rows in patterns.items():
        empty = [column.is_(None) for column, absent in zip(columns, pattern) if absent]
        given = [column for column, absent in zip(columns, pattern) if not absent]
        kept = [tuple(value for value in values if value is not None) for values in rows]
        scattered: list[tuple[Any, ...]] = []
        for leading, group in _by_leading(kept).items():
            if len(given) > 1 and len(group) < SIBLINGS:
                scattered += group
                continue
            alike = [column == value for column, value in zip(given, leading)]
            for chunk in chunks(group, COMBINATIONS):
                yield and_(*alike, given[-1].in_([values[-1] for values in chunk]), *empty)
        for chunk in chunks(scattered, COMBINATIONS):
            # SQLite uses no index for a comparison of tuples; the condition on the first column lets it use one.
            first = given[0].in_(list(dict.fromkeys(values[0] for values in chunk)))
            yield and_(first, tuple_(*given).in_(chunk), *empty)


def _by_leading(rows: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Rows by all of their values but the last: the names of one parent's children are looked up by the index."""
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(row[:-1], []).append(row)
    return groups
