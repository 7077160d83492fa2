"""Statements become the vendor's text and payloads; its replies become records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.client.expression import expression
from callsheet.dialects.ftrack.client.paging import OffsetCursor, keyset
from callsheet.dialects.ftrack.client.payloads import Needs, Payloads, needs_of
from callsheet.dialects.ftrack.client.records import page_in
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import literal_out, quoted, value_in, value_out
from callsheet.dialects.ftrack.common.schema import document_from_vendor
from callsheet.dialects.ftrack.server.translation.query_text import parse_vendor_query
from callsheet.errors import Invalid, QueryError, SchemaError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity, Records
from callsheet.model.schema import Attribute, Schema
from dialects.vendor_schema import SHOT, TASK, small_schema
from recorded import LISTS, replies, schema_list

SMALL = Schema(document_from_vendor(small_schema()))
WORDS = Vocabulary(SMALL)
MOMENT = Attribute("start", data_type="datetime")


def text(query: str, offset: int = 0, size: int | None = None) -> str:
    """A query of ours in the vendor's words."""
    return expression(check(parse(query), SMALL, query), WORDS, offset, size)


def condition(query: str) -> str:
    """Only the condition on tasks."""
    whole = text(f"select name from Task where {query}")
    return whole.partition(" where ")[2].partition(" order by ")[0]


# -- values ----------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC)))
def test_a_moment_comes_back(moment: datetime) -> None:
    """To the microsecond."""
    assert value_in(MOMENT, json.loads(json.dumps(value_out(MOMENT, moment)))) == moment


