"""Custom attributes by key: of every kind, of one project, inherited; what is wrong is refused before it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from callsheet import AsyncSession, Session
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.dialects.ftrack.server.seed.rows import key_of_row
from callsheet.errors import Invalid, NotLoaded, SchemaError, UnknownAttribute
from callsheet.session.connection import ServerConnection
from dialects.embedded import Direct
from production.making import again, make_project, make_shot, make_task, make_version

MENU = [{"menu": name.title(), "value": name} for name in ("low", "high")]


def configure(session: Session, key: str, kind: str, entity_type: str = "task", **values: Any) -> Any:
    """A new configuration, committed and learnt."""
    told = {"key": key, "label": key, "entity_type": entity_type, "config": "{}", "default": None, **values}
    told["type"] = session.query(f'CustomAttributeType where name is "{kind}"').one()
    if entity_type == "task" and "object_type" not in values and not values.get("is_hierarchical"):
        told["object_type"] = session.get("ObjectType", key_of_row("ObjectType", "Shot"))
    made = session.create("CustomAttributeConfiguration", told)
    session.commit()
    session.reload_schema()
    return made


@pytest.mark.parametrize(
    ("kind", "config", "value", "other"),
    [
        ("text", {}, "wide", "close"),
        ("number", {"isdecimal": False}, 1001, 1002),
        ("number", {"isdecimal": True}, 23.976, 25.0),
        ("boolean", {}, True, False),
        ("date", {}, datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)),
        ("enumerator", {"multiSelect": False, "data": json.dumps(MENU)}, ["low"], ["high"]),
        ("enumerator", {"multiSelect": True, "data": json.dumps(MENU)}, ["low", "high"], ["high"]),
    ],
)
def test_every_kind(vendor: Session, kind: str, config: dict[str, Any], value: Any, other: Any) -> None:
    """What is written is read again, by the writer and by others."""
    key = f"{kind}_{len(json.dumps(config))}_{type(value).__name__}"
    configure(vendor, key, kind, config=json.dumps(config))
    shot = make_shot(vendor)
    shot["custom_attributes"][key] = value
    vendor.commit()
    assert again(vendor, shot)["custom_attributes"][key] == value
    shot["custom_attributes"][key] = other
    assert shot["custom_attributes"][key] == other
    vendor.commit()
    assert again(vendor, shot)["custom_attributes"][key] == other


def test_in_create(vendor: Session) -> None:
    """Values can be given with a new entity, in the same commit."""
    data = {"name": "sh010", "parent": make_project(vendor), "custom_attributes": {"fstart": 990, "is_hero": True}}
    shot = vendor.create("Shot", data)
    assert shot["custom_attributes"]["fstart"] == 990
    vendor.commit()
    found = again(vendor, shot)["custom_attributes"]
    assert found["fstart"] == 990
    assert found["is_hero"] is True
    assert found["fend"] == 1100


def test_a_default_is_read_where_nothing_was_written(vendor: Session) -> None:
    """Every applicable key is there."""
    found = again(vendor, make_shot(vendor))["custom_attributes"]
    assert found["fstart"] == 1001
    assert "delivery" in found
    assert "nickname" not in found


def test_unknown_keys_are_refused(vendor: Session) -> None:
    """A key that is none names the nearest one, in writing and in create; nothing is recorded."""
    shot = make_shot(vendor)
    with pytest.raises(UnknownAttribute, match="did you mean `fstart`"):
        shot["custom_attributes"]["fstrat"] = 1
    with pytest.raises(UnknownAttribute, match="fstrat"):
        shot["custom_attributes"]["fstrat"]
    with pytest.raises(UnknownAttribute, match="fstrat"):
        vendor.create("Shot", {"name": "x", "parent": shot, "custom_attributes": {"fstrat": 1}})
    assert vendor.pending == ()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("fstart", "1001", "takes a number"),
        ("is_hero", 1, "True or False"),
        ("delivery", "2026-05-04", "a datetime"),
        ("departments", ["simple", "unheard"], "a list of 'simple', 'medium', 'hard'"),
        ("departments", 3, "a list of"),
    ],
)
def test_wrong_types_are_refused(vendor: Session, key: str, value: Any, says: str) -> None:
    """What a configuration does not take is refused before it is sent."""
    shot = make_shot(vendor)
    with pytest.raises(SchemaError, match=says):
        shot["custom_attributes"][key] = value
    assert vendor.pending == ()


def test_expressions_are_only_read(vendor: Session) -> None:
    """What the server works out cannot be set."""
    configure(vendor, "total", "expression")
    shot = make_shot(vendor)
    assert "total" in shot["custom_attributes"]
    with pytest.raises(SchemaError, match="computed"):
        shot["custom_attributes"]["total"] = "1"


def test_a_projects_own_configuration_stands_first(vendor: Session) -> None:
    """Where a project configures a key itself, its shots have that; others the general one."""
    mine, other = make_project(vendor), make_project(vendor)
    general = configure(vendor, "mood", "text", default="calm")
    own = configure(vendor, "mood", "text", default="wild", project_id=mine["id"])
    shots = {project["id"]: make_shot(vendor, project) for project in (mine, other)}
    for shot in shots.values():
        shot["custom_attributes"]["mood"] = "new"
    vendor.commit()
    rows = vendor.fork().query("ContextCustomAttributeValue where key is mood")
    told = {row["entity_id"]: row["configuration_id"] for row in rows if row["value"] == "new"}
    assert told[shots[mine["id"]]["id"]] == own["id"]
    assert told[shots[other["id"]]["id"]] == general["id"]
    assert again(vendor, shots[mine["id"]])["custom_attributes"]["mood"] == "new"
    vendor.delete(own)
    vendor.delete(general)
    vendor.commit()


@pytest.fixture
def tree(vendor: Session) -> Iterator[dict[str, Any]]:
    """A project, a sequence, two shots, a task in each; ``resolution`` is hierarchical."""
    project = make_project(vendor)
    sequence = vendor.create("Sequence", {"name": "sq", "parent": project})
    shots = [vendor.create("Shot", {"name": f"sh{number}", "parent": sequence}) for number in (1, 2)]
    tasks = [vendor.create("Task", {"name": "comp", "parent": shot}) for shot in shots]
    vendor.commit()
    return {"project": project, "sequence": sequence, "shots": shots, "tasks": tasks}


def test_inherited_values(vendor: Session, tree: dict[str, Any]) -> None:
    """An entity has its own value, else the nearest one above, else the default."""
    task = again(vendor, tree["tasks"][0])
    assert task["custom_attributes"]["resolution"] in (None, "")
    tree["project"]["custom_attributes"]["resolution"] = "2k"
    vendor.commit()
    assert again(vendor, tree["tasks"][0])["custom_attributes"]["resolution"] == "2k"
    tree["shots"][1]["custom_attributes"]["resolution"] = "4k"
    vendor.commit()
    assert again(vendor, tree["tasks"][1])["custom_attributes"]["resolution"] == "4k"
    assert again(vendor, tree["tasks"][0])["custom_attributes"]["resolution"] == "2k"
    tree["tasks"][1]["custom_attributes"]["resolution"] = "hd"
    vendor.commit()
    assert again(vendor, tree["tasks"][1])["custom_attributes"]["resolution"] == "hd"
    del tree["tasks"][1]["custom_attributes"]["resolution"]
    vendor.commit()
    assert again(vendor, tree["tasks"][1])["custom_attributes"]["resolution"] == "4k"


def test_inherited_values_that_are_pending(vendor: Session, tree: dict[str, Any]) -> None:
    """What is set above and not yet committed counts, for entities not yet committed too."""
    tree["sequence"]["custom_attributes"]["resolution"] = "6k"
    task = vendor.create("Task", {"name": "roto", "parent": tree["shots"][0]})
    assert task["custom_attributes"]["resolution"] == "6k"
    assert tree["tasks"][0]["custom_attributes"]["resolution"] == "6k"
    vendor.rollback()
    assert tree["tasks"][0]["custom_attributes"]["resolution"] in (None, "")


def test_many_inherited_values_cost_one_request(vendor: Session, wire: Direct) -> None:
    """However many entities, and however deep the tree: one request for all of a query's result."""
    project = make_project(vendor)
    project["custom_attributes"]["resolution"] = "2k"
    above: Any = project
    for depth in range(6):
        above = vendor.create("Folder", {"name": f"d{depth}", "parent": above})
    for number in range(40):
        shot = vendor.create("Shot", {"name": f"sh{number}", "parent": above})
        vendor.create("Task", {"name": "comp", "parent": shot})
    vendor.commit()
    fresh = vendor.fork()
    tasks = fresh.query(f'Task where project.id is "{project["id"]}"').all()
    wire.sent.clear()
    assert {task["custom_attributes"]["resolution"] for task in tasks} == {"2k"}
    assert len(tasks) == 40
    assert len(wire.sent) == 1


