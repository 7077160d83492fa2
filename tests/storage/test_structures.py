"""Structures give identifiers that are the same tomorrow; expressions tell which files are a sequence."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from attrs import evolve as replace
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.errors import FileMissing, StructureError, UsageError
from callsheet.storage.accessor import parts_of
from callsheet.storage.naming import split_extension
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


TAGGED = "sintel~cnieczhn/sq_010~jmi7rzcl/sh_020~owu3xo64/kopfe~kw57wrr4/v003"


@pytest.mark.parametrize(
    ("component", "untagged", "name", "by_id"),
    [
        (FILE, "main.exr", "main~5oauxy6k.exr", "p/a/b/c/d/efgh.exr"),
        (SEQUENCE, "beauty.%04d.exr", "beauty.%04d.exr", "p/a/b/c/d/efgh/file.%04d.exr"),
        (FRAME, "beauty.0007.exr", "beauty.0007.exr", "p/a/b/c/d/efgh/file.0007.exr"),
        (PACKAGE, "pack", "pack", "p/a/b/c/d/efgh"),
        (MEMBER, "pack/notes.txt", "pack/notes.txt", "p/i/j/k/l/mnop.txt"),
    ],
)
def test_where_components_are(component: Described, untagged: str, name: str, by_id: str) -> None:
    """Files, sequences, frames, containers and members have readable paths; what a path loses is in a tag."""
    assert StandardStructure(tagged=False).identifier(component) == f"sintel/sq_010/sh_020/kopfe/v003/{untagged}"
    assert StandardStructure().identifier(component) == f"{TAGGED}/{name}"
    assert IdStructure("p").identifier(component) == by_id
    assert EntityIdStructure().identifier(component) == component.key


def test_versions_may_have_a_folder_of_their_own() -> None:
    """Below the project's; and another letter for what is not taken."""
    structure = StandardStructure("work/published", "-", tagged=False)
    assert structure.identifier(FILE) == "sintel/work/published/sq-010/sh-020/kopfe/v003/main.exr"


def _file(name: str, ending: str = ".exr", folder: str = "sh010") -> Described:
    return Described("key12", name, "file", ending, way=("sintel", folder), asset="comp", version=1)


def _container(name: str) -> Described:
    return Described("key12", name, "container", way=("sintel", "sh010"), asset="comp", version=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_file("main", folder="sh0010"), _file("main", folder="SH0010")),
        (_file("a/b"), _file("a_b")),
        (_file("猫"), _file("犬")),
        (_file("café"), _file("cafe")),
        (_file("main.exr", ""), _file("main", ".exr")),
        (_file("main", ".EXR"), _file("main", ".exr")),
        (_file("plate.0001"), Described("1", "0001", "file", ".exr", container=replace(SEQUENCE, name="plate"))),
        (_file("pack", ""), _container("pack")),
        (_file("pack", ".txt"), _container("pack.txt")),
        (_file("x" * 100), _file("x" * 101)),
    ],
)
def test_what_looks_alike_has_two_paths(one: Described, other: Described) -> None:
    """Capitals, separators, accents, other scripts, dots and length never make two components share a path."""
    if one.way != other.way and other.container is not None:
        one = replace(one, way=SEQUENCE.way, asset=SEQUENCE.asset, version=SEQUENCE.version)
    first, second = (StandardStructure().identifier(each) for each in (one, other))
    assert first.casefold() != second.casefold()


@pytest.mark.parametrize("name", ["con", "nul.x", "com1", "main.", "main ", "a:b", "a<b>?", "…", "x" * 300, "~"])
def test_paths_are_legal_on_every_system(name: str) -> None:
    """Windows refuses devices' names, some characters and last dots; all refuse names of more than 255 bytes."""
    for component in (_file(name), _container(name), _file("main", folder=name)):
        for part in StandardStructure().identifier(component).split("/"):
            assert re.fullmatch(r"[a-z0-9_.~\-]{1,120}", part)
            assert not part.endswith(".")
            assert part.partition(".")[0] not in {"con", "nul", "com1"}


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6), st.sampled_from(["", ".exr", ".0001", ".tar.gz"]))))
def test_paths_tell_components_apart(names: list[tuple[str, str, str]]) -> None:
    """Components whose names differ, beyond spellings of one text, have paths that differ without regard to case."""
    told = {tuple(unicodedata.normalize("NFC", part) for part in each) for each in names}
    paths = {StandardStructure().identifier(_file(name, ending, folder)).casefold() for folder, name, ending in told}
    assert len(paths) == len(told)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("Notes Mr. Smith", ("Notes Mr. Smith", "")),
        ("a/plate.0001.exr", ("plate.0001", ".exr")),
        (".profile", (".profile", "")),
        ("notes.", ("notes.", "")),
    ],
)
def test_an_ending_is_what_follows_the_last_dot(path: str, parts: tuple[str, str]) -> None:
    """Where blanks follow the dot, or nothing, the dot belongs to the name."""
    assert split_extension(path) == parts


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
    with pytest.raises(StructureError, match="has no source path"):
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
    assert structure_of({**told, "tagged": False}).identifier(FILE).startswith("sintel/v/")
    assert "/v/" in structure_of(told).identifier(FILE)
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
