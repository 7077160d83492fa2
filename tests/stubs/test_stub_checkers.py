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


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample script beside the stub of its studio."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "my_studio.pyi").write_text(stub_of(studio_types()), encoding="utf-8")
    return Path(shutil.copy(SAMPLE, folder / "script.py"))


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_mypy_finds_the_errors_and_no_others(script: Path) -> None:
    """Under --strict, mypy accepts the stub, and refuses the marked lines of the script only."""
    done = checked([*MYPY, str(script.with_name("my_studio.pyi"))], script)
    assert [int(number) for number in re.findall(r"^script\.py:(\d+): error", done.stdout, re.M)] == MARKED, done.stdout
    assert "my_studio.pyi" not in done.stdout


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@needs_node
def test_pyright_finds_the_errors_and_no_others(script: Path) -> None:
    """Pyright accepts the stub, and refuses the marked lines of the script only."""
    done = checked([*PYRIGHT, str(script.with_name("my_studio.pyi"))], script)
    found = dict.fromkeys(int(number) for number in re.findall(r"script\.py:(\d+):\d+ - error", done.stdout))
    assert list(found) == MARKED, done.stdout
    assert "my_studio.pyi:" not in done.stdout


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_mypy_reads_the_stub_of_a_vendors_schema(tmp_path: Path) -> None:
    """A large schema in a vendor's format has a stub that passes strict checks."""
    with Session("memory:", schema=schema_list()) as session:
        (tmp_path / "vendor.pyi").write_text(stub_of(session.types), encoding="utf-8")
    path = tmp_path / "use.py"
    path.write_text("import vendor\n\n\ndef show(task: vendor.Task) -> None:\n    print(task.nmae)\n", encoding="utf-8")
    done = checked([*MYPY, "vendor.pyi"], path)
    errors = [line for line in done.stdout.splitlines() if "error: " in line]
    assert errors == ['use.py:5: error: "Task" has no attribute "nmae"  [attr-defined]'], done.stdout