def test_versions_inherit_too(vendor: Session, tree: dict[str, Any]) -> None:
    """A version has what its asset's shot has."""
    version = make_version(vendor, tree["shots"][0])
    tree["sequence"]["custom_attributes"]["resolution"] = "8k"
    vendor.commit()
    assert again(vendor, version)["custom_attributes"]["resolution"] == "8k"
    assert again(vendor, version["asset"])["custom_attributes"]["resolution"] == "8k"


def test_a_strict_session_says_what_to_load(vendor: Session, tree: dict[str, Any]) -> None:
    """Without automatic loading the error names the paths; with them loaded nothing is asked."""
    tree["project"]["custom_attributes"]["resolution"] = "2k"
    vendor.commit()
    fresh = vendor.fork()
    task = fresh.get("Task", tree["tasks"][0]["id"])
    fresh.auto_populate = "strict"
    with pytest.raises(NotLoaded, match=r"ancestors\.custom_attributes") as caught:
        task["custom_attributes"]["resolution"]
    paths = str(caught.value).split("entities, '")[1].split("'")[0]
    fresh.populate(task, paths)
    assert task["custom_attributes"]["resolution"] == "2k"


async def _asking(wire: Direct, key: str) -> str:
    class Awaiting:
        async def send(self, request: Any) -> Any:
            return wire.send(request)

        async def aclose(self) -> None:
            """Nothing is open."""

    async with AsyncSession(connection=ServerConnection(FtrackDialect(), Awaiting(), None, user="admin")) as session:
        task = await session.get("Task", key)
        try:
            return str(task["custom_attributes"]["resolution"])
        except NotLoaded as error:
            await session.populate(task, str(error).split(", '")[1].split("'")[0])
        return str(task["custom_attributes"]["resolution"])


