"""The review app in a real Chromium, before the real server: 100,000 episodes, the next episode, and an hour's memory.

Pages: an interaction with the page Episodes or Queue over 100,000 episodes, from the key or click to the last change of
what is shown. The baseline is what a Streamlit script usually does, on the same catalog: it keeps all rows in memory,
filters them with pandas and hands all that match to the table. Next: from the key that decides to the first pictures
of the next episode, three cameras of 640x480, each picture's burned-in number read back; a wrong one fails the run.
Memory: of the server and of the page while one annotator goes through 60 episodes.

Run: python benchmarks/review_app.py [--episodes 100000] [--part pages|next|memory]
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import numpy as np
from playwright.sync_api import Browser, Locator, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "review_ui"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "teleloom"))

from annotator import Annotator, newest_frames
from catalog_crowd import fill
from marked_episodes import MARKED_CAMERAS, make_id, write_marked
from review_server import RunningReview, free_port, running_review

from review_ui.proxies import ProxyStore, encode_missing
from teleloom.catalog import Catalog

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio")
ROUNDS = 5
WORDS = ("drawer", "gripper slipped", "towel", "please", "sponge")
NEXT_EPISODES, NEXT_SECONDS = 16, 4.0
REVIEWS, LOOK_EVERY = 60, 20
REVIEW_SECONDS = 1.5
MIB = 2**20
QUIET_MS = 500
PATIENCE_MS = 30_000

SETTLED_JS = """
window.settled = (quietMs, mostMs) => new Promise((resolve, reject) => {
  const shown = () => {
    let sum = 0;
    for (const canvas of document.querySelectorAll("[data-testid=stDataFrame] canvas")) {
      if (!canvas.width || !canvas.height) continue;
      const {data} = canvas.getContext("2d").getImageData(0, 0, Math.min(300, canvas.width), canvas.height);
      const cells = new Uint32Array(data.buffer);
      for (let i = 0; i < cells.length; i += 7) sum = (Math.imul(sum, 31) + cells[i]) | 0;
    }
    return `${sum} ${document.querySelector("[data-testid=stMain]").innerText}`;
  };
  const before = shown();
  let began = null, changed = null, last = before;
  const look = () => {
    const now = performance.now(), seen = shown();
    if (seen !== last) { last = seen; changed = performance.now(); }
    const running = document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning";
    if (now - began > mostMs) reject(new Error("nothing changed, or it did not end"));
    else if (changed === null || last === before || running || now - changed < quietMs) requestAnimationFrame(look);
    else resolve(changed - began);
  };
  const noticed = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    began = event.timeStamp;
    for (const kind of ["keydown", "pointerdown"]) removeEventListener(kind, noticed, {capture: true});
    look();
  };
  for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, noticed, {capture: true});
});
"""
"""`settled(quietMs, mostMs)`: ms from the next Enter or click to the last change of tables and text before quiet."""

USUAL_SCRIPT = """
import sqlite3

import pandas as pd
import streamlit as st


@st.cache_data
def read():
    return pd.read_sql("SELECT * FROM episodes", sqlite3.connect({path!r}))


rows = read()
text = st.text_input("Search")
status = st.pills("Status", ["unreviewed", "approved", "rejected", "disputed"], selection_mode="multi")
order = st.selectbox("Order", ["created_wall_ns", "duration_ns", "risk"])
for word in text.split():
    rows = rows[rows["search_text"].str.contains(word, regex=False)]
if status:
    rows = rows[rows["status"].isin(status)]
