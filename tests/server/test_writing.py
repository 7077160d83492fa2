"""What a commit does, rule by rule."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from attrs import evolve
from studio import Create, Delete, Identity, Studio, Update, open_studio, project, shot, status, task, update

from callsheet.dialects.protocol import Touched
from callsheet.errors import Conflict, Invalid, NotFound, TooLarge
from callsheet.model.adjustment import Adjustment, increment

P, Q = Identity("Project", "p"), Identity("Project", "q")
S, R = Identity("Shot", "s"), Identity("Shot", "r")
A, B = Identity("Task", "a"), Identity("Task", "b")
DONE, OPEN = Identity("Status", "done"), Identity("Status", "open")
TAG = Identity("Tag", "t")
USER = Identity("User", "u")


def conflicts(error: pytest.ExceptionInfo[Conflict]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = error.value.details["conflicts"]
    return found


class TestValues:
    def test_a_create_is_stored_with_defaults(self, studio: Studio) -> None:
        """Values given are there, absent attributes have their defaults, the version is 1."""
        result = studio.commit(project("p"), shot("s", P), task("a", S, bid=3, due=date(2026, 6, 1), data={"k": (1,)}))
        row = studio.row(A)
        assert row is not None
        assert (row["bid"], row["due"], row["data"]) == (3.0, date(2026, 6, 1), {"k": [1]})
        assert (row["_type"], row["_version"], row["_commit"]) == ("Task", 1, 1)
        assert row["started"] == datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
        assert studio.value(S, "fps") == 24.0
        assert (result.position, tuple(result.versions)) == (1, (1, 1, 1))

    def test_versions_rise_once_per_commit(self, studio: Studio) -> None:
        """Two updates of one entity in one commit make one version; the next commit another."""
        studio.commit(task("a"))
        assert studio.commit(update(A, bid=1), update(A, note="x")).versions == (2, 2)
        assert studio.commit(update(A, bid=2)).versions == (3,)
        assert studio.value(A, "_version") == 3

    def test_a_create_and_its_update_in_one_batch(self, studio: Studio) -> None:
        """Later operations see what earlier ones wrote, and the row is written once, with version 1."""
        assert studio.commit(task("a", bid=1), update(A, bid=2)).versions == (1, 1)
        assert studio.value(A, "bid") == 2.0

    def test_born_and_dead_in_one_batch(self, studio: Studio) -> None:
        """What is created and deleted in one batch leaves nothing."""
        result = studio.commit(task("a"), Delete(A))
        assert studio.row(A) is None
        assert result.versions == (None, None)
        assert studio.changes(1) == {}

    @pytest.mark.parametrize(
        ("operation", "attribute", "words"),
        [
            (task("a", nmae="x"), "nmae", "did you mean `name`"),
            (task("a", bid="3"), "bid", "takes a number"),
            (task("a", note="a\x00b"), "note", "U+0000"),
            (task("a", bid=float("inf")), "bid", "finite"),
            (task("a", project=P), "project", "computed"),
            (task("a", children=[B]), "children", "collection"),
            (task("a", metadata={"k": "v"}), "metadata", "metadata.<key>"),
            (task("a", status="done"), "status", "identity of a Status"),
            (task("a", status=B), "status", "takes a Status, not a Task"),
            (Create(Identity("Node", "n"), {"name": "n"}), None, "abstract"),
            (Create(Identity("Tsak", "n"), {"name": "n"}), None, "did you mean `Task`"),
            (Create(Identity("Task", ""), {"name": "n"}), "id", "a key is a string"),
            (Create(A, {"name": "n", "id": "b"}), "id", "not the key"),
            (Create(A, {"name": "n"}, {"children": (B,)}), "children", "Node.parent"),
            (Create(A, {"name": "n"}, {"name": (B,)}), "name", "not a collection"),
            (Create(A, {}), "name", "required"),
            (Create(A, {"name": None}), "name", "required"),
            (task("a", None, **{"custom_attributes.fps": 1}), "custom_attributes.fps", "no custom attribute"),
        ],
    )
    def test_wrong_shapes_are_refused(
        self, studio: Studio, operation: Create, attribute: str | None, words: str
    ) -> None:
        """The error names the operation, the entity and the attribute, and nothing is written."""
        with pytest.raises(Invalid, match=words.replace("+", r"\+")) as error:
            studio.commit(status("open"), operation)
        assert error.value.operation == 1
        assert error.value.entity == tuple(operation.identity)
        assert error.value.attribute == attribute
        assert studio.row(OPEN) is None

    def test_immutable_only_when_created(self, studio: Studio) -> None:
        """An immutable attribute is taken by the create and refused in an update."""
        studio.commit(task("a", code="X"))
        with pytest.raises(Invalid, match="only when it is created") as error:
            studio.commit(update(A, code="Y"))
        assert error.value.attribute == "code"

    def test_required_is_judged_at_the_end(self, studio: Studio) -> None:
        """A required attribute may be empty between two operations of a batch, not after it."""
        studio.commit(Create(A, {}), update(A, name="late"))
        assert studio.value(A, "name") == "late"
        with pytest.raises(Invalid, match=r"Task\.name is required"):
            studio.commit(update(A, name=None))

    def test_mappings_are_written_item_by_item(self, studio: Studio) -> None:
        """Items join what is there, None removes one, and a key may hold a dot."""
        studio.commit(task("a", None, **{"metadata.x": "1", "metadata.y.z": "2"}))
        studio.commit(Update(A, {"metadata.x": None, "metadata.w": "3"}))
        assert studio.value(A, "metadata") == {"y.z": "2", "w": "3"}

    def test_a_create_of_what_exists(self, studio: Studio) -> None:
        """A key is taken once in a family, whatever the type."""
        studio.commit(task("a"))
        with pytest.raises(Invalid, match="exists already") as error:
            studio.commit(shot("a"))
        assert error.value.attribute == "id"

    def test_a_supertype_names_the_entity_too(self, studio: Studio) -> None:
        """An entity answers to the types above its own, and to no other."""
        studio.commit(task("a"))
        studio.commit(Update(Identity("Node", "a"), {"name": "n"}))
        assert studio.value(A, "name") == "n"
        with pytest.raises(NotFound, match="it is a Task"):
            studio.commit(Update(Identity("Shot", "a"), {"name": "n"}))


class TestReferences:
    def test_references_to_what_is_created_later(self, studio: Studio) -> None:
        """A batch is judged as a whole, so its order does not matter to references."""
        studio.commit(task("a", S, status=DONE), shot("s", P), project("p"), status("done"))
        assert (studio.value(A, "parent"), studio.value(A, "parent__type")) == ("s", "Shot")
        assert studio.value(A, "project") == "p"

    def test_a_circle_of_references(self, studio: Studio) -> None:
        """Two entities may refer to each other from the start."""
        studio.commit(task("a", buddy=B), task("b", buddy=A))
        assert (studio.value(A, "buddy"), studio.value(B, "buddy")) == ("b", "a")

    def test_the_type_stored_is_that_of_the_row(self, studio: Studio) -> None:
        """A client may name the target type or a wrong one of its family; the row's own is kept."""
        studio.commit(shot("s"))
        studio.commit(task("a", about=Identity("Node", "s")), task("b", about=Identity("Task", "s")))
        assert studio.value(A, "about__type") == "Shot"
        assert studio.value(B, "about__type") == "Shot"

    def test_a_reference_to_nothing(self, studio: Studio) -> None:
        """A reference must name what exists; the error says where."""
        with pytest.raises(Invalid, match="Status nope does not exist") as error:
            studio.commit(task("b"), task("a", status=Identity("Status", "nope")))
        assert (error.value.operation, error.value.entity, error.value.attribute) == (1, ("Task", "a"), "status")

    def test_a_reference_to_another_type_of_the_family(self, studio: Studio) -> None:
        """The target's row must be of a type that the attribute takes."""
        studio.commit(shot("s"))
        with pytest.raises(Invalid, match="takes a Task; s is a Shot"):
            studio.commit(task("a", buddy=Identity("Task", "s")))

    def test_a_reference_to_what_the_batch_deleted(self, studio: Studio) -> None:
        """What was deleted before cannot be referred to after."""
        studio.commit(status("open"))
        with pytest.raises(Invalid, match="was deleted in this commit"):
            studio.commit(Delete(OPEN), task("a", status=OPEN))

    def test_foreign_keys_are_another_name(self, studio: Studio) -> None:
        """``status_id`` writes the reference ``status``."""
        studio.commit(status("open"), task("a", status_id=OPEN))
        assert studio.value(A, "status") == "open"


