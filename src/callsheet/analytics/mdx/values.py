"""Numbers, texts, truth and emptiness: what operators of MDX do with values.

Empty plus x is x, empty times x is empty, and x divided by empty is infinite. A comparison with an empty value is
false.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from callsheet.analytics.mdx.errors import MdxError

__all__ = [
    "Scalar",
    "add",
    "as_number",
    "as_text",
    "as_truth",
    "compare",
    "concatenate",
    "divide",
    "multiply",
    "subtract",
]

Scalar: TypeAlias = str | int | float | bool | Decimal | None


def as_number(value: Any) -> int | float | None:
    """A value as a number; text that is one counts, other text is an error."""
    if value is None or type(value) is int or type(value) is float:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str):
        try:
            return number_of_text(value)
        except ValueError:
            pass
    raise MdxError(f"a number is expected, not {as_text(value)!r}")


def whole(value: Any) -> int:
    """A number as a whole one, such as a place in a set: empty and no number are 0, huge ones are a thousand millions.

    >>> whole(2.9), whole(None), whole(math.inf)
    (2, 0, 1000000000)
    """
    number = as_number(value) or 0
    if isinstance(number, float) and math.isnan(number):
        return 0
    return int(max(-1_000_000_000, min(number, 1_000_000_000)))


def number_of_text(text: str) -> int | float:
    """The number that a text is; ``ValueError`` if it is none.

    >>> number_of_text("12"), number_of_text("1.5")
    (12, 1.5)
    """
    try:
        number = int(text) if len(text) < 300 else float(text)
    except ValueError:
        number = float(text)
    return number


def as_text(value: Any) -> str:
    """A value as text: empty is no text, a double has a point.

    >>> as_text(3.0), as_text(3), as_text(True), as_text(None)
    ('3.0', '3', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value and not 1e-3 <= abs(value) < 1e7:
        mantissa, exponent = _scientific(value)
        return f"{mantissa}E{exponent}"
    return repr(value)


def _scientific(value: float) -> tuple[str, str]:
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:] or '0'}"
    return ("-" * sign + mantissa, str(int(exponent) + len(text) - 1))


def as_truth(value: Any) -> bool:
    """A value as truth: empty is false, a number is true unless it is 0."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.lower() == "true"
    return bool(value)


def add(left: Scalar, right: Scalar) -> Scalar:
    """Sum of numbers; texts are joined.

    What is computed is a double.

    >>> add(None, 2), add(1, 2), add("a", "b"), add(None, None)
    (2, 3.0, 'ab', None)
    """
    if isinstance(left, str) or isinstance(right, str):
        return concatenate(left, right)
    one, two = as_number(left), as_number(right)
    if one is None or two is None:
        return two if one is None else one
    return float(one + two)


def concatenate(left: Scalar, right: Scalar) -> str:
    """Texts, joined."""
    return as_text(left) + as_text(right)


def subtract(left: Scalar, right: Scalar) -> Scalar:
    """Difference of numbers.

    >>> subtract(None, 2), subtract(3, None)
    (-2.0, 3)
    """
    one, two = as_number(left), as_number(right)
    if two is None:
        return one
    return float(-two if one is None else one - two)


def multiply(left: Scalar, right: Scalar) -> Scalar:
    """Product of numbers."""
    one, two = as_number(left), as_number(right)
    return None if one is None or two is None else float(one * two)


def divide(left: Scalar, right: Scalar) -> Scalar:
    """Quotient of numbers.

    >>> divide(1, 4), divide(-1, 0), divide(-3, None), divide(None, 3)
    (0.25, -inf, inf, None)
    """
    one, two = as_number(left), as_number(right)
    if one is None:
        return None
    if two is None:
        return math.inf
    if two == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, two)
    return one / two


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


def compare(sign: str, left: Scalar, right: Scalar) -> bool:
    """Whether a comparison holds; with an empty value it does not.

    >>> compare("<", 1, 2), compare("=", None, None), compare("=", "a", "a")
    (True, False, True)
    """
    if left is None or right is None:
        return False
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARISONS[sign](left, right)
    if isinstance(left, str) != isinstance(right, str):
        try:
            left, right = as_number(left), as_number(right)
        except MdxError:
            left, right = as_text(left), as_text(right)
    try:
        return _COMPARISONS[sign](left, right)
    except TypeError:
        raise MdxError(f"{as_text(left)!r} and {as_text(right)!r} cannot be compared") from None
