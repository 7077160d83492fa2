"""A Kitsu project is a side of a two-way sync: it keeps what the protocol of sides demands, on a real server."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from kitsu_sync.account import KitsuAccount
from kitsu_sync.side import KitsuSide

from callsheet.errors import Unauthorised, UsageError
from callsheet.sync.side import SideChange, SideOutcome, SideReference

pytestmark = pytest.mark.proof


def create(side: KitsuSide, type: str, /, **values: Any) -> SideReference:
    """A row that was written, as others refer to it."""
    change = SideChange("create", type, None, values, token=str(uuid4()))
    (outcome,) = side.run(side.write([change], ""))
    assert outcome == SideOutcome("done", change.token), outcome
    return SideReference(type, change.token)


def read(side: KitsuSide, type: str, *attributes: str) -> list[dict[str, Any]]:
    """The values of all rows of a type."""
    return [dict(row.values) for row in side.run(side.read(type, attributes))]


class TestRowsOfAKitsuProject:
    def test_what_was_created_is_read(self, side: KitsuSide, account: KitsuAccount) -> None:
        """Each type is read with the values it was created with, references by type and id."""
        me = SideReference("Person", side.run(account.id()))
        episode = create(side, "Episode", name="ep01")
        sequence = create(side, "Sequence", name="sq01", parent=episode)
        hero = create(side, "Asset", name="hero", type="Character", parent=episode)
        shot = {"name": "sh010", "parent": sequence, "nb_frames": 12, "frame_in": 1001, "assets": frozenset({hero})}
        made = create(side, "Shot", **shot, **{"data.lens": "35"})
        task = {"entity": made, "type": "Animation", "status": "Todo", "assignees": frozenset({me})}
        animation = create(side, "Task", **task, due_date=date(2026, 12, 24), priority=2)
        create(side, "Comment", task=animation, text="a little slower", author=me)
        create(side, "Playlist", name="dailies", shots=frozenset({made}))
        project = SideReference("Project", side.project)

        assert read(side, "Episode", "name", "parent") == [{"name": "ep01", "parent": project}]
        assert read(side, "Sequence", "name", "parent") == [{"name": "sq01", "parent": episode}]
        assert read(side, "Asset", "name", "type", "parent") == [
            {"name": "hero", "type": "Character", "parent": episode}
        ]
        assert read(side, "Shot", *shot, "data.lens") == [{**shot, "data.lens": "35"}]
        assert read(side, "Task", *task, "due_date", "priority") == [
            {**task, "due_date": date(2026, 12, 24), "priority": 2}
        ]
        assert read(side, "Comment", "task", "text", "author") == [
            {"task": animation, "text": "a little slower", "author": me}
        ]
        assert read(side, "Assignment", "task", "person") == [{"task": animation, "person": me}]
        assert read(side, "Playlist", "name", "shots") == [{"name": "dailies", "shots": frozenset({made})}]
        assert "admin@example.com" in [row["email"] for row in read(side, "Person", "email")]

    def test_a_thousand_tasks_cost_a_handful_of_requests(self, side: KitsuSide, account: KitsuAccount) -> None:
        """Tasks with shot, type, status and people are one list of the project, not four requests for each."""
        sequence = create(side, "Sequence", name="sq01")
        shots = [create(side, "Shot", name=f"sh{number:04}", parent=sequence) for number in range(4)]
        kinds = ("Animation", "Layout", "Lighting", "Compositing", "FX")
        for shot in shots:
            for kind in kinds:
                create(side, "Task", entity=shot, type=kind, status="Todo")
        before = account.requests
        assert len(read(side, "Task", "entity", "type", "status", "assignees")) == 20
        assert account.requests - before <= 3

    def test_an_unknown_type_or_attribute_is_an_error_with_a_hint(self, side: KitsuSide) -> None:
        """Kitsu drops unknown filters without a word; the side names them."""
        with pytest.raises(UsageError, match="no type 'Shto' here; did you mean `Shot`"):
            side.run(side.read("Shto", []))
        with pytest.raises(UsageError, match="has no 'nmae'; did you mean `name`"):
            side.run(side.read("Shot", ["nmae"]))


class TestWritingToKitsu:
    def test_a_create_that_is_sent_again_makes_nothing_twice(self, side: KitsuSide) -> None:
        """The token is the row's id, and a row that is there is not written over."""
        change = SideChange("create", "Sequence", None, {"name": "sq01"}, token=str(uuid4()))
        first = side.run(side.write([change], ""))
        update = SideChange("update", "Sequence", change.token, {"name": "sq02"}, {"name": "sq01"})
        side.run(side.write([update], ""))
        assert side.run(side.write([change], "")) == first == [SideOutcome("done", change.token)]
        assert read(side, "Sequence", "name") == [{"name": "sq02"}]

    def test_a_bad_row_does_not_stop_the_others(self, side: KitsuSide) -> None:
        """Kitsu's import stops at its first bad row; the outcomes tell of each."""
        sequence = create(side, "Sequence", name="sq01")
        tokens = [str(uuid4()) for _ in range(4)]
        nowhere = SideReference("Sequence", str(uuid4()))
        parents = (sequence, nowhere, sequence, sequence)
        names = ("sh010", "sh020", "sh030", "sh010")
        changes = [
            SideChange("create", "Shot", None, {"name": name, "parent": parent}, token=token)
            for name, parent, token in zip(names, parents, tokens)
        ]
        outcomes = side.run(side.write(changes, ""))
        assert [outcome.status for outcome in outcomes] == ["done", "refused", "done", "refused"]
        assert outcomes[3].reason == "Kitsu has a Shot 'sh010' here already"
        assert sorted(row["name"] for row in read(side, "Shot", "name")) == ["sh010", "sh030"]

    def test_sequences_and_assets_are_not_doubled(self, side: KitsuSide) -> None:
        """Kitsu itself takes a second asset of the same name."""
        create(side, "Asset", name="hero", type="Prop")
        second = SideChange("create", "Asset", None, {"name": "hero", "type": "Prop"}, token=str(uuid4()))
        (outcome,) = side.run(side.write([second], ""))
        assert outcome == SideOutcome("refused", None, "Kitsu has a Asset 'hero' here already")

    def test_an_update_of_another_value_than_was_seen_is_a_conflict(self, side: KitsuSide) -> None:
        """What somebody else changed since is not written over, and the outcome says what it is now."""
        shot = create(side, "Shot", name="sh010", nb_frames=10)
        change = SideChange("update", "Shot", shot.id, {"nb_frames": 12}, {"nb_frames": 11})
        assert side.run(side.write([change], "")) == [SideOutcome("conflict", shot.id, "`nb_frames` is 10 now")]
        assert read(side, "Shot", "nb_frames") == [{"nb_frames": 10}]

    def test_equal_values_are_not_written(self, side: KitsuSide) -> None:
        """Kitsu notes an event for an update that changes nothing, which a sync would read as a change."""
        shot = create(side, "Shot", name="sh010", nb_frames=10)
        position = side.run(side.changes(["Shot"], None, "")).position
        change = SideChange("update", "Shot", shot.id, {"nb_frames": 10}, {"nb_frames": 10})
        assert side.run(side.write([change], "")) == [SideOutcome("done", shot.id)]
        assert side.run(side.changes(["Shot"], position, "")).ids == {}

    def test_casting_keeps_the_count_of_what_stays(self, side: KitsuSide, account: KitsuAccount) -> None:
        """An asset that is seen three times is still seen three times when another joins."""
        hero, chair = create(side, "Asset", name="hero", type="Prop"), create(side, "Asset", name="chair", type="Prop")
        shot = create(side, "Shot", name="sh010", assets=frozenset({hero}))
        address = f"/data/projects/{side.project}/entities/{shot.id}/casting"
        side.run(account.put(address, [{"asset_id": hero.id, "nb_occurences": 3, "label": "fixed"}]))
        change = SideChange("update", "Shot", shot.id, {"assets": frozenset({hero, chair})}, {"assets": {hero}})
        assert side.run(side.write([change], "")) == [SideOutcome("done", shot.id)]
        links = {link["asset_id"]: link for link in side.run(account.get(address))}
        assert (links[hero.id]["nb_occurences"], links[hero.id]["label"]) == (3, "fixed")
        assert links[chair.id]["nb_occurences"] == 1

    def test_people_are_assigned_and_taken_off(self, side: KitsuSide, account: KitsuAccount) -> None:
        """An assignment is a row of its own; what is so already is done, and an unknown person is refused."""
        me, nobody = SideReference("Person", side.run(account.id())), SideReference("Person", str(uuid4()))
        shot = create(side, "Shot", name="sh010")
        task = create(side, "Task", entity=shot, type="Layout")
        changes = [
            SideChange("create", "Assignment", None, {"task": task, "person": each}, token=str(uuid4()))
            for each in (me, nobody)
        ]
        outcomes = side.run(side.write(changes, ""))
        assert outcomes == side.run(side.write(changes, ""))
        assert outcomes[0] == SideOutcome("done", f"{task.id}:{me.id}")
        assert outcomes[1] == SideOutcome("refused", None, "Kitsu does not have this person")
        ending = SideChange("delete", "Assignment", outcomes[0].id)
        assert side.run(side.write([ending], "")) == side.run(side.write([ending], "")) == [outcomes[0]]
        assert read(side, "Assignment", "task") == []

    def test_what_is_set_aside_or_deleted_is_gone(self, side: KitsuSide) -> None:
        """There is one meaning of gone: a cancelled shot is not read either; ending it again is done already."""
        aside, deleted = create(side, "Shot", name="sh010"), create(side, "Shot", name="sh020")
        create(side, "Task", entity=deleted, type="Layout", status="Todo")
        changes = [SideChange("omit", "Shot", aside.id), SideChange("delete", "Shot", deleted.id)]
        done = [SideOutcome("done", aside.id), SideOutcome("done", deleted.id)]
        assert side.run(side.write(changes, "")) == done
        assert side.run(side.write(changes, "")) == done
        assert read(side, "Shot", "name") == []
        assert read(side, "Task", "name") == []

    def test_a_person_is_known_by_the_address(self, side: KitsuSide) -> None:
        """Kitsu gives people ids of its own, so the same address is the same person."""
        email = f"{uuid4().hex}@example.com"
        change = SideChange("create", "Person", None, {"email": email, "first_name": "Sita"}, token=str(uuid4()))
        (first,) = side.run(side.write([change], ""))
        (second,) = side.run(side.write([change], ""))
        assert first == second
        assert first.status == "done"


