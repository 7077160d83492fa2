"""Texts that people take for one another: by case, or because Unicode writes them in several ways."""

from __future__ import annotations

from unicodedata import normalize

from callsheet.model.schema import EntityType

__all__ = ["alike_columns", "alike_form"]


def alike_form(text: str) -> str:
    """What texts have in common that differ by case or by Unicode's form only (NFKC, case folded).

    >>> alike_form("SH0010") == alike_form("sh0010"), alike_form("Straße") == alike_form("STRASSE")
    (True, True)
    """
    if text.isascii():
        return text.lower()
    # Folding can undo the form, and the form the folding; the second time both hold.
    for _ in range(2):
        text = normalize("NFKC", normalize("NFKC", text).casefold())
    return text


def alike_columns(entity_type: EntityType) -> dict[str, str]:
    """The texts that must not look alike, each with the column that holds its `alike_form`."""
    names = dict.fromkeys(name for combination in entity_type.distinct for name in combination)
    attributes = entity_type.attributes
    return {
        name: f"{name}__alike"
        for name in names
        if name in attributes and attributes[name].kind == "scalar" and attributes[name].data_type == "string"
    }
