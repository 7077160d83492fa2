"""Views and dashboards that people keep: private until shared, with a history, and files one can hand on.

Everything about them goes through this module: what an account may see is decided here, once, for lists, single views,
their history and their files alike. For an account that may not see a view, there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from attrs import frozen
from msgspec import Struct

from callsheet.dialects.routes import Visit
from callsheet.errors import Forbidden, Invalid, NotFound, UsageError
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.pivot_question import pivot_session, said
from callsheet.flow import Response
from callsheet.model.query import And, Comparison, Order, Path, Select
from callsheet.model.record import Identity
from callsheet.session.blocking import Session

__all__ = ["keep_view", "remove_view", "undo_view", "view_file", "view_history", "views"]

Kind = Literal["sheet", "steps", "board", "timeline", "calendar", "tree", "entity", "pivot", "dashboard"]
LONGEST = 100_000
"""Characters of a place."""
NAME, MOST = 200, 1_000
"""Characters of a name; views with a name that one account keeps."""
UNNAMED = 200
"""Views without a name that one account keeps: the oldest make room."""
FORMAT = "callsheet-view/1"
NAMED = Comparison(Path.of("name"), "!=", "")


class KeptView(Struct, forbid_unknown_fields=True):
    """A view to be kept; with a ``key`` the one that there is becomes so."""

    kind: Kind
    place: str
    name: str = ""
    description: str = ""
    key: str | None = None
    shared: bool = False
    people: list[str] = []
    roles: list[str] = []
    format: str = FORMAT


class ViewStep(Struct, forbid_unknown_fields=True):
    """A commit that is taken back, of a view."""

    key: str
    commit: str


@frozen
class Desk:
    """Who asks, and the session on what people keep."""

    account: str
    roles: frozenset[str]
    session: Session

    def sees(self, view: Any) -> bool:
        """Whether the account may see a view: its own, one for everybody, for it, or for a role of it."""
        if view["owner"] == self.account or view["is_shared"]:
            return True
        return self.account in (view["people"] or ()) or not self.roles.isdisjoint(view["roles"] or ())

    def find(self, *conditions: Comparison) -> list[Any]:
        """The views of which all conditions hold, others' too, the longest unchanged first."""
        every = Select("View", where=And(conditions), order=(Order(Path.of("updated_at")),))
        return list(self.session.select(every))

    def view(self, key: str) -> Any:
        """A view that the account may see; `NotFound` for others, and for those that are gone."""
        found = next(iter(self.find(Comparison(Path.of("id"), "=", _plain(key)))), None)
        if found is None or not self.sees(found):
            raise NotFound("there is no such view, or it is not shared with you")
        return found

    def own(self, key: str) -> Any:
        """A view that the account may change."""
        found = self.view(key)
        if found["owner"] != self.account:
            raise Forbidden(f"this view is {found['owner']}'s: keep one of your own")
        return found


def _plain(key: str) -> str:
    if not key or not all(sign.isalnum() or sign == "-" for sign in key) or len(key) > 60:
        raise NotFound("there is no such view, or it is not shared with you")
    return key


@contextmanager
def _desk(visit: Visit) -> Iterator[Desk]:
    said_of = visit.backend.call("own.account", {})
    content = visit.backend.user_content.service()
    with pivot_session(content.backend(visit.account)) as session, said():
        roles = frozenset(map(str, said_of["roles"]))
        yield Desk(visit.account, roles, session)


def views(visit: Visit) -> Response:
    """The named views that the account may see; with ``key=`` the one of this key, named or not."""
    key = visit.request.params.get("key")
    with _desk(visit) as desk:
        if key is not None:
            return answer(_shown(desk, desk.view(key)))
        found = [each for each in desk.find(NAMED) if desk.sees(each)]
        found.sort(key=lambda each: str(each["name"]).casefold())
        return answer({"views": [_shown(desk, each) for each in found]})


def _shown(desk: Desk, view: Any) -> dict[str, Any]:
    own = view["owner"] == desk.account
    shown = {name: view[name] for name in ("name", "kind", "place", "description", "owner", "updated_at")}
    # Whom a view is shared with is its owner's business.
    sharing = {"shared": bool(view["is_shared"]), "people": view["people"] or [], "roles": view["roles"] or []}
    return {"key": str(view["id"]), **shown, "own": own, **(sharing if own else {"shared": True})}


