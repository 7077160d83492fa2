"""Pictures are scaled down by the library Pillow (the extra ``pictures``)."""

from __future__ import annotations

import io
from pathlib import Path

__all__ = ["smaller"]

LARGEST = 50_000_000
"""Pictures with more pixels are not scaled, because decoding needs several bytes for each."""


def smaller(path: Path, size: int) -> bytes | None:
    """The picture as PNG, at most ``size`` pixels wide and high.

    None if it is small enough already, cannot be read, is very large, or Pillow is not installed: then the picture is
    sent unchanged.
    """
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(path) as picture:
            if max(picture.size) <= size or picture.width * picture.height > LARGEST:
                return None
            picture.thumbnail((size, size))
            made = io.BytesIO()
            picture.convert("RGBA" if "transparency" in picture.info or picture.mode == "RGBA" else "RGB").save(
                made, "PNG"
            )
            return made.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
