"""Callsheet's own wire, and what is particular to it: nothing."""

from __future__ import annotations

from callsheet.dialects.declaration import DialectDeclaration

__all__ = ["NATIVE"]

NATIVE = DialectDeclaration(
    "native", "callsheet.dialects.native.client:NativeDialect", "callsheet.dialects.native.routes:HALF"
)
