"""Plain data: what JSON can hold, as the form in which the model travels and is stored."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

from callsheet.errors import SchemaError

__all__ = ["Malformed", "decode", "encode"]


class Malformed(ValueError):
    """Data does not have the shape that its format demands; the reader turns this into an error of its own side."""


T = TypeVar("T")


def encode(data: Any) -> bytes:
    """JSON; `SchemaError` for text that is no Unicode."""
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError as error:
        raise SchemaError(f"text with half of a surrogate pair cannot be sent: {error.object!r:.80}") from None
    except (OverflowError, TypeError, msgspec.MsgspecError) as error:
        raise SchemaError(f"a value cannot be sent: {error}") from None


@overload
def decode(data: bytes) -> Any: ...


@overload
def decode(data: bytes, shape: type[T]) -> T: ...


def decode(data: bytes, shape: Any = Any) -> Any:
    """The data of this shape (without one: any) that JSON holds; `Malformed` with the reason and the place."""
    try:
        return _decoder(shape).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from None
    except RecursionError:
        raise Malformed("the JSON is nested too deep") from None


_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    found = _DECODERS.get(shape)
    if found is None:
        found = _DECODERS[shape] = msgspec.json.Decoder(shape)
    return found
