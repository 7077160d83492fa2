"""Conditions in the text of ftrack's query language; `QueryError` for what it cannot express.

Conditions here have two values and compare None like anything else; a server that compares in SQL has a third
value and leaves rows with None out of ``is_not``, ``not_like`` and ``not_in``. So negations are carried down
to the comparisons, and a comparison that holds for None is written so (``(name is_not "x" or name is None)``), which
both kinds of server read alike. A path through a collection becomes ``any (…)``; an item of a mapping
is a row of key and value: ``metadata any (key is "colour" and value is "red")``.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from callsheet.dialects.ftrack.client.paths import PathWriter
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import listed, literal_out, quoted
from callsheet.errors import QueryError
from callsheet.model.language.resolution import ResolvedPath
from callsheet.model.language.text import path_text
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Select, Step
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType

__all__ = ["condition_text"]

NEGATED = {
    "=": "!=",
    "!=": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "like": "not_like",
    "not_like": "like",
    "in": "not_in",
    "not_in": "in",
}
WORDS = {"=": "is", "!=": "is_not"}


def condition_text(condition: Condition, entity_type: EntityType, vocabulary: Vocabulary) -> str:
    """A condition in the vendor's words."""
    return _ConditionWriter(PathWriter(vocabulary)).condition(condition, entity_type)


