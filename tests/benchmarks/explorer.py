"""What a person waits for on the page, in a real browser, over a large show: ``python -m tests.benchmarks.explorer``.

Times are milliseconds of one run, each the median of a few; frames a second stand beside those of an empty page in the
same browser, since a machine without a graphics card draws slowly. It needs Chromium and the package playwright.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import callsheet
from callsheet.explorer.assets_folder import FOLDER, entry_points

FRAMES = """seconds => new Promise(done => {
  const scroller = document.querySelector('regular-table'); let frames = 0; const begun = performance.now();
  const step = () => {
    frames += 1;
    if (scroller) scroller.scrollTop += 260;
    if (performance.now() - begun < seconds * 1000) requestAnimationFrame(step);
    else done(frames / seconds);
  };
  requestAnimationFrame(step);
})"""


def filled(session: Any, shots: int, tasks: int) -> None:
    """A show of sequences, shots and tasks."""
    chance = random.Random(1)
    statuses = session.query("Status").all()
    begin = date(2026, 12, 1)
    for number in range(max(1, shots // 200)):
        project = session.create("Project", {"name": f"show{number:03}"})
        for place in range(4):
            sequence = session.create("Sequence", {"name": f"sq{place:03}", "parent": project})
            for index in range(50):
                shot = session.create("Shot", {"name": f"sh{index:04}", "parent": sequence})
                for step in range(tasks):
                    values = {"name": f"step{step}", "parent": shot, "status": chance.choice(statuses)}
                    due = begin + timedelta(days=chance.randrange(90))
                    session.create("Task", {**values, "bid": 3600.0 * chance.randint(1, 40), "due_date": due})
        session.commit()


SCRIPT = """seconds => new Promise(done => {
  const grid = document.querySelector('.grid'); const before = new Set(grid.querySelectorAll('.grow-line'));
  const spent = []; let frames = 0; const begun = performance.now(); const ask = window.requestAnimationFrame;
  window.requestAnimationFrame = call => ask(at => {
    const from = performance.now(); call(at); spent.push(performance.now() - from);
  });
  const step = () => {
    frames += 1; grid.scrollTop += 260;
    if (performance.now() - begun < seconds * 1000) ask(step);
    else {
      window.requestAnimationFrame = ask; spent.sort((a, b) => a - b);
      const made = [...grid.querySelectorAll('.grow-line')].filter(each => !before.has(each)).length;
      done([frames / seconds, spent[Math.floor(spent.length / 2)], spent[Math.floor(spent.length * .95)], made]);
    }
  };
  ask(step);
})"""
STEPS = ("Layout", "Matchmove", "Animation", "FX", "Lighting", "Compositing", "Environment", "Grading")


def staged(session: Any, shots: int) -> None:
    """A show whose shots have a task of each step, half of them with somebody."""
    chance = random.Random(2)
    statuses = session.query("Status").all()
    steps = [session.query(f'Type where name is "{name}"').one() for name in STEPS]
    person = session.create("User", {"username": "lighter 04"})
    project = session.create("Project", {"name": "staged"})
    for place in range(max(1, shots // 50)):
        sequence = session.create("Sequence", {"name": f"st{place:03}", "parent": project})
        for index in range(50):
            shot = session.create("Shot", {"name": f"sh{index:04}", "parent": sequence, "frame_count": 100})
            for step in steps:
                values = {"name": step["name"], "parent": shot, "type": step, "status": chance.choice(statuses)}
                task = session.create("Task", values)
                if chance.random() < 0.5:
                    session.create("Assignment", {"context": task, "resource": person})
        session.commit()


def steps_sheet(page: Any, address: str) -> None:
    """The sheet of shots and steps: opened, and scrolled."""
    opened = [timed(page, lambda: page.goto(address), ".gc.stp .st:has-text('o')") for _ in range(5)]
    rows = page.locator(".gfoot .gc").first.inner_text()
    print(f"sheet of {rows} x {len(STEPS)} steps opened: {median(opened):.0f} ms")
    frames, script, slow, made = page.evaluate(SCRIPT, 3)
    text = f"scrolling it 260 px a frame: {frames:.0f} frames a second, {script:.1f} ms of script a frame"
    print(f"{text} (of the slowest twentieth {slow:.1f}), {made} lines made")


def timed(page: Any, do: Callable[[], object], seen: str) -> float:
    begun = perf_counter()
    do()
    page.wait_for_selector(seen)
    return (perf_counter() - begun) * 1e3


def main(shots: int = 20_000, tasks: int = 5) -> None:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CALLSHEET_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    size = sum(len(gzip.compress((FOLDER / name).read_bytes(), 9)) for name in entry_points().values())
    print(f"first load: {size / 1000:.0f} kB compressed")
    with (
        tempfile.TemporaryDirectory() as folder,
        callsheet.serve(database=f"sqlite:///{Path(folder) / 'show.db'}", seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as session,
        sync_playwright() as driver,
    ):
        filled(session, shots, tasks)
        print(f"{session.query('Shot').count():,} shots, {session.query('Task').count():,} tasks")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto("about:blank")
        empty = page.evaluate(FRAMES, 3)
        page.goto(session.link)
        page.wait_for_selector("regular-table tbody td:has-text('sq000')")
        address = f"{server.url}/explorer/v/sheet?q=Task"
        rows = "regular-table tbody td:has-text('sh0000')"
        firsts = [timed(page, lambda: page.goto(address), rows) for _ in range(5)]
        print(f"page opened, first rows of {session.query('Task').count():,}: {median(firsts):.0f} ms")
        keys = []
        for hours in range(30, 35):
            text = f"Task where bid > {hours * 3600}"
            begun = perf_counter()
            page.locator(".qi").fill(text)
            while page.evaluate("document.querySelector('cs-app').desk.sheet.request.query") != text:
                pass
            page.evaluate("new Promise(requestAnimationFrame)")
            keys.append((perf_counter() - begun) * 1e3)
        print(f"a key in the filter until the rows: {median(keys):.0f} ms")
        page.goto(address)
        page.wait_for_selector(rows)
        scrolled = page.evaluate(FRAMES, 3)
        print(f"scrolling 260 px a frame: {scrolled:.0f} frames a second; an empty page {empty:.0f}")
        staged(session, 2_000)
        steps_sheet(page, f"{server.url}/explorer/v/steps?q=Shot where project.name is staged&group=parent")
        task = session.query("Task").first()
        page.goto(f'{server.url}/explorer/v/sheet?q=Task where id is "{task["id"]}"')
        page.wait_for_selector("regular-table tbody th:has-text('step')")
        page.wait_for_selector(".live:has-text('Live')")
        task["bid"] = 77.0
        seen = timed(page, session.commit, "regular-table td:has-text('77')")
        print(f"a commit of somebody else until it is seen: {seen:.0f} ms")
        browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
