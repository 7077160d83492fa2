"""Numbers about a query's results: the server groups, and counts within groups only.

For numbers about all results at once, a request groups by an attribute that has few values, and the client combines
the groups. So an average is requested as a sum and a count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define

from callsheet.dialects.ftrack.client.conditions import condition_text
from callsheet.dialects.ftrack.client.paths import path_out
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import value_in
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Path, Step
from callsheet.model.schema import Attribute, EntityType

__all__ = ["Numbers"]

WORDS = {"count": "count", "sum": "sum", "average": "avg", "minimum": "min", "maximum": "max"}
FEW = ("project", "status", "type", "object_type", "priority", "category", "asset", "location")
PARTS = {"count": ("count",), "sum": ("sum",), "minimum": ("min",), "maximum": ("max",), "average": ("sum", "count")}


@define
class Numbers:
    """One aggregate: its request, and what the response means."""

    aggregate: Aggregate
    vocabulary: Vocabulary

    @property
    def _type(self) -> EntityType:
        return self.vocabulary.schema.type(self.aggregate.select.entity_type)

    @property
    def _functions(self) -> list[AggregateFunction]:
        """The functions; the core sends no other measures, because the features do not include them."""
        return [each for each in self.aggregate.functions if isinstance(each, AggregateFunction)]

    def _groups(self) -> list[tuple[str, Attribute]]:
        """What is grouped by: the text, and the attribute whose values come back."""
        if self.aggregate.group:
            return [path_out(level.path, self._type, self.vocabulary) for level in self.aggregate.group]
        names = [name for name in FEW if name in self._type.attributes and self.vocabulary.knows(self._type, name)]
        attributes = [self._type.attributes[name] for name in names]
        keyed = [attribute for attribute in attributes if attribute.kind == "reference" and attribute.foreign_key]
        path = Path((Step(keyed[0].name), Step("id"))) if keyed else Path((Step(self._type.key[0]),))
        return [path_out(path, self._type, self.vocabulary)]

    def _asked(self) -> dict[str, str]:
        """By its name in the response, each number that is requested."""
        asked: dict[str, str] = {}
        for function in self._functions:
            text = self._function_path(function.path)
            for word in PARTS[function.name]:
                asked[f"{word}_{text}"] = f"{word}({text})"
        return asked

    def _function_path(self, path: Path | None) -> str:
        if path is None:
            return self._type.key[0]
        return path_out(path, self._type, self.vocabulary)[0]

    def expression(self) -> str:
        """The query."""
        groups = [text for text, _ in self._groups()]
        where = self.aggregate.select.where
        condition = "" if where is None else f" where {condition_text(where, self._type, self.vocabulary)}"
        chosen = ", ".join((*self._asked().values(), *groups))
        return f"select {chosen} from {self._type.name}{condition} group by {', '.join(groups)}"

    def rows(self, answered: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the numbers; ordered by the group's values."""
        if not self.aggregate.group:
            return [tuple(self._number(each.name, each.path, answered) for each in self._functions)]
        groups = self._groups()
        found = []
        for row in answered:
            values = tuple(value_in(attribute, _cell(row, text)) for text, attribute in groups)
            numbers = tuple(self._number(each.name, each.path, [row]) for each in self._functions)
            found.append((*values, *numbers))
        return sorted(found, key=lambda row: [(value is not None, value) for value in row[: len(groups)]])

    def _number(self, name: str, path: Path | None, groups: Sequence[Mapping[str, Any]]) -> Any:
        """One number of all these groups together."""
        text = self._function_path(path)
        attribute = Attribute("count", data_type="integer") if path is None else self._attribute(path)

        def cells(word: str) -> list[Any]:
            values = [_cell(row, f"{word}_{text}") for row in groups]
            return [value_in(attribute, value) for value in values if value is not None]

        if name == "count":
            return sum(int(value) for value in cells("count"))
        if name == "average":
            count = sum(int(value) for value in cells("count"))
            return sum(cells("sum")) / count if count else None
        values = cells(PARTS[name][0])
        if not values:
            return None
        if name == "sum":
            return sum(values)
        return min(values) if name == "minimum" else max(values)

    def _attribute(self, path: Path) -> Attribute:
        return path_out(path, self._type, self.vocabulary)[1]


def _cell(row: Mapping[str, Any], text: str) -> Any:
    """The value under a dotted name, which may come as it is or as objects in one another."""
    if text in row:
        return row[text]
    found: Any = row
    for part in text.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
