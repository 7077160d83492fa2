"""What must be known before a change set can be written, read from the server in one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from callsheet.chunks import chunks
from callsheet.dialects.ftrack.client.payloads import Needs
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import ENTITY_TYPE, key_in, listed, quoted
from callsheet.flow import Flow
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity

__all__ = ["QueryRunner", "prefetch"]

CHUNK = 200
#: How the project of an entity is reached, by type; what is not listed has no project of its own.
PROJECT = {
    "Context": "project_id",
    "Asset": "parent.project_id",
    "AssetVersion": "asset.parent.project_id",
    "List": "project_id",
}
ABOVE = ("parent", "asset", "version")


class QueryRunner(Protocol):
    """Runs queries."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def ask(self, operations: Sequence[Mapping[str, Any]], safe: bool = True) -> Flow[list[Any]]: ...


#: A question, and what is done with the rows of its answer.
Question = tuple[str, Callable[[list[Any]], None]]


def prefetch(needs: Needs, changes: ChangeSet, asking: QueryRunner) -> Flow[None]:
    """Fill in what is needed."""
    questions = [
        *_metadata(needs),
        *_links(needs, asking.vocabulary),
        *_members(needs, asking.vocabulary),
        *_projects(needs, changes, asking.vocabulary),
    ]
    if not questions:
        return
    results = yield from asking.ask([{"action": "query", "expression": text} for text, _ in questions])
    for (_, take), result in zip(questions, results):
        take(list(result.get("data", ())))


def _metadata(needs: Needs) -> Iterator[Question]:
    def take(rows: list[Any]) -> None:
        for row in rows:
            if (row["parent_id"], row["key"]) in needs.metadata:
                needs.metadata[row["parent_id"], row["key"]] = True

    for parents in chunks(dict.fromkeys(parent for parent, _ in needs.metadata), CHUNK):
        yield f"select parent_id, key from Metadata where parent_id in {listed(parents)}", take


def _links(needs: Needs, vocabulary: Vocabulary) -> Iterator[Question]:
    for through, owner in dict.fromkeys((through, owner) for through, owner, _ in needs.links):

        def take(rows: list[Any], through: Any = through, owner: Any = owner) -> None:
            for row in rows:
                found = needs.links.get((through, owner, row.get(through.member_key)))
                if found is not None:
                    found.append(row["id"])

        members = [member for other, near, member in needs.links if (other, near) == (through, owner)]
        for part in chunks(dict.fromkeys(members), CHUNK):
            where = f"{through.owner_key} is {quoted(str(owner))} and {through.member_key} in {listed(part)}"
            yield f"select id, {through.member_key} from {through.entity_type} where {where}", take


def _members(needs: Needs, vocabulary: Vocabulary) -> Iterator[Question]:
    for owner, name in needs.members:
        owner_type = vocabulary.schema.type(owner.entity_type)
        target = vocabulary.schema.type(str(owner_type.attributes[name].target))

        def take(rows: list[Any], place: Any = (owner, name), target: Any = target) -> None:
            for row in rows:
                for member in row.get(place[1]) or ():
                    kind = vocabulary.schema.types.get(member[ENTITY_TYPE], target)
                    needs.members[place].append(Identity(kind.name, key_in(kind, member)))

        parts = ", ".join(f"{name}.{part}" for part in target.key)
        yield f"select {parts} from {owner.entity_type} where id is {quoted(str(owner.key))}", take


def _projects(needs: Needs, changes: ChangeSet, vocabulary: Vocabulary) -> Iterator[Question]:
    created = {operation.identity: operation for operation in changes.operations if isinstance(operation, Create)}
    standing: dict[Identity, list[Identity]] = {}
    for identity in needs.projects:
        found = _known_project(identity, created, vocabulary)
        if isinstance(found, str):
            needs.projects[identity] = found
        elif found is not None:
            standing.setdefault(found, []).append(identity)
    for root, path in PROJECT.items():
        asked = {each.key: each for each in standing if vocabulary.schema.type(each.entity_type).root == root}

        def take(rows: list[Any], asked: Any = asked, path: str = path) -> None:
            in_full = _in_full(rows)
            for row in rows:
                for identity in standing.get(asked.get(row["id"]), ()):
                    needs.projects[identity] = _at(row, path.split("."), in_full)

        for keys in chunks(dict.fromkeys(asked), CHUNK):
            yield f"select id, {path} from {root} where id in {listed(keys)}", take


def _known_project(
    identity: Identity, created: Mapping[Identity, Create], vocabulary: Vocabulary
) -> str | Identity | None:
    """The key of the project if this change set has it, or else an entity that exists and is in the project."""
    seen: set[Identity] = set()
    while identity in created and identity not in seen:
        seen.add(identity)
        if identity.entity_type == "Project":
            return str(identity.key)
        values = created[identity].values
        if values.get("project") is not None:
            return str(values["project"].key)
        above = next((values[name] for name in ABOVE if values.get(name) is not None), None)
        if above is None:
            return None
        identity = above
    return identity


def _in_full(answered: Any) -> dict[Any, dict[str, Any]]:
    """By key, the values of each entity in a response, which holds each entity once."""
    found: dict[Any, dict[str, Any]] = {}
    waiting = list(answered)
    while waiting:
        each = waiting.pop()
        found.setdefault(each.get("id"), {}).update(each)
        waiting += [value for value in each.values() if isinstance(value, Mapping)]
    return found


def _at(row: Mapping[str, Any], path: Sequence[str], in_full: Mapping[Any, Mapping[str, Any]]) -> Any:
    found: Any = row
    for name in path:
        found = in_full.get(found["id"], found).get(name) if isinstance(found, Mapping) else None
    return found