@frozen
class _ConditionWriter:
    """Writes conditions on the paths of a schema."""

    paths: PathWriter

    @property
    def vocabulary(self) -> Vocabulary:
        return self.paths.vocabulary

    def condition(self, condition: Condition, owner: EntityType, negated: bool = False) -> str:
        """The condition, or its complement."""
        if isinstance(condition, Not):
            return self.condition(condition.condition, owner, not negated)
        if isinstance(condition, And | Or):
            word = " and " if isinstance(condition, And) != negated else " or "
            return f"({word.join(self.condition(part, owner, negated) for part in condition.conditions)})"
        if isinstance(condition, Any_):
            return self._member(condition, owner, negated)
        return self._comparison(condition, owner, negated)

    def _member(self, condition: Any_, owner: EntityType, negated: bool) -> str:
        way = self.paths.way(condition.path, owner)
        if way.attribute.kind == "reference" and condition.condition is None and not way.steps[-1].cast:
            return f"{self.paths.path(self.paths.key_of(way))} is{'' if negated else '_not'} None"
        word = "any" if way.attribute.kind == "collection" else "has"
        inner = "" if condition.condition is None else _bare(self.condition(condition.condition, way.target))
        return f"{'not ' if negated else ''}{self.paths.path(way)} {word} ({inner})"

    def _comparison(self, comparison: Comparison, owner: EntityType, negated: bool) -> str:
        way = self.paths.way(comparison.path, owner)
        if way.relation:
            way = self.paths.key_of(way)
        gap = self._gap(way)
        if gap is not None:
            return self.condition(_around(comparison, way, gap), owner, negated)
        accepts = _accepts_none(comparison) != negated
        if way.collections:
            return self._through(comparison, way, owner, negated)
        rows = self._rows(comparison, way, owner)
        if rows:
            return f"{'not ' if negated != (comparison.operator == 'not_in') else ''}{rows}"
        if way.item:
            return self._item(comparison, way, owner, negated, accepts)
        operator = NEGATED[comparison.operator] if negated else comparison.operator
        text = self._leaf(self.paths.path(way), operator, comparison)
        if comparison.value is None:
            return text
        nullable = self.vocabulary.nullable(way)
        if not text:
            return self._without_values(owner, self.paths.path(way) if nullable else "", operator == "not_in", accepts)
        if accepts and nullable:
            return f"({text} or {self.paths.path(way)} is None)"
        if not accepts and operator in ("not_in", "!=", "not_like") and nullable:
            return f"({text} and {self.paths.path(way)} is_not None)"
        return text

    def _gap(self, way: ResolvedPath) -> int | None:
        """The first reference on the way that the vendor knows only the key of, where the path goes on from there."""
        for place, (owner, attribute) in enumerate(way.chain[:-1]):
            if attribute.kind == "reference" and not self.vocabulary.knows(owner, attribute.name):
                target = self.vocabulary.schema.types[str(attribute.target)]
                ends = place == len(way.steps) - 2 and target.key == (way.steps[-1].name,)
                if attribute.foreign_key and len(target.key) == 1 and not ends:
                    return place
        return None

    def _rows(self, comparison: Comparison, way: ResolvedPath, owner: EntityType) -> str:
        """A condition on the rows of a mapping, if the comparison is with the keys in such rows; empty otherwise."""
        value = comparison.value
        if not isinstance(value, Select) or len(value.projections) != 1 or way.steps[-1].name != "id":
            return ""
        holder = way.chain[-1][0]
        rows = (value.entity_type, value.projections[0].steps[-1].name)
        for attribute in holder.attributes.values():
            if attribute.kind == "mapping" and self.vocabulary.rows(holder, attribute.name) == rows:
                path = self.paths.path(self.paths.way(Path((*way.steps[:-1], Step(attribute.name))), owner))
                of_rows = self.vocabulary.schema.types[rows[0]]
                inner = "" if value.where is None else _bare(self.condition(value.where, of_rows))
                return f"{path} any ({inner})"
        return ""

    def _without_values(self, owner: EntityType, path: str, out: bool, accepts: bool) -> str:
        """``in`` and ``not_in`` of a list that holds None or nothing; no path where that is never None."""
        if not path or out == accepts:
            return self._constant(owner, out)
        return f"{path} is{'_not' if out else ''} None"

    def _constant(self, owner: EntityType, holds: bool) -> str:
        """A condition that always holds, or never: there is no empty list in the language."""
        return f"{owner.key[0]} is{'_not' if holds else ''} None"

    def _through(self, comparison: Comparison, way: ResolvedPath, owner: EntityType, negated: bool) -> str:
        """A path through a collection: whether some member has such a value."""
        place = way.collections[0] + 1
        inside = Comparison(Path(way.steps[place:]), comparison.operator, comparison.value)
        start = self.paths.way(Path(way.steps[:place]), owner)
        none_counts = _accepts_none(comparison)
        if none_counts and start.steps[-1].cast:
            raise QueryError(
                f"this server cannot find entities without `{path_text(comparison.path)}` through a cast",
                comparison.path.position,
                f"use a condition on members of the type: `{path_text(Path(start.steps))} any (…)`",
            )
        text = f"{self.paths.path(start)} any ({_bare(self.condition(inside, start.target))})"
        if none_counts and place > 1:
            # What comes before the collection may be None, and so is the value then.
            before = self.paths.key_of(self.paths.way(Path(way.steps[: place - 1]), owner))
            text = f"({text} or {self.paths.path(before)} is None)"
        return f"not {text}" if negated else text

    def _item(self, comparison: Comparison, way: ResolvedPath, owner: EntityType, negated: bool, accepts: bool) -> str:
        """An item of a mapping: a row of this key whose value is so, or none whose value is not."""
        start = self.paths.path(self.paths.way(Path(way.steps[:-1]), owner))
        operator = NEGATED[comparison.operator] if negated != accepts else comparison.operator
        if comparison.value is None:
            inside = "value is_not None"
        else:
            inside = self._leaf("value", operator, comparison)
            if operator in ("not_in", "!=", "not_like"):
                inside = f"{inside} and value is_not None" if inside else "value is_not None"
        if not inside:
            return self._constant(owner, accepts)
        return f"{'not ' if accepts else ''}{start} any (key is {quoted(way.steps[-1].name)} and {inside})"

    def _leaf(self, path: str, operator: str, comparison: Comparison) -> str:
        """The comparison with what is not None; empty for a list that holds nothing else."""
        value = comparison.value
        if operator in ("in", "not_in"):
            if isinstance(value, Select):
                return f"{path} {operator} ({self._inner(value, operator)})"
            known = [item for item in _values(value) if item is not None]
            return f"{path} {operator} {listed(known)}" if known else ""
        if operator in ("like", "not_like") and "\\" in str(value):
            raise QueryError(
                f"this server's `like` cannot look for a percent sign or a backslash: {value!r:.80}",
                comparison.path.position,
            )
        return f"{path} {WORDS.get(operator, operator)} {literal_out(value)}"

    def _inner(self, select: Select, operator: str) -> str:
        entity_type = self.vocabulary.schema.type(select.entity_type)
        if select.limit is not None or select.offset or select.top or select.sample:
            raise QueryError("a query in parentheses cannot have a limit or an offset on this server")
        chosen = select.projections[0] if select.projections else Path((Step("id"),))
        way = self.paths.way(chosen, entity_type)
        path = self.paths.path(self.paths.key_of(way) if way.relation else way)
        conditions = [] if select.where is None else [self.condition(select.where, entity_type)]
        if operator == "not_in" and self.vocabulary.nullable(way):
            # In SQL, nothing is `not in` a list that holds a null.
            conditions.append(f"{path} is_not None")
        where = f" where {' and '.join(conditions)}" if conditions else ""
        return f"select {path} from {entity_type.name}{where}"


def _around(comparison: Comparison, way: ResolvedPath, gap: int) -> Condition:
    """The comparison as one with the keys of what fulfils the rest of its path."""
    target = str(way.chain[gap][1].target)
    reference = Path(way.steps[: gap + 1], comparison.path.position)
    inner = Comparison(Path(way.steps[gap + 1 :]), comparison.operator, comparison.value)
    found = Comparison(reference, "in", Select(target, (), inner))
    return Or((found, Comparison(reference, "=", None))) if _accepts_none(comparison) else found


def _values(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple | list) and not isinstance(value, Identity) else (value,)


def _accepts_none(comparison: Comparison) -> bool:
    """Whether the comparison holds for None."""
    operator, value = comparison.operator, comparison.value
    if operator == "=":
        return value is None
    if operator == "!=":
        return value is not None
    if operator in ("in", "not_in"):
        listed = not isinstance(value, Select) and any(item is None for item in _values(value))
        return listed if operator == "in" else not listed
    return operator == "not_like"


def _bare(text: str) -> str:
    """Without the parentheses around the whole, where there are such."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth, quote, escaped = 0, "", False
    for place, character in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0 and place < len(text) - 1:
                return text
    return text[1:-1]
