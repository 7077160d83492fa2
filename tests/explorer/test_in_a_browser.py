"""The page as a person uses it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_show import Show

COLUMNS = {"name": "th", "parent": 1, "status": 2, "due": 5, "bid": 6, "description": 8}
PASSWORD = "a long walk home"


def cell(page: Any, row: int, column: str) -> Any:
    """A cell in sight, by the place of its row among those that are drawn."""
    place = COLUMNS[column]
    inside = "th" if place == "th" else f"td:nth-of-type({place})"
    return page.locator(f"regular-table tbody tr:nth-of-type({row + 1}) {inside}")


def type_into(page: Any, row: int, column: str, text: str) -> None:
    """Double click a cell and type; the editor has the old value selected."""
    cell(page, row, column).click()
    page.keyboard.press("Enter")
    page.locator(".editor input").fill(text)
    page.keyboard.press("Enter")


def committed(page: Any) -> None:
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('committed')")
    page.locator(".toast button[aria-label=Close]").click()


def test_a_link_signs_in_and_leaves_no_code_behind(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """The address can be sent to others; it shows the same query to them."""
    assert page.url == f"{show.server.url}/explorer/v/sheet?q=Shot"
    assert page.evaluate("history.length") <= 3
    assert cell(page, 0, "name").inner_text() == "sh0000"
    assert page.locator(".stat").inner_text().startswith("1,500 rows")
    picture(page, "sheet-light")
    page.emulate_media(color_scheme="dark")
    picture(page, "sheet-dark")


def test_somebody_signs_in_by_a_password(context: Any, show: Show, picture: Callable[..., None]) -> None:
    """A wrong one is said beside the field; the address that was asked for is shown then."""
    page = context.new_page()
    page.goto(f"{show.server.url}/explorer/v/sheet?q=Sequence")
    page.fill("input[name=name]", "admin")
    page.fill("input[name=password]", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=the name or the password is wrong")
    picture(page, "sign-in-wrong")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("regular-table tbody th:has-text('sq010')")
    assert page.url.endswith("/explorer/v/sheet?q=Sequence")
    page.click("button[aria-label='Sign out']")
    page.wait_for_selector("text=You signed out.")
    page.reload()
    page.wait_for_selector("input[name=name]")


def test_an_edit_waits_on_the_call_sheet_until_it_is_committed(
    page: Any, show: Show, picture: Callable[..., None]
) -> None:
    """The server has the old value until then, and both values are shown."""
    page.keyboard.press("c")
    type_into(page, 2, "bid", "7300")
    page.wait_for_selector(".line:has-text('bid')")
    assert "pend" in cell(page, 2, "bid").get_attribute("class")
    assert cell(page, 2, "bid").inner_text() == "7,300"
    assert re.findall(r"[\d,]+", page.locator(".line .change").inner_text()) == ["102", "7,300"]
    assert show.value(2, "bid") == 102.0
    picture(page, "call-sheet")
    committed(page)
    assert show.value(2, "bid") == 7300.0
    assert page.locator(".lines .empty").is_visible()


def test_a_reference_is_chosen_by_its_label(page: Any, show: Show) -> None:
    """A few letters narrow the list."""
    cell(page, 3, "status").click()
    page.keyboard.press("Enter")
    page.locator(".editor input").fill("Omi")
    page.wait_for_selector(".editor li[aria-selected=true]:has-text('Omitted')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pill b:has-text('1')")
    assert cell(page, 3, "status").inner_text() == "Omitted"
    committed(page)
    assert show.value(3, "status") == "Omitted"


def test_what_does_not_fit_is_said_beside_the_cell(page: Any) -> None:
    """And nothing is recorded; Escape leaves the value as it was."""
    type_into(page, 1, "bid", "much")
    page.wait_for_selector(".editor .wrong:has-text('bid is a number, not “much”')")
    page.keyboard.press("Escape")
    assert cell(page, 1, "bid").inner_text() == "101"
    assert page.locator(".pill b").inner_text() == "0"


def test_a_block_is_pasted_and_what_does_not_fit_is_named(page: Any, show: Show) -> None:
    """As from a spreadsheet: rows are lines, cells are separated by tabs. It is taken back as one."""
    cell(page, 10, "due").click()
    text = "2027-01-05\t11\n2027-01-06\ttwelve\n2027-01-07\t13\n"
    page.evaluate(
        """text => { const data = new DataTransfer(); data.setData('text/plain', text);
        document.querySelector('regular-table').dispatchEvent(
          new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })); }""",
        text,
    )
    page.wait_for_selector(".toast:has-text('1 cell does not fit: bid is a number')")
    assert page.locator(".pill b").inner_text() == "5"
    assert cell(page, 12, "bid").inner_text() == "13"
    cell(page, 12, "bid").click()
    page.keyboard.press("Control+z")
    assert page.locator(".pill b").inner_text() == "0"
    assert cell(page, 12, "bid").inner_text() == "112"


def test_the_commit_of_another_appears_by_itself(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """Its row is marked; a cell that one edits keeps one's own value."""
    type_into(page, 5, "bid", "55")
    show.shots[6]["bid"] = 6666.0
    show.session.commit()
    page.wait_for_selector("regular-table td.inc:has-text('6,666')")
    assert cell(page, 5, "bid").inner_text() == "55"
    picture(page, "incoming")
    cell(page, 5, "bid").click()
    page.keyboard.press("Control+z")