def keep_view(visit: Visit) -> Response:
    """Keep a view, or change the account's own: one commit, which can be taken back."""
    body = body_of(visit, KeptView)
    _check(body)
    with _desk(visit) as desk:
        values = {
            "kind": body.kind,
            "place": body.place,
            "name": body.name.strip(),
            "description": body.description,
            "is_shared": body.shared,
            "people": sorted(set(body.people)),
            "roles": sorted(set(body.roles)),
        }
        if body.key is not None:
            view = desk.own(body.key)
            for name, value in values.items():
                if (view[name] or None) != (value or None):
                    view[name] = value
        else:
            _make_room(desk, bool(values["name"]))
            view = desk.session.create("View", {**values, "owner": desk.account})
        desk.session.commit()
        return answer(_shown(desk, view))


def _check(body: KeptView) -> None:
    if body.format != FORMAT:
        raise Invalid(f"this is no file of a view: its format is {body.format!r:.40}, not {FORMAT!r}")
    if len(body.name) > NAME or len(body.description) > LONGEST or len(body.place) > LONGEST:
        raise Invalid(f"a view's name has at most {NAME} characters, its place {LONGEST:,}")
    if not body.place.strip():
        raise Invalid("a view needs a place: what is shown, as an address")
    if len(body.people) > MOST or len(body.roles) > MOST:
        raise Invalid(f"a view is shared with at most {MOST:,} people and roles; share it with everybody")
    if body.kind == "dashboard":
        try:
            json.loads(body.place)
        except ValueError as error:
            raise Invalid(f"a dashboard is JSON: {error}") from None
    elif "://" in body.place or body.place.startswith(("/", "javascript:")):
        raise Invalid("a view's place is an address below the page's own, such as v/sheet?q=Shot")


def _make_room(desk: Desk, named: bool) -> None:
    own = Comparison(Path.of("owner"), "=", desk.account)
    if named:
        if len(desk.find(own, NAMED)) >= MOST:
            raise Invalid(f"you keep {MOST:,} views already; remove one first")
        return
    old = desk.find(own, Comparison(Path.of("name"), "=", ""))
    for each in old[: max(0, len(old) - UNNAMED + 1)]:
        desk.session.delete(each)


def remove_view(visit: Visit) -> Response:
    """Remove one of the account's own views; its last commit can be taken back."""
    with _desk(visit) as desk:
        desk.session.delete(desk.own(visit.request.params.get("key", "")))
        result = desk.session.commit()
        assert result is not None, "a removal is a change"
        return answer({"commit": result.commit_id})


def view_history(visit: Visit) -> Response:
    """Who changed a view, when, and how, the newest first."""
    with _desk(visit) as desk:
        found = desk.session.history(desk.own(visit.request.params.get("key", "")))
        steps = [
            {"commit": each.commit_id, "user": each.user, "time": each.time, "kind": each.kind,
             "before": dict(each.before), "after": dict(each.after)}
            for each in found
        ]  # fmt: skip
        return answer({"history": steps})


def undo_view(visit: Visit) -> Response:
    """Take a commit of one of the account's own views back, as a new commit: also one that removed it."""
    body = body_of(visit, ViewStep)
    with _desk(visit) as desk:
        steps = desk.session.history(Identity("View", _plain(body.key)))
        if not any(each.commit_id == body.commit and each.user == desk.account for each in steps):
            raise NotFound("you made no such commit of this view")
        try:
            desk.session.undo(body.commit)
            desk.session.commit()
        except UsageError as error:
            raise Invalid(str(error)) from error
        return answer(_shown(desk, desk.own(body.key)))


def view_file(visit: Visit) -> Response:
    """A view as a file, which `keep_view` reads again: its name and place, not whom it is shared with."""
    with _desk(visit) as desk:
        view = desk.view(visit.request.params.get("key", ""))
        data = {name: view[name] or "" for name in ("name", "kind", "place", "description")}
        headers = {"content-disposition": 'attachment; filename="view.json"'}
        return answer({"format": FORMAT, **data}, headers)
