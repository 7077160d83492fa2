"""The declaration of Callsheet's own wire, which needs no particular properties."""

from __future__ import annotations

from callsheet.dialects.declaration import DialectDeclaration

__all__ = ["NATIVE"]

NATIVE = DialectDeclaration(
    "native", "callsheet.dialects.native.client:NativeDialect", "callsheet.dialects.native.routes:HALF"
)
