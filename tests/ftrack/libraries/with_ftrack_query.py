"""What scripts do with the library ``ftrack_query``; each step gives plain data."""

from __future__ import annotations

import datetime

from ftrack_query import FTrackQuery, attr, create, delete, event, select, update

__all__ = ["STEPS"]

session = FTrackQuery()


def _names(entities):
    return sorted(each["name"] for each in entities)


def tasks_of_a_name():
    return _names(session.execute(select("Task").where(name="animation").limit(2)))


def a_statement_is_iterated():
    return len([each["id"] for each in session.select("Task").where(attr("status.name") == "In progress")])


def projections_and_order():
    tasks = session.select("Task").populate("name", "status.name").sort("name desc").limit(1).all()
    return [tasks[0]["name"], bool(tasks[0]["status"]["name"])]


def counts_by_group():
    rows = session.execute(select("Task").populate("count(id)").group_by("project_id"))
    return [row["count_id"] for row in rows]


def a_related_entity():
    shot = session.select("Shot").where(name="sh0010").first()
    return _names(session.select("Task").where(parent=shot).all())


def conditions_on_relations():
    within = session.select("Task").where(attr("parent").has(name="sh0010"), attr("assignments").any())
    return _names(within.all())


def a_subquery():
    inner = select("Task").where(name="animation").subquery()
    return len(session.select("Task").where(attr("id").in_(inner)).all())


def a_time_that_is_naive():
    return len(session.select("Task").where(attr("created_at") > datetime.datetime(2020, 1, 1)).all())


def items_of_custom_attributes():
    return _names(session.select("Shot").where(attr("custom_attributes").any(key="fstart", value=1001)).all())


def made_changed_and_deleted():
    project = session.select("Project").first()
    made = session.execute(create("Folder").values(name="by a library", parent=project))
    session.commit()
    changed = session.execute(update("Folder").where(name="by a library").values(description="described"))
    session.commit()
    described = session.select("Folder").where(id=made["id"]).populate("description").one()["description"]
    gone = session.execute(delete("Folder").where(name="by a library"))
    session.commit()
    return [changed, described, gone, len(session.select("Folder").where(name="by a library").all())]


def an_expression_for_events():
    expression = event.and_(event.attr("topic") == "ftrack.update", event.attr("data.user.name") != "nobody")
    subscription = session.event_hub.subscribe(str(expression), print)
    session.event_hub.unsubscribe(subscription)
    return str(expression)


def several_projections_are_populated():
    tasks = session.select("Task").all()
    session.populate(tasks, ["name", "parent.name"])
    return sorted({each["parent"]["name"] for each in tasks})


STEPS = (
    tasks_of_a_name, a_statement_is_iterated, projections_and_order, counts_by_group, a_related_entity,
    conditions_on_relations, a_subquery, a_time_that_is_naive, items_of_custom_attributes, made_changed_and_deleted,
    an_expression_for_events, several_projections_are_populated,
)  # fmt: skip