class TestUnique:
    def test_names_can_be_swapped(self, studio: Studio) -> None:
        """Uniqueness is judged by what the batch leaves behind."""
        studio.commit(status("open"), status("done"))
        studio.commit(update(OPEN, name="done"), update(DONE, name="open"))
        assert (studio.value(OPEN, "name"), studio.value(DONE, "name")) == ("done", "open")

    def test_a_taken_value(self, studio: Studio) -> None:
        """The same value is refused, from the database and within one batch."""
        studio.commit(status("open"))
        with pytest.raises(Invalid, match="'open' exists already") as error:
            studio.commit(status("x", name="open"))
        assert error.value.attribute == "name"
        with pytest.raises(Invalid, match="must be unique"):
            studio.commit(status("x", name="n"), status("y", name="n"))

    def test_a_value_given_up_in_the_batch(self, studio: Studio) -> None:
        """A value is free once its owner is deleted or has another."""
        studio.commit(status("open"), status("done"))
        studio.commit(Delete(OPEN), status("x", name="open"), update(DONE, name="d"), status("y", name="done"))
        assert studio.value(Identity("Status", "x"), "name") == "open"

    def test_combinations(self, studio: Studio) -> None:
        """Siblings differ by name, also those without a parent; the same name elsewhere is fine."""
        studio.commit(project("p"), shot("s", P), shot("r", P))
        studio.commit(task("a", S, name="comp"), task("b", R, name="comp"))
        with pytest.raises(Invalid, match="exists already"):
            studio.commit(task("c", S, name="comp"))
        with pytest.raises(Invalid, match="exists already"):
            studio.commit(shot("c", None, name="p"))
        with pytest.raises(Invalid, match="exists already"):
            studio.commit(update(B, parent=S))

    def test_none_is_no_value(self, studio: Studio) -> None:
        """Entities without any value of the combination do not collide."""
        studio.commit(Create(USER), Create(Identity("User", "v")))
        assert studio.row(USER) is not None


