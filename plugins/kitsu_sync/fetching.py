"""A preview of Kitsu becomes a version with a component, and its file is kept in a location.

Theory. The ids of version and component follow from Kitsu's, and both are committed together with where the file is
and with the link: all or nothing, and nothing twice. The versions of a task that has versions of one product go on
with that product; otherwise the task has a product of its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid5

from attrs import define

from callsheet import Session
from callsheet.core.commit import send_alone
from callsheet.errors import StorageError
from callsheet.model.operation import Create
from callsheet.sync.registry import link_operation, links_by_foreign_id
from kitsu_sync.files import KitsuFiles
from kitsu_sync.sending import NAMESPACE, PREVIEW, preview_link

__all__ = ["PreviewFetcher"]


@define(eq=False)
class PreviewFetcher:
    """Fetches files into ``location``, or the session's preferred one that copies files.

    ``theirs`` are the project's previews, which say what else is of the same revision.
    """

    session: Session
    files: KitsuFiles
    system: str
    theirs: Sequence[Mapping[str, Any]]
    location: Any = None

    def fetch(self, preview: Mapping[str, Any]) -> None:
        """Download the file of a preview and make it a component; ``preview["task"]`` is the id of our task."""
        with TemporaryDirectory(prefix="callsheet-") as folder, self.session.fork() as session:
            file = Path(folder) / f"preview.{preview['extension']}"
            checksum = self.files.download(preview, file)
            component = str(uuid5(NAMESPACE, preview["id"]))
            link = link_operation(preview_link(self.system, preview["id"], component, checksum), None)
            assert isinstance(link, Create)
            if _found(session, "FileComponent", component):
                session.run(send_alone(session, [link]))
                return
            version = self._version(session, preview)
            session.create(link.identity.entity_type, {"id": link.identity.key, **link.values})
            values = {"id": component, "name": preview["original_name"], "version": version, "checksum": checksum}
            session.create_component(file, values, location=self._place(session))

    def end(self, component: str) -> None:
        """Delete a component with its files where they were copied, and its version if it came with it."""
        with self.session.fork() as session:
            entity = _found(session, "FileComponent", component)
            if entity is None:
                return
            version = entity["version"]
            fetched = version is not None and "kitsu_revision" in version["metadata"]
            last = fetched and len(version["components"]) == 1
            copying = [each for each in session.run(session.locations.accessible()) if each.kind == "managed"]
            for place in session.run(session.locations.recognise(copying)):
                if place.entity.get_component_availability(entity):
                    place.entity.remove_component(entity)
            session.delete(entity)
            if last:
                session.delete(version)
            session.commit()

    def _place(self, session: Session) -> Any:
        if self.location is not None:
            return self.location
        for place in session.run(session.locations.accessible()):
            if place.kind == "managed":
                return session.run(session.locations.resolve(place)).entity
        raise StorageError("this session has no location that copies files; name one: location=…")

    def _version(self, session: Session, preview: Mapping[str, Any]) -> Any:
        """The version of the preview's revision: there, made by an earlier preview of it, or new."""
        same = (preview["task_id"], preview["revision"])
        beside = [row["id"] for row in self.theirs if (row["task_id"], row["revision"]) == same]
        links = session.run(links_by_foreign_id(session, self.system, PREVIEW, beside))
        for link in links.values():
            component = _found(session, "FileComponent", str(link.entity.key))
            if component is not None and component["version"] is not None:
                return component["version"]
        id = str(uuid5(NAMESPACE, f"{preview['task_id']}/{preview['revision']}"))
        found = _found(session, "AssetVersion", id)
        if found is not None:
            return found
        task = session.get("Task", preview["task"])
        values = {"id": id, "asset": self._asset(session, task, preview["task_id"]), "task": task}
        return session.create("AssetVersion", {**values, "metadata": {"kitsu_revision": str(preview["revision"])}})

    def _asset(self, session: Session, task: Any, key: str) -> Any:
        """The product of the task: the one it has, or one of its name under what it belongs to."""
        assets = {
            each["asset"] for each in session.query(f'select asset from AssetVersion where task.id is "{task.id}"')
        }
        if len(assets) == 1:
            return assets.pop()
        id = str(uuid5(NAMESPACE, f"asset of {key}"))
        found = _found(session, "Asset", id)
        if found is not None:
            return found
        named = session.query("Asset").where(parent=task["parent"], name=task["name"]).first()
        return named or session.create("Asset", {"id": id, "name": task["name"], "parent": task["parent"]})


def _found(session: Session, type: str, id: str) -> Any:
    return session.query(f'{type} where id is "{id}"').first()