def test_moments_are_in_utc() -> None:
    """Whatever their zone was; without one, they are; a date is its midnight."""
    east = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    assert value_out(MOMENT, east) == {"__type__": "datetime", "value": "2026-01-31T10:00:00+00:00"}
    naive = {"__type__": "datetime", "value": "2022-10-10T10:12:09"}
    assert value_in(MOMENT, naive) == datetime(2022, 10, 10, 10, 12, 9, tzinfo=UTC)
    assert value_in(MOMENT, {"__type__": "date", "value": "2022-10-10"}) == datetime(2022, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize("tagged", [{"__type__": "datetime", "value": "soon"}, {"__type__": "hour", "value": "1"}])
def test_what_is_no_moment_is_malformed(tagged: dict[str, Any]) -> None:
    """And not a value."""
    with pytest.raises(Malformed):
        value_in(MOMENT, tagged)


def test_json_data_may_travel_as_text() -> None:
    """Both ways, where the vendor says so; other text stays text."""
    data = Attribute("data", data_type="json")
    assert value_out(data, {"description": "render"}, text=True) == '{"description": "render"}'
    assert value_in(data, '{"description": "render"}', text=True) == {"description": "render"}
    assert value_in(data, "render", text=True) == "render"
    assert value_in(data, '{"description": "render"}') == '{"description": "render"}'


def test_a_literal_is_quoted_with_what_it_does_not_hold() -> None:
    """And escaped where it holds both."""
    assert quoted("a") == '"a"'
    assert quoted('say "a"') == "'say \"a\"'"
    assert quoted("""it's "a\"""") == '"it\'s \\"a\\""'
    assert literal_out(datetime(2026, 1, 1, 9, tzinfo=UTC)) == '"2026-01-01T09:00:00"'
    with pytest.raises(QueryError, match="control characters"):
        quoted("a\nb")


# -- queries ---------------------------------------------------------------------------------------------


def test_a_query_has_a_total_order_and_a_place() -> None:
    """The key is projected, and ends the order."""
    assert text("select name from Task order by bid descending", 40, 20) == (
        "select id, name from Task order by bid descending, id ascending offset 40 limit 20"
    )
    assert text("select text_mentioned from Recipient") == (
        "select note_id, resource_id, text_mentioned from Recipient order by note_id ascending, "
        "resource_id ascending offset 0"
    )


def test_a_path_goes_on_where_the_vendor_knows_only_a_key() -> None:
    """Through a query within the query, for what fulfils the rest, or has no such reference where None counts."""
    assert 'where status_id in (select id from Status where name is "a")' in text(
        "WorkflowSchemaStatus where status.name is a"
    )
    assert "or status_id is None" in text("WorkflowSchemaStatus where status.state is None")


def test_projections_are_what_the_vendor_can_tell() -> None:
    """Keys of relations, key and value of items; what a reference leads to."""
    assert text("select status, status.name, parent, children, metadata, status.state from Task").startswith(
        "select id, status_id, status.name, parent.id, children.id, metadata.key, metadata.value, status.state.id from"
    )


def test_nothing_said_is_all_that_is_plain() -> None:
    """No collections, and nothing that the server works out for each row."""
    assert text("Timelog") == (
        "select id, comment, context.id, duration, start, user_id from Timelog order by id ascending offset 0"
    )
    assert "thumbnail_url" not in text("Task")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('name is "a"', 'name is "a"'),
        ("bid > 3", "bid > 3.0"),
        ("bid != 3", "(bid is_not 3.0 or bid is None)"),
        ('name != "a"', 'name is_not "a"'),
        ("not bid > 3", "(bid <= 3.0 or bid is None)"),
        ("bid is None", "bid is None"),
        ("not bid is None", "bid is_not None"),
        ('description not_like "a%"', '(description not_like "a%" or description is None)'),
        ("bid in (1, None)", "(bid in (1.0) or bid is None)"),
        ("bid not_in (1, None)", "(bid not_in (1.0) and bid is_not None)"),
        ("bid not_in (1)", "(bid not_in (1.0) or bid is None)"),
        ("bid in ()", "id is None"),
        ("bid not_in ()", "id is_not None"),
        ("not bid in ()", "id is_not None"),
        ("bid in (None)", "bid is None"),
        ("bid not_in (None)", "bid is_not None"),
        ("name in (None)", "id is None"),
        ('not (name is "a" and bid is 1)', '(name is_not "a" or (bid is_not 1.0 or bid is None))'),
        ("status is Done", 'status.name is "Done"'),
        ("parent_id is x", 'parent_id is "x"'),
        ("parent.id is x", 'parent_id is "x"'),
        ("parent[Shot].bid > 1", "parent[Shot].bid > 1.0"),
        ("parent has ()", "parent_id is_not None"),
        ("not status.state has ()", "status.state.id is None"),
        ('parent has (name is "a")', 'parent has (name is "a")'),
        ('not timelogs any (comment is "a")', 'not timelogs any (comment is "a")'),
        ("children any ()", "children any ()"),
        ('children.name is "a"', 'children any (name is "a")'),
        ('not children.name is "a"', 'not children any (name is "a")'),
        ("timelogs.duration != 1", "timelogs any (duration is_not 1.0 or duration is None)"),
        (
            "parent.timelogs.duration is None",
            "(parent.timelogs any (duration is None) or parent_id is None)",
        ),
        ('metadata.a is "b"', 'metadata any (key is "a" and value is "b")'),
        ('metadata.a != "b"', 'not metadata any (key is "a" and value is "b")'),
        ("metadata.a is None", 'not metadata any (key is "a" and value is_not None)'),
        ('metadata.a in ("b", None)', 'not metadata any (key is "a" and value not_in ("b") and value is_not None)'),
        (
            "id in (select context_id from Timelog where duration > 3)",
            "id in (select context_id from Timelog where duration > 3.0)",
        ),
        (
            "id not_in (select context_id from Timelog)",
            "id not_in (select context_id from Timelog where context_id is_not None)",
        ),
        ("start_date > 2026-01-01T10:00:00+02:00", 'start_date > "2026-01-01T08:00:00"'),
        ("custom_attribute_links any (to_id is x)", 'custom_attribute_links any (to_id is "x")'),
    ],
)
def test_a_condition_in_the_vendor_s_words(ours: str, theirs: str) -> None:
    """None counts as a value, whichever way the server thinks of it; keys are foreign keys."""
    assert condition(ours) == theirs


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (r'Task where name like "50\\%"', "cannot look for a percent sign"),
        ("Task order by metadata.a", "cannot order by"),
        ("Task where id in (select context_id from Timelog limit 3)", "limit"),
        ("select custom_attribute_links from Task", "can only be asked about"),
        ("Task where children[Shot].bid is None", "through a cast"),
    ],
)
def test_what_the_vendor_cannot_say_is_refused(query: str, reason: str) -> None:
    """Before anything is sent."""
    with pytest.raises(QueryError, match=reason):
        text(query)


