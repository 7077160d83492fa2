"""The history checker sees what it must: planted faults are found, honest histories pass."""

from __future__ import annotations

from random import Random

import pytest

from callsheet.server.service import Service

from .checker import Transaction, check
from .histories import equal_ends_agree, in_process
from .ledger import DOCUMENT


def told(start: float, reads: dict[str, str], appends: dict[str, str] | None = None, done: bool = True) -> Transaction:
    """A transaction of one second; lists are written as words, one letter an element."""
    return Transaction(start, start + 1, {key: tuple(word) for key, word in reads.items()}, appends or {}, done)


def test_one_after_the_other() -> None:
    """Transactions that follow one another are in order."""
    assert check([told(0, {"x": ""}, {"x": "a"}), told(2, {"x": "a"}, {"x": "b"}), told(4, {"x": "ab"})]) == []


def test_side_by_side() -> None:
    """Of two at the same time, either may be first."""
    assert check([told(0, {"x": ""}, {"x": "a"}), told(0.5, {"x": ""}), told(4, {"x": "a"})]) == []


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        ([told(0, {"x": ""}, {"x": "a"}), told(0, {"x": ""}, {"x": "b"}), told(4, {"x": "b"})], "lost append"),
        ([told(0, {"x": ""}, {"x": "a"}, done=False), told(4, {"x": "a"})], "G1a"),
        ([told(0, {"x": ""}, {"x": "a"}), told(4, {"x": "aa"})], "duplicate"),
        ([told(4, {"x": "z"})], "stray"),
        (
            [told(0, {}, {"x": "a"}), told(0, {}, {"x": "b"}), told(0, {"x": "ab"}), told(4, {"x": "ba"})],
            "incompatible orders",
        ),
        ([told(0, {"x": "a"}, {"y": "b"}), told(0, {"y": "b"}, {"x": "a"}), told(4, {"x": "a", "y": "b"})], "G1c"),
        ([told(0, {"x": ""}, {"y": "b"}), told(0, {"y": ""}, {"x": "a"}), told(4, {"x": "a", "y": "b"})], "G2"),
        ([told(0, {}, {"x": "a"}), told(2, {"x": ""}), told(4, {"x": "a"})], "not in real time"),
        (
            [
                told(0, {}, {"x": "a", "y": "c"}),
                told(0, {}, {"x": "b", "y": "d"}),
                told(4, {"x": "ab", "y": "dc"}),
            ],
            "G0",
        ),
    ],
)
def test_planted_faults(history: list[Transaction], fault: str) -> None:
    """Each anomaly is found, under its name."""
    assert [problem for problem in check(history) if problem.startswith(fault)]


def counted(start: float, saw: dict[str, int], wrote: dict[str, int] | None = None, done: bool = True) -> Transaction:
    """A transaction of one second on numbers."""
    return Transaction(start, start + 1, done=done, saw=saw, wrote=wrote or {})


def test_numbers_in_order() -> None:
    """Who sees what was written before, and writes over it alone, is in order; so is who reads beside it."""
    one, two = counted(0, {"x": 0}, {"x": 1}), counted(2, {"x": 1}, {"x": 2})
    refused = counted(0, {"x": 0}, {"x": 1}, done=False)
    assert check([one, counted(0.5, {"x": 0}), two, refused, counted(4, {"x": 2})]) == []


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        ([counted(0, {"x": 5}, {"x": 6}), counted(0, {"x": 5}, {"x": 6}), counted(4, {"x": 6})], "lost update: 2"),
        ([counted(0, {"x": 0}, {"x": 1}), counted(0, {"x": 0}, {"x": 2}), counted(4, {"x": 2})], "lost update: 2"),
        ([counted(0, {"x": 0}, {"x": 1}, done=False), counted(4, {"x": 1})], "G1a"),
        ([counted(4, {"x": 3})], "stray"),
        ([counted(0, {"x": 0}, {"x": 1}), counted(2, {"x": 0}), counted(4, {"x": 1})], "not in real time"),
        (
            [
                counted(0, {"x": 0, "y": 0}, {"x": 1}),
                counted(0, {"x": 0, "y": 0}, {"y": 1}),
                counted(4, {"x": 1, "y": 1}),
            ],
            "G2",
        ),
        ([counted(0, {"x": 0, "y": 1}, {"x": 1}), counted(0, {"y": 0, "x": 1}, {"y": 1})], "G1c"),
    ],
)
def test_planted_faults_of_numbers(history: list[Transaction], fault: str) -> None:
    """Each anomaly is found, also that both wrote the same."""
    assert [problem for problem in check(history) if problem.startswith(fault)]


def test_sessions_that_count_are_in_order_and_would_not_be_if_equal_ends_agreed() -> None:
    """Eight sessions on four registers in this process; the control takes away the one check."""
    with Service.open("memory:", DOCUMENT) as service:
        history = in_process(service, 1, "raise")
    assert (check(history.transactions), history.problems) == ([], [])
    assert history.conflicts
    with Service.open("memory:", DOCUMENT) as service, equal_ends_agree():
        control = in_process(service, 1, "raise")
    assert [each for each in check(control.transactions) if each.startswith("lost update")]


def serial(random: Random, length: int) -> list[Transaction]:
    """A history as one after the other gives it, with ends that overlap the next starts."""
    state: dict[str, tuple[str, ...]] = dict.fromkeys("xyz", ())
    history = []
    for number in range(length):
        keys = random.sample("xyz", 2)
        appends = {key: f"{number}{key}" for key in keys[: random.randint(0, 2)]}
        history.append(Transaction(number - 2.5, number + 2.5, {key: state[key] for key in keys}, appends))
        for key, element in appends.items():
            state[key] += (element,)
    return [*history, Transaction(length + 5, length + 6, dict(state))]


@pytest.mark.parametrize("seed", range(20))
def test_a_stale_read_is_found(seed: int) -> None:
    """A long honest history passes; let one transaction that writes read what was there before, and it does not."""
    random = Random(seed)
    history = serial(random, 200)
    assert check(history) == []
    place = next(n for n in range(100, 200) if any(history[n].reads[key] for key in history[n].appends))
    old = history[place]
    key = next(key for key in old.appends if old.reads[key])
    stale = {**old.reads, key: old.reads[key][:-1]}
    history[place] = Transaction(old.start, old.end, stale, old.appends)
    assert check(history) != []
