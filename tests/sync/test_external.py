"""External ids: rows find their entities by what another system calls them, whatever they are called here."""

from __future__ import annotations

from typing import Any

import pytest

import callsheet
from callsheet import Column, ForeignId, RowMapping, Session
from callsheet.errors import CommitError, SchemaError, StateError, UsageError

pytestmark = pytest.mark.usefixtures("size")

KEY = callsheet.external("tracker", column="id")
SEQUENCES = RowMapping({"name": "name"}, constants={"parent.name": "sintel"})
SHOTS = RowMapping({"name": "name", "in": "fstart", "sequence": Column("parent", external="tracker")})


def sequences(session: Session, rows: Any, **options: Any) -> Any:
    return session.plan("Sequence", rows, KEY, SEQUENCES, **options)


def shots(session: Session, rows: Any, **options: Any) -> Any:
    return session.plan("Shot", rows, KEY, SHOTS, **options)


def row(foreign_id: Any, name: str, **values: Any) -> dict[str, Any]:
    return {"id": foreign_id, "name": name, "in": 1001, "sequence": "s1"} | values


@pytest.fixture
def linked(show: Session) -> Session:
    """A session on the show, to which a sequence s1 (sq9) and its shots 1 and 2 (sh010, sh020) were brought."""
    sequences(show, [{"id": "s1", "name": "sq9"}]).apply()
    shots(show, [row(1, "sh010"), row(2, "sh020")]).apply()
    return show.fork()


def names(session: Session, kind: str = "Shot") -> dict[str, str]:
    """The names of shots, each with that of its parent."""
    found = session.fork().query(f"select name, parent.name from {kind}")
    return {each["name"]: each["parent"]["name"] for each in found}


def test_new_rows_are_created_and_linked_in_one_commit(show: Session) -> None:
    """The entity and its link are one commit, and the second plan is empty."""
    made = sequences(show, [{"id": "s1", "name": "sq9"}])
    assert (len(made.created), len(made.linked), len(made.operations)) == (1, 0, 2)
    done = made.apply()
    assert (done.created, done.linked, len(done.commits)) == (1, 0, 1)
    (commit,) = show.commits(after=done.commits[0].position - 1)
    assert [change.identity.entity_type for change in commit.changes] == ["Sequence", "ExternalId"]
    again = sequences(show, [{"id": "s1", "name": "sq9"}])
    assert again.is_empty
    assert len(again.unchanged) == 1


def test_parents_are_found_by_their_ids_there(linked: Session) -> None:
    """A column with the parent's id in the other system says whose child the row is."""
    assert names(linked) == {"sh010": "sq9", "sh020": "sq9"}


def test_a_rename_there_is_a_rename_here(linked: Session) -> None:
    """The entity stays the same, and so does what refers to it."""
    identity = linked.external("tracker", "Shot", "1").identity
    made = shots(linked, [row(1, "sh010_new"), row(2, "sh020")])
    assert (len(made.created), len(made.changed), len(made.unchanged)) == (0, 1, 1)
    made.apply()
    assert linked.fork().external("tracker", "Shot", "1").identity == identity
    assert set(names(linked)) == {"sh010_new", "sh020"}


def test_a_rename_here_is_taken_back_by_the_row(linked: Session) -> None:
    """Without a policy the row decides; the entity is found all the same, not made again."""
    linked.external("tracker", "Shot", "1")["name"] = "mine"
    linked.commit()
    made = shots(linked, [row(1, "sh010"), row(2, "sh020")])
    assert (len(made.created), len(made.changed)) == (0, 1)


def test_two_rows_swap_their_names(linked: Session) -> None:
    """What a natural key could not tell apart."""
    shots(linked, [row(1, "sh020"), row(2, "sh010")]).apply()
    found = [linked.fork().external("tracker", "Shot", each)["name"] for each in ("1", "2")]
    assert found == ["sh020", "sh010"]


