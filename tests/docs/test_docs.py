"""The documentation is true: every example runs, every link leads somewhere, everything public is described.

An example is a block of ``python`` or ``pycon``. The examples of a page share one namespace and run in order, in
an empty folder. A comment at its top says what it needs: ``<!-- examples: show -->`` a session on a small show,
``<!-- examples: edits -->`` a session on a new production with its standard entities,
``<!-- examples: server -->`` a running server in the environment, ``<!-- examples: ftrack -->`` one with ftrack's
schema, ``<!-- examples: foodmart -->`` a folder with the files of FoodMart. A comment before a block says that it is a
test file (``<!-- run: pytest -->``), or why it cannot run (``<!-- not run: … -->``).
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import frozen

import callsheet
from callsheet import errors
from studios import KEY, served_vendor_studio

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(callsheet.__path__, "callsheet.")
    if not found.name.endswith("__main__")
)
RUN = ("python", "pycon")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_BLOCK = re.compile(
    r"(?:<!-- *(?P<mark>(?:not )?run: *[^>]*?) *-->\s*\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.M)


@frozen
class Block:
    """One example: its language, its text, the line it begins at, and the comment before it."""

    kind: str
    text: str
    line: int
    mark: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["text"], text.count("\n", 0, found.start("text")), found["mark"] or "")
        for found in _BLOCK.finditer(text)
    ]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def page_text(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


# -- examples ------------------------------------------------------------------------------------------------


@pytest.fixture
def show(callsheet_session: Any) -> Any:
    """What pages call the small show: a project, two sequences, six shots, twelve tasks; nothing is cached."""
    session = callsheet_session
    state = session.create("State", {"name": "Any", "short": "any"})
    statuses = {name: session.create("Status", {"name": name, "state": state}) for name in ("Ready", "Done", "Omitted")}
    project = session.create("Project", {"name": "sintel", "full_name": "Sintel"})
    for number in (1, 2):
        sequence = session.create("Sequence", {"name": f"sq{number}", "parent": project})
        for place in (1, 2, 3):
            shot = session.create("Shot", {"name": f"sh{number}{place}", "parent": sequence, "fstart": 1001})
            for step in ("anim", "light"):
                status = statuses["Done" if step == "anim" else "Ready"]
                session.create("Task", {"name": step, "parent": shot, "status": status, "bid": 2.0})
    session.commit()
    return session.fork()


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server in a process of its own, with the entities every new production database has."""
    with callsheet.serve(seed=True) as server:
        yield server


@pytest.fixture(scope="session")
def ftrack_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with a schema of ftrack's and a small studio in it."""
    with served_vendor_studio(tmp_path_factory.mktemp("site")) as server:
        yield server


@pytest.fixture(scope="session")
def foodmart_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the tests of MDX have, unpacked."""
    folder = tmp_path_factory.mktemp("foodmart")
    with tarfile.open(ROOT / "tests" / "analytics" / "mdx" / "foodmart.tar.xz") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def namespace(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """Gives what the examples of a page begin with; sessions they leave open are closed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALLSHEET_SCHEMA_CACHE", str(tmp_path / "schemas"))
    names: dict[str, Any] = {"__name__": "example", "callsheet": callsheet}

    def prepare(page: Path) -> dict[str, Any]:
        text = page.read_text(encoding="utf-8")
        if text.startswith("<!-- examples: show -->"):
            names["session"] = request.getfixturevalue("show")
        if text.startswith("<!-- examples: edits -->"):
            names["session"] = callsheet.Session("memory:", seed=True)
        if text.startswith("<!-- examples: ftrack -->"):
            site = request.getfixturevalue("ftrack_site")
            monkeypatch.setenv("FTRACK_SERVER", site.url)
            monkeypatch.setenv("FTRACK_API_USER", "admin")
            monkeypatch.setenv("FTRACK_API_KEY", KEY)
        if text.startswith("<!-- examples: foodmart -->"):
            (tmp_path / "foodmart").symlink_to(request.getfixturevalue("foodmart_files"))
        if text.startswith("<!-- examples: server -->"):
            server = request.getfixturevalue("running_server")
            monkeypatch.setenv("CALLSHEET_SERVER", server.url)
            monkeypatch.setenv("CALLSHEET_API_USER", "admin")
            monkeypatch.setenv("CALLSHEET_API_KEY", server.admin_key)
        return names

    yield prepare
    for value in list(names.values()):
        if isinstance(value, callsheet.Session | callsheet.Server):
            value.close()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.kind in RUN for block in blocks(page))], ids=named
)
def test_examples_run(page: Path, namespace: Callable[[Path], dict[str, Any]]) -> None:
    """Every example of the page does what the page says."""
    names = namespace(page)
    for block in blocks(page):
        if block.kind not in RUN or block.mark.startswith("not run"):
            continue
        if block.mark.startswith("run: pytest"):
            run_as_tests(page, block)
        elif block.kind == "python":
            # Blank lines before it keep the line numbers of the page.
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        else:
            run_as_doctest(page, block, names)


def run_as_tests(page: Path, block: Block) -> None:
    path = Path("test_example.py")
    path.write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{named(page)}, line {block.line}:\n{done.stdout}\n{done.stderr}"


