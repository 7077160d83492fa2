"""An expression that no event can fulfil is an error that says what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet.errors import QueryError, UsageError
from callsheet.events.checking import check_event, check_expression
from callsheet.model.event import Event
from callsheet.model.schema import Schema

SCHEMA = Schema(
    {
        "types": {
            "Context": {
                "abstract": True,
                "attributes": {
                    "name": {"type": "string"},
                    "parent": {
                        "type": "reference",
                        "target": "Context",
                        "inverse": "children",
                        "foreign_key": "parent_id",
                    },
                    "children": {"type": "collection", "target": "Context", "inverse": "parent"},
                    "metadata": {"type": "mapping"},
                },
            },
            "Shot": {"extends": "Context", "attributes": {"frames": {"type": "integer"}}},
            "Task": {
                "extends": "Context",
                "attributes": {
                    "status": {"type": "reference", "target": "Status"},
                    "tags": {"type": "collection", "target": "Tag"},
                },
            },
            "Status": {"attributes": {"name": {"type": "string"}}},
            "Tag": {"attributes": {"name": {"type": "string"}}},
        }
    }
)


@pytest.mark.parametrize(
    "expression",
    [
        "topic=callsheet.update and entity.type=Task and changes.status",
        "topic=callsheet.* and entity.type=Context and changes.status.new.id=x",
        "topic=callsheet.update and entity.type in (Shot, Task) and (changes.frames or changes.status)",
        "topic=callsheet.update and entity.type=Shot and action=create and user != 'robot'",
        "topic=callsheet.update and data.entity.type=Sh* and data.changes.frames.new > 3",
        "topic=callsheet.update and data.origin != 'handler:x' and data.entity_type=Shot",
        "topic=callsheet.update and changes.'metadata.colour'.new=red",
        "topic=callsheet.update and entity.type=Task and data.added.tags",
        "entity.type=Task and not changes.name",
        "changes.status",
        "topic=*",
        "id=x or source.user.username=y or sent > 2026-01-01 or target=z or in_reply_to_event or position",
        # What people publish themselves is theirs to name.
        "topic=studio.render.done and entity.type=Render and changes.take and data.whatever.deep > 2",
        "topic=studio.* and action=begin",
        "(topic=studio.done and action=finish) or (topic=callsheet.update and action=delete)",
        "topic=ftrack.update and data.entities.keys=statusid",
        "topic=callsheet.location.component-added and data.location_id=x",
    ],
)
def test_what_an_event_can_fulfil_is_accepted(expression: str) -> None:
    """Names of events, topics, types and attributes that there are, and everything of topics of one's own."""
    check_expression(expression)
    check_expression(expression, SCHEMA)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("entity.type=Shto and chnges.status", "there is no entity type `Shto`; did you mean `Shot`?"),
        ("chnges.status", "no event has `chnges`; did you mean `changes`?"),
        ("origin='handler:x'", "no event has `origin`; did you mean `data.origin`?"),
        ("not (topic=callsheet.update and chnges.x)", "no event has `chnges`"),
        ("topic=callsheet.updte", "there is no topic `callsheet.updte`; did you mean `callsheet.update`"),
        ("topic=calsheet.update", "nobody publishes `calsheet.update`; did you mean `callsheet.update`?"),
        ("topic=callsheet.updat.*", "there is no topic like `callsheet.updat.*`"),
        ("topic in ('studio.done', 'callsheet.updates')", "there is no topic `callsheet.updates`"),
        ("topic=callsheet.session.ready", "is published only within a session, never to handlers"),
        ("topic=callsheet.update and data.chnges.status", "has no `chnges`; did you mean `changes`"),
        ("topic=callsheet.update and entity.name=x", "the entity of an event has `type`, `id` and `types`, no `name`"),
        ("entity.type != shot", "there is no entity type `shot`; did you mean `Shot`?"),
        ("entity.type in (Task, Shto)", "there is no entity type `Shto`"),
        ("entity.type=Sht*", "there is no entity type `Sht%`"),
        ("data.entity_type=Tsk", "there is no entity type `Tsk`; did you mean `Task`?"),
        ("entity.type=Task and changes.statsu", "Task has no attribute `statsu` that changes; did you mean `status`?"),
        ("entity.type=Shot and changes.status", "Shot has no attribute `status` that changes"),
        ("entity.type=Shot or changes.statsu", "no attribute `statsu` that changes; did you mean `status`?"),
        ("changes.parent_id", "no attribute `parent_id` that changes; did you mean `parent`?"),
        ("changes.status.now", "a change has `old` and `new`, no `now`"),
        ("changes.metadata.colour", "the changes of a mapping are listed by item: `changes.'metadata.KEY'`"),
        ("changes.children", "`children` is a collection"),
        ("data.added.children", "`children` changes with the `parent` of its members"),
        ("data.removed.tgas", "no collection `tgas` whose members are in events; did you mean `tags`?"),
        ("action=updated", "an action is `create`, `update` or `delete`, not `updated`; did you mean `update`"),
        ("topic=callsheet.location.component-added and data.component=x", "has no `component`"),
    ],
)
def test_what_no_event_can_fulfil_is_an_error(expression: str, told: str) -> None:
    """It names what there is not, and what is nearest to it."""
    with pytest.raises(QueryError) as refused:
        check_expression(expression, SCHEMA)
    assert told in str(refused.value)


def test_an_error_says_where() -> None:
    """As for a query."""
    with pytest.raises(QueryError) as refused:
        check_expression("topic=callsheet.update and chnges.status")
    assert refused.value.position == 27


@pytest.mark.parametrize(
    ("topic", "data", "told"),
    [
        ("callsheet.updte", {}, "there is no topic `callsheet.updte`; did you mean `callsheet.update`"),
        ("callsheet.update", {"entity": {"type": "Shto"}}, "there is no entity type `Shto`; did you mean `Shot`?"),
        ("callsheet.update", {"chnges": {}}, "the data of `callsheet.update` has no `chnges`; did you mean `changes`?"),
        ("callsheet.update", {"entity": {"type": "Shot"}, "changes": {"frame": {}}}, "did you mean `frames`"),
        ("callsheet.update", {"action": "updated"}, "an action is `create`, `update` or `delete`, not 'updated'"),
    ],
)
def test_an_event_that_no_server_publishes_is_refused(topic: str, data: Any, told: str) -> None:
    """So that a test of a handler cannot pass with it."""
    with pytest.raises(UsageError) as refused:
        check_event(Event(topic, data), SCHEMA)
    assert told in str(refused.value)
    check_event(Event("studio.done", data), SCHEMA)