st.markdown(f"{{len(rows)}} episodes")
st.dataframe(rows.sort_values(order).drop(columns=["search_text"]), key=f"{{text}} {{status}} {{order}}")
"""

Timed = dict[str, list[float]]
Act = Callable[[], None]


def timed(page: Page, act: Act) -> float:
    """How long it takes after `act` until the page shows the answer, ms."""
    page.evaluate(f"window.answer = settled({QUIET_MS}, {PATIENCE_MS}); null")
    act()
    return float(page.evaluate("answer"))


def drawn(page: Page) -> None:
    """Wait for the script to have run and the table to be there."""
    page.locator('[data-testid="stDataFrame"] canvas').first.wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(1000)


def search(page: Page, taken: Timed, name: str, words: Sequence[str]) -> None:
    """Type each of the words into the search field; only what follows Enter counts."""
    field = page.get_by_role("searchbox").or_(page.get_by_role("textbox")).first
    for word in words:
        field.click()
        field.fill(word)
        taken.setdefault(name, []).append(timed(page, lambda: page.keyboard.press("Enter")))
    field.fill("")
    page.keyboard.press("Enter")
    drawn(page)


def choose(page: Page, taken: Timed, name: str, box: Locator, options: Sequence[int]) -> None:
    """Choose from a list by the place of the option."""
    for option in options:
        box.click()
        chosen = page.get_by_role("option").nth(option)
        chosen.wait_for()
        taken.setdefault(name, []).append(timed(page, chosen.click))


def measure_episodes(page: Page, url: str) -> Timed:
    """Every kind of interaction with the page Episodes."""
    page.goto(f"{url}/episodes")
    drawn(page)
    taken: Timed = {}
    search(page, taken, "Episodes: search", WORDS)
    for status in ("Unreviewed", "Approved", "Rejected", "Disputed"):
        pill = page.get_by_role("toolbar", name="Status").get_by_role("button", name=status)
        taken.setdefault("Episodes: filter by status", []).append(timed(page, pill.click))
    page.get_by_role("toolbar", name="Status").get_by_role("button", name="Disputed").click()
    drawn(page)
    choose(page, taken, "Episodes: order", page.get_by_role("combobox", name="Order"), (1, 2, 3, 4, 0))
    for _ in range(ROUNDS):
        onward = page.get_by_role("button", name="Next page")
        taken.setdefault("Episodes: next page", []).append(timed(page, onward.click))
    table = page.locator('[data-testid="stDataFrame"]').bounding_box()
    assert table is not None
    for row in range(ROUNDS):
        at = (table["x"] + 16, table["y"] + 34 + 36 * row + 18)
        taken.setdefault("Episodes: mark a row", []).append(timed(page, partial(page.mouse.click, *at)))
    return taken


def measure_queue(page: Page, url: str) -> Timed:
    """The filters of the page Queue."""
    page.goto(url)
    drawn(page)
    taken: Timed = {}
    search(page, taken, "Queue: search", WORDS)
    choose(page, taken, "Queue: filter", page.get_by_role("combobox", name="Quality"), (0, 1, 2, 0, 1))
    return taken


def measure_usual(page: Page, url: str) -> Timed:
    """The same interactions, as far as the usual script has them."""
    page.goto(url)
    drawn(page)
    taken: Timed = {}
    search(page, taken, "usual script: search", WORDS[:3])
    for status in ("unreviewed", "approved", "rejected"):
        pill = page.get_by_role("toolbar", name="Status").get_by_role("button", name=status)
        taken.setdefault("usual script: filter by status", []).append(timed(page, pill.click))
    choose(page, taken, "usual script: order", page.get_by_role("combobox", name="Order"), (1, 2, 0))
    return taken


@contextmanager
def usual_app(folder: Path) -> Iterator[str]:
    """The usual script over the catalog in `folder`, served by Streamlit."""
    script, port = folder / "usual.py", free_port()
    script.write_text(USUAL_SCRIPT.format(path=str(folder / "catalog.sqlite")))
    options = ["--server.headless", "true", "--server.port", str(port), "--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.address", "127.0.0.1", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while not listening(port):
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def listening(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def open_page(browser: Browser) -> Page:
    """A page at the least width that the app is made for."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(SETTLED_JS)
    return page


def measure_pages(browser: Browser, folder: Path, episodes: int) -> tuple[float, float]:
    """p95 of our pages, and of the usual script, ms."""
    if not (folder / "catalog.sqlite").exists():
        with Catalog.open(folder) as catalog:
            fill(catalog, episodes, report_floats=96)
    with running_review(folder, name="lea") as server:
        page = open_page(browser)
        ours = tell(measure_episodes(page, server.url) | measure_queue(page, server.url))
        page.context.close()
    with usual_app(folder) as url:
        return ours, tell(measure_usual(open_page(browser), url))


def tell(taken: Timed) -> float:
    """Print each kind of interaction; returns the 95th percentile of all."""
    for name, values in taken.items():
        print(f"{name}: p50 {np.percentile(values, 50):.0f} ms, p95 {np.percentile(values, 95):.0f} ms", flush=True)
    every = [value for values in taken.values() for value in values]
    p95 = float(np.percentile(every, 95))
    print(f"  all {len(every)}: p50 {np.percentile(every, 50):.0f} ms, p95 {p95:.0f} ms", flush=True)
    return p95


