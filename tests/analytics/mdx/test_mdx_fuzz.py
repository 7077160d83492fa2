"""Whatever a query says, it is answered, or refused with an error of its own."""

from __future__ import annotations

import contextlib
import random

import pytest
from foodmart import ask

import callsheet.analytics.mdx.query  # noqa: F401
from callsheet.analytics.mdx.limits import MdxLimits
from callsheet.analytics.mdx.registry import FUNCTIONS, MdxFunction
from callsheet.errors import UsageError

LEAVES = {
    "set": ["{[Gender].Members}", "[Store].[USA].Children", "{}", "{([Gender].[F], [Store].[USA])}"],
    "member": ["[Gender].[F]", "[Store].CurrentMember", "[Store]", "[Time].[1997].[Q2]", "[Gender].Parent", "NULL"],
    "tuple": ["([Gender].[F], [Time].[1998])", "[Store].[USA]"],
    "level": ["[Store].[Store State]", "[Time].[Quarter]", "[Gender].[(All)]"],
    "hierarchy": ["[Store]", "[Time.Weekly]", "[Measures]"],
    "number": ["1", "0", "-3", "2.5", "NULL", "[Measures].[Unit Sales]", "1 / 0", "1e400", "0 / 0", "9" * 30],
    "text": ["'abc'", "''", "NULL", "'[Store].[USA]'", "[Store].Name", "'yyyy'", "'#,##0'"],
    "truth": ["1 = 1", "NOT 1 = 1", "IsEmpty(1)"],
    "word": ["ASC", "BDESC", "ALL", "LEAVES", "SELF", "EXCLUDEEMPTY", "POST", "RECURSIVE", "BEFORE", "FOO"],
}  # fmt: skip
LEAVES["value"] = LEAVES["number"] + LEAVES["text"] + LEAVES["truth"]
LEAVES["any"] = LEAVES["node"] = LEAVES["value"] + LEAVES["set"] + LEAVES["member"] + LEAVES["tuple"] + LEAVES["level"]
ALL = [each for some in FUNCTIONS.values() for each in some]
SLICERS = [
    "",
    " where [Time].[1997].[Q1]",
    " where {[Marital Status].Members}",
    " where {[Time].[1997], [Time].[1998]}",
]


def argument(chance: random.Random, kind: str, depth: int) -> str:
    """An argument, mostly of the kind that is wanted."""
    if chance.random() < 0.12:
        kind = chance.choice(sorted(LEAVES))
    if depth and chance.random() < 0.5:
        return called(chance, chance.choice(ALL), depth - 1)
    return chance.choice(LEAVES[kind])


def called(chance: random.Random, function: MdxFunction, depth: int) -> str:
    """A call, written as the function's signature says."""
    most = function.least + 2 if function.most is None else function.most
    count = chance.randint(function.least, min(most, function.least + 3))
    arguments = [argument(chance, function.kind(place), depth) for place in range(count)]
    if function.style == "function":
        return f"{function.name}({', '.join(arguments)})"
    first = arguments[0] if arguments[0][0] in "[{(" else f"({arguments[0]})"
    rest = "" if function.style == "property" else f"({', '.join(arguments[1:])})"
    return f"{first}.{function.name}{rest}"


def answered(chance: random.Random, function: MdxFunction) -> bool:
    """True if a query with a call of a function is answered; False if it is refused."""
    expression = called(chance, function, chance.randint(0, 2))
    query = f"select {{{expression}}} on 0 from Sales"
    if chance.random() < 0.5:
        query = f"with member [Measures].[x] as {expression} select [Measures].[x] on 0, [Gender].[F] on 1 from Sales"
    try:
        found = ask(query + chance.choice(SLICERS), limits=MdxLimits(tuples=2000))
    except UsageError:
        return False
    return len(found.to_text()) > 0 and len(found.to_rows()) >= 0 and len(found.to_table()) >= 0


def test_every_function_is_answered_or_refused() -> None:
    """With right and wrong arguments; many of the calls have an answer."""
    chance = random.Random(7)
    assert sum(answered(chance, function) for function in ALL) > len(ALL) / 5


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(20))
def test_functions_within_functions_are_answered_or_refused(seed: int) -> None:
    """The same, many times."""
    chance = random.Random(seed)
    assert sum(answered(chance, chance.choice(ALL)) for _ in range(1000)) > 100


@pytest.mark.parametrize("seed", range(3))
def test_damaged_queries_are_answered_or_refused(seed: int) -> None:
    """Characters that are left out, doubled or exchanged."""
    chance = random.Random(seed)
    whole = (
        "with member [Measures].[x] as 'Sum({[Store].[USA].Children}, [Measures].[Unit Sales]) * 2' "
        "select {[Measures].[x]} on 0, non empty Order([Gender].Members, [Measures].[x], DESC) on 1 from Sales where "
        "([Time].[1997].[Q1])"
    )
    for _ in range(60):
        text = list(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text))
            text[place] = chance.choice(["", text[place] * 2, chance.choice("[]{}(),.'\"&:*-x1 \x00é")])
        # Any other error fails the test.
        with contextlib.suppress(UsageError):
            ask("".join(text))
