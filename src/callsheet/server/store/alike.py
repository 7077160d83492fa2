"""Texts that look alike: they differ only by case, or by the Unicode form of the same characters."""

from __future__ import annotations

from unicodedata import normalize

from callsheet.model.schema import EntityType

__all__ = ["alike_columns", "alike_form"]


def alike_form(text: str) -> str:
    """The normal form of a text (NFKC, case folded): texts that look alike have the same one.

    >>> alike_form("SH0010") == alike_form("sh0010"), alike_form("Straße") == alike_form("STRASSE")
    (True, True)
    """
    if text.isascii():
        return text.lower()
    # Case folding can undo NFKC, and NFKC the folding; after the second pass both hold.
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
