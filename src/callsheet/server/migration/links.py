"""Tables of many-to-many relations follow the schema: renamed, turned round, created, dropped, without dead ends."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.schema import CreateTable

from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.targets import loses_rows
from callsheet.server.store.layout import layout_of

__all__ = ["LinkPlan", "link_plans", "rewrite_links"]


@frozen
class LinkPlan:
    """A link table of the new schema: the old one whose pairs it gets (None: none), and whether its sides change."""

    name: str
    source: str | None
    turned: bool
    near: str
    far: str
    """The types at the sides ``owner`` and ``member``."""


def link_plans(both: Correspondence) -> dict[str, LinkPlan]:
    """The plan of each link table of the new schema."""
    new, old = layout_of(both.new), layout_of(both.old)
    found: dict[str, LinkPlan] = {}
    for (name, attribute), link in new.links.items():
        carried = both.carried(name, attribute)
        target = str(both.new.types[name].attributes[attribute].target)
        top = both.new.declarer(name, attribute)
        sides = (top, target) if link.near.name == "owner" else (target, top)
        known = found.get(link.table.name)
        if carried is None:
            if known is None:
                found[link.table.name] = LinkPlan(link.table.name, None, False, *sides)
            continue
        before = old.links[both.origins[name], carried.name]
        if known is None or known.source is None:
            turned = before.near.name != link.near.name
            found[link.table.name] = LinkPlan(link.table.name, before.table.name, turned, *sides)
    return found


def rewrite_links(connection: Connection, both: Correspondence) -> None:
    """Bring the tables of links from the old layout to the new one."""
    new, old = layout_of(both.new), layout_of(both.old)
    quote = connection.dialect.identifier_preparer.quote
    plans = link_plans(both)
    old_tables = {link.table.name: link.table for link in old.links.values()}
    tables = {link.table.name: link.table for link in new.links.values()}
    staying = {name for name, plan in plans.items() if plan.source == name and not plan.turned}
    pairs = {
        name: connection.execute(select(old_tables[plan.source].c.owner, old_tables[plan.source].c.member)).all()
        for name, plan in plans.items()
        if name not in staying and plan.source is not None
    }
    for name in old_tables:
        if name not in staying:
            connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
    for name, plan in plans.items():
        if name not in staying:
            connection.execute(CreateTable(tables[name]))
        if rows := pairs.get(name):
            made = [{"owner": b, "member": a} if plan.turned else {"owner": a, "member": b} for a, b in rows]
            connection.execute(insert(tables[name]), made)
    for name, plan in plans.items():
        if name in staying and not loses_rows(both, plan.near) and not loses_rows(both, plan.far):
            continue
        for side, kind in (("owner", plan.near), ("member", plan.far)):
            ends, table = new.tables[both.new.types[kind].root], tables[name]
            here = select(ends.c.id).where(ends.c.id == table.c[side], ends.c._type.in_(both.new.concrete(kind)))
            connection.execute(delete(table).where(~here.exists()))
