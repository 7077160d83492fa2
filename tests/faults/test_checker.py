"""The history checker sees what it must: planted faults are found, honest histories pass."""

from __future__ import annotations

from random import Random

import pytest

from .checker import Transaction, check


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
