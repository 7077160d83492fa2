"""Sessions derived from another one: forks that start with what it knows, and may be kept from talking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from callsheet.dialects.offline import OfflineDialect
from callsheet.session.moving import copy_known

__all__ = ["with_cache"]

S = TypeVar("S")


@contextmanager
def with_cache(
    session: S, using_requests: bool, using_models: bool, timeout: float | None, verbose: bool | None
) -> Iterator[S]:
    """A fork for a block (see `FrontDoor.with_cache`)."""
    # Any: the front door imports this file.
    maker: Any = session
    known = list(maker.identities) if using_models else []
    derived = maker.fork()
    derived.identities.widen(len(known))
    if not using_requests:
        offline = OfflineDialect(maker.declaration)
        derived._dialect = offline
        derived._connection = attrs.evolve(derived._connection, dialect=offline)
        derived._event_hub = None
    if timeout is not None and using_requests:
        derived.set_timeout(timeout)
    if verbose is not None:
        derived.verbose = verbose
    derived.identities.keep(copy_known(known, derived))
    try:
        yield derived
    finally:
        derived._closed = True