class TestWhatChangedInKitsu:
    def test_nothing_changed_since_the_position(self, side: KitsuSide, account: KitsuAccount) -> None:
        """An unchanged project costs five requests: its ETag, the newest event, and the names of three lists."""
        create(side, "Shot", name="sh010")
        position = side.run(side.changes(["Shot", "Task"], None, "")).position
        before = account.requests
        assert side.run(side.changes(["Shot", "Task"], position, "")).ids == {}
        assert account.requests - before == 5

    def test_changed_rows_are_named(self, side: KitsuSide, kitsu_server: Any) -> None:
        """What another account created, changed or deleted is among the ids, by its type."""
        kept = create(side, "Shot", name="sh010")
        position = side.run(side.changes(["Shot"], None, "")).position
        other = KitsuSide(kitsu_server["KITSU_API"], new_manager(side), side.project)
        other.run(other.write([SideChange("update", "Shot", kept.id, {"nb_frames": 7})], ""))
        other.close()
        changes = side.run(side.changes(["Shot", "Asset"], position, ""))
        assert changes.ids == {"Shot": [kept.id], "Asset": []}
        assert side.run(side.changes(["Shot"], changes.position, "")).ids == {}

    def test_everything_is_read_where_the_log_does_not_say_what(self, side: KitsuSide) -> None:
        """A renamed status changes the value of tasks that no event names."""
        status = side.run(
            side.account.post(
                "/data/task-status", {"name": uuid4().hex, "short_name": uuid4().hex[:9], "color": "#123456"}
            )
        )
        position = side.run(side.changes(["Task"], None, "")).position
        side.run(side.account.put(f"/data/task-status/{status['id']}", {"name": uuid4().hex}))
        assert side.run(side.changes(["Task"], position, "")).ids is None


