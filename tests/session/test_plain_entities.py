"""Entities as plain data and back: dumps, loads and copies, on a laboratory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from callsheet import AsyncSession, Session
from callsheet.errors import CommitError, SchemaError, UnknownAttribute
from callsheet.session.connection import over
from callsheet.testing import memory_service

DEEP = {"items": ["location", "container_type", "parts"], "sample_type": []}


@pytest.fixture
def service() -> Iterator[Any]:
    service = memory_service("lab")
    yield service
    service.close()


@pytest.fixture
def lab(service: Any) -> Iterator[Session]:
    """A primer in 40 tubes and a plate, in a freezer; the plate has one part."""
    with Session(connection=over(service.backend("admin"))) as session:
        kind = session.SampleType.new(name="Primer")
        sample = session.Sample.new(name="P1", sample_type=kind, metadata={"colour": "red"})
        tube, place = session.ContainerType.new(name="Tube"), session.Location.new(name="freezer")
        for number in range(40):
            session.Item.new(sample=sample, container_type=tube, location=place, barcode=f"b{number:02}")
        plate = session.Collection.new(sample=sample, container_type=tube, barcode="plate")
        session.Part.new(collection=plate, item=plate, row=0, column=1)
        session.commit()
        yield session.fork()


def primer(lab: Session) -> Any:
    found = lab.Sample.find_by_name("P1")
    assert found is not None
    return found


def test_a_dump_is_plain_data_and_costs_no_request_for_each_entity(lab: Session) -> None:
    """Relations of several levels: one request, and one more for the type below `Item`; a second dump costs none."""
    sample = primer(lab)
    lab.statistics.reset()
    plain = sample.dump(include=DEEP)
    assert lab.statistics.requests == 2
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["__model__"], plain["name"], plain["metadata"]) == ("Sample", "P1", {"colour": "red"})
    assert plain["sample_type"]["name"] == "Primer"
    assert len(plain["items"]) == 41
    (plate,) = [each for each in plain["items"] if each["__model__"] == "Collection"]
    assert [(part["row"], part["column"], part["item"]["id"]) for part in plate["parts"]] == [(0, 1, plate["id"])]
    assert sum("name" in each["location"] for each in plain["items"] if each["location"]) == 1, "once, then by key"
    assert isinstance(plain["created_at"], str)
    lab.statistics.reset()
    assert sample.dump(include=DEEP) == plain
    assert lab.statistics.requests == 0


def test_only_and_ignore_choose_attributes(lab: Session) -> None:
    """By name, for what is included by dotted names; wrong names are listed at once."""
    sample = primer(lab)
    key = sample.key
    assert sample.dump(only="name") == {"__model__": "Sample", "id": key, "name": "P1"}
    found = sample.dump(only=["name", "items.barcode"], include="items")
    assert found["items"][0].keys() == {"__model__", "id", "barcode"}
    assert "created_at" not in sample.dump(ignore=["created_at"])
    with pytest.raises(SchemaError) as caught:
        sample.dump(only="nmae", include={"itmes": [], "name": []}, ignore="x")
    for text in ("did you mean `name`", "did you mean `items`", "Sample.name is no relation", "ignore: Sample has no"):
        assert text in str(caught.value)


def test_a_dump_is_loaded_into_another_laboratory_and_back(lab: Session) -> None:
    """Round trip: the loaded entity dumps to the same data; loading once more records nothing."""
    plain = primer(lab).dump(include=DEEP)
    with Session("memory:", schema="lab") as other:
        loaded = other.load(json.dumps(plain))
        assert loaded.state == "created"
        other.commit()
        again = other.fork().load(plain)
        assert again.session.pending == ()
        kept = other.fork().Sample.one().dump(include=DEEP)
        computed = {"created_at", "updated_at", "created_by", "updated_by", "link"}

        def bare(data: Any) -> Any:
            if isinstance(data, list):
                return sorted((bare(each) for each in data), key=str)
            if isinstance(data, dict):
                return {name: bare(value) for name, value in data.items() if name not in computed}
            return data

        whole = [bare(each) for each in (kept, plain)]
        assert whole[0] == whole[1]


def test_a_load_updates_what_is_there(lab: Session) -> None:
    """By its key; only what differs is recorded, and members are added."""
    sample = primer(lab)
    plain = {**sample.dump(only=["name", "metadata"]), "project": "new"}
    tube = lab.ContainerType.one()
    assert tube is not None
    plain["items"] = [{"container_type": tube.key, "barcode": "more"}]
    assert lab.load(plain) is sample
    assert (sample["project"], len(lab.modified), len(lab.created)) == ("new", 1, 1)
    lab.commit()
    assert lab.Item.count({"sample": "P1"}) == 42


def test_all_problems_of_a_load_are_listed_and_nothing_is_recorded(lab: Session) -> None:
    """Names, values, required attributes, references, immutable ones: each with its place."""
    sample = primer(lab)
    other = lab.SampleType.new(name="Plasmid")
    bad = [
        {"__model__": "Sample", "nme": 1, "project": 3, "sample_type": "nope", "items": [{"barcode": 5}]},
        {"__model__": "Sampel"},
        7,
        {"__model__": "Sample", "id": sample.key, "sample_type": {"__model__": "SampleType", "name": "Third"}},
    ]
    before = lab.recorded_operations
    with pytest.raises(SchemaError) as caught:
        lab.load(bad)
    text = str(caught.value)
    for part in (
        "[0].nme: Sample has no attribute of this name; did you mean `name`",
        "[0].project: Sample.project takes a string",
        "[0].items[0].barcode: Item.barcode takes a string",
        "[0].items[0].container_type: Item.container_type is required",
        "[0].name: Sample.name is required",
        "[0].sample_type: there is no SampleType with the key 'nope'",
        "[1]: there is no entity type 'Sampel'; did you mean `Sample`",
        "[2]: an entity is an object, not 7",
        "[3].sample_type: Sample.sample_type is set once, and never changed",
    ):
        assert part in text
    assert "there are 9 problems" in text
    assert lab.recorded_operations == before
    assert other.state == "created"


def test_circles_are_loaded(lab: Session) -> None:
    """Entities that refer to each other are created together."""
    plain = {"__model__": "Location", "id": "a", "name": "a", "children": [{"id": "b", "name": "b", "children": []}]}
    found = lab.load([plain, {"__model__": "Location", "id": "c", "name": "c", "parent": "b"}])
    assert found[1]["parent"]["parent"] is found[0]
    lab.commit()
    assert lab.Location.where({"parent.parent": "a"}).one()["name"] == "c"


def test_a_copy_has_new_keys_and_refers_to_itself(lab: Session) -> None:
    """What is copied with it refers to the copies, everything else to what it referred to."""
    sample = primer(lab)
    copied = sample.copy(["items.parts"], name="P2", project="copy")
    assert (copied.state, copied["sample_type"], copied["project"]) == ("created", sample["sample_type"], "copy")
    assert copied["metadata"]["colour"] == "red"
    lab.commit()
    assert len(copied["items"]) == 41
    assert not {each.key for each in copied["items"]} & {each.key for each in sample["items"]}
    assert {each["barcode"] for each in copied["items"]} == {None}, "what must be unique is left out"
    (part,) = lab.Part.where({"collection.sample": "P2"}).all()
    assert part["item"] is part["collection"]
    assert lab.Item.count() == 82
    alone = sample.copy(name="P3")
    lab.commit()
    assert len(alone["items"]) == 0
    with pytest.raises(SchemaError, match=r"Sample\.name is required"):
        sample.copy()
    with pytest.raises(SchemaError, match="did you mean `name`"):
        sample.copy(nmae="x")
    assert lab.pending == ()


def test_texts_of_dumps_are_loaded(lab: Session) -> None:
    """JSON and YAML; dates are texts there, and dates again when they are loaded."""
    item = lab.Item.find_by_name("b00")
    assert item is not None
    item.update(volume=2.5, expires=date(2031, 1, 2))
    lab.commit()
    for text in (item.to_json(), item.to_yaml()):
        assert lab.load(text) is item
        assert lab.pending == ()
    assert "volume: 2.5" in item.to_yaml()


def test_entities_have_the_verbs_of_mappings(lab: Session) -> None:
    """`update` sets all or nothing; `pop` empties; `setdefault` fills what is empty."""
    sample = primer(lab)
    sample.update({"project": "a"}, description="b")
    assert (sample["project"], sample["description"]) == ("a", "b")
    with pytest.raises(UnknownAttribute, match="did you mean `project`"):
        sample.update(description="c", projekt="x")
    assert sample["description"] == "b"
    assert (sample.pop("project"), sample["project"], sample.pop("none", 3)) == ("a", None, 3)
    assert (sample.setdefault("project", "d"), sample.setdefault("project", "e")) == ("d", "d")


def test_an_attribute_wins_over_a_method_of_its_name() -> None:
    """A type with attributes called `copy` and `update` gives its attributes; the session's verbs still work."""
    text = {"type": "string"}
    schema = {"types": {"Text": {"attributes": {"name": text, "copy": text, "update": text}}, "Plain": {}}}
    with Session("memory:", schema=schema) as session:
        found = session.create("Text", {"name": "a", "copy": "b", "update": "c"})
        assert (found.copy, found.update, found["copy"]) == ("b", "c", "b")
        found.copy = "d"
        assert session.copy(found)["copy"] == "d"
        assert callable(session.create("Plain").copy)


def test_all_that_is_required_is_named(lab: Session) -> None:
    """One refusal, however much is lacking, before anything is sent."""
    lab.Sample.new(description="x")
    with pytest.raises(CommitError, match=r"Sample\.name, Sample\.sample_type are required"):
        lab.commit()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_dumps_and_copies_are_awaited(lab: Session, service: Any) -> None:
    """The same verbs in an async session."""
    async with AsyncSession(connection=over(service.backend("admin"))) as session:
        sample = await session.Sample.one()
        plain = await sample.dump(include="sample_type")
        assert plain["sample_type"]["name"] == "Primer"
        assert (await session.load(plain)) is sample
        assert (await sample.copy(name="P9"))["name"] == "P9"
