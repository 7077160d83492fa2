"""Rows as Arrow data, made by nanoarrow: how they get into DuckDB without an SQL statement for each.

Only texts, integers and floats are made; everything else travels as a text or as 0 and 1, and DuckDB converts it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal, TypeAlias

import nanoarrow

__all__ = ["Kind", "batch_of"]

Kind: TypeAlias = Literal["text", "integer", "number"]

_CODES = {"integer": "q", "number": "d"}
_TYPES = {"text": nanoarrow.string, "integer": nanoarrow.int64, "number": nanoarrow.float64}


def batch_of(names: Sequence[str], kinds: Sequence[Kind], rows: Sequence[Sequence[Any]]) -> nanoarrow.ArrayStream:
    """The rows as a stream of one batch with these columns.

    >>> stream = batch_of(["name", "bid"], ["text", "number"], [("a", None), (None, 2.0)])
    >>> stream.read_all().to_pylist()
    [{'name': 'a', 'bid': None}, {'name': None, 'bid': 2.0}]
    """
    columns = list(zip(*rows)) if rows else [()] * len(names)
    schema = nanoarrow.struct({name: _TYPES[kind]() for name, kind in zip(names, kinds)})
    children = [_column(kind, values) for kind, values in zip(kinds, columns)]
    batch = nanoarrow.c_array_from_buffers(schema, len(rows), [None], children=children)
    return nanoarrow.ArrayStream(nanoarrow.Array(batch))


def _column(kind: Kind, values: Sequence[Any]) -> Any:
    missing = values.count(None)
    present = nanoarrow.c_buffer([value is not None for value in values], nanoarrow.bool_()) if missing else None
    buffers: list[Any] = [present]
    if kind == "text":
        encoded = [b"" if value is None else value.encode("utf-8", "replace") for value in values]
        buffers += [array("i", accumulate(map(len, encoded), initial=0)), b"".join(encoded)]
    else:
        buffers.append(array(_CODES[kind], [0 if value is None else value for value in values]))
    return nanoarrow.c_array_from_buffers(_TYPES[kind](), len(values), buffers, null_count=missing)
