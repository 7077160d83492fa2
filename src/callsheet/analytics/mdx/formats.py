"""Values as text, by format strings in the manner of Visual Basic.

A format has up to four sections, divided by semicolons: for positive numbers, negative ones, zero, and empty values.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from attrs import frozen

from callsheet.analytics.mdx.date_formats import format_date, is_date_format
from callsheet.analytics.mdx.values import as_text

__all__ = ["format_value"]

_NAMED = {
    "standard": "#,##0", "currency": "$#,##0.00;($#,##0.00)", "fixed": "0.00", "percent": "0.00%",
    "scientific": "0.00e+00", "yes/no": r"\Y\e\s;\Y\e\s;\N\o;\N\o", "on/off": r"\O\n;\O\n;\O\f\f;\O\f\f",
    "true/false": r"\T\r\u\e;\T\r\u\e;\F\a\l\s\e;\F\a\l\s\e",
}  # fmt: skip
_EXACT = Context(prec=1000)
MOST_PLACES = 300
_GENERAL = ("general number", "general", "")


@frozen
class _Section:
    """A section: its parts before the number, the pattern's digits, and the parts after."""

    tokens: tuple[tuple[str, str], ...]
    whole: str = ""
    decimals: str = ""
    point: bool = False
    grouped: bool = False
    scale: int = 0
    exponent: str = ""

    @property
    def numeric(self) -> bool:
        """True if digits are in it."""
        return bool(self.whole or self.decimals)


def format_value(value: Any, pattern: str) -> str:
    """A value as text.

    >>> format_value(1234.5, "#,##0.00"), format_value(-3, "0;(0)"), format_value(None, "0;0;0;none")
    ('1,234.50', '(3)', 'none')
    """
    style = ""
    if pattern.startswith("|"):
        parts = pattern[1:].split("|")
        pattern, style = parts[0], "|".join(parts[1:])
    text = _plain_text(value, pattern)
    return f"|{text}|{style}" if style else text


_WHOLE = ("Standard", "#,##0", "#,###")


def _plain_text(value: Any, pattern: str) -> str:
    if type(value) is int and value > 0 and pattern in _WHOLE:
        return f"{value:,}"
    name = pattern.strip().lower()
    if isinstance(value, bool):
        return as_text(value)
    if isinstance(value, str):
        return _text(value, pattern)
    if isinstance(value, dt.date | dt.datetime):
        return format_date(value, pattern)
    if value is None:
        sections = _sections(_NAMED.get(name, pattern))
        return _number(0, sections[3]) if len(sections) > 3 else ""
    if name in _GENERAL:
        return _general(value)
    if name not in _NAMED and is_date_format(pattern):
        return format_date(value, pattern)
    return _formatted(value, _sections(_NAMED.get(name, pattern)))


def _text(value: str, pattern: str) -> str:
    for sign, change in ((">", str.upper), ("<", str.lower)):
        if pattern.startswith(sign):
            return change(value)
    return value


def _general(value: Any) -> str:
    number = float(value)
    if math.isfinite(number) and number == int(number):
        return str(int(number))
    return as_text(number)


def _formatted(value: Any, sections: tuple[_Section, ...]) -> str:
    number = float(value) if not isinstance(value, int | Decimal) else value
    if isinstance(number, float) and not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if exact == 0 and len(sections) > 2 and sections[2].tokens:
        return _number(exact, sections[2])
    if exact < 0:
        if len(sections) > 1 and sections[1].tokens:
            return _number(-exact, sections[1])
        text, zero = _number(-exact, sections[0]), _number(Decimal(0), sections[0])
        if text == zero and len(sections) > 2 and sections[2].tokens:
            return _number(Decimal(0), sections[2])
        return text if text == zero else "-" + text
    return _number(exact, sections[0])