@pytest.mark.parametrize("mine", [True, False])
def test_a_conflict_is_decided_by_a_person(page: Any, show: Show, picture: Callable[..., None], mine: bool) -> None:
    """Base, yours and theirs are shown; nothing is sent until then."""
    number = 13 if mine else 14
    page.keyboard.press("c")
    type_into(page, number, "bid", "7")
    show.shots[number]["bid"] = 9.0
    show.session.commit()
    page.wait_for_selector("regular-table .inc")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".conflict")
    assert re.findall(r"\d+", page.locator(".conflict dl").inner_text()) == [str(100 + number), "7", "9"]
    assert show.value(number, "bid") == 9.0
    picture(page, "conflict")
    page.click("text=Keep mine" if mine else "text=Take theirs")
    page.wait_for_selector(".conflict", state="detached")
    if mine:
        committed(page)
    assert show.value(number, "bid") == (7.0 if mine else 9.0)
    assert cell(page, number, "bid").inner_text() == ("7" if mine else "9")


def test_a_closed_tab_loses_nothing(page: Any, context: Any, show: Show) -> None:
    """The call sheet is there in the next one, and is committed from there."""
    type_into(page, 7, "description", "lanterns, from the left")
    page.wait_for_selector(".pill b:has-text('1')")
    # The browser writes it down a moment after it is shown.
    page.wait_for_timeout(500)
    page.close()
    other = context.new_page()
    other.goto(f"{show.server.url}/explorer/v/sheet?q=Shot")
    other.wait_for_selector(".pill b:has-text('1')")
    other.wait_for_selector("regular-table td.pend:has-text('lanterns')")
    committed(other)
    assert show.value(7, "description") == "lanterns, from the left"


def test_a_long_result_is_scrolled_without_waiting(page: Any) -> None:
    """Rows come when they are in sight, in runs; the keyboard leads to the last one."""
    cell(page, 0, "name").click()
    page.keyboard.press("Control+End")
    page.wait_for_selector("regular-table tbody th:has-text('sh1499')")
    page.keyboard.press("Control+Home")
    page.wait_for_selector("regular-table tbody th:has-text('sh0000')")
    assert page.locator("regular-table tbody tr").count() < 60


def test_a_wrong_query_keeps_the_rows_and_shows_its_place(page: Any, picture: Callable[..., None]) -> None:
    """Once it is right again the rows follow while one types, and Back leads to what was before."""
    page.keyboard.press("/")
    page.locator(".qi").fill("Shot where statsu is Done")
    page.wait_for_selector(".strip.bad:has-text('status')")
    assert cell(page, 0, "name").inner_text() == "sh0000"
    picture(page, "wrong-query")
    page.locator(".qi").fill('Shot where name is "sh0042"')
    page.wait_for_selector(".stat:has-text('1 row')")
    assert cell(page, 0, "name").inner_text() == "sh0042"
    page.click(".nav:has-text('Sequence')")
    page.wait_for_selector("regular-table tbody th:has-text('sq010')")
    page.go_back()
    page.wait_for_selector("regular-table tbody th:has-text('sh0042')")


