"""Questions about a cube as text of MDX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from callsheet.analytics.mdx.cells import MemberKey
from callsheet.analytics.mdx.text import quoted_name
from callsheet.errors import UsageError
from callsheet.model.cube import CubeDefinition, CubeHierarchy
from callsheet.model.schema import did_you_mean

__all__ = ["mdx_of"]


def mdx_of(
    definition: CubeDefinition,
    measures: Iterable[str] = (),
    levels: Iterable[tuple[str, str]] = (),
    members: Mapping[str, Sequence[Sequence[MemberKey]]] | None = None,
    empty: bool = False,
) -> str:
    """The query in MDX for measures by levels: measures on columns, the members of the levels on rows.

    ``levels`` are pairs of a hierarchy and a level; of several levels of one hierarchy the lowest has the others above
    its members. ``members`` restricts hierarchies to members, each by its keys from the topmost level down. Rows
    without facts are there with ``empty``.

    >>> from callsheet.measures import total
    >>> from callsheet.model.cube import CubeHierarchy, CubeLevel, CubeMeasure
    >>> step = CubeHierarchy("Step", [CubeLevel("Step", "name")])
    >>> cube = CubeDefinition("Bids", "Task", [step], [CubeMeasure("Bid", total("bid"))])
    >>> print(mdx_of(cube, ["Bid"], [("Step", "Step")], {"Step": [["comp"], ["light"]]}))
    SELECT {[Measures].[Bid]} ON COLUMNS, NON EMPTY {[Step].&[comp], [Step].&[light]} ON ROWS FROM [Bids]
    """
    hierarchies = {each.name: each for each in definition.hierarchies}
    chosen = dict(members or {})
    names = list(measures) or [each.name for each in definition.measures]
    columns = ", ".join(f"[Measures].{quoted_name(name)}" for name in names)
    source, rows = quoted_name(definition.name), []
    for name, depth in _lowest(hierarchies, levels).items():
        paths = chosen.pop(name, None)
        if paths is not None and any(len(path) > depth + 1 for path in paths):
            # Members above others are restricted to the facts of these.
            source = f"(SELECT {_member_set(hierarchies[name], paths)} ON COLUMNS FROM {source})"
            paths = None
        rows.append(_row_set(hierarchies[name], depth, paths))
    slicer = [_member_set(_hierarchy(hierarchies, name), paths) for name, paths in chosen.items()]
    parts = [f"SELECT {{{columns}}} ON COLUMNS"]
    if rows:
        parts[0] += f", {'' if empty else 'NON EMPTY '}{' * '.join(rows)} ON ROWS"
    parts.append(f"FROM {source}")
    parts += [f"WHERE {' * '.join(slicer)}"] if slicer else []
    return " ".join(parts)


def _hierarchy(hierarchies: Mapping[str, CubeHierarchy], name: str) -> CubeHierarchy:
    if name not in hierarchies:
        raise UsageError(f"there is no hierarchy `{name}`{did_you_mean(name, hierarchies)}")
    return hierarchies[name]


def _lowest(hierarchies: Mapping[str, CubeHierarchy], levels: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The depth of the lowest level of each hierarchy."""
    found: dict[str, int] = {}
    for hierarchy, level in levels:
        names = [each.name for each in _hierarchy(hierarchies, hierarchy).levels]
        if level not in names:
            raise UsageError(f"`{hierarchy}` has no level `{level}`{did_you_mean(level, names)}")
        found[hierarchy] = max(names.index(level), found.get(hierarchy, 0))
    return found


def _row_set(hierarchy: CubeHierarchy, depth: int, paths: Sequence[Sequence[MemberKey]] | None) -> str:
    level = f"{quoted_name(hierarchy.name)}.{quoted_name(hierarchy.levels[depth].name)}"
    if paths is None:
        return f"{level}.Members"
    if all(len(path) == depth + 1 for path in paths):
        return _member_set(hierarchy, paths)
    return f"Descendants({_member_set(hierarchy, paths)}, {level})"


def _member_set(hierarchy: CubeHierarchy, paths: Sequence[Sequence[MemberKey]]) -> str:
    return "{" + ", ".join(_member(hierarchy, path) for path in paths) + "}"


def _member(hierarchy: CubeHierarchy, path: Sequence[MemberKey]) -> str:
    keys = "".join(f".&{quoted_name('#null' if key is None else _key(key))}" for key in path)
    return quoted_name(hierarchy.name) + keys


def _key(key: MemberKey) -> str:
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)
