"""Methods of samples, items, collections and plans, and the standard entities of a laboratory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import CommitError, Session, UsageError


@pytest.fixture
def lab() -> Iterator[Session]:
    """A new laboratory with its standard entities."""
    with Session("memory:", schema="lab", seed=True) as session:
        yield session


def named(lab: Session, entity_type: str, name: str) -> Any:
    found = lab[entity_type].find_by_name(name)
    assert found is not None
    return found


def test_a_new_laboratory_has_kinds_containers_and_places(lab: Session) -> None:
    """Fields belong to their kind; a container says which samples it holds."""
    assert {each["name"] for each in lab.SampleType.all()} == {"Primer", "Plasmid", "Fragment", "Strain"}
    fields = [each["name"] for each in lab.FieldType.where({"sample_type": "Primer"}).order_by("sort")]
    assert fields == ["Anneal sequence", "Overhang sequence", "T anneal"]
    assert named(lab, "ContainerType", "Primer stock")["sample_type"]["name"] == "Primer"
    assert lab.Location.count({"temperature": {"__lt__": 0}}) == 2
    with Session("memory:", seed=True) as production:
        assert production.Location.count({"name": "Fridge"}) == 0


def test_items_of_a_sample(lab: Session) -> None:
    """Only what is available, oldest first; of the right container, by one request."""
    stock, aliquot = named(lab, "ContainerType", "Primer stock"), named(lab, "ContainerType", "Primer aliquot")
    place = named(lab, "Location", "Fridge")
    sample = lab.Sample.new(name="P1", sample_type=named(lab, "SampleType", "Primer"))
    first = sample.new_item(stock, place, barcode="a")
    lab.commit()
    second = sample.new_item(aliquot, barcode="b")
    lab.commit()
    lab.statistics.reset()
    assert sample.available_items() == [first, second]
    assert lab.statistics.requests == 1
    assert sample.available_items(aliquot) == [second]
    second.move(place)
    first.discard()
    lab.commit()
    assert sample.available_items() == [second]
    assert (second["location"], first["state"], first["location"]) == (place, "discarded", None)
    plasmid = lab.Sample.new(name="p1", sample_type=named(lab, "SampleType", "Plasmid"))
    with pytest.raises(UsageError, match="holds samples of"):
        plasmid.new_item(stock)
    assert plasmid.new_item(named(lab, "ContainerType", "Agar plate")).state == "created"


def test_the_properties_of_a_sample(lab: Session) -> None:
    """By name: values, samples, and lists for fields that hold several."""
    kind = named(lab, "SampleType", "Fragment")
    several = lab.FieldType.new(name="Tags", sample_type=kind, array=True)
    template = lab.Sample.new(name="t", sample_type=kind)
    sample = lab.Sample.new(name="f", sample_type=kind)
    lab.FieldValue.new(name="Length", sample=sample, value=120)
    lab.FieldValue.new(name="Template", sample=sample, child_sample=template)
    for sort, tag in enumerate(("x", "y")):
        lab.FieldValue.new(name="Tags", field_type=several, sample=sample, value=tag, sort=sort)
    lab.commit()
    assert sample.properties() == {"Length": 120, "Tags": ["x", "y"], "Template": template}
    assert template.properties() == {}


def test_places_of_a_collection(lab: Session) -> None:
    """Rows and columns have bounds; a place holds one item."""
    kind = named(lab, "ContainerType", "Plate of 96 wells")
    plate = lab.Collection.new(container_type=kind, rows=2, columns=3)
    one, other = (lab.Item.new(container_type=kind, barcode=name) for name in "ab")
    plate.assign(one, 0, 0)
    plate.assign(other, 1, 2)
    lab.commit()
    assert plate.matrix() == [[one, None, None], [None, None, other]]
    for row, column in ((2, 0), (0, 3), (-1, 0), (True, 0), ("0", 0)):
        with pytest.raises(UsageError, match=r"has the (row|column)s 0 to [12], not"):
            plate.assign(one, row, column)
    plate.assign(one, 1, 2)
    with pytest.raises(CommitError):
        lab.commit()


def test_the_progress_of_a_plan(lab: Session) -> None:
    """Operations by status."""
    kind = lab.OperationType.new(name="PCR", category="Cloning")
    plan = lab.Plan.new(name="gfp")
    done = plan.add_operation(kind, status="done")
    plan.add_operation(kind)
    plan.add_operation(kind)
    lab.commit()
    assert plan.progress() == {"done": 1, "planning": 2}
    assert done["plan"] is plan
