"""A two-way sync of awaited sessions does what one of blocking ones does."""

from __future__ import annotations

import pytest

from callsheet import AsyncSession, AsyncSync, SessionSide, Sync, TypePair
from callsheet.errors import UsageError

MAPPING = [TypePair("Project", "Project", ["name", "description"], adopt=["name"])]


@pytest.mark.anyio
async def test_awaited_sessions_are_kept_in_step() -> None:
    """Both ways, and the next plan is empty."""
    async with AsyncSession("memory:") as left, AsyncSession("memory:") as right:
        left.create("Project", {"name": "sintel"})
        await left.commit()
        right.create("Project", {"name": "spring", "description": "a film"})
        await right.commit()
        sync = AsyncSync(left, SessionSide(right, "mirror"), MAPPING)
        result = await (await sync.plan()).apply()
        assert (len(result.left), len(result.right), result.refused) == (1, 1, ())
        for session in (left, right):
            found = await session.fork().query("select name, description from Project").all()
            assert {each["name"]: each["description"] for each in found} == {"sintel": None, "spring": "a film"}
        assert (await sync.plan()).is_empty


def test_what_makes_no_sense_is_refused() -> None:
    """Sides that are none, mappings with mistakes: all of them at once."""
    from callsheet import Session

    with Session("memory:") as session:
        with pytest.raises(UsageError, match="a side is a session or has the methods"):
            Sync(session, 3, MAPPING)  # type: ignore[arg-type]
        wrong = TypePair("Shot", "Shot", ["name"], adopt=["nmae"], conflicts="mine", delete="perhaps", creates="x")
        with pytest.raises(UsageError) as caught:
            Sync(session, session.fork(), [wrong, wrong])
        text = str(caught.value)
        for part in ("'mine' is none of left, right", "'nmae' is not among", "delete is one of", "creates is one of"):
            assert part in text
        assert "Shot of the left is in several pairs" in text
        plan = Sync(session, SessionSide(session.fork(), "self"), MAPPING).plan()
        plan.apply()
        with pytest.raises(UsageError, match="applied once"):
            plan.apply()
