"""Standard entities of a new database."""

from __future__ import annotations

from callsheet.model.normalisation import normalised
from callsheet.model.operation import Create
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.schemas.seeding import seed_operations, well_known_key


def test_keys_never_change() -> None:
    """The key of a standard entity is part of the public promise."""
    assert well_known_key("Status", "Done") == "5602ec46-965a-5555-8583-aa5881e6c557"


def test_a_production_begins_with_statuses_that_mean_something() -> None:
    """Done is a status whose state is done, referred to after it was made."""
    operations = seed_operations(Schema(load_schema_document("production")))
    created = {operation.identity: operation.values for operation in operations if isinstance(operation, Create)}
    done = created[Identity("Status", well_known_key("Status", "Done"))]
    assert done["name"] == "Done"
    assert created[done["state"]] == {"name": "Done", "short": "done"}
    assert {values["name"] for identity, values in created.items() if identity.entity_type == "Location"} == {
        "callsheet.unmanaged",
        "callsheet.origin",
        "callsheet.review",
        "callsheet.server",
        "callsheet.connect",
    }
    assert well_known_key("Location", "server") == "3a372bde-05bc-11e4-8908-20c9d081909b"


def test_seeds_fit_the_schema() -> None:
    """Every value is one the schema takes, required ones are there, references point backwards, keys differ."""
    schema = Schema(load_schema_document("production"))
    made: set[Identity] = set()
    for operation in seed_operations(schema):
        assert isinstance(operation, Create)
        entity_type = schema.types[operation.identity.entity_type]
        for name, value in operation.values.items():
            if isinstance(value, Identity):
                assert value in made
                assert schema.is_a(value.entity_type, str(entity_type.attribute(name).target))
            else:
                normalised(entity_type.name, entity_type.attribute(name), value)
        needed = {a.name for a in entity_type.attributes.values() if a.required and a.name != "id"}
        assert needed <= set(operation.values)
        assert operation.identity not in made
        made.add(operation.identity)


def test_unique_names_stay_unique() -> None:
    """No two seeds of one type have the same value of a unique attribute."""
    schema = Schema(load_schema_document("production"))
    seen: set[tuple[str, str, object]] = set()
    for operation in seed_operations(schema):
        assert isinstance(operation, Create)
        entity_type = schema.types[operation.identity.entity_type]
        for name in (n for n in operation.values if entity_type.attribute(n).unique):
            value = (entity_type.name, name, operation.values[name])
            assert value not in seen
            seen.add(value)


def test_a_schema_of_another_field_gets_what_fits() -> None:
    """Types a schema lacks, or that mean something else in it, are left out."""
    assert seed_operations(Schema({"types": {"Status": {"attributes": {"name": {}}}}})) == ()
