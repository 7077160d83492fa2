"""What every dialect must do, as tests that a dialect's author inherits.

Write a subclass, give it a fixture ``session_factory``, and pytest finds the rest::

    @pytest.fixture(scope="module")
    def server():
        with my_server() as server:
            yield server

    class TestMyDialect(DialectContract):
        @pytest.fixture
        def session_factory(self, server):
            return lambda: Session(server.url, api_key=server.key, dialect="mine")

The factory gives a new session on one and the same server each time. The server holds the production
schema, or one of the author's own that has at least `REQUIRED`; what else is in it does not matter, and the
tests leave behind what they made. A test of what the server's `Features` do not promise is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from callsheet.errors import CommitError, ConflictError, Invalid, MultipleResults, NoResult, NotFound, ServerError
from callsheet.model.operation import ChangeSet, Create, Operation, Update
from callsheet.model.record import Identity, new_key
from callsheet.session.blocking import Session

__all__ = ["REQUIRED", "DialectContract"]

#: The types and attributes the contract uses. Only ``name`` and ``parent`` may be required on create.
REQUIRED: dict[str, tuple[str, ...]] = {
    "Project": ("name", "full_name", "is_private", "lifecycle", "fps", "children", "tags", "metadata"),
    "Shot": ("name", "parent", "fstart", "children", "metadata"),
    "Task": ("name", "parent", "bid", "due_date", "description", "tags"),
    "Tag": ("name", "contexts"),
    "Location": ("name", "accessor"),
    "CalendarEvent": ("name", "start", "end"),
}

VALUES: list[tuple[str, str, Any]] = [
    ("Shot", "description", ""),
    ("Shot", "description", "quotes \" and ' and \\ and %_* and a\nline"),
    ("Shot", "description", "žluťoučký 東京 🎬 e\u0301"),
    ("Shot", "description", "x" * 10_000),
    ("Shot", "description", None),
    ("Shot", "fstart", 0),
    ("Shot", "fstart", -(2**63)),
    ("Shot", "fstart", 2**63 - 1),
    ("Project", "fps", 23.976),
    ("Project", "fps", 1e-300),
    ("Project", "fps", None),
    ("Project", "is_private", True),
    ("Project", "is_private", False),
    ("Project", "lifecycle", "archived"),
    ("Shot", "due_date", date(1, 1, 1)),
    ("Shot", "due_date", date(9999, 12, 31)),
    ("Location", "accessor", None),
    ("Location", "accessor", []),
    ("Location", "accessor", {"a": [1, 2.5, True, None, {"b": "ž"}], "1": {}, "": ""}),
    ("CalendarEvent", "start", datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)),
    ("CalendarEvent", "start", datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))),
    ("CalendarEvent", "start", datetime(1970, 1, 1, tzinfo=UTC)),
]

#: Conditions on the tasks of ``cut``, and the names of those that fulfil them, in the order of their names.
CONDITIONS: list[tuple[str, str]] = [
    ("bid = 2", "b"),
    ("bid is 2", "b"),
    ("bid != 2", "a c d"),
    ("bid is_not 2", "a c d"),
    ("bid < 2", "a"),
    ("bid <= 2", "a b"),
    ("bid > 2", "c"),
    ("bid >= 2", "b c"),
    ("bid in (1, 3)", "a c"),
    ("bid not_in (1, 3)", "b d"),
    ("description is None", "d"),
    ("description is_not None", "a b c"),
    ('description like "o%"', "a"),
    ('description not_like "o%"', "b c d"),
    ("description is tw_", ""),
    ("due_date before 2026-01-02", "a"),
    ("due_date after 2026-01-02", "c"),
    ("due_date = 2026-01-02", "b"),
    ("bid = 1 or bid = 3", "a c"),
    ("bid >= 1 and not bid = 2", "a c"),
    ("not (bid = 1 or bid = 2)", "c d"),
    ("parent.name is sh1", "a b"),
    ("parent[Shot].fstart >= 1002", "c d"),
    ("parent in (select id from Shot where fstart = 1001)", "a b"),
    ("tags any (name is {mark})", "a"),
    ("tags.name is {mark}", "a"),
    ("tags any ()", "a"),
]


class DialectContract:
    """The tests; see the module's text for how to inherit them."""

    @pytest.fixture
    def session(self, session_factory: Callable[[], Session]) -> Iterator[Session]:
        """A session that knows nothing yet."""
        with session_factory() as session:
            yield session

    @pytest.fixture
    def other(self, session_factory: Callable[[], Session]) -> Iterator[Session]:
        """Somebody else."""
        with session_factory() as session:
            yield session

    @pytest.fixture
    def project(self, session: Session) -> Any:
        """A project that is committed; its name is like no other."""
        project = session.create("Project", {"name": mark()})
        session.commit()
        return project

    @pytest.fixture
    def cut(self, session: Session, project: Any) -> Any:
        """The project, with two shots and four tasks; the last task has nothing but a name and no bid."""
        one = session.create("Shot", {"name": "sh1", "parent": project, "fstart": 1001})
        two = session.create("Shot", {"name": "sh2", "parent": project, "fstart": 1002})
        days = {"a": (1.0, "one", 1), "b": (2.0, "two", 2), "c": (3.0, "three", 3)}
        for name, (bid, description, day) in days.items():
            values = {"bid": bid, "description": description, "due_date": date(2026, 1, day)}
            session.create("Task", {"name": name, "parent": one if name in "ab" else two, **values})
        session.create("Task", {"name": "d", "parent": two, "bid": None})
        tag = session.create("Tag", {"name": project["name"]})
        session.commit()
        first = session.query(f"Task where name is a and parent.parent.id is {project.id}").one()
        first["tags"].append(tag)
        session.commit()
        return project

    # -- opening -----------------------------------------------------------------------------------------

    def test_opening_tells_who_the_server_is(self, session: Session) -> None:
        """Its schema has what the contract uses, its clock a time zone, its limits are positive."""
        told = session.open()
        assert told.server
        assert told.time.tzinfo is not None
        features = told.features
        assert min(features.operations, features.bytes, features.rows, features.literals) > 0
        for name, attributes in REQUIRED.items():
            assert set(attributes) <= set(session.schema.types[name].attributes), name

    def test_a_schema_that_is_known_is_not_sent_again(self, session: Session) -> None:
        """Its hash says so."""
        told = session.open()
        again = session.run(session._dialect.describe(told.schema_hash))
        assert again.schema_hash == told.schema_hash
        assert again.schema is None or again.schema.hash == told.schema_hash

    # -- create, read, update, delete --------------------------------------------------------------------

    def test_what_is_created_is_there_for_others(self, session: Session, other: Session) -> None:
        """With the same key, type and values."""
        project = session.create("Project", {"name": mark(), "full_name": "Sintel"})
        session.commit()
        found = other.get("Project", project.id)
        assert (found.identity, found["full_name"]) == (project.identity, "Sintel")

    def test_an_update_changes_what_it_names(self, session: Session, other: Session, project: Any) -> None:
        """And nothing else."""
        project["full_name"] = "Changed"
        session.commit()
        found = other.get("Project", project.id)
        assert (found["full_name"], found["name"]) == ("Changed", project["name"])
        project["full_name"] = None
        session.commit()
        other.refresh(found)
        assert found["full_name"] is None

    def test_a_deleted_entity_is_gone(self, session: Session, other: Session, project: Any) -> None:
        """For everybody."""
        session.delete(project)
        session.commit()
        assert project.state == "detached"
        assert other.get("Project", project.id) is None
        assert other.query(f'Project where id is "{project.id}"').count() == 0

    def test_a_delete_takes_along_what_hangs_from_it(self, session: Session, other: Session, cut: Any) -> None:
        """The shots and tasks of a project go with it, in the answer and on the server."""
        tasks = session.query(f"Task where parent.parent.id is {cut.id}").all()
        assert len(tasks) == 4
        session.delete(cut)
        session.commit()
        assert {task.state for task in tasks} == {"detached"}
        assert other.query(f"Task where id in ({', '.join(task.id for task in tasks)})").count() == 0

    @pytest.mark.parametrize(("entity_type", "attribute", "value"), VALUES)
    def test_a_value_comes_back_as_it_went(
        self, session: Session, other: Session, entity_type: str, attribute: str, value: Any
    ) -> None:
        """Of every kind, of the same type, in a create and in an update alike."""
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        needed: dict[str, dict[str, Any]] = {"CalendarEvent": {"start": moment, "end": moment}}
        data = {"name": mark(), **needed.get(entity_type, {})}
        if entity_type == "Shot":
            data["parent"] = session.create("Project", {"name": mark()})
        created = session.create(entity_type, {**data, attribute: value})
        updated = session.create(entity_type, {**data, "name": mark()})
        session.commit()
        updated[attribute] = value
        session.commit()
        for entity in (created, updated):
            found = other.get(entity_type, entity.id)[attribute]
            assert found == value
            if not isinstance(value, dict | list):
                assert type(found) is type(value)

    # -- a batch -----------------------------------------------------------------------------------------

    def test_a_batch_may_refer_to_what_it_creates(self, session: Session, other: Session) -> None:
        """In any order, chains included."""
        project = session.create("Project", {"name": mark()})
        other_project = session.create("Project", {"name": mark()})
        shot = session.create("Shot", {"name": "sh1", "parent": other_project})
        task = session.create("Task", {"name": "t", "parent": shot})
        shot["parent"] = project
        tag = session.create("Tag", {"name": mark()})
        project["tags"].append(tag)
        session.commit()
        found = other.get("Task", task.id)
        assert found["parent"]["parent"].id == project.id
        assert [member["name"] for member in found["parent"]["parent"]["tags"]] == [tag["name"]]

    def test_a_batch_is_done_in_the_order_of_the_script(self, session: Session, other: Session, cut: Any) -> None:
        """What is moved away first does not go with the delete."""
        one, two = session.query(f"Shot where parent.id is {cut.id} order by name").all()
        saved = session.query(f"Task where parent.id is {one.id} and name is a").one()
        saved["parent"] = two
        session.delete(one)
        session.commit()
        assert [task["name"] for task in other.query(f"Task where parent.id is {two.id} order by name")] == [
            "a",
            "c",
            "d",
        ]

    def test_a_batch_is_done_whole_or_not_at_all(self, session: Session, other: Session, project: Any) -> None:
        """One operation is wrong: nothing happens, and the error names it."""
        if not session.features.atomic:
            pytest.skip("this server's batches are not atomic")
        good = session.create("Shot", {"name": "good", "parent": project})
        bad = session.create("Shot", {"name": "bad"})
        project["full_name"] = "changed"
        pending = session.pending
        with pytest.raises(CommitError) as caught:
            session.commit()
        assert caught.value.entity == bad.identity
        assert caught.value.operation == pending[caught.value.index or 0]
        assert session.pending == pending
        assert other.get("Shot", good.id) is None
        assert other.get("Project", project.id)["full_name"] is None
        bad["parent"] = project
        session.commit()
        assert other.get("Shot", bad.id)["name"] == "bad"

    def test_a_refusal_tells_operation_entity_and_attribute(self, session: Session, project: Any) -> None:
        """As a `ServerError` of the right kind, whatever the wire."""
        nothing = Identity("Project", new_key())
        operations = [Update(project.identity, {"full_name": "x"}), Update(nothing, {"full_name": "x"})]
        with pytest.raises(NotFound) as missing:
            send(session, new_key(), *operations)
        assert (missing.value.operation, missing.value.entity) == (1, tuple(nothing))
        shot = Create(Identity("Shot", new_key()), {"name": "s", "parent": nothing})
        with pytest.raises(Invalid) as invalid:
            send(session, new_key(), operations[0], shot)
        assert (invalid.value.operation, invalid.value.attribute) == (1, "parent")

    def test_an_unknown_action_is_refused(self, session: Session) -> None:
        """Not ignored."""
        session.open()
        with pytest.raises(ServerError):
            session.call("no.such.action")

    # -- exactly once ------------------------------------------------------------------------------------

    def test_a_commit_that_is_sent_again_is_done_once(self, session: Session, other: Session, project: Any) -> None:
        """Its first answer comes back."""
        self._needs(session, "commit_ids")
        commit_id, tag = new_key(), Create(Identity("Tag", new_key()), {"name": mark()})
        first = send(session, commit_id, tag, Update(project.identity, {"full_name": "once"}))
        project["full_name"] = "later"
        session.commit("ours")
        again = send(session, commit_id, tag, Update(project.identity, {"full_name": "once"}))
        assert (again.versions, again.position) == (first.versions, first.position)
        assert (first.replayed, again.replayed) == (False, True)
        assert other.get("Project", project.id)["full_name"] == "later"

    def test_a_commit_id_names_one_change_set(self, session: Session, project: Any) -> None:
        """Other operations under the same id are refused."""
        self._needs(session, "commit_ids")
        commit_id = new_key()
        send(session, commit_id, Update(project.identity, {"full_name": "a"}))
        with pytest.raises(Invalid):
            send(session, commit_id, Update(project.identity, {"full_name": "b"}))

    def test_a_commit_in_parts_is_one_commit(self, session: Session, other: Session) -> None:
        """Parts that are staged do nothing before the last request; a part may be sent twice."""
        self._needs(session, "staging")
        session.open()
        tags = [Create(Identity("Tag", new_key()), {"name": mark()}) for _ in range(3)]
        commit_id = new_key()
        for number in (0, 1, 1):
            session.run(session._dialect.stage(commit_id, number, tags[number : number + 1]))
        assert other.get("Tag", tags[0].identity.key) is None
        result = session.run(session._dialect.commit(ChangeSet(commit_id, tuple(tags[2:]), parts=2)))
        assert list(result.versions) == [1, 1, 1]
        assert [other.get("Tag", tag.identity.key)["name"] for tag in tags] == [tag.values["name"] for tag in tags]

    # -- other people ------------------------------------------------------------------------------------

    def test_a_conflict_tells_base_ours_and_theirs(self, session: Session, other: Session, project: Any) -> None:
        """Nothing is written; and the policy decides the next time."""
        self._needs(session, "versions")
        session.populate(project, "full_name")
        self._change_elsewhere(other, project)
        project["full_name"] = "ours"
        with pytest.raises(ConflictError) as caught:
            session.commit()
        (conflict,) = caught.value.conflicts
        assert (conflict.identity, conflict.attribute) == (project.identity, "full_name")
        assert (conflict.base, conflict.ours, conflict.theirs) == (None, "ours", "theirs")
        assert other.query(f"Project where id is {project.id}").one()["full_name"] == "theirs"

    @pytest.mark.parametrize("policy", ["ours", "theirs"])
    def test_a_policy_decides_a_conflict(self, session: Session, other: Session, project: Any, policy: str) -> None:
        """Per attribute; the session shows what stands."""
        self._needs(session, "versions")
        session.populate(project, "full_name")
        found = self._change_elsewhere(other, project)
        project["full_name"], project["fps"] = "ours", 25.0
        session.commit(policy)
        assert (project["full_name"], project["fps"]) == (policy, 25.0)
        other.refresh(found)
        assert (found["full_name"], found["fps"]) == (policy, 25.0)

    def test_changes_of_different_attributes_do_not_meet(self, session: Session, other: Session, project: Any) -> None:
        """Both stand."""
        found = self._change_elsewhere(other, project)
        project["fps"] = 25.0
        session.commit()
        assert (project["full_name"], project["fps"]) == ("theirs", 25.0)
        other.refresh(found)
        assert (found["full_name"], found["fps"]) == ("theirs", 25.0)

    def test_every_commit_raises_the_version_by_one(self, session: Session, project: Any) -> None:
        """However many attributes it changes."""
        self._needs(session, "versions")
        project["full_name"], project["fps"] = "a", 25.0
        second = session.commit()
        project["full_name"] = "b"
        third = session.commit()
        assert second is not None
        assert third is not None
        assert (list(second.versions), list(third.versions)) == ([2], [3])

    # -- queries -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("condition", "names"), CONDITIONS)
    def test_a_condition_selects(self, session: Session, cut: Any, condition: str, names: str) -> None:
        """Every operator, paths, casts, sub-queries; what has no value fulfils no comparison."""
        condition = condition.format(mark=f'"{cut["name"]}"')
        text = f"select name from Task where parent.parent.id is {cut.id} and ({condition}) order by name"
        assert " ".join(task["name"] for task in session.query(text)) == names

    def test_results_are_ordered(self, session: Session, cut: Any) -> None:
        """No value comes first, or last when descending; through references, too."""
        start = f"select name from Task where parent.parent.id is {cut.id}"
        for order, names in (
            ("bid", "dabc"),
            ("bid descending", "cbad"),
            ("parent.name descending, name", "cdab"),
            ("name limit 2 offset 1", "bc"),
        ):
            assert "".join(task["name"] for task in session.query(f"{start} order by {order}")) == names

    def test_one_is_one(self, session: Session, cut: Any) -> None:
        """Not none, and not several."""
        assert session.query(f"Shot where parent.id is {cut.id} and name is sh1").one()["fstart"] == 1001
        with pytest.raises(NoResult):
            session.query(f"Shot where parent.id is {cut.id} and name is sh9").one()
        with pytest.raises(MultipleResults):
            session.query(f"Shot where parent.id is {cut.id}").one()

    @pytest.mark.parametrize("order", ["", "order by fstart", "order by fstart descending", "order by name"])
    def test_pages_skip_and_double_nothing(self, session: Session, other: Session, project: Any, order: str) -> None:
        """Also while others add and delete between the pages."""
        names = [f"sh{number:02}" for number in range(20)]
        for number, name in enumerate(names):
            session.create("Shot", {"name": name, "parent": project, "fstart": number % 3})
        session.commit()
        where = f"where parent.id is {project.id}"
        found = []
        for turn, record in enumerate(session.query(f"select name from Shot {where} {order}", page_size=4).records()):
            found.append(record["name"])
            if turn % 4 == 1:
                parent = other.get("Project", project.id)
                other.create("Shot", {"name": f"new{turn:02}", "parent": parent, "fstart": turn % 3})
                other.delete(other.query(f"Shot {where} and name is {record['name']}").one())
                other.commit()
        old = [name for name in found if name.startswith("sh")]
        assert sorted(old) == names
        assert len(set(found)) == len(found)

    def test_projections_bring_along_what_they_name(self, session: Session, other: Session, cut: Any) -> None:
        """Through references and collections; nothing is fetched afterwards."""
        paths = "name, parent.name, parent.parent[Project].full_name, parent.children[Task].bid, tags.name"
        tasks = other.query(f"select {paths} from Task where parent.parent.id is {cut.id} order by name").all()
        with other.auto_populating("strict"):
            assert [task["parent"]["name"] for task in tasks] == ["sh1", "sh1", "sh2", "sh2"]
            assert tasks[0]["parent"]["parent"]["full_name"] is None
            assert sorted(member["bid"] for member in tasks[0]["parent"]["children"]) == [1.0, 2.0]
            assert [tag["name"] for tag in tasks[0]["tags"]] == [cut["name"]]
            assert list(tasks[1]["tags"]) == []

    def test_subtypes_come_with_their_supertype(self, session: Session, other: Session, cut: Any) -> None:
        """As entities of their own types, with the attributes of these."""
        supertype = session.schema.types["Shot"].root
        if supertype == "Shot":
            pytest.skip("Shot has no supertype here")
        found = other.query(f"{supertype} where parent.id is {cut.id}").all()
        assert {entity.entity_type for entity in found} == {"Shot"}
        assert sorted(entity["fstart"] for entity in found) == [1001, 1002]

    def test_numbers_by_group(self, session: Session, cut: Any) -> None:
        """Counted and added up by the server."""
        self._needs(session, "aggregate")
        query = session.query("Task").where(f"parent.parent.id is {cut.id}")
        assert query.count() == 4
        rows = query.aggregate("count", "sum(bid)", "maximum(bid)", group_by=["parent.name"])
        assert sorted(map(repr, (tuple(row.values()) for row in rows))) == [
            "('sh1', 2, 3.0, 2.0)",
            "('sh2', 2, 3.0, 3.0)",
        ]

    # -- mappings and collections ------------------------------------------------------------------------

    def test_items_of_a_mapping_are_written_one_by_one(self, session: Session, other: Session, project: Any) -> None:
        """Two writers of different items do not meet; None removes one."""
        found = other.get("Project", project.id)
        project["metadata"]["ours"] = "1"
        project["metadata"]["both"] = "ours"
        session.commit()
        found["metadata"]["theirs"] = '2 = two; "quoted"'
        other.commit()
        session.refresh(project)
        assert dict(project["metadata"]) == {"ours": "1", "both": "ours", "theirs": '2 = two; "quoted"'}
        project["metadata"]["both"] = None
        del project["metadata"]["theirs"]
        session.commit()
        other.refresh(found)
        assert dict(found["metadata"]) == {"ours": "1"}

    def test_a_mapping_comes_with_a_create(self, session: Session, other: Session) -> None:
        """And can be asked for by item."""
        name = mark()
        session.create("Project", {"name": name, "metadata": {"show": name, "with space": "x"}})
        session.commit()
        (found,) = other.query(f'Project where metadata.show is "{name}"').all()
        assert dict(found["metadata"]) == {"show": name, "with space": "x"}

    def test_members_travel_as_added_and_removed(self, session: Session, other: Session, project: Any) -> None:
        """Two writers add beside each other, without having loaded anything; and both sides agree."""
        tags = [session.create("Tag", {"name": mark()}) for _ in range(3)]
        session.commit()
        found, theirs = other.get("Project", project.id), other.get("Tag", tags[1].id)
        project["tags"].append(tags[0])
        found["tags"].append(theirs)
        other.commit()
        session.commit()
        session.refresh(project)
        assert {tag.id for tag in session.fork().get("Project", project.id)["tags"]} == {tags[0].id, tags[1].id}
        tags[2]["contexts"].append(project)
        project["tags"].remove(tags[0])
        session.commit()
        fresh = other.fork()
        assert {tag.id for tag in fresh.get("Project", project.id)["tags"]} == {tags[1].id, tags[2].id}
        assert [context.id for context in fresh.get("Tag", tags[2].id)["contexts"]] == [project.id]
        assert list(fresh.get("Tag", tags[0].id)["contexts"]) == []

    def test_a_child_changes_parents_from_either_side(self, session: Session, other: Session, cut: Any) -> None:
        """By its reference, or by the collection it joins."""
        one, two = session.query(f"Shot where parent.id is {cut.id} order by name").all()
        a, b = session.query(f"Task where parent.id is {one.id} order by name").all()
        a["parent"] = two
        two["children"].append(b)
        session.commit()
        assert list(other.get("Shot", one.id)["children"]) == []
        assert {task["name"] for task in other.get("Shot", two.id)["children"]} == {"a", "b", "c", "d"}

    # -- what the tests share ----------------------------------------------------------------------------

    @staticmethod
    def _needs(session: Session, feature: str) -> None:
        if not getattr(session.features, feature):
            pytest.skip(f"this server has no {feature}")

    @staticmethod
    def _change_elsewhere(other: Session, project: Any) -> Any:
        found = other.get("Project", project.id)
        found["full_name"] = "theirs"
        other.commit()
        return found


def mark() -> str:
    """A name like no other."""
    return f"contract-{new_key()}"


def send(session: Session, commit_id: str, *operations: Operation) -> Any:
    """Commit these under an id of one's own, past the session's unit of work."""
    session.open()
    return session.run(session._dialect.commit(ChangeSet(commit_id, operations)))
