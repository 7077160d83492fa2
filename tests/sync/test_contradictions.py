"""Rows and mappings that contradict themselves, the schema or the plan are refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsheet import AsyncSession, Column, RowMapping, Session
from callsheet.errors import CommitError, StateError, UsageError
from callsheet.sync import reading

pytestmark = pytest.mark.usefixtures("size")

FOLDERS = {"n": "name", "p": "parent.name"}


def folders(session: Session, rows: list[tuple[str, str]], **options: Any) -> Any:
    return session.plan("Folder", [{"n": name, "p": parent} for name, parent in rows], "name", FOLDERS, **options)


def names(session: Session, entity_type: str) -> list[str]:
    return sorted(each["name"] for each in session.fork().query(entity_type))


def refusals(plan: Any) -> list[str]:
    return [str(each) for each in plan.refused]


def test_what_refers_to_a_refused_row_is_refused(show: Session) -> None:
    """And what refers to that, whatever the order of the rows; the others go in."""
    rows = [("c", "b"), ("a", "nope"), ("b", "a"), ("d", "sintel")]
    made = folders(show, rows, on_error="skip")
    assert [str(each).partition("; did")[0] for each in made.refused] == [
        "row 1, p: 'b' is a row that was refused",
        "row 2, p: 'nope' no Context has the name 'nope'",
        "row 3, p: 'a' is a row that was refused",
    ]
    made.apply()
    assert names(show, "Folder") == ["d"]


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_what_a_row_refers_to_is_not_deleted(show: Session, on_error: str) -> None:
    """The folder `old` has no row, but rows lie in it: deleting it would delete them, too."""
    folders(show, [("old", "sintel"), ("kid", "old"), ("gone", "sintel")]).apply()
    made = folders(show, [("kid", "old"), ("new", "old")], delete="delete", max_deleted=1, on_error=on_error)
    reason = "'old' has no row of its own and would be deleted, and this row refers to it"
    assert refusals(made) == [f"row 1, p: {reason}", f"row 2, p: {reason}"]
    assert [each.key for each in made.deleted] == [("gone",)]
    if on_error == "stop":
        with pytest.raises(StateError, match="would be deleted"):
            made.apply()
    else:
        made.apply()
        assert names(show, "Folder") == ["kid", "old"]


def test_a_key_that_is_given_is_the_entitys(show: Session) -> None:
    """An empty one is made; another than the entity has is refused, for keys never change."""
    rows = [{"id": "", "name": "x"}, {"id": None, "name": "y"}, {"id": "mine", "name": "z"}]
    show.plan("Tag", rows, "name").apply()
    found = {each["name"]: each.identity.key for each in show.fork().query("Tag")}
    assert (sorted(found), found["z"]) == (["x", "y", "z"], "mine")
    assert show.plan("Tag", rows, "name").is_empty
    made = show.plan("Tag", [{"id": "other", "name": "z"}], "name")
    assert refusals(made) == ["row 1, id: 'other' cannot change: the entity has 'mine' for good"]


def test_an_empty_cell_says_nothing_of_a_required_reference(show: Session) -> None:
    """As of a required value: a task stays where it is."""
    mapping = {"n": "name", "p": "parent.name", "s": "status.name"}
    show.plan("Task", [{"n": "t", "p": "sintel", "s": "Done"}], "name", mapping).apply()
    (change,) = show.plan("Task", [{"n": "t", "p": "", "s": ""}], "name", mapping).changed
    assert [(each.attribute, each.after) for each in change.differences] == [("status", None)]


@pytest.mark.parametrize(("share", "stopped"), [(0, True), (0.28, True), (0.29, False), (1, False)])
def test_the_share_that_may_go_is_exact(show: Session, share: float, stopped: bool) -> None:
    """29 of 100 are not more than 29 percent, whatever binary fractions make of it."""
    rows = [{"name": f"tag {number}"} for number in range(100)]
    show.plan("Tag", rows, "name").apply()
    made = show.plan("Tag", rows[:71], "name", delete="delete", max_deleted=share)
    assert (len(made.deleted), made.steps[0].too_many_end) == (29, stopped)


def test_nothing_that_goes_is_never_too_much(show: Session) -> None:
    """Not even where nothing may go, or nothing is in scope."""
    made = show.plan("Tag", [], "name", delete="delete", max_deleted=0)
    assert (made.is_empty, made.steps[0].too_many_end) == (True, False)


def test_columns_that_come_late_are_named(show: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping the first rows say which columns there are; no later value is left out unseen."""
    assert reading.RUN == 2_000
    monkeypatch.setattr(reading, "RUN", 20)
    rows: list[dict[str, Any]] = [{"name": str(number)} for number in range(20)]
    with pytest.raises(UsageError, match="row 21 has a column 'colour' that the first 20 rows do not have"):
        show.plan("Tag", [*rows, {"name": "z", "colour": "red"}], "name")
    assert len(show.plan("Tag", [*rows, {"name": "z", "colour": "red"}], "name", {"name": "name"}).created) == 21


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": None}, "key is an attribute path or a sequence of them, not None"),
        ({"key": [1]}, "key is an attribute path or a sequence of them"),
        ({"key": ()}, "a key is needed"),
        ({"scope": 3}, "scope is a condition as text, not 3"),
        ({"delete": ["omit"]}, "delete is \"keep\", .* not \\['omit'\\]"),
        ({"delete": {"id": "x"}}, "Tag.id is computed by the server and cannot be written"),
        ({"delete": {"nmae": 1}}, "cannot be used: Tag has no attribute `nmae`; did you mean `name`\\?$"),
        ({"rows": [{0: "a"}]}, "a column is called like its attribute, not 0"),
        ({"mapping": RowMapping({"a": 3})}, "column 'a' goes to an attribute path or a Column, not 3"),  # type: ignore[dict-item]
        ({"mapping": {"a": Column("name", values=3)}}, "`values` is a dict of values to replace, not 3"),  # type: ignore[arg-type]
        ({"mapping": {"a": Column("name", split=3)}}, "column 'a': `split` is a text, not 3"),  # type: ignore[arg-type]
        ({"mapping": {"a": Column("name", decimal=";")}}, "`decimal` is a point or a comma, not ';'"),
        ({"mapping": RowMapping(templates={"name": 3})}, "the template of `name` is a text"),  # type: ignore[dict-item]
        ({"mapping": RowMapping(functions={"name": 3})}, "the function of `name` is called with the row"),  # type: ignore[dict-item]
    ],
)
def test_arguments_of_another_kind_are_refused(show: Session, options: dict[str, Any], message: str) -> None:
    """With an error of Callsheet that says what is taken."""
    given = {"rows": [{"name": "a"}], "key": "name"} | options
    with pytest.raises(UsageError, match=message):
        show.plan("Tag", given.pop("rows"), given.pop("key"), **given)


