"""One entity in a real browser: notes with replies and mentions, versions with their files, relations both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import compress, crc32

import pytest
from browser_show import Show

import callsheet


def png(width: int = 64, height: int = 36) -> bytes:
    """A blue picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + crc32(name + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    rows = (b"\0" + bytes((40, 60, 160)) * width) * height
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    """A shot with two versions of a picture, a page with a script among the files, and a note."""
    folder = tmp_path_factory.mktemp("files")
    with (
        callsheet.serve(seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        session.create("User", {"username": "ben"})
        shot = session.create("Shot", {"name": "sh0010", "parent": session.create("Project", {"name": "tide"})})
        asset = session.create(
            "Asset", {"name": "lighting", "parent": shot, "type": session.query("AssetType").first()}
        )
        location = session.query('Location where name is "callsheet.server"').one()
        for number in (1, 2):
            version = session.create("AssetVersion", {"asset": asset, "comment": f"take {number}"})
            session.commit()
            for name, content in (("beauty.png", png()), ("page.html", b"<script>document.title = 'run'</script>")):
                path = Path(folder) / name
                path.write_bytes(content)
                version.create_component(path, {"name": name}, location=location)
        session.create("Note", {"content": "Hold <b>two</b> frames @ben", "parent": shot})
        session.commit()
        yield Show(server, session, [shot])


@pytest.fixture
def page(context: Any, show: Show) -> Any:
    opened = context.new_page()
    opened.goto(show.session.link)
    opened.wait_for_selector("regular-table tbody th")
    opened.goto(f"{show.server.url}/explorer/e/Shot/{show.shots[0]['id']}")
    opened.wait_for_selector(".notes li")
    return opened


def test_a_note_waits_on_the_call_sheet_and_is_sent_with_its_mentions(
    page: Any, show: Show, picture: Callable[..., None]
) -> None:
    """A reply, too; what somebody wrote is a text, whatever it looks like."""
    assert page.locator(".notes li p").first.inner_text() == "Hold <b>two</b> frames @ben"
    assert page.locator(".notes .mention").first.inner_text() == "@ben"
    page.fill(".notes textarea >> nth=0", "Warm rim, please @ben")
    page.click(".notes button:has-text('Add note')")
    page.wait_for_selector(".notes li.pend:has-text('Warm rim')")
    page.locator(".notes li:not(.pend) button:has-text('Reply')").first.click()
    page.fill("textarea[aria-label=Reply]", "Done tonight")
    page.locator("form:has(textarea[aria-label=Reply]) button").click()
    page.wait_for_selector(".notes li ol li.pend:has-text('Done tonight')")
    assert show.session.query("Note").count() == 1
    for width, colours in ((1440, "light"), (1440, "dark"), (900, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        picture(page, f"entity-{colours}-{width}")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('committed')")
    page.wait_for_selector(".notes li:not(.pend) p:has-text('Warm rim')")
    assert page.locator(".notes li.pend").count() == 0
    with callsheet.Session(show.server.url, api_user="admin", api_key=show.server.admin_key) as session:
        notes = session.query("select content, in_reply_to.content, author.username from Note").all()
        replies = {each["content"]: each["in_reply_to"] and each["in_reply_to"]["content"] for each in notes}
        assert replies["Done tonight"] == "Hold <b>two</b> frames @ben"
        assert {each["author"]["username"] for each in notes if each["author"]} == {"admin"}
        assert session.query('Recipient where note.content like "Warm%"').count() == 1


def test_versions_are_shown_beside_each_other(page: Any, show: Show) -> None:
    """The newest first; what is no picture is a download."""
    page.wait_for_selector(".screens img")
    assert page.locator(".player .row .sub").first.inner_text() == "lighting v002: take 2"
    assert page.locator(".screens img").evaluate("each => each.decode().then(() => each.naturalWidth)") == 64
    page.click(".player button:has-text('Compare')")
    assert page.locator(".screens figcaption").all_inner_texts() == ["lighting v002", "lighting v001"]
    assert page.locator(".screens a:has-text('page.html')").first.get_attribute("href").endswith("?download=1")


def test_files_that_could_run_are_downloads(page: Any, show: Show) -> None:
    """Whatever their name; pictures are shown by their content, in ranges, and load nothing."""
    component = show.session.query('Component where name like "page%"').first()
    picture = show.session.query('Component where name like "beauty%"').first()

    def get(key: str, **headers: str) -> Any:
        return page.request.get(f"{show.server.url}/explorer/x/media/{key}", headers=headers)

    page_file = get(component["id"])
    assert page_file.headers["content-type"] == "application/octet-stream"
    assert page_file.headers["content-disposition"].startswith("attachment")
    shown = get(picture["id"], range="bytes=0-3")
    assert (shown.status, shown.body()) == (206, b"\x89PNG")
    for answer in (page_file, shown):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert get("nothing").status == 404
    thumb = page.request.get(f"{show.server.url}/explorer/x/thumb/{picture['id']}/46")
    assert (thumb.status, thumb.headers["content-type"]) == (200, "image/png")
    assert page.request.get(f"{show.server.url}/explorer/x/thumb/{picture['id']}/5000").status == 422


def test_what_refers_to_an_entity_is_beside_it(page: Any, show: Show) -> None:
    """With a way there."""
    page.wait_for_selector(".relations dt:has-text('assets')")
    page.click(".relations a:has-text('lighting')")
    page.wait_for_selector(".crumb b:has-text('lighting')")


def test_a_commit_is_taken_back_from_the_history(page: Any, show: Show) -> None:
    """Its inverse waits on the call sheet, where one sees it first."""
    show.shots[0]["description"] = "at dusk"
    show.session.commit()
    page.reload()
    page.wait_for_selector(".events li:has-text('at dusk')")
    page.locator(".events li:has-text('at dusk') button:has-text('Undo')").click()
    page.wait_for_selector(".pill b:has-text('1')")
    assert show.value(0, "description") == "at dusk"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('committed')")
    assert not show.value(0, "description")