class TestAccountsOfKitsu:
    def test_a_token_that_has_ended_is_renewed(self, kitsu_server: Any, side: KitsuSide) -> None:
        """A request that is refused for its token is sent again after a new log-in."""
        account = KitsuAccount(kitsu_server["KITSU_LOGIN"], kitsu_server["KITSU_PASSWORD"], token="ended")
        assert side.run(account.id()) == side.run(side.account.id())

    def test_a_wrong_password_is_refused(self, kitsu_server: Any, side: KitsuSide) -> None:
        """The error says whose log-in it was, and nothing of the password."""
        account = KitsuAccount(kitsu_server["KITSU_LOGIN"], "wrong")
        with pytest.raises(Unauthorised, match=r"refused the log-in of admin@example\.com"):
            side.run(account.get("/data/projects"))

    def test_a_manager_who_may_not_import_creates_rows_by_the_ordinary_route(
        self, side: KitsuSide, kitsu_server: Any
    ) -> None:
        """Kitsu answers a manager's import with 200 and does nothing; the row is made all the same."""
        other = KitsuSide(kitsu_server["KITSU_API"], new_manager(side), side.project)
        change = SideChange("create", "Sequence", None, {"name": "sq07"}, token=str(uuid4()))
        (outcome,) = other.run(other.write([change], ""))
        other.close()
        assert outcome.status == "done"
        assert [row.id for row in side.run(side.read("Sequence", ["name"]))] == [outcome.id]


def new_manager(side: KitsuSide) -> KitsuAccount:
    """A bot with a manager's rights on the project."""
    made = side.run(
        side.account.post(
            "/data/persons",
            {
                "email": f"{uuid4().hex}@example.com",
                "first_name": "Bot",
                "last_name": "",
                "is_bot": True,
                "role": "manager",
                "expiration_date": "2099-01-01",
            },
        )
    )
    side.run(side.account.post(f"/data/projects/{side.project}/team", {"person_id": made["id"]}))
    return KitsuAccount(token=made["access_token"])
