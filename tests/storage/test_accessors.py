"""Accessors reach files within their prefix and nowhere else, overwrite nothing, and show whole files only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callsheet.errors import AlreadyThere, FileMissing, MountMissing, UnsafePath, Unsupported, UsageError
from callsheet.storage.accessor import parts_of
from callsheet.storage.disk import DiskAccessor, system_name
from callsheet.storage.filesystem import FsspecAccessor

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of ``abc``, from FIPS 180-2."""


@pytest.fixture(params=["disk", "memory", "local"])
def accessor(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An accessor of each kind, empty."""
    if request.param == "disk":
        return DiskAccessor(tmp_path)
    if request.param == "local":
        return FsspecAccessor(f"file://{tmp_path}")
    return FsspecAccessor(f"memory://callsheet-{tmp_path.name}-{os.getpid()}")


def put(accessor: Any, identifier: str, content: bytes, token: str = "t") -> None:
    upload = accessor.begin(identifier, token)
    upload.write(content)
    upload.publish()


def test_a_file_is_seen_when_it_is_published(accessor: Any) -> None:
    """And not before; its checksum is read back from where it is."""
    upload = accessor.begin("a/b.txt", "t")
    upload.write(b"ab")
    upload.write(b"c")
    assert upload.checksum() == ABC
    assert accessor.exists("a/b.txt") is False
    upload.publish()
    assert (accessor.exists("a/b.txt"), accessor.size("a/b.txt")) == (True, 3)
    with accessor.open("a/b.txt") as file:
        assert file.read() == b"abc"
    assert accessor.list() == ["a/b.txt"]


def test_nothing_is_overwritten(accessor: Any) -> None:
    """The second of two files with one name is refused, and the first is as it was."""
    put(accessor, "x", b"first")
    with pytest.raises(AlreadyThere, match="kept"):
        put(accessor, "x", b"second")
    accessor.forget("x", "t")
    with accessor.open("x") as file:
        assert file.read() == b"first"
    assert accessor.list() == ["x"]


def test_what_is_not_there_is_told(accessor: Any) -> None:
    """By one error, whatever the storage."""
    for verb in (accessor.size, accessor.open, accessor.remove):
        with pytest.raises(FileMissing, match=r"no/such\.txt"):
            verb("no/such.txt")
    assert accessor.list("no") == []
    accessor.forget("no/such.txt", "t")


def test_small_files_are_replaced_at_once(accessor: Any) -> None:
    """``write`` is for notes of our own."""
    accessor.write(".callsheet/note.json", b"1")
    accessor.write(".callsheet/note.json", b"22")
    assert accessor.size(".callsheet/note.json") == 2
    assert accessor.list(".callsheet") == [".callsheet/note.json"]
    accessor.remove(".callsheet/note.json")
    assert accessor.list() == []


UNSAFE = ["../x", "a/../../x", "/etc/passwd", "a\\..\\x", "C:/x", "a\0b", "a\nb", "", "..", "./.."]


@pytest.mark.parametrize("identifier", UNSAFE)
def test_no_identifier_leads_out(accessor: Any, identifier: str) -> None:
    """Upwards, absolute, with another system's separators or drive, with control characters."""
    verbs: list[Callable[[str], Any]] = [accessor.open, accessor.exists, accessor.size, accessor.remove]
    verbs += [lambda each: accessor.begin(each, "t"), lambda each: accessor.write(each, b"")]
    for verb in verbs:
        with pytest.raises(UnsafePath):
            verb(identifier)


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    """A prefix is a folder, not the beginning of a text."""
    (tmp_path / "show").mkdir()
    (tmp_path / "show-secret").mkdir()
    (tmp_path / "show-secret/x").write_text("secret")
    with pytest.raises(UnsafePath):
        DiskAccessor(tmp_path / "show").open(str(tmp_path / "show-secret/x"))


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    """Neither a link that is a file, nor one that is a folder on the way."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / "file").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    accessor = DiskAccessor(inside)
    for identifier in ("file", "folder/secret", "folder/new"):
        with pytest.raises(UnsafePath):
            accessor.begin(identifier, "t")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]


def test_absolute_paths_are_taken_within_the_prefix(tmp_path: Path) -> None:
    """And by an accessor without a prefix, which is for files that stay where they are."""
    path = tmp_path / "x"
    path.write_text("abc")
    assert DiskAccessor(tmp_path).size(str(path)) == 3
    assert DiskAccessor("").size(str(path)) == 3
    with pytest.raises(UnsafePath, match="relative"):
        DiskAccessor("").size("x")


def test_an_upload_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """With the same token; another one begins anew."""
    accessor = DiskAccessor(tmp_path)
    first = accessor.begin("x", "one")
    first.write(b"ab")
    first.close()
    other = accessor.begin("x", "two")
    assert other.received == 0
    other.close()
    again = accessor.begin("x", "one")
    assert again.received == 2
    again.write(b"c")
    assert again.checksum() == ABC
    again.publish()
    assert accessor.size("x") == 3


def test_mount_points_are_those_of_the_system(tmp_path: Path) -> None:
    """One for each operating system; without one, the error names those that there are."""
    system = system_name()
    accessor = DiskAccessor({system: str(tmp_path), "other": "/nowhere"})
    assert accessor.filesystem_path("a") == str(tmp_path.resolve() / "a")
    missing = {"linux", "macos", "windows"} - {system}
    told = DiskAccessor(dict.fromkeys(missing, "/x"))
    with pytest.raises(
        MountMissing, match=f"no mount point for {system}; it has one for: {', '.join(sorted(missing))}"
    ):
        told.exists("a")


def test_a_disk_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    """An empty folder in its place would take files that nobody finds."""
    accessor = DiskAccessor(tmp_path / "mnt", must_exist=True)
    with pytest.raises(MountMissing, match="not mounted"):
        accessor.begin("x", "t")
    assert not (tmp_path / "mnt").exists()


def test_environment_and_home_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In prefixes, as scripts write them."""
    monkeypatch.setenv("SHOW_ROOT", str(tmp_path))
    assert DiskAccessor("$SHOW_ROOT/a").root == tmp_path.resolve() / "a"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DiskAccessor("~/b").root == tmp_path.resolve() / "b"


def test_removing_a_file_removes_the_folders_it_leaves_empty(tmp_path: Path) -> None:
    """Up to the prefix, which stays."""
    accessor = DiskAccessor(tmp_path / "root")
    put(accessor, "a/b/c", b"")
    put(accessor, "a/d", b"")
    accessor.remove("a/b/c")
    assert sorted(path.name for path in (tmp_path / "root/a").iterdir()) == ["d"]
    accessor.remove("a/d")
    assert list((tmp_path / "root").iterdir()) == []


def test_urls_and_paths(tmp_path: Path) -> None:
    """A disk has both; other file systems have no path."""
    assert DiskAccessor(tmp_path).url("a b") == f"file://{tmp_path.resolve().as_posix()}/a%20b"
    memory = FsspecAccessor("memory://bucket")
    assert memory.url("a/b") == "memory://bucket/a/b"
    with pytest.raises(Unsupported, match="not a disk"):
        memory.filesystem_path("a/b")


def test_a_file_system_that_is_not_there_is_told_so() -> None:
    """By an error of ours, with what was asked for."""
    with pytest.raises(UsageError, match="nosuchprotocol"):
        FsspecAccessor("nosuchprotocol://x").exists("a")


def test_identifiers_have_parts() -> None:
    """Empty and single dots mean nothing."""
    assert parts_of("a//b/./c") == ("a", "b", "c")
