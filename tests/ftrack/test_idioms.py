"""Query text that servers of the vendor take is taken here: by a session, and by the server.

Each idiom is asked twice: through a session, whose checker and writer it passes, and raw, as the vendor's client sends
it. Both must give the same number of entities, which is written beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import callsheet.compat.ftrack_api as ftrack_api
from callsheet import Session
from callsheet.errors import QueryError
from studios import KEY, served_vendor_studio

#: What is asked, and how many there are. Of the six shots two each are called sh0010, sh0020 and sh0030.
IDIOMS = (
    # Through references to abstract types, without a cast.
    ('Task where assignments any (resource.username is "jonas")', 6),
    ('Task where assignments.resource.username is "jonas"', 6),
    ('AssetVersion where asset.parent.ancestors.id is "{sequence}"', 6),
    ('AssetVersion where asset.parent.ancestors any (name is "sq001")', 6),
    ('Component where version.asset.parent.ancestors.id is "{sequence}"', 0),
    ('Timelog where context.status.name is "In progress"', 6),
    ('Timelog where context.project.name is sintel', 6),
    ('Appointment where context.type.name is "Animation" and resource.username is jonas', 6),
    ('Asset where parent.project.name is "sintel"', 6),
    ('TypedContext where parent.object_type.name is Shot', 18),
    ('Context where status.name is "In progress"', 6),
    ('Context where children any (status.name is "In progress")', 6),
    ('User where assignments any (context.project.name is sintel)', 3),
    ('User where assignments.context.status.name is "In progress"', 1),
    ('Task where id in (select context_id from Appointment where resource.username is jonas)', 6),
    ('Task where parent.custom_attributes any (key is fstart and value is 1001)', 18),
    ('Note where recipients any (recipient.username is mara)', 0),
    ('select assignments.resource.username from Task', 18),
    ('select context.status.name from Timelog', 6),
    # Numbers and booleans in quotes, or as each other.
    ('AssetVersion where version is "1"', 6),
    ('AssetVersion where version is "3"', 0),
    ('AssetVersion where version > "1"', 6),
    ('AssetVersion where version in ("1", "2")', 12),
    ('AssetVersion where is_published is "True"', 12),
    ('AssetVersion where is_published is "false"', 0),
    ('AssetVersion where is_published is 1', 12),
    ('Task where bid > "0"', 18),
    ('Task where bid is "0.0"', 0),
    ('User where is_active is "true"', 5),
    ('CustomAttributeConfiguration where core is "true"', 0),
    # Words for signs.
    ('Task where bid greater_than 0', 18),
    ('Task where bid less_than 10', 0),
    ('Task where end_date greater_than "2020-01-01"', 18),
    ('Task where created_at after "2020-01-01" and created_at before "2040-01-01"', 18),
    # Values of custom attributes as rows and as items.
    ('CustomAttributeValue where value is 1001', 6),
    ('CustomAttributeValue where value in ("1001", "1002")', 6),
    ('ContextCustomAttributeValue where value > 1000 and configuration.key is fstart', 6),
    ('select value from ContextCustomAttributeValue where entity_id is "{shot}"', 6),
    ('Shot where custom_attributes any (key is "fstart" and value is "1001")', 6),
    ('Shot where custom_attributes any (value is 1001)', 6),
    ('Shot where custom_attributes.key is fstart and custom_attributes.value is 1001', 6),
    ('Shot where custom_attributes any (configuration.key is fstart)', 6),
    ('Task where project.custom_attributes any (key is fps and value is "24")', 18),
    ('select custom_attributes.key from Shot', 6),
    # Metadata as rows.
    ('Task where metadata any (key is "a" and value is "b")', 1),
    ('Task where metadata any (key is a)', 2),
    ('Task where metadata any (value is "b")', 1),
    ('Task where metadata.value is x', 1),
    ('Task where metadata.key is "a" and metadata.value is "x"', 1),
    ('Task where metadata any (key in ("a", "b") and value like "%x%")', 1),
    ('Task where metadata any (key like "a%")', 2),
    ('Task where metadata any (key is "a" or key is "b")', 2),
    ('Task where metadata any (key is "a" and (value is "b" or value is "c"))', 1),
    ('Task where metadata any (key is "a") and metadata any (key is "b")', 1),
    ('Task where metadata any ()', 2),
    ('Task where not metadata any ()', 16),
    ('Task where not metadata any (value is "b")', 17),
    ('Task where metadata any (key is "a" and value is_not "b")', 1),
    ('Timelog where context.metadata any (value is "b")', 1),
    ('Metadata where key is a and value is b', 1),
    # Links, whose users and contexts only their kinds name.
    ('Task where custom_attribute_links any (configuration.key is "a" and user.username is mara)', 0),
    ('CustomAttributeLink where user.username is mara', 0),
    ('select user from CustomAttributeLink where from_id is "{shot}"', 0),
    ('select user.username from CustomAttributeLink where configuration.key is "a"', 0),
    # What was taken before.
    ('Task where parent[Shot] has (name is "sh0010")', 6),
    ('Task where status.state.short not_in ("DONE", "BLOCKED")', 18),
    ('Task where type.name is \'Animation\' and status.name is_not "Omitted"', 6),
    ('Task where  name="animation"', 6),
    ('Note where parent_id in (select id from Task where name is animation)', 6),
    ('Task where ancestors.id is "{shot}"', 3),
    ('Project where descendants any (status.name is "In progress")', 1),
    ('TypedContext where object_type.name in ("Shot", "Sequence") and project_id is "{project}"', 8),
)  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served studio, in which two tasks have metadata."""
    with served_vendor_studio(tmp_path_factory.mktemp("idioms")) as server:
        with Session(server.url, "admin", KEY, dialect="ftrack", schema_cache=False) as session:
            first, second = session.query("Task where name is animation order by parent.name, id").all()[:2]
            first["metadata"] = {"a": "b"}
            second["metadata"] = {"a": "x", "b": "c"}
            session.commit()
        yield server.url


