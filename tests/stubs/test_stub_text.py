"""Stubs of any schema: always Python, the same for the same schema, and complete."""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping
from typing import Annotated, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.core.verb import Gives
from callsheet.entity.types import Types
from callsheet.model.schema import Schema
from callsheet.stubs.annotations import signature
from callsheet.stubs.names import class_names, is_plain
from callsheet.stubs.package import package_files
from callsheet.stubs.writing import public_names, stub_of
from strategies import EXAMPLES
from stubs.studio_schema import studio_types, types_of

ODD = [
    "class",
    "Session",
    "Types",
    "str",
    "_x",
    "__init__",
    "from",
    "3D",
    "a b",
    "a_b",
    "ﬁ",
    "fi",
    "é",
    "²",
    "'\"\\\n",
    "",
]
NAMES = st.sampled_from([*ODD, "Task", "TaskData", "name", "key", "keys", "state", "like", "Any"]) | st.text(max_size=8)
NAMES = NAMES.filter(lambda name: "\0" not in name)
PLAIN = NAMES.filter(lambda name: not name.startswith("_"))
SCALARS = st.sampled_from(["string", "integer", "number", "boolean", "date", "datetime", "json"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of schemas with odd names, texts, relations and custom attributes."""
    names = draw(st.lists(NAMES.filter(bool), min_size=1, max_size=5, unique=True))
    texts = st.text(max_size=12)
    scalar = st.fixed_dictionaries({"type": SCALARS}, optional={"description": texts, "required": st.booleans()})
    enum = st.fixed_dictionaries({"type": st.just("enum"), "choices": st.lists(texts, max_size=3, unique=True)})
    relation = st.fixed_dictionaries(
        {"type": st.sampled_from(["reference", "collection"]), "target": st.sampled_from(names)}
    )
    mapping = st.fixed_dictionaries({"type": st.just("mapping"), "items": st.just("string")})
    types: dict[str, Any] = {}
    for number, name in enumerate(names):
        described: dict[str, Any] = {
            "description": draw(texts),
            "attributes": draw(st.dictionaries(PLAIN, scalar | enum | relation | mapping, max_size=5)),
            "custom": draw(st.dictionaries(NAMES, scalar | enum, max_size=3)),
        }
        if number and draw(st.booleans()):
            described["extends"] = draw(st.sampled_from(names[:number]))
        types[name] = described
    return {"name": draw(texts), "types": types}


def shuffled(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema, with all its names in another order."""
    mix = random.Random(7)

    def mixed(names: Mapping[str, Any]) -> dict[str, Any]:
        order = list(names)
        mix.shuffle(order)
        return {name: names[name] for name in order}

    types = {
        name: {key: mixed(part) if isinstance(part, dict) else part for key, part in described.items()}
        for name, described in document["types"].items()
    }
    return {**document, "types": mixed(types)}


@settings(max_examples=12 * EXAMPLES)
@given(documents())
def test_a_stub_is_python_with_a_class_for_each_type(document: dict[str, Any]) -> None:
    """Whatever the names and texts of a schema are, its stub is Python; no two types share a name."""
    types = Types(Schema(document))
    module = ast.parse(stub_of(types))
    defined = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
    classes, data = public_names(types.schema)
    assert {*classes.values(), "Session", "AsyncSession", "Types"} <= set(defined)
    assert len(defined) == len(set(defined))
    assert len({*classes.values(), *data.values()}) == 2 * len(types)
    overloads = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
    for entity_type in types.schema.types.values():
        assert {entity_type.name, *entity_type.names, *entity_type.custom} <= overloads


@settings(max_examples=8 * EXAMPLES)
@given(documents())
def test_a_stub_does_not_depend_on_the_order_of_the_schema(document: dict[str, Any]) -> None:
    """The same schema in another order gives the same text, byte for byte."""
    assert stub_of(Types(Schema(document))) == stub_of(Types(Schema(shuffled(document))))


@settings(max_examples=8 * EXAMPLES)
@given(documents())
def test_the_module_of_a_package_has_what_its_stub_has(document: dict[str, Any]) -> None:
    """Each public name of the stub can be imported from the package at run time, and stands for its type."""
    types = Types(Schema(document))
    files = package_files(types, "a_studio")
    module: dict[str, Any] = {}
    exec(files["__init__.py"], module)
    classes, data = public_names(types.schema)
    for name, after in classes.items():
        assert module["__getattr__"](after).__name__ == name
    assert all(module["__getattr__"](after) is dict for after in data.values())
    assert {"Session", "AsyncSession", "Types"} <= set(module)


@given(st.lists(NAMES, unique=True))
def test_names_are_different_and_plain(names: list[str]) -> None:
    """Each name gets one of its own that Python takes; a plain name stays as it is."""
    found = class_names(names, {"Session"})
    assert len(set(found.values())) == len(names)
    assert all(is_plain(each) and each != "Session" for each in found.values())
    assert all(found[name] == name for name in names if is_plain(name) and name != "Session")


def test_methods_of_behaviours_have_their_signatures() -> None:
    """What Callsheet adds to entities is in the stub, with parameters, defaults and the first line of its docstring."""
    text = stub_of(studio_types())
    context = text.partition("class Context(_declared.TypedEntity):")[2].partition("\nclass ")[0]
    assert (
        "    def create_note(self, content: _builtins.str, author: _typing.Any = ..., "
        "recipients: _abc.Iterable[_typing.Any] = ..., category: _typing.Any = ..., "
        "labels: _abc.Iterable[_typing.Any] = ..., **values: _typing.Any) -> _NoteAnswer:\n"
        "        'A new note on this entity, pending until the next commit.'\n"
    ) in context


def test_methods_of_plugins_are_in_the_stub() -> None:
    """A class that a plugin extends a type with is written like those that come with Callsheet."""

    class Greeting:
        """Greets."""

        def greet(self, name: str, *, times: int | None = None) -> list[str]:
            """Say hello."""
            return [name] * (times or 1)

        @property
        def loud(self) -> bool:
            return True

    types = types_of({"types": {"Dot": {"attributes": {"name": {"type": "string"}}}}})
    types.extend("Dot", Greeting)
    text = stub_of(types)
    assert (
        "    def greet(self, name: _builtins.str, *, times: _builtins.int | None = ...) "
        "-> _builtins.list[_builtins.str]:\n        'Say hello.'\n"
        "    @_builtins.property\n    def loud(self) -> _builtins.bool:\n        ...\n"
    ) in text


def test_what_a_stub_cannot_name_is_any() -> None:
    """Annotations of other modules' classes, and those that cannot be evaluated, are written as Any."""

    def odd(a: ast.AST, b: nowhere, c: dict, /, d: tuple[int, ...] = (), *rest: str) -> ast.AST | None:  # type: ignore  # noqa: F821
        raise NotImplementedError

    assert signature(odd) == (
        "(a: _typing.Any, b: _typing.Any, c: _builtins.dict[_typing.Any, _typing.Any], /, "
        "d: _builtins.tuple[_builtins.int, ...] = ..., *rest: _builtins.str) -> _typing.Any"
    )


def test_custom_attributes_have_their_types() -> None:
    """One with a default is never None; subtypes without any of their own share the class of the type above."""
    text = stub_of(studio_types())
    items = text.partition("class _ShotItems(_declared.TypedItems):")[2].partition("\nclass ")[0]
    assert "name: _typing.Literal['takes']) -> _builtins.int: ..." in items
    assert "name: _typing.Literal['weather']) -> _typing.Literal['clear', 'rain'] | None: ..." in items


def test_what_methods_give_is_there_and_awaited() -> None:
    """Entities of the schema, lists, numbers and texts have a type that is both; a type that is not there is any."""
    text = stub_of(studio_types())
    assert "def get_members(self) -> _declared.ListAnswer[User]:" in text
    assert (
        "class _NoteAnswer(Note):\n    def __await__(self) -> _abc.Generator[_typing.Any, _typing.Any, Note]: ...\n"
    ) in text
    with Session("memory:", schema="lab") as session:
        lab = stub_of(session.types)
    assert "def matrix(self) -> _declared.ListAnswer[_builtins.list[Item | None]]:" in lab
    assert "def add_operation(self, operation_type: _typing.Any, **values: _typing.Any) -> Operation:" in lab
    assert "_NoteAnswer" not in lab


def test_a_method_of_a_plugin_is_typed_by_its_annotation() -> None:
    """Also by a mark, and whatever its type is called in a schema."""

    class Counting:
        """Counts."""

        def tally(self) -> Annotated[Any, Gives("dict[str, Person]")]:
            """All of them."""

        def plain(self) -> list[str]:
            """Texts."""
            return []

    def attach(types: Types) -> str:
        types.extend("Dot", Counting)
        return stub_of(types)

    dot = attach(Types(Schema({"types": {"Dot": {}, "Person": {}}})))
    assert "def tally(self) -> _declared.DictAnswer[_builtins.str, Person]:" in dot
    assert "def plain(self) -> _builtins.list[_builtins.str]:" in dot
    assert "_declared.DictAnswer[_builtins.str, _callsheet.Entity]" in attach(Types(Schema({"types": {"Dot": {}}})))