class TestDelete:
    def test_cascades_are_told(self, studio: Studio) -> None:
        """What goes with a delete goes recursively, and the answer lists it."""
        studio.commit(project("p"), shot("s", P), task("a", S), Create(Identity("Version", "v"), {"task": A}))
        result = studio.commit(Delete(P))
        assert set(result.deleted) == {S, A, Identity("Version", "v")}
        assert result.versions == (None,)
        assert [studio.row(each) for each in (P, S, A)] == [None, None, None]

    def test_a_delete_of_what_went_by_cascade(self, studio: Studio) -> None:
        """Deleting parent and child in one batch is fine in either order."""
        studio.commit(shot("s"), task("a", S), shot("r"), task("b", R))
        result = studio.commit(Delete(S), Delete(A), Delete(B), Delete(R))
        assert result.deleted == (A,)
        assert result.versions == (None, None, None, None)

    def test_what_moved_away_stays(self, studio: Studio) -> None:
        """A referrer that was re-pointed before the delete does not go with it."""
        studio.commit(shot("s"), shot("r"), task("a", S))
        assert studio.commit(update(A, parent=R), Delete(S)).deleted == ()
        assert studio.value(A, "parent") == "r"

    def test_what_moved_in_goes_too(self, studio: Studio) -> None:
        """A referrer that was re-pointed or created in the batch before the delete goes with it."""
        studio.commit(shot("s"), task("a"))
        result = studio.commit(update(A, parent=S), task("b", S), Delete(S))
        assert result.deleted == (A, B)
        assert studio.row(A) is None

    def test_what_is_let_go_of_is_told(self, studio: Studio) -> None:
        """Whose reference the delete empties, and its new version; also where the batch names it, unless it is set."""
        studio.commit(task("a"), task("b", buddy=A), task("c", buddy=A), task("d", buddy=A), task("e"))
        c, d, e = (Identity("Task", key) for key in "cde")
        result = studio.commit(Delete(A), update(c, bid=1), update(d, buddy=e))
        assert set(result.touched) == {Touched(B, 2, ("buddy",)), Touched(c, 2, ("buddy",))}
        assert result.versions == (None, 2, 2)

    def test_who_loses_a_member_is_told(self, studio: Studio) -> None:
        """Where a collection has no other side, its owner changes with it."""
        studio.commit(task("a"), Create(USER))
        studio.commit(Update(A, added={"watchers": (USER,)}))
        assert studio.commit(Delete(USER)).touched == (Touched(A, 3),)

    def test_what_moves_along_is_told(self, studio: Studio) -> None:
        """What hangs from an entity that moves to another project changes, too."""
        studio.commit(project("p"), project("q"), shot("s", P), task("a", S))
        assert studio.commit(update(S, parent=Q)).touched == (Touched(A, 2),)

    def test_restrict(self, studio: Studio) -> None:
        """What is referred to by a restricting attribute stays; the error names the referrer."""
        studio.commit(status("open"), task("a", status=OPEN))
        with pytest.raises(Invalid, match="Task a refers to it by `status`") as error:
            studio.commit(Delete(OPEN))
        assert (error.value.operation, error.value.entity) == (0, ("Status", "open"))

    @pytest.mark.parametrize("way", ["re-pointed before", "re-pointed after", "deleted after", "emptied"])
    def test_restrict_is_lifted_in_the_batch(self, studio: Studio, way: str) -> None:
        """The delete passes when the referrer lets go by the end of the batch."""
        studio.commit(status("open"), status("done"), task("a", status=OPEN))
        if way == "re-pointed before":
            studio.commit(update(A, status=DONE), Delete(OPEN))
        elif way == "re-pointed after":
            studio.commit(Delete(OPEN), update(A, status=DONE))
        elif way == "deleted after":
            studio.commit(Delete(OPEN), Delete(A))
        else:
            studio.commit(update(A, status=None), Delete(OPEN))
        assert studio.row(OPEN) is None

    def test_nullify(self, studio: Studio) -> None:
        """Other referrers lose the reference, which is a change of theirs."""
        studio.commit(task("a"), task("b", buddy=A, about=A))
        studio.commit(Delete(A))
        row = studio.row(B)
        assert row is not None
        assert (row["buddy"], row["about"], row["about__type"], row["_version"]) == (None, None, None, 2)

    def test_what_does_not_exist(self, studio: Studio) -> None:
        """Update and delete of nothing are NotFound; of what is gone they say which commit deleted it."""
        with pytest.raises(NotFound, match="no Task a") as error:
            studio.commit(task("b"), update(A, bid=1))
        assert error.value.operation == 1
        studio.commit(task("a"))
        studio.commit(Delete(A))
        with pytest.raises(NotFound, match="commit 2 deleted it"):
            studio.commit(Delete(A))

    def test_tombstones(self, studio: Studio) -> None:
        """A delete leaves a tombstone with its position; making the entity again takes it away."""
        studio.commit(task("a"))
        studio.commit(Delete(A))
        table = studio.store.table("_tombstone")
        with studio.store.reading() as connection:
            assert [tuple(row) for row in connection.execute(table.select())] == [("Node", "a", 2)]
        result = studio.commit(task("a"))
        with studio.store.reading() as connection:
            assert connection.execute(table.select()).all() == []
        assert studio.changes(result.position)[A].previous == 2


