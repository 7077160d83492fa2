"""Requests made at random out of a schema: mostly well formed, often wrong in one place, sometimes nonsense."""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random
from typing import Any
from uuid import UUID

from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue

JUNK: list[Any] = [None, True, False, 0, -1, 1.5, 1e308, 2**63, 2**70, "", "x", "a" * 300, "{b}", "\u0000", "é"]
JUNK += [[], {}, [None], {"id": 1}, {"__entity_type__": "Task"}, {"__entity_type__": "Task", "id": None}]
JUNK += [
    {"__type__": "datetime", "value": value} for value in (None, "soon", "9999-12-31T23:59:59-14:00", "2024-01-02")
]
OFTEN = "Task Shot Project AssetVersion Asset Note Metadata ContextCustomAttributeValue FileComponent User Recipient"
OFTEN += " AssetVersionList TypedContextLink CustomAttributeConfiguration CustomAttributeLink"
OPERATORS = ("is", "is_not", "=", "!=", ">", "<", ">=", "<=", "like", "not_like", "after", "before")
LISTS = ("a, b", "1,2", "select id from Task", "select parent_id from Note", "select parent_id from Metadata", "")
LISTS += ("select entity_id from ContextCustomAttributeValue where key is fstart",)
LITERALS = ("'x'", "12", "1.5", "True", "None", "2024-01-02", "'2024-01-02T00:00:00'", "'%a%'", "in-progress", "~", "'")
FIELDS = (
    "component_id user_id role_id terms expression parts name upload_id file_size project_id new_role_id reset_type"
)
Values = dict[str, Any]


