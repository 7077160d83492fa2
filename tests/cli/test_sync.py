"""``callsheet sync`` shows a plan, applies it when told to, and says by its exit status what happened."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callsheet import Session
from callsheet.cli.commands import callsheet as commands

SYNC = """
name = "nightly"
[[sync]]
type = "Sequence"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Seq = "name", Show = "parent.name" }

[[sync]]
type = "Shot"
rows = { file = "shots.csv", encoding = "utf-8" }
key = ["project.name", "parent.name", "name"]
delete = "delete"
scope = 'project.name is "sintel"'
max_deleted = 0.5
[sync.columns]
Shot = "name"
Seq = "parent.name"
Show = "project.name"
In = { to = "fstart", decimal = "," }
"""


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database, a sync file and its rows."""
    address = f"sqlite:///{tmp_path / 'show.db'}"
    with Session(address) as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
    monkeypatch.setenv("CALLSHEET_SERVER", address)
    (tmp_path / "show.toml").write_text(SYNC)
    rows_of(tmp_path, "sq1,sh010,1001", "sq1,sh020,1001")
    return tmp_path


def rows_of(folder: Path, *lines: str) -> None:
    (folder / "shots.csv").write_text("\n".join(["Show,Seq,Shot,In", *(f"sintel,{line}" for line in lines)]))


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(commands, ["sync", *map(str, arguments)])


def test_a_dry_run_shows_and_changes_nothing(show: Path) -> None:
    """Exit status 2 while changes are pending, and the same plan again."""
    for _ in range(2):
        shown = run(show / "show.toml", "--dry-run")
        assert shown.exit_code == 2
        assert "Shot: 2 created, 0 changed, 0 unchanged\n  + sintel / sq1 / sh010" in shown.output


def test_it_applies_and_has_nothing_to_do_then(show: Path) -> None:
    """Exit status 0 both times; types that depend on each other go in with one commit."""
    done = run(show / "show.toml", "--yes")
    assert (done.exit_code, "Done: 3 created, 0 changed, 0 deleted, in 1 commit." in done.output) == (0, True)
    again = run(show / "show.toml", "--yes")
    assert (again.exit_code, "Done" in again.output) == (0, False)


def test_without_a_terminal_it_asks_for_yes(show: Path) -> None:
    """A job that nobody watches says what it wants."""
    asked = run(show / "show.toml")
    assert asked.exit_code == 1
    assert "--yes applies the plan" in asked.output


def test_refused_rows_stop_it(show: Path) -> None:
    """Exit status 3; with on_error = "skip" the other rows go in."""
    rows_of(show, "sq1,sh010,soon", "sq1,sh020,1")
    stopped = run(show / "show.toml", "--yes")
    assert (stopped.exit_code, "row 2, In: 'soon' is not a number" in stopped.output) == (3, True)
    (show / "show.toml").write_text(SYNC.replace("max_deleted = 0.5", 'max_deleted = 0.5\non_error = "skip"'))
    skipped = run(show / "show.toml", "--yes")
    assert (skipped.exit_code, "Done: 2 created" in skipped.output) == (3, True)


def test_the_plan_as_json(show: Path) -> None:
    """One document, with counts and every change."""
    shown = run(show / "show.toml", "--dry-run", "--json")
    document = json.loads(shown.stdout)
    assert [step["counts"]["created"] for step in document["steps"]] == [1, 2]
    assert document["steps"][1]["created"][0]["values"]["fstart"] == 1001


def test_runs_are_listed_and_taken_back(show: Path) -> None:
    """Each run is a line of the log, and undoing it leaves what was there before."""
    run(show / "show.toml", "--yes")
    rows_of(show, "sq1,sh010,1009")
    run(show / "show.toml", "--yes")
    lines = run("log").output.splitlines()
    assert [line.split()[1] for line in lines] == ["sync", "nightly", "nightly"]
    assert lines[1].split()[5:8] == ["0", "1", "1"]
    taken = run("undo", lines[1].split()[0])
    assert taken.exit_code == 0
    with Session(f"sqlite:///{show / 'show.db'}") as session:
        found = {each["name"]: each["fstart"] for each in session.query("Shot")}
    assert found == {"sh010": 1001, "sh020": 1001}
    assert run("undo", "nix").exit_code == 1


def test_everything_wrong_with_a_file_is_told(show: Path) -> None:
    """With the place of each."""
    (show / "bad.toml").write_text('x = 1\n[[sync]]\ntype = "Shot"\nrows = 3\nkee = "name"\n')
    told = run(show / "bad.toml")
    assert told.exit_code == 1
    for text in ("sync[0].rows: a text or a table is needed, not 3", "did you mean `key`?", "`x` is unknown"):
        assert text in told.output


def test_a_draft_is_a_sync_file(show: Path) -> None:
    """Columns called like attributes are mapped, the others stand as comments; it can be run."""
    (show / "cut.csv").write_text("Name,Sequence,Start Date,Foo\nsh030,sq1,2026-11-30,x\n")
    run(show / "show.toml", "--yes")
    drafted = run("draft", show / "cut.csv", "Shot")
    assert '"Sequence" = "parent.name"' in drafted.output
    assert '# "Foo" = ""  # like "x"' in drafted.output
    (show / "draft.toml").write_text(drafted.output)
    assert "1 created" in run(show / "draft.toml", "--dry-run").output


