"""Structures give identifiers that are the same tomorrow; expressions tell which files are a sequence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.errors import FileMissing, StructureError, UsageError
from callsheet.storage.accessor import parts_of
from callsheet.storage.scenario import read_scenario
from callsheet.storage.sequence import parse_sequence, ranges
from callsheet.storage.structure import (
    Described,
    EntityIdStructure,
    IdStructure,
    OriginStructure,
    StandardStructure,
    structure_of,
)

VERSION = {"way": ("Sintel", "SQ 010", "sh/020"), "asset": "Köpfe", "version": 3}
FILE = Described("abcdefgh", "Main", "file", ".exr", **VERSION)  # type: ignore[arg-type]
SEQUENCE = Described("abcdefgh", "beauty", "sequence", ".exr", 4, **VERSION)  # type: ignore[arg-type]
FRAME = Described("ijklmnop", "0007", "file", ".exr", container=SEQUENCE)
PACKAGE = Described("abcdefgh", "pack", "container", **VERSION)  # type: ignore[arg-type]
MEMBER = Described("ijklmnop", "notes", "file", ".txt", container=PACKAGE)

SCENARIO = FTRACK.storage_scenario


@pytest.mark.parametrize(
    ("component", "standard", "by_id"),
    [
        (FILE, "sintel/sq_010/sh_020/kopfe/v003/main.exr", "p/a/b/c/d/efgh.exr"),
        (SEQUENCE, "sintel/sq_010/sh_020/kopfe/v003/beauty.%04d.exr", "p/a/b/c/d/efgh/file.%04d.exr"),
        (FRAME, "sintel/sq_010/sh_020/kopfe/v003/beauty.0007.exr", "p/a/b/c/d/efgh/file.0007.exr"),
        (PACKAGE, "sintel/sq_010/sh_020/kopfe/v003/pack", "p/a/b/c/d/efgh"),
        (MEMBER, "sintel/sq_010/sh_020/kopfe/v003/pack/notes.txt", "p/i/j/k/l/mnop.txt"),
    ],
)
def test_where_components_are(component: Described, standard: str, by_id: str) -> None:
    """Files, sequences, frames, containers, members."""
    assert StandardStructure().identifier(component) == standard
    assert IdStructure("p").identifier(component) == by_id
    assert EntityIdStructure().identifier(component) == component.key


def test_versions_may_have_a_folder_of_their_own() -> None:
    """Below the project's; and another letter for what is not taken."""
    structure = StandardStructure("work/published", "-")
    assert structure.identifier(FILE) == "sintel/work/published/sq-010/sh-020/kopfe/v003/main.exr"


def test_a_path_of_a_version_needs_the_version() -> None:
    """The error says what to do."""
    with pytest.raises(StructureError, match="commit the version first"):
        StandardStructure().identifier(Described("abcdefgh", "main"))
    nested = Described("1", "x", container=MEMBER)
    with pytest.raises(StructureError, match="nested"):
        StandardStructure().identifier(nested)


def test_the_origin_is_where_a_file_comes_from() -> None:
    """Or there is none."""
    assert OriginStructure().identifier(Described("1", "x", source="/tmp/x")) == "/tmp/x"
    with pytest.raises(StructureError, match="comes from"):
        OriginStructure().identifier(Described("1", "x"))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=8))
def test_no_name_leads_out(name: str, folder: str, ending: str) -> None:
    """Whatever components, projects and endings are called, the path has its five parts, none of which leads up."""
    component = Described("key12", name, file_type=ending, way=(folder,), asset=folder, version=1)
    try:
        identifier = StandardStructure().identifier(component)
    except StructureError:
        return
    assert len(parts_of(identifier)) == 4
    assert identifier.isascii()


def test_structures_can_be_described_by_data() -> None:
    """As a location's row has them."""
    told = {"type": "standard", "project_versions_prefix": "v"}
    assert structure_of(told).identifier(FILE).startswith("sintel/v/")
    with pytest.raises(UsageError, match="one of entity_id, id, origin, standard"):
        structure_of({"type": "magic"})
    with pytest.raises(UsageError, match="cannot be read"):
        structure_of({"type": "id", "colour": 1})


@pytest.mark.parametrize(
    ("text", "frames", "padding", "shown"),
    [
        ("/a/f.%04d.exr [1-3]", (1, 2, 3), 4, "/a/f.%04d.exr [1-3]"),
        ("head%04dtail [1-5, 8]", (1, 2, 3, 4, 5, 8), 4, "head%04dtail [1-5, 8]"),
        ("f.####.exr [1-10x4]", (1, 5, 9), 4, "f.%04d.exr [1, 5, 9]"),
        ("f.%d.exr[8-12]", (8, 9, 10, 11, 12), 0, "f.%d.exr [8-12]"),
    ],
)
def test_expressions(text: str, frames: tuple[int, ...], padding: int, shown: str) -> None:
    """Printf and hash notation, ranges with steps and holes."""
    found = parse_sequence(text)
    assert found is not None
    assert (found.frames, found.padding, str(found)) == (frames, padding, shown)


@pytest.mark.parametrize("text", ["/a/b.exr", "a [1-3]", "", "100%.txt", "dir#1/file.txt"])
def test_what_is_no_expression(text: str) -> None:
    """Plain files, whatever characters they have."""
    assert parse_sequence(text) is None


def test_frames_can_be_missing() -> None:
    """Between the first and the last."""
    found = parse_sequence("f.%04d.exr [1-3, 6]")
    assert found is not None
    assert found.missing == (4, 5)
    assert [found.member(frame) for frame in (3, 6)] == ["f.0003.exr", "f.0006.exr"]


def test_without_a_range_the_disk_is_asked(tmp_path: Path) -> None:
    """Files with other digits are not of it."""
    for name in ("f.0001.exr", "f.0002.exr", "f.10000.exr", "f.3.exr", "f.0004.jpg", "g.0005.exr"):
        (tmp_path / name).touch()
    found = parse_sequence(f"{tmp_path}/f.####.exr")
    assert found is not None
    assert found.frames == (1, 2, 10000)
    with pytest.raises(FileMissing, match="no file of this sequence"):
        parse_sequence(f"{tmp_path}/h.####.exr")


@pytest.mark.parametrize("text", ["f.%04d.exr [a-b]", "f.%04d.exr [1-99999999]"])
def test_ranges_that_cannot_be(text: str) -> None:
    """Letters, and far too many."""
    with pytest.raises(UsageError):
        parse_sequence(text)


@given(st.sets(st.integers(0, 300)))
def test_ranges_say_which_frames(frames: set[int]) -> None:
    """In few words, and all of them."""
    if frames:
        found = parse_sequence(f"f.%04d.exr [{ranges(frames)}]")
        assert found is not None
        assert set(found.frames) == frames


def test_centralised_storage_is_one_disk_for_all() -> None:
    """Its mount points per system; anything else is no scenario."""
    data = {"location_id": "k", "location_name": "central", "accessor": {"mount_points": {"linux": "/l", "osx": "/o"}}}
    found = read_scenario({"scenario": "ftrack.centralized-storage", "data": data}, SCENARIO)
    assert found is not None
    assert (found.name, found.key, found.accessor.prefix) == ("central", "k", {"linux": "/l", "macos": "/o"})
    assert read_scenario({"scenario": "ftrack.automatic", "data": {}}, SCENARIO) is None
    assert read_scenario(None, SCENARIO) is None
