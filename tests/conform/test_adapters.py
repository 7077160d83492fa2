"""XML of editing systems: read where its adapter is installed, and never a danger."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsheet.conform import adapters
from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_edit
from callsheet.errors import CallsheetError, UsageError
from timelines import Write, otio

XML = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE xmeml>
<xmeml version="4"><sequence id="s"><name>cut é</name><duration>48</duration>
<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>
<media><video><track>
<clipitem id="1"><name>sh010</name><enabled>TRUE</enabled><duration>24</duration>
<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate><start>0</start><end>24</end><in>10</in><out>34</out>
<file id="f1"><name>a.mov</name><duration>99</duration></file></clipitem>
<clipitem id="2"><name>sh020</name><enabled>FALSE</enabled><duration>24</duration>
<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate><start>24</start><end>48</end><in>0</in><out>24</out>
<file id="f2"><name>b.mov</name><duration>99</duration></file></clipitem>
</track></video></media></sequence></xmeml>
"""
needs_xml = pytest.mark.skipif(
    "xml" not in otio.adapters.suffixes_with_defined_adapters(read=True), reason="no adapter"
)


@needs_xml
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_final_cut_xml(write: Write, encoding: str) -> None:
    """Its rate is NTSC's, and a clip that is not enabled is muted."""
    edit = read_edit(write(XML.format(encoding=encoding).encode(encoding), "cut.xml"))
    assert edit.name == "cut é"
    assert [(each.shot, each.start, each.duration, each.rate) for each in edit.clips] == [("sh010", 10, 24, 23.976)]
    assert edit.notes == ("clip 2 `sh020` is muted; it is no shot",)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><xmeml>&b;</xmeml>"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LAUGHS, "declares XML entities"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xmeml>&a;</xmeml>', "declares XML entities"),
        ("<a>" * 100_000 + "</a>" * 100_000, "nested too deeply"),
        ("<xmeml><sequence>", "cut.xml is no XML"),
        ("no xml", "cut.xml is no XML"),
        ('<?xml version="1.0" encoding="nonsense"?><a/>', "cut.xml is no XML"),
    ],
)
def test_hostile_xml(write: Write, text: str, told: str) -> None:
    """Entities, depth and broken files are refused before an adapter sees them."""
    path = write(text, "cut.xml")
    with pytest.raises(UsageError, match=told):
        adapters._checked_text(path, ".xml")


SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "cuts"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published timelines are not beside this project")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.otio")), ids=lambda path: path.name[:9])
def test_published_timelines(path: Path) -> None:
    """Each is read with its shots numbered, or refused because its clips have no names."""
    assert len(read_edit(path, EditOptions(names="place")).clips) in (72, 83, 39)
    try:
        assert len(read_edit(path).clips) == 83
    except CallsheetError as error:
        assert "has no name" in str(error)  # noqa: PT017