class Requests:
    """Makes requests; ``keys`` are those of entities that are there, by type."""

    def __init__(self, catalogue: Catalogue, keys: dict[str, list[list[str]]], actions: list[str], seed: int) -> None:
        self.catalogue, self.keys, self.actions = catalogue, defaultdict(list, keys), actions
        self.random = Random(seed)
        self.types = list(catalogue.types)
        self.often = [name for name in OFTEN.split() if name in catalogue.types]

    def request(self) -> list[Values]:
        """One list of operations."""
        return [self._one() for _ in range(self.random.randrange(1, 3))]

    def _one(self) -> Values:
        chance = self.random.random()
        if chance < 0.5:
            return {"action": "query", "expression": self._query()}
        return self._write() if chance < 0.9 else self._action()

    def _action(self) -> Values:
        told: Values = {"action": self.random.choice([*self.actions, "make_tea"])}
        kind = self.random.choice(self.types)
        told |= {"entity_type": kind, "entity_key": self._key(kind)}
        for name in self.random.sample(FIELDS.split(), 5):
            told[name] = self.random.choice([*JUNK, self._key("User")[0], self._key("SecurityRole")[0], ["a"], 3])
        return told

    # Writes

    def _write(self) -> Values:
        name = self.random.choice(self.types if self.random.random() < 0.5 or not self.often else self.often)
        found, action = self.catalogue.types[name], self.random.choice(["create", "update", "update", "delete"])
        properties = list(found.description["properties"])
        chosen = self.random.sample(properties, min(len(properties), self.random.randrange(5)))
        data = {each: self._value(name, each) for each in chosen}
        key: Any = self._key(name)
        if action == "create":
            key = [self._new() if part == "id" else self._value(name, part) for part in found.key]
            data.update(zip(found.key, key))
        if self.random.random() < 0.1:
            key = self.random.choice([*JUNK, key[0]])
        return {
            "action": action,
            "entity_type": name,
            "entity_key": key,
            "entity_data": {"__entity_type__": name, **data},
        }

    def _new(self) -> str:
        return str(UUID(int=self.random.getrandbits(128)))

    def _key(self, name: str) -> list[str]:
        if self.keys[name] and self.random.random() < 0.9:
            return self.random.choice(self.keys[name])
        return [self._new()] * len(self.catalogue.types[name].key if name in self.catalogue.types else ("id",))

    def _reference(self, name: str) -> Any:
        if name not in self.catalogue.types:
            return self.random.choice(JUNK)
        kinds = [name, *(other for other in self.types if self.catalogue.is_a(other, name))]
        kind = self.random.choice(kinds)
        return {"__entity_type__": kind, **dict(zip(self.catalogue.types[kind].key, self._key(kind)))}

    def _value(self, name: str, attribute: str) -> Any:
        told = self.catalogue.types[name].description["properties"][attribute]
        stated = told.get("type")
        if self.random.random() < 0.12:
            return self.random.choice(JUNK)
        if stated in ("array", "mapped_array"):
            return [self._reference(told["items"]["$ref"]) for _ in range(self.random.randrange(3))]
        if "$ref" in told and not stated:
            return self._reference(told["$ref"])
        if attribute.endswith("_id"):
            match = re.match(r"Foreign key\(s\): (\w+)", told.get("description", ""))
            return self._key(match[1] if match else "Task")[0]
        if told.get("format") == "date-time":
            return {"__type__": "datetime", "value": "2024-05-06T07:08:09"}
        plain = {"string": f"text {self.random.randrange(9)}", "integer": 3, "number": 2.5, "boolean": True}
        return plain.get(stated, self.random.choice(JUNK))

    # Queries

    def _query(self) -> str:
        name = self.random.choice(self.types)
        text = name
        if self.random.random() < 0.7:
            paths = ", ".join(self._path(name) for _ in range(self.random.randrange(1, 5)))
            text = f"select {paths} from {name}"
        if self.random.random() < 0.8:
            text += f" where {self._condition(name)}"
        if self.random.random() < 0.1:
            text = f"select count(id), {self._path(name)} from {name} group by {self._path(name)}"
        if self.random.random() < 0.3:
            text += f" order by {self._path(name)} {self.random.choice(['', 'desc'])}"
        if self.random.random() < 0.3:
            text += f" limit {self.random.randrange(5)} offset {self.random.randrange(3)}"
        return text

    def _path(self, name: str, depth: int = 0) -> str:
        found = self.catalogue.types.get(name)
        if found is None or depth > 3:
            return "id"
        attribute, told = self.random.choice(list(found.description["properties"].items()))
        target = told.get("items", told).get("$ref")
        if target is None or self.random.random() < 0.3:
            return str(attribute)
        cast = self.random.choice(self.types) if self.random.random() < 0.1 else None
        return f"{attribute}{f'[{cast}]' if cast else ''}.{self._path(cast or target, depth + 1)}"

    def _condition(self, name: str, depth: int = 0) -> str:
        chance = self.random.random()
        if depth < 3 and chance < 0.15:
            word = self.random.choice(["and", "or"])
            return f"({self._condition(name, depth + 1)} {word} {self._condition(name, depth + 1)})"
        if depth < 3 and chance < 0.2:
            return f"not {self._condition(name, depth + 1)}"
        if depth < 3 and chance < 0.4 and (relations := self._relations(name)):
            relation, target = self.random.choice(relations)
            inner = self._condition(target, depth + 1) if self.random.random() < 0.85 else ""
            return f"{relation} {self.random.choice(['any', 'has'])} ({inner})"
        if chance < 0.5:
            return f"{self._path(name)} {self.random.choice(['in', 'not_in'])} ({self.random.choice(LISTS)})"
        literal = self.random.choice([*LITERALS, self._key("Task")[0], f"'{self._key('User')[0]}'"])
        return f"{self._path(name)} {self.random.choice(OPERATORS)} {literal}"

    def _relations(self, name: str) -> list[tuple[str, str]]:
        found = self.catalogue.types.get(name)
        told = {} if found is None else found.description["properties"]
        return [(key, each["$ref"]) for key, prop in told.items() if "$ref" in (each := prop.get("items", prop))]
