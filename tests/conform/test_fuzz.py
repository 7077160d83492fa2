"""No file makes the reader raise anything but its own errors."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_edit
from callsheet.errors import CallsheetError
from timelines import clip, otio, span, timeline, track


def quiet(examples: int) -> settings:
    """So many examples, the same in each run."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


OPTIONS = st.builds(
    EditOptions,
    rate=st.sampled_from([None, 24.0, 29.97, 1.0, -1.0, float("nan")]),
    track=st.sampled_from(["", "seen", "1", "V1"]),
    timeline=st.sampled_from(["", "1", "edit"]),
    nested=st.sampled_from(["refuse", "one", "open"]),
    muted=st.booleans(),
    generated=st.booleans(),
    number_repeats=st.booleans(),
    names=st.sampled_from(["clip", "place"]),
)
EDL = b"""TITLE: cut
FCM: NON-DROP FRAME
001  AX V C        01:00:00:00 01:00:01:00 00:00:59:00 00:01:00:00
* FROM CLIP NAME: sh010
M2   AX       048.0                01:00:00:00
002  AX V D 012    01:00:00:00 01:00:01:02 00:01:00:00 00:01:01:02
* TO CLIP NAME: sh020
"""
XML = b"""<?xml version="1.0"?><xmeml version="4"><sequence><name>c</name><rate><timebase>24</timebase></rate><media>
<video><track><clipitem><name>a</name><duration>24</duration><rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>
<start>0</start><end>24</end><in>10</in><out>34</out><file id="f"><name>a.mov</name></file></clipitem></track></video>
</media></sequence></xmeml>"""
CSV = b'Name;Start;Duration;Rate\n"#010";0;24;23,976\nsh020;24;48;24\n'


def sample() -> Any:
    """A timeline with one of each kind of item."""
    inner = track(clip("x"), clip("y"))
    return timeline(
        clip("a", effects=[otio.schema.LinearTimeWarp(time_scalar=2)]),
        otio.schema.Transition("d", in_offset=span(0, 4).duration, out_offset=span(0, 4).duration),
        clip("b", media_reference=otio.schema.GeneratorReference("bars")),
        otio.schema.Gap(source_range=span(0, 5)),
        otio.schema.Stack("comp", children=[inner], source_range=span(2, 20)),
    )


def read(content: bytes, name: str, options: EditOptions) -> None:
    """Read the bytes as a file of that name; only errors of ours may come."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            edit = read_edit(path, options)
        except CallsheetError:
            return
    assert edit.clips
    assert all(each.shot and each.duration > 0 and each.start >= 0 for each in edit.clips)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with some of them cut out, doubled or overwritten."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 12))
        content[place : place + length] = draw(
            st.binary(max_size=4) | st.sampled_from([b"-", b"9", b"0", b"", b"99999999", b";", b'"', b"<", b"\n"])
        )
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "whole"),
    [("a.edl", EDL), ("a.xml", XML), ("a.csv", CSV), ("a.otio", b"")],
    ids=["edl", "xml", "csv", "otio"],
)
def test_damaged_files(name: str, whole: bytes) -> None:
    """Files with bytes cut out, doubled or overwritten are read or refused."""
    whole = whole or otio.adapters.write_to_string(sample(), "otio_json").encode()

    @quiet(150)
    @given(damaged(whole), OPTIONS)
    def run(content: bytes, options: EditOptions) -> None:
        read(content, name, options)

    run()


ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.none(), max_size=2)


@quiet(200)
@given(st.data(), OPTIONS)
def test_odd_values_in_a_timeline(data: st.DataObject, options: EditOptions) -> None:
    """Valid JSON with other values in some places is read or refused."""
    tree = json.loads(otio.adapters.write_to_string(sample(), "otio_json"))
    places = list(spots(tree))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(ODD)
    read(json.dumps(tree).encode(), "a.otio", options)


def spots(tree: Any) -> Any:
    """Each place in the tree that holds a value."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(value, dict | list):
            yield from spots(value)


@quiet(100)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.edl", "a.xml", "a.otio", "a.otioz", "a.tsv"]), OPTIONS)
def test_any_bytes(content: bytes, name: str, options: EditOptions) -> None:
    """Whatever bytes a file has."""
    read(content, name, options)
