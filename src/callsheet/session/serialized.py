"""A session as a text: where and who it is, and, on request, what is pending and its login, encrypted.

The text is JSON and has no secret: a login is in it only as a JWE (RFC 7516) under a passphrase, from which the key is
derived by PBES2 (RFC 7518 §4.8).
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import frozen

from callsheet.credentials.login import SessionLogin
from callsheet.credentials.token_store import tokens_from_plain, tokens_to_plain
from callsheet.errors import UsageError
from callsheet.model.converter import operations_from_plain, operations_to_plain
from callsheet.model.plain import Malformed
from callsheet.secret import Secret

if TYPE_CHECKING:
    from callsheet.model.operation import Operation

__all__ = ["SerializedSession", "from_text", "login_of", "to_text"]

FORMAT = 1
ALGORITHM, ENCRYPTION, ROUNDS, MOST_ROUNDS = "PBES2-HS512+A256KW", "A256GCM", 210_000, 1_000_000
SHORTEST = 8
_log = logging.getLogger("callsheet")


@frozen
class SerializedSession:
    """What a text holds. ``login`` is encrypted; ``schema`` is the hash of the schema, empty if it was not known."""

    url: str
    user: str
    dialect: str = ""
    profile: str = ""
    name: str = ""
    schema: str = ""
    operations: tuple[Operation, ...] = ()
    login: str = ""

    def compare(self, schema: str) -> None:
        """Log a warning if the server's schema is another one now."""
        if self.schema and self.schema != schema:
            _log.warning("%s: the schema has changed since this session was serialised", self.url)


def to_text(session: Any, include_token: bool, passphrase: Secret | None, pending: bool) -> str:
    """The text of a session; see `Session.serialize`."""
    connection = session._connection
    if connection.server.startswith("memory:"):
        raise UsageError("a database in memory ends with its session; use a file, sqlite:///…, to come back to it")
    if pending and session.unit.doubtful is not None:
        raise UsageError(
            "the last commit is in doubt: end it by `commit()` or `settle()` before you serialise the session"
        )
    plain = {
        "callsheet": FORMAT,
        "url": connection.server,
        "user": connection.user,
        "dialect": "" if connection.service is not None else session._dialect.name,
        "profile": "" if include_token else connection.profile,
        "name": session.name or "",
        "schema": "" if session._description is None else session.server_information.schema_hash,
    }
    if pending:
        plain["pending"] = operations_to_plain(session.pending)
    if include_token:
        plain["login"] = _sealed(session._login, passphrase)
    elif passphrase is not None:
        raise UsageError("a passphrase encrypts the login: give `include_token=True` too")
    return msgspec.json.encode(plain).decode()


def from_text(text: str) -> SerializedSession:
    """What a text holds; raises `UsageError` if it is none, is damaged, or is of another version."""
    if not isinstance(text, str):
        raise UsageError(f"a serialised session is a text, not {type(text).__name__}")
    try:
        plain = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError):
        raise UsageError("this text is no serialised session, or it is damaged: it is not JSON") from None
    if not isinstance(plain, dict) or "callsheet" not in plain:
        raise UsageError("this text is no serialised session: `Session.serialize()` makes one")
    if plain["callsheet"] != FORMAT:
        raise UsageError(
            f"this session was serialised by another version of Callsheet (format {plain['callsheet']!r:.20}; "
            f"this one reads {FORMAT})"
        )
    texts = {name: plain.get(name, "") for name in ("url", "user", "dialect", "profile", "name", "schema", "login")}
    wrong = next((name for name, value in texts.items() if not isinstance(value, str)), None)
    if wrong is not None or not texts["url"]:
        raise UsageError(f"this serialised session is damaged: `{wrong or 'url'}` is missing or no text")
    try:
        operations = operations_from_plain(plain.get("pending", []))
    except Malformed as error:
        raise UsageError(f"this serialised session is damaged: its pending work cannot be read: {error}") from None
    return SerializedSession(**texts, operations=operations)


def login_of(found: SerializedSession, passphrase: Secret | None) -> SessionLogin | None:
    """The login in a text, opened with its passphrase; None if there is none."""
    if not found.login:
        return None
    if passphrase is None:
        raise UsageError("this serialised session has a login: give the passphrase, `deserialize(text, passphrase=…)`")
    return SessionLogin(None, tokens_from_plain(_opened(found.login, passphrase)))


def _sealed(login: SessionLogin | None, passphrase: Secret | None) -> str:
    if login is None or login.tokens is None:
        raise UsageError("this session has no login to include: it acts by an API key, or it has logged out")
    if passphrase is None or len(passphrase.reveal()) < SHORTEST:
        raise UsageError(f"`include_token` needs a `passphrase` of at least {SHORTEST} characters, which encrypts it")
    jwe, key, registry = _library(passphrase)
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "p2c": ROUNDS}
    sealed: str = jwe.encrypt_compact(header, tokens_to_plain(login.tokens), key, registry=registry)
    return sealed


def _opened(sealed: str, passphrase: Secret) -> bytes:
    jwe, key, registry = _library(passphrase)
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(sealed.partition(".")[0] + "=="))
        if not 1_000 <= header["p2c"] <= MOST_ROUNDS:
            raise ValueError("not one of ours")
        content: bytes = jwe.decrypt_compact(sealed, key, registry=registry).plaintext
    except Exception:
        raise UsageError("the passphrase is wrong, or the serialised login is damaged") from None
    return content


def _library(passphrase: Secret) -> tuple[Any, Any, Any]:
    try:
        from joserfc import jwe
        from joserfc.jwk import OctKey
    except ImportError:
        raise UsageError(
            "a login is encrypted by joserfc, which comes with the extra `server`: pip install 'callsheet[server]'"
        ) from None
    registry = jwe.JWERegistry(algorithms=[ALGORITHM, ENCRYPTION])
    return jwe, OctKey.import_key(passphrase.reveal()), registry
