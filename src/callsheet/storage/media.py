"""Thumbnails of entities, and encoded media for review. Both are components in the server's own location."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

from callsheet.core import calls, populating, reading
from callsheet.core.commit import commit
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.entity.entity import Entity
from callsheet.errors import StateError, TransportError, UsageError
from callsheet.flow import Flow
from callsheet.storage import components, finding

__all__ = ["Encodable", "Pictured", "create_thumbnail", "encode", "thumbnail_address"]


class Pictured:
    """The methods of entities with a thumbnail."""

    __slots__ = ()
    session: Any

    def create_thumbnail(self, path: Any, data: Mapping[str, Any] | None = None) -> Annotated[Any, Gives("Component")]:
        """Upload a file as thumbnail; returns its component. Commits pending changes."""
        return self.session.run(create_thumbnail(self.session, self, path, data))

    def get_thumbnail_url(self) -> Any:
        """The URL of the thumbnail, without a key; None if there is none."""
        return self.session.run(thumbnail_address(self.session, self))


class Encodable:
    """The methods of versions."""

    __slots__ = ()
    session: Any
    id: Any

    def create_component(
        self, path: Any = None, data: Mapping[str, Any] | None = None, location: Any = "auto"
    ) -> Annotated[Any, Gives("Component")]:
        """A component of this version, from a file, a sequence or a list of these."""
        values = {**(data or {}), "version": self}
        return self.session.run(components.create(self.session, path, values, location))

    def encode_media(self, media: Any, keep_original: bool | str = "auto") -> Annotated[Any, Gives("Job")]:
        """Let the server encode a file for the review of this version; returns the job."""
        return self.session.run(encode(self.session, media, self.id, keep_original))


def create_thumbnail(core: Core, entity: Any, path: Any, data: Mapping[str, Any] | None = None) -> Flow[Any]:
    """Create the component of a picture in the server's location, and set it as thumbnail."""
    values = {"name": "thumbnail", **(data or {})}
    component = yield from components.create(core, path, values, "server")
    core.unit.assign(entity, "thumbnail", component)
    yield from commit(core)
    return component


def thumbnail_address(core: Core, entity: Any) -> Flow[str | None]:
    """The URL of an entity's thumbnail."""
    yield from populating.populate(core, entity, "thumbnail")
    component = entity.peek("thumbnail")
    if not component:
        return None
    return (yield from finding.url(core, "server", component))


def encode(core: Core, media: Any, version_id: str | None = None, keep_original: bool | str = "auto") -> Flow[Any]:
    """Let the server encode a file (a path, or a component) for review; returns the job.

    A path is sent to the server first.
    """
    if keep_original not in (True, False, "auto"):
        raise UsageError(f'keep_original is True, False or "auto", not {keep_original!r:.80}')
    keep = isinstance(media, Entity) if keep_original == "auto" else bool(keep_original)
    if isinstance(media, Entity):
        if media.entity_type != "FileComponent":
            raise UsageError(f"media is a path or a FileComponent, not {media!r}")
        if media._changes is not None and media._changes.born:
            raise StateError(f"{media!r} is not on the server yet; `commit()` first")
        component = media
    elif isinstance(media, str | os.PathLike):
        component = yield from components.create(core, media, {}, "server")
    else:
        raise UsageError(f"media is a path or a FileComponent, not {media!r:.80}")
    arguments = {"component_id": component.id, "version_id": version_id, "keep_original": keep}
    answer = yield from calls.call(core, "encode_media", arguments)
    if not isinstance(answer, Mapping) or "job_id" not in answer:
        raise TransportError(f"the server's answer has no job_id: {answer!r:.120}")
    return (yield from reading.get(core, "Job", answer["job_id"]))
