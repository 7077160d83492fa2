"""Text becomes a tree, and a tree text; what is no MDX is an error with its position."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.analytics.mdx import syntax
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.parser import parse_expression, parse_mdx
from callsheet.analytics.mdx.text import expression_text, statement_text

WORDS = st.sampled_from(["Gender", "a", "Store Sales", "x]y", "Children", "select", "1997", "Größe", ""])
BARE = st.sampled_from(["Gender", "a", "Members", "Sales", "b_2"])
SEGMENTS = st.one_of(
    st.builds(syntax.NameSegment, WORDS),
    st.builds(syntax.NameSegment, BARE, st.just(False)),
)
KEYS = st.lists(WORDS, min_size=1, max_size=2).map(lambda keys: syntax.NameSegment(keys[0], True, tuple(keys)))
NAMES = st.builds(
    lambda first, rest, keys: syntax.NameExpression((first, *rest, *keys)),
    SEGMENTS, st.lists(SEGMENTS, max_size=2), st.lists(KEYS, max_size=1),
)  # fmt: skip
LEAVES = st.one_of(
    NAMES,
    st.builds(syntax.NumberLiteral, st.sampled_from(["1", "2.5", ".5", "1e3"])),
    st.builds(syntax.StringLiteral, st.text("ab'\"]", max_size=4), st.sampled_from(["'", '"'])),
    st.just(syntax.NullLiteral()),
)
OPERATORS = ["+", "-", "*", "/", "||", "=", "<>", "<", ">", "<=", ">=", "AND", "OR", "XOR", ":", "IS", "IN", "NOT IN",
             "MATCHES", "NOT MATCHES"]  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> syntax.Expression:
    """Expressions of every kind, nested a few times."""
    kind = draw(st.integers(0, 9)) if depth else 0
    if kind == 0:
        return draw(LEAVES)
    inner = expressions(depth - 1)
    nodes = tuple(draw(inner) for _ in range(draw(st.integers(1, 2))))
    one, two = nodes[0], nodes[-1]
    match kind:
        case 1:
            return syntax.SetExpression(nodes[1:])
        case 2:
            return syntax.TupleExpression((one, two))
        case 3:
            return syntax.UnaryExpression(draw(st.sampled_from(["-", "+", "NOT", "EXISTING"])), one)
        case 4:
            return syntax.BinaryExpression(draw(st.sampled_from(OPERATORS)), one, two)
        case 5:
            return syntax.BinaryExpression("IS EMPTY", one, syntax.OmittedArgument())
        case 6:
            style = draw(st.sampled_from(["function", "method"]))
            arguments = (one, syntax.OmittedArgument(), two) if draw(st.booleans()) else nodes
            return syntax.CallExpression(draw(BARE), arguments, style)
        case 7:
            # A property of a name is a longer name.
            return one if isinstance(one, syntax.NameExpression) else syntax.CallExpression("p", (one,), "property")
        case 8:
            return _case(one, two, draw(st.booleans()), draw(st.booleans()))
    return syntax.AliasedExpression(one, draw(NAMES))


def _case(one: syntax.Expression, two: syntax.Expression, simple: bool, otherwise: bool) -> syntax.Expression:
    return syntax.CaseExpression(one if simple else None, ((one, two),), two if otherwise else None)


EXPRESSIONS = expressions()
PROPERTIES = st.lists(st.builds(syntax.FormulaProperty, BARE | st.just("FORMAT STRING"), EXPRESSIONS), max_size=2)
FORMULAS = st.one_of(
    st.builds(syntax.MemberFormula, NAMES, EXPRESSIONS, PROPERTIES.map(tuple)),
    st.builds(syntax.SetFormula, NAMES, EXPRESSIONS),
)
AXES = st.builds(
    syntax.AxisClause, EXPRESSIONS, st.integers(0, 9), st.booleans(), st.lists(NAMES, max_size=2).map(tuple)
)


@st.composite
def queries(draw: st.DrawFn, depth: int = 1) -> syntax.CellsStatement:
    """Queries, also over subselects."""
    source = draw(queries(depth - 1)) if depth and draw(st.booleans()) else draw(NAMES)
    return syntax.CellsStatement(
        source,
        tuple(draw(st.lists(AXES, max_size=2))),
        tuple(draw(st.lists(FORMULAS, max_size=2))),
        draw(st.none() | EXPRESSIONS),
        tuple(draw(st.lists(NAMES, max_size=1))),
    )


@given(EXPRESSIONS)
@settings(max_examples=100, deadline=None)
def test_what_is_read_of_an_expressions_text_is_equal_to_it(expression: syntax.Expression) -> None:
    """The text of a tree, read, is the tree again."""
    assert parse_expression(expression_text(expression)) == expression


@given(queries())
@settings(max_examples=40, deadline=None)
def test_what_is_read_of_a_statements_text_is_equal_to_it(statement: syntax.CellsStatement) -> None:
    """Formulas, axes, subselects, slicers and cell properties come back."""
    assert parse_mdx(statement_text(statement)) == statement


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("select from Sales", "SELECT FROM Sales"),
        ("SELECT {[A].MEMBERS} ON AXIS(0) FROM [s];", "SELECT {[A].MEMBERS} ON 0 FROM [s]"),
        ("select -- a comment\n a on columns /* another */ from s // last", "SELECT a ON 0 FROM s"),
        ("select ((a)) on pages from s", "SELECT a ON 2 FROM s"),
        ("select non empty a on 0 from (select b on 0 from s)", "SELECT NON EMPTY a ON 0 FROM (SELECT b ON 0 FROM s)"),
        ("drillthrough maxrows 5 select a on 0 from s return [x].[y]",
         "DRILLTHROUGH MAXROWS 5 SELECT a ON 0 FROM s RETURN [x].[y]"),
        ("explain plan for select a on 0 from s", "EXPLAIN PLAN FOR SELECT a ON 0 FROM s"),
        ("with set s as '{a}' member m as 1 + 2, solve_order = 3, format_string='0' select s on 0 from c",
         "WITH SET s AS '{a}' MEMBER m AS 1 + 2, solve_order = 3, format_string = '0' SELECT s ON 0 FROM c"),
        ("select Descendants(a.b, , leaves).Item(0).Name on 0 from s where (a, b.&[1]&[2])",
         "SELECT Descendants(a.b, , leaves).Item(0).Name ON 0 FROM s WHERE (a, b.&[1]&[2])"),
        ("select a on 0 from s cell properties value, formatted_value",
         "SELECT a ON 0 FROM s CELL PROPERTIES value, formatted_value"),
    ],
)  # fmt: skip
def test_statements_are_read(text: str, written: str) -> None:
    """Words of any case, comments, all clauses."""
    assert statement_text(parse_mdx(text)) == written


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("1 + 2 * 3", "1 + 2 * 3"),
        ("(1 + 2) * 3", "(1 + 2) * 3"),
        ("1 - (2 - 3)", "1 - (2 - 3)"),
        ("not a = b and c or d", "NOT a = b AND c OR d"),
        ("not (a and b)", "NOT (a AND b)"),
        ("a.b.&[1]&[2].Children", "a.b.&[1]&[2].Children"),
        ("[a]]b]", "[a]]b]"),
        ("'it''s'", "'it''s'"),
        ("x is null or y is empty", "x IS NULL OR y IS EMPTY"),
        ("f(a,,b)", "f(a, , b)"),
    ],
)
def test_operators_bind_as_usual(expression: str, written: str) -> None:
    """Parentheses stay where they are needed."""
    assert expression_text(parse_expression(expression)) == written


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("selct a on 0 from s", 0, "`selct` is not expected here"),
        ("select {a on 0 from s", 10, "`on` is not expected here"),
        ("select [a on 0 from s", 7, "a bracket is not closed"),
        ("select 'a on 0 from s", 7, "a quote is not closed"),
        ("select a on 0 from", 18, "the query ends too early"),
        ("select a on 1.5 from s", 12, "an axis has a whole number"),
        ("select " + "(" * 300 + " on 0 from s", 207, "nests more than 200 deep"),
        ("select f(1).[x] on 0 from s", 12, "may follow names only"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_position(text: str, position: int, message: str) -> None:
    """The position is the offset in the text."""
    with pytest.raises(MdxError) as error:
        parse_mdx(text)
    assert message in str(error.value)
    assert error.value.position == position


def test_importing_callsheet_does_not_import_lark() -> None:
    """Neither does the package of MDX; the first text that is read does."""
    program = "import sys, callsheet, callsheet.analytics.mdx.query; print('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
