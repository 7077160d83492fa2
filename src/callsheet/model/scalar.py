"""Scalars of any origin as values of Python's own types, exactly.

One wire takes a subclass of ``str``, another refuses it, and an integer of numpy is no ``int`` at all. So what comes in
is made plain: its type is then one of str, int, float, bool, date, datetime, or it is None. numpy, pandas and
Arrow are recognised by what their scalars have; they are not imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

__all__ = [
    "INTEGER_LIMIT",
    "PLAIN",
    "Unfit",
    "bounded",
    "exact_float",
    "finite",
    "plain_scalar",
    "plain_text",
    "shown",
]

PLAIN = frozenset({str, int, bool, date, datetime, type(None)})
"""Types of values that are plain as they are. A float may be NaN, which stands for no value."""
_EMPTY = frozenset({("pandas", "NaTType"), ("pandas", "NAType"), ("numpy", "MaskedConstant")})
_MICROSECOND = "a time of whole microseconds"
INTEGER_LIMIT = 2**63
INTEGER_DIGITS = 19


class Unfit(ValueError):
    """The value is not taken: ``wanted`` says what would be (it follows `takes` in the message), ``cure`` what to do.

    ``path`` leads to the value inside JSON data, and ``value`` is what was found there.
    """

    def __init__(self, wanted: str, cure: str = "", value: Any = None, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(wanted)
        self.wanted, self.cure, self.value, self.path = wanted, cure, value, path


def plain_scalar(value: Any) -> Any:
    """The value as one of Python's own types; None where it stands for no value; as it is where it is no scalar.

    A member of an enumeration stands for its value. `Unfit` is raised for what no plain value holds exactly.

    >>> from decimal import Decimal
    >>> plain_scalar(Decimal("24")), plain_scalar(Decimal("0.5")), plain_scalar(float("nan"))
    (24, 0.5, None)
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if value == value else None
    origin = kind.__module__.partition(".")[0]
    if (origin, kind.__name__) in _EMPTY:
        return None
    if origin == "pyarrow" and hasattr(kind, "as_py"):
        return _arrow(value)
    for base, convert in _CONVERSIONS:
        if isinstance(value, base):
            return convert(value)
    data_type = getattr(getattr(value, "dtype", None), "kind", None) if hasattr(kind, "dtype") else None
    if isinstance(data_type, str) and getattr(value, "shape", None) == ():
        return _ARRAY_SCALARS.get(data_type, _as_it_is)(value)
    return value


def exact_float(number: int | Decimal | Fraction) -> float:
    """The float that is written as this number; `Unfit` where there is none.

    >>> exact_float(Decimal("0.1"))
    0.1
    """
    wanted, cure = "a number that a float of 64 bits holds", "`float(value)` rounds it, text keeps all of it"
    try:
        found = float(number)
    except OverflowError:
        raise Unfit(wanted, cure) from None
    alike = found == number if isinstance(number, int) else type(number)(repr(found)) == number
    if not alike:
        raise Unfit(wanted, cure)
    return found


def plain_text(value: Any) -> str | None:
    """A plain string that every database takes; `Unfit` for anything else but None."""
    if value is None:
        return None
    if type(value) is not str:
        raise Unfit("a string")
    if "\x00" in value:
        raise Unfit("a string without U+0000")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit("a string that is valid Unicode (this one has half of a surrogate pair)") from None
    return value


def bounded(value: int, wanted: str) -> int:
    """An integer of 64 bits."""
    if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
        raise Unfit(wanted)
    return value


def finite(value: float) -> float:
    """A number that is neither infinite nor NaN."""
    if not math.isfinite(value):
        raise Unfit("a finite number")
    return value


def shown(value: object) -> str:
    """A value as an error message shows it: never long, and never an error itself."""
    # Python refuses to print integers of very many digits.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length():,} bits"
    try:
        return f"{value!r:.80}"
    except Exception:
        return f"a {type(value).__name__} that cannot be shown"


def _as_it_is(value: Any) -> Any:
    return value


def _arrow(value: Any) -> Any:
    """A scalar of Arrow; lists and structures of such become those of Python."""
    try:
        return plain_scalar(value.as_py())
    except (ValueError, OverflowError) as error:
        if isinstance(error, Unfit):
            raise
        # Without pandas, Arrow has no type of Python's for nanoseconds.
        raise Unfit(f"{_MICROSECOND}, of the years 1 to 9999") from None


def _float(value: Any) -> float | None:
    found = float.__float__(value)
    return found if found == found else None


def _datetime(value: datetime) -> datetime:
    if getattr(value, "nanosecond", 0):
        raise Unfit(_MICROSECOND, '`value.floor("us")` leaves out the rest')
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    try:
        return datetime(*parts, value.tzinfo, fold=value.fold)
    except ValueError:
        raise Unfit("a time of the years 1 to 9999") from None


def _decimal(value: Decimal) -> int | float | None:
    if value.is_nan():
        return None
    if value.is_infinite():
        return float(value)
    # The number of digits first: a short text can stand for an integer that fills the memory.
    if value.adjusted() < INTEGER_DIGITS and value == value.to_integral_value():
        return int(value)
    return exact_float(value)


def _fraction(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else exact_float(value)


def _array_float(value: Any) -> float | None:
    found = float(value)
    if found != found:
        return None
    if found != value:
        raise Unfit("a number that a float of 64 bits holds", "`float(value)` rounds it")
    return found


def _array_moment(value: Any) -> Any:
    """A date or a datetime of numpy, which gives an integer for what Python's own types cannot hold."""
    found = value.item()
    if not isinstance(found, int):
        return found
    coarse = value.astype("datetime64[us]")
    found = coarse.item()
    if isinstance(found, int):
        raise Unfit("a time of the years 1 to 9999")
    if coarse != value:
        raise Unfit(_MICROSECOND, '`value.astype("datetime64[us]")` leaves out the rest')
    return found


_CONVERSIONS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, _float),
    (datetime, _datetime),
    (date, lambda value: date(value.year, value.month, value.day)),
    (Decimal, _decimal),
    (Fraction, _fraction),
    (Enum, lambda value: plain_scalar(value.value)),
)
_ARRAY_SCALARS: dict[str, Callable[[Any], Any]] = {
    "b": bool,
    "i": int,
    "u": int,
    "f": _array_float,
    "U": lambda value: str(value.item()),
    "M": _array_moment,
}