class TestMembers:
    def test_both_sides_are_one(self, studio: Studio) -> None:
        """Members join from either side; twice is once; leaving what is not there is nothing."""
        studio.commit(task("a"), task("b"), Create(TAG, {}, {"tasks": (A,)}))
        joins = {"tags": (TAG,)}
        studio.commit(Update(A, added=joins), Update(B, added=joins, removed={"watchers": (USER,)}))
        assert studio.links("_link_Tag_tasks") == {("t", "a"), ("t", "b")}
        assert studio.value(B, "_version") == 2
        studio.commit(Update(TAG, removed={"tasks": (A,)}))
        assert studio.links("_link_Tag_tasks") == {("t", "b")}

    def test_the_log_tells_what_really_changed(self, studio: Studio) -> None:
        """A member that was there already is not told as added."""
        studio.commit(task("a"), Create(TAG, {}, {"tasks": (A,)}))
        result = studio.commit(Update(A, added={"tags": (TAG,)}))
        assert studio.changes(result.position)[A].added == {}
        result = studio.commit(Update(A, removed={"tags": (TAG,)}))
        assert studio.changes(result.position)[A].removed == {"tags": (TAG,)}

    def test_members_must_exist(self, studio: Studio) -> None:
        """Only what exists can join."""
        with pytest.raises(Invalid, match="there is no Tag t") as error:
            studio.commit(Create(A, {"name": "a"}, {"tags": (TAG,)}))
        assert error.value.attribute == "tags"

    def test_deletes_take_links_along(self, studio: Studio) -> None:
        """Both ends of a relation lose the deleted; a holder without a mirror is changed by that."""
        studio.commit(Create(TAG), Create(USER), Create(A, {"name": "a"}, {"tags": (TAG,), "watchers": (USER,)}))
        result = studio.commit(Delete(USER))
        assert studio.links("_link_Task_watchers") == set()
        assert studio.changes(result.position)[A].removed == {"watchers": (USER,)}
        assert studio.value(A, "_version") == 2
        result = studio.commit(Delete(A))
        assert studio.links("_link_Tag_tasks") == set()
        assert studio.changes(result.position)[A].removed == {"tags": (TAG,)}