def test_inherited_values_for_async_code(vendor: Session, wire: Direct, tree: dict[str, Any]) -> None:
    """The cure that the error tells is one populate."""
    import anyio

    tree["project"]["custom_attributes"]["resolution"] = "2k"
    vendor.commit()
    assert anyio.run(_asking, wire, tree["tasks"][0]["id"]) == "2k"


def test_the_same_key_hierarchical_and_not(vendor: Session, tree: dict[str, Any]) -> None:
    """Where an object type has the key for itself, that stands, whatever is above."""
    configure(vendor, "lens", "text", "show", is_hierarchical=True)
    configure(vendor, "lens", "text", default="")
    tree["project"]["custom_attributes"]["lens"] = "50mm"
    tree["shots"][0]["custom_attributes"]["lens"] = "35mm"
    vendor.commit()
    assert again(vendor, tree["shots"][0])["custom_attributes"]["lens"] == "35mm"
    assert again(vendor, tree["shots"][1])["custom_attributes"]["lens"] == ""
    assert again(vendor, tree["sequence"])["custom_attributes"]["lens"] == "50mm"


def test_changed_configurations_are_noticed(vendor: Session, wire: Direct) -> None:
    """A session that is open learns them when told to; one that opens later has them, though the schema is the same."""
    shot = make_shot(vendor)
    with pytest.raises(UnknownAttribute):
        shot["custom_attributes"]["grain"] = "fine"
    configure(vendor.fork(), "grain", "text")
    vendor.reload_schema()
    shot["custom_attributes"]["grain"] = "fine"
    vendor.commit()
    with Session(connection=ServerConnection(FtrackDialect(), wire, None, user="admin")) as fresh:
        assert fresh.get("Shot", shot["id"])["custom_attributes"]["grain"] == "fine"


def test_links_from_and_to(vendor: Session) -> None:
    """Links are rows; they can be asked about from both ends."""
    shot, other = make_shot(vendor), make_task(vendor)
    configuration = vendor.create(
        "CustomAttributeLinkConfiguration",
        {
            "key": "lead",
            "label": "Lead",
            "entity_type": "task",
            "entity_type_to": "task",
            "config": "{}",
            "object_type": vendor.get("ObjectType", key_of_row("ObjectType", "Shot")),
            "object_type_to": vendor.get("ObjectType", key_of_row("ObjectType", "Task")),
        },
    )
    link = {"configuration": configuration, "from_id": shot["id"], "to_id": other["id"]}
    vendor.create("ContextCustomAttributeLink", link)
    vendor.commit()
    fresh = vendor.fork()
    found = fresh.query(f'CustomAttributeLink where from_id is "{shot["id"]}"').all()
    assert [(each["to_id"], each["configuration"]["key"]) for each in found] == [(other["id"], "lead")]
    where = "custom_attribute_links any (configuration.key is lead)"
    assert [each["id"] for each in fresh.query(f'Shot where {where} and id is "{shot["id"]}"')] == [shot["id"]]
    where = "custom_attribute_links_from any (configuration.key is lead)"
    assert [each["id"] for each in fresh.query(f'Task where {where} and id is "{other["id"]}"')] == [other["id"]]


def _leads(vendor: Session, one_to_one: bool = False) -> str:
    """The key of links from shots to users."""
    key = f"lead_{uuid4().hex[:8]}"
    shot = vendor.get("ObjectType", key_of_row("ObjectType", "Shot"))
    ends = {"entity_type": "task", "object_type": shot, "entity_type_to": "user", "one_to_one": one_to_one}
    vendor.create("CustomAttributeLinkConfiguration", {"key": key, "label": "Lead", "config": "{}", **ends})
    vendor.commit()
    return key