@pytest.mark.parametrize(
    "query",
    [
        "Task",
        'select name, parent.name from Task where not (name is "a" or bid < 3) order by name',
        'Task where metadata.a != "b" and children.name is "c" and parent[Shot].bid in (1, 2, None)',
        "Task where id not_in (select context_id from Timelog where duration > 3)",
        "Recipient where note_id is a",
    ],
)
def test_the_other_half_can_read_it(query: str) -> None:
    """What one half writes, the other half's parser takes."""
    question = parse_vendor_query(text(query, 3, 7))
    assert (question.offset, question.limit) == (3, 7)


# -- pages -----------------------------------------------------------------------------------------------


def test_the_next_page_begins_after_the_last_row() -> None:
    """By values that can be compared exactly; nulls are first upwards, last downwards."""
    select = check(parse("select name from Task order by description descending"), SMALL)
    order = keyset(select, WORDS)
    assert order is not None
    after = expression(order.after(select, ("b", "k")), WORDS, 0, 5)
    assert after == (
        'select id, name from Task where ((description < "b" or description is None) or '
        '(description is "b" and id > "k")) order by description descending, id ascending offset 0 limit 5'
    )
    after = expression(order.after(select, (None, "k")), WORDS, 0, 5)
    assert ' where (description is None and id > "k") order by' in after


def test_orders_that_are_rounded_go_by_offset() -> None:
    """Numbers and moments may not come back as they are compared."""
    for path in ("bid", "start_date", "metadata.a"):
        assert keyset(parse(f"Task order by {path}"), WORDS) is None


def test_a_cursor_comes_back() -> None:
    """And what is none is refused."""
    assert OffsetCursor.read(OffsetCursor(7, (None, "k", 3)).text()) == OffsetCursor(7, (None, "k", 3))
    assert OffsetCursor.read(OffsetCursor(7).text()) == OffsetCursor(7)
    for wrong in ("", "x", "[1]", '["a", []]', "[-1, null]", "{}"):
        with pytest.raises(Invalid, match="cursor"):
            OffsetCursor.read(wrong)


# -- replies ---------------------------------------------------------------------------------------------


def test_nested_entities_become_blocks() -> None:
    """Each once, by type and attributes; a reference is its key, with its type where it may be one of several."""
    rows = [
        {
            "__entity_type__": "Task",
            "id": "t1",
            "name": "a",
            "status": {"__entity_type__": "Status", "id": "s", "name": "Done"},
            "parent": {"__entity_type__": "Shot", "id": "h"},
        },
        {
            "__entity_type__": "Task",
            "id": "t2",
            "name": "b",
            "status": {"__entity_type__": "Status", "id": "s"},
            "parent": None,
        },
    ]
    page = page_in(WORDS, "Task", rows)
    assert page.records == (
        Records(
            "Task",
            ("name", "parent", "status"),
            [("t1", None, "a", ("Shot", "h"), "s"), ("t2", None, "b", None, "s")],
        ),
        Records("Status", ("name",), [("s", None, "Done")]),
    )
    assert page.roots == 1
    assert page.order is None


