"""Every topic is a constant with a payload, and stands on the page of events, with all that its data holds."""

from __future__ import annotations

import re
from pathlib import Path

from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.events import topics

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
CONSTANTS = {name: value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}


def rows() -> dict[str, list[str]]:
    """The table of topics: constant → cells."""
    found = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|$", PAGE, re.M)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in found}


def test_the_page_tells_of_every_topic_and_of_no_other() -> None:
    """By its constant and its text."""
    assert {name: cells[0] for name, cells in rows().items()} == {
        name: f"`{topic}`" for name, topic in CONSTANTS.items()
    }


def test_every_topic_has_a_payload_whose_fields_the_page_tells() -> None:
    """A reply's is what a subscriber returned."""
    assert set(topics.PAYLOADS) == set(CONSTANTS.values())
    for name, topic in CONSTANTS.items():
        payload = topics.PAYLOADS[topic]
        if payload is not None:
            assert set(re.findall(r"`(\w+)`", rows()[name][1])) == set(payload.__annotations__), name


def test_every_name_of_the_vendor_stands_on_the_page() -> None:
    """With the constant it stands for."""
    constants = {topic: name for name, topic in CONSTANTS.items()}
    assert dict(re.findall(r"^\| `(ftrack\.[\w.-]+)` \| `([A-Z_]+)` \|$", PAGE, re.M)) == {
        vendor: constants[topic] for vendor, topic in FTRACK.topics.items()
    }


def test_constants_are_public() -> None:
    """So that nobody has to write the text."""
    assert set(CONSTANTS) <= set(topics.__all__)
