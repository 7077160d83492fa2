"""A plan says what applying it changes, changes nothing itself, and is empty after it was applied."""

from __future__ import annotations

from typing import Any

import pytest

import callsheet
from callsheet import Column, ConflictError, RowMapping, Session
from callsheet.errors import CommitError, StateError, UsageError
from callsheet.sync import reading

pytestmark = pytest.mark.usefixtures("size")

SHOTS = RowMapping(
    {"Shot": "name", "Seq": "parent.name", "Status": "status.name", "In": "fstart", "Lens": "metadata.lens"},
    constants={"project.name": "sintel"},
)
KEY = ("project.name", "parent.name", "name")


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"Shot": name, "Seq": "sq1", "Status": "Ready", "In": "1001", "Lens": "35mm"} | values


def plan(session: Session, rows: Any, **options: Any) -> Any:
    return session.plan("Shot", rows, key=KEY, mapping=SHOTS, **options)


def shots(session: Session) -> dict[str, tuple[Any, ...]]:
    """What the server has, by name."""
    found = session.fork().query('select name, fstart, status.name, metadata from Shot where project.name is "sintel"')
    return {each["name"]: (each["fstart"], each["status"]["name"], dict(each["metadata"])) for each in found}


def test_a_plan_changes_nothing(show: Session) -> None:
    """Before it is applied, the server has what it had, and the session has nothing pending."""
    made = plan(show, [row("sh010")])
    assert (len(made.created), len(made.changed), len(made.unchanged)) == (1, 0, 0)
    assert shots(show) == {}
    assert show.pending == ()


def test_after_applying_it_is_empty(show: Session) -> None:
    """The same rows once more find every value in its place."""
    rows = [row("sh010"), row("sh020", Status="Done", In="990", Lens="")]
    done = plan(show, rows).apply()
    assert (done.created, done.changed, done.deleted, len(done.commits)) == (2, 0, 0, 1)
    assert shots(show) == {"sh010": (1001, "Ready", {"lens": "35mm"}), "sh020": (990, "Done", {})}
    again = plan(show, rows)
    assert again.is_empty
    assert len(again.unchanged) == 2
    assert again.apply().commits == ()


def test_only_what_differs_is_sent(show: Session) -> None:
    """A changed row is one update with the changed values, each with the value before."""
    plan(show, [row("sh010"), row("sh020")]).apply()
    made = plan(show, [row("sh010", Status="Done", Lens="50mm"), row("sh020")])
    (operation,) = made.operations
    assert set(operation.values) == {"status", "metadata.lens"}
    assert (operation.before["metadata.lens"], operation.values["metadata.lens"]) == ("35mm", "50mm")
    assert "metadata.lens: '35mm' → '50mm'" in str(made)
    made.apply()
    assert shots(show)["sh010"] == (1001, "Done", {"lens": "50mm"})


def test_the_row_decides_between_entities_of_one_name(show: Session) -> None:
    """Both projects have a sequence sq1; the row's project says which is meant."""
    plan(show, [row("sh010")]).apply()
    found = show.fork().query("select project.name, parent.project.name from Shot").one()
    assert (found["project"]["name"], found["parent"]["project"]["name"]) == ("sintel", "sintel")


def test_every_row_that_cannot_go_in_is_named(show: Session) -> None:
    """All of them at once, each with row, column, value, reason and cure; nothing is applied then."""
    rows = [
        row("sh010", In="soon"),
        row("sh020", Status="Redy"),
        row("sh030", Seq="sq9"),
        row("", In="1"),
        row("sh040"),
        row("sh040", In="7"),
        row("sh050", In="1,234"),
    ]
    made = plan(show, rows)
    assert [str(each) for each in made.refused] == [
        "row 1, In: 'soon' is not a number",
        "row 2, Status: 'Redy' no Status has the name 'Redy'; did you mean `Ready`?",
        "row 3, Seq: 'sq9' no Context has the name 'sq9'; did you mean `sq1`?",
        "row 4, Shot: is empty, and it is part of the key",
        "row 6, In: 7 row 5 has the same key and another value here",
        'row 7, In: \'1,234\' may be read in two ways: `decimal = ","` or `decimal = "."` says which mark is the '
        "decimal one",
    ]
    with pytest.raises(StateError, match=r"row 1, In: 'soon' is not a number.*on_error"):
        made.apply()
    assert shots(show) == {}
    assert plan(show, rows, on_error="skip").apply().created == 1
    assert list(shots(show)) == ["sh040"]


