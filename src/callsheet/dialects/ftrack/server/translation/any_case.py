"""Comparisons of text that ignore its case, as the vendor's server documents it.

Letters of ASCII match in either case, as they do in ``like``. Keys are compared as they are, and so are long lists of
texts: a query with hundreds of names has them from the server.
"""

from __future__ import annotations

from callsheet.model.query import Comparison, Condition, Not, Or, Select
from callsheet.model.schema import Attribute

__all__ = ["holds_key", "in_any_case"]

LISTED = 200
"""Texts in a list that are compared in any case, at most."""


def holds_key(attribute: Attribute) -> bool:
    """Whether an attribute holds no text, or a key, whose case counts.

    >>> holds_key(Attribute("name")), holds_key(Attribute("parent_id")), holds_key(Attribute("bid", data_type="number"))
    (False, True, True)
    """
    plain = attribute.kind == "scalar" and attribute.data_type == "string"
    return not plain or attribute.name == "id" or attribute.name.endswith("_id")


def in_any_case(compared: Comparison) -> Condition:
    """The comparison of a text, whatever its case.

    >>> from callsheet.model.query import Path
    >>> in_any_case(Comparison(Path.of("name"), "=", "50%")).value
    '50\\\\%'
    """
    value = compared.value
    if compared.operator in ("=", "!=") and isinstance(value, str):
        return _alike(compared, value, "like" if compared.operator == "=" else "not_like")
    if compared.operator not in ("in", "not_in") or not isinstance(value, tuple) or isinstance(value, Select):
        return compared
    if not 0 < len(value) <= LISTED:
        return compared
    parts = tuple(
        _alike(compared, each, "like") if isinstance(each, str) else Comparison(compared.path, "=", each)
        for each in value
    )
    some: Condition = parts[0] if len(parts) == 1 else Or(parts)
    return some if compared.operator == "in" else Not(some)


def _alike(compared: Comparison, text: str, operator: str) -> Comparison:
    return Comparison(compared.path, operator, text.replace("\\", "\\\\").replace("%", "\\%"))
