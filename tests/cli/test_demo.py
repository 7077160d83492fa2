"""The demonstration, from the first line to the last."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from callsheet.cli.commands import callsheet as commands
from callsheet.cli.doctor import clock, round_trip, version

WIDE = {"COLUMNS": "160"}


def test_demo_tells_the_whole_story() -> None:
    """Sol Levante is imported by one request, changed by another, and read back by a handful."""
    result = CliRunner().invoke(commands, ["demo"], env=WIDE)
    assert result.exit_code == 0, result.output
    told = result.output
    assert "Sol Levante: 72 clips, 6,314 frames" in told
    assert "Netflix" in told
    assert "✓ 367 operations, 1 request" in told
    assert "✓ 7 operations, 1 request" in told
    assert "Not started → Omitted" in told
    assert "292 tasks have a bid: 3,718 hours" in told
    lazily = next(line for line in told.splitlines() if "lazily:" in line).split("│")[2]
    assert int(lazily) <= 10
    one_by_one = next(line for line in told.splitlines() if "one by one:" in line).split("│")[2]
    assert one_by_one.strip() == "378 or more"
    assert "callsheet serve" in told


def test_demo_with_a_cut_of_ones_own(tmp_path: Path) -> None:
    """Another cut, a folder to keep; a second time the folder is not overwritten."""
    path = tmp_path / "my edit.csv"
    path.write_text("start,duration,rate\n0,24,25\n24,48,25\n72,10,25\n")
    keep = tmp_path / "kept"
    result = CliRunner().invoke(commands, ["demo", "--cut", str(path), "--keep", str(keep)], env=WIDE)
    assert result.exit_code == 0, result.output
    assert "my edit: 3 clips, 82 frames" in result.output
    assert (keep / "demo.db").exists()
    assert "export CALLSHEET_API_USER=admin CALLSHEET_API_KEY=" in result.output
    again = CliRunner().invoke(commands, ["demo", "--keep", str(keep)], env=WIDE)
    assert again.exit_code == 1
    assert "exists already" in again.output


@pytest.mark.parametrize(
    ("ahead", "elapsed", "well", "result"),
    [
        (0.2, 0.3, True, "the clocks agree within 0.3 s"),
        (120.0, 0.3, False, "the server's clock is 120 s ahead of this one"),
        (-60.0, 0.3, False, "the server's clock is 60 s behind this one"),
    ],
)
def test_clocks(ahead: float, elapsed: float, well: bool, result: str) -> None:
    """A clock that is wrong by more than seconds is reported with its direction."""
    assert (clock(ahead, elapsed).well, clock(ahead, elapsed).result) == (well, result)


def test_versions_and_round_trips() -> None:
    """Versions differ from the second number on; a round trip of a second is too slow."""
    assert not version("1.2.0", "1.3.0").well
    assert not round_trip([1.0, 1.1, 1.2]).well
