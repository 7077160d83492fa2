"""Values, items and members come back as they went."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from callsheet.session.blocking import Session
from callsheet.testing.contract.case import ContractCase, mark

__all__ = ["ValuesContract"]

VALUES: list[tuple[str, str, Any]] = [
    ("Shot", "description", ""),
    ("Shot", "description", "quotes \" and ' and \\ and %_* and a\nline"),
    ("Shot", "description", "žluťoučký 東京 🎬 e\u0301"),
    ("Shot", "description", "x" * 10_000),
    ("Shot", "description", None),
    ("Shot", "fstart", 0),
    ("Shot", "fstart", -(2**63)),
    ("Shot", "fstart", 2**63 - 1),
    ("Project", "fps", 23.976),
    ("Project", "fps", 1e-300),
    ("Project", "fps", None),
    ("Project", "is_private", True),
    ("Project", "is_private", False),
    ("Project", "lifecycle", "archived"),
    ("Shot", "due_date", date(1, 1, 1)),
    ("Shot", "due_date", date(9999, 12, 31)),
    ("Location", "accessor", None),
    ("Location", "accessor", []),
    ("Location", "accessor", {"a": [1, 2.5, True, None, {"b": "ž"}], "1": {}, "": ""}),
    ("CalendarEvent", "start", datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)),
    ("CalendarEvent", "start", datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))),
    ("CalendarEvent", "start", datetime(1970, 1, 1, tzinfo=UTC)),
]


class ValuesContract(ContractCase):
    """Every kind of value, in a create and in an update alike."""

    @pytest.mark.parametrize(("entity_type", "attribute", "value"), VALUES)
    def test_a_value_comes_back_as_it_went(
        self, session: Session, other: Session, entity_type: str, attribute: str, value: Any
    ) -> None:
        """Of every kind, of the same type, in a create and in an update alike."""
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        needed: dict[str, dict[str, Any]] = {"CalendarEvent": {"start": moment, "end": moment}}
        data = {"name": mark(), **needed.get(entity_type, {})}
        if entity_type == "Shot":
            data["parent"] = session.create("Project", {"name": mark()})
        created = session.create(entity_type, {**data, attribute: value})
        updated = session.create(entity_type, {**data, "name": mark()})
        session.commit()
        updated[attribute] = value
        session.commit()
        for entity in (created, updated):
            found = other.get(entity_type, entity.id)[attribute]
            assert found == value
            if not isinstance(value, dict | list):
                assert type(found) is type(value)

    def test_items_of_a_mapping_are_written_one_by_one(self, session: Session, other: Session, project: Any) -> None:
        """Two writers of different items do not meet; None removes one."""
        found = other.get("Project", project.id)
        project["metadata"]["ours"] = "1"
        project["metadata"]["both"] = "ours"
        session.commit()
        found["metadata"]["theirs"] = '2 = two; "quoted"'
        other.commit()
        session.refresh(project)
        assert dict(project["metadata"]) == {"ours": "1", "both": "ours", "theirs": '2 = two; "quoted"'}
        project["metadata"]["both"] = None
        del project["metadata"]["theirs"]
        session.commit()
        other.refresh(found)
        assert dict(found["metadata"]) == {"ours": "1"}

    def test_a_mapping_comes_with_a_create(self, session: Session, other: Session) -> None:
        """And can be queried by item."""
        name = mark()
        session.create("Project", {"name": name, "metadata": {"show": name, "with space": "x"}})
        session.commit()
        (found,) = other.query(f'Project where metadata.show is "{name}"').all()
        assert dict(found["metadata"]) == {"show": name, "with space": "x"}

    def test_members_travel_as_added_and_removed(self, session: Session, other: Session, project: Any) -> None:
        """Two writers add beside each other, without having loaded anything; and both sides agree."""
        tags = [session.create("Tag", {"name": mark()}) for _ in range(3)]
        session.commit()
        found, theirs = other.get("Project", project.id), other.get("Tag", tags[1].id)
        project["tags"].append(tags[0])
        found["tags"].append(theirs)
        other.commit()
        session.commit()
        session.refresh(project)
        assert {tag.id for tag in session.fork().get("Project", project.id)["tags"]} == {tags[0].id, tags[1].id}
        tags[2]["contexts"].append(project)
        project["tags"].remove(tags[0])
        session.commit()
        fresh = other.fork()
        assert {tag.id for tag in fresh.get("Project", project.id)["tags"]} == {tags[1].id, tags[2].id}
        assert [context.id for context in fresh.get("Tag", tags[2].id)["contexts"]] == [project.id]
        assert list(fresh.get("Tag", tags[0].id)["contexts"]) == []

    def test_a_child_changes_parents_from_either_side(self, session: Session, other: Session, cut: Any) -> None:
        """By its reference, or by the collection it joins."""
        one, two = session.query(f"Shot where parent.id is {cut.id} order by name").all()
        a, b = session.query(f"Task where parent.id is {one.id} order by name").all()
        a["parent"] = two
        two["children"].append(b)
        session.commit()
        assert list(other.get("Shot", one.id)["children"]) == []
        assert {task["name"] for task in other.get("Shot", two.id)["children"]} == {"a", "b", "c", "d"}