def test_rows_that_say_the_same_are_one(show: Session) -> None:
    """A file of shots names its sequence on every line."""
    rows = [{"Seq": "sq2", "Show": "sintel"}, {"Seq": "sq2", "Show": "sintel"}]
    made = show.plan("Sequence", rows, ("parent.name", "name"), {"Seq": "name", "Show": "parent.name"})
    assert (len(made.created), len(made.refused)) == (1, 0)


def test_everything_wrong_with_a_mapping_is_told_at_once(show: Session) -> None:
    """Names that do not exist, values that the server computes, keys without a value."""
    with pytest.raises(UsageError) as caught:
        show.plan("Shot", [{}], ("code",), {"a": "nmae", "b": "created_at", "c": "children.name"})
    text = str(caught.value)
    assert "Shot has no attribute `nmae`; did you mean `name`?" in text
    assert "Shot.created_at is computed by the server" in text
    assert "Shot.children is written from its other side: Context.parent" in text
    assert "the key `code` gets no value from the rows" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delete": "remove"}, 'delete is "keep", "delete", "omit", a dict of values or a function'),
        ({"on_error": "ignore"}, 'on_error is "stop" or "skip"'),
        ({"max_deleted": 10}, "max_deleted is a share from 0 to 1"),
        ({"scope": "nmae is 1", "delete": "delete"}, "did you mean `name`"),
    ],
)
def test_options_that_make_no_sense_are_refused(show: Session, options: dict[str, Any], message: str) -> None:
    """Before anything is compared or sent, with what would be right."""
    with pytest.raises(UsageError, match=message):
        plan(show, [row("sh010")], **options)


def test_rows_that_are_no_rows_are_refused(show: Session) -> None:
    """A text or a number is no source of rows, and a list of texts has no columns."""
    with pytest.raises(UsageError, match=r"rows are mappings, one for each row, or `callsheet.rows\(file\)`, not str"):
        plan(show, "shots.csv")
    with pytest.raises(UsageError, match="row 1 is a mapping of columns to values, not str"):
        plan(show, ["sh010"])


# -- what has no row ---------------------------------------------------------------------------------------------------


def test_what_has_no_row_stays_unless_told_otherwise(show: Session) -> None:
    """The default keeps; nothing is read for it either."""
    plan(show, [row("sh010"), row("sh020")]).apply()
    assert plan(show, [row("sh010")]).is_empty


def test_what_has_no_row_is_deleted_within_the_scope(show: Session) -> None:
    """Only there: a shot of the other project stays."""
    plan(show, [row("sh010"), row("sh020")]).apply()
    other = RowMapping(SHOTS.columns, {"project.name": "spring"})
    show.plan("Shot", [row("sh020")], key=KEY, mapping=other).apply()
    made = plan(show, [row("sh010")], delete="delete", scope='project.name is "sintel"', max_deleted=0.5)
    assert [each.key for each in made.deleted] == [("sintel", "sq1", "sh020")]
    made.apply()
    assert show.fork().query("Shot").count() == 2


def test_what_has_no_row_is_omitted_once(show: Session) -> None:
    """It gets the status Omitted; a second run has nothing to do; back among the rows it gets its status again."""
    plan(show, [row("sh010"), row("sh020")]).apply()
    ending: dict[str, Any] = {"delete": "omit", "scope": 'project.name is "sintel"', "max_deleted": 1}
    plan(show, [row("sh010")], **ending).apply()
    assert shots(show)["sh020"][1] == "Omitted"
    assert plan(show, [row("sh010")], **ending).is_empty
    plan(show, [row("sh010"), row("sh020")], **ending).apply()
    assert shots(show)["sh020"][1] == "Ready"


def test_an_empty_source_takes_nothing_away(show: Session) -> None:
    """More than the allowed share of the scope would go: the plan is shown, and not applied."""
    plan(show, [row(f"sh{number:03}") for number in range(10)]).apply()
    made = plan(show, [row("sh000")], delete="delete", scope='project.name is "sintel"')
    assert "9 of 10 entities in scope have no row: 90%, and at most 10% may go" in str(made)
    with pytest.raises(StateError, match="is the source complete"):
        made.apply()
    assert len(shots(show)) == 10


