"""Preview files, carried both ways between versions of tasks and Kitsu's previews.

Theory. A file never changes on either side: Kitsu takes no second file for a preview, and a component's file is not
written over. So what was carried once is linked in the registry (Kitsu's preview, our component) and never travels
again, even where Kitsu made another file of it. What is there on both sides without a link (same task, number, name and
kind of file, and the same size unless Kitsu converts it) is linked. What else is not linked is carried: a file of a
version to Kitsu, as a preview of the revision that has the version's number; a preview to a version. Links are read
first, so a run after which nothing changed is three lists and no file. Sent before fetched: a preview whose upload was
cut short is found again by its comment, and is not taken for somebody else's.

Gone here or there: the partner stays, or (``delete``) goes as well, but never more than a tenth in one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

from callsheet import Session
from callsheet.chunks import chunks
from callsheet.core.commit import send_alone
from callsheet.errors import ServerError, StateError, StorageError, TransportError
from callsheet.model.operation import Delete
from callsheet.sync.registry import ForeignLink, links_in
from kitsu_sync.fetching import PreviewFetcher
from kitsu_sync.files import MOVIES, PICTURES, KitsuFiles, kept_ending
from kitsu_sync.reading import IDS
from kitsu_sync.sending import PREVIEW, PreviewSender, PreviewSource
from kitsu_sync.side import KitsuSide

__all__ = ["KitsuPreviews", "PreviewPlan", "PreviewResult", "PreviewStep"]

StepKind: TypeAlias = Literal["pair", "send", "fetch", "end there", "end here", "forget"]

ENDINGS = CONVERTED = PICTURES | MOVIES
"""Files of versions that are previews; what else there is (scenes, caches) stays here."""
MAX_ENDED = 0.1
"""Share of the linked previews that may go in one run."""
SIGNS = {"pair": "=", "send": "> +", "fetch": "< +", "end there": "> -", "end here": "< -"}
COLUMNS = "id,task_id,revision,position,extension,original_name,status,file_size"


@frozen
class PreviewStep:
    """One thing to do: ``source`` is ours, ``preview`` Kitsu's row, ``link`` what the registry has."""

    kind: StepKind
    label: str
    source: PreviewSource | None = None
    preview: Mapping[str, Any] = field(factory=dict)
    link: ForeignLink | None = None


@frozen
class PreviewPlan:
    """What would be carried. ``refused`` says what cannot be, and why; ``print(plan)`` is a table."""

    steps: tuple[PreviewStep, ...]
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = [f"{SIGNS[each.kind]} {each.label}" for each in self.steps if each.kind != "forget"]
        return "\n".join([*shown, *(f"! {each}" for each in self.refused)])


@frozen
class PreviewResult:
    """How many files went each way, how many partners of what is gone went, how many were there on both sides already
    and are paired from now on, and what was refused.
    """

    sent: int = 0
    fetched: int = 0
    ended: int = 0
    paired: int = 0
    refused: tuple[str, ...] = ()