class TestConflicts:
    def test_somebody_else_changed_it(self, studio: Studio) -> None:
        """All conflicts of a batch are told with base, ours and theirs, and nothing is written."""
        studio.commit(task("a", bid=1, note="n"), task("b", due=date(2026, 1, 1)))
        studio.commit(update(A, bid=2), update(B, due=date(2026, 2, 2)))
        with pytest.raises(Conflict, match=r"Task\.bid of a .* \(and 1 more\)") as error:
            studio.commit(
                update(A, 1, {"bid": 1, "note": "n"}, bid=3, note="m"),
                update(B, 1, {"due": date(2026, 1, 1)}, due=date(2026, 3, 3)),
            )
        assert conflicts(error) == [
            {"entity": ["Task", "a"], "attribute": "bid", "base": 1.0, "ours": 3.0, "theirs": 2.0},
            {
                "entity": ["Task", "b"],
                "attribute": "due",
                "base": date(2026, 1, 1),
                "ours": date(2026, 3, 3),
                "theirs": date(2026, 2, 2),
            },
        ]
        assert error.value.operation == 0
        assert studio.value(A, "note") == "n"

    def test_ours_wins(self, studio: Studio) -> None:
        """Policy ``ours`` writes our values and tells that it met others."""
        studio.commit(task("a", bid=1))
        studio.commit(update(A, bid=2))
        result = studio.commit(update(A, 1, {"bid": 1}, bid=3), policy="ours")
        assert (studio.value(A, "bid"), result.merged, result.versions) == (3.0, (0,), (3,))

    def test_theirs_wins(self, studio: Studio) -> None:
        """Policy ``theirs`` leaves the attributes in conflict, and writes the rest."""
        studio.commit(task("a", bid=1, note="n"))
        studio.commit(update(A, bid=2))
        result = studio.commit(update(A, 1, {"bid": 1, "note": "n"}, bid=3, note="m"), policy="theirs")
        assert (studio.value(A, "bid"), studio.value(A, "note"), result.merged) == (2.0, "m", (0,))
        result = studio.commit(update(A, 1, {"bid": 1}, bid=3), policy="theirs")
        assert (result.versions, studio.value(A, "_version")) == ((3,), 3)

    def test_other_attributes_are_merged(self, studio: Studio) -> None:
        """A change of another attribute is no conflict, and is told as merged."""
        studio.commit(task("a", bid=1, note="n"))
        studio.commit(update(A, note="m"))
        result = studio.commit(update(A, 1, {"bid": 1}, bid=3))
        assert (result.merged, studio.value(A, "note"), studio.value(A, "bid")) == ((0,), "m", 3.0)

    def test_the_same_number_is_a_conflict(self, studio: Studio) -> None:
        """Two who saw 1 and wrote 2 may both have counted; the call cannot say otherwise, a policy can."""
        studio.commit(task("a", bid=1))
        studio.commit(update(A, bid=2))
        for agree in (None, True, False):
            with pytest.raises(Conflict) as error:
                studio.commit(update(A, 1, {"bid": 1}, bid=2), agree=agree)
            assert [(each["base"], each["ours"], each["theirs"]) for each in conflicts(error)] == [(1.0, 2.0, 2.0)]
        for policy in ("ours", "theirs"):
            assert studio.commit(update(A, 1, {"bid": 1}, bid=2), policy=policy).merged == (0,)
        assert studio.value(A, "bid") == 2.0

    def test_a_number_emptied_by_both_is_a_conflict(self, studio: Studio) -> None:
        """No value is a value of a number, too."""
        studio.commit(task("a", bid=1))
        studio.commit(update(A, bid=None))
        with pytest.raises(Conflict):
            studio.commit(update(A, 1, {"bid": 1}, bid=None))

    def test_a_number_in_json_is_a_conflict(self, studio: Studio) -> None:
        """What is a number, not what it is called, decides."""
        studio.commit(task("a", data=1))
        studio.commit(update(A, data=2))
        with pytest.raises(Conflict):
            studio.commit(update(A, 1, {"data": 1}, data=2), agree=True)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"note": "a"}, {"note": "b"}),
            ({"due": date(2026, 1, 1)}, {"due": date(2026, 1, 2)}),
            ({"started": datetime(2026, 1, 1, tzinfo=UTC)}, {"started": datetime(2026, 1, 2, tzinfo=UTC)}),
            ({"parent": S}, {"parent": R}),
            ({"metadata.colour": "red"}, {"metadata.colour": "blue"}),
        ],
    )
    def test_two_who_write_the_same_agree(self, studio: Studio, before: Any, after: Any) -> None:
        """On text, dates and references, unless the commit says otherwise."""
        studio.commit(shot("s"), shot("r"), task("a", **before))
        studio.commit(Update(A, after))
        assert studio.commit(Update(A, after, before, version=1)).merged == (0,)
        assert studio.commit(Update(A, after, before, version=1), agree=True).merged == (0,)
        with pytest.raises(Conflict):
            studio.commit(Update(A, after, before, version=1), agree=False)

    @pytest.mark.parametrize(("before", "after"), [([1], [1, 2]), (False, True)])
    def test_two_who_write_the_same_json_do_not_agree(self, studio: Studio, before: Any, after: Any) -> None:
        """Both may have appended, or turned it over. The commit can say otherwise."""
        studio.commit(task("a", data=before))
        studio.commit(update(A, data=after))
        with pytest.raises(Conflict):
            studio.commit(update(A, 1, {"data": before}, data=after))
        assert studio.commit(update(A, 1, {"data": before}, data=after), agree=True).merged == (0,)

    def test_the_schema_says_what_writers_agree_on(self) -> None:
        """``agree`` of an attribute turns what its kind has by default."""
        types = {"Dot": {"attributes": {"name": {"agree": False}, "done": {"type": "boolean", "agree": True}}}}
        with open_studio("memory:", {"types": types}) as studio:
            dot = Identity("Dot", "1")
            studio.commit(Create(dot, {"name": "a", "done": False}))
            studio.commit(Update(dot, {"name": "b", "done": True}))
            studio.commit(Update(dot, {"done": True}, {"done": False}, version=1))
            with pytest.raises(Conflict) as error:
                studio.commit(Update(dot, {"name": "b"}, {"name": "a"}, version=1))
            assert conflicts(error)[0]["attribute"] == "name"

    def test_a_value_without_a_base_has_no_conflict(self, studio: Studio) -> None:
        """Without ``before`` the last writer wins; a commit that comes again by its id gets its answer."""
        studio.commit(task("a", bid=1))
        first = studio.commit(update(A, 1, {"bid": 1}, bid=2), commit_id="once")
        assert studio.commit(update(A, bid=9)).merged == ()
        again = studio.commit(update(A, 1, {"bid": 1}, bid=2), commit_id="once")
        assert (again.position, again.replayed) == (first.position, True)
        assert studio.value(A, "bid") == 9.0

    def test_an_adjustment_is_no_conflict(self, studio: Studio) -> None:
        """It counts on from what is there; that this is not what was seen is told as merged."""
        studio.commit(task("a", bid=1))
        studio.commit(update(A, bid=5))
        adding = Update(A, before={"bid": 1}, version=2, adjusted={"bid": increment(2)})
        result = studio.commit(adding)
        assert (studio.value(A, "bid"), tuple(result.merged)) == (7.0, (0,))
        (change,) = studio.changes(result.position).values()
        assert (change.before["bid"], change.after["bid"], change.adjusted) == (5.0, 7.0, {"bid": increment(2.0)})
        again = studio.commit(adding, commit_id=result.commit_id)
        assert (again.replayed, studio.value(A, "bid")) == (True, 7.0)

    def test_a_number_that_a_commit_sets_and_adjusts_was_set(self, studio: Studio) -> None:
        """The history has no adjustment of it, which could be taken back; two adjustments are one in it."""
        studio.commit(task("a", bid=1), task("b", bid=1))
        two = [Update(each, adjusted={"bid": increment(2)}) for each in (A, B)]
        result = studio.commit(update(A, bid=5), *two, two[1])
        changes = studio.changes(result.position)
        assert (changes[A].after["bid"], changes[A].adjusted) == (7.0, {})
        assert (changes[B].after["bid"], changes[B].adjusted) == (5.0, {"bid": increment(4.0)})

    @pytest.mark.parametrize(
        ("operation", "words"),
        [
            (Update(A, adjusted={"note": increment(1)}), "Task.note is no number"),
            (Update(A, adjusted={"status": increment(1)}), "Task.status is no number"),
            (Update(A, adjusted={"metadata.x": increment(1)}), "is no number"),
            (Update(A, adjusted={"nothing": increment(1)}), "no attribute"),
            (Update(A, {"bid": 1}, adjusted={"bid": increment(1)}), "is both adjusted and written"),
            (Update(A, adjusted={"bid": Adjustment(0, 2, 1, 0)}), "at least 2.0 and at most 1.0"),
            (Update(A, adjusted={"bid": Adjustment(float("inf"))}), "a finite number"),
            (Update(A, adjusted={"bid": increment(1.7e308)}), "is 1.7e\\+308 and would be inf"),
        ],
    )
    def test_an_adjustment_that_cannot_be(self, studio: Studio, operation: Update, words: str) -> None:
        """Only numbers, and only to numbers; nothing is written."""
        studio.commit(task("a", bid=1.7e308))
        with pytest.raises(Invalid, match=words) as error:
            studio.commit(operation)
        assert error.value.operation == 0
        assert studio.value(A, "bid") == 1.7e308

    def test_references_are_compared_by_key(self, studio: Studio) -> None:
        """The type a writer names plays no part in whether a reference changed."""
        studio.commit(shot("s"), shot("r"), task("a", S))
        studio.commit(update(A, 1, {"parent": Identity("Node", "s")}, parent=R))
        with pytest.raises(Conflict) as error:
            studio.commit(update(A, 1, {"parent": S}, parent=None))
        assert conflicts(error)[0]["theirs"] == R

    def test_own_earlier_changes_are_no_conflict(self, studio: Studio) -> None:
        """In one batch, ``before`` is compared with what the batch itself has written so far."""
        studio.commit(task("a", bid=1))
        studio.commit(update(A, 1, {"bid": 1}, bid=2), update(A, 1, {"bid": 2}, bid=3))
        assert studio.value(A, "bid") == 3.0

    def test_deleting_what_was_changed(self, studio: Studio) -> None:
        """A delete that saw an older version is in conflict; a policy decides."""
        studio.commit(task("a"), task("b"))
        studio.commit(update(A, bid=1), update(B, bid=1))
        with pytest.raises(Conflict) as error:
            studio.commit(Delete(A, 1))
        assert conflicts(error) == [{"entity": ["Task", "a"], "attribute": "", "base": 1, "ours": None, "theirs": 2}]
        assert studio.commit(Delete(A, 1), policy="theirs").versions == (2,)
        assert studio.commit(Delete(A, 1), Delete(B, 2), policy="ours").versions == (None, None)
        assert studio.row(A) is None

    def test_an_unknown_policy(self, studio: Studio) -> None:
        """There are three policies."""
        with pytest.raises(Invalid, match="raise, ours, theirs"):
            studio.commit(task("a"), policy="mine")