def test_what_is_there_already_is_adopted(show: Session) -> None:
    """Unlinked entities of the same natural key are linked, and the plan shows the pairs first."""
    made = sequences(show, [{"id": "s1", "name": "sq1"}, {"id": "s2", "name": "sq2"}], adopt=("parent.name", "name"))
    (pair,) = made.linked
    assert (pair.key, pair.natural) == (("s1",), ("sintel", "sq1"))
    assert str(made).splitlines() == [
        "Sequence: 1 created, 0 changed, 1 linked, 1 unchanged",
        "  + s2",
        "  = s1 is sintel / sq1",
    ]
    done = made.apply()
    assert (done.created, done.changed, done.linked) == (1, 0, 1)
    assert show.fork().query('Sequence where parent.name is "sintel"').count() == 2
    assert sequences(show, [{"id": "s1", "name": "sq1"}, {"id": "s2", "name": "sq2"}]).is_empty


def test_without_adopt_nothing_is_adopted(show: Session) -> None:
    """A name alone is no reason to link: the new entity is refused by the server, and nothing is done."""
    with pytest.raises(CommitError, match="exists already"):
        sequences(show, [{"id": "s1", "name": "sq1"}]).apply()


def test_an_entity_is_adopted_once(show: Session) -> None:
    """Two rows of one natural key, and a row for an entity that has a link, are refused with the reason."""
    rows = [{"id": "s1", "name": "sq1"}, {"id": "s2", "name": "sq1"}]
    made = sequences(show, rows, adopt=("parent.name", "name"))
    assert [str(each) for each in made.refused] == [
        "row 2, name: 'sq1' row 1 has the same parent.name 'sintel' and name 'sq1'"
    ]
    sequences(show, rows[:1], adopt=("parent.name", "name")).apply()
    again = sequences(show, [{"id": "s3", "name": "sq1"}], adopt=("parent.name", "name"))
    reason = "the entity with the parent.name 'sintel' and name 'sq1' is linked to 's1' already"
    assert [each.reason for each in again.refused] == [reason]


def test_what_was_deleted_here_is_left_out(linked: Session) -> None:
    """The link outlives the entity: the row is not brought again unless that is wanted."""
    linked.delete(linked.external("tracker", "Shot", "1"))
    linked.commit()
    rows = [row(1, "sh010"), row(2, "sh020")]
    made = shots(linked, rows)
    assert made.is_empty
    assert [each.key for each in made.gone] == [("1",)]
    assert str(made).splitlines() == ["Shot: 0 created, 0 changed, 1 unchanged, 1 gone here", "  x 1"]
    assert set(names(linked)) == {"sh020"}
    with pytest.raises(callsheet.ConflictError, match="1 is in the source, and gone here"):
        shots(linked, rows, gone="conflict").apply()
    assert shots(linked, rows, gone="create").apply().created == 1
    assert set(names(linked)) == {"sh010", "sh020"}
    assert shots(linked, rows).is_empty


def test_deletes_travel_for_linked_entities_only(linked: Session) -> None:
    """What never had a row is not taken away; what comes back is made again."""
    parent = linked.query('Sequence where name is "sq9"').one()
    linked.create("Shot", {"name": "own", "parent": parent})
    linked.commit()
    made = shots(linked, [row(2, "sh020")], delete="delete", max_deleted=0.5)
    assert [each.key for each in made.deleted] == [("1",)]
    assert made.apply().deleted == 1
    assert set(names(linked)) == {"own", "sh020"}
    assert linked.fork().query('ExternalId where type is "Shot"').count() == 1
    assert shots(linked, [row(1, "sh010"), row(2, "sh020")]).apply().created == 1
    with pytest.raises(StateError, match="2 of 2 entities in scope have no row"):
        shots(linked, [], delete="delete").apply()


def test_the_other_way_round(linked: Session) -> None:
    """An entity has its ids in other systems, also after it was deleted."""
    shot = linked.query('Shot where name is "sh010"').one()
    assert linked.external_ids(shot) == [ForeignId("tracker", "Shot", "1")]
    linked.delete(shot)
    linked.commit()
    assert linked.external_ids(shot.identity) == [ForeignId("tracker", "Shot", "1")]
    assert linked.external("tracker", "Shot", "1") is None
    assert linked.external("tracker", "Shot", "99") is None
    with pytest.raises(UsageError, match="foreign_id is a text"):
        linked.external("tracker", "Shot", 1)


