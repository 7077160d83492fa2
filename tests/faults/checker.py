"""Was a history of transactions what one after the other could have given? For lists and numbers that grow.

Theory. Every appended element is unique, so the longest list ever read of a key tells in which order its
appends took place, and every other read where it stood in that order. From this follow edges between
transactions: who appended before whom (ww), who read whose append (wr), who read a list that somebody then
appended to (rw), and who had ended before somebody began (time). A cycle means that no order explains what
was seen; which edges it needs says what went wrong. Lost appends, appends of failed transactions and lists
that do not continue one another are seen without any graph.

A number that is read and written over, always by a larger one, is each of its values at most once. So of a value that
was seen it is known who wrote it (wr, and ww where the reader wrote over it) and who wrote over it (rw). Two who wrote
over the same value are a lost update, also where both wrote the same: of that, no list tells.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from attrs import field, frozen

Edges = dict[int, set[int]]
LADDER = (("ww",), ("ww", "wr"), ("ww", "wr", "rw"), ("ww", "wr", "rw", "time"))
NAMES = ("G0: writes in a cycle", "G1c: reads in a cycle", "G2: a read was overtaken", "not in real time")


@frozen
class Transaction:
    """What one transaction read and appended, between two moments. ``done`` is False where it was refused.

    ``saw`` are the numbers it read, 0 in the beginning, and ``wrote`` what it wrote over some of them.
    """

    start: float
    end: float
    reads: dict[str, tuple[str, ...]] = field(factory=dict)
    appends: dict[str, str] = field(factory=dict)
    done: bool = True
    saw: dict[str, int] = field(factory=dict)
    wrote: dict[str, int] = field(factory=dict)


def check(history: Sequence[Transaction]) -> list[str]:
    """All that is wrong with a history whose last reads see everything; nothing if it is strictly serialisable."""
    found: list[str] = []
    orders = _orders(history, found)
    writers = {each: index for index, told in enumerate(history) if told.done for each in told.appends.items()}
    failed = {each for told in history if not told.done for each in told.appends.items()}
    for key, order in orders.items():
        if len(set(order)) != len(order):
            found.append(f"duplicate: an element is twice in {key}")
        for element in order:
            if (key, element) in failed:
                found.append(f"G1a: {key} holds {element} of a transaction that failed")
            elif (key, element) not in writers:
                found.append(f"stray: nobody appended {element} to {key}")
    found += [f"lost append: {key} misses {element}" for key, element in writers if element not in orders.get(key, ())]
    edges = _edges(history, orders, writers)
    _read_numbers(history, edges, found)
    for kinds, name in zip(LADDER, NAMES):
        if cycle := _cycle(_joined(edges, kinds)):
            found.append(f"{name}: {len([each for each in cycle if each < len(history)])} transactions")
            break
    return found


def _orders(history: Iterable[Transaction], found: list[str]) -> dict[str, tuple[str, ...]]:
    """For each key its longest read, of which all others must be the beginning."""
    reads: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for told in history:
        if told.done:
            for key, elements in told.reads.items():
                reads[key].add(elements)
    orders = {key: max(lists, key=len) for key, lists in reads.items()}
    for key, lists in reads.items():
        wrong = [elements for elements in lists if orders[key][: len(elements)] != elements]
        if wrong:
            found.append(f"incompatible orders: {len(wrong)} reads of {key} are no beginning of the longest")
    return orders


def _edges(
    history: Sequence[Transaction], orders: dict[str, tuple[str, ...]], writers: dict[tuple[str, str], int]
) -> dict[str, Edges]:
    edges: dict[str, Edges] = {kind: defaultdict(set) for kind in ("ww", "wr", "rw", "time")}

    def add(kind: str, before: int | None, after: int | None) -> None:
        if before is not None and after is not None and before != after:
            edges[kind][before].add(after)

    for key, order in orders.items():
        for first, second in pairwise(order):
            add("ww", writers.get((key, first)), writers.get((key, second)))
    for index, told in enumerate(history):
        if not told.done:
            continue
        for key, elements in told.reads.items():
            if elements:
                add("wr", writers.get((key, elements[-1])), index)
            if len(elements) < len(orders[key]):
                add("rw", index, writers.get((key, orders[key][len(elements)])))
    _time(history, add)
    return edges


def _read_numbers(history: Sequence[Transaction], edges: dict[str, Edges], found: list[str]) -> None:
    """Add the edges of numbers, and what is wrong with them."""
    done = [(index, told) for index, told in enumerate(history) if told.done]
    writers = {each: index for index, told in done for each in told.wrote.items()}
    over: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, told in done:
        for key in told.wrote:
            over[key, told.saw[key]].append(index)
    for (key, value), several in over.items():
        if len(several) > 1:
            found.append(f"lost update: {len(several)} transactions saw {key} at {value} and wrote over it")
    failed = {each for told in history if not told.done for each in told.wrote.items()}
    for index, told in done:
        for key, value in told.saw.items():
            writer = writers.get((key, value))
            if writer is None and value:
                found.append(f"{'G1a' if (key, value) in failed else 'stray'}: {key} was seen at {value}")
            elif writer is not None and writer != index:
                edges["ww" if key in told.wrote else "wr"][writer].add(index)
            edges["rw"][index].update(each for each in over[key, value] if each != index)


def _time(history: Sequence[Transaction], add: object) -> None:
    """Edges from each transaction to all that began after its end, by way of a chain of moments."""
    assert callable(add)
    done = sorted((told.end, index) for index, told in enumerate(history) if told.done)
    ends = [end for end, _ in done]
    for place, (_, index) in enumerate(done):
        moment = len(history) + place
        add("time", index, moment)
        if place:
            add("time", moment - 1, moment)
    for index, told in enumerate(history):
        place = bisect_left(ends, told.start)
        if told.done and place:
            add("time", len(history) + place - 1, index)


def _joined(edges: dict[str, Edges], kinds: Iterable[str]) -> Edges:
    joined: Edges = defaultdict(set)
    for kind in kinds:
        for before, after in edges[kind].items():
            joined[before] |= after
    return joined


def _cycle(edges: Edges) -> list[int]:
    """A set of nodes that all lead to one another (Tarjan's algorithm, without recursion), or nothing."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in list(edges):
        if root in number:
            continue
        work = [(root, iter(edges.get(root, ())))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while work:
            node, more = work[-1]
            for other in more:
                if other not in number:
                    number[other] = low[other] = len(number)
                    path.append(other)
                    on_path.add(other)
                    work.append((other, iter(edges.get(other, ()))))
                    break
                if other in on_path:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    part = path[path.index(node) :] if path[-1] != node else [node]
                    del path[-len(part) :]
                    on_path -= set(part)
                    if len(part) > 1:
                        return part
    return []