CONFLICTS = """
[[sync]]
type = "Sequence"
rows = "sequences.csv"
key = { external = "tracker", column = "id" }
conflicts = { description = "raise" }
adopt = ["parent.name", "name"]
columns = { name = "name", note = "description" }
constants = { "parent.name" = "sintel" }
"""


def test_edits_of_both_sides_end_with_four(show: Path) -> None:
    """The conflict is shown with all values, and nothing is written until it is decided."""
    (show / "show.toml").write_text(CONFLICTS)
    (show / "sequences.csv").write_text("id,name,note\n7,sq7,old\n")
    assert run(show / "show.toml", "--yes").exit_code == 0
    with Session(f"sqlite:///{show / 'show.db'}") as session:
        session.external("tracker", "Sequence", "7")["description"] = "theirs"
        session.commit()
    (show / "sequences.csv").write_text("id,name,note\n7,sq7,mine\n")
    result = run(show / "show.toml", "--yes")
    assert result.exit_code == 4
    assert "? 7  description: the source has 'mine', the target 'theirs' (was 'old')" in result.output
    assert "decide on the conflicts" in result.output
    (show / "show.toml").write_text(CONFLICTS.replace('"raise"', '"target"'))
    assert "< 7  description: 'theirs' of the target overrides 'mine'" in run(show / "show.toml", "--yes").output
    assert run(show / "show.toml", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('key = { external = "tracker", colum = "id" }', "`colum` is unknown; did you mean `column`"),
        ('conflicts = "perhaps"', "'perhaps' is no policy"),
        ('gone = "perhaps"', "gone is one of leave, create, conflict"),
    ],
)
def test_a_wrong_line_of_external_ids_is_told(show: Path, line: str, message: str) -> None:
    """With the names that exist."""
    name = line.partition(" ")[0]
    text = "\n".join(each for each in CONFLICTS.splitlines() if not each.startswith(name))
    (show / "show.toml").write_text(text.replace('type = "Sequence"', f'type = "Sequence"\n{line}'))
    (show / "sequences.csv").write_text("id,name,note\n7,sq7,old\n")
    result = run(show / "show.toml", "--yes")
    assert result.exit_code == 1
    assert message in result.output + (result.stderr if result.stderr_bytes else "") + str(result.exception)


WRONG = [
    "max_deleted = 'x'",
    "on_error = 'go'",
    "delete = 'dele'",
    "conflicts = 'mine'",
    "kee = 'name'",
    "columns = { a = 3 }",
    "columns = { a = { too = 'name' } }",
    "key = 3",
]


@pytest.mark.parametrize("line", WRONG)
def test_the_schema_of_sync_files_refuses_what_is_wrong(line: str) -> None:
    """Unknown keys, other kinds, words that there are not."""
    checked = validator()
    document = tomllib.loads(SYNC)
    assert list(checked.iter_errors(document)) == []
    changed = {**document, "sync": [{**document["sync"][0], **tomllib.loads(line)}]}
    assert list(checked.iter_errors(changed)) != []


def validator() -> Any:
    """The printed schema, itself checked."""
    from jsonschema import Draft202012Validator

    schema = json.loads(run("schema").output)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schema_is_published() -> None:
    """The file beside the reference is what the command prints, and every key of a sync file is described."""
    published = Path(__file__).parents[2] / "docs" / "reference" / "sync.schema.json"
    assert published.read_text() == run("schema").output
    for name, each in json.loads(published.read_text())["properties"]["sync"]["items"]["properties"].items():
        assert each.get("description"), name


def test_real_sync_files_fit_the_schema() -> None:
    """Those of the tests, and those of the pages."""
    root = Path(__file__).parents[2]
    checked = validator()
    texts = [(root / "tests" / "sync" / "foodmart" / "sync.toml").read_text()]
    for page in (root / "docs").rglob("*.md"):
        texts += [text for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.S) if "[[sync]]" in text]
    assert len(texts) > 1
    for text in texts:
        assert list(checked.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(
    "wrong", [["run"], ["--nix"], ["show.toml", "--chunk", "0"], ["show.toml", "--nix"], ["log", "x"]]
)
def test_wrong_usage_is_not_taken_for_pending_changes(show: Path, wrong: list[str]) -> None:
    """Its exit status is 1, since 2 says that changes are pending."""
    done = run(*wrong)
    assert (done.exit_code, "Error: " in done.output) == (1, True)


def test_a_chunk_without_an_answer_says_what_was_done_before(show: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So whoever reads the output knows how far it came."""
    from callsheet.errors import CommitError
    from callsheet.sync import applying

    send, sent = applying.send_alone, []

    def failing(core: Any, operations: Any, **options: Any) -> Any:
        sent.append(operations)
        if len(sent) > 1:
            raise CommitError("no answer to commit x: lost; it may have been done or not")
        return (yield from send(core, operations, **options))

    monkeypatch.setattr(applying, "send_alone", failing)
    done = run(show / "show.toml", "--yes", "--chunk", "2")
    assert done.exit_code == 1
    assert "Done before: 2 created, 0 changed, 0 deleted, in 1 commit; run it again." in done.output
    assert "it may have been done or not" in done.output
