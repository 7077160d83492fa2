"""Which attributes of which related entities are meant: names, dotted paths, lists of them, or nested mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from callsheet.errors import UsageError
from callsheet.model.scalar import shown
from callsheet.model.schema import EntityType, Schema, did_you_mean

__all__ = ["Tree", "tree_of", "wrong_names"]

#: Names, each with what is meant below it.
Tree: TypeAlias = dict[str, "Tree"]
DEPTH = 32


def tree_of(given: Any, depth: int = DEPTH) -> Tree:
    """The tree of names, dotted paths, lists, or mappings of names to what is meant below them.

    >>> tree_of(["name", "items.location", {"parents": "items"}])
    {'name': {}, 'items': {'location': {}}, 'parents': {'items': {}}}
    """
    if depth == 0:
        raise UsageError(f"relations are named at most {DEPTH} deep")
    tree: Tree = {}
    if given is None:
        return tree
    if isinstance(given, str):
        here = tree
        for name in given.split("."):
            here = here.setdefault(name.strip(), {})
    elif isinstance(given, Mapping):
        for name, inside in given.items():
            for key, below in tree_of(name, depth).items():
                end = _grown(tree, {key: below})
                _grown(end, tree_of(inside, depth - 1))
    elif isinstance(given, Iterable):
        for each in given:
            _grown(tree, tree_of(each, depth - 1))
    else:
        raise UsageError(f'attributes are named by texts, like "name" or "items.location", not by {shown(given)}')
    return tree


def _grown(tree: Tree, other: Tree) -> Tree:
    """Put a tree into another; gives the last place that was reached."""
    here = tree
    for name, below in other.items():
        here = tree.setdefault(name, {})
        here = _grown(here, below) if below else here
    return here


def wrong_names(tree: Tree, owner: EntityType, schema: Schema, word: str, relations: bool = False) -> list[str]:
    """What is wrong with the names of a tree, each with what was meant; a type's subtypes may have them, too."""
    found = []
    kinds = [owner, *(each for each in schema.types.values() if owner.name in each.ancestors)]
    for name, below in tree.items():
        attribute = next((kind.attributes[name] for kind in kinds if name in kind.attributes), None)
        if attribute is None:
            near = did_you_mean(name, [each for kind in kinds for each in kind.attributes])
            found.append(f"{word}: {owner.name} has no attribute `{name}`{near}")
        elif attribute.target is None and (relations or below):
            found.append(f"{word}: {owner.name}.{name} is no relation")
        elif attribute.target is not None:
            found += wrong_names(below, schema.types[attribute.target], schema, word, relations)
    return found