def _number(number: Decimal | int, section: _Section) -> str:
    """A number that is not negative, in a section."""
    if not section.numeric:
        return "".join(text for _, text in section.tokens)
    digits, fraction, exponent = _digits(Decimal(number), section)
    shown = digits + (("." + fraction) if section.point and (fraction or section.decimals or section.point) else "")
    if section.point and not fraction and not section.decimals:
        shown = digits + "."
    shown += exponent
    return "".join(shown if kind == "number" else text for kind, text in section.tokens)


def _digits(number: Decimal, section: _Section) -> tuple[str, str, str]:
    """The digits before and after the point, and the exponent, of a number in a section."""
    number = number.scaleb(section.scale)
    exponent = ""
    if section.exponent:
        power = number.adjusted() - max(0, len(section.whole) - 1) if number else 0
        number = _rounded(number.scaleb(-power), len(section.decimals))
        exponent = _exponent(power, section.exponent)
    rounded = _rounded(number, len(section.decimals))
    text = f"{rounded:f}"
    whole, _, fraction = text.partition(".")
    whole = whole.lstrip("0")
    fixed = sum(sign == "0" for sign in section.whole)
    if "0" in section.whole:
        fixed = len(section.whole) - section.whole.index("0")
    whole = whole.rjust(fixed, "0") if len(whole) < fixed else whole
    least = section.decimals.rfind("0") + 1
    while len(fraction) > least and fraction.endswith("0"):
        fraction = fraction[:-1]
    if section.grouped and whole:
        whole = _grouped(whole)
    return whole, fraction, exponent


def _grouped(digits: str) -> str:
    first = len(digits) % 3 or 3
    return ",".join([digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))])


def _rounded(number: Decimal, places: int) -> Decimal:
    if number.adjusted() > 25:
        number = Decimal(int(number))
        return number
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)


def _exponent(power: int, pattern: str) -> str:
    sign = "-" if power < 0 else ("+" if "+" in pattern else "")
    return f"{pattern[0]}{sign}{str(abs(power)).rjust(pattern.count('0'), '0')}"


@lru_cache(maxsize=512)
def _sections(pattern: str) -> tuple[_Section, ...]:
    return tuple(_section(part) for part in _divided(pattern))


def _divided(pattern: str) -> list[str]:
    """The sections of a pattern; semicolons in quotes and after a backslash divide nothing."""
    parts, at, quoted = [""], 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and not quoted and at + 1 < len(pattern):
            parts[-1] += pattern[at : at + 2]
            at += 2
            continue
        quoted ^= character == '"'
        if character == ";" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
        at += 1
    return parts


_TOKEN = re.compile(
    r'\\(?P<escaped>.)|"(?P<quoted>[^"]*)"|(?P<exponent>[eE][+-]0+)|(?P<digit>[0#.,])|(?P<other>.)', re.S
)


def _section(pattern: str) -> _Section:
    tokens: list[tuple[str, str]] = []
    whole, decimals, exponent = "", "", ""
    point = grouped = False
    scale = commas = 0
    for match in _TOKEN.finditer(pattern):
        kind, text = match.lastgroup, match.group(match.lastgroup or 0)
        if kind == "exponent" and (whole or decimals):
            exponent = text
            continue
        if kind != "digit":
            scale += 2 * (kind == "other" and text == "%")
            tokens.append(("text", text))
            continue
        if ("number", "") not in tokens:
            tokens.append(("number", ""))
        if text == ".":
            point = True
        elif text == ",":
            commas += 1
            continue
        elif point:
            decimals += text if len(decimals) < MOST_PLACES else ""
        else:
            grouped |= bool(commas and whole)
            whole += text
        if text == "." and commas and not grouped:
            scale -= 3 * commas
        commas = 0 if text != "," else commas
    if commas and whole:
        scale -= 3 * commas
    if not (whole or decimals):
        tokens = [(kind, text or ".") if kind == "number" else (kind, text) for kind, text in tokens]
    return _Section(tuple(tokens), whole, decimals, point, grouped, scale, exponent)
