"""What a reviewer said reaches the catalog once, whatever happens to the server, the page and the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_in_thread import serving_app
from marked_episodes import make_id
from playwright.sync_api import Browser, Page, Route, expect
from room_harness import Server, make_app, serving

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import Catalog, parse

BEN = Reviewer("ben", "annotator")
EPISODE = make_id(0)
VIEW = f"mode=view&episode={EPISODE}"
WAIT_MS = 20_000


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    yield opened
    context.close()


@pytest.fixture
def catalog(marked_root: Path) -> Iterator[Catalog]:
    with Catalog.open(marked_root) as opened:
        yield opened


@pytest.fixture
def server(marked_root: Path, catalog: Catalog) -> Iterator[str]:
    with serving_app(make_app(marked_root, catalog)) as url:
        yield url


@pytest.fixture
def process(marked_root: Path) -> Iterator[Server]:
    with serving(marked_root) as server:
        yield server


def ready(page: Page) -> None:
    page.wait_for_function("window.teleloomPlayer?.ready", timeout=WAIT_MS)


def saved(page: Page) -> None:
    page.wait_for_function("window.teleloomPlayer?.waiting === 0", timeout=WAIT_MS)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def kept(page: Page) -> int:
    return int(page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('teleloom.operation.')).length"))


def test_edits_made_while_the_server_is_dead_are_saved_when_it_is_back(
    page: Page, process: Server, catalog: Catalog
) -> None:
    page.goto(f"{process.url}/?{VIEW}")
    ready(page)
    press(page, "5")
    saved(page)
    process.kill()
    assert catalog.view(EPISODE).score == 5
    press(page, "2", "f", "p")
    expect(page.get_by_text("Not saved: no answer (3 waiting)")).to_be_visible()
    assert kept(page) == 3
    process.start()
    saved(page)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    view = catalog.view(EPISODE)
    assert (view.revision, view.score, view.outcome) == (4, 2, "partial")
    assert kept(page) == 0


def test_edits_that_a_page_left_unsaved_are_sent_by_the_next_one(page: Page, server: str, catalog: Catalog) -> None:
    page.goto(f"{server}/?{VIEW}")
    ready(page)
    page.route("**/annotations", lambda route: route.abort())
    press(page, "3", "s")
    expect(page.get_by_text("Not saved: no answer (2 waiting)")).to_be_visible()
    page.unroute("**/annotations")
    page.reload()
    ready(page)
    saved(page)
    view = catalog.view(EPISODE)
    assert (view.revision, view.score, view.outcome) == (2, 3, "success")


def test_edits_of_somebody_else_who_signed_in_here_are_not_sent_as_ones_own(
    page: Page, server: str, catalog: Catalog
) -> None:
    page.goto(f"{server}/?{VIEW}&by=anna")
    ready(page)
    page.route("**/annotations", lambda route: route.abort())
    press(page, "3")
    expect(page.get_by_text("Not saved: no answer (1 waiting)")).to_be_visible()
    page.unroute("**/annotations")
    page.goto(f"{server}/?{VIEW}&by=ben")
    ready(page)
    expect(page.get_by_text("1 edit of another reviewer wait here")).to_be_visible()
    assert catalog.view(EPISODE).revision == 0
    page.goto(f"{server}/?{VIEW}&by=anna")
    ready(page)
    saved(page)
    assert [event.author for event in catalog.history(EPISODE)] == ["anna"]


def test_an_edit_whose_answer_was_lost_is_in_the_history_once(page: Page, server: str, catalog: Catalog) -> None:
    page.goto(f"{server}/?{VIEW}")
    ready(page)
    lost: list[Any] = []

    def lose(route: Route) -> None:
        answer = route.fetch()
        lost.append(answer.status)
        route.abort()

    page.route("**/annotations", lose, times=2)
    press(page, "4", "p")
    saved(page)
    assert lost == [200, 200]
    assert [event.annotation.kind for event in catalog.history(EPISODE)] == ["score", "outcome"]


def test_a_verdict_that_is_not_saved_keeps_its_episode_on_the_screen(
    page: Page, process: Server, catalog: Catalog
) -> None:
    page.goto(f"{process.url}/?mode=review&episode={EPISODE}")
    ready(page)
    process.kill()
    press(page, "d", "2")
    expect(page.get_by_text("Not saved: no answer (1 waiting)")).to_be_visible()
    assert page.evaluate("teleloomPlayer.episode") == EPISODE
    press(page, "d")
    expect(page.get_by_role("dialog")).to_have_count(0)
    process.start()
    page.wait_for_function(f"teleloomPlayer.episode !== '{EPISODE}'", timeout=WAIT_MS)
    view = catalog.view(EPISODE)
    assert (view.status, view.reason, view.revision) == ("rejected", "collision", 1)


def test_the_queue_goes_on_by_itself_when_the_server_is_back(page: Page, process: Server) -> None:
    page.goto(f"{process.url}/?mode=review")
    ready(page)
    process.kill()
    for _ in range(3):
        press(page, "n")
        page.wait_for_timeout(300)
    expect(page.get_by_role("heading", name="The server does not answer")).to_be_visible()
    process.start()
    expect(page.get_by_role("heading", name="The server does not answer")).to_be_hidden()
    ready(page)


def test_a_stale_edit_shows_who_said_what_and_can_be_said_again(page: Page, server: str, catalog: Catalog) -> None:
    page.goto(f"{server}/?{VIEW}")
    ready(page)
    catalog.annotate(EPISODE, parse({"kind": "score", "score": 1}), "ben", 0)
    press(page, "5", "f")
    dialog = page.get_by_role("dialog", name="Somebody spoke about this episode")
    expect(dialog).to_contain_text("ben")
    expect(dialog.locator(".changes")).to_contain_text("1")
    expect(dialog).to_contain_text("quality 5")
    expect(dialog).to_contain_text("outcome: failure")
    assert catalog.view(EPISODE).revision == 1
    press(page, "Enter")
    saved(page)
    said = [(event.author, event.annotation.kind) for event in catalog.history(EPISODE)]
    assert said == [("ben", "score"), ("anna", "score"), ("anna", "outcome")]


def test_a_stale_edit_can_be_dropped_and_the_newer_view_stays(page: Page, server: str, catalog: Catalog) -> None:
    page.goto(f"{server}/?{VIEW}")
    ready(page)
    catalog.annotate(EPISODE, parse({"kind": "score", "score": 1}), "ben", 0)
    press(page, "5")
    page.get_by_role("button", name="Drop it").focus()
    press(page, "Enter")
    saved(page)
    assert kept(page) == 0
    expect(page.get_by_role("button", name="1", exact=True)).to_have_attribute("aria-pressed", "true")
    press(page, "2")
    saved(page)
    assert [(event.author, event.revision) for event in catalog.history(EPISODE)] == [("ben", 1), ("anna", 2)]


def test_a_second_reader_learns_that_somebody_spoke_but_not_what(page: Page, server: str, catalog: Catalog) -> None:
    service = ReviewService(catalog)
    catalog.annotate(EPISODE, parse({"kind": "overlap", "reviewers": 2}), "lea", 0)
    page.goto(f"{server}/?mode=view&episode={EPISODE}&by=anna")
    ready(page)
    expect(page.get_by_text("what others said shows once you have decided")).to_be_visible()
    seen = service.open(BEN, EPISODE).view.revision
    service.commit(BEN, EPISODE, [parse({"kind": "note", "text": "the gripper slips"})], seen)
    press(page, "4")
    dialog = page.get_by_role("dialog", name="Somebody spoke about this episode")
    expect(dialog).to_contain_text("ben")
    expect(dialog).not_to_contain_text("the gripper slips")
    press(page, "Enter")
    saved(page)
    assert service.open(Reviewer("anna", "annotator"), EPISODE).view.score == 4


def test_who_is_signed_out_is_told_and_keeps_what_was_said(page: Page, server: str, catalog: Catalog) -> None:
    page.goto(f"{server}/?{VIEW}")
    ready(page)
    page.context.add_cookies([{"name": "by", "value": "out", "url": server}])
    press(page, "4")
    expect(page.get_by_text("Not saved: signed out (1 waiting)")).to_be_visible()
    page.context.clear_cookies()
    saved(page)
    assert catalog.view(EPISODE).score == 4
