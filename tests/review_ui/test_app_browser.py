"""The app in a real browser, before the real server in its own process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from marked_episodes import make_id
from playwright.sync_api import Browser, Page, expect

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import Catalog, EpisodeFilter, parse

PATIENCE_MS = 60_000
PAGES = ("", "review", "segments", "adjudicate", "progress", "episodes", "builds")
ROW_PX, HEADER_PX = 36, 34
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> **b** :red[x] [l](javascript:hacked)"
LEA, BEN = Reviewer("lea", "lead"), Reviewer("ben", "annotator")


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The review of `root`, served by a process of its own; yields its address."""
    command = [sys.executable, "-m", "station", "review", str(root), "--as", "lea", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            greeting = server.stdout.readline()
            assert " at http://127.0.0.1:" in greeting, greeting
            yield greeting.split(" at ")[1].split()[0]
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def address(marked_master: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that tests only read from, over episodes with labels that mean harm."""
    import shutil

    root = shutil.copytree(marked_master, tmp_path_factory.mktemp("app") / "root")
    with Catalog.open(root) as catalog:
        say_harmful_things(ReviewService(catalog))
    with serving(root) as url:
        yield url


def say_harmful_things(service: ReviewService) -> None:
    said = (
        {"kind": "tag", "tag": HOSTILE[:90]},
        {"kind": "note", "text": HOSTILE},
        {"kind": "instruction", "action": "replace", "text": HOSTILE},
    )
    service.commit(LEA, make_id(0), [parse(each) for each in said], 0)
    service.commit(LEA, make_id(1), [parse({"kind": "overlap", "reviewers": 2})], 0)
    service.commit(LEA, make_id(1), [parse({"kind": "verdict", "decision": "approve"})], 1)
    service.commit(BEN, make_id(1), [parse({"kind": "verdict", "decision": "reject", "reason": HOSTILE})], 2)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def drawn(page: Page) -> None:
    """Wait until the script has run and the page is complete."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=PATIENCE_MS)


def mark(page: Page, *rows: int) -> None:
    """Mark rows of the table of episodes with the mouse."""
    page.wait_for_selector('[data-testid="stDataFrame"] canvas')
    for number, row in enumerate(rows, start=1):
        box = page.locator('[data-testid="stDataFrame"]').bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 16, box["y"] + HEADER_PX + ROW_PX * row + ROW_PX / 2)
        expect(page.get_by_text(f"{number} marked")).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_runs_nothing_harmful_and_asks_no_other_machine(page: Page, address: str, name: str) -> None:
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:", address.replace("http", "ws")))
            else elsewhere.append(request.url)
        ),
    )
    page.goto(f"{address}/{name}")
    drawn(page)
    for width in (1280, 1600):
        page.set_viewport_size({"width": width, "height": 720})
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], [data-testid=stException]").count() == 0
    assert elsewhere == []


def test_enter_starts_the_review_of_what_the_filter_leaves(page: Page, address: str) -> None:
    page.goto(address)
    drawn(page)
    page.get_by_role("combobox", name="Quality").click()
    page.get_by_role("option").first.click()
    drawn(page)
    page.get_by_role("heading", name="wait").click()
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?**")
    assert set(parse_qs(urlsplit(page.url).query)) >= {"quality"}


def test_a_button_in_the_queue_opens_that_episode(page: Page, address: str) -> None:
    page.goto(address)
    drawn(page)
    box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 50, box["y"] + HEADER_PX + ROW_PX / 2)
    page.wait_for_url("**/review?episode=*")


def test_two_marked_episodes_are_compared(page: Page, address: str) -> None:
    page.goto(f"{address}/episodes")
    drawn(page)
    mark(page, 0, 2)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/episodes?**")
    query = parse_qs(urlsplit(page.url).query)
    assert query["episode"] != query["other"]
    expect(page.locator(".teleloom-room")).to_be_visible(timeout=PATIENCE_MS)


def test_marked_episodes_are_approved_together_and_what_changed_meanwhile_is_refused(
    page: Page, marked_root: Path
) -> None:
    with Catalog.open(marked_root) as catalog, serving(marked_root) as url:
        service = ReviewService(catalog)
        page.goto(f"{url}/episodes")
        drawn(page)
        mark(page, 0, 1, 2)
        newest = [row.id for row in catalog.search(EpisodeFilter(), sort="newest").rows]
        service.commit(BEN, newest[1], [parse({"kind": "note", "text": "wait"})], 0)
        page.get_by_role("button", name="Approve …").click()
        page.get_by_role("button", name="Approve 3 episodes").click()
        expect(page.get_by_text("1 episode refused")).to_be_visible(timeout=PATIENCE_MS)
        statuses = [catalog.view(each).status for each in newest[:3]]
        assert statuses == ["approved", "unreviewed", "approved"]
        assert {catalog.view(each).decided_by for each in (newest[0], newest[2])} == {"lea"}


@pytest.mark.long
def test_a_demo_is_recorded_into_a_fresh_root(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        page.goto(url)
        page.get_by_role("button", name="Record a demo").click()
        expect(page.get_by_text("Recording a demo")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_role("heading", name="6 episodes wait")).to_be_visible(timeout=5 * PATIENCE_MS)
    with Catalog.open(tmp_path) as catalog:
        assert len(catalog.episodes()) == 6