def measure_next(browser: Browser, folder: Path) -> float:
    """p95 of the time to the next episode's first pictures, ms. Raises RuntimeError at a wrong picture."""
    enter(folder, NEXT_EPISODES, NEXT_SECONDS, cameras=len(MARKED_CAMERAS))
    taken = []
    with Catalog.open(folder) as catalog:
        encode_missing(catalog, ProxyStore(folder))
    with running_review(folder) as server:
        annotator = Annotator(browser, NEXT_SECONDS)
        annotator.begin(server.url)
        annotator.arrived()
        for _ in range(NEXT_EPISODES - 1):
            time.sleep(1.0)
            found = annotator.reject_and_time()
            check_pictures(found["marks"], found["episode"], found["tNs"])
            taken.append(found["ms"])
        annotator.context.close()
    p50, p95 = np.percentile(taken, [50, 95])
    print(f"next episode, 3 cameras of 640x480: p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {max(taken):.0f} ms")
    return float(p95)


def check_pictures(marks: dict[str, dict[str, int]], episode: str, t_ns: int) -> None:
    """Raises RuntimeError unless each camera shows this episode's newest frame."""
    for name, frame in newest_frames(MARKED_CAMERAS, t_ns, NEXT_SECONDS).items():
        mark = marks[name]
        own = frame < 0 or make_id(mark["episode"]) == episode
        if mark["frame"] != frame or not own:
            raise RuntimeError(f"episode {episode} at {t_ns} ns: camera {name} shows {mark}, not frame {frame}")


def measure_memory(browser: Browser, folder: Path) -> None:
    """Print the memory of server and page after every LOOK_EVERY reviews."""
    enter(folder, REVIEWS + 2, REVIEW_SECONDS, cameras=1)
    with running_review(folder) as server:
        annotator = Annotator(browser, REVIEW_SECONDS)
        inside = annotator.context.new_cdp_session(annotator.page)
        annotator.begin(server.url)
        episode = None
        for number in range(1, REVIEWS + 1):
            episode = annotator.arrived(after=episode)
            annotator.stop()
            annotator.press("ArrowRight", "i", "s", str(1 + number % 5))
            annotator.decide("reject", "task failed")
            if number % LOOK_EVERY == 0:
                annotator.arrived(after=episode)
                inside.send("HeapProfiler.collectGarbage")
                heap = inside.send("Runtime.getHeapUsage")["usedSize"] / MIB
                print(f"after {number} reviews: server {resident_mib(server):.0f} MiB, page's heap {heap:.1f} MiB")
        annotator.context.close()


def resident_mib(server: RunningReview) -> float:
    """Memory that the server process holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def enter(folder: Path, episodes: int, seconds: float, cameras: int) -> None:
    """Write marked episodes and enter them."""
    folder.mkdir()
    with Catalog.open(folder) as catalog:
        for number in range(episodes):
            catalog.register(write_marked(folder, number, seconds=seconds, cameras=cameras))


@click.command()
@click.option("--episodes", default=100_000, show_default=True, help="Episodes in the catalog of the pages.")
@click.option("--part", "parts", multiple=True, type=click.Choice(("memory", "next", "pages")), help="Only this.")
@click.option("--catalog", "filled", type=click.Path(path_type=Path), help="A folder with such a catalog.")
def main(episodes: int, parts: tuple[str, ...], filled: Path | None) -> None:
    """Print the figures and, last, one JSON object."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    wanted = parts or ("memory", "next", "pages")
    with tempfile.TemporaryDirectory(prefix="review-benchmark-") as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        if "memory" in wanted:
            measure_memory(browser, folder / "memory")
        if "next" in wanted:
            measure_next(browser, folder / "next")
        if "pages" in wanted:
            crowd = filled or folder / "crowd"
            crowd.mkdir(exist_ok=True)
            ours, usual = measure_pages(browser, crowd, episodes)
            figures = {"name": f"review pages over {episodes:,} episodes", "figure": round(ours), "unit": "ms, p95"}
            print(json.dumps(figures | {"baseline": round(usual), "ratio": round(usual / ours, 2)}))
        browser.close()


if __name__ == "__main__":
    main()
