"""What every dialect must do, as tests that a dialect's author inherits.

Write a subclass, give it a fixture ``session_factory``, and pytest finds the rest::

    @pytest.fixture(scope="module")
    def server():
        with my_server() as server:
            yield server

    class TestMyDialect(DialectContract):
        @pytest.fixture
        def session_factory(self, server):
            return lambda: Session(server.url, api_key=server.key, dialect="mine")

The factory gives a new session on one and the same server each time. The server holds the production
schema, or one of the author's own that has at least `REQUIRED`; what else is in it does not matter, and the
tests leave behind what they made. A test of what the server's `Features` do not promise is skipped.
"""

from __future__ import annotations

from callsheet.testing.contract.case import REQUIRED
from callsheet.testing.contract.reading import ReadingContract
from callsheet.testing.contract.values import VALUES, ValuesContract
from callsheet.testing.contract.writing import WritingContract

__all__ = ["REQUIRED", "VALUES", "DialectContract"]


class DialectContract(ReadingContract, WritingContract, ValuesContract):
    """The tests; see the module's text for how to inherit them."""