class TestExactlyOnce:
    def test_sent_again(self, studio: Studio) -> None:
        """The same commit again gets the first answer, marked as such, and changes nothing."""
        studio.commit(task("a", bid=1))
        first = studio.commit(update(A, bid=2), Delete(Identity("Task", "a")), commit_id="x")
        again = studio.commit(update(A, bid=2), Delete(Identity("Task", "a")), commit_id="x")
        assert not first.replayed
        assert again == evolve(first, replayed=True)
        with studio.store.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM _log").scalar() == 2

    def test_answers_kept_by_an_earlier_version(self, studio: Studio) -> None:
        """They did not tell what else was touched, and are given again as they were."""
        studio.commit(task("a"), task("b", buddy=A))
        first = studio.commit(Delete(A), commit_id="x")
        log = studio.store.table("_log")
        older = log.update().where(log.c.commit_id == "x").values(result=b"[[null],[],[]]")
        studio.store.write(lambda connection: connection.execute(older))
        assert studio.commit(Delete(A), commit_id="x") == evolve(first, replayed=True, touched=())

    def test_other_operations_under_the_same_id(self, studio: Studio) -> None:
        """A commit id stands for its operations, per user."""
        studio.commit(task("a"), commit_id="x")
        with pytest.raises(Invalid, match="used for other operations"):
            studio.commit(task("b"), commit_id="x")
        with pytest.raises(Invalid, match="used for other operations"):
            studio.commit(task("a"), commit_id="x", policy="ours")
        studio.commit(task("b"), commit_id="x", user="anna")
        assert studio.row(B) is not None

    def test_a_failed_commit_can_be_mended(self, studio: Studio) -> None:
        """What failed was not done, so its id is still free."""
        with pytest.raises(Invalid):
            studio.commit(task("a", bid="wrong"), commit_id="x")
        assert studio.commit(task("a", bid=1), commit_id="x").position == 1

    def test_staged_parts_come_first(self, studio: Studio) -> None:
        """Parts apply in their order before the operations sent; a part may be staged again."""
        backend = studio.service.backend("admin")
        backend.stage("x", 1, [update(A, bid=2, due=date(2026, 1, 1))])
        backend.stage("x", 0, [task("a", bid=9)])
        backend.stage("x", 0, [task("a", S, bid=1), shot("s")])
        result = studio.commit(update(A, note="end"), commit_id="x", parts=2)
        assert result.versions == (1, 1, 1, 1)
        row = studio.row(A)
        assert row is not None
        assert (row["bid"], row["note"], row["parent"], row["due"]) == (2.0, "end", "s", date(2026, 1, 1))
        assert studio.commit(update(A, note="end"), commit_id="x", parts=2) == evolve(result, replayed=True)
        with studio.store.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM _part").scalar() == 0

    def test_a_missing_part(self, studio: Studio) -> None:
        """A commit that names parts which were not staged is refused, and says which."""
        studio.service.backend("admin").stage("x", 1, [task("b")])
        with pytest.raises(Invalid, match="part 0 was not staged") as error:
            studio.commit(task("a"), commit_id="x", parts=2)
        assert error.value.details == {"missing_parts": [0]}

    def test_errors_in_parts_count_from_the_first_part(self, studio: Studio) -> None:
        """The index of the operation at fault is its place in the whole commit."""
        studio.service.backend("admin").stage("x", 0, [task("a"), task("b")])
        with pytest.raises(Invalid) as error:
            studio.commit(task("c", bid="wrong"), commit_id="x", parts=1)
        assert error.value.operation == 2

    def test_too_many_operations(self, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
        """A commit has a limit, counted with its parts."""
        monkeypatch.setattr("callsheet.server.writing.apply.OPERATIONS", 1)
        with pytest.raises(TooLarge):
            studio.commit(task("a"), task("b"))


class TestComputed:
    def test_who_and_when(self, studio: Studio) -> None:
        """Stamps are the commit's time and the user's entity; without one, nobody."""
        studio.commit(Create(USER, {"username": "anna"}))
        studio.commit(task("a"), user="anna")
        studio.commit(update(A, bid=1), user="nobody")
        row = studio.row(A)
        assert row is not None
        assert (row["created_by"], row["updated_by"]) == ("u", None)
        assert row["created_at"] == datetime(2026, 5, 1, 12, 0, 2, tzinfo=UTC)
        assert row["updated_at"] == datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)

    def test_numbers_count_up(self, studio: Studio) -> None:
        """Each task counts its own versions, within a batch and from one to the next."""
        studio.commit(task("a"), task("b"))
        for keys in (("1", "2"), ("3",)):
            studio.commit(*[Create(Identity("Version", key), {"task": A}) for key in keys])
        studio.commit(Create(Identity("Version", "4"), {"task": B}), Create(Identity("Version", "5"), {"task": A}))
        numbers = [studio.value(Identity("Version", key), "number") for key in "12345"]
        assert numbers == [1, 2, 3, 1, 4]

    def test_ancestors(self, studio: Studio) -> None:
        """The nearest ancestor of a type, the entity itself included; none above is none."""
        studio.commit(project("p"), shot("s", P), task("a", S), task("b"))
        assert [studio.value(each, "project") for each in (P, S, A, B)] == ["p", "p", "p", None]

    def test_ancestors_follow_the_parent(self, studio: Studio) -> None:
        """All that is below moves along, and only when something changes."""
        studio.commit(project("p"), project("q"), shot("s", P), shot("r", P), task("a", S), task("b", A))
        studio.commit(update(S, parent=Q))
        assert [studio.value(each, "project") for each in (S, A, B)] == ["q", "q", "q"]
        assert [studio.value(each, "_version") for each in (S, A, B)] == [2, 2, 2]
        studio.commit(update(A, parent=R), update(S, parent=R))
        assert [studio.value(each, "project") for each in (S, A, B)] == ["p", "p", "p"]
        studio.commit(update(A, parent=S))
        assert [studio.value(each, "_version") for each in (A, B)] == [4, 3]

    def test_a_circle_of_parents(self, studio: Studio) -> None:
        """Nothing is its own ancestor."""
        studio.commit(task("a"), task("b", A))
        with pytest.raises(Invalid, match="its own ancestor") as error:
            studio.commit(update(A, parent=B))
        assert error.value.attribute == "parent"


