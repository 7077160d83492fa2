"""The search for entities by the words in their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.dialects.ftrack.server.actions.arguments import text_of
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.dialects.ftrack.server.translation.query_text import VendorQuery, parse_vendor_query
from callsheet.errors import Invalid
from callsheet.model.query import And, Any_, Comparison, Condition, Or, Path

__all__ = ["search"]

Arguments = Mapping[str, Any]


def search(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Entities of a type whose names hold all the words, within a context if one is given."""
    expression = arguments.get("expression") or text_of(arguments, "entity_type")
    if not isinstance(expression, str):
        raise Invalid("expression must be a text.")
    question = parse_vendor_query(expression)
    found = work.catalogue.type(question.entity_type)
    parts: list[Condition] = [] if question.where is None else [question.where]
    terms = arguments.get("terms") or []
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise Invalid("terms must be a list of texts.")
    names = [name for name in _SEARCHED.get(found.name, ("name",)) if name.partition(".")[0] in found.properties]
    for term in terms if names else ():
        pattern = "%" + term.replace("\\", "\\\\").replace("%", "\\%") + "%"
        parts.append(Or(tuple(Comparison(Path.of(name), "like", pattern) for name in names)))
    context = arguments.get("context_id")
    if isinstance(context, str):
        parts.append(_within(found.name, context, "ancestors" in found.properties))
    object_types = arguments.get("object_type_ids")
    if isinstance(object_types, list) and object_types and "object_type_id" in found.properties:
        parts.append(Comparison(Path.of("object_type_id"), "in", tuple(map(str, object_types))))
    where = None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
    asked = VendorQuery(
        question.entity_type, question.projections, where, question.order, question.limit, question.offset
    )
    data, following = work.answers.answer(asked)
    return {"action": "search", "data": data, "metadata": {"next": {"offset": following}}}


_SEARCHED = {"User": ("username", "first_name", "last_name"), "AssetVersion": ("asset.name",), "Note": ("content",)}


def _within(name: str, context: str, nested: bool) -> Condition:
    way = {"AssetVersion": "asset.parent.", "Asset": "parent."}.get(name, "")
    project: Condition = Comparison(Path.of(f"{way}project_id"), "=", context)
    if not nested:
        return project
    return Or((project, Any_(Path.of("ancestors"), Comparison(Path.of("id"), "=", context))))
