"""A two-way plan shown: as lines to read, and as JSON data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.model.record import NOT_SET
from callsheet.sync.report import plain, shown, value_text
from callsheet.sync.side import SideReference
from callsheet.sync.two_way.outcome import PairPlan, SideWrite, TwoWayConflict, TwoWayRefusal
from callsheet.sync.two_way.pairing import SideName
from callsheet.sync.two_way.terms import RightOnly

__all__ = ["as_json", "lines"]

SIGNS = {"create": "+", "update": "~", "delete": "-", "omit": "-"}


def lines(plan: PairPlan) -> Iterable[str]:
    """The plan of one pair of types for people to read."""
    yield f"{_title(plan)}: {_summary(plan)}"
    for side, arrow in (("left", "<"), ("right", ">")):
        writes = plan.on(side)  # type: ignore[arg-type]
        yield from shown(arrow, map(_write, writes), len(writes))
        if plan.too_many_end(side):  # type: ignore[arg-type]
            yield f"more rows would go on the {side} than may (max_deleted is {plan.pair.max_deleted:.0%})"
    yield from shown("=", (each.label for each in plan.linked), len(plan.linked))
    yield from shown("o", map(_overridden, plan.overridden), len(plan.overridden))
    yield from shown("?", map(conflict_text, plan.conflicts), len(plan.conflicts))
    yield from shown("!", map(_refused, plan.refused), len(plan.refused))


def _title(plan: PairPlan) -> str:
    pair = plan.pair
    return pair.left if pair.left == pair.right else f"{pair.left} and {pair.right}"


def _summary(plan: PairPlan) -> str:
    parts = [_counts(plan, side) for side in ("left", "right")]
    parts += [
        f"{len(plan.linked):,} linked" if plan.linked else "",
        f"{plan.unchanged:,} unchanged",
        f"{plan.kept:,} kept without a partner" if plan.kept else "",
        f"{len(plan.overridden):,} overridden" if plan.overridden else "",
        f"{len(plan.conflicts):,} in conflict" if plan.conflicts else "",
        f"{len(plan.refused):,} refused" if plan.refused else "",
    ]
    return ", ".join(filter(None, parts))


def _counts(plan: PairPlan, side: SideName) -> str:
    words = {"create": "created", "update": "changed", "delete": "deleted", "omit": "omitted"}
    writes = plan.on(side)
    found = [f"{n:,} {word}" for kind, word in words.items() if (n := sum(each.kind == kind for each in writes))]
    return f"on the {side} {' and '.join(found)}" if found else ""


def _write(each: SideWrite) -> str:
    sign = SIGNS[each.kind]
    if each.kind != "update":
        return f"{sign} {each.label}"
    changes = ", ".join(f"{n}: {_text(each.before.get(n))} → {_text(value)}" for n, value in each.values.items())
    return f"{sign} {each.label}  {changes}"


def conflict_text(each: TwoWayConflict) -> str:
    """What is in conflict, with all values."""
    if not each.attribute:
        return f"{each.label} {each.reason}"
    was = "" if each.base is NOT_SET else f" (was {_text(each.base)})"
    values = f"the left has {_text(each.left_value)}, the right {_text(each.right_value)}"
    return f"{each.label}  {each.attribute}: {values}{was}"


def _overridden(each: TwoWayConflict) -> str:
    return f"{conflict_text(each)}; the {each.kept} stands"


def _refused(each: TwoWayRefusal) -> str:
    attribute = f"  {each.attribute}:" if each.attribute else ":"
    return f"{each.label}{attribute} {each.reason}"


def _text(value: Any) -> str:
    return f"{value.type} {value.id}" if isinstance(value, SideReference | RightOnly) else value_text(value)


def as_json(plan: PairPlan) -> dict[str, Any]:
    """The plan of one pair of types as plain data."""
    return {
        "left": plan.pair.left,
        "right": plan.pair.right,
        "writes": [
            {
                "side": each.side,
                "kind": each.kind,
                "left": each.left,
                "right": each.right,
                "label": each.label,
                "values": {
                    n: {"before": _plain(each.before.get(n)), "after": _plain(v)} for n, v in each.values.items()
                },
            }
            for each in plan.writes
        ],
        "linked": [{"left": each.left, "right": each.right, "label": each.label} for each in plan.linked],
        "overridden": [_conflict(each) for each in plan.overridden],
        "conflicts": [_conflict(each) for each in plan.conflicts],
        "refused": [
            {
                "left": each.left,
                "right": each.right,
                "label": each.label,
                "attribute": each.attribute,
                "reason": each.reason,
            }
            for each in plan.refused
        ],
        "counts": {"unchanged": plan.unchanged, "living": plan.living, "kept": plan.kept},
    }


def _conflict(each: TwoWayConflict) -> dict[str, Any]:
    values = {"base": each.base, "left_value": each.left_value, "right_value": each.right_value}
    names = {"left": each.left, "right": each.right, "label": each.label, "attribute": each.attribute}
    found = names | {name: _plain(value) for name, value in values.items()}
    return found | {name: text for name, text in (("kept", each.kept), ("reason", each.reason)) if text}


def _plain(value: Any) -> Any:
    if isinstance(value, SideReference | RightOnly):
        return {"type": value.type, "id": value.id}
    if isinstance(value, frozenset):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return plain(value)