class TestCustomAttributes:
    def test_values_are_checked_and_kept(self, studio: Studio) -> None:
        """A configured attribute takes values of its type; dates come back as dates in conflicts."""
        before = studio.store.schema.hash
        studio.commit(configured("delivery", "date"), configured("look", "enum", choices=["day", "night"]))
        assert studio.store.schema.hash != before
        given = {"custom_attributes.delivery": date(2026, 7, 1), "custom_attributes.look": "day"}
        studio.commit(task("a", None, **given))
        assert studio.value(A, "custom_attributes") == {"delivery": "2026-07-01", "look": "day"}
        with pytest.raises(Invalid, match="one of 'day', 'night'"):
            studio.commit(Update(A, {"custom_attributes.look": "dawn"}))
        with pytest.raises(Conflict) as error:
            studio.commit(
                Update(A, {"custom_attributes.delivery": None}, {"custom_attributes.delivery": date(2026, 1, 1)})
            )
        assert conflicts(error)[0]["theirs"] == date(2026, 7, 1)
        studio.commit(Update(A, {"custom_attributes.delivery": None}))
        assert studio.value(A, "custom_attributes") == {"look": "day"}

    def test_a_default_is_not_a_conflict(self, studio: Studio) -> None:
        """Who saw the default of an attribute that was never set saw the truth."""
        studio.commit(configured("lens", "integer", default=50), task("a"))
        studio.commit(Update(A, {"custom_attributes.lens": 35}, {"custom_attributes.lens": 50}))
        assert studio.value(A, "custom_attributes") == {"lens": 35}

    @pytest.mark.parametrize(
        ("values", "attribute"),
        [
            ({"key": "no word"}, "key"),
            ({"entity_type": "Tsak"}, "entity_type"),
            ({"entity_type": "Status"}, "entity_type"),
            ({"data_type": "colour"}, "data_type"),
            ({"data_type": "enum"}, "choices"),
            ({"default": "text"}, "default"),
        ],
    )
    def test_wrong_configurations(self, studio: Studio, values: dict[str, Any], attribute: str) -> None:
        """The schema is made of configurations, so a wrong one is refused."""
        with pytest.raises(Invalid) as error:
            studio.commit(configured(**{"key": "k", "data_type": "integer", **values}))
        assert error.value.attribute == attribute


def configured(key: str, data_type: str, entity_type: str = "Task", **values: Any) -> Create:
    identity = Identity("CustomAttributeConfiguration", f"custom-{key}")
    return Create(identity, {"key": key, "entity_type": entity_type, "data_type": data_type, **values})


def test_on_a_file(tmp_path: Any) -> None:
    """The same on disk, across closing and opening."""
    url = f"sqlite:///{tmp_path}/studio.db"
    with open_studio(url) as studio:
        first = studio.commit(project("p"), task("a", P), commit_id="x")
    with open_studio(url) as studio:
        assert studio.commit(project("p"), task("a", P), commit_id="x") == evolve(first, replayed=True)
        assert studio.commit(update(A, bid=1)).position == 2
