"""Texts, numbers and dates, as functions of Visual Basic; members and sets as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.formats import format_value
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import as_number, as_text, number_of_text, whole

__all__ = ["of_values"]

MOST_TEXT = 100_000
"""How long a text may become."""


def of_values(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function that needs its arguments only."""

    def declare(compute: Callable[..., Any]) -> Callable[..., Any]:
        def called(evaluation: Evaluation, context: Context, *given: Any) -> Any:
            try:
                return compute(*given)
            except (ValueError, OverflowError, ArithmeticError) as error:
                raise MdxError(f"{signature.partition('(')[0]} cannot be computed: {error}") from None
            except TypeError:
                if None not in given:
                    raise
                raise MdxError(f"{signature.partition('(')[0]} cannot be computed: a value is empty") from None

        called.__doc__, called.__module__, called.__name__ = compute.__doc__, compute.__module__, compute.__name__
        mdx_function(signature)(called)
        return compute

    return declare


@of_values("Len(text)")
def length(text: str | None) -> int:
    """The number of characters."""
    return len(text or "")


@of_values("Left(text, number)")
def left(text: str | None, count: float) -> str:
    """The first characters."""
    if (count or 0) < 0:
        raise ValueError("the number is negative")
    return (text or "")[: whole(count)]


@of_values("Right(text, number)")
def right(text: str | None, count: float) -> str:
    """The last characters."""
    if (count or 0) < 0:
        raise ValueError("the number is negative")
    return (text or "")[max(0, len(text or "") - whole(count)) :]


@of_values("Mid(text, number, number?)")
def middle(text: str | None, start: float, count: float | None = None) -> str:
    """The characters from a place on, 1 is the first."""
    first = whole(start) - 1
    if first < 0:
        raise ValueError("places are counted from 1")
    if count is not None and count < 0:
        raise ValueError("the number is negative")
    return (text or "")[first : None if count is None else first + whole(count)]


@of_values("InStr(value, value, text?, number?)")
def place_in_text(one: Any, two: Any, three: str | None = None, _compare: float | None = None) -> int:
    """The place of a text in another, from 1; 0 if it is not there. A number in front is where the search begins."""
    if isinstance(one, int | float) and three is not None:
        return as_text(two).find(three, whole(one) - 1) + 1
    return as_text(one).lower().find(as_text(two).lower()) + 1 if three else as_text(one).find(as_text(two)) + 1


@of_values("InStrRev(text, text)")
def last_place_in_text(text: str | None, part: str | None) -> int:
    """The last place of a text in another, from 1."""
    return (text or "").rfind(part or "") + 1


@of_values("UCase(text)")
def capitals(text: str | None) -> str:
    """In capitals."""
    return (text or "").upper()


@of_values("LCase(text)")
def small_letters(text: str | None) -> str:
    """In small letters."""
    return (text or "").lower()


@of_values("Trim(text)")
def trim(text: str | None) -> str:
    """Without blanks at its ends."""
    return (text or "").strip()


@of_values("LTrim(text)")
def trim_left(text: str | None) -> str:
    """Without blanks at its beginning."""
    return (text or "").lstrip()


@of_values("RTrim(text)")
def trim_right(text: str | None) -> str:
    """Without blanks at its end."""
    return (text or "").rstrip()


@of_values("Replace(text, text, text, number?, number?)")
def replace(text: str | None, old: str | None, new: str | None, start: float = 1, count: float = -1) -> str:
    """A text with parts of it replaced: from a place on, so many times."""
    text, first = text or "", max(0, whole(start) - 1)
    return _bounded(text[:first] + text[first:].replace(old, new or "", whole(count))) if old else text


