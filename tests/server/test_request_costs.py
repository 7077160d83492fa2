"""What one request may cost grows with what it says, and ends: counted, not timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from studio import Identity, Studio, open_studio, task, update

from callsheet.server.writing.overlay import Overlay, WorkingRow


class Held(Mapping[str, Any]):
    """What a mapping holds in the database; counts how often an item is read."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items_, self.reads = items, 0

    def __getitem__(self, key: str) -> Any:
        self.reads += 1
        return self.items_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_studio() as opened:
        yield opened


@pytest.mark.parametrize("value", ["other", None])
def test_a_mapping_is_copied_once_however_many_items_are_written(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """A commit that writes all of 500 items reads each a few times: not each of them for each."""
    items = {f"k{number}": "v" for number in range(500)}
    studio.commit(task("t", **{f"metadata.{name}": told for name, told in items.items()}))
    held = Held(items)
    known = Overlay._entry

    def know(self: Overlay, root: str, row: Sequence[Any]) -> WorkingRow:
        place = self._columns[root].get("metadata")
        told = [held if index == place else cell for index, cell in enumerate(row)]
        return known(self, root, told)

    monkeypatch.setattr(Overlay, "_entry", know)
    studio.commit(update(Identity("Task", "t"), **{f"metadata.{name}": value for name in items}))
    assert 500 <= held.reads <= 4 * 500
    after = studio.value(Identity("Task", "t"), "metadata")
    assert after == (None if value is None else dict.fromkeys(items, "other"))