def test_json_data_is_no_key(show: Session) -> None:
    """It is not compared by servers."""
    with pytest.raises(UsageError, match="the key `accessor` is JSON data, which is not compared"):
        show.plan("Location", [{"accessor": ["x"]}], "accessor")


# -- paths and texts ---------------------------------------------------------------------------------------------------


def test_a_reference_is_written_by_its_name_alone_and_by_its_key(show: Session) -> None:
    """`status` means the label, `status_id` the key; as keys they find entities as whole paths do."""
    done = show.query('Status where name is "Done"').one().identity.key
    show.plan("Task", [{"name": "a", "parent": "sintel", "status": "Done"}], ("parent", "name")).apply()
    show.plan("Task", [{"name": "b", "parent": "sintel", "status_id": done}], ("parent", "name")).apply()
    found = show.fork().query("select name, status.name from Task")
    assert sorted((each["name"], each["status"]["name"]) for each in found) == [("a", "Done"), ("b", "Done")]
    assert show.plan(
        "Task", [{"name": "b", "parent.name": "sintel", "status": "Done"}], ("parent.name", "name")
    ).is_empty


def test_new_rows_are_referred_to_by_any_way_of_writing(show: Session) -> None:
    """A folder in a folder that is new itself, with `parent` for `parent.name`."""
    rows = [{"name": "b", "parent": "a"}, {"name": "a", "parent": "sintel"}]
    show.plan("Folder", rows, "name").apply()
    found = show.fork().query("select name, parent.name from Folder")
    assert sorted((each["name"], each["parent"]["name"]) for each in found) == [("a", "sintel"), ("b", "a")]


def test_one_attribute_gets_one_value(show: Session) -> None:
    """However its path is written."""
    with pytest.raises(UsageError, match=r"`parent.name` gets two values"):
        show.plan("Task", [{"a": "1", "b": "2"}], "name", {"n": "name", "a": "parent", "b": "parent.name"})


def test_a_name_is_one_name_in_both_ways_of_writing_it(show: Session) -> None:
    """An accent as a character of its own, as file names on macOS have it, finds the name without."""
    show.plan("Tag", [{"name": "Zo\u00eb"}], "name").apply()
    assert show.plan("Tag", [{"name": "Zoe\u0308"}], "name").is_empty
    mapping = {"n": "name", "p": "parent.name", "t": Column("tags.name", split=",")}
    made = show.plan("Task", [{"n": "a", "p": "sintel", "t": "Zoe\u0308,Zo\u00eb"}], "name", mapping)
    assert (refusals(made), len(made.created[0].members["tags"])) == ([], 1)


@pytest.mark.parametrize("text", ["1_000", "0x10", "1 2 x", "inf"])
def test_numbers_are_read_as_files_write_them(show: Session, text: str) -> None:
    """Not as Python does."""
    rows = [{"name": "a", "parent": "sintel", "bid": text}]
    assert len(show.plan("Task", rows, "name").refused) == 1


