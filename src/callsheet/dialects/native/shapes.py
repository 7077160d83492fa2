"""The shapes of the native wire, as structs, and JSON.

Requests are decoded into these: a request has the right structure and 64-bit numbers, or is refused with the place of
the error. An unknown field is refused in a request, because its sender relies on it, and ignored in an answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from callsheet.dialects.protocol import Features
from callsheet.model.plain import decode, encode

__all__ = [
    "CellBody",
    "CellReply",
    "AddressReply",
    "AggregateBody",
    "AggregateReply",
    "AnswersReply",
    "Both",
    "CallReply",
    "Compare",
    "DescriptionReply",
    "Either",
    "ErrorReply",
    "FileReply",
    "FinishBody",
    "MeasureCompare",
    "MeasuresBoth",
    "MeasuresEither",
    "MeasuresNeither",
    "Neither",
    "PageReply",
    "PartBody",
    "QuestionsBody",
    "RecordsReply",
    "VersionsReply",
    "WHOLE_SCHEMA",
    "ResultReply",
    "SelectBody",
    "Some",
    "WatchBody",
    "WireAnswer",
    "WireChange",
    "WireSeen",
    "WireWatch",
    "WireArithmetic",
    "WireWindow",
    "WireChoice",
    "WireCondition",
    "WireConstant",
    "WireError",
    "WireFunction",
    "WireGroupOrder",
    "WireHaving",
    "WireLevel",
    "WireMeasure",
    "WireOrder",
    "WireParameter",
    "WirePath",
    "WireCause",
    "WireQuestion",
    "WireScoped",
    "WireSelect",
    "decode",
    "encode",
]

ARROW = "application/vnd.apache.arrow.stream"
"""The media type that requests a page as columns, by the header Accept."""
CURSOR = "x-callsheet-cursor"
"""The header with the next page's cursor, percent-encoded, of a page as columns."""
SCENARIO = "x-callsheet-scenario"
"""The header with the name of the scenario that a request is in, percent-encoded."""
WHOLE_SCHEMA = "x-callsheet-whole-schema"
"""The header of clients that accept the parts of a schema that only servers use."""

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
WirePath: TypeAlias = list[str | tuple[str, str]]
WireKey: TypeAlias = str | int | tuple[str | int, ...]
WireIdentity: TypeAlias = tuple[str, WireKey]


class Compare(Struct, tag_field="is", tag="comparison", omit_defaults=True, forbid_unknown_fields=True):
    """``value`` is packed; ``select`` takes its place for a subquery."""

    path: WirePath
    operator: str
    value: Any = None
    select: WireSelect | None = None


class Some(Struct, tag_field="is", tag="any", omit_defaults=True, forbid_unknown_fields=True):
    path: WirePath
    condition: WireCondition | None = None
    word: str = "any"


class Both(Struct, tag_field="is", tag="and", forbid_unknown_fields=True):
    conditions: list[WireCondition]


class Either(Struct, tag_field="is", tag="or", forbid_unknown_fields=True):
    conditions: list[WireCondition]


class Neither(Struct, tag_field="is", tag="not", forbid_unknown_fields=True):
    condition: WireCondition


WireCondition: TypeAlias = Compare | Some | Both | Either | Neither


class WireOrder(Struct, omit_defaults=True, forbid_unknown_fields=True):
    path: WirePath
    descending: bool = False


class WireSelect(Struct, omit_defaults=True, forbid_unknown_fields=True):
    entity_type: str
    projections: list[WirePath] = []
    where: WireCondition | None = None
    order: list[WireOrder] = []
    limit: Count | None = None
    offset: Count = 0
    top: WireTop | None = None
    sample: WireSample | None = None


class WireTop(Struct, omit_defaults=True, forbid_unknown_fields=True):
    number: Count
    by: list[WireOrder] = []
    per: WirePath | None = None


class WireSample(Struct, omit_defaults=True, forbid_unknown_fields=True):
    number: Count | None = None
    fraction: float | None = None
    method: str = "random"
    seed: Count = 0
    per: WirePath | None = None


class SelectBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    select: WireSelect
    size: Annotated[int, Meta(ge=1, le=10_000)]
    cursor: str | None = None


class WireFunction(Struct, tag_field="is", tag="function", omit_defaults=True, forbid_unknown_fields=True):
    name: str
    path: WirePath | None = None
    condition: WireCondition | None = None
    argument: float | None = None
    repeated: bool = False
    by: WirePath | None = None
    table: str = ""


class WireParameter(Struct, tag_field="is", tag="parameter", omit_defaults=True, forbid_unknown_fields=True):
    name: str
    levels: list[WireLevel] = []


class WireConstant(Struct, tag_field="is", tag="constant", forbid_unknown_fields=True):
    value: int | float


class WireArithmetic(Struct, tag_field="is", tag="arithmetic", forbid_unknown_fields=True):
    operator: str
    left: WireMeasure
    right: WireMeasure


class WireWindow(Struct, tag_field="is", tag="window", omit_defaults=True, forbid_unknown_fields=True):
    name: str
    of: WireMeasure
    levels: list[WireLevel] = []
    number: Count = 1


class WireChoice(Struct, tag_field="is", tag="choice", omit_defaults=True, forbid_unknown_fields=True):
    condition: WireHaving
    then: WireMeasure
    otherwise: WireMeasure | None = None


class WireScoped(Struct, tag_field="is", tag="scoped", forbid_unknown_fields=True):
    then: WireMeasure
    otherwise: WireMeasure
    levels: list[WireLevel]


