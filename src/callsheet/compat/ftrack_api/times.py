"""Times as scripts write them: naive ones are in UTC, and what ``arrow`` makes becomes a `datetime`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from callsheet.entity.unit_of_work import UnitOfWork
from callsheet.model.schema import Attribute

__all__ = ["LenientUnit", "moment"]


def moment(attribute: Attribute, value: Any) -> Any:
    """The value as Callsheet takes it; anything that is no time stays as it is.

    >>> moment(Attribute("start", data_type="datetime"), datetime(2026, 1, 31, 18, 30))
    datetime.datetime(2026, 1, 31, 18, 30, tzinfo=datetime.timezone.utc)
    """
    if type(value).__module__.partition(".")[0] == "arrow":
        value = value.datetime
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, date) and attribute.data_type == "datetime":
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


class LenientUnit(UnitOfWork):
    """A unit of work that takes times of these kinds."""

    def create(self, type_name: str, data: Mapping[str, Any]) -> Any:
        entity_type = self._types.schema.type(type_name)
        known = {name: entity_type.attribute(name) for name in data if name in entity_type.names}
        taken = {name: moment(known[name], value) if name in known else value for name, value in data.items()}
        return super().create(type_name, taken)

    def assign(self, entity: Any, name: str, value: Any) -> None:
        if name in entity._type.attributes:
            value = moment(entity._type.attributes[name], value)
        super().assign(entity, name, value)

    def assign_item(self, entity: Any, mapping: str, key: str, value: Any) -> None:
        if isinstance(key, str):
            value = moment(entity._type.item(mapping, key), value)
        super().assign_item(entity, mapping, key, value)