def _bounded(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise ValueError(f"the text is longer than {MOST_TEXT:,} characters")
    return text


@of_values("Space(number)")
def space(count: float | None) -> str:
    """So many blanks."""
    return " " * min(MOST_TEXT, whole(count))


@of_values("String(number, text)")
def repeated(count: float | None, text: str | None) -> str:
    """A character, so many times."""
    return (text or "")[:1] * min(MOST_TEXT, whole(count))


@of_values("StrReverse(text)")
def reverse(text: str | None) -> str:
    """From its end to its beginning."""
    return (text or "")[::-1]


@of_values("StrComp(text, text, number?)")
def compare_texts(one: str | None, two: str | None, kind: float | None = None) -> int:
    """-1, 0 or 1: which text comes first."""
    a, b = ((one or "").lower(), (two or "").lower()) if kind else (one or "", two or "")
    return (a > b) - (a < b)


@of_values("Asc(text)")
def code_of(text: str | None) -> int:
    """The number of a character."""
    if not text:
        raise ValueError("the text is empty")
    return ord(text[0])


@of_values("Chr(number)")
def character(code: float | None) -> str:
    """The character with a number."""
    return chr(whole(code))


@of_values("Val(text)")
def number_in_text(text: str | None) -> int | float:
    """The number that a text begins with."""
    found = ""
    for each in (text or "").strip():
        if not (each.isdigit() or (each == "." and "." not in found) or (each == "-" and not found)):
            break
        found += each
    return number_of_text(found) if any(each.isdigit() for each in found) else 0


@of_values("Str(number)")
def number_text(number: float | None) -> str:
    """A number as text; in front of one that is not negative is a blank."""
    text = as_text(number)
    return text if text.startswith("-") else " " + text


@of_values("CStr(value)")
def to_text(value: Any) -> str:
    """As text."""
    return as_text(value)


@of_values("CInt(value)")
def to_whole(value: Any) -> int:
    """As a whole number, rounded to even."""
    return round(as_number(value) or 0)


@of_values("CLng(value)")
def to_long(value: Any) -> int:
    """As a whole number, rounded to even."""
    return round(as_number(value) or 0)


@of_values("CDbl(value)")
def to_double(value: Any) -> float:
    """As a number."""
    return float(as_number(value) or 0)


@of_values("CBool(value)")
def to_truth(value: Any) -> bool:
    """As truth: a number that is not 0."""
    return bool(as_number(value))


@of_values("CByte(value)")
def to_byte(value: Any) -> int:
    """As a whole number from 0 to 255, rounded to even."""
    number = round(as_number(value) or 0)
    if not 0 <= number <= 255:
        raise ValueError(f"{number} is not between 0 and 255")
    return number


@of_values("CSng(value)")
def to_single(value: Any) -> float:
    """As a number."""
    return float(as_number(value) or 0)


@of_values("TypeName(value)")
def type_name(value: Any) -> str:
    """What kind of value it is."""
    names = {str: "String", bool: "Boolean", int: "Integer", float: "Double", type(None): "Null"}
    return names.get(type(value), "Date")


@of_values("IsNumeric(value)")
def is_numeric(value: Any) -> bool:
    """True for a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _or_nan(compute: Callable[..., Any], *numbers: float) -> Any:
    """A result; not-a-number where there is none, infinity where it is too large."""
    try:
        return compute(*numbers)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _logarithm(number: float) -> float:
    return -math.inf if number == 0 else math.log(number)


def _numeric(signature: str, meaning: str, compute: Callable[[float], Any]) -> None:
    def called(number: float | None) -> Any:
        return None if number is None else _or_nan(compute, number)

    called.__doc__ = meaning
    called.__name__ = signature.partition("(")[0].lower()
    of_values(signature)(called)


def _round_down(number: float) -> int:
    return math.floor(number)


_numeric("Int(number)", "The next lower whole number.", _round_down)
_numeric("Fix(number)", "The whole part of a number.", math.trunc)
_numeric("Abs(number)", "Without its sign.", abs)
_numeric("Sgn(number)", "-1, 0 or 1.", lambda number: (number > 0) - (number < 0))
_numeric("Sqr(number)", "The square root.", math.sqrt)
_numeric("Exp(number)", "e to the power of a number.", math.exp)
_numeric("Log(number)", "The natural logarithm.", _logarithm)
_numeric("Sin(number)", "The sine.", math.sin)
_numeric("Cos(number)", "The cosine.", math.cos)
_numeric("Tan(number)", "The tangent.", math.tan)
_numeric("Atn(number)", "The arc tangent.", math.atan)
_numeric("Asin(number)", "The arc sine.", math.asin)
_numeric("Acos(number)", "The arc cosine.", math.acos)
_numeric("Log10(number)", "The logarithm with the base 10.", math.log10)
_numeric("Sinh(number)", "The hyperbolic sine.", math.sinh)
_numeric("Cosh(number)", "The hyperbolic cosine.", math.cosh)
_numeric("Tanh(number)", "The hyperbolic tangent.", math.tanh)
_numeric("Asinh(number)", "The inverse of the hyperbolic sine.", math.asinh)
_numeric("Acosh(number)", "The inverse of the hyperbolic cosine.", math.acosh)
_numeric("Atanh(number)", "The inverse of the hyperbolic tangent.", math.atanh)
_numeric("SqrtPi(number)", "The square root of pi times a number.", lambda number: math.sqrt(number * math.pi))
_numeric("Degrees(number)", "Radians as degrees.", math.degrees)
_numeric("Radians(number)", "Degrees as radians.", math.radians)


@of_values("Round(number, number?)")
def rounded(number: float | None, places: float | None = 0) -> Any:
    """Rounded to so many places, halves to even."""
    return None if number is None else round(float(number), max(-300, min(300, whole(places))))


@of_values("Power(number, number)")
def power(number: float | None, exponent: float | None) -> float | None:
    """A number to the power of another."""
    return None if number is None or exponent is None else _or_nan(math.pow, number, exponent)


@of_values("Atan2(number, number)")
def angle(x: float | None, y: float | None) -> float:
    """The angle of a point in the plane."""
    return math.atan2(y or 0, x or 0)


@of_values("InverseNormal(number)")
def inverse_normal(part: float | None) -> float | None:
    """Below which value a part of a normal distribution is: the mean is 0, the deviation 1."""
    if part is None:
        return None
    return NormalDist().inv_cdf(part) if 0 < part < 1 else math.nan


@of_values("Format(value, text)")
def formatted(value: Any, pattern: str | None) -> str:
    """A value as text by a format."""
    return format_value(value, pattern or "")


@of_values("Hex(number)")
def hexadecimal(number: float | None) -> str:
    """A whole number with the base 16."""
    return f"{whole(number):X}"


@of_values("Oct(number)")
def octal(number: float | None) -> str:
    """A whole number with the base 8."""
    return f"{whole(number):o}"


@of_values("FormatNumber(number, number?)")
def number_with_commas(number: float | None, places: float | None = 2) -> str:
    """A number with commas and so many places."""
    digits = max(0, min(100, whole(2 if places is None else places)))
    return format_value(number, "#,##0" + ("." + "0" * digits if digits else ""))


@of_values("FormatPercent(number, number?)")
def number_as_percent(number: float | None, places: float | None = 2) -> str:
    """A number as a percentage with so many places."""
    digits = max(0, min(100, whole(2 if places is None else places)))
    return format_value(number, "#,##0" + ("." + "0" * digits if digits else "") + "%")


@of_values("FormatCurrency(number, number?)")
def number_as_money(number: float | None, places: float | None = 2) -> str:
    """A number as an amount of money with so many places."""
    digits = max(0, min(100, whole(2 if places is None else places)))
    plain = "$#,##0" + ("." + "0" * digits if digits else "")
    return format_value(number, f"{plain};({plain})")


@of_values("Mod(number, number)")
def remainder(one: float | None, two: float | None) -> float | None:
    """What is left of a division; it has the sign of the divisor."""
    return None if one is None else one % (two or 0)


@of_values("Pi()")
def pi() -> float:
    """The ratio of a circle's circumference to its diameter."""
    return math.pi


@mdx_function("MemberToStr(member)")
def member_to_text(evaluation: Evaluation, context: Context, member: Any) -> str:
    """The whole name of a member."""
    return str(member.unique_name)


@mdx_function("TupleToStr(tuple)")
def tuple_to_text(evaluation: Evaluation, context: Context, members: Any) -> str:
    """The whole names of a tuple's members, in parentheses."""
    names = [member.unique_name for member in members]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


@mdx_function("SetToStr(set)")
def set_to_text(evaluation: Evaluation, context: Context, tuples: list[Any]) -> str:
    """A set as text, in braces."""
    return "{" + ", ".join(tuple_to_text(evaluation, context, each) for each in tuples) + "}"
