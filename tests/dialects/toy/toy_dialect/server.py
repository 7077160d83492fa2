"""The server's half: one route, whose bodies are of a type and a size of its own."""

from __future__ import annotations

import pickle
from typing import Any

from callsheet.dialects.protocol import Backend
from callsheet.dialects.routes import Credentials, Intake, Route, Visit, WebRequest
from callsheet.dialects.serving import ServerHalf
from callsheet.errors import CallsheetError, NotFound, ServerError
from callsheet.flow import Response

__all__ = ["HALF", "answer"]

VERBS = ("describe", "select", "aggregate", "stage", "commit", "call")
LARGEST = 20 * 2**20


def answer(backend: Backend, path: str, body: bytes) -> Response:
    """The answer to a request: what the verb gives, or the error it raises."""
    verb = path.rpartition("/")[2]
    try:
        if verb not in VERBS:
            raise NotFound(f"the toy has no {verb}")
        return _response(200, getattr(backend, verb)(*pickle.loads(body)))
    except CallsheetError as error:
        return refuse(error)


def refuse(error: CallsheetError) -> Response:
    """The error itself travels."""
    return _response(error.status if isinstance(error, ServerError) else 422, error)


def _response(status: int, answered: Any) -> Response:
    return Response(status, pickle.dumps(answered), {"content-type": "application/x-toy"})


def _credentials(request: WebRequest) -> Credentials:
    return Credentials(request.header("toy-user") or None, request.header("toy-key"))


def _visit(visit: Visit) -> Response:
    return answer(visit.backend, visit.request.path, visit.request.body)


INTAKE = Intake(LARGEST, frozenset({"application/x-toy"}))
HALF = ServerHalf(routes=(Route("/toy/{verb}", _visit, ("POST",), _credentials, refuse, INTAKE),))
