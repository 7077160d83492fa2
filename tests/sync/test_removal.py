"""What is not listed any more goes, if the mapping says so: children, members of collections, items of mappings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from callsheet import Children, Column, RowMapping, Session, external
from callsheet.errors import StateError, UsageError

pytestmark = pytest.mark.usefixtures("size")

KEY = ("parent.name", "name")


def shots(delete: Any = "delete", key: Any = "name", **options: Any) -> RowMapping:
    child = Children("Shot", key, {"n": "name"}, delete=delete, **options)
    return RowMapping({"Seq": "name"}, constants={"parent.name": "sintel"}, children={"shots": child})


def seqs(**listed: Any) -> list[dict[str, Any]]:
    """A row for each sequence, with its shots; None: a row without the column."""
    return [
        {"Seq": name} if each is None else {"Seq": name, "shots": [{"n": shot} for shot in each]}
        for name, each in listed.items()
    ]


def planned(session: Session, rows: Any, mapping: RowMapping, **options: Any) -> Any:
    return session.fork().plan("Sequence", rows, KEY, mapping, **{"max_deleted": 1, **options})


def there(session: Session) -> list[tuple[str, str]]:
    found = session.fork().query("select parent.name, name from Shot where project.name is sintel").records()
    return sorted((each["parent.name"], each["name"]) for each in found)


# -- children ----------------------------------------------------------------------------------------------------------


def test_children_that_are_not_listed_end_below_their_parent_only(show: Session) -> None:
    """A row without the column, a parent without a row, and an equal parent elsewhere keep theirs."""
    planned(show, seqs(sq1="abc", sq2="ab", sq3="a"), shots()).apply()
    spring = RowMapping({"Seq": "name"}, constants={"parent.name": "spring"}, children=shots().children)
    planned(show, seqs(sq1="x"), spring).apply()
    made = planned(show, seqs(sq1="b", sq2=None), shots())
    assert sorted(each.key for each in made.steps[1].deleted) == [("sintel", "sq1", "a"), ("sintel", "sq1", "c")]
    assert made.steps[1].in_scope == 3
    assert "  - sintel / sq1 / a" in str(made)
    made.apply()
    assert there(show) == [("sq1", "b"), ("sq2", "a"), ("sq2", "b"), ("sq3", "a")]
    assert show.fork().query('Shot where project.name is "spring"').count() == 1
    assert planned(show, seqs(sq1="b", sq2=None), shots()).is_empty


def test_an_empty_list_ends_all_and_the_share_is_guarded(show: Session) -> None:
    """As for rows: not more than `max_deleted` of what is below the listed parents, the children's or the step's."""
    planned(show, seqs(sq1="abcd"), shots()).apply()
    made = planned(show, seqs(sq1=""), shots(), max_deleted=0.1)
    with pytest.raises(StateError, match="4 of 4 entities in scope have no row: 100%, and at most 10%"):
        made.apply()
    with pytest.raises(StateError, match=r"1 of 4 .* 25%, and at most 20%"):
        planned(show, seqs(sq1="abc"), shots(max_deleted=0.2)).apply()
    planned(show, seqs(sq1="abc"), shots(max_deleted=0.25), max_deleted=0).apply()
    planned(show, [{"Seq": "sq1", "shots": None}], shots()).apply()
    assert there(show) == []


def test_a_list_of_a_refused_row_is_not_relied_on(show: Session) -> None:
    """What is below its entity stays; so does all, if a child has no key that can be read."""
    planned(show, seqs(sq1="ab", sq2="ab"), shots()).apply()
    refused = RowMapping({"Seq": "name", "S": "status.name"}, {"parent.name": "sintel"}, children=shots().children)
    rows: Any = [{"Seq": "sq1", "S": "Nix", "shots": []}, {"Seq": "sq2", "S": "Done", "shots": [{"n": "a"}]}]
    made = planned(show, rows, refused, on_error="skip")
    assert [each.key for each in made.steps[1].deleted] == [("sintel", "sq2", "b")]
    nameless = [{"Seq": "sq2", "S": "Done", "shots": [{"n": ""}]}]
    assert not planned(show, nameless, refused, on_error="skip").deleted


def test_children_may_be_omitted_decided_on_or_narrowed_down(show: Session) -> None:
    """`delete` takes what a plan takes, and `scope` is a condition on the children."""
    planned(show, seqs(sq1="abc"), shots()).apply()
    made = planned(show, seqs(sq1="a"), shots("omit", scope='name is_not "c"'))
    assert [(each.row, each.key[-1], each.differences[0].attribute) for each in made.changed] == [(0, "b", "status")]
    made.apply()
    assert planned(show, seqs(sq1="a"), shots("omit", scope='name is_not "c"')).is_empty
    chosen = planned(show, seqs(sq1="a"), shots(lambda each: "delete" if each["name"] == "c" else "keep"))
    assert [each.key[-1] for each in chosen.deleted] == ["c"]


def test_children_by_ids_of_another_system_end_with_their_links(show: Session) -> None:
    """One that was never linked stays; one that comes back is made again."""
    mapping = RowMapping(
        {"n": "name"},
        constants={"parent.name": "sintel"},
        children={"shots": Children("Shot", external("tracker"), {"n": "name"}, delete="delete", max_deleted=1)},
    )
    rows: Any = [{"id": "s1", "n": "sq9", "shots": [{"id": "h1", "n": "a"}, {"id": "h2", "n": "b"}]}]
    show.fork().plan("Sequence", rows, external("tracker"), mapping).apply()
    with show.fork() as other:
        other.create("Shot", {"name": "own", "parent": other.query('Sequence where name is "sq9"').one()})
        other.commit()
    less = [{**rows[0], "shots": rows[0]["shots"][:1]}]
    made = show.fork().plan("Sequence", less, external("tracker"), mapping)
    assert [each.key for each in made.deleted] == [("h2",)]
    made.apply()
    assert there(show) == [("sq9", "a"), ("sq9", "own")]
    assert show.fork().plan("Sequence", less, external("tracker"), mapping).is_empty
    assert show.fork().plan("Sequence", rows, external("tracker"), mapping).apply().created == 1


def test_assignments_follow_a_list_of_names(show: Session) -> None:
    """People who are not listed any more are not assigned any more."""
    for name in ("ann", "bob", "eve"):
        show.create("User", {"username": name, "name": name})
    show.commit()
    people = Children("Assignment", "resource.name", {"who": "resource.name"}, parent="context", delete="delete")
    mapping = RowMapping({"t": "name"}, constants={"parent.name": "sintel"}, children={"people": people})

    def plan(names: list[str]) -> Any:
        return show.fork().plan("Task", [{"t": "anim", "people": names}], KEY, mapping, max_deleted=1)

    plan(["ann", "bob"]).apply()
    plan(["bob", "eve"]).apply()
    assert plan(["bob", "eve"]).is_empty
    found = show.fork().query("select resource.name from Assignment").records()
    assert sorted(each["resource.name"] for each in found) == ["bob", "eve"]


# -- members and items -------------------------------------------------------------------------------------------------


def tagged(session: Session, cell: str, members: str = "replace", **options: Any) -> Any:
    columns: dict[str, Any] = {"n": "name", "tags": Column("tags.name", split=",", members=members)}
    mapping = RowMapping(columns, constants={"parent.name": "sintel"})
    return session.fork().plan("Task", [{"n": "a", "tags": cell}], KEY, mapping, **options)


def test_members_are_replaced_or_added_to(show: Session) -> None:
    """By default the entity has what the row lists; with `add` what is not listed stays."""
    for name in ("t1", "t2", "t3"):
        show.create("Tag", {"name": name})
    show.commit()
    tagged(show, "t1,t2").apply()
    made = tagged(show, "t3", "add")
    assert [len(each.after) for each in made.changed[0].differences] == [3]
    made.apply()
    assert tagged(show, "t1", "add").is_empty
    assert tagged(show, "", "add").is_empty
    tagged(show, "t1").apply()
    (task,) = show.fork().query("select tags.name from Task").all()
    assert [each["name"] for each in task["tags"]] == ["t1"]


def described(session: Session, cell: Any, members: str = "replace", **options: Any) -> Any:
    columns: dict[str, Any] = {"n": "name", "about": Column("metadata", members=members)}
    mapping = RowMapping(columns, constants={"parent.name": "sintel"})
    return session.fork().plan("Task", [{"n": "a", "about": cell}], KEY, mapping, **options)


def items(session: Session) -> dict[str, Any]:
    (found,) = session.fork().query("select metadata from Task").records()
    return {name: value for name, value in found["metadata"].items() if value is not None}


def test_a_mapping_goes_in_as_a_whole(show: Session) -> None:
    """From an object or JSON text; each item that differs is a difference of its own, and the log has no other."""
    described(show, {"lens": "35", "iso": 800}).apply()
    assert items(show) == {"lens": "35", "iso": "800"}
    made = described(show, '{"lens": "50", "stop": "2.8"}')
    assert {(each.attribute, each.before, each.after) for each in made.changed[0].differences} == {
        ("metadata.lens", "35", "50"), ("metadata.stop", None, "2.8"), ("metadata.iso", "800", None),
    }  # fmt: skip
    assert "metadata.lens: '35' → '50'" in str(made)
    made.apply()
    assert items(show) == {"lens": "50", "stop": "2.8"}
    assert described(show, {"stop": "2.8", "lens": "50", "none": None}).is_empty


def test_items_that_are_not_listed_stay_where_they_are_added(show: Session) -> None:
    """An item that is listed as empty is removed."""
    described(show, {"lens": "35", "iso": "800"}).apply()
    described(show, {"lens": None, "stop": "4"}, "add").apply()
    assert items(show) == {"iso": "800", "stop": "4"}
    assert described(show, {}, "add").is_empty
    assert described(show, None, "add").is_empty


def test_many_members_do_not_go_by_themselves(show: Session) -> None:
    """Where an export lost a column, the plan is refused; a few may go, and what is replaced is not lost."""
    many = {f"k{number}": "x" for number in range(30)}
    described(show, many).apply()
    with pytest.raises(StateError, match="30 of 30 members and items of Task are not listed any more: 100%"):
        described(show, None).apply()
    assert "at most 10% may go (max_deleted); is the source complete?" in str(described(show, None))
    described(show, {f"n{number}": "x" for number in range(30)}).apply()
    described(show, {f"n{number}": "x" for number in range(10)}).apply()
    described(show, None, max_deleted=1).apply()
    assert items(show) == {}


def test_what_each_side_adds_to_a_mapping_is_merged(show: Session) -> None:
    """With bases and `merge`: items are compared three ways, one by one."""
    described(show, {"a": "1", "b": "1", "c": "1"}, conflicts="merge").apply()
    with show.fork() as other:
        task = other.query("select metadata from Task").one()
        task["metadata"]["theirs"] = "x"
        task["metadata"]["b"] = "2"
        other.commit()
    made = described(show, {"a": "2", "b": "1", "ours": "y"}, conflicts="merge")
    assert not made.conflicts
    made.apply()
    assert items(show) == {"a": "2", "b": "2", "ours": "y", "theirs": "x"}
    assert described(show, {"a": "2", "b": "1", "ours": "y"}, conflicts="merge").is_empty
    (open_,) = described(show, {"a": "2", "b": "3", "ours": "y"}, conflicts="merge").conflicts
    assert (open_.attribute, open_.base, open_.source, open_.target) == ("metadata.b", "1", "3", "2")


def test_since_reads_what_its_base_does_not_answer(show: Session) -> None:
    """A mapping as a whole and added members are compared with the base as with an entity."""
    mapping = RowMapping({"n": "name", "about": "metadata"}, constants={"parent.name": "sintel"})
    rows: list[dict[str, Any]] = [{"n": "a", "about": {"x": "1"}}, {"n": "b", "about": {"x": "1"}}]

    def plan(**options: Any) -> Any:
        return show.fork().plan("Task", rows, KEY, mapping, conflicts="source", **options)

    position = plan().apply().commits[-1].position
    assert plan(since=position).is_empty
    rows[1]["about"] = {}
    (changed,) = plan(since=position).changed
    assert [(each.attribute, each.after) for each in changed.differences] == [("metadata.x", None)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"n": "name", "a": "metadata", "b": "metadata.lens"}, "`metadata.lens` gets two values"),
        ({"n": Column("name", members="add")}, "`name` is neither a collection nor a mapping as a whole"),
        ({"n": Column("name", members="keep")}, '`members` is "replace" or "add", not \'keep\''),
    ],
)
def test_what_makes_no_sense_is_refused(show: Session, columns: Any, message: str) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match=message):
        show.plan("Task", [{"n": "a"}], "name", RowMapping(columns))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("lens", "is no object: text is read as JSON"),
        ([1], "takes an object"),
        ({"": "x"}, "an item of Task.metadata has a non-empty string"),
        ({"a": ["x"]}, "'a': takes a string"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_row(show: Session, cell: Any, reason: str) -> None:
    """The value, the item and the cure are named."""
    (refused,) = described(show, cell).refused
    assert (refused.row, refused.column) == (1, "about")
    assert reason in refused.reason


def test_a_sync_file_says_what_becomes_of_what_is_not_listed(show: Session, tmp_path: Path) -> None:
    """`members` of a column, and `delete`, `scope` and `max_deleted` of children."""
    (tmp_path / "a.toml").write_text(
        '[[sync]]\ntype = "Sequence"\nrows = "a.jsonl"\nkey = ["parent.name", "name"]\n'
        'columns = { Seq = "name", about = { to = "metadata", members = "add" } }\n'
        'constants = { "parent.name" = "sintel" }\n'
        '[sync.children.shots]\ntype = "Shot"\nkey = "name"\ncolumns = { n = "name" }\n'
        'delete = "delete"\nscope = \'name like "s%"\'\nmax_deleted = 1\n'
    )
    for about, names in (("a", ("s1", "s2", "x")), ("b", ("s1",))):
        listed = ", ".join(f'{{"n": "{name}"}}' for name in names)
        row = f'{{"Seq": "sq1", "about": {{"{about}": "1"}}, "shots": [{listed}]}}\n'
        (tmp_path / "a.jsonl").write_text(row)
        show.fork().plan_file(tmp_path / "a.toml").apply()
    assert there(show) == [("sq1", "s1"), ("sq1", "x")]
    found = show.fork().query('select metadata from Sequence where project.name is "sintel"').one()
    assert dict(found["metadata"]) == {"a": "1", "b": "1"}


# -- laws --------------------------------------------------------------------------------------------------------------

LISTS = st.one_of(st.none(), st.sets(st.sampled_from("abcd")).map(sorted))
RANDOM = st.fixed_dictionaries({}, optional={"sq1": LISTS, "sq2": LISTS, "sq7": LISTS})
ITEMS = st.one_of(st.none(), st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["", "1", "2"])))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example({"sq1": ["a"]}, {"sq2": None, "sq1": [], "sq7": None}, "delete")
@given(first=RANDOM, second=RANDOM, delete=st.sampled_from(["keep", "delete"]))
def test_applied_once_is_enough_for_children(show: Session, first: Any, second: Any, delete: str) -> None:
    """Below each listed parent is what its list says (with `keep`: at least that), and planning again finds nothing."""
    clean(show)
    planned(show, seqs(**first), shots("delete")).apply()
    before = set(there(show))
    planned(show, seqs(**second), shots(delete)).apply()
    listed = {(seq, shot) for seq, names in second.items() for shot in names or ()}
    left = {each for each in before if delete == "keep" or second.get(each[0]) is None}
    assert set(there(show)) == listed | left
    assert planned(show, seqs(**second), shots(delete)).is_empty


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ITEMS, second=ITEMS, members=st.sampled_from(["replace", "add"]))
def test_applied_once_is_enough_for_items(show: Session, first: Any, second: Any, members: str) -> None:
    """The items are those of the row, with `add` beside those that were there, and planning again finds nothing."""
    clean(show)
    described(show, first).apply()
    before = items(show)
    described(show, second, members).apply()
    kept = before if members == "add" else {}
    assert items(show) == {name: value for name, value in {**kept, **(second or {})}.items() if value}
    assert described(show, second, members).is_empty


def clean(show: Session) -> None:
    with show.fork() as session:
        for kind in ("Shot", "Task"):
            for each in session.query(f'{kind} where project.name is "sintel"').all():
                session.delete(each)
        session.commit()
