"""What a lenient server takes is read as what it means; a schema without leniency takes queries word for word."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet.errors import QueryError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse
from callsheet.model.language.text import select_text
from callsheet.model.schema import EntityType, Leniency, Schema

DOCUMENT: dict[str, Any] = {
    "types": {
        "Resource": {"abstract": True},
        "User": {"extends": "Resource", "attributes": {"email": {}, "active": {"type": "boolean"}}},
        "Group": {"extends": "Resource", "attributes": {"name": {}}},
        "Place": {"abstract": True, "attributes": {"parent": {"type": "reference", "target": "Place"}}},
        "Project": {"extends": "Place", "attributes": {"state": {"type": "enum", "choices": ["open", "closed"]}}},
        "Shot": {
            "extends": "Place",
            "attributes": {
                "state": {"type": "reference", "target": "State"},
                "frames": {"type": "integer"},
                "metadata": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
            "custom": {"lens": {"type": "number"}},
        },
        "State": {"attributes": {"name": {}}},
        "Row": {"attributes": {"owner": {}, "key": {}, "value": {"type": "json"}}},
        "Job": {
            "attributes": {
                "by": {"type": "reference", "target": "Resource"},
                "place": {"type": "reference", "target": "Place"},
                "due": {"type": "datetime"},
            }
        },
    }
}


def _rows(entity_type: EntityType, mapping: str) -> tuple[str, str] | None:
    return ("Row", "owner") if mapping == "metadata" else None


LENIENT, STRICT = Schema(DOCUMENT), Schema(DOCUMENT)
LENIENT.leniency = Leniency(_rows)


def read(text: str) -> str:
    """The text of what was meant, which reading again must not change."""
    select = check(parse(text), LENIENT, text)
    assert check(select, LENIENT) == select
    return select_text(select)


MEANT = (
    ("Job where by.email is x", 'Job where by[User].email = "x"'),
    ("Job where by.name is x", 'Job where by[Group].name = "x"'),
    ("Job where place.state.name is x", 'Job where place[Shot].state.name = "x"'),
    ("Job where place.parent.frames > 3", "Job where place.parent[Shot].frames > 3"),
    ('Job where place.custom_attributes.lens is "35"', "Job where place[Shot].custom_attributes.lens = 35.0"),
    (
        "Job where place.state is open",
        'Job where place[Project].state = "open" or place[Shot].state.name = "open"',
    ),
    ("Job where place.state is x", 'Job where place[Shot].state.name = "x"'),
    ("Resource where email is x", 'Resource where id in (select id from User where email = "x")'),
    ("select by.email from Job", "select by[User].email from Job"),
    ("select email from Resource", "Resource"),
    ('Job where by.active is "true"', "Job where by[User].active = True"),
    ('Shot where frames in ("1", "2")', "Shot where frames in (1, 2)"),
    ("Shot where frames greater_than 3", "Shot where frames > 3"),
    ("Shot where metadata any (key is a and value is b)", 'Shot where metadata.a = "b"'),
    ("Shot where metadata any (value is b)", 'Shot where id in (select owner from Row where value = "b")'),
    ("Shot where metadata.value is b", 'Shot where id in (select owner from Row where value = "b")'),
    ("Shot where metadata any ()", "Shot where id in (select owner from Row)"),
    (
        "Job where place.metadata any (key like x)",
        'Job where place[Shot].id in (select owner from Row where key like "x")',
    ),
    ("select metadata.value from Shot", "select metadata from Shot"),
    ("Shot where metadata.lens is b", 'Shot where metadata.lens = "b"'),
)


@pytest.mark.parametrize(("text", "meant"), MEANT)
def test_a_text_is_read_as_what_it_means(text: str, meant: str) -> None:
    """With all casts, values of the attribute's type, and rows of mappings as queries within the query."""
    assert read(text) == meant


@pytest.mark.parametrize("text", [text for text, meant in MEANT if "email" in text or '"true"' in text])
def test_word_for_word_the_same_is_refused(text: str) -> None:
    """A schema without leniency says what is missing."""
    with pytest.raises(QueryError):
        check(parse(text), STRICT, text)


@pytest.mark.parametrize("text", ["Job where by.phone is 1", "Shot where frames is many", "Job where due is soon"])
def test_what_has_no_meaning_is_refused(text: str) -> None:
    """Leniency invents nothing."""
    with pytest.raises(QueryError):
        check(parse(text), LENIENT, text)
