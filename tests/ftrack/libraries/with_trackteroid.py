"""What scripts do with the library ``trackteroid``; each step gives plain data."""

from __future__ import annotations

from trackteroid import SESSION, Asset, AssetVersion, Project, Query, Shot, Task, User

__all__ = ["STEPS"]


def names_of_all():
    return sorted(Query(Task).get_all(projections=["name"]).name)[:2]


def names_that_begin_so():
    return sorted(Query(Shot).by_name("sh001%").get_all(projections=["name"]).name)


def relations_of_versions():
    versions = Query(AssetVersion).get_all(projections=["version", "asset.name", "task.name"])
    return [sorted(set(versions.version)), sorted(set(versions.asset.name)), sorted(set(versions.task.name))]


def parents_of_tasks():
    return sorted(Query(Task).by_name("animation").get_all(projections=["parent.name"]).parent.name)


def the_first():
    return list(Query(Project).get_first(projections=["name"]).name)


def a_value_is_set():
    version = Query(AssetVersion).get_first(projections=["comment"])
    version.comment = "by a library"
    SESSION.commit()
    return list(Query(AssetVersion).by_id(*version.id).get_one(projections=["comment"]).comment)


def a_version_is_made_and_deleted():
    asset = Query(Asset).get_first(projections=["versions"])
    before = len(asset.versions)
    made = asset.versions.create(task=Query(Task).get_first(projections=["id"]))
    SESSION.commit()
    grown = len(Query(Asset).by_id(*asset.id).get_one(projections=["versions"]).versions) - before
    made.delete()
    SESSION.commit()
    return grown


def custom_attributes():
    return [
        int(each) for each in Query(Shot).by_name("sh0010").get_first(projections=["custom_attributes"]).custom_fstart
    ]


def groups():
    return sorted(Query(Task).get_all(projections=["name"]).group(lambda task: task.name[0]).keys())


def a_filter():
    tasks = Query(Task).get_all(projections=["name", "status.name"])
    return sorted(set(tasks.filter(lambda task: task.status.name[0] == "In progress").name))


def links():
    return len(Query(Shot).get_first(projections=["incoming_links"]).incoming_links)


def a_new_connection():
    SESSION.reconnect()
    return sorted(Query(User).get_all(projections=["username"]).username)


STEPS = (
    names_of_all, names_that_begin_so, relations_of_versions, parents_of_tasks, the_first, a_value_is_set,
    a_version_is_made_and_deleted, custom_attributes, groups, a_filter, links, a_new_connection,
)  # fmt: skip