def test_a_function_decides_what_becomes_of_each(show: Session) -> None:
    """It is called with the key of what has no row; what it gives is planned, and what fails there is said."""
    plan(show, [row("sh010"), row("sh020"), row("sh030"), row("sh040")]).apply()
    choices: dict[str, Any] = {"sh020": "omit", "sh030": {"fstart": 7}, "sh040": "keep"}
    seen: list[Any] = []

    def decide(entity: Any) -> Any:
        seen.append(entity)
        return choices.get(entity["name"], "delete")

    made = plan(show, [], delete=decide, max_deleted=1)
    assert [each.key[-1] for each in made.deleted] == ["sh010"]
    assert {each.key[-1]: each.differences[0].after for each in made.changed if each.key[-1] == "sh030"} == {"sh030": 7}
    assert sorted(each["name"] for each in seen) == ["sh010", "sh020", "sh030", "sh040"]
    assert all(set(each) == {"id", *KEY} for each in seen)
    made.apply()
    assert plan(show, [], delete=decide, max_deleted=1).is_empty
    with pytest.raises(UsageError, match="which has no row, failed: ZeroDivisionError"):
        plan(show, [], delete=lambda entity: 1 / 0, max_deleted=1)
    with pytest.raises(UsageError, match=r"delete is .*, not 'drop'"):
        plan(show, [], delete=lambda entity: "drop", max_deleted=1)


def test_the_entity_of_a_refused_row_is_not_taken_for_gone(show: Session) -> None:
    """A row with a typing error still names its shot; one without a key may stand for any."""
    plan(show, [row("sh010"), row("sh020"), row("sh030")]).apply()
    ending: dict[str, Any] = {"delete": "delete", "max_deleted": 1, "on_error": "skip"}
    made = plan(show, [row("sh010", In="soon"), row("sh020", Status="Redy")], **ending)
    assert [each.key[-1] for each in made.deleted] == ["sh030"]
    made = plan(show, [row("sh010"), row("")], **ending)
    assert made.deleted == ()
    assert "nothing is taken for gone: 1 row without a key" in str(made)


# -- several at once ---------------------------------------------------------------------------------------------------


def test_what_changed_since_the_plan_is_a_conflict(show: Session) -> None:
    """Somebody's edit between plan and apply is not overwritten; a new plan sees it."""
    plan(show, [row("sh010")]).apply()
    made = plan(show, [row("sh010", In="1009")])
    with show.fork() as other:
        other.query("Shot").one()["fstart"] = 1005
        other.commit()
    with pytest.raises(ConflictError) as caught:
        made.apply()
    (conflict,) = caught.value.conflicts
    assert (conflict.attribute, conflict.base, conflict.ours, conflict.theirs) == ("fstart", 1001, 1009, 1005)
    assert shots(show)["sh010"][0] == 1005


def test_two_plans_of_the_same_rows_do_not_double(show: Session) -> None:
    """Both find nothing there; the second is refused as a whole, and its next plan finds the first's rows."""
    rows = [{"name": f"tag {number}"} for number in range(3)]
    one, two = (show.plan("Note", [{"content": each["name"]} for each in rows], key="content") for _ in range(2))
    one.apply()
    with pytest.raises(CommitError):
        two.apply()
    assert show.fork().query("Note").count() == 3
    assert show.plan("Note", [{"content": each["name"]} for each in rows], key="content").is_empty


def test_a_renamed_entity_does_not_stand_in_the_way(show: Session) -> None:
    """The row's key is free again, although an entity has the identity that was made of it."""
    rows = [{"content": "hello"}]
    show.plan("Note", rows, key="content").apply()
    with show.fork() as other:
        other.query("Note").one()["content"] = "hi"
        other.commit()
    show.plan("Note", rows, key="content").apply()
    assert sorted(each["content"] for each in show.fork().query("Note")) == ["hello", "hi"]


def test_entities_in_hand_show_the_new_values(show: Session) -> None:
    """What the session holds is what the server has, after a plan was applied."""
    plan(show, [row("sh010")]).apply()
    held = show.query("select fstart from Shot").one()
    plan(show, [row("sh010", In="1017")]).apply()
    assert held["fstart"] == 1017