def run_as_doctest(page: Path, block: Block, names: dict[str, Any]) -> None:
    parsed = doctest.DocTestParser().get_doctest(block.text, names, named(page), str(page), block.line)
    # Later blocks see what this one defined.
    parsed.globs = names
    told: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(parsed, out=told.append, clear_globs=False)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", ["callsheet", *MODULES])
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example in a docstring of the package does what it says (those marked ``+SKIP`` are not run)."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for found in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(found, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_blocks_say_what_they_are(page: Path) -> None:
    """Each block names its language, so that none escapes being run; a reason stands where one cannot be."""
    known = {"python", "pycon", "sh", "text", "toml", "json", "http", "yaml"}
    for block in blocks(page):
        if page.name == "schema.md" and block.kind == "":
            continue
        assert block.kind in known, f"{named(page)}, line {block.line}: {block.kind!r} is no known kind of block"
        if block.mark.startswith("not run"):
            assert len(block.mark) > len("not run: "), f"{named(page)}, line {block.line}: why is it not run?"


# -- links ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """Links between pages name a file that exists and a heading that it has."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in _LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), f"{named(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(place), f"{named(page)} links to {target}; there is no such heading"


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page can be linked to."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in plain}


def test_every_page_can_be_reached() -> None:
    """Whoever follows links from the README gets to every page."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            name = target.partition("#")[0]
            if name and "://" not in name and (page.parent / name).is_file():
                waiting.append((page.parent / name).resolve())
    # The fragments of a version that is not released yet get their page when it is.
    changes = ROOT / "docs" / "changes"
    unreleased = {
        folder for folder in changes.iterdir() if folder.is_dir() and not (changes / f"{folder.name}.md").exists()
    }
    open_fragments = {page for page in PAGES if page.parent in unreleased}
    assert sorted(map(named, set(PAGES) - seen - open_fragments)) == []


# -- completeness --------------------------------------------------------------------------------------------


def test_every_public_name_is_described() -> None:
    """What ``import callsheet`` offers stands in the reference, in code type."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    assert [name for name in callsheet.__all__ if f"`{name}" not in text] == []


def test_every_error_is_described() -> None:
    """Each class of ``callsheet.errors`` stands on the page of errors."""
    text = page_text("docs/reference/errors.md")
    assert [name for name in errors.__all__ if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("Session", "session.md"),
        ("AsyncSession", "session.md"),
        ("QueryResult", "session.md"),
        ("AsyncQueryResult", "session.md"),
        ("Entity", "session.md"),
        ("Collection", "session.md"),
        ("Table", "analytics.md"),
        ("Variable", "analytics.md"),
        ("Selection", "analytics.md"),
        ("DataGrid", "analytics.md"),
        ("Cube", "analytics.md"),
        ("CubeFrame", "analytics.md"),
        ("Server", "run-a-server.md"),
        ("Statistics", "statistics.md"),
    ],
)
def test_every_public_member_is_described(name: str, page: str) -> None:
    """Each method and property of a public class stands on its page."""
    place = REFERENCE / page if (REFERENCE / page).exists() else DOCS / "how-to" / page
    text = place.read_text(encoding="utf-8")
    members = [member for member, _ in inspect.getmembers(getattr(callsheet, name)) if not member.startswith("_")]
    if name == "Statistics":
        members += [member for member in vars(callsheet.Statistics()) if not member.startswith("_")]
    told = [member for member in members if re.search(rf"`(\w+\.)?{member}\b", text) is None]
    assert told == []


def test_every_option_of_a_session_is_described() -> None:
    """Each parameter of ``Session`` stands on the page of configuration, and those of the transport too."""
    from callsheet.transport.exchange import Options

    text = page_text("docs/reference/configuration.md")
    names = [name for name in inspect.signature(callsheet.Session).parameters if name != "transport"]
    names += [name for name in Options.__annotations__ if name not in ("random", "on_exchange")]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_environment_variable_is_described() -> None:
    """Each variable that the source reads stands on the page of configuration."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    text = page_text("docs/reference/configuration.md")
    # `_CALLSHEET_COMPLETE` is between the shell's script and click.
    variables = set(re.findall(r"(?<!_)CALLSHEET_[A-Z_]+[A-Z]", source))
    assert sorted(name for name in variables if f"`{name}`" not in text) == []


def test_every_command_is_described() -> None:
    """Each command, argument and option of the command line stands on its page."""
    from callsheet.cli.commands import callsheet as group

    text = page_text("docs/reference/command-line.md")
    missing = []
    for path, command in commands(group, "callsheet"):
        if f"`{path}" not in text and path not in text:
            missing.append(path)
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                missing += [f"{path} {name}" for name in parameter.opts if f"`{name}" not in text]
    assert missing == []


def test_every_action_is_described() -> None:
    """Each action for administrators stands on the page about accounts and roles."""
    from callsheet.server.actions import ACTIONS

    text = page_text("docs/how-to/manage-accounts-and-roles.md")
    assert [name for name in ACTIONS if f"`{name}`" not in text] == []


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_operator_is_described() -> None:
    """Each operator of the query language stands on its page."""
    from callsheet.model.language.hints import OPERATORS

    text = page_text("docs/reference/query-language.md")
    assert [word for word in OPERATORS if f"`{word}`" not in text] == []


def test_the_second_command_is_what_continuous_integration_runs() -> None:
    """README's second command and ``.ci/run`` install the same and run the same tests."""
    script = page_text(".ci/run")
    readme = page_text("README.md")
    assert "python3 -m venv .venv && .venv/bin/pip install '.[server]' && .venv/bin/callsheet demo" in readme
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n 2" in readme
    for step in ("python3 -m venv .venv", "install --quiet -e '.[test]'", ".venv/bin/python -m pytest -n 2"):
        assert step in script