def test_truth_values_may_be_numbers(show: Session) -> None:
    """Frames make 1.0 of a column of ones with a gap."""
    rows = [
        {"username": "a", "is_active": 1.0},
        {"username": "b", "is_active": 0.0},
        {"username": "c", "is_active": 0.5},
    ]
    made = show.plan("User", rows, "username")
    assert [each.values["is_active"] for each in made.created] == [True, False]
    assert refusals(made) == ["row 3, is_active: 0.5 is neither yes nor no"]


# -- where rows come from ----------------------------------------------------------------------------------------------


def test_a_query_of_the_same_session_is_a_source(show: Session) -> None:
    """Its pages are read as part of the plan."""
    made = show.plan("Tag", show.query("select name from Status", page_size=2), "name")
    assert sorted(each.key for each in made.created) == [("Done",), ("Omitted",), ("Ready",)]


@pytest.mark.anyio
async def test_an_awaited_query_is_a_source_of_its_own_session(show: Session) -> None:
    """Another session's cannot be awaited in a plan, which says so; one that blocks can be read."""
    async with AsyncSession("memory:") as session, AsyncSession("memory:") as other:
        session.create("Project", {"name": "sintel"})
        await session.commit()
        query = session.query("select name from Project")
        assert len((await session.plan("Tag", query, "name")).created) == 1
        assert len((await session.plan("Tag", show.query("select name from Status"), "name")).created) == 3
        with pytest.raises(UsageError, match="list others before"):
            await other.plan("Tag", query, "name")


@pytest.mark.parametrize("arguments", [("", -1), ("", True), ("", "x"), (3,)])
def test_runs_are_asked_for_by_name_and_number(show: Session, arguments: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(UsageError, match=r"is a number of runs|is a text"):
        show.sync_runs(*arguments)


@pytest.mark.parametrize("name", ["a/b", "ü %2F", "a", ""])
def test_a_run_is_found_by_its_name(show: Session, name: str) -> None:
    """Whatever characters are in it; without one the run is called like its type."""
    show.plan("Tag", [{"name": "t"}], "name", name=name).apply()
    (run,) = show.sync_runs(name)
    assert (run.name, run.count("create")) == (name or "Tag", 1)
    assert show.sync_runs("b") == []


@pytest.mark.parametrize("text", ["sync = 3", '[sync]\ntype = "Tag"', "sync = []", "sync = [1]"])
def test_a_sync_file_has_tables_of_two_brackets(show: Session, tmp_path: Path, text: str) -> None:
    """One bracket too few is named."""
    path = tmp_path / "tags.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"one table for each type is needed, headed `\[\[sync\]\]`"):
        show.plan_file(path)


def test_options_of_a_column_in_a_file_are_checked(show: Session, tmp_path: Path) -> None:
    """As those of a `Column`."""
    (tmp_path / "tags.csv").write_text("name\nt1\n")
    head = '[[sync]]\ntype = "Tag"\nrows = "tags.csv"\nkey = "name"\n[sync.columns]\n'
    (tmp_path / "tags.toml").write_text(head + 'name = {to = "name", values = 3, decimal = ";"}')
    with pytest.raises(UsageError, match=r"`decimal` is a point or a comma.*`values` is a dict of values"):
        show.plan_file(tmp_path / "tags.toml")


def test_a_refused_plan_speaks_of_the_plan(show: Session) -> None:
    """Nothing is pending in the session, and in chunks what was done before is done."""
    made = folders(show, [("a", "sintel"), ("b", "b")])
    with pytest.raises(CommitError, match=r"^nothing was committed: .*own ancestor.*") as caught:
        made.apply()
    assert "pending" not in str(caught.value)
    done = made.apply(atomic=False)
    assert (done.created, len(done.refused), show.pending) == (1, 1, ())


def test_later_types_keep_and_miss_what_earlier_ones_end_and_refuse(show: Session, tmp_path: Path) -> None:
    """A sequence without a row stays for its shots' sake; a shot of a refused sequence is refused."""
    head = '[[sync]]\nkey = ["parent.name", "name"]\non_error = "skip"\n'
    first = 'type = "Folder"\nrows = "folders.csv"\ndelete = "delete"\nmax_deleted = 1\n'
    columns = '[sync.columns]\nname = "name"\nin = "parent.name"\n'
    second = 'type = "Sequence"\nrows = "sequences.csv"\n'
    (tmp_path / "show.toml").write_text(head + first + columns + head + second + columns)
    folders(show, [("old", "sintel"), ("gone", "sintel")]).apply()
    (tmp_path / "folders.csv").write_text("name,in\nnew,sintel\nwrong,nowhere\n")
    (tmp_path / "sequences.csv").write_text("name,in\ns1,old\ns2,new\ns3,wrong\n")
    made = show.plan_file(tmp_path / "show.toml")
    assert [each.key for each in made.created] == [("sintel", "new"), ("new", "s2")]
    assert [each.key for each in made.deleted] == [("sintel", "gone")]
    assert [(each.column, each.value) for each in made.refused] == [("in", "nowhere"), ("in", "old"), ("in", "wrong")]
    made.apply()
    assert names(show, "Folder") == ["new", "old"]