def test_ragged_rows_keep_their_order() -> None:
    """They are cut into blocks, and the order says how they came."""
    rows = [
        {"__entity_type__": "Shot", "id": "a", "name": "1"},
        {"__entity_type__": "Project", "id": "b", "name": "2"},
        {"__entity_type__": "Shot", "id": "c", "name": "3"},
    ]
    page = page_in(WORDS, "Context", rows)
    assert [records.entity_type for records in page.records] == ["Shot", "Project"]
    assert page.roots == 2
    assert page.order == [0, 2, 1]


def test_what_was_told_elsewhere_in_the_answer_counts() -> None:
    """A result that was told in full inside another one comes with its key only."""
    rows = [
        {
            "__entity_type__": "Shot",
            "id": "a",
            "name": "1",
            "children": [{"__entity_type__": "Shot", "id": "b", "name": "2", "children": []}],
        },
        {"__entity_type__": "Shot", "id": "b"},
    ]
    page = page_in(WORDS, "Shot", rows)
    assert page.records == (
        Records("Shot", ("children", "name"), [("a", None, [("Shot", "b")], "1"), ("b", None, [], "2")]),
    )


def test_foreign_keys_tell_references() -> None:
    """Unless one would have to know the type; what is unknown to the schema is left."""
    page = page_in(WORDS, "Task", [{"__entity_type__": "Task", "id": "t", "status_id": "s", "parent_id": "p", "x": 1}])
    assert page.records == (Records("Task", ("status",), [("t", None, "s")]),)


def test_items_become_a_mapping() -> None:
    """By key; what has no value is no item."""
    items = [
        {"__entity_type__": "Metadata", "parent_id": "t", "key": "a", "value": "1"},
        {"__entity_type__": "Metadata", "parent_id": "t", "key": "b", "value": None},
    ]
    page = page_in(WORDS, "Task", [{"__entity_type__": "Task", "id": "t", "metadata": items}])
    assert page.records == (Records("Task", ("metadata",), [("t", None, {"a": "1"})]),)


def test_keys_of_several_parts_are_tuples() -> None:
    """In the order of the schema."""
    row = {"__entity_type__": "Recipient", "resource_id": "r", "note_id": "n", "text_mentioned": "x"}
    page = page_in(WORDS, "Recipient", [row])
    assert page.records == (Records("Recipient", ("note", "text_mentioned"), [(("n", "r"), None, "n", "x")]),)


@pytest.mark.parametrize(
    "row",
    [
        3,
        {"__entity_type__": "Task"},
        {"__entity_type__": "Task", "id": None},
        {"__entity_type__": "Task", "id": "t", "children": {}},
        {"__entity_type__": "Task", "id": "t", "metadata": {"a": "b"}},
        {"__entity_type__": "Task", "id": "t", "status": "s"},
        {"__entity_type__": "Task", "id": "t", "start_date": {"__type__": "datetime", "value": 3}},
    ],
)
def test_what_is_no_entity_is_malformed(row: Any) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(Malformed):
        page_in(WORDS, "Task", [row])


def words_of(name: str) -> Vocabulary:
    """The vocabulary of a whole site."""
    return Vocabulary(Schema(document_from_vendor(json.loads(schema_list(name).read_text()))))


QUERIES = [(name, query) for name in LISTS for query in replies(name) if query.startswith("query_select_")]


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_answers_of_a_site_decode(name: str, query: str) -> None:
    """All of them, into blocks that the schema knows."""
    words, reply = words_of(name), replies(name)[query]
    page = page_in(words, "Context" if "task" in query else "AssetVersion", reply["data"])
    assert len(page) == len(reply["data"])
    for records in page.records:
        assert set(records.attributes) <= set(words.schema.types[records.entity_type].attributes)
        for row in records.rows:
            assert len(row) == len(records.attributes) + 2


