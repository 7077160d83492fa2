"""What every dialect must do when it is read: opening, conditions, order, pages, projections, numbers."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet.core.asking import ask
from callsheet.errors import MultipleResults, NoResult
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.question import Question
from callsheet.session.blocking import Session
from callsheet.testing.contract.case import REQUIRED, ContractCase

__all__ = ["ReadingContract"]

#: Conditions on the tasks of ``cut``, and the names of those that fulfil them, in the order of their names.
CONDITIONS: list[tuple[str, str]] = [
    ("bid = 2", "b"),
    ("bid is 2", "b"),
    ("bid != 2", "a c d"),
    ("bid is_not 2", "a c d"),
    ("bid < 2", "a"),
    ("bid <= 2", "a b"),
    ("bid > 2", "c"),
    ("bid >= 2", "b c"),
    ("bid in (1, 3)", "a c"),
    ("bid not_in (1, 3)", "b d"),
    ("description is None", "d"),
    ("description is_not None", "a b c"),
    ('description like "o%"', "a"),
    ('description not_like "o%"', "b c d"),
    ("description is tw_", ""),
    ("due_date before 2026-01-02", "a"),
    ("due_date after 2026-01-02", "c"),
    ("due_date = 2026-01-02", "b"),
    ("bid = 1 or bid = 3", "a c"),
    ("bid >= 1 and not bid = 2", "a c"),
    ("not (bid = 1 or bid = 2)", "c d"),
    ("parent.name is sh1", "a b"),
    ("parent[Shot].fstart >= 1002", "c d"),
    ("parent in (select id from Shot where fstart = 1001)", "a b"),
    ("tags any (name is {mark})", "a"),
    ("tags.name is {mark}", "a"),
    ("tags any ()", "a"),
]


class ReadingContract(ContractCase):
    """Queries give what they name."""

    def test_opening_tells_who_the_server_is(self, session: Session) -> None:
        """Its schema has what the contract uses, its clock a time zone, its limits are positive."""
        description = session.open()
        assert description.server
        assert description.time.tzinfo is not None
        features = description.features
        assert min(features.operations, features.bytes, features.rows, features.literals) > 0
        for name, attributes in REQUIRED.items():
            assert set(attributes) <= set(session.schema.types[name].attributes), name

    def test_a_schema_that_is_known_is_not_sent_again(self, session: Session) -> None:
        """Its hash says so."""
        description = session.open()
        again = session.run(session._dialect.describe(description.schema_hash))
        assert again.schema_hash == description.schema_hash
        assert again.schema is None or again.schema.hash == description.schema_hash

    @pytest.mark.parametrize(("condition", "names"), CONDITIONS)
    def test_a_condition_selects(self, session: Session, cut: Any, condition: str, names: str) -> None:
        """Every operator, paths, casts, sub-queries; what has no value fulfils no comparison."""
        condition = condition.format(mark=f'"{cut["name"]}"')
        text = f"select name from Task where parent.parent.id is {cut.id} and ({condition}) order by name"
        assert " ".join(task["name"] for task in session.query(text)) == names

    def test_results_are_ordered(self, session: Session, cut: Any) -> None:
        """No value comes first, or last when descending; through references, too."""
        start = f"select name from Task where parent.parent.id is {cut.id}"
        for order, names in (
            ("bid", "dabc"),
            ("bid descending", "cbad"),
            ("parent.name descending, name", "cdab"),
            ("name limit 2 offset 1", "bc"),
        ):
            assert "".join(task["name"] for task in session.query(f"{start} order by {order}")) == names

    def test_one_is_one(self, session: Session, cut: Any) -> None:
        """Not none, and not several."""
        assert session.query(f"Shot where parent.id is {cut.id} and name is sh1").one()["fstart"] == 1001
        with pytest.raises(NoResult):
            session.query(f"Shot where parent.id is {cut.id} and name is sh9").one()
        with pytest.raises(MultipleResults):
            session.query(f"Shot where parent.id is {cut.id}").one()

    @pytest.mark.parametrize("order", ["", "order by fstart", "order by fstart descending", "order by name"])
    def test_pages_skip_and_double_nothing(self, session: Session, other: Session, project: Any, order: str) -> None:
        """Also while others add and delete between the pages."""
        names = [f"sh{number:02}" for number in range(20)]
        for number, name in enumerate(names):
            session.create("Shot", {"name": name, "parent": project, "fstart": number % 3})
        session.commit()
        where = f"where parent.id is {project.id}"
        found = []
        for turn, record in enumerate(session.query(f"select name from Shot {where} {order}", page_size=4).records()):
            found.append(record["name"])
            if turn % 4 == 1:
                parent = other.get("Project", project.id)
                other.create("Shot", {"name": f"new{turn:02}", "parent": parent, "fstart": turn % 3})
                other.delete(other.query(f"Shot {where} and name is {record['name']}").one())
                other.commit()
        old = [name for name in found if name.startswith("sh")]
        assert sorted(old) == names
        assert len(set(found)) == len(found)

    def test_projections_bring_along_what_they_name(self, session: Session, other: Session, cut: Any) -> None:
        """Through references and collections; nothing is fetched afterwards."""
        paths = "name, parent.name, parent.parent[Project].full_name, parent.children[Task].bid, tags.name"
        tasks = other.query(f"select {paths} from Task where parent.parent.id is {cut.id} order by name").all()
        with other.auto_populating("strict"):
            assert [task["parent"]["name"] for task in tasks] == ["sh1", "sh1", "sh2", "sh2"]
            assert tasks[0]["parent"]["parent"]["full_name"] is None
            assert sorted(member["bid"] for member in tasks[0]["parent"]["children"]) == [1.0, 2.0]
            assert [tag["name"] for tag in tasks[0]["tags"]] == [cut["name"]]
            assert list(tasks[1]["tags"]) == []

    def test_subtypes_come_with_their_supertype(self, session: Session, other: Session, cut: Any) -> None:
        """As entities of their own types, with the attributes of these."""
        supertype = session.schema.types["Shot"].root
        if supertype == "Shot":
            pytest.skip("Shot has no supertype here")
        found = other.query(f"{supertype} where parent.id is {cut.id}").all()
        assert {entity.entity_type for entity in found} == {"Shot"}
        assert sorted(entity["fstart"] for entity in found) == [1001, 1002]

    def test_numbers_by_group(self, session: Session, cut: Any) -> None:
        """Counted and added up by the server."""
        self._needs(session, "aggregate")
        query = session.query("Task").where(f"parent.parent.id is {cut.id}")
        assert query.count() == 4
        rows = query.aggregate("count", "sum(bid)", "maximum(bid)", group_by=["parent.name"])
        assert sorted(map(repr, (tuple(row.values()) for row in rows))) == [
            "('sh1', 2, 3.0, 2.0)",
            "('sh2', 2, 3.0, 3.0)",
        ]

    def test_questions_are_answered_together(self, session: Session, cut: Any) -> None:
        """With the same rows as one aggregate after the other, in the order of the questions."""
        self._needs(session, "aggregate")
        tasks = session.query("Task").where(f"parent.parent.id is {cut.id}").select_statement
        asked = [Aggregate(tasks), Aggregate(tasks, (AggregateFunction("sum", "bid"),))]
        together = session.run(ask(session, [Question(each) for each in asked]))
        assert [answer.rows for answer in together] == [[(4,)], [(6.0,)]]
        assert len({answer.position for answer in together}) == 1
