"""Limits and samples of a selection, as parts of its query."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from attrs import evolve

from callsheet.analytics.resolving import value_path
from callsheet.errors import UsageError
from callsheet.model.query import SAMPLING, Order, Path, Sample, Select, Top
from callsheet.model.schema import did_you_mean

__all__ = ["is_limited", "limited", "sampled"]


def is_limited(select: Select) -> bool:
    """Whether a query selects fewer entities than fulfil its condition."""
    return bool(select.limit is not None or select.offset or select.top or select.sample)


def limited(selection: Any, number: Any, by: Any, per: Any, ascending: bool) -> Select:
    """The query of at most some of the selected entities."""
    first, last = _ranks(number)
    order = () if by is None else (Order(_path(selection, by, "by"), not ascending),)
    inner = _open(selection)
    if per is None and not order and first == 1:
        return evolve(inner, limit=last)
    if first > 1:
        if not order or per is not None:
            raise UsageError("a pair of ranks needs `by`, and takes no `per`: `limit((11, 20), by=cost)`")
        return evolve(inner, order=order, offset=first - 1, limit=last - first + 1)
    _check_supported(selection)
    return evolve(inner, top=Top(last, order, None if per is None else _path(selection, per, "per")))


def sampled(selection: Any, n: Any, frac: Any, method: str, seed: int, per: Any) -> Select:
    """The query of a sample of the selected entities."""
    if (n is None) == (frac is None):
        raise UsageError("a sample takes a number or a share: `sample(100)`, or `sample(frac=0.1)`")
    if n is not None:
        n = _natural("a sample", n)
    elif isinstance(frac, bool) or not isinstance(frac, int | float | Fraction) or not 0 < frac <= 1:
        raise UsageError(f"the share of a sample is above 0 and at most 1, not {frac!r:.40}")
    if method not in SAMPLING:
        raise UsageError(f"a sample is {', '.join(SAMPLING)}, not {method!r:.40}{did_you_mean(str(method), SAMPLING)}")
    _natural("the seed of a sample", seed)
    if (method == "stratified") != (per is not None):
        raise UsageError("a stratified sample needs `per`, the variable whose values get their share; others take none")
    _check_supported(selection)
    path = None if per is None else _path(selection, per, "per")
    return evolve(_open(selection), sample=Sample(n, None if frac is None else float(frac), method, seed, path))


def _open(selection: Any) -> Select:
    """A query of the selected entities that has no limit of its own."""
    return Select(selection.table.name, where=selection.condition)


def _check_supported(selection: Any) -> None:
    if not selection._core.features.measures:
        raise UsageError("this server has no samples, and no limits by or per a variable; `limit(n)` is all it has")


def _path(selection: Any, given: Any, word: str) -> Path:
    path = value_path(selection.table, given, word)
    return path


def _ranks(number: Any) -> tuple[int, int]:
    if isinstance(number, tuple) and len(number) == 2:
        first, last = (_natural("a rank", each) for each in number)
        if not 1 <= first <= last:
            raise UsageError(f"ranks are counted from 1, the first one first, not {number!r:.40}")
        return first, last
    return 1, _natural("a limit", number)


def _natural(what: str, number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise UsageError(f"{what} is a whole number from 0, not {number!r:.40}")
    return number