@pytest.mark.parametrize("name", LISTS)
def test_what_a_site_echoes_decodes(name: str) -> None:
    """The reply to a create or an update is an entity as well."""
    words = words_of(name)
    for request in ("create_user", "update_user", "create_filecomponent", "create_componentlocation"):
        echoed = replies(name)[request]["data"]
        page = page_in(words, echoed["__entity_type__"], [echoed])
        assert page.records[0].rows[0][0] == echoed["id"]


IN_FULL = {
    "studio": ("a0000000-0000-4000-8000-000000000001", None, "task", datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)),
    "recorded": ("00a574b0-1c44-11e2-a9da-f23c91df25eb", None, "task", datetime(2022, 10, 10, 10, 12, 9, tzinfo=UTC)),
}


@pytest.mark.parametrize("name", LISTS)
def test_an_answer_of_a_site_in_full(name: str) -> None:
    """Values, moments and the versions beside it."""
    reply = replies(name)["query_select_name,_created_at_from_task_limit_1"]
    (block,) = page_in(words_of(name), "Task", reply["data"]).records
    assert block.attributes == ("context_type", "created_at", "name", "object_type", "project")
    assert block.rows[0][:4] == IN_FULL[name]
    assert block.rows[0][5] == TASK


def test_related_entities_of_an_answer_are_blocks_of_their_own() -> None:
    """Each entity once, with all that the answer says of it in its places; types are those of the rows."""
    page = page_in(words_of("studio"), "Context", replies()["query_select_status.state.short_from_task"]["data"])
    found = {records.entity_type: records for records in page.records}
    assert found.keys() == {"Task", "Shot", "Status", "State"}
    state = found["State"]
    assert (state.attributes, [row[2:] for row in state.rows]) == (("short",), [("IN_PROGRESS",)])
    assert [row[2:] for row in found["Status"].rows] == [("d0000000-0000-4000-8000-000000000002",)]
    assert SHOT in found["Shot"].rows[0]


# -- operations ------------------------------------------------------------------------------------------

ONE, TWO = Identity("Task", "t1"), Identity("Task", "t2")
LIST = Identity("TypedContextList", "l1")


def written(*operations: Operation, needs: Needs | None = None) -> list[dict[str, Any]]:
    """The payloads of a change set."""
    changes = ChangeSet("c1", operations)
    return Payloads(changes, WORDS, needs or needs_of(changes, WORDS)).write()


def test_a_create_has_its_key_and_foreign_keys() -> None:
    """A reference without a foreign key is told by type and key."""
    values = {"name": "Done", "state": Identity("State", "s")}
    assert written(Create(Identity("Status", "k"), values)) == [
        {
            "action": "create",
            "entity_type": "Status",
            "entity_key": ["k"],
            "entity_data": {
                "__entity_type__": "Status",
                "id": "k",
                "name": "Done",
                "state": {"__entity_type__": "State", "id": "s"},
            },
        }
    ]
    (payload,) = written(Update(ONE, {"parent": Identity("Shot", "h"), "status": None}))
    assert payload["entity_data"] == {"__entity_type__": "Task", "parent_id": "h", "status_id": None}


def test_parts_of_a_key_are_told_once() -> None:
    """Not again as references."""
    note, user = Identity("Note", "n"), Identity("User", "u")
    (payload,) = written(Create(Identity("Recipient", ("n", "u")), {"note": note, "recipient": user}))
    assert payload["entity_key"] == ["n", "u"]
    assert payload["entity_data"] == {"__entity_type__": "Recipient", "note_id": "n", "resource_id": "u"}


def test_metadata_is_created_updated_or_deleted() -> None:
    """As what is known of each item says; what is not known is asked for."""
    update = Update(ONE, {"metadata.a": "1", "metadata.b": "2", "metadata.c": None, "metadata.d": "4"}, BEFORE)
    needs = needs_of(ChangeSet("c1", (update,)), WORDS)
    assert needs.metadata == {("t1", "d"): False}
    needs.metadata["t1", "d"] = True
    assert [(each["action"], each["entity_key"]) for each in written(update, needs=needs)] == [
        ("create", ["t1", "a"]),
        ("update", ["t1", "b"]),
        ("delete", ["t1", "c"]),
        ("update", ["t1", "d"]),
    ]
    _, created = written(Create(ONE, {"metadata.a": "1"}))
    row = {"__entity_type__": "Metadata", "parent_id": "t1", "parent_type": "Task", "key": "a", "value": "1"}
    assert created["entity_data"] == row


