"""Conditions on the items of a mapping as rows with a key and a value, as conditions on the item itself.

``metadata any (key is "lens" and value is "35mm")`` means ``metadata.lens is "35mm"``.
"""

from __future__ import annotations

from attrs import evolve

from callsheet.model.query import And, Any_, Comparison, Condition, Not, Path, Step

__all__ = ["item_condition"]

NEGATIVE = ("!=", "not_like", "not_in")


def item_condition(condition: Any_) -> Condition | None:
    """The condition on one item; None where it names no single item.

    >>> parts = (Comparison(Path.of("key"), "=", "lens"), Comparison(Path.of("value"), "=", "35mm"))
    >>> item_condition(Any_(Path.of("metadata"), And(parts))).path.names
    ('metadata', 'lens')
    """
    inner = condition.condition
    parts = inner.conditions if isinstance(inner, And) else (inner,)
    keys = [part.value for part in parts if _is(part, "key") and isinstance(part.value, str)]  # type: ignore[union-attr]
    others = [part for part in parts if not _is(part, "key")]
    if len(keys) != 1 or len(others) + 1 != len(parts):
        return None
    path = Path((*condition.path.steps, Step(str(keys[0]))), condition.path.position)
    if not others:
        return Comparison(path, "!=", None)
    moved = [_moved(part, path) for part in others]
    found = tuple(part for part in moved if part is not None)
    if len(found) < len(moved):
        return None
    if any(isinstance(part, Not) or (isinstance(part, Comparison) and part.operator in NEGATIVE) for part in found):
        # A row that has another value is a row.
        found = (Comparison(path, "!=", None), *found)
    return found[0] if len(found) == 1 else And(found)


def _is(part: Condition | None, name: str) -> bool:
    return isinstance(part, Comparison) and part.path.names == (name,) and (name != "key" or part.operator == "=")


def _moved(part: Condition | None, path: Path) -> Condition | None:
    if isinstance(part, Not):
        inner = _moved(part.condition, path)
        return None if inner is None else Not(inner)
    if isinstance(part, Comparison) and part.path.names == ("value",):
        return evolve(part, path=path)
    return None
