"""``callsheet kitsu --project sintel --url https://kitsu.example.org``: a project kept in step with Kitsu, both ways.

Episodes, sequences, shots, assets with their casting, tasks with status, type and people, comments and playlists. Both
have the project already; the plan is shown, and written with ``--apply``. ``KITSU_LOGIN`` and ``KITSU_PASSWORD``, or
``KITSU_TOKEN`` of a bot, say who writes. `kitsu_pairs` and `kitsu_sync` are for scripts that want it otherwise.

Kitsu has no transactions and no versions. Each row has an outcome of its own; an edit that somebody makes in Kitsu in
the moment between the last look at a row and its update is lost. With ``--follow`` Kitsu's events say when to look;
with ``--previews`` the files of versions and Kitsu's previews are carried as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from kitsu_sync.account import KitsuAccount
from kitsu_sync.doorbell import KitsuDoorbell
from kitsu_sync.previews import KitsuPreviews
from kitsu_sync.side import KitsuSide

from callsheet import Carried, Session, SessionSide, Sync, TypePair
from callsheet.errors import ServerError, TransportError, UsageError

__all__ = ["STATUSES", "followed", "kitsu", "kitsu_pairs", "kitsu_previews", "kitsu_sync", "register"]

SETTLING = 0.3
"""Seconds without an event that end a series of them."""
STATUSES = {
    "Not started": "Todo",
    "Ready to start": "Ready To Start",
    "In progress": "Work In Progress",
    "Pending review": "Waiting For Approval",
    "Change requested": "Retake",
    "Omitted": "Rejected",
}
"""Statuses of the preset, and what Kitsu calls them at first."""


def kitsu_pairs(
    statuses: Mapping[str, str] = STATUSES, conflicts: str = "raise", delete: str = "keep"
) -> list[TypePair]:
    """What corresponds to what, for the schema ``production``."""
    status = Carried("status", values=statuses)

    def pair(left: str, right: str, attributes: Any, adopt: tuple[str, ...], **options: Any) -> TypePair:
        return TypePair(left, right, attributes, adopt, **{"conflicts": conflicts, "delete": delete, **options})

    context = {"name": "name", "description": "description", "parent": "parent"}
    shot = {"fstart": "frame_in", "fend": "frame_out", "frame_count": "nb_frames", "asset_builds": "assets"}
    task = {"parent": "entity", "type.name": "type", "status.name": status, "due_date": "due_date"}
    whole = {"delete": "delete", "max_deleted": 1.0}
    return [
        pair("Project", "Project", ["name"], ("name",), creates="none", delete="keep"),
        pair("User", "Person", {"email": "email"}, ("email",), creates="none", delete="keep"),
        pair("Episode", "Episode", context, ("parent", "name")),
        pair("Sequence", "Sequence", context, ("parent", "name")),
        pair("AssetBuild", "Asset", {**context, "type.name": "type"}, ("parent", "name")),
        pair("Shot", "Shot", {**context, **shot}, ("parent", "name")),
        pair("Task", "Task", {"name": "name", **task}, ("parent", "name")),
        pair("Assignment", "Assignment", {"context": "task", "resource": "person"}, ("context", "resource"), **whole),
        pair("Note", "Comment", {"content": "text", "parent": "task", "author": "author"}, (), delete="keep"),
        pair("TypedContextList", "Playlist", {"name": "name", "project": "project", "items": "shots"}, ("name",)),
    ]


def kitsu_sync(
    session: Session,
    project: str,
    side: KitsuSide,
    pairs: list[TypePair] | None = None,
) -> Sync:
    """The sync of a project with a Kitsu project; Kitsu is its right side."""
    inside = f'project.name is "{project}"'
    scope = dict.fromkeys(("Episode", "Sequence", "AssetBuild", "Shot", "Task", "TypedContextList"), inside)
    scope |= {
        "Project": f'name is "{project}"',
        "Assignment": f'context.{inside} and context[Task].name like "%"',
        "Note": f'parent.{inside} and parent[Task].name like "%"',
    }
    return Sync(SessionSide(session, "callsheet", scope), side, pairs or kitsu_pairs(), name=f"kitsu/{project}")


def kitsu(
    session: Session,
    project: str,
    url: str = "",
    production: str = "",
    apply: bool = False,
    whole: bool = False,
    conflicts: str = "raise",
    delete: str = "keep",
    follow: bool = False,
    events: str = "",
    every: float = 60.0,
    previews: bool = False,
    location: str = "",
) -> str:
    """Compare a project with Kitsu's of that name (or of the name ``production``); ``--apply`` writes both ways.

    ``--follow`` goes on until Ctrl-C: it writes when Kitsu's events say that something happened (``--events``: where
    they come from, if not from ``url``), and every so many seconds. ``--previews`` carries preview files, too; those
    of Kitsu are kept in the ``--location`` of this name.
    """
    address = url or os.environ.get("KITSU_API", "")
    if not address:
        raise UsageError("which Kitsu? Name its API: --url https://kitsu.example.org/api, or KITSU_API")
    account = KitsuAccount(
        os.environ.get("KITSU_LOGIN", ""), os.environ.get("KITSU_PASSWORD", ""), os.environ.get("KITSU_TOKEN", "")
    )
    side = KitsuSide.named(address, account, production or project)
    sync = kitsu_sync(session, project, side, kitsu_pairs(STATUSES, conflicts, delete))
    files = kitsu_previews(session, project, side, delete, location or None) if previews else None
    try:
        if follow:
            source = events or os.environ.get("KITSU_EVENTS", "") or address
            for text in followed(sync, KitsuDoorbell(source, account, side.project, side.run), every, files):
                print(text, flush=True)
        plan = sync.plan(whole=whole)
        if apply:
            return _applied(plan, files)
        return str(plan) if files is None else f"{plan}\n{files.plan()}"
    finally:
        if files is not None:
            files.close()
        side.close()


def kitsu_previews(
    session: Session, project: str, side: KitsuSide, delete: str = "keep", location: Any = None
) -> KitsuPreviews:
    """The preview files of a project: `plan` and `apply` them after the sync, which pairs their tasks."""
    return KitsuPreviews(session, side, project, delete, location)


def followed(sync: Sync, bell: KitsuDoorbell, every: float = 60.0, files: KitsuPreviews | None = None) -> Iterator[str]:
    """Sync at once, then whenever the bell rings, and after so many seconds without; gives what each run did.

    A run that fails because a server does not answer is one of these texts, and the next run goes on from there.
    """
    try:
        while True:
            try:
                yield _applied(sync.plan(), files)
            except (TransportError, ServerError) as error:
                yield f"failed: {error}"
            if bell.wait(every):
                # One edit is several events: they belong together.
                while bell.wait(SETTLING):
                    pass
    finally:
        bell.close()


def _applied(plan: Any, files: KitsuPreviews | None = None) -> str:
    result = plan.apply()
    lines = [f"refused: {each.write.label}: {each.outcome.reason}" for each in result.refused]
    done = f"{len(result.left)} changes here, {len(result.right)} in Kitsu, {len(result.refused)} refused"
    if files is None:
        return "\n".join([str(plan), *lines, done])
    carried = files.apply(files.plan())
    lines += [f"refused: {each}" for each in carried.refused]
    counts = (
        f"previews: {carried.sent} sent, {carried.fetched} fetched, {carried.ended} deleted, {carried.paired} paired"
    )
    return "\n".join([str(plan), *lines, done, f"{counts}, {len(carried.refused)} refused"])


def register(session: Session) -> None:
    """Give the command line the command."""
    session.commands["kitsu"] = kitsu
