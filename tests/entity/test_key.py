"""`Entity.key`: the primary key of an entity, unless the schema has an attribute of this name."""

from __future__ import annotations

from callsheet import Session

KEYED = {
    "name": "keyed",
    "types": {
        "Plain": {"attributes": {"name": {"type": "string"}}},
        "Keyed": {"attributes": {"key": {"type": "string"}}},
    },
}


def test_the_key_is_the_primary_key() -> None:
    """An entity gives the key of its identity, before and after the commit."""
    with Session("memory:", schema=KEYED) as session:
        plain = session.create("Plain", {"id": "a", "name": "x"})
        assert plain.key == plain.identity.key == "a"
        session.commit()
        assert session.query("Plain").one().key == "a"


def test_an_attribute_named_key_is_not_hidden() -> None:
    """Where the schema has an attribute ``key``, the dot reads and writes it, and the identity has the primary key."""
    with Session("memory:", schema=KEYED) as session:
        keyed = session.create("Keyed", {"id": "a", "key": "door"})
        assert (keyed.key, keyed["key"], keyed.identity.key) == ("door", "door", "a")
        keyed.key = "gate"
        session.commit()
        assert session.query("Keyed").where(session.types["Keyed"].key == "gate").one().identity.key == "a"
