"""Reading queries: what they mean, and what is said of those that cannot be read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.errors import QueryError
from callsheet.model.language.parser import LONGEST, NESTING, parse, parse_condition, parse_path
from callsheet.model.language.text import select_text
from callsheet.model.query import And, Any_, Comparison, Not, Or, Order, Path, Select, Step


def comparison(path: str, operator: str, value: Any) -> Comparison:
    return Comparison(Path.of(path), operator, value)


def test_a_select_with_everything_is_read() -> None:
    """All clauses, in a mixture of cases, over several lines."""
    text = """
      SELECT name, parent[Shot].fps, metadata."frame rate"
      From Task Where status.name Is "Done"
      ORDER by name, parent.name DESC, bid ascending
      offset 4 limit 3
    """
    assert parse(text) == Select(
        "Task",
        (Path.of("name"), Path.of("parent[Shot].fps"), Path((Step("metadata"), Step("frame rate")))),
        comparison("status.name", "=", "Done"),
        (Order(Path.of("name")), Order(Path.of("parent.name"), True), Order(Path.of("bid"))),
        3,
        4,
    )


def test_a_type_alone_selects_all() -> None:
    """Nothing but the type is needed; ``select from`` says the same."""
    assert parse("Task") == parse(" select from Task ") == Select("Task")


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("is", "="),
        ("=", "="),
        ("is_not", "!="),
        ("!=", "!="),
        ("<", "<"),
        ("<=", "<="),
        (">", ">"),
        (">=", ">="),
        ("before", "<"),
        ("after", ">"),
        ("like", "like"),
        ("NOT_LIKE", "not_like"),
    ],
)
def test_operators(text: str, operator: str) -> None:
    """Words are other names of signs."""
    assert parse_condition(f"name {text} x") == comparison("name", operator, "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Done", "Done"),
        ("in-progress", "in-progress"),
        ("018f3b5e-7c1d-7000-8000-000000000001", "018f3b5e-7c1d-7000-8000-000000000001"),
        ("/shots/a_b*.exr", "/shots/a_b*.exr"),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("010", "010"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("none", None),
        ("NULL", None),
        ("True", True),
        ("false", False),
        ("2026-01-01", date(2026, 1, 1)),
        ("2026-01-01T10:00:00+02:00", datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("2026-01-01T10:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ('"2026-01-01"', "2026-01-01"),
        ('"a \\"b\\" \'c\'"', "a \"b\" 'c'"),
        ("'it\\'s'", "it's"),
        (r'"a\nb\tc\\d"', "a\nb\tc\\d"),
        (r'"\u0041\ud83d\ude00"', "A\N{GRINNING FACE}"),
        (r'"50\% \u12 \x"', r"50\% \u12 \x"),
        ('""', ""),
    ],
)
def test_values(text: str, value: Any) -> None:
    """Each way to write a value gives a value of one type."""
    found = parse_condition(f"a = {text}")
    assert found == comparison("a", "=", value)
    assert type(found.value) is type(value)


def test_values_and_signs_may_be_glued() -> None:
    """No blanks are needed around signs, quotes and parentheses."""
    expected = And((comparison("name", "=", "Done"), comparison("a", "in", (1, "b")), comparison("c", "=", "d")))
    assert parse_condition('name="Done"and a in(1,b)and(c=d)') == expected


def test_not_binds_tighter_than_and_and_and_than_or() -> None:
    """The usual precedence; parentheses keep the tree that they show."""
    a, b, c = (comparison(name, "=", 1) for name in "abc")
    assert parse_condition("not a=1 and b=1 or c=1") == Or((And((Not(a), b)), c))
    assert parse_condition("not (a=1 and (b=1 or c=1))") == Not(And((a, Or((b, c)))))
    assert parse_condition("(a=1 and b=1) and c=1") == And((And((a, b)), c))
    assert parse_condition("((a=1))") == a


def test_members_and_relations() -> None:
    """``any`` and ``has`` take a condition in parentheses, which may be empty."""
    inner = Any_(Path.of("resource"), comparison("username", "=", "kim"), "has")
    assert parse_condition("assignments any (resource has (username is kim))") == Any_(Path.of("assignments"), inner)
    assert parse_condition("not parent[Shot] has ()") == Not(Any_(Path.of("parent[Shot]"), None, "has"))


def test_lists_and_queries_after_in() -> None:
    """Parentheses hold values, or a query in one of its two forms."""
    assert parse_condition("a in ()") == comparison("a", "in", ())
    assert parse_condition("a not_in (1, none, Task)") == comparison("a", "not_in", (1, None, "Task"))
    logged = Select("Timelog", (Path.of("task_id"),), comparison("hours", ">", 2), limit=3)
    assert parse_condition("id in (select task_id from Timelog where hours > 2 limit 3)") == comparison(
        "id", "in", logged
    )
    tasks = Select("Task", (), comparison("name", "=", "x"))
    assert parse_condition("id in (Task where name is x)") == comparison("id", "in", tasks)


def test_quoted_names_and_casts() -> None:
    """Any step may be quoted; a keyword must be, where it stands alone."""
    expected = Path((Step("a b", "Shot"), Step("c"), Step("d.e"), Step("f")))
    assert parse_path("'a b'[Shot].c.\"d.e\".f") == expected
    assert parse_condition('"not" = 1') == comparison("not", "=", 1)
    assert parse("Task where limit > 3 order by order limit 2").limit == 2


def test_paths_know_their_position() -> None:
    """Errors found later can point into the text; positions are not compared."""
    select = parse("Task where a=1 and parent.b=2")
    assert isinstance(select.where, And)
    assert [part.path.position for part in select.where.conditions if isinstance(part, Comparison)] == [11, 19]


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        ("Task were status is Done", 5, "`were` is not expected", "did you mean `where`?"),
        ("Task where a=1 odrer by b", 15, "`odrer`", "did you mean `order by`?"),
        ("Task where a=1 orderby b", 15, "`orderby`", "did you mean `order by`?"),
        ("Task where a=1 limt 3", 15, "`limt`", "did you mean `limit`?"),
        ("Task where a=1 adn b=1", 15, "`adn`", "did you mean `and`?"),
        ("Task where a=1 && b=1", 15, "`&&`", "did you mean `and`?"),
        ("Task order by a dsc", 16, "`dsc`", "did you mean `desc`?"),
        ("select name form Task", 12, "expected `from`, found `form`", "did you mean `from`?"),
        ("Task where name lik x", 16, "expected an operator, found `lik`", "did you mean `like`?"),
        ("Task where name not in (x)", 16, "expected an operator", "write `not_in`"),
        ("Task where name is not x", 19, "expected a value, found `not`", "write `is_not`"),
        ("Task where name == x", 17, "expected a value, found `=`", "write `=`"),
        ("Task where name <> x", 17, "expected a value, found `>`", "write `!=`"),
        ("Task where name ! x", 16, "`!` stands alone", "!="),
        ("Task where name is Foo Bar", 23, "`Bar` is not expected", 'quote a value of several words: "Foo Bar"'),
        ('Task where name is "Foo', 19, 'the quote " is not closed', 'close the quote with "'),
        ("Task where name is", 18, "expected a value, found the end", ""),
        ("Task where name", 15, "expected an operator, found the end", "like `is`"),
        ("Task where", 10, "expected an attribute, found the end", ""),
        ("Task where and a=1", 11, "expected an attribute, found `and`", "quote it"),
        ("Task where a in 1", 16, "expected `(` after `in`", "like `in (Done, Final)`"),
        ("Task where a in (1 2)", 19, "expected `,` or `)`", ""),
        ("Task where a any b", 17, "expected `(` after `any`", "`any ()`"),
        ("Task where (a=1", 15, "expected `)`, found the end", "close the parenthesis"),
        ("Task where a=1)", 14, "`)` is not expected", "there is no `(`"),
        ("Task where a-b=1", 11, "expected an attribute, found `a-b`", "quote a name"),
        ("Task where a.=1", 13, "expected a name after `.`", ""),
        ("Task where a[Shot.b=1", 13, "expected the entity type to cast to", ""),
        ("Task where a=2026-02-30", 13, "`2026-02-30` is no date", "quote it if it is text"),
        ("Task where a=99999999999999999999", 13, "is no integer of 64 bits", ""),
        ("Task where a=1e999", 13, "is too large for a number", ""),
        ("Task limit -1", 11, "expected a whole number after `limit`", "like `limit 10`"),
        ("Task limit 1 limit 2", 13, "`limit` stands twice", ""),
        ("Task where a=1 where b=1", 15, "`where` stands twice", "join conditions by `and`"),
        ("Task limit 1 where b=1", 13, "`where` comes after another clause", "where, order by"),
        ("Task where id in (select a, b from Task)", 18, "selects one attribute", ""),
        ("where a=1", 0, "expected an entity type, found `where`", "like `Task`"),
        ("", 0, "there is nothing to read", "Task where name is Done"),
    ],
)
def test_errors_say_where_and_how_to_repair(text: str, position: int, message: str, hint: str) -> None:
    """Position, message and hint of each mistake."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert (error.position, error.text) == (position, text)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("not ", ""), ("b any (", ")"), ("id in (Task where ", ")")]
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """The deepest that is read, and one more, which is refused in plain words."""
    parse_condition(opening * NESTING + "a=1" + closing * NESTING)
    with pytest.raises(QueryError, match="nested more than 32 deep"):
        parse_condition(opening * (NESTING + 1) + "a=1" + closing * (NESTING + 1))


