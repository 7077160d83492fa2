"""Permissions: what is hidden is as if it did not exist, in every answer; what is forbidden does not happen."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databases import postgres_database
from sqlalchemy import event
from studio import DOCUMENT, Create, Delete, Identity, Studio, Update, open_studio, project, shot, status, task

from callsheet.dialects.protocol import Touched
from callsheet.errors import Conflict, Forbidden, Invalid, NotFound, ServerError, TooLarge, Unauthorised
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Path
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.server.access.belonging import ProjectRoute, project_routes
from callsheet.server.access.permissions import Rule, read_rule
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.service import Service

P, Q = Identity("Project", "p"), Identity("Project", "q")
EVERYTHING = "read,create,update,delete:*"


def account(studio: Studio, name: str, role: str = "guest", **grants: str) -> Any:
    """An account with its own role, and others in projects; its backend."""
    studio.service.accounts.add(name, role)
    for key, granted in grants.items():
        studio.service.roles.grant(name, granted, key)
    return studio.service.backend(name)


@pytest.fixture
def two() -> Iterator[Studio]:
    """Two projects with a shot, a task and a version each; ``crew`` may do everything where it is granted."""
    with open_studio() as studio:
        fill_two(studio)
        yield studio


def fill_two(studio: Studio) -> None:
    studio.service.roles.add("crew", [EVERYTHING])
    for key in ("p", "q"):
        studio.commit(
            project(key),
            shot(f"shot-{key}", Identity("Project", key)),
            task(f"task-{key}", Identity("Shot", f"shot-{key}")),
            Create(Identity("Version", f"version-{key}"), {"task": Identity("Task", f"task-{key}")}),
        )
    studio.commit(status("done"), Create(Identity("User", "u"), {"username": "anna"}))


def keys(page: Page) -> list[str]:
    return [row[0] for block in page.records[: page.roots] for row in block.rows]


def ask(backend: Any, text: str) -> list[str]:
    return keys(backend.select(parse(text), 100))


# Rules and ways


def test_rules_are_read() -> None:
    """Verbs, types, exceptions; what is no rule is refused with the nearest word."""
    assert read_rule("read:*") == Rule(("read",))
    assert read_rule("create, update: Task, Note") == Rule(("create", "update"), ("Task", "Note"))
    assert read_rule("read:Node,!Shot") == Rule(("read",), ("Node",), ("Shot",))
    schema = Schema(DOCUMENT)
    rule = read_rule("read:Node,!Shot", schema)
    assert [rule.covers(schema, name) for name in ("Project", "Task", "Shot", "Status")] == [True, True, False, False]
    for wrong, match in (
        ("read", "not a rule"),
        ("reed:*", "did you mean `read`"),
        ("read:Tsk", "did you mean `Task`"),
        ("read:!Task", "nothing to allow"),
        ("read:!*", "nothing"),
        ("", "not a rule"),
        (":", "not a rule"),
    ):
        with pytest.raises(Invalid, match=match):
            read_rule(wrong, schema)


def test_types_lead_to_their_project() -> None:
    """Found in the schema: a column where there is one, else required references, else owners in order."""
    ways = project_routes(Schema(load_schema_document("production")))
    assert ways["Task"] == ways["Project"] == ways["TypedContextList"] == ProjectRoute("project")
    assert ways["Asset"] == ProjectRoute("", (("parent", "Context"),))
    assert ways["AssetVersion"] == ProjectRoute("", (("asset", "Asset"),))
    assert ways["FileComponent"] == ProjectRoute("", (("version", "AssetVersion"), ("container", "Component")))
    assert [name for name, _ in ways["Note"].references] == ["parent", "version", "review_object", "in_reply_to"]
    assert ways["Recipient"] == ProjectRoute("", (("note", "Note"),))
    assert not {"User", "Status", "Location", "ProjectSchema", "CustomAttributeConfiguration"} & set(ways)
    assert project_routes(Schema(load_schema_document("lab"))) == {}


# Several processes on one database


def test_permissions_on_postgresql() -> None:
    """The same statements hide the same there, and the same commits are refused."""
    with postgres_database() as url, open_studio(url) as studio:
        fill_two(studio)
        studio.commit(Update(Identity("Task", "task-p"), {"buddy": Identity("Task", "task-q"), "about": Q}))
        anna = account(studio, "anna", p="crew")
        assert ask(anna, "Node") == ["p", "shot-p", "task-p"]
        assert ask(anna, "Version where task.parent.name is 'shot-p'") == ["version-p"]
        assert ask(anna, "Task where buddy is None and about is None and parent.children any ()") == ["task-p"]
        page = anna.select(parse("select buddy, about, parent.name from Task"), 10)
        assert [tuple(block.rows[0]) for block in page.records] == [
            ("task-p", 2, None, None, ("Shot", "shot-p")),
            ("shot-p", 1, "shot-p"),
        ]
        for operation, error in (
            (Update(Identity("Task", "task-q"), {"note": "x"}), NotFound),
            (task("new", Q), Invalid),
            (task("new"), Forbidden),
        ):
            assert isinstance(refusal(anna, operation), error)
        anna.commit(ChangeSet("fine", (Create(Identity("Version", "v"), {"task": Identity("Task", "task-p")}),)))
        assert len(studio.service.audit.list()) == 3


def test_two_servers_on_one_database() -> None:
    """Custom attributes that one configures are known to the other; roles within a second."""
    with postgres_database() as url, open_studio(url) as one, Service.open(url, DOCUMENT) as other:
        before = other.backend("admin").describe().schema_hash
        one.commit(
            Create(
                Identity("CustomAttributeConfiguration", "c"),
                {"key": "lens", "entity_type": "Node", "data_type": "integer"},
            )
        )
        admin = other.backend("admin")
        assert ask(admin, "Task where custom_attributes.lens is 35") == []
        one.commit(
            Create(
                Identity("CustomAttributeConfiguration", "d"),
                {"key": "film", "entity_type": "Node", "data_type": "integer"},
            )
        )
        admin.commit(ChangeSet("1", (project("p", **{"custom_attributes.film": 35}),)))
        told = admin.describe(before)
        assert told.schema is not None
        assert set(told.schema.types["Task"].custom) == {"lens", "film"}
        one.service.accounts.add("anna", "guest")
        anna = other.backend("anna")
        assert ask(anna, "Project") == []
        one.service.accounts.set_role("anna", "reader")
        other.accesses.clear()  # As after a second.
        assert ask(anna, "Project") == ["p"]


# The matrix

VERBS = ("read", "create", "update", "delete")
MATRIX = {
    ("admin", "Task"): VERBS,
    ("admin", "CustomAttributeConfiguration"): VERBS,
    ("user", "Task"): VERBS,
    ("user", "Status"): VERBS,
    ("user", "CustomAttributeConfiguration"): ("read",),
    ("reader", "Task"): ("read",),
    ("reader", "CustomAttributeConfiguration"): ("read",),
    ("guest", "Task"): (),
    ("guest", "Status"): (),
    ("artist", "Task"): ("read", "update"),
    ("artist", "Shot"): ("read",),
    ("artist", "Status"): ("read",),
    ("artist", "User"): (),
}
VALUES = {"Status": "name", "User": "username", "CustomAttributeConfiguration": "label"}
OTHER = {"CustomAttributeConfiguration": {"key": "other"}}
NEW = {"CustomAttributeConfiguration": {"key": "fresh", "entity_type": "Node", "data_type": "string"}}


@pytest.mark.parametrize(("role", "name"), MATRIX)
def test_role_by_type_by_action(role: str, name: str) -> None:
    """Each role may do with each type what its row says, and no more; what it cannot read is not there."""
    allowed = MATRIX[role, name]
    with open_studio() as studio:
        studio.service.roles.add("artist", ["read:*,!User", "update:Task"])
        there, new, attribute = Identity(name, "there"), Identity(name, "new"), VALUES.get(name, "name")
        studio.commit(Create(there, {attribute: "A", **NEW.get(name, {})}))
        backend = account(studio, "anna", role)
        assert bool(ask(backend, f"{name} where id is there")) == ("read" in allowed)
        assert backend.aggregate(Aggregate(parse(name))) == [(1,) if "read" in allowed else (0,)]
        attempts: list[tuple[str, Operation]] = [
            ("update", Update(there, {attribute: "B"})),
            ("delete", Delete(there)),
            ("create", Create(new, {attribute: "C", **NEW.get(name, {}), **OTHER.get(name, {})})),
        ]
        for number, (verb, operation) in enumerate(attempts):
            changes = ChangeSet(f"try-{number}", (operation,))
            if verb in allowed:
                backend.commit(changes)
                continue
            with pytest.raises(Forbidden if verb == "create" or "read" in allowed else NotFound):
                backend.commit(changes)


def test_actions_of_administrators(two: Studio) -> None:
    """Accounts, roles, grants and the audit are for administrators alone."""
    admin, anna = two.service.backend("admin"), account(two, "anna", "user", p="crew")
    for action in ("users.list", "roles.list", "grants.list", "audit.list", "users.enable", "roles.add", "grants.add"):
        with pytest.raises(Forbidden, match=rf"`anna` may not do {action}; ask an administrator"):
            anna.call(action, {})
    assert admin.call("grants.list", {}) == [{"account": "anna", "role": "crew", "project": "p"}]
    assert admin.call("roles.list", {})[-1] == {"name": "crew", "rules": [EVERYTHING]}
    admin.call("users.role", {"name": "anna", "role": "admin"})
    assert anna.call("roles.list", {})[0] == {"name": "admin", "rules": ["read,create,update,delete,decide:*"]}


def test_roles_and_grants_are_checked(two: Studio) -> None:
    """What is not there cannot be granted; what is in use cannot be removed."""
    roles = two.service.roles
    two.service.accounts.add("anna", "guest")
    wrong: list[tuple[Callable[[], None], type[ServerError], str]] = [
        (lambda: roles.add("crew", ["read:*"]), Invalid, "already"),
        (lambda: roles.add("admin", ["read:*"]), Invalid, "already"),
        (lambda: roles.add("a b", ["read:*"]), Invalid, "name"),
        (lambda: roles.add("x", []), Invalid, "1 to 100"),
        (lambda: roles.remove("reader"), Invalid, "built in"),
        (lambda: roles.remove("none"), NotFound, "no role"),
        (lambda: roles.grant("ben", "crew"), NotFound, "no account"),
        (lambda: roles.grant("anna", "none"), NotFound, "no role"),
        (lambda: roles.grant("anna", "crew", "nowhere"), NotFound, "no projects"),
        (lambda: roles.grant("anna", "admin", "p"), Invalid, "whole server"),
        (lambda: roles.revoke("anna", "crew", "p"), NotFound, "was not granted"),
        (lambda: two.service.accounts.set_role("anna", "none"), Invalid, "no role"),
    ]
    for call, error, match in wrong:
        with pytest.raises(error, match=match):
            call()
    roles.grant("anna", "crew", "p")
    roles.grant("anna", "crew", "p")
    assert len(roles.grants("anna")) == 1
    with pytest.raises(Invalid, match="`anna` has the role"):
        roles.remove("crew")
    roles.revoke("anna", "crew", "p")
    roles.remove("crew")
    assert "crew" not in roles.list()


def test_projects_by_name(two: Studio) -> None:
    """A grant names a project by its key, or by its name where one project has it."""
    two.commit(Create(Identity("Project", "018f"), {"name": "Sol Levante"}))
    two.service.accounts.add("anna", "guest")
    two.service.roles.grant("anna", "crew", "Sol Levante")
    assert [granted.project for granted in two.service.roles.grants("anna")] == ["018f"]
    two.service.roles.revoke("anna", "crew", "Sol Levante")
    assert two.service.roles.grants("anna") == []


def test_changes_count_at_once(two: Studio) -> None:
    """A grant, its end, another role, a disabled account: the next request knows."""
    anna = account(two, "anna")
    assert ask(anna, "Task") == []
    two.service.roles.grant("anna", "crew", "p")
    assert ask(anna, "Task") == ["task-p"]
    two.service.roles.revoke("anna", "crew", "p")
    assert ask(anna, "Task") == []
    two.service.accounts.set_role("anna", "reader")
    assert ask(anna, "Task") == ["task-p", "task-q"]
    two.service.accounts.disable("anna")
    with pytest.raises(Unauthorised):
        ask(anna, "Task")
    two.service.accounts.enable("anna")
    assert ask(anna, "Task") == ["task-p", "task-q"]


# Reading


def test_hidden_entities_do_not_exist_for_queries(two: Studio) -> None:
    """Not found, not counted, not reachable; a reference to one is None, a collection leaves it out."""
    two.commit(Update(Identity("Task", "task-p"), {"buddy": Identity("Task", "task-q"), "about": Q}))
    tag = Identity("Tag", "tag")
    two.commit(Create(tag, {}, {"tasks": (Identity("Task", "task-p"), Identity("Task", "task-q"))}))
    anna = account(two, "anna", p="crew")
    assert ask(anna, "Node") == ["p", "shot-p", "task-p"]
    assert ask(anna, "Version") == ["version-p"]
    assert ask(anna, "Task where id is 'task-q'") == []
    assert ask(anna, "Task where buddy.id is 'task-q'") == []
    assert ask(anna, "Task where buddy is None and about is None") == ["task-p"]
    assert ask(anna, "Task where buddy.name is 'task-q'") == []
    assert ask(anna, "Task where id in (select buddy.id from Task)") == []
    assert ask(anna, "Status") == ["done"]
    assert ask(anna, "Tag where tasks.name is 'task-q'") == []
    assert ask(anna, "Tag where tasks any (id is 'task-q')") == []
    assert ask(anna, "Project where name is 'q'") == []
    page = anna.select(parse("select buddy, about, tags.tasks, buddy.name from Task"), 10)
    assert [list(map(tuple, block.rows)) for block in page.records] == [
        [("task-p", 2, None, None, ["tag"])],
        [("tag", 1, ["task-p"])],
    ]
    assert anna.aggregate(Aggregate(parse("Task"), (("count", None), ("count", Path.of("buddy"))))) == [(1, 0)]


def test_links_end_where_a_parent_is_hidden() -> None:
    """The names of hidden parents are in no link."""
    document = {**DOCUMENT, "types": {**DOCUMENT["types"]}}
    node = document["types"]["Node"]
    attributes = {**node["attributes"], "link": {"type": "json", "computed": "link"}}
    document["types"]["Node"] = {**node, "attributes": attributes}
    with Service.open("memory:", document) as service:
        service.roles.add("tasks", ["read:Task"])
        service.accounts.add("anna", "tasks")
        backend = service.backend("admin")
        backend.commit(ChangeSet("1", (project("p"), shot("s", P), task("t", Identity("Shot", "s")))))
        page = service.backend("anna").select(parse("select link from Task"), 10)
        assert page.records[0].rows[0][2] == [{"id": "t", "name": "t", "type": "Task"}]


def test_nothing_is_paid_where_nothing_is_hidden(two: Studio) -> None:
    """For an account that may read everything, the statements are an administrator's, to the letter."""
    said: list[str] = []

    def listen(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    queries = [
        "select name, parent.name, children.name, tags.tasks, status.name from Task where parent.children any "
        "(name is x) and id in (select task.id from Version) order by project.name",
        "Node",
        "select task.parent from Version",
    ]
    heard: list[list[str]] = []
    for name, role in (("admin", ""), ("ben", "user"), ("carl", "reader")):
        backend = two.service.backend("admin") if name == "admin" else account(two, name, role)
        backend.describe()
        engine = two.store.database._connection.engine  # type: ignore[attr-defined]
        event.listen(engine, "before_cursor_execute", listen)
        try:
            for text in queries:
                backend.select(parse(text), 10)
            asked = parse("Task where parent.name is x")
            backend.aggregate(Aggregate(asked, (("count", None),), (Path.of("status"),)))
            if role != "reader":
                backend.commit(ChangeSet(f"by-{name}", (Update(Identity("Task", "task-p"), {"note": name}),)))
        finally:
            event.remove(engine, "before_cursor_execute", listen)
        heard.append([text for text in said if "_log" not in text])
        said.clear()
    assert heard[0] == heard[1]
    assert heard[0][: len(heard[2])] == heard[2]
    assert not any("_grant" in text or "_account" in text for text in heard[1])


# Writing


def refusal(backend: Any, *operations: Operation, **options: Any) -> ServerError:
    with pytest.raises(ServerError) as caught:
        backend.commit(ChangeSet(f"refused-{random.random()}", operations, **options))
    return caught.value


def test_writing_out_of_bounds(two: Studio) -> None:
    """What is hidden is not found; what is created elsewhere, or moved there, is forbidden."""
    two.service.roles.add("eyes", ["read:*"])
    anna = account(two, "anna", p="crew", q="eyes")
    mine, other = Identity("Task", "task-p"), Identity("Task", "task-q")
    anna.commit(ChangeSet("1", (Update(mine, {"note": "x"}),)))
    for operations, match in (
        ((Update(other, {"note": "x"}),), r"operation 0: `anna` may not update Task task-q"),
        ((Update(mine, {"note": "y"}), Delete(other)), r"operation 1: `anna` may not delete Task task-q"),
        ((task("new", Q),), r"operation 0: `anna` may not create Task new here"),
        ((task("new"),), r"`anna` may not create Task new here"),
        ((project("r"),), r"`anna` may not create Project r here"),
        ((status("late"),), r"`anna` may not create Status late"),
        ((Update(mine, {"parent": Q}),), r"`anna` may not update Task task-p here"),
        ((Create(Identity("Version", "v"), {"task": other}),), r"may not create Version v here"),
    ):
        error = refusal(anna, *operations)
        assert isinstance(error, Forbidden), error
        assert re.search(match, str(error)), error
    assert two.value(mine, "note") == "x"
    inside = Identity("Shot", "s")
    anna.commit(ChangeSet("2", (shot("s", P), task("t", inside), Update(mine, {"parent": inside}))))
    anna.commit(ChangeSet("3", (Create(Identity("Version", "v"), {"task": mine}), Delete(Identity("Task", "t")))))


def test_hidden_is_told_as_missing(two: Studio) -> None:
    """Word for word, and in every field, as of a key that was never there."""
    two.commit(task("gone", Q))
    two.commit(Delete(Identity("Task", "gone")))
    anna = account(two, "anna", p="crew")
    mine = Identity("Task", "task-p")

    def told(key: str, *operations: Operation) -> tuple[Any, ...]:
        error = refusal(anna, *operations)
        return tuple(
            repr(each).replace(key, "KEY")
            for each in (type(error), str(error), error.operation, error.entity, error.attribute, error.details)
        )

    def attempts(key: str) -> list[tuple[Operation, ...]]:
        it = Identity("Task", key)
        return [
            (Update(it, {"note": "x"}),),
            (Update(it, {"note": "x"}, {"note": "y"}, version=7),),
            (Delete(it),),
            (Delete(it, 9),),
            (Update(mine, {"buddy": it}),),
            (Update(mine, {"about": it}),),
            (task("new", P, buddy=it),),
            (Create(Identity("Version", "new"), {"task": it}),),
            (Create(Identity("Tag", "new"), {}, {"tasks": (it,)}), Update(mine, {"note": "x"})),
            (Delete(Identity("Shot", "shot-p")), Update(it, {"note": "x"})),
        ]

    for hidden, missing, deleted in zip(attempts("task-q"), attempts("never"), attempts("gone")):
        assert told("task-q", *hidden) == told("never", *missing) == told("gone", *deleted)


def test_conflicts_do_not_show_what_is_hidden(two: Studio) -> None:
    """A reference to something hidden is None to the account, in a conflict, too, and can be overwritten."""
    mine = Identity("Task", "task-p")
    two.commit(Update(mine, {"buddy": Identity("Task", "task-q")}))
    two.commit(task("pal", P), Update(mine, {"note": "theirs"}))
    anna = account(two, "anna", p="crew")
    pal = Identity("Task", "pal")
    error = refusal(anna, Update(mine, {"buddy": None, "note": "ours"}, {"buddy": pal, "note": "base"}, version=1))
    assert isinstance(error, Conflict)
    assert [(each["attribute"], each["theirs"]) for each in error.details["conflicts"]] == [("note", "theirs")]
    error = refusal(anna, Update(mine, {"buddy": mine}, {"buddy": pal}, version=1))
    assert [each["theirs"] for each in error.details["conflicts"]] == [None]
    anna.commit(ChangeSet("over", (Update(mine, {"buddy": pal}, {"buddy": None}, version=1),)))
    assert two.value(mine, "buddy") == "pal"


def test_what_a_delete_lets_go_of(two: Studio) -> None:
    """References to it are emptied, seen or not; the answer names none that is hidden."""
    mine, near, far = Identity("Task", "task-p"), Identity("Task", "near"), Identity("Task", "task-q")
    two.commit(task("near", P, buddy=mine), Update(far, {"buddy": mine}))
    result = account(two, "anna", p="crew").commit(ChangeSet("1", (Delete(mine),)))
    assert result.touched == (Touched(near, 2, ("buddy",)),)
    assert two.value(far, "buddy") is None


def test_what_goes_with_a_delete(two: Studio) -> None:
    """Parts go with the whole, seen or not; the answer and the errors name none that is hidden."""
    two.service.roles.add("lead", ["read,delete:Task", "read,delete:Status"])
    two.commit(Update(Identity("Shot", "shot-p"), {"name": "s"}), task("free", P, status=Identity("Status", "done")))
    anna = account(two, "anna", "lead")
    result = anna.commit(ChangeSet("1", (Delete(Identity("Task", "task-p")),)))
    assert result.deleted == ()
    assert two.row(Identity("Version", "version-p")) is None
    two.service.accounts.set_role("anna", "guest")
    two.service.roles.add("statuses", ["read,delete:Status"])
    two.service.roles.grant("anna", "statuses")
    error = refusal(anna, Delete(Identity("Status", "done")))
    assert str(error) == "operation 0: Status done cannot be deleted: it is referred to; delete or change that first"
    assert error.attribute is None


def test_a_taken_key_or_name_tells_no_more_than_that(two: Studio) -> None:
    """Keys and unique values are shared by all; what holds them is not told."""
    two.service.roles.add("statuses", ["create,read:Status,!Shot", "create:Task"])
    two.service.roles.add("blind", ["create:Status", "create:Task"])
    anna = account(two, "anna", "blind")
    error = refusal(anna, status("late", name="done"))
    assert str(error) == "operation 0: Status with name 'done' exists already; it must be unique"
    error = refusal(anna, task("shot-p"))
    assert str(error) == "operation 0: Task shot-p exists already; use a new key"


def test_members_that_are_hidden(two: Studio) -> None:
    """They cannot be taken out of a collection by who does not see them, and stay."""
    mine, watcher = Identity("Task", "task-p"), Identity("User", "u")
    two.commit(Update(mine, {}, added={"watchers": (watcher,)}))
    two.service.roles.add("blind", ["read,update:Node"])
    anna = account(two, "anna", "blind")
    anna.commit(ChangeSet("1", (Update(mine, {}, removed={"watchers": (watcher,)}),)))
    assert two.links("_link_Task_watchers") == {("task-p", "u")}
    error = refusal(anna, Update(mine, {}, added={"watchers": (watcher,)}))
    assert str(error) == "operation 0: there is no User u to add to Task.watchers"


def test_history_is_of_what_may_be_read(two: Studio) -> None:
    """Commits and histories tell of readable entities only."""
    anna = account(two, "anna", p="crew")
    told = repr(anna.call("commits", {})) + repr(anna.call("history", {"entity_type": "Task", "key": "task-p"}))
    assert "task-p" in told
    for hidden in ("task-q", "shot-q", "version-q"):
        assert hidden not in told
        assert hidden not in repr(anna.call("history", {"entity_type": "Task", "key": hidden})["commits"])


def test_the_cost_of_queries_is_bounded(two: Studio) -> None:
    """At the bound a query is answered, one step beyond it is refused before the database sees it."""
    admin = two.service.backend("admin")
    few = " or ".join(f"name is x{number}" for number in range(500))
    assert ask(admin, f"Task where {few}") == []
    ways = ("buddy", "parent[Task]")
    paths = [".".join(ways[number >> place & 1] for place in (4, 3, 2, 1, 0)) for number in range(32)]
    some = " or ".join(f"{path}.note is x" for path in paths[:12])
    assert ask(admin, f"Task where {some}") == []
    # An account with permissions to look at joins twice as much for a cast, and SQLite takes that, too.
    assert ask(account(two, "anna", p="crew"), f"Task where {some}") == []
    for text, what in (
        (f"Task where {few} or name is y", "500 comparisons"),
        ("Task where " + " or ".join(["id in (select id from Task)"] * 101), "100 queries"),
        ("Task where " + " or ".join(f"{path}.note is x" for path in paths), "30 different relations"),
    ):
        with pytest.raises(TooLarge, match=what):
            ask(admin, text)
