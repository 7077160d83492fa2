"""A measure times a parameter is the measure of values that are each multiplied: cost is the sum of hours times rate.

So the number of a group is right whatever the group is: each value has the rate of its own entity.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from callsheet.errors import QueryError
from callsheet.model.arithmetic import Arithmetic, Constant, Measure
from callsheet.model.choice import Choice, Scoped
from callsheet.model.measure import AggregateFunction, functions_of
from callsheet.model.parameter import Parameter, Weight

__all__ = ["WEIGHED", "has_parameters", "weighed"]

WEIGHED: Final = (
    *("sum", "average", "count", "minimum", "maximum", "median", "quantile", "lower_quartile", "upper_quartile"),
    *("variance", "deviation"),
)
"""Functions whose values can be multiplied with a parameter; a count then is the sum of the parameter's values."""
_LIKE: Final = "like `sum(duration) * parameter(Rates)`, or `count * parameter(Capacity)` for the sum of its values"


def weighed(measure: Measure) -> Measure:
    """The measure in which each product with a parameter is one of functions that are multiplied value by value.

    >>> found = weighed(Arithmetic("*", AggregateFunction("sum", "bid"), Parameter("Rates")))
    >>> found.name, found.weights[0].parameter.name
    ('sum', 'Rates')
    """
    if isinstance(measure, Parameter):
        raise QueryError(f"the parameter `{measure.name:.80}` stands alone, and multiplies measures", hint=_LIKE)
    if not isinstance(measure, Arithmetic):
        return measure
    left, right = measure.left, measure.right
    for side, other in ((right, left), (left, right)):
        if _is_factor(side):
            if _is_factor(other):
                raise QueryError("a product of parameters alone is of no entities", hint=_LIKE)
            if measure.operator not in "*/" or (measure.operator == "/" and side is left):
                raise QueryError(
                    f"a parameter cannot stand left of `{measure.operator}`"
                    if side is left
                    else f"a parameter multiplies or divides a measure; `{measure.operator}` is neither",
                    hint=_LIKE,
                )
            return _times(weighed(other), side, measure.operator == "/")
    return measure


def _is_factor(measure: Measure) -> bool:
    """Whether a measure is a product of parameters and numbers."""
    parts = list(_leaves(measure))
    return any(isinstance(each, Parameter) for each in parts) and not any(map(_is_other, parts))


def _is_other(measure: Measure | str) -> bool:
    return measure in ("+", "-") if isinstance(measure, str) else not isinstance(measure, Parameter | Constant)


def _leaves(measure: Measure) -> Iterator[Measure | str]:
    if isinstance(measure, Arithmetic):
        yield measure.operator
        yield from _leaves(measure.left)
        yield from _leaves(measure.right)
    else:
        yield measure


def _times(measure: Measure, factor: Measure, divides: bool) -> Measure:
    """A measure multiplied with, or divided by, parameters and numbers."""
    if isinstance(factor, Arithmetic):
        inner = _times(measure, factor.left, divides)
        return _times(inner, factor.right, divides != (factor.operator == "/"))
    if isinstance(factor, Parameter):
        return _with_weight(measure, Weight(factor, divides))
    return Arithmetic("/" if divides else "*", measure, factor)


def _with_weight(measure: Measure, weight: Weight) -> Measure:
    if isinstance(measure, AggregateFunction):
        if measure.name not in WEIGHED:
            raise QueryError(f"`{measure.name}` cannot be multiplied with a parameter", hint=", ".join(WEIGHED))
        return evolve(measure, weights=(*measure.weights, weight))
    if isinstance(measure, Choice | Scoped):
        otherwise = None if measure.otherwise is None else _with_weight(measure.otherwise, weight)
        return evolve(measure, then=_with_weight(measure.then, weight), otherwise=otherwise)
    if isinstance(measure, Arithmetic):
        if measure.operator in "+-":
            return Arithmetic(measure.operator, _with_weight(measure.left, weight), _with_weight(measure.right, weight))
        # A ratio is multiplied above its line.
        if measure.operator == "/" or isinstance(measure.right, Constant):
            return evolve(measure, left=_with_weight(measure.left, weight))
        if isinstance(measure.left, Constant):
            return evolve(measure, right=_with_weight(measure.right, weight))
    raise QueryError(f"a parameter multiplies values of functions, and no {type(measure).__name__.lower()}", hint=_LIKE)


def has_parameters(measure: Measure) -> bool:
    """Whether a number of the measure depends on a parameter table.

    >>> has_parameters(AggregateFunction("count") * Parameter("Rates") / 2)
    True
    """
    weights = any(function.weights for function in functions_of(measure))
    return weights or isinstance(measure, Parameter) or any(map(has_parameters, measure.parts))