def test_length_is_bounded() -> None:
    """A text of 64 Ki characters is read, a longer one is refused before it is looked at."""
    assert parse("Task".ljust(LONGEST)) == Select("Task")
    with pytest.raises(QueryError, match="65,537 characters"):
        parse("Task".ljust(LONGEST + 1))


def test_simple_paths_need_no_parser() -> None:
    """`Path.of` splits names, dots and casts, and refuses all else."""
    assert Path.of("a.b[Shot].c") == parse_path("a.b[Shot].c") == Path((Step("a"), Step("b", "Shot"), Step("c")))
    for text in ("", "a.", ".a", "a b", "a[b", '"a"', "1a", "a[1].b", "a\n"):
        with pytest.raises(QueryError):
            Path.of(text)


_PIECES = st.sampled_from(
    re.findall(
        r"\S+",
        r"""
        select from Task where order by limit offset and or not ( ) , [ ] . = != < <= is is_not in not_in like has any
        before a b.c parent[Shot].x "x" 'y' " ' 1 -2.5 2026-01-01 2026-01-01T10:00 none True asc descending ! \ é
        """,
    )
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=25).map(" ".join), st.lists(_PIECES, max_size=15).map("".join)))
@settings(max_examples=1500, deadline=None)
def test_any_text_gives_a_select_or_a_query_error(text: str) -> None:
    """Nothing else comes out, whatever goes in; and a Select's text is a fixed point."""
    try:
        select = parse(text)
    except QueryError as error:
        repairable = 0 <= error.position <= len(text) and text == error.text
    else:
        repairable = parse(select_text(select)) == select
    assert repairable