def test_a_run_counts_entities_and_is_taken_back_with_its_links(show: Session) -> None:
    """The log's counts are the plan's; after the run is undone, the same rows are new again."""
    rows = [{"id": "s1", "name": "sq8"}, {"id": "s2", "name": "sq9"}]
    sequences(show, rows, name="nightly").apply()
    (made,) = show.sync_runs("nightly")
    assert [made.count(kind) for kind in ("create", "update", "delete")] == [2, 0, 0]
    show.fork().undo_sync(made)
    assert show.fork().query("ExternalId").count() == 0
    assert len(sequences(show.fork(), rows).created) == 2


def test_a_reference_to_what_is_not_linked_is_refused(linked: Session) -> None:
    """With the reason: nobody has the id, or what had it is gone."""
    linked.delete(linked.query('Sequence where name is "sq9"').one())
    linked.commit()
    made = shots(linked, [row(3, "sh030"), row(4, "sh040", sequence="s9")])
    assert [str(each) for each in made.refused] == [
        "row 1, sequence: 's1' what was linked to 's1' of tracker is gone here",
        "row 2, sequence: 's9' no Context is linked to 's9' of tracker",
    ]


def test_two_jobs_at_once_do_not_double(show: Session) -> None:
    """Both plan the same new row: the second is refused, and then sees the first's as unchanged."""
    other = show.fork()
    rows = [{"id": "s1", "name": "sq9"}]
    first, second = sequences(show, rows), sequences(other, [{"id": "s1", "name": "sq9b"}])
    first.apply()
    with pytest.raises(CommitError):
        second.apply()
    assert sequences(other, rows).is_empty
    assert show.fork().query("ExternalId").count() == 1


def test_a_chunk_keeps_an_entity_and_its_link_together(show: Session) -> None:
    """In chunks of one operation each commit has both; a refused entity leaves no link."""
    rows = [{"id": "s1", "name": "sq7"}, {"id": "s2", "name": "sq1"}, {"id": "s3", "name": "sq8"}]
    done = sequences(show, rows).apply(atomic=False, chunk=1)
    assert (done.created, len(done.commits), len(done.refused)) == (2, 2, 1)
    found = show.fork().query("select foreign_id from ExternalId")
    assert sorted(each["foreign_id"] for each in found) == ["s1", "s3"]


def test_an_entity_and_its_children_come_in_one_plan(show: Session, tmp_path: Any) -> None:
    """A sync file names external ids as a table; children find the parents that the same plan creates."""
    (tmp_path / "sequences.csv").write_text("id,name\n7,sq7\n")
    (tmp_path / "shots.csv").write_text("id,name,in,seq\n7,sh010,1001,7\n8,sh020,1001,7\n")
    (tmp_path / "show.toml").write_text(
        """
        [[sync]]
        type = "Sequence"
        rows = "sequences.csv"
        key = { external = "tracker", column = "id", type = "Seq" }
        columns = { name = "name" }
        constants = { "parent.name" = "sintel" }
        adopt = ["parent.name", "name"]
        [[sync]]
        type = "Shot"
        rows = "shots.csv"
        key = { external = "tracker", column = "id" }
        [sync.columns]
        name = "name"
        in = "fstart"
        seq = { to = "parent", external = { system = "tracker", type = "Seq" } }
        """
    )
    made = show.plan_file(tmp_path / "show.toml")
    assert len(made.created) == 3
    made.apply()
    assert names(show) == {"sh010": "sq7", "sh020": "sq7"}
    assert show.plan_file(tmp_path / "show.toml").is_empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gone": "perhaps"}, "gone is one of leave, create, conflict"),
        ({"adopt": ("nmae",)}, "`nmae`, which finds entities, gets no value from the rows"),
        ({"adopt": 1}, "adopt is an attribute path"),
    ],
)
def test_options_that_make_no_sense_are_refused(show: Session, options: Any, message: str) -> None:
    """With what they can be."""
    with pytest.raises(UsageError, match=message):
        sequences(show, [{"id": "s1", "name": "sq9"}], **options)


def test_a_schema_without_the_registry_says_what_to_add() -> None:
    """The type and the place of its lines."""
    schema = {"types": {"Thing": {"attributes": {"name": {"type": "string"}}}}}
    with (
        Session("memory:", schema=schema) as session,
        pytest.raises(SchemaError, match=r"no type ExternalId.*sync\.md"),
    ):
        session.plan("Thing", [{"id": "1", "name": "a"}], KEY)