def test_links_by_their_key_from_both_ends(vendor: Session) -> None:
    """Added once, pending first, read from where they start and from where they lead, and removed."""
    key, shot, task = _leads(vendor), make_shot(vendor), make_task(vendor)
    mara, tomas = vendor.query('User where username in ("mara", "tomas") order by username').all()
    vendor.commit()
    assert shot.add_custom_link(key, tomas).entity_type == "UserCustomAttributeLink"
    assert shot.add_custom_link(key, mara) is shot.add_custom_link(key, mara)
    assert shot.get_custom_links(key) == [tomas, mara]
    assert mara.get_custom_links_from(key) == [shot]
    vendor.commit()
    fresh = vendor.fork()
    same, user = fresh.get("Shot", shot["id"]), fresh.get("User", mara["id"])
    assert {each["username"] for each in same.get_custom_links(key)} == {"mara", "tomas"}
    assert user.get_custom_links_from(key) == [same]
    assert (same.remove_custom_link(key, user), same.remove_custom_link(key, user)) == (1, 0)
    assert user.get_custom_links_from(key) == []
    fresh.commit()
    assert [each["username"] for each in vendor.fork().get("Shot", shot["id"]).get_custom_links(key)] == ["tomas"]
    for wrong in (lambda: shot.add_custom_link(key, task), lambda: task.get_custom_links(key)):
        with pytest.raises(Invalid, match=key):
            wrong()
    with pytest.raises(Invalid, match=f"did you mean `{key}`"):
        shot.get_custom_links(key.upper())


def test_a_link_to_one_only_takes_the_place_of_another(vendor: Session) -> None:
    """Where its configuration says so."""
    key, shot = _leads(vendor, one_to_one=True), make_shot(vendor)
    mara, tomas = vendor.query('User where username in ("mara", "tomas") order by username').all()
    shot.add_custom_link(key, mara)
    vendor.commit()
    shot.add_custom_link(key, tomas)
    vendor.commit()
    assert [each["username"] for each in vendor.fork().get("Shot", shot["id"]).get_custom_links(key)] == ["tomas"]


def test_a_condition_on_a_custom_attribute(vendor: Session) -> None:
    """Values can be asked about in the peer's words."""
    shot = make_shot(vendor)
    shot["custom_attributes"]["fstart"] = 4711
    vendor.commit()
    found = vendor.fork().query('Shot where custom_attributes any (key is "fstart" and value is 4711)').all()
    assert [each["id"] for each in found] == [shot["id"]]


def test_custom_attributes_of_the_preset_over_the_wire(preset: Session, over_wire: Session) -> None:
    """Callsheet's own configurations are known to ftrack's dialect too, with kinds, defaults and checks."""
    for key, data_type, default in (("fps", "number", 24.0), ("codec", "string", None), ("hero", "boolean", False)):
        told = {"key": key, "entity_type": "Shot", "data_type": data_type, "default": default}
        preset.create("CustomAttributeConfiguration", told)
    preset.create(
        "CustomAttributeConfiguration",
        {"key": "size", "entity_type": "Context", "data_type": "enum", "choices": ["small", "big"]},
    )
    preset.commit()
    over_wire.reload_schema()
    shot = make_shot(over_wire)
    assert shot["custom_attributes"]["fps"] == 24.0
    shot["custom_attributes"] = {"fps": 25.0, "codec": "exr", "hero": True, "size": "big"}
    over_wire.commit()
    found = again(over_wire, shot)["custom_attributes"]
    assert dict(found) == {"fps": 25.0, "codec": "exr", "hero": True, "size": "big"}
    with pytest.raises(SchemaError, match="'small', 'big'"):
        shot["custom_attributes"]["size"] = "huge"
    with pytest.raises(UnknownAttribute):
        make_task(over_wire)["custom_attributes"]["fps"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('metadata any (key is "lens" and value is "35mm")', True),
        ('metadata any (key is "lens" and value is "50mm")', False),
        ('metadata any (key is "lens")', True),
        ('not metadata any (key is "slate")', True),
        ('metadata any (value like "35%" and key = lens)', True),
        ('metadata any (key is "slate" and value is_not "1")', False),
        ('metadata any (key is "lens" and not value is "50mm")', True),
        ('project.metadata any (key is "client" and value is "blender")', True),
        ('metadata.lens is "35mm"', True),
    ],
)
def test_a_condition_on_metadata(session: Session, asked: str, found: bool) -> None:
    """The peer's words and ours ask the same."""
    project = make_project(session)
    project["metadata"]["client"] = "blender"
    shot = make_shot(session, project)
    shot["metadata"]["lens"] = "35mm"
    session.commit()
    assert bool(session.fork().query(f'Shot where id is "{shot["id"]}" and {asked}').all()) is found
