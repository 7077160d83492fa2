"""Checks of what a schema document says to people who look at numbers: which entity is a part of which, and codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsheet.model.schema import did_you_mean
from callsheet.server.schemas.outline import Outline

__all__ = ["analysis_problems"]


def analysis_problems(outline: Outline, document: dict[str, Any]) -> Iterator[str]:
    """Problems of ``master``, ``belongs_to`` and ``codes``.

    >>> list(analysis_problems(Outline({"types": {"Dot": {"belongs_to": "line"}}}), {}))
    ['Dot: `belongs_to` names `line`, which is not an attribute']
    """
    master = document.get("master")
    if isinstance(master, str) and master not in outline.types:
        yield f"the document: `master` names `{master}`, which is not a type{did_you_mean(master, outline.types)}"
    for name, definition in outline.types.items():
        yield from _belonging(outline, name, definition.get("belongs_to"))
        codes = definition.get("codes")
        for attribute, texts in codes.items() if isinstance(codes, dict) else ():
            yield from _codes(outline, name, attribute, texts)


def _belonging(outline: Outline, name: str, reference: Any) -> Iterator[str]:
    if not isinstance(reference, str):
        return
    found = outline.attributes(name).get(reference)
    if found is None:
        near = did_you_mean(reference, outline.attributes(name))
        yield f"{name}: `belongs_to` names `{reference}`, which is not an attribute{near}"
    elif found.definition.get("type") != "reference":
        yield f"{name}: `belongs_to` names `{reference}`, which is no reference"


def _codes(outline: Outline, name: str, attribute: str, texts: Any) -> Iterator[str]:
    found = outline.attributes(name).get(attribute)
    if found is None:
        near = did_you_mean(attribute, outline.attributes(name))
        yield f"{name}: `codes` names `{attribute}`, which is not an attribute{near}"
        return
    choices = found.definition.get("choices")
    if found.definition.get("type") != "enum" or not isinstance(choices, list):
        yield f"{name}: `codes` names `{attribute}`; only the choices of an enum have codes"
    elif not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        yield f"{name}: `codes.{attribute}` takes a table of texts, one for each choice, not {texts!r:.60}"
    else:
        for code in texts:
            if code not in choices:
                yield f"{name}: `codes.{attribute}` names `{code}`, which is no choice{did_you_mean(code, choices)}"