@pytest.fixture(scope="module")
def session(address: str) -> Iterator[Any]:
    """A session with the vendor's names, which can also send text as it is."""
    with ftrack_api.Session(address, KEY, "admin", schema_cache_path=False) as session:
        yield session


@pytest.mark.parametrize(("text", "count"), IDIOMS)
def test_an_idiom_is_understood(text: str, count: int, session: Any) -> None:
    """By the session and by the server."""
    shot = session.query('Shot where name is "sh0010" order by id').first()
    known = text.format(shot=shot["id"], sequence=shot["parent"]["id"], project=shot["project"]["id"])
    assert len(session.query(known).all()) == count
    (told,) = session.call([{"action": "query", "expression": known}])
    assert len(told["data"]) == count


REFUSED = (
    ("Task where link any ()", "no relation"),
    ("Note where recipients any (resource.username is mara)", "no attribute `resource`"),
    ("Task where parent.no_such_name.name is x", "no attribute `no_such_name`"),
    ('AssetVersion where version is "one"', "takes an integer"),
    ("Task where children is None", "a collection"),
)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_no_server_takes_is_still_refused_before_it_is_sent(text: str, reason: str, session: Any) -> None:
    """With the place and a hint."""
    with pytest.raises(QueryError, match=reason):
        session.query(text).all()


def test_a_recipient_is_in_the_collection_of_its_note_already(session: Any) -> None:
    """The vendor's own helper appends what it has created; notes take a category."""
    task, author = session.query("Task").first(), session.query("User where username is ines").one()
    category = session.query("NoteCategory").first()
    note = task.create_note("Softer", author=author, category=category)
    recipient = session.create("Recipient", {"note_id": note["id"], "resource_id": author["id"]})
    note["recipients"].append(recipient)
    session.commit()
    again = session.fork().get("Note", note["id"])
    assert [each["recipient"]["username"] for each in again["recipients"]] == ["ines"]
    assert [each["label"]["id"] for each in again["note_label_links"]] == [category["id"]]
