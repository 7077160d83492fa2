"""A bucket, or anything else that fsspec reaches, as a location of every session.

Where the files are kept comes from the environment, so that scripts need not know::

    CALLSHEET_BUCKET=s3://studio-renders/callsheet     (or gs://…, az://…, sftp://…, file://…, memory://…)
    CALLSHEET_BUCKET_LOCATION=cloud                    the location's name; this is the default
    CALLSHEET_BUCKET_OPTIONS={"profile": "renders"}    options of the file system, as JSON

Give the folder of this file to the session (``plugin_paths``), or call ``register(session)``. S3 needs ``s3fs``,
Google's storage ``gcsfs``, Azure's ``adlfs``.
"""

from __future__ import annotations

import json
import os
from typing import Any

from callsheet.storage.filesystem import FsspecAccessor
from callsheet.storage.structure import StandardStructure

__all__ = ["register"]


def register(session: Any) -> None:
    """Configure the location when the session first uses locations; nothing without the address of a bucket."""
    session.locations.when_used(_configure)


def _configure(session: Any) -> None:
    url = os.environ.get("CALLSHEET_BUCKET")
    if not url:
        return
    options = json.loads(os.environ.get("CALLSHEET_BUCKET_OPTIONS", "{}"))
    session.locations.add(
        os.environ.get("CALLSHEET_BUCKET_LOCATION", "cloud"),
        accessor=FsspecAccessor(url, **options),
        structure=StandardStructure(),
        priority=50,
    )