def test_rows_are_sorted_by_a_column(page: Any) -> None:
    """Once up, once down; the address has it."""
    page.click("regular-table thead th:has-text('bid')")
    page.wait_for_selector("regular-table thead th[aria-sort=ascending]:has-text('bid')")
    page.click("regular-table thead th:has-text('bid')")
    page.wait_for_selector("regular-table thead th[aria-sort=descending]:has-text('bid')")
    assert page.url.endswith("&sort=-bid")


def test_an_entity_shows_its_values_and_its_history(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """Its address is that of `open_page`; a value is edited in place."""
    key = show.shots[30]["id"]
    page.goto(f"{show.server.url}/explorer/e/Shot/{key}")
    page.wait_for_selector(".events :text('Created')")
    page.click("button[aria-label$='edit description']")
    page.locator(".editor input").fill("wide, boats at anchor")
    page.keyboard.press("Enter")
    page.wait_for_selector("dd.pend:has-text('boats')")
    picture(page, "entity")
    committed(page)
    assert show.value(30, "description") == "wide, boats at anchor"


@pytest.mark.parametrize(
    "name", ['<img src=x onerror="window.hurt=1">', "[/] & {{x}}", "\u202eright to left", "x" * 2_500]
)
def test_names_are_shown_as_they_are(page: Any, show: Show, name: str) -> None:
    """Never as markup, and a long one widens no column beyond its most."""
    shot = show.session.create("Shot", {"name": name, "parent": show.shots[0]["parent"], "description": name})
    show.session.commit()
    page.goto(f'{show.server.url}/explorer/v/sheet?q=Shot where id is "{shot["id"]}"&cols=name,description')
    page.wait_for_selector(".stat:has-text('1 row')")
    page.wait_for_selector("regular-table tbody th:not(:empty)")
    assert cell(page, 0, "name").inner_text().startswith(name[:400].strip())
    assert page.evaluate("window.hurt === undefined")
    assert page.evaluate("document.querySelector('regular-table tbody th').getBoundingClientRect().width") < 400
    show.session.delete(shot)
    show.session.commit()


def test_the_page_can_be_used_by_keys_alone(page: Any) -> None:
    """Tab reaches the rows; arrows move; Enter edits."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.role") == "grid":
            break
    else:
        pytest.fail("the rows are not reached by Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert "cur" in cell(page, 2, "status").get_attribute("class")
    page.keyboard.press("Enter")
    page.wait_for_selector(".editor input:focus")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.role") == "grid"


def test_an_entity_is_created_and_deleted_on_the_call_sheet(
    page: Any, show: Show, picture: Callable[..., None]
) -> None:
    """A new row is below the others, with the parent of the row it was made beside; it exists after the commit."""
    page.keyboard.press("c")
    cell(page, 2, "name").click()
    page.keyboard.press("n")
    page.wait_for_selector("regular-table th.new")
    page.keyboard.press("Enter")
    page.locator(".editor input").fill("sh9000")
    page.keyboard.press("Enter")
    page.wait_for_selector("regular-table th.new:has-text('sh9000')")
    assert page.locator(".line.new").inner_text().split() == [
        "sh9000",
        "create",
        "Shot",
        "parent",
        "sq010",
        "name",
        "sh9000",
    ]
    picture(page, "created")
    assert show.session.query('Shot where name is "sh9000"').all() == []
    committed(page)
    made = show.session.query('Shot where name is "sh9000"').one()
    assert made["parent"]["name"] == "sq010"
    page.goto(f"{show.server.url}/explorer/v/sheet?q=Shot where name is sh9000")
    page.wait_for_selector("regular-table th:has-text('sh9000')")
    cell(page, 0, "name").click()
    page.keyboard.press("Control+Delete")
    page.wait_for_selector("regular-table th.gone")
    committed(page)
    page.wait_for_selector(".stat:has-text('0 rows')")
    assert show.session.query('Shot where name is "sh9000"').all() == []


def test_a_commit_is_undone_by_its_inverse(page: Any, show: Show) -> None:
    """It is on the call sheet first, and is sent as anything else."""
    type_into(page, 4, "bid", "4444")
    page.keyboard.press("Control+Enter")
    page.click(".toast button:has-text('Undo')")
    page.wait_for_selector(".pill b:has-text('1')")
    assert cell(page, 4, "bid").inner_text() == "104"
    assert show.value(4, "bid") == 4444.0
    committed(page)
    assert show.value(4, "bid") == 104.0


def test_the_keys_that_commit_also_finish_a_cell(page: Any, show: Show) -> None:
    """What is in the editor goes with the commit, also while an earlier key still keeps it; what is wrong stops it."""
    cell(page, 9, "bid").click()
    page.keyboard.press("Enter")
    page.locator(".editor input").fill("about nine")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".editor .wrong:has-text('number')")
    page.locator(".editor input").fill("9191")
    page.evaluate("""() => {
        const field = document.querySelector('.editor input');
        for (const ctrlKey of [false, true])
            field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey, bubbles: true }));
    }""")
    page.wait_for_selector(".toast:has-text('committed')")
    page.wait_for_selector(".editor", state="detached")
    assert show.value(9, "bid") == 9191.0


def test_columns_are_chosen(page: Any) -> None:
    """By a tick, or by a path through references; the address has them."""
    page.click("cs-columns button")
    page.click("#columns label:has-text('timecode')")
    page.wait_for_selector("regular-table thead th:has-text('timecode')", state="detached")
    page.fill("#columns input[type=text]", "parent.description")
    page.keyboard.press("Enter")
    page.wait_for_selector("regular-table thead th:has-text('parent'):has-text('description')", state="attached")
    assert "parent.description" in page.url
    page.fill("#columns input[type=text]", "parent.nothing")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('There is no value at Shot.parent.nothing')")


def test_the_palette_finds_entities_views_and_actions(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """By a few letters, and by keys alone; an entity says what it is in."""
    page.keyboard.press("Control+k")
    page.keyboard.type("sh014")
    page.wait_for_selector(".palette [role=option]:has-text('sh0140'):has-text('sq010')")
    picture(page, "palette")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".values h2:has-text('sh0141')")
    page.keyboard.press("Control+k")
    page.keyboard.type("call she")
    page.keyboard.press("Enter")
    page.wait_for_selector("cs-call-sheet")
    page.keyboard.press("Control+k")
    page.keyboard.type("%")
    page.wait_for_selector(".palette :text('Nothing is called so.')")


def test_a_board_has_a_column_for_each_status(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """A card is moved by keys or by dragging, waits on the call sheet, and is committed; all are counted."""
    page.goto(f"{show.server.url}/explorer/v/sheet?q=Shot where name < sh0050")
    page.click(".tabs a:has-text('Board')")
    page.wait_for_selector(".card:has-text('sh0010')")
    assert "/explorer/v/board?" in page.url
    counts = [int(text) for text in page.locator(".col h2 .n").all_inner_texts()]
    assert sum(counts) == 50
    card = page.locator(".card:has-text('sh0040')")
    before = card.locator("xpath=ancestor::section").get_attribute("aria-label")
    card.focus()
    page.keyboard.press("Shift+ArrowRight" if not before.startswith("On hold") else "Shift+ArrowLeft")
    page.wait_for_selector(".card.pend:has-text('sh0040')")
    after = card.locator("xpath=ancestor::section").get_attribute("aria-label").partition(":")[0]
    assert after != before.partition(":")[0]
    assert sum(int(text) for text in page.locator(".col h2 .n").all_inner_texts()) == 50
    picture(page, "board")
    target = page.locator(".col:has(h2:has-text('In progress')) ul")
    page.locator(".card:has-text('sh0041')").drag_to(target)
    page.wait_for_selector(".col:has(h2:has-text('In progress')) .card:has-text('sh0041')")
    committed(page)
    page.wait_for_selector(".card:not(.pend):has-text('sh0040')")
    assert show.value(40, "status") == after
    assert show.value(41, "status") == "In progress"
