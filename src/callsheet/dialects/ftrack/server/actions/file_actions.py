"""Addresses for files, and what becomes of media."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from callsheet.dialects.ftrack.server.actions.arguments import existing, text_of
from callsheet.dialects.ftrack.server.actions.jobs import add_job
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.errors import Invalid

__all__ = ["complete_multipart_upload", "encode_media", "generate_signed_url", "get_upload_metadata"]

Arguments = Mapping[str, Any]
PART = 10_000
"""Parts of one upload."""


def get_upload_metadata(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """The address to upload a component's file to, or an address for each part."""
    key, name = text_of(arguments, "component_id"), arguments.get("file_name") or ""
    size, parts = arguments.get("file_size", 0), arguments.get("parts")
    if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Invalid("file_name must be a text, and file_size a number of bytes.")
    if parts:
        if not isinstance(parts, int) or isinstance(parts, bool) or not 0 < parts <= PART:
            raise Invalid(f"parts must be a number from 1 to {PART:,}.")
        upload = work.files.new_upload(key, parts)
        numbers = range(1, parts + 1)
        urls = [
            {"signed_url": work.asked.url + address, "part_number": number}
            for number, address in zip(numbers, work.files.upload_addresses(key, numbers))
        ]
        return {"component_id": key, "urls": urls, "upload_id": upload}
    headers = {"Content-Type": "application/octet-stream"}
    return {"component_id": key, "url": work.asked.url + work.files.upload_addresses(key)[0], "headers": headers}


def complete_multipart_upload(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Join the parts of an upload."""
    key, upload, parts = text_of(arguments, "component_id"), text_of(arguments, "upload_id"), arguments.get("parts")
    numbers = (
        [part.get("part_number") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    )
    if not numbers or len(numbers) != len(parts or ()) or not all(type(number) is int for number in numbers):
        raise Invalid("parts must be a list of tables with part_number and e_tag.")
    work.files.join(key, upload, [int(number) for number in numbers if number is not None])
    url = f"{work.asked.url}/component/get?id={quote(key, safe='')}"
    return {"action": "complete_multipart_upload", "component_id": key, "url": url}


def encode_media(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """A failed job: this server encodes no media."""
    component = text_of(arguments, "component_id")
    existing(work, "Component", component)
    version = arguments.get("version_id")
    if version is not None:
        existing(work, "AssetVersion", text_of(arguments, "version_id"))
    data = {
        "description": "This server encodes no media: make the files for review elsewhere, and publish them.",
        "source_component_id": component,
        "keep_original": bool(arguments.get("keep_original")),
        "output": [],
    }
    return {"job_id": add_job(work, {"data": json.dumps(data), "status": "failed", "type": "api_job"})}


def generate_signed_url(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """An address that a component's file can be read at without a key."""
    key = text_of(arguments, "component_id")
    return {"url": work.asked.url + work.files.reading_address(key)}
