"""Arguments become what functions need: sets, tuples, members, levels, hierarchies, scalars."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, get_args

from attrs import frozen

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.limits import QueryClock
from callsheet.analytics.mdx.members import Context, CubeSpace, MdxDimension, MdxHierarchy, MdxLevel, MdxMember
from callsheet.analytics.mdx.scope import NamedSet
from callsheet.analytics.mdx.syntax import Expression, NameExpression, OmittedArgument, StringLiteral
from callsheet.analytics.mdx.values import as_number, as_text, as_truth

__all__ = ["Conversion", "MemberLiteral", "SetLiteral", "kind_of"]

_KINDS = {
    MdxMember: "a member", MdxLevel: "a level", MdxHierarchy: "a hierarchy", MdxDimension: "a dimension",
    NamedSet: "a set", list: "a set", tuple: "a tuple", str: "a text", int: "a number", float: "a number",
    bool: "true or false", type(None): "nothing",
}  # fmt: skip


def kind_of(found: Any) -> str:
    """What something is, for messages."""
    return _KINDS.get(type(found), type(found).__name__)


@frozen(eq=False)
class SetLiteral:
    """A set that stands in an expression: a part of it that is computed already."""

    tuples: list[Any]
    position: int = -1


@frozen
class MemberLiteral:
    """A member that stands in an expression: one that no text names."""

    member: MdxMember
    position: int = -1


class Conversion:
    """The part of an evaluation that converts; what it needs of the rest is declared here.

    ``start`` is the context of the slicer.
    """

    space: CubeSpace
    start: Context
    clock: QueryClock

    def looked_up(self, node: NameExpression) -> tuple[Any, list[str]]:
        """What a name means, and the properties that are read of it."""
        raise NotImplementedError

    def evaluate(self, node: Any, context: Context) -> Any:
        """What an expression is."""
        raise NotImplementedError

    def value(self, context: Context) -> Any:
        """The value of a context."""
        raise NotImplementedError

    def tuples_of(self, named: NamedSet) -> list[Any]:
        """The tuples of a named set."""
        raise NotImplementedError

    def argument(self, kind: str, node: Any, context: Context) -> Any:
        """An argument of a function, as the kind that its signature names. Of a property it is evaluated already."""
        if kind == "node":
            return node
        if kind == "word":
            return self.word(node)
        if isinstance(node, OmittedArgument):
            return None
        if not isinstance(node, _EXPRESSIONS):
            return self.converted(kind, node, context)
        if kind == "set":
            return self.set(node, context)
        return self.converted(kind, self.evaluate(node, context), context)

    def converted(self, kind: str, found: Any, context: Context) -> Any:
        """Something evaluated, as a kind."""
        match kind:
            case "set":
                return self.as_set(found, context)
            case "member":
                return self.as_member(found, context)
            case "tuple":
                return self.as_tuple(found, context)
            case "level":
                return self.as_level(found)
            case "hierarchy":
                return self.as_hierarchy(found)
            case "number":
                return as_number(self.as_scalar(found, context))
            case "text":
                scalar = self.as_scalar(found, context)
                return None if scalar is None else as_text(scalar)
            case "truth":
                return as_truth(self.as_scalar(found, context))
            case "value":
                return self.as_scalar(found, context)
        return found

    @staticmethod
    def word(node: Any) -> str | None:
        """A word of the language, in capitals."""
        if node is None or isinstance(node, OmittedArgument):
            return None
        if isinstance(node, NameExpression) and len(node.segments) == 1:
            return node.segments[0].name.upper()
        if isinstance(node, StringLiteral):
            return node.value.upper()
        raise MdxError("a word is expected here", getattr(node, "position", -1))

    def set(self, node: Any, context: Context) -> list[Any]:
        """An expression as a set."""
        return self.as_set(self.evaluate(node, context), context)

    def scalar(self, node: Any, context: Context) -> Any:
        """An expression as a scalar."""
        return self.as_scalar(self.evaluate(node, context), context)

    def as_set(self, found: Any, context: Context) -> list[Any]:
        """A set; a member or a tuple is a set of one, and without a member of none."""
        if isinstance(found, list):
            return found
        if isinstance(found, NamedSet):
            return self.tuples_of(found)
        if isinstance(found, MdxMember):
            return [] if found.null else [(found,)]
        if isinstance(found, tuple):
            return [] if any(member.null for member in found) else [found]
        if isinstance(found, MdxHierarchy | MdxDimension):
            return self.as_set(self.as_member(found, context), context)
        if found is None:
            return []
        raise MdxError(f"a set is expected, not {kind_of(found)}", -1, self._set_hint(found))

    @staticmethod
    def _set_hint(found: Any) -> str:
        return f"write {found.unique_name}.Members" if isinstance(found, MdxLevel) else ""

    def as_member(self, found: Any, context: Context) -> MdxMember:
        """A member; of a hierarchy or dimension the one in the context."""
        if isinstance(found, MdxMember):
            return found
        if isinstance(found, MdxHierarchy):
            return context[found.index]
        if isinstance(found, MdxDimension):
            return context[found.hierarchies[0].index]
        if isinstance(found, tuple) and len(found) == 1:
            return self.as_member(found[0], context)
        if isinstance(found, list | NamedSet):
            tuples = self.as_set(found, context)
            if len(tuples) == 1 and len(tuples[0]) == 1:
                return self.as_member(tuples[0], context)
        if found is None:
            return self.space.measures.null_member
        raise MdxError(f"a member is expected, not {kind_of(found)}")

    def as_tuple(self, found: Any, context: Context) -> tuple[MdxMember, ...]:
        """A tuple of members."""
        if isinstance(found, tuple):
            return found
        return (self.as_member(found, context),)

    @staticmethod
    def as_level(found: Any) -> MdxLevel:
        """A level; of a member its own."""
        if isinstance(found, MdxLevel):
            return found
        if isinstance(found, MdxMember):
            return found.level
        if isinstance(found, MdxDimension):
            found = found.hierarchies[0]
        if isinstance(found, MdxHierarchy) and len(found.levels) == 1:
            return found.levels[0]
        raise MdxError(f"a level is expected, not {kind_of(found)}")

    @staticmethod
    def as_hierarchy(found: Any) -> MdxHierarchy:
        """A hierarchy; of a dimension its first, of a member or a level their own."""
        if isinstance(found, MdxHierarchy):
            return found
        if isinstance(found, MdxDimension):
            return found.hierarchies[0]
        if isinstance(found, MdxLevel | MdxMember):
            return found.hierarchy
        raise MdxError(f"a hierarchy is expected, not {kind_of(found)}")

    def as_scalar(self, found: Any, context: Context) -> Any:
        """A scalar: of a member or a tuple the value where they are."""
        if isinstance(found, MdxMember):
            return self._value_at((found,), context)
        if isinstance(found, tuple):
            return self._value_at(found, context)
        if isinstance(found, MdxHierarchy | MdxDimension):
            return self.value(context)
        if isinstance(found, list | NamedSet | MdxLevel):
            raise MdxError(f"a value is expected, not {kind_of(found)}")
        if found is not None and not isinstance(found, _SCALARS):
            raise MdxError(f"a value is expected, not {kind_of(found)}")
        return found

    def _value_at(self, members: tuple[MdxMember, ...], context: Context) -> Any:
        changed = list(context)
        for member in members:
            if member.null:
                return None
            changed[member.level.hierarchy.index] = member
        return self.value(tuple(changed))


_SCALARS = (str, int, float, Decimal, dt.date)
_EXPRESSIONS: tuple[type, ...] = (*get_args(Expression), MemberLiteral, SetLiteral)