def test_in_chunks_what_is_refused_is_left_out(show: Session) -> None:
    """Each chunk is a commit; the server's refusal of one operation is told, and the others are done."""
    with show.fork() as other:
        other.create("Tag", {"name": "b"})
        made = show.plan("Tag", [{"name": "a"}, {"name": "b"}, {"name": "c"}], key="name")
        other.commit()
    steps: list[tuple[int, int]] = []
    done = made.apply(atomic=False, chunk=2, progress=lambda *each: steps.append(each))
    assert (done.created, len(done.commits), len(done.refused)) == (2, 2, 1)
    assert steps == [(2, 3), (3, 3)]
    assert sorted(each["name"] for each in show.fork().query("Tag")) == ["a", "b", "c"]


def test_a_chunk_that_is_refused_again_and_again_ends(show: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server refuses operation after operation, the others are not sent again for each of them."""
    monkeypatch.setattr("callsheet.sync.applying.REFUSALS", 2)
    made = show.plan("Tag", [{"name": name} for name in "abcde"], key="name")
    with show.fork() as other:
        for name in "abcd":
            other.create("Tag", {"name": name})
        other.commit()
    with pytest.raises(CommitError, match=r"Tag .*3 operations of this chunk were refused"):
        made.apply(atomic=False)
    assert show.fork().query("Tag").count() == 4


# -- references --------------------------------------------------------------------------------------------------------


def test_rows_may_refer_to_one_another(show: Session) -> None:
    """A parent may stand below its child, and circles are closed after all of them exist."""
    rows = [{"n": "c", "p": "b"}, {"n": "b", "p": "a"}, {"n": "a", "p": "sintel"}]
    mapping = {"n": "name", "p": "parent.name"}
    show.plan("Folder", rows, key="name", mapping=mapping).apply()
    found = {each["name"]: each["parent"]["name"] for each in show.fork().query("select name, parent.name from Folder")}
    assert found == {"a": "sintel", "b": "a", "c": "b"}
    assert show.plan("Folder", rows, key="name", mapping=mapping).is_empty


def test_members_of_a_collection_are_set(show: Session) -> None:
    """A text is split; who is named joins, who is not leaves."""
    show.plan("Tag", [{"name": name} for name in "abc"], key="name").apply()
    mapping = {"Shot": "name", "Seq": "parent.name", "Tags": Column("tags.name", split=",")}

    def tags(text: str) -> Any:
        rows = [{"Shot": "sh010", "Seq": "sq1", "Tags": text, "Show": "sintel"}]
        given = RowMapping(mapping | {"Show": "project.name"})
        return show.plan("Shot", rows, key=KEY, mapping=given)

    for text, expected in (("a, b", {"a", "b"}), ("b,c", {"b", "c"}), ("", set())):
        tags(text).apply()
        shot = show.fork().query("Shot").one()
        assert {tag["name"] for tag in shot["tags"]} == expected
        assert tags(text).is_empty
    assert "no Tag has the name 'x'" in str(tags("a,x").refused[0])


def test_a_new_entity_needs_what_the_schema_requires(show: Session) -> None:
    """A row that lacks it is refused before anything is sent."""
    made = show.plan("Assignment", [{"id": "x"}], key="id")
    assert [str(each) for each in made.refused] == [
        "row 1, context, resource: has no value, and a new entity needs one"
    ]


# -- how many requests -------------------------------------------------------------------------------------------------


def test_a_plan_takes_few_requests(show: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 unchanged rows: how many shots there are, two pages of them, one lookup for each reference."""
    monkeypatch.setattr(reading, "MANY", 20_000)
    rows = [row(f"sh{number:04}", In=str(number)) for number in range(3_000)]
    plan(show, rows).apply()
    before = show.statistics.requests
    assert len(plan(show, rows).unchanged) == 3_000
    assert show.statistics.requests - before == 5


async def _awaited(service: Any) -> Any:
    async with callsheet.AsyncSession("memory:") as session:
        made = await session.plan("Project", [{"name": "sintel"}], "name")
        done = await made.apply()
        again = await session.plan("Project", [{"name": "sintel"}], "name")
        return done.created, again.is_empty


@pytest.mark.anyio
async def test_it_is_awaited_in_an_async_session() -> None:
    """The same verbs, awaited."""
    assert await _awaited(None) == (1, True)
