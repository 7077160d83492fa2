"""A session answers any text as MDX, or refuses it with an error of its own; what Python asks has the same numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mdx_nested import BOSSES, PAY, opened

from callsheet import Session
from callsheet.analytics.mdx.errors import MdxError
from callsheet.errors import CallsheetError

WORDS = (
    *("select", "on", "columns", "0", "rows", "from", "[Pay]", "Pay", "where", "with", "member", "set", "as", "{", "}"),
    *("(", ")", ",", ".", ":", "*", "+", "-", "/", "'", '"', "[People]", "[Place].[Israel]", "[Measures].[Paid]"),
    *("[Measures].[x]", ".children", ".members", ".parent", "&[1]", "non empty", "Filter(", "TopCount(", "Order("),
    *(
        "Descendants(",
        "1e999",
        "NULL",
        "case when",
        "end",
        "is",
        "not",
        "/* x",
        "--",
        "\x00",
        "é",
        "]]",
        "drillthrough",
    ),
    *("explain plan for", "dimension properties", "'; drop table pay; --", "StrToSet('", "Generate(", "[", "&"),
    *("format_string = ", "existing"),
)
WHOLE = (
    "with member [Measures].[x] as '[Measures].[Paid] / [Measures].[Slips]', format_string = '0.0' "
    "set s as {[Place].[Israel].children} select {[Measures].[x], [Paid]} on 0, non empty Order(s, [Paid], BDESC) "
    "dimension properties MEMBER_KEY on 1 from [Pay] where ([People].[P1])",
    "drillthrough maxrows 3 select {[People].[P1].[P2]} on 0 from Pay return [Place].[City], [Paid]",
    "select TopCount(CrossJoin([People].[Person].members, [Place].[City].members), 3, [Kinds]) on 0 from Pay",
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    slips = [(n, 10 * n, "ab"[n % 2]) for n in range(1, 9)] + [(1, 5, "c")]
    with opened(tmp_path_factory.mktemp("pay"), BOSSES, slips) as made:
        yield made


def refused(session: Session, text: str) -> bool:
    """Whether a text is refused; an error about MDX says where it is, as far as it is about a place of the text."""
    try:
        session.query_mdx(text)
    except CallsheetError as error:
        wrong = error
    else:
        return False
    assert not isinstance(wrong, MdxError) or (wrong.message and -1 <= wrong.position <= len(text))
    return True


@pytest.mark.parametrize("seed", range(3))
def test_any_words_are_refused_by_an_error_of_ours(session: Session, seed: int) -> None:
    """Nothing else is raised, whatever stands beside what."""
    chance = random.Random(seed)
    for _ in range(60):
        refused(session, " ".join(chance.choice(WORDS) for _ in range(chance.randint(0, 14))))


@pytest.mark.parametrize("text", WHOLE)
def test_damaged_queries_are_refused_by_an_error_of_ours(session: Session, text: str) -> None:
    """Whole ones are answered; of those that lack, double or change something, many are not."""
    assert not refused(session, text)
    chance = random.Random(len(text))
    wrong = 0
    for _ in range(25):
        damaged = list(text)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(damaged))
            damaged[place] = chance.choice(["", damaged[place] * 2, *chance.choice(WORDS)[:1], " "])
        wrong += refused(session, "".join(damaged))
    assert wrong


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_refused(session: Session, text: str) -> None:
    """No random text is a query."""
    assert refused(session, text)


def test_a_refusal_says_where(session: Session) -> None:
    """The position is that of what is wrong, in the text that was given."""
    for text, wrong in (
        ("select {[Measures].[Payd]} on 0 from Pay", "[Payd]"),
        ("select {[Measures].[Paid]} on 0 from Pai", "Pai"),
        ("select {[Measures].[Paid] on 0 from Pay", "on"),
        ("with member [Measures].[x] as '1 + [Plase].[US]' select [x] on 0 from Pay", "[Plase]"),
        ("select Frobnicate([People].members) on 0 from Pay", "Frobnicate"),
    ):
        with pytest.raises(MdxError) as caught:
            session.query_mdx(text)
        assert caught.value.position == text.rindex(wrong)


@settings(max_examples=12, deadline=None)
@given(
    measures=st.lists(st.sampled_from([each.name for each in PAY.measures]), min_size=1, unique=True),
    level=st.sampled_from([(), ("Country",), ("State",), ("City",), ("Street",)]),
)
def test_the_text_of_a_question_gives_its_numbers(
    session: Session, measures: list[str], level: tuple[str, ...]
) -> None:
    """Each row of the frame is one of the answer to its text."""
    if level == ("State",) or level == ("City",):
        # MDX leaves members of these levels out.
        return
    frame = session.cubes["Pay"].query(*measures, levels=list(level), mdx=True)
    expected = sorted(tuple(row[name] for name in (*level, *measures)) for row in frame)
    found = session.query_mdx(frame.mdx).to_rows()
    assert sorted(tuple(row[name] for name in (*(["Place"] if level else []), *measures)) for row in found) == expected
