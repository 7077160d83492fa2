"""A page as columns on the wire: an Arrow IPC stream of one batch, made by nanoarrow.

Theory. A client that wants columns (`to_arrow`, frames, Parquet) would decode each value of a row page to a Python
object, only to encode it again. So the server sends the columns in Arrow's own layout, which the client maps without
looking at a value. Each column is made of its buffers: values of fixed size by `array`, texts joined, lists as offsets
into the texts of their items; a bitmap says which values are there. Dates are days, datetimes microseconds, since 1970
and in UTC. JSON data (mappings, values of type ``json``) are texts.

The layout is described at https://arrow.apache.org/docs/format/Columnar.html.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import accumulate, chain
from typing import Any

from callsheet.dialects.protocol import ColumnPage
from callsheet.model.plain import encode

__all__ = ["can_write", "stream_of_page"]

FIRST_DAY = date(1970, 1, 1).toordinal()
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
JSON = ("json", "mapping", "custom")


def can_write() -> bool:
    """Whether the package that writes Arrow is installed."""
    return find_spec("nanoarrow") is not None


def stream_of_page(page: ColumnPage) -> bytes:
    """The page as an Arrow IPC stream: its schema, and one batch.

    >>> stream = stream_of_page(ColumnPage(["name", "bid"], ["string", "number"], [["a", None], [1.5, 2.0]]))
    >>> import pyarrow
    >>> pyarrow.ipc.open_stream(stream).read_all().to_pylist()
    [{'name': 'a', 'bid': 1.5}, {'name': None, 'bid': 2.0}]
    """
    nanoarrow, ipc = _packages()
    columns = [_column(nanoarrow, kind, list(values)) for kind, values in zip(page.kinds, page.values)]
    # Two paths that differ by a cast alone have one name, and a struct of nanoarrow has each name once.
    names = [name if name not in page.names[:place] else f"{name} {place}" for place, name in enumerate(page.names)]
    schema = nanoarrow.struct({name: _type(nanoarrow, kind) for name, kind in zip(names, page.kinds)})
    length = len(page.values[0]) if page.values else 0
    batch = nanoarrow.c_array_from_buffers(schema, length, [None], children=columns)
    output = BytesIO()
    with ipc.StreamWriter.from_writable(output) as writer:
        writer.write_array(batch)
    return output.getvalue()


def _packages() -> tuple[Any, Any]:
    return import_module("nanoarrow"), import_module("nanoarrow.ipc")


def _column(nanoarrow: Any, kind: str, values: list[Any]) -> Any:
    """One column as an array of nanoarrow."""
    missing = values.count(None)
    present = nanoarrow.c_buffer([value is not None for value in values], nanoarrow.bool_()) if missing else None
    buffers: list[Any] = [present]
    children = []
    if kind == "list":
        buffers.append(array("i", accumulate((len(value or ()) for value in values), initial=0)))
        children.append(_text_column(nanoarrow, list(chain.from_iterable(value or () for value in values)), None, 0))
    elif kind == "boolean":
        # nanoarrow cannot finish an array whose bitmap has no bit.
        buffers.append(nanoarrow.c_buffer([bool(value) for value in values], nanoarrow.bool_()) if values else b"")
    elif kind in NUMBERS:
        code, number = NUMBERS[kind]
        buffers.append(array(code, [0 if value is None else number(value) for value in values]))
    else:
        if kind in JSON:
            values = [None if value is None else encode(value).decode() for value in values]
        return _text_column(nanoarrow, values, present, missing)
    return nanoarrow.c_array_from_buffers(
        _type(nanoarrow, kind), len(values), buffers, null_count=missing, children=children
    )


def _text_column(nanoarrow: Any, values: Sequence[str | None], present: Any, missing: int) -> Any:
    encoded = [b"" if value is None else value.encode("utf-8", "replace") for value in values]
    offsets = array("i", accumulate(map(len, encoded), initial=0))
    return nanoarrow.c_array_from_buffers(
        nanoarrow.string(), len(values), [present, offsets, b"".join(encoded)], null_count=missing
    )


def _microseconds(value: datetime) -> int:
    since = value - FIRST_MOMENT
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _days(value: date) -> int:
    return value.toordinal() - FIRST_DAY


NUMBERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "integer": ("q", int),
    "number": ("d", float),
    "date": ("i", _days),
    "datetime": ("q", _microseconds),
}


def _type(nanoarrow: Any, kind: str) -> Any:
    if kind == "datetime":
        return nanoarrow.timestamp("us", "UTC")
    if kind == "list":
        return nanoarrow.list_(nanoarrow.string())
    if kind == "boolean":
        return nanoarrow.bool_()
    types = {"integer": nanoarrow.int64, "number": nanoarrow.float64, "date": nanoarrow.date32}
    return types.get(kind, nanoarrow.string)()
