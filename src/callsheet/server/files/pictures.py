"""Pictures made smaller, by the library Pillow (the extra ``pictures``)."""

from __future__ import annotations

import io
from pathlib import Path

__all__ = ["smaller"]

LARGEST = 50_000_000
"""Pixels of a picture that is made smaller; unfolding it takes some bytes for each."""


def smaller(path: Path, size: int) -> bytes | None:
    """The picture as PNG, at most so many pixels wide and high.

    None where it is that small already, cannot be read, is very large, or the library is not installed: then whoever
    asks gets the picture as it is.
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
