"""The page's document and files: what they are made of, their headers, and that they were built from these sources."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_desk import PageDesk, open_page_desk

import callsheet.explorer
from callsheet.explorer.assets_folder import FOLDER, entry_points

APP = Path(callsheet.explorer.__file__).parent / "app"


@pytest.fixture(scope="module")
def desk() -> Iterator[PageDesk]:
    with open_page_desk() as opened:
        yield opened


def test_the_page_was_built_from_these_sources() -> None:
    """Whoever changes a source builds the page, too: `npm run build` in `src/callsheet/explorer/app`."""
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    now = {
        path.relative_to(APP).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*APP.joinpath("src").rglob("*"), APP / "package.json", APP / "build.mjs"]
        if path.is_file()
    }
    assert manifest["sources"] == now
    built = {path.name: path for path in FOLDER.iterdir() if path.name != "manifest.json"}
    assert manifest["built"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in built.items()}


def test_the_first_load_is_small() -> None:
    """At most 150 kB compressed, before charts."""
    import gzip

    files = [FOLDER / name for name in entry_points().values()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 150_000


def test_no_file_names_another_machine() -> None:
    """But for names of XML languages, and links into documentation that nobody follows by itself."""
    known = {"http://www.w3.org"}
    for path in FOLDER.iterdir():
        found = set(re.findall(r"https?://[\w.-]+", path.read_text())) - known
        assert not found - {"https://lit.dev", "https://vega.github.io", "https://github.com"}, path.name


@pytest.mark.parametrize(
    "address", ["/explorer/", "/explorer/v/sheet?q=Shot", "/explorer/e/Shot/1", "/explorer/no/where"]
)
def test_every_address_is_the_same_document(desk: PageDesk, address: str) -> None:
    """It has no script of its own, may not be framed, and loads from this server only."""
    answer = desk.browser().get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text
    assert '<base href="/explorer/">' in answer.text


def test_the_page_of_a_workspace_is_below_it(desk: PageDesk) -> None:
    """So that its requests go to the same workspace."""
    desk.service.backend("admin").call("workspaces.add", {"name": "second"})
    answer = desk.browser().get("/workspaces/second/explorer/v/sheet")
    assert '<base href="/workspaces/second/explorer/">' in answer.text


@pytest.mark.parametrize("address", ["/", "/explorer"])
def test_other_addresses_lead_to_the_page(desk: PageDesk, address: str) -> None:
    """By a path, whatever host the request names."""
    answer = desk.browser().get(address, headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/explorer/")


def test_files_are_kept_for_ever_and_compressed(desk: PageDesk) -> None:
    """Their names say what is in them."""
    for part, name in entry_points().items():
        answer = desk.browser().get(f"/explorer/assets/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        plain = desk.browser().get(f"/explorer/assets/{name}", headers={"accept-encoding": "identity"})
        assert plain.content == answer.content, part


@pytest.mark.parametrize("name", ["app.js", "manifest.json", "..%2fpage.py", "%2e%2e/page.py", "no.js", "%00"])
def test_there_are_no_other_files(desk: PageDesk, name: str) -> None:
    """The answer is a 404, or the document, and never another file of the machine."""
    answer = desk.browser().get(f"/explorer/assets/{name}")
    assert answer.status_code == 404 or '<base href="' in answer.text


def test_questions_of_the_page_need_a_login(desk: PageDesk) -> None:
    browser = desk.browser()
    assert browser.get("/explorer/x/page").status_code == 401
    assert browser.post("/explorer/x/parse", json={"text": "Shot"}).status_code == 401


def test_a_query_is_read_or_its_error_has_a_place(desk: PageDesk) -> None:
    """As the native wire has it, so that the page sends it on."""
    browser, token = desk.signed_in()

    def read(text: str) -> dict[str, object]:
        answer = browser.post("/explorer/x/parse", json={"text": text}, headers={"x-callsheet-token": token})
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    found = read('Shot where status.name is "Done" order by name')
    assert found["select"]["entity_type"] == "Shot"  # type: ignore[index]
    wrong = read("Shot where statsu is Done")
    assert wrong["position"] == 11
    assert "statsu" in str(wrong["error"])
    assert read("")["error"]
    assert read("x" * 30_000)["error"] == "a query has at most 20,000 characters"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed: the page's own tests need it")
@pytest.mark.skipif(
    not (APP / "node_modules").exists(), reason="`npm install` was not run in src/callsheet/explorer/app"
)
def test_the_modules_of_the_page_do_what_they_say() -> None:
    """Their types are checked, and their own tests run."""
    for command in (["npm", "run", "--silent", "check"], ["npm", "test", "--silent"]):
        done = subprocess.run(command, cwd=APP, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_search_finds_what_the_account_may_see(desk: PageDesk) -> None:
    """Labels that begin with the text first; wildcards of the query language are plain text."""
    from callsheet.model.operation import ChangeSet, Create
    from callsheet.model.record import Identity

    def made(kind: str, key: str, name: str, parent: Identity | None = None) -> Create:
        values = {"name": name} if parent is None else {"name": name, "parent": parent}
        return Create(Identity(kind, key), values)

    keys = [f"00000000-0000-4000-8000-{number:012}" for number in range(4)]
    project, sequence = Identity("Project", keys[0]), Identity("Sequence", keys[1])
    operations = [
        made("Project", keys[0], "harbour"),
        made("Sequence", keys[1], "old harbour", project),
        made("Shot", keys[2], "100% harbour light", sequence),
    ]
    desk.service.backend("admin").commit(ChangeSet("c", tuple(operations)))
    browser, _ = desk.signed_in()

    def found(text: str) -> list[tuple[str, str, str]]:
        answer = browser.get("/explorer/x/search", params={"q": text}).json()["found"]
        return [(each["type"], each["label"], each["within"]) for each in answer]

    assert found("harb") == [
        ("Project", "harbour", ""),
        ("Sequence", "old harbour", "harbour"),
        ("Shot", "100% harbour light", "old harbour"),
    ]
    assert found("0%") == [("Shot", "100% harbour light", "old harbour")]
    assert found("%%") == found("h") == found("") == []
