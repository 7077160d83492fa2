"""Configurations of custom attributes as the server half uses them: what an item holds, and who has it.

The store keeps the values of an entity in one mapping. There an item goes by the configuration's id, since two
configurations may have the same key (one hierarchical, one not; one for each of two projects); in a native
store it goes by its key. Lists of an enumerator are kept as one text, so that conditions can compare them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from callsheet.dialects.ftrack.common.custom_attributes import DATA_TYPES, HIERARCHICAL
from callsheet.dialects.ftrack.common.wiring import shared
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts
from callsheet.errors import Invalid
from callsheet.model.schema import Attribute

__all__ = ["Configuration", "configuration_of", "described"]

BETWEEN = "\x1f"
"""Between the choices of an enumerator that holds several."""

_LISTS = ("enumerator", "dynamic enumerator")


@frozen
class Configuration:
    """One configuration. ``kind`` is the name of its type, ``record`` what conditions on it see."""

    id: str
    key: str
    item: str
    kind: str
    entity_type: str
    object_type: str | None = None
    project: str | None = None
    hierarchical: bool = False
    default: Any = None
    settings: Mapping[str, Any] = field(factory=dict)
    record: Mapping[str, Any] = field(factory=dict)
    native: bool = False

    @property
    def writable(self) -> bool:
        return self.kind != "expression"

    @property
    def value_attribute(self) -> Attribute:
        """What its values are, as an attribute."""
        return Attribute("value", data_type=DATA_TYPES.get(self.kind, "string"))

    def on_wire(self, value: Any) -> Any:
        """A stored value in the form of the wire. A hierarchical one that is not set is None: it is inherited."""
        if value is None and self.hierarchical:
            return None
        if value is None:
            value = self.kept(self.default) if self.kind in _LISTS else self.default
        if self.kind in _LISTS:
            return [] if value in (None, "") else str(value).split(BETWEEN)
        if (
            self.kind == "number"
            and isinstance(value, float)
            and value.is_integer()
            and not self.settings.get("isdecimal")
        ):
            return int(value)
        return value

    def kept(self, value: Any) -> Any:
        """A value from the wire as the store keeps it; `Invalid` where the configuration does not take it."""
        if value is None:
            return None
        if self.kind in _LISTS:
            return self._choices(value)
        expected, name = _TAKES.get(self.kind, (object, "value"))
        if (
            self.kind == "number"
            and isinstance(value, bool | float)
            and (isinstance(value, bool) or not math.isfinite(value))
        ):
            raise self._refused(name)
        if self.kind == "date" and isinstance(value, str):
            value = self._date(value)
        if not isinstance(value, expected):
            raise self._refused(name)
        return value

    def _choices(self, value: Any) -> str:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
            raise self._refused("list of strings")
        known = self.choices()
        unknown = [each for each in listed if known and each not in known]
        if unknown:
            raise Invalid(f"Value {unknown[0]!r:.80} is not one of the choices of custom attribute {self.key!r}.")
        return BETWEEN.join(listed)

    def choices(self) -> list[str]:
        """The values of an enumerator's menu; empty where it is not known."""
        data = self.settings.get("data")
        try:
            menu = json.loads(data) if isinstance(data, str) else data
        except ValueError:
            return []
        return [str(each["value"]) for each in menu or () if isinstance(each, Mapping) and "value" in each]

    def _date(self, value: str) -> datetime:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise self._refused("date") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _refused(self, name: str) -> Invalid:
        return Invalid(f"Value for custom attribute {self.key!r} must be of type {name}.")


_TAKES: dict[str, tuple[Any, str]] = {
    "text": (str, "text"),
    "url": (str, "text"),
    "number": (int | float, "number"),
    "boolean": (bool, "boolean"),
    "date": (datetime, "date"),
}
_NATIVE = {"string": "text", "integer": "number", "number": "number", "boolean": "boolean", "datetime": "date"}


def configuration_of(row: Mapping[str, Any], native: bool) -> Configuration:
    """A configuration from a row of the store; ``type`` is the name of its type."""
    if native:
        kind = _NATIVE.get(str(row.get("data_type")), str(row.get("data_type")))
        settings: dict[str, Any] = {"isdecimal": row.get("data_type") == "number"}
    else:
        kind, settings = str(row.get("type") or "text"), _settings(row.get("config"))
    record = {**row, "configuration_id": row["id"], "configuration": dict(row), "@type": "CustomAttributeConfiguration"}
    return Configuration(
        id=row["id"],
        key=str(row.get("key") or ""),
        item=str(row.get("key")) if native else row["id"],
        kind=kind,
        entity_type=str(row.get("entity_type") or ""),
        object_type=row.get("object_type_id"),
        project=row.get("project_id"),
        hierarchical=bool(row.get("is_hierarchical")),
        default=_default(kind, row.get("default")),
        settings=settings,
        record=record,
        native=native,
    )


def _default(kind: str, value: Any) -> Any:
    """A default as a value of the kind; one that cannot be is none."""
    if value in (None, ""):
        return "" if value == "" and kind == "text" else None
    if kind in _LISTS:
        return value if isinstance(value, str) else _strings(value)
    read: Callable[[Any], Any] = _DEFAULTS.get(kind, _text)
    try:
        return read(value)
    except (ValueError, OverflowError):
        return None


def _strings(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    found = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    return found if math.isfinite(found) else None


def _truth(value: Any) -> bool | None:
    return value.lower() in ("true", "1") if isinstance(value, str) else value if isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_DEFAULTS: dict[str, Callable[[Any], Any]] = {"number": _number, "boolean": _truth, "date": _moment}


def _settings(config: Any) -> dict[str, Any]:
    try:
        found = json.loads(config) if isinstance(config, str) else config
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def families(found: Configuration) -> Sequence[str]:
    """The store's types that describe the item."""
    if found.hierarchical:
        return HIERARCHICAL
    configured = shared().configured.get(found.entity_type)
    return () if configured is None else (store_facts().root_of(configured),)


def described(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The items' part of a store's schema, by entity type; rows as in `configuration_of`.

    >>> row = {"id": "c", "key": "fps", "type": "number", "entity_type": "show", "default": 24.0}
    >>> described([row])
    {'Context': {'c': {'type': 'number', 'label': 'fps', 'default': 24.0}}}
    """
    types: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found = configuration_of(row, native=False)
        form: dict[str, Any] = {"type": found.value_attribute.data_type, "label": found.key}
        default = found.default
        if found.kind in _LISTS and isinstance(default, list):
            default = BETWEEN.join(map(str, default))
        if isinstance(default, datetime):
            default = default.isoformat()
        if default is not None and default != "" and _fits(form["type"], default):
            form["default"] = default
        for name in families(found):
            types.setdefault(name, {})[found.item] = form
    return types


def _fits(data_type: str, value: Any) -> bool:
    if data_type == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, bool if data_type == "boolean" else str)


def applies(found: Configuration, line: Sequence[str], discriminator: str | None) -> bool | None:
    """Whether entities of a type (``line``: itself and its ancestors) have the item; None: only some of them."""
    if found.native:
        return found.entity_type in line
    if found.hierarchical:
        return any(name in line for name in HIERARCHICAL)
    configured = shared().configured.get(found.entity_type)
    if configured is None:
        return False
    if configured in line:
        if configured != "TypedContext":
            return True
        return None if discriminator is None else found.object_type in (None, discriminator)
    return None if store_facts().families.of_type(configured) == line[0] else False
