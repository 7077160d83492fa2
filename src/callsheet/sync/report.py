"""A plan shown: as lines to read, as a table, as JSON data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.plan_data import PlanData
from callsheet.sync.steps import Addition, Disagreement, Linked, Modification

__all__ = [
    "COLUMNS",
    "as_json",
    "conflict_text",
    "lines",
    "plain",
    "shown",
    "summary",
    "table",
    "too_many",
    "too_many_members",
    "value_text",
]

SHOWN = 20
COLUMNS = ("action", "row", "key", "attribute", "before", "after", "reason")


def summary(data: PlanData) -> str:
    """The counts in words."""
    ended = sum(not each.row for each in data.changed)
    parts = [
        f"{len(data.created):,} created",
        f"{len(data.changed) - ended:,} changed",
        f"{ended:,} without a row changed" if ended else "",
        f"{len(data.deleted):,} deleted" if data.deleted else "",
        f"{len(data.linked):,} linked" if data.linked else "",
        f"{len(data.unchanged):,} unchanged",
        f"{data.skipped:,} older" if data.skipped else "",
        f"{len(data.gone):,} gone here" if data.gone else "",
        f"{data.noted:,} noted" if data.noted else "",
        f"{len(data.overridden):,} overridden" if data.overridden else "",
        f"{len(data.conflicts):,} in conflict" if data.conflicts else "",
        f"{len({each.row for each in data.refused}):,} refused" if data.refused else "",
    ]
    return ", ".join(filter(None, parts))


def lines(data: PlanData) -> Iterable[str]:
    """The plan for people to read."""
    yield f"{data.entity_type}: {summary(data)}"
    yield from shown("+", (_addition(each) for each in data.created), len(data.created))
    yield from shown("~", (_modification(each) for each in data.changed), len(data.changed))
    yield from shown("-", (_key_text(each.key) for each in data.deleted), len(data.deleted))
    yield from shown("=", (_pair(each) for each in data.linked), len(data.linked))
    yield from shown("x", (_key_text(each.key) for each in data.gone), len(data.gone))
    yield from shown("<", (_overridden(each) for each in data.overridden), len(data.overridden))
    yield from shown("?", map(conflict_text, data.conflicts), len(data.conflicts))
    yield from shown("!", map(str, data.refused), len(data.refused))
    if data.too_many_end:
        yield too_many(data)
    if data.too_many_leave:
        yield too_many_members(data)
    if data.nameless:
        rows = "1 row" if data.nameless == 1 else f"{data.nameless:,} rows"
        yield f"nothing is taken for gone: {rows} without a key that can be read may stand for any entity"


def too_many(data: PlanData) -> str:
    """Why the plan is not applied: more would go than is allowed."""
    share = data.ended / data.in_scope if data.in_scope else 1.0
    return (
        f"{data.ended:,} of {data.in_scope:,} entities in scope have no row: {share:.0%}, and at most "
        f"{data.max_deleted:.0%} may go (max_deleted); is the source complete?"
    )


def too_many_members(data: PlanData) -> str:
    """Why the plan is not applied: collections and mappings would lose more than is allowed."""
    share = data.lost_members / max(data.held_members, 1)
    return (
        f"{data.lost_members:,} of {data.held_members:,} members and items of {data.entity_type} are not listed any "
        f"more: {share:.0%}, and at most {data.max_deleted:.0%} may go (max_deleted); is the source complete?"
    )


def shown(sign: str, texts: Iterable[str], count: int) -> Iterable[str]:
    """A line for each text, at most 20, and how many more there are."""
    for number, text in enumerate(texts):
        if number == SHOWN:
            yield f"  {sign} … and {count - SHOWN:,} more"
            return
        yield f"  {sign} {text}"


def _addition(each: Addition) -> str:
    return _key_text(each.key)


def _modification(each: Modification) -> str:
    changes = ", ".join(f"{d.attribute}: {value_text(d.before)} → {value_text(d.after)}" for d in each.differences)
    return f"{_key_text(each.key)}  {changes}"


def _pair(each: Linked) -> str:
    return f"{_key_text(each.key)} is {_key_text(each.natural)}"


def _overridden(each: Disagreement) -> str:
    stands, lost = (each.source, each.target) if each.kept == "source" else (each.target, each.source)
    values = f"{value_text(stands)} of the {each.kept} overrides {value_text(lost)}"
    return f"{_key_text(each.key)}  {each.attribute}: {values}{_was(each)}"


def conflict_text(each: Disagreement) -> str:
    """What is in conflict, with all values."""
    if not each.attribute:
        return f"{_key_text(each.key)} is in the source, and gone here"
    values = f"the source has {value_text(each.source)}, the target {value_text(each.target)}"
    return f"{_key_text(each.key)}  {each.attribute}: {values}{_was(each)}"


def _was(each: Disagreement) -> str:
    return "" if each.base is NOT_SET else f" (was {value_text(each.base)})"


def _key_text(key: tuple[Any, ...]) -> str:
    return " / ".join(map(str, key))


def value_text(value: Any) -> str:
    """A value in a line of a plan."""
    if value is None:
        return "empty"
    if isinstance(value, Identity):
        return f"{value.entity_type} {value.key}"
    if isinstance(value, frozenset):
        return f"{len(value)} members"
    return f"{value!r:.40}" if isinstance(value, str) else str(value)[:40]


def table(data: PlanData) -> Iterable[tuple[Any, ...]]:
    """One tuple for each thing that would happen, as in ``COLUMNS``."""
    for added in data.created:
        for name, value in {**added.values, **added.members}.items():
            yield ("create", added.row, added.key, name, None, plain(value), "")
    for changed in data.changed:
        for difference in changed.differences:
            before, after = plain(difference.before), plain(difference.after)
            yield ("change", changed.row, changed.key, difference.attribute, before, after, "")
    for removed in data.deleted:
        yield ("delete", 0, removed.key, "", None, None, "")
    for linked in data.linked:
        yield ("link", linked.row, linked.key, "", None, linked.identity.key, "")
    for gone in data.gone:
        yield ("gone", gone.row, gone.key, "", gone.identity.key, None, "")
    for each in (*data.overridden, *data.conflicts):
        action, reason = ("override", f"{each.kept} stands") if each.kept else ("conflict", conflict_text(each))
        yield (action, each.row, each.key, each.attribute, plain(each.target), plain(each.source), reason)
    for refused in data.refused:
        yield ("refuse", refused.row, (), refused.column, None, plain(refused.value), refused.reason)


def as_json(data: PlanData) -> dict[str, Any]:
    """The plan as plain data."""
    counts = Counter(
        created=len(data.created),
        changed=len(data.changed),
        deleted=len(data.deleted),
        unchanged=len(data.unchanged),
        refused=len({each.row for each in data.refused}),
        linked=len(data.linked),
        gone=len(data.gone),
        older=data.skipped,
        noted=data.noted,
        overridden=len(data.overridden),
        conflicts=len(data.conflicts),
    )
    return {
        "type": data.entity_type,
        "key": list(data.keys),
        "counts": dict(counts),
        "created": [
            {"row": each.row, "key": plain(each.key), "id": each.identity.key, "values": plain(each.values)}
            | ({"members": plain(each.members)} if each.members else {})
            for each in data.created
        ],
        "changed": [
            {
                "row": each.row,
                "key": plain(each.key),
                "id": each.identity.key,
                "values": {d.attribute: {"before": plain(d.before), "after": plain(d.after)} for d in each.differences},
            }
            for each in data.changed
        ],
        "deleted": [{"key": plain(each.key), "id": each.identity.key} for each in data.deleted],
        "linked": [{"row": each.row, "key": plain(each.key), "id": each.identity.key} for each in data.linked],
        "gone": [{"row": each.row, "key": plain(each.key), "id": each.identity.key} for each in data.gone],
        "overridden": [_disagreement(each) for each in data.overridden],
        "conflicts": [_disagreement(each) for each in data.conflicts],
        "refused": [
            {"row": each.row, "column": each.column, "value": plain(each.value), "reason": each.reason}
            for each in data.refused
        ],
    }


def _disagreement(each: Disagreement) -> dict[str, Any]:
    values = {"base": plain(each.base), "source": plain(each.source), "target": plain(each.target)}
    found = {"row": each.row, "key": plain(each.key), "id": each.identity.key, "attribute": each.attribute, **values}
    return found | ({"kept": each.kept} if each.kept else {})


def plain(value: Any) -> Any:
    """The value as JSON data: keys instead of identities, dates as text."""
    if isinstance(value, Identity):
        return value.key
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return None if value is NOT_SET else str(value)