WireMeasure: TypeAlias = (
    WireFunction | WireConstant | WireArithmetic | WireWindow | WireChoice | WireScoped | WireParameter
)


class WireLevel(Struct, tag_field="is", tag="level", omit_defaults=True, forbid_unknown_fields=True):
    path: WirePath
    band: str | None = None
    zone: str = "UTC"


class MeasureCompare(Struct, tag_field="is", tag="comparison", forbid_unknown_fields=True):
    """``value`` is packed."""

    measure: WireMeasure
    operator: str
    value: Any


class MeasuresBoth(Struct, tag_field="is", tag="and", forbid_unknown_fields=True):
    conditions: list[WireHaving]


class MeasuresEither(Struct, tag_field="is", tag="or", forbid_unknown_fields=True):
    conditions: list[WireHaving]


class MeasuresNeither(Struct, tag_field="is", tag="not", forbid_unknown_fields=True):
    condition: WireHaving


WireHaving: TypeAlias = MeasureCompare | MeasuresBoth | MeasuresEither | MeasuresNeither


class WireGroupOrder(Struct, omit_defaults=True, forbid_unknown_fields=True):
    by: WireMeasure | WireLevel
    descending: bool = False


class AggregateBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A function of an attribute is a pair, as in releases before 0.3; a level without a band is its path."""

    select: WireSelect
    functions: list[tuple[str, WirePath | None] | WireMeasure]
    group: list[WirePath | WireLevel] = []
    having: WireHaving | None = None
    order: list[WireGroupOrder] = []
    limit: Count | None = None
    offset: Count = 0
    totals: bool | list[list[Count]] = False
    shared: dict[str, list[tuple[WirePath, WirePath]]] = {}
    empty: bool = False


class WireQuestion(Struct, omit_defaults=True, forbid_unknown_fields=True):
    aggregate: AggregateBody
    at: Count | None = None
    scenario: str | None = None
    explain: bool = False


class QuestionsBody(Struct, forbid_unknown_fields=True):
    questions: list[WireQuestion]


class CellBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """``cell`` has packed values, None where ``totals`` has the bit of the level."""

    aggregate: AggregateBody
    cell: list[Any]
    since: Count
    until: Count | None = None
    measure: Count = 0
    totals: Count = 0


class WireCause(Struct, omit_defaults=True):
    position: int | None
    before: Any
    after: Any
    commit_id: str = ""
    user: str = ""
    time: datetime | None = None
    origin: str = ""
    entities: list[WireIdentity] = []
    changed: int = 0


class CellReply(Struct):
    since: int
    until: int
    before: Any
    after: Any
    additive: bool
    causes: list[WireCause]


class PartBody(Struct, forbid_unknown_fields=True):
    """``operations`` are decoded by `callsheet.model.converter`, like those of a commit."""

    operations: list[Any]


class ResultReply(Struct):
    commit_id: str
    position: int
    time: datetime
    versions: list[int | None]
    merged: list[int] = []
    deleted: list[WireIdentity] = []
    replayed: bool = False
    touched: list[tuple[WireIdentity, int, list[str]]] = []


class DescriptionReply(Struct, kw_only=True):
    """``schema`` is the schema's document."""

    server: str
    version: str
    time: datetime
    schema_hash: str
    schema: dict[str, Any] | None = None
    user: str = ""
    features: Features = msgspec.field(default_factory=Features)
    workspace: str = ""


class VersionsReply(Struct):
    """The oldest and the newest version of the wire that a server speaks."""

    oldest: int
    newest: int


class RecordsReply(Struct):
    type: str
    attributes: list[str]
    rows: Raw


class PageReply(Struct):
    records: list[RecordsReply]
    roots: int
    order: list[int] | None = None
    cursor: str | None = None


class AggregateReply(Struct):
    """``totals`` are, for each row, the levels that it does not tell apart, as bits; empty if no row is a total."""

    rows: list[list[Any]]
    totals: list[int] = []


class WireAnswer(Struct, omit_defaults=True):
    """``rows`` and ``totals`` as in `AggregateReply`; ``plan`` is packed."""

    rows: list[list[Any]]
    totals: list[int] = []
    position: int | None = None
    truncated: int | None = None
    plan: Any = None


class WireSeen(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """The result that a reader has; without ``digest``, only its position is known."""

    position: int
    digest: str = ""


class WireWatch(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """``at`` and ``scenario`` are refused: what is watched is of the present."""

    aggregate: AggregateBody
    since: WireSeen | None = None
    at: int | None = None
    scenario: str | None = None


class WatchBody(Struct, forbid_unknown_fields=True):
    watches: list[WireWatch]


class WireChange(Struct, omit_defaults=True):
    """``rows`` and ``gone`` have ``totals`` as in `AggregateReply`; without ``before``, ``rows`` are all rows."""

    watch: int
    position: int
    digest: str
    rows: list[list[Any]]
    totals: list[int] = []
    before: int | None = None
    places: list[int] = []
    gone: list[list[Any]] = []
    gone_totals: list[int] = []
    truncated: int | None = None
    reason: str = ""


class AnswersReply(Struct):
    answers: list[WireAnswer]


class CallReply(Struct):
    result: Any


class FileReply(Struct):
    size: int | None
    received: int


class FinishBody(Struct, forbid_unknown_fields=True):
    size: int
    checksum: str


class AddressReply(Struct):
    address: str


class WireError(Struct, omit_defaults=True):
    kind: str
    message: str
    operation: int | None = None
    entity: WireIdentity | None = None
    attribute: str | None = None
    details: dict[str, Any] | UnsetType = UNSET


class ErrorReply(Struct):
    error: WireError
