"""The contract of dialects, over both halves of ftrack's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from callsheet import Session
from callsheet.errors import Detached
from callsheet.testing.contract import VALUES, DialectContract
from dialects.embedded import Direct, session_over


class TestFtrackInProcess(DialectContract):
    @pytest.fixture
    def session_factory(self, service: Any) -> Callable[[], Session]:
        return partial(session_over, Direct(service))

    def test_a_delete_takes_along_what_hangs_from_it(self, session: Session, other: Session, cut: Any) -> None:
        """The server does not tell what went along, so an entity says that it is gone when it is read again."""
        task = session.query(f"Task where parent.parent.id is {cut.id} and name is a").one()
        session.delete(cut)
        session.commit()
        assert other.get("Task", task.id) is None
        session.refresh(task)
        with pytest.raises(Detached):
            task["name"]

    @pytest.mark.parametrize(("entity_type", "attribute", "value"), VALUES)
    def test_a_value_comes_back_as_it_went(
        self, session: Session, other: Session, entity_type: str, attribute: str, value: Any
    ) -> None:
        """Of every kind; but date-times are kept to the second."""
        if isinstance(value, datetime):
            value = value.replace(microsecond=0)
        super().test_a_value_comes_back_as_it_went(session, other, entity_type, attribute, value)
