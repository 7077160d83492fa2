"""mypy and pyright read the stub of a studio's schema: right scripts pass, each wrong line is an error."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from callsheet import Session
from callsheet.stubs.writing import stub_of
from recorded import schema_list
from stubs.studio_schema import studio_types
from test_editors import MYPY, PYRIGHT, checked, needs_node

SAMPLE = Path(__file__).parent / "sample_script.py"
MARKED = [number for number, line in enumerate(SAMPLE.read_text(encoding="utf-8").splitlines(), 1) if "# E" in line]


VENDORS = "import vendor\n\n\ndef show(task: vendor.Task) -> None:\n    print(task.nmae)\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample script beside the stub of its studio; and the stub of a vendor's schema, with a use of it."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "my_studio.pyi").write_text(stub_of(studio_types()), encoding="utf-8")
    shutil.copy(SAMPLE, folder / "script.py")
    with Session("memory:", schema=schema_list()) as session:
        (folder / "vendor.pyi").write_text(stub_of(session.types), encoding="utf-8")
    (folder / "use.py").write_text(VENDORS, encoding="utf-8")
    return folder


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_mypy_finds_the_errors_and_no_others(folder: Path) -> None:
    """Under --strict, mypy accepts both stubs, and refuses the marked lines of the script and the use only.

    One run for both, because reading the package takes longest.
    """
    done = checked([*MYPY, "my_studio.pyi", "vendor.pyi", "use.py"], folder / "script.py")
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    in_script = re.findall(r"^script\.py:(\d+): error", done.stdout, re.M)
    assert [int(number) for number in in_script] == MARKED, done.stdout
    others = [line for line in errors if not line.startswith("script.py:")]
    assert others == ['use.py:5: error: "Task" has no attribute "nmae"  [attr-defined]'], done.stdout


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@needs_node
def test_pyright_finds_the_errors_and_no_others(folder: Path) -> None:
    """Pyright accepts the stub, and refuses the marked lines of the script only."""
    done = checked([*PYRIGHT, "my_studio.pyi"], folder / "script.py")
    found = dict.fromkeys(int(number) for number in re.findall(r"script\.py:(\d+):\d+ - error", done.stdout))
    assert list(found) == MARKED, done.stdout
    assert "my_studio.pyi:" not in done.stdout
