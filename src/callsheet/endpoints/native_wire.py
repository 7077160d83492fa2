"""The native wire as facts of an OpenAPI description: its addresses, bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.dialects.native import shapes
from callsheet.dialects.native.shapes import ARROW

__all__ = ["WIRE", "DescribedOperation"]

JSON, EVENTS, BYTES = "application/json", "text/event-stream", "application/octet-stream"


@frozen
class DescribedOperation:
    """One method of an address. A body or an answer is a struct, a media type, or ``dict`` for any JSON object."""

    method: str
    path: str
    summary: str
    body: Any = None
    answer: Any = None
    #: The parameters of the address, with what they mean.
    query: Mapping[str, str] = {}
    public: bool = False


KEY = "/v1/files/{key}"
OFFSET = {"offset": "where the part begins, in bytes"}

WIRE = (
    DescribedOperation("get", "/healthz", "Whether the server is ready", answer=dict, public=True),
    DescribedOperation("get", "/openapi.json", "This description", answer=dict, public=True),
    DescribedOperation(
        "get",
        "/v1/description",
        "Who the server is, and its schema",
        answer=shapes.DescriptionReply,
        query={"known": "the hash of the schema that the caller has"},
    ),
    DescribedOperation("get", "/versions/rest", "The versions of the wire", answer=shapes.VersionsReply, public=True),
    DescribedOperation("get", "/capabilities", "What the caller may do", answer=dict, public=True),
    DescribedOperation("get", "/v1/me", "Who calls", answer=dict),
    DescribedOperation("post", "/v1/select", "A page of records", shapes.SelectBody, shapes.PageReply),
    DescribedOperation("post", "/v1/aggregate", "Numbers by group", shapes.AggregateBody, shapes.AggregateReply),
    DescribedOperation(
        "post", "/v1/ask", "Several aggregates in one snapshot", shapes.QuestionsBody, shapes.AnswersReply
    ),
    DescribedOperation("post", "/v1/why", "Which commits changed a number", shapes.CellBody, shapes.CellReply),
    DescribedOperation("post", "/v1/commits/{id}", "Applies a change set, once", dict, shapes.ResultReply),
    DescribedOperation(
        "post", "/v1/commits/{id}/parts/{number}", "Keeps a part of a large commit", shapes.PartBody, dict
    ),
    DescribedOperation("post", "/v1/call/{action}", "An action; its arguments are the body", dict, shapes.CallReply),
    DescribedOperation(
        "get",
        "/v1/events",
        "Events as they happen",
        answer=EVENTS,
        query={"after": "a position, such as 12.3", "filter": "an expression of events"},
    ),
    DescribedOperation("post", "/v1/watch", "Answers of aggregates as they change", shapes.WatchBody, EVENTS),
    DescribedOperation("post", "/v1/events", "Publishes an event", dict, dict),
    DescribedOperation("put", "/v1/tables/loads/{id}/{number}", "Keeps a part of the rows of a load", ARROW, dict),
    DescribedOperation("get", KEY, "What there is of a component's file", answer=shapes.FileReply),
    DescribedOperation("delete", KEY, "Removes a component's file"),
    DescribedOperation(
        "put", KEY + "/data", "Adds a part of a file", BYTES, dict, {**OFFSET, "checksum": "its SHA-256"}
    ),
    DescribedOperation(
        "get", KEY + "/data", "A part of a file", answer=BYTES, query={**OFFSET, "size": "the bytes of the part"}
    ),
    DescribedOperation("post", KEY + "/finish", "The upload becomes the file", shapes.FinishBody, dict),
    DescribedOperation("get", KEY + "/address", "A signed path of the file", answer=shapes.AddressReply),
)