@define(eq=False)
class KitsuPreviews:
    """The previews of a project, of tasks that its sync has paired.

    ``location`` is where fetched files are kept: a location or its name; else the preferred one of the session that
    copies files, which is the server's own store where no other is configured.
    """

    session: Session
    side: KitsuSide
    project: str
    delete: str = "keep"
    location: Any = None
    endings: frozenset[str] = ENDINGS
    files: KitsuFiles = field()

    @files.default
    def _files(self) -> KitsuFiles:
        return KitsuFiles(self.side.url, self.side.account, self.side.run)

    @property
    def system(self) -> str:
        """What the registry calls the links of this project's previews; a renamed project keeps it."""
        return f"{self.side.name}/{self.side.project}"

    def close(self) -> None:
        """Close the connection that files take."""
        self.files.close()

    def plan(self) -> PreviewPlan:
        """Compare; changes nothing. Files of tasks that the sync has not paired wait until it has."""
        links = {each.foreign_id: each for each in self.session.run(links_in(self.session, self.system, PREVIEW))}
        paired = self.session.run(links_in(self.session, self.side.name, "Task"))
        tasks = {each.foreign_id: str(each.entity.key) for each in paired}
        theirs = {each["id"]: each for each in self._theirs()}
        ours = {each.id: each for each in self._ours({ours: theirs for theirs, ours in tasks.items()})}
        linked = {str(each.entity.key) for each in links.values()}
        alive = self._alive_tasks()
        free = {each: row for each, row in theirs.items() if each not in links and row["original_name"]}
        same = {(row["task_id"], row["revision"], row["original_name"], row["extension"]): row for row in free.values()}
        steps = []
        for each in sorted(ours.values(), key=lambda each: (each.task, each.number, each.label)):
            if each.id in linked:
                continue
            row = same.pop((each.task, each.number, each.name, kept_ending(each.ending)), None)
            if row is not None and (each.ending in CONVERTED or row["file_size"] == each.size):
                steps.append(PreviewStep("pair", each.label, each, free.pop(row["id"])))
            else:
                steps.append(PreviewStep("send", each.label, each))
        refused = []
        for row in sorted(free.values(), key=lambda row: (row["task_id"], row["revision"], row["position"])):
            if tasks.get(row["task_id"]) not in alive:
                continue
            label = f"{row['original_name']}.{row['extension']} (revision {row['revision']})"
            if row["status"] == "missing":
                refused.append(f"{label}: Kitsu has no file of it")
            elif row["status"] != "processing":
                steps.append(PreviewStep("fetch", label, preview={**row, "task": tasks[row["task_id"]]}))
        ends, kept = self._ends(links, theirs, ours)
        return PreviewPlan((*steps, *ends), (*refused, *kept))

    def apply(self, plan: PreviewPlan) -> PreviewResult:
        """Carry the files, each with an outcome of its own: one that is refused does not stop the others.

        A run that is cut off is finished by planning again.
        """
        theirs = self._theirs()
        sender = PreviewSender(self.session, self.side, self.files, self.system, theirs)
        fetcher = PreviewFetcher(self.session, self.files, self.system, theirs, self.location)
        done = {"pair": 0, "send": 0, "fetch": 0, "end there": 0, "end here": 0, "forget": 0}
        refused = list(plan.refused)
        for step in plan.steps:
            try:
                done[step.kind] += self._do(step, sender, fetcher)
            except (ServerError, StorageError, StateError, TransportError) as error:
                refused.append(f"{step.label}: {error}")
        ended = done["end there"] + done["end here"]
        return PreviewResult(done["send"], done["fetch"], ended, done["pair"], tuple(refused))

    def _do(self, step: PreviewStep, sender: PreviewSender, fetcher: PreviewFetcher) -> bool:
        """Whether there was something to do."""
        if step.kind == "send" and step.source is not None:
            sender.send(step.source)
        elif step.kind == "pair" and step.source is not None:
            sender.link(step.preview["id"], step.source)
        elif step.kind == "fetch":
            # Sending may have found that a preview is that of a file here, whose upload was cut short.
            if step.preview["id"] in sender.recognised:
                return False
            fetcher.fetch(step.preview)
        elif step.link is not None:
            if step.kind == "end there":
                path = f"/data/preview-files/{step.link.foreign_id}"
                self.side.run(self.side.account.delete(path, force=True))
            elif step.kind == "end here":
                fetcher.end(str(step.link.entity.key))
            self.session.run(send_alone(self.session, [Delete(step.link.identity, step.link.version)]))
        return True

    # -- comparing -------------------------------------------------------------------------------------------

    def _theirs(self) -> list[dict[str, Any]]:
        rows = self.side.account.rows("/data/preview-files", project_id=self.side.project, fields=COLUMNS)
        return self.side.run(rows)

    def _alive_tasks(self) -> set[str]:
        return {str(each.id) for each in self.session.query(f'Task where project.name is "{self.project}"')}

    def _ours(self, tasks: Mapping[str, str]) -> Iterable[PreviewSource]:
        """The files of versions of paired tasks that are previews by their ending."""
        found = self.session.query(
            "select name, size, file_type, container, version.version, version.comment, version.thumbnail, "
            f'version.asset.name, version.task from FileComponent where version.task.project.name is "{self.project}"'
        ).all()
        pictured: dict[Any, list[Any]] = {}
        for each in found:
            task = each["version"]["task"]
            if each["container"] is None and str(each["file_type"]).lower() in self.endings and str(task.id) in tasks:
                pictured.setdefault(each["version"], []).append(each)
        for version, files in pictured.items():
            small = version["thumbnail"]
            for each in files:
                # A thumbnail stands for the version, unless it is all there is.
                if each != small or len(files) == 1:
                    yield _source(version, each, tasks[str(version["task"].id)])

    def _ends(
        self, links: Mapping[str, ForeignLink], theirs: Mapping[str, Any], ours: Mapping[str, Any]
    ) -> tuple[list[PreviewStep], list[str]]:
        """What to do about previews that are gone on one side, and what must not go."""
        away = [str(each.entity.key) for each in links.values() if str(each.entity.key) not in ours]
        there = set(ours) | self._there(away)
        steps = []
        for id, link in links.items():
            here = str(link.entity.key) in there
            if here and id in theirs:
                continue
            label = f"a preview that is gone {'in Kitsu' if here else 'here'} ({id if here else link.entity.key})"
            if not here and id not in theirs:
                steps.append(PreviewStep("forget", label, link=link))
            elif self.delete == "delete":
                steps.append(PreviewStep("end here" if here else "end there", label, link=link))
        ended = sum(each.kind != "forget" for each in steps)
        if ended <= MAX_ENDED * len(links):
            return steps, []
        reason = f"{ended} of {len(links)} previews would go, and at most a tenth may: is the other side complete?"
        return [each for each in steps if each.kind == "forget"], [reason]

    def _there(self, components: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for some in chunks(components, IDS):
            listed = ", ".join(f'"{each}"' for each in some)
            found |= {str(each.id) for each in self.session.query(f"FileComponent where id in ({listed})")}
        return found


def _source(version: Any, component: Any, task: str) -> PreviewSource:
    ending = component["file_type"].lower()
    stem = str(component["name"]).removesuffix(component["file_type"])
    label = f"{version['asset']['name']} v{version['version']:03}"
    return PreviewSource(
        id=str(component.id),
        version=str(version.id),
        number=version["version"],
        size=component["size"],
        task=task,
        label=f"{label} {stem}{ending}",
        text=f"{label}: {version['comment']}" if version["comment"] else label,
        name=PurePath(stem).name[:200] or "preview",
        ending=ending,
        component=component,
    )
