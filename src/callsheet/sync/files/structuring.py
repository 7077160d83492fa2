"""A TOML document becomes its tables; all that is wrong with it is reported at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from attrs import fields

from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean
from callsheet.sync.external import External, as_external
from callsheet.sync.files.tables import ExternalTable, RowsTable
from callsheet.sync.mapping import Column

__all__ = ["either", "structured", "text", "texts"]

T = TypeVar("T")
Hooks = Callable[[Any], None] | None
"""What a kind of document adds to the converter."""


def structured(document: dict[str, Any], kind: type[T], tables: str, name: str, hooks: Hooks = None) -> T:
    """The document as a class; ``tables`` is the key of the tables that it cannot be without."""
    import cattrs

    given = document.get(tables)
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise UsageError(f"{name} cannot be used: {tables}: one table for each type is needed, headed `[[{tables}]]`")
    try:
        converter = _converter()
        if hooks is not None:
            hooks(converter)
        found: T = converter.structure(document, kind)
        return found
    except Exception as error:
        problems = [_in_words(each) for each in cattrs.transform_error(error, "", _reason)]
        raise UsageError(f"{name} cannot be used: {'; '.join(problems)}") from None


def _converter() -> Any:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, text)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(float | None, _number)
    for union, table in ((str | RowsTable, RowsTable), (str | Column, Column)):
        converter.register_structure_hook(union, either(converter, table))
    converter.register_structure_hook(str | tuple[str, ...], lambda value, _: texts(value))
    converter.register_structure_hook(str | tuple[str, ...] | ExternalTable, _key(converter))
    for loose in (str | dict[str, Any], str | dict[str, Any] | None, int | datetime | None):
        converter.register_structure_hook(loose, lambda value, _: value)
    converter.register_structure_hook(Column, _loose_column(converter))
    return converter


def _in_words(problem: str) -> str:
    reason, _, place = problem.rpartition(" @ ")
    return f"{place.removeprefix('.')}: {reason}" if place else reason


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    extra = sorted(getattr(error, "extra_fields", ()))
    if extra:
        names = [field.name for field in fields(error.cl)]  # type: ignore[attr-defined]
        return "; ".join(f"`{name}` is unknown{did_you_mean(name, names)}" for name in extra)
    return str(error)


def text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {value!r:.40}")
    return value


def texts(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"a text or a list of texts is needed, not {value!r:.40}")
    return tuple(value)


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed, not {value!r:.40}")
    return value


def either(converter: Any, table: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, str | dict):
            raise TypeError(f"a text or a table is needed, not {value!r:.40}")
        return value if isinstance(value, str) else converter.structure(value, table)

    return structure


def _key(converter: Any) -> Any:
    def structure(value: Any, _: Any) -> Any:
        return converter.structure(value, ExternalTable) if isinstance(value, dict) else texts(value)

    return structure


def _loose_column(converter: Any) -> Any:
    """A column's ``values`` and ``default`` may be anything."""

    def structure(value: Any, _: Any) -> Column:
        if not isinstance(value, dict):
            raise TypeError(f"an attribute path or a table is needed, not {value!r:.40}")
        given = dict(value)
        loose = {name: given.pop(name) for name in ("values", "default") if name in given}
        external = _external(given.pop("external")) if "external" in given else ""
        known = {"to", "split", "pattern", "zone", "decimal", "members"}
        if extra := sorted(given.keys() - known):
            raise TypeError(f"a column has no {', '.join(extra)}")
        texts: dict[str, Any] = {name: text(each, str) for name, each in given.items()}
        if "to" not in texts:
            raise TypeError("a column needs `to`, the attribute path")
        return Column(**texts, **loose, external=external)

    return structure


def _external(value: Any) -> External:
    """``external`` of a column: the name of a system, or a table of it and the type there."""
    if isinstance(value, str):
        return as_external(value)
    if not isinstance(value, dict) or value.keys() - {"system", "type"} or not value.get("system"):
        raise TypeError(f"`external` is the name of a system, or a table of `system` and `type`, not {value!r:.60}")
    return as_external(External, **value)
