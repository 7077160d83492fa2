"""What every dialect must do with a commit: whole or per operation, once, and with conflicts seen."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet.errors import CommitError, ConflictError, Invalid, NotFound, ServerError, UsageError
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity, new_key
from callsheet.session.blocking import Session
from callsheet.testing.contract.case import ContractCase, mark, send

__all__ = ["WritingContract"]


class WritingContract(ContractCase):
    """Commits do what the script did."""

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
        gone = session.create("Shot", {"name": "gone", "parent": project})
        session.commit()
        other.delete(other.get("Shot", gone.id))
        other.commit()
        good = session.create("Shot", {"name": "good", "parent": project})
        bad = session.create("Shot", {"name": "bad", "parent": gone})
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

    def test_a_commit_without_a_transaction_says_what_was_done(
        self, session: Session, other: Session, project: Any
    ) -> None:
        """What was done before the refusal is settled and there for others; the rest stays pending, and can follow."""
        if session.features.atomic:
            pytest.skip("this server's batches are atomic")
        gone = session.create("Shot", {"name": "gone", "parent": project})
        session.commit()
        other.delete(other.get("Shot", gone.id))
        other.commit()
        good = session.create("Shot", {"name": "good", "parent": project})
        bad = session.create("Shot", {"name": "bad", "parent": gone})
        last = session.create("Shot", {"name": "last", "parent": project})
        with pytest.raises(CommitError) as caught:
            session.commit()
        assert [outcome.state for outcome in caught.value.outcomes] == ["done", "refused", "not sent"]
        assert caught.value.entity == bad.identity
        assert [shot.state for shot in (good, bad, last)] == ["clean", "created", "created"]
        assert other.get("Shot", good.id)["name"] == "good"
        assert other.get("Shot", last.id) is None
        bad["parent"] = project
        session.commit()
        assert {other.get("Shot", shot.id)["name"] for shot in (bad, last)} == {"bad", "last"}

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

    def test_increments_of_two_sessions_add_up(self, session: Session, other: Session, project: Any) -> None:
        """Neither is in conflict; a server whose language has none is found out at that line."""
        if not session.features.adjustments:
            with pytest.raises(UsageError):
                session.increment(project, "fps", 1)
            return
        project["fps"] = 24.0
        session.commit()
        theirs = other.get("Project", project.id)
        other.populate(theirs, "fps")
        session.increment(project, "fps", 0.5)
        other.increment(theirs, "fps", 1)
        session.commit()
        other.commit()
        assert (project["fps"], theirs["fps"]) == (24.5, 25.5)