BEFORE = {"metadata.a": None, "metadata.b": "1", "metadata.c": "3"}


def test_pairs_are_rows_where_the_server_has_such() -> None:
    """Their keys are those of both ends."""
    update = Update(
        Identity("WorkflowSchema", "w"),
        added={"statuses": (Identity("Status", "s1"),)},
        removed={"statuses": (Identity("Status", "s2"),)},
    )
    pair = {"__entity_type__": "WorkflowSchemaStatus", "workflow_schema_id": "w", "status_id": "s1"}
    assert written(update) == [
        {"action": "create", "entity_type": "WorkflowSchemaStatus", "entity_key": ["w", "s1"], "entity_data": pair},
        {"action": "delete", "entity_type": "WorkflowSchemaStatus", "entity_key": ["w", "s2"]},
    ]


def test_other_members_are_told_as_the_whole_list() -> None:
    """From what is there now, which is asked for."""
    scope = Identity("Scope", "x")
    update = Update(ONE, added={"scopes": (scope,)}, removed={"scopes": (Identity("Scope", "y"),)})
    needs = needs_of(ChangeSet("c1", (update,)), WORDS)
    assert needs.members == {(ONE, "scopes"): []}
    needs.members[ONE, "scopes"] += [Identity("Scope", "y"), Identity("Scope", "z")]
    (payload,) = written(update, needs=needs)
    assert [member["id"] for member in payload["entity_data"]["scopes"]] == ["z", "x"]


def test_a_list_is_told_once_for_all_its_items() -> None:
    """At its own side, after everything else; not at all when it is deleted."""
    joins = [Update(each, added={"lists": (LIST,)}) for each in (ONE, TWO)]
    needs = needs_of(ChangeSet("c1", tuple(joins)), WORDS)
    assert needs.members == {(LIST, "items"): []}
    (payload,) = written(*joins, Update(ONE, {"name": "b"}))[1:]
    assert payload["entity_type"] == "TypedContextList"
    assert [member["id"] for member in payload["entity_data"]["items"]] == ["t1", "t2"]
    assert [each["action"] for each in written(*joins, Delete(LIST))] == ["delete"]


def test_an_item_without_configuration_is_refused() -> None:
    """With the cure."""
    with pytest.raises(SchemaError, match="reload_schema"):
        written(Update(ONE, {"custom_attributes.fps": 24}))


def test_an_item_goes_to_the_nearest_configuration() -> None:
    """The project's own before the global one, that before a hierarchical one."""
    told = {"key": "fps", "type": "number", "entity_type": "task", "object_type_id": TASK, "is_hierarchical": False}
    rows = [
        {**told, "id": "tree", "project_id": None, "is_hierarchical": True},
        {**told, "id": "global", "project_id": None},
        {**told, "id": "own", "project_id": "p1"},
    ]
    words = Vocabulary(Schema(document_from_vendor(small_schema(), configurations=rows)))
    changes = ChangeSet("c1", (Update(ONE, {"custom_attributes.fps": 25}), Update(TWO, {"custom_attributes.fps": 30})))
    needs = needs_of(changes, words)
    assert needs.projects == {ONE: None, TWO: None}
    needs.projects = {ONE: "p1", TWO: "p2"}
    own, other = Payloads(changes, words, needs).write()
    assert (own["entity_type"], own["entity_key"]) == ("ContextCustomAttributeValue", ["own", "t1"])
    assert own["entity_data"]["value"] == 25
    assert other["entity_key"] == ["global", "t2"]
