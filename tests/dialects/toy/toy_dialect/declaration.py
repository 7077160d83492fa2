"""What is particular to the toy."""

from __future__ import annotations

from callsheet.dialects.declaration import DialectDeclaration, EnvironmentNames

__all__ = ["TOY"]

TOY = DialectDeclaration(
    "toy",
    "toy_dialect.client:ToyDialect",
    "toy_dialect.server:HALF",
    environment=EnvironmentNames(
        server=("TOY_SERVER",), user=("TOY_USER",), key=("TOY_KEY",), plugin_paths=("TOY_PLUGINS",)
    ),
    recognises=lambda address: address.endswith(".toy.example"),
    topics={"toy.ready": "callsheet.session.ready"},
)
