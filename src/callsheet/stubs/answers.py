"""What methods of entities give, as text: results that are there in a session that blocks, and awaited in another.

Theory. The entities of both kinds of session are of one class, so a method has one result for both. It is of a class
that is the result itself, and can be awaited for it: right scripts of both kinds pass, and editors know the rest. Where
no class can be both (None, an entity or None), the result is `Any`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from callsheet.core.verb import Gives

__all__ = ["answer_class", "given", "given_text", "given_type"]

_ANSWERS = {
    "list": "_declared.ListAnswer",
    "dict": "_declared.DictAnswer",
    "str": "_declared.TextAnswer",
    "int": "_declared.NumberAnswer",
}


def given(function: Any) -> Gives | None:
    """What a method gives, by the mark in its annotation; None if it has none."""
    found = getattr(function, "__annotations__", {}).get("return")
    if isinstance(found, str):
        if not found.startswith("Annotated["):
            return None
        module = sys.modules.get(function.__module__)
        try:
            found = eval(found, {**vars(module)} if module is not None else {})
        except Exception:
            # Its names are imported for type checkers only.
            return None
    if get_origin(found) is not Annotated:
        return None
    return next((each for each in get_args(found)[1:] if isinstance(each, Gives)), None)


def given_type(gives: Gives) -> str:
    """The entity type whose entity is given, and awaited; empty if it is something else."""
    return "" if gives.at_once or not gives.text.isidentifier() or gives.text in _ANSWERS else gives.text


def given_text(gives: Gives, entities: Mapping[str, str]) -> str:
    """The result as a stub writes it; a type that the schema has not is any entity.

    >>> given_text(Gives("list[Item | None]"), {"Item": "Item"})
    '_declared.ListAnswer[Item | None]'
    >>> given_text(Gives("Item"), {"Item": "Item"}), given_text(Gives("Item"), {})
    ('_ItemAnswer', '_declared.EntityAnswer')
    >>> given_text(Gives("Item", at_once=True), {"Item": "Item"})
    'Item'
    """
    tree = ast.parse(gives.text, mode="eval").body
    if gives.at_once:
        return _text(tree, entities)
    if isinstance(tree, ast.Name):
        return _ANSWERS.get(tree.id) or _answer(tree.id, entities)
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name) and tree.value.id in ("list", "dict"):
        return f"{_ANSWERS[tree.value.id]}[{_text(tree.slice, entities)}]"
    return "_typing.Any"


def answer_class(name: str) -> Iterator[str]:
    """The class of an entity that is there, or awaited; ``name`` is the class of the entity."""
    yield f"class {_named(name)}({name}):"
    yield f"    def __await__(self) -> _abc.Generator[_typing.Any, _typing.Any, {name}]: ..."


def _answer(name: str, entities: Mapping[str, str]) -> str:
    return _named(entities[name]) if name in entities else "_declared.EntityAnswer"


def _named(name: str) -> str:
    return f"_{name.strip('_')}Answer"


def _text(tree: ast.expr, entities: Mapping[str, str]) -> str:
    if isinstance(tree, ast.Name):
        if tree.id == "Any":
            return "_typing.Any"
        if tree.id in ("list", "dict", "str", "int", "float"):
            return f"_builtins.{tree.id}"
        return entities.get(tree.id, "_callsheet.Entity")
    if isinstance(tree, ast.Subscript):
        return f"{_text(tree.value, entities)}[{_text(tree.slice, entities)}]"
    if isinstance(tree, ast.Tuple):
        return ", ".join(_text(each, entities) for each in tree.elts)
    if isinstance(tree, ast.BinOp):
        return f"{_text(tree.left, entities)} | {_text(tree.right, entities)}"
    return "None"
