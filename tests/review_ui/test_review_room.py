from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app_in_thread import serving_app
from marked_episodes import START_NS, make_id
from playwright.sync_api import Browser, Locator, Page, expect
from room_harness import make_app

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import Catalog, parse

ANNA, BEN, LEA = Reviewer("anna", "annotator"), Reviewer("ben", "annotator"), Reviewer("lea", "lead")
FASTEST = "localStorage.setItem('teleloom.rate', '4')"
FRAME_NS = 33_333_334
HOSTILE = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"
WAIT_MS = 15_000


class Desk:
    """A reviewer's desk: the page with the room, and short ways to press and to look."""

    def __init__(self, page: Page, catalog: Catalog) -> None:
        self.page, self.catalog = page, catalog
        self.service = ReviewService(catalog)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, words: str) -> None:
        self.page.keyboard.type(words)

    def player(self, name: str) -> Any:
        return self.page.evaluate(f"window.teleloomPlayer?.{name}")

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=WAIT_MS)

    def ready(self, episode: str | None = None) -> str:
        """Wait until an episode (this one) is on the screen; returns its id."""
        wanted = f"=== '{episode}'" if episode else "!== null"
        self.until(f"window.teleloomPlayer?.ready && teleloomPlayer.episode {wanted}")
        return str(self.player("episode"))

    def saved(self) -> None:
        self.until("window.teleloomPlayer?.waiting === 0")

    def pause_at(self, t_ns: int) -> int:
        """Pause, go to the whole second before `t_ns` and step to it; returns the time shown."""
        if self.player("playing"):
            self.press("Space")
        for _ in range(8):
            self.press("Shift+ArrowLeft")
        for _ in range(t_ns // 1_000_000_000):
            self.press("Shift+ArrowRight")
        self.settle()
        while self.player("tNs") < t_ns - FRAME_NS // 2:
            self.press("ArrowRight")
            self.settle()
        return int(self.player("tNs"))

    def settle(self) -> None:
        self.until("!teleloomPlayer.pending")

    def watch(self) -> None:
        """Play until the end of the counted part."""
        if not self.player("playing"):
            self.press("Space")
        self.until("!teleloomPlayer.playing")

    def view(self, episode: str) -> Any:
        return self.catalog.view(episode)

    def alone(self, name: str) -> Locator:
        return self.page.get_by_role("dialog", name=re.compile(name))


Open = Callable[..., Desk]


@pytest.fixture
def catalog(marked_root: Path) -> Iterator[Catalog]:
    with Catalog.open(marked_root) as opened:
        ReviewService(opened).rank()
        yield opened


@pytest.fixture
def server(marked_root: Path, catalog: Catalog) -> Iterator[str]:
    with serving_app(make_app(marked_root, catalog)) as url:
        yield url


@pytest.fixture
def desk(chromium: Browser, server: str, catalog: Catalog) -> Iterator[Open]:
    """Opens the room: `desk("mode=review&by=anna")`."""
    contexts = []

    def opened(query: str = "mode=review", size: tuple[int, int] = (1280, 720)) -> Desk:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        context.add_init_script(FASTEST)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{server}/?{query}")
        page.set_default_timeout(WAIT_MS)
        return Desk(page, catalog)

    yield opened
    for context in contexts:
        context.close()


def test_what_an_episode_was_given_by_keyboard_alone_is_in_the_catalog_exactly(desk: Open, marked_root: Path) -> None:
    hashes = file_hashes(marked_root)
    room = desk()
    episode = room.ready()
    start = room.pause_at(600_000_000)
    room.press("i")
    border = room.pause_at(1_700_000_000)
    room.press("b")
    expect(room.alone("What is done")).to_be_visible()
    room.type("reach")
    room.press("Enter")
    flagged = room.pause_at(2_000_000_000)
    room.press("m", "Shift+ArrowRight", "m")
    room.press("Shift+ArrowLeft", "x", "ArrowRight", "x")
    end = room.pause_at(3_300_000_000)
    room.press("o", "p", "4", "e")
    room.type("Leg die Zitrone in die Schale")
    room.press("Tab")
    room.type("de")
    room.press("Enter")
    room.saved()
    room.watch()
    room.press("a")
    room.until(f"teleloomPlayer.episode !== '{episode}'")

    view = room.view(episode)
    assert view.status == "approved"
    assert view.decided_by == "anna"
    assert view.trim == (START_NS + start, START_NS + end)
    assert (view.outcome, view.score) == ("partial", 4)
    assert [(each.text, each.language) for each in view.paraphrases] == [("Leg die Zitrone in die Schale", "de")]
    assert [(part.start_ns - START_NS, part.end_ns - START_NS) for part in view.segments] == [
        (start, border),
        (border, view.segments[1].end_ns - START_NS),
    ]
    assert view.segments[0].label == "reach"
    flags = {flag.label: (flag.start_ns - START_NS, flag.end_ns - START_NS) for flag in view.flags}
    assert flags["mistake"] == (flagged, flagged + 1_000_000_000)
    assert flags["intervention"][0] < flagged + FRAME_NS < flags["intervention"][1]
    verdicts = [row for row in room.catalog.verdicts() if row.episode_id == episode]
    assert len(verdicts) == 1
    assert 0 < (verdicts[0].spent_s or 0) < 120
    assert file_hashes(marked_root) == hashes


def test_the_keys_move_through_the_episode(desk: Open) -> None:
    room = desk()
    room.ready()
    room.until("teleloomPlayer.playing")
    room.press("Space")
    room.until("!teleloomPlayer.playing")
    room.settle()
    before = room.player("shown")["front"]
    room.press(*["ArrowRight"] * 7, *["ArrowLeft"] * 3)
    room.settle()
    assert room.player("shown")["front"] == before + 4
    t_ns = room.player("tNs")
    room.press("Shift+ArrowRight")
    room.settle()
    assert room.player("tNs") == t_ns + 1_000_000_000
    room.press("[", "[")
    assert room.player("rate") == 2
    room.press("]")
    assert room.player("rate") == 3
    room.press("?")
    expect(room.alone("Keys")).to_contain_text("approve, and next")
    room.press("?")
    expect(room.alone("Keys")).to_have_count(0)


def test_approval_needs_the_last_two_seconds_seen(desk: Open) -> None:
    room = desk()
    episode = room.ready()
    room.press("Space")
    room.press("a")
    expect(room.page.get_by_text("To approve, see the last 2 s")).to_be_visible()
    assert room.view(episode).status == "unreviewed"
    room.press("a")
    room.until("teleloomPlayer.playing")
    room.until("!teleloomPlayer.playing")
    room.press("a")
    room.until(f"teleloomPlayer.episode !== '{episode}'")
    assert room.view(episode).status == "approved"


def test_a_rejection_takes_one_reason_and_undo_comes_back_to_its_episode(desk: Open) -> None:
    room = desk()
    first = room.ready()
    room.press("d", "Escape")
    expect(room.alone("Why not")).to_have_count(0)
    room.press("d", "ArrowDown", "ArrowDown", "Enter")
    room.until(f"teleloomPlayer.episode !== '{first}'")
    assert (room.view(first).status, room.view(first).reason) == ("rejected", "camera fault")
    second = room.ready()
    room.press("d", "8")
    room.type("the lemon is a lime")
    room.press("Enter")
    room.until(f"teleloomPlayer.episode !== '{second}'")
    assert room.view(second).reason == "the lemon is a lime"
    room.ready()
    room.press("u")
    room.ready(second)
    assert room.view(second).status == "unreviewed"
    expect(room.page.get_by_text("Taken back: you rejected it")).to_be_visible()


def test_the_next_episode_is_there_within_a_second(desk: Open) -> None:
    room = desk()
    times = []
    for _ in range(4):
        episode = room.ready()
        room.page.wait_for_timeout(400)
        room.press("d", "1")
        room.until(f"teleloomPlayer.episode !== '{episode}'")
        room.ready()
        room.until("teleloomPlayer.firstFrameMs !== null")
        times.append(room.player("firstFrameMs"))
    assert max(times) < 1000, times


def test_a_skipped_episode_is_not_offered_again_until_asked_for(desk: Open, catalog: Catalog) -> None:
    room = desk()
    seen = []
    for _ in range(6):
        seen.append(room.ready())
        room.press("n")
        room.until(f"window.teleloomPlayer.episode !== '{seen[-1]}'")
    assert len(set(seen)) == 6
    expect(room.page.get_by_text("Nothing waits for you")).to_be_visible()
    wait_for(lambda: not catalog.leases.held())
    room.page.get_by_role("button", name="Offer the 6 skipped").focus()
    room.press("Enter")
    assert room.ready() in seen


def test_two_more_are_leased_ahead_and_all_are_given_back_on_leaving(desk: Open, catalog: Catalog) -> None:
    room = desk()
    room.ready()
    wait_for(lambda: len(catalog.leases.held()) == 3)
    room.page.goto("about:blank")
    wait_for(lambda: not catalog.leases.held())


def test_an_episode_that_somebody_holds_says_who_and_offers_the_next(desk: Open) -> None:
    room = desk("mode=view&episode=none")
    held = make_id(2)
    room.service.claim(BEN, held)
    room = desk(f"mode=review&episode={held}")
    expect(room.page.get_by_text("Somebody else has this episode")).to_be_visible()
    expect(room.page.get_by_text("'ben'")).to_be_visible()
    room.press("n")
    assert room.ready() != held


def test_a_link_opens_its_episode_at_its_time_and_the_address_follows(desk: Open) -> None:
    episode = make_id(3)
    room = desk(f"mode=review&episode={episode}&t=2.5")
    assert room.ready(episode) == episode
    assert room.player("tNs") == 2_500_000_000
    room.press("Shift+ArrowLeft")
    room.page.wait_for_url(f"**episode={episode}&t=1.50")
    assert room.page.evaluate("harness.states") == [["episode", episode]]


def test_labels_are_text_whatever_they_hold(desk: Open, catalog: Catalog) -> None:
    episode = make_id(0)
    said = [
        {"kind": "instruction", "action": "replace", "text": HOSTILE},
        {"kind": "segments", "segments": [{"start_ns": START_NS, "end_ns": START_NS + 10**9, "label": HOSTILE}]},
        {"kind": "flag", "label": HOSTILE, "start_ns": START_NS, "end_ns": START_NS + 10**9, "note": HOSTILE},
        {"kind": "tag", "tag": HOSTILE},
        {"kind": "note", "text": HOSTILE},
    ]
    catalog.annotate_all(episode, [parse(each) for each in said], "ben", 0)
    room = desk(f"mode=view&episode={episode}")
    room.ready(episode)
    expect(room.page.get_by_role("button", name="Instruction")).to_contain_text(HOSTILE)
    for key in ("d", "Escape", "e", "Escape"):
        room.press(key)
    assert room.page.evaluate("window.hacked") is None
    assert room.page.locator(".teleloom-room img").count() == 0


def test_unmounting_gives_keys_leases_and_the_page_back(desk: Open, catalog: Catalog) -> None:
    room = desk()
    episode = room.ready()
    room.page.evaluate("harness.mount(); harness.mount(); null")
    assert room.page.locator(".teleloom-room").count() == 1
    room.page.evaluate("harness.unmount()")
    room.press("4", "d", "1")
    assert room.page.evaluate("document.getElementById('here').childElementCount") == 0
    assert room.page.evaluate("typeof window.teleloomPlayer") == "undefined"
    wait_for(lambda: not catalog.leases.held())
    assert room.view(episode).revision == 0
    room.page.evaluate("harness.mount(); null")
    room.ready()


def test_nothing_scrolls_at_1280_by_720(desk: Open) -> None:
    room = desk("mode=view")
    for mode in ("review", "segments", "view", "adjudicate", "compare"):
        room.page.goto(room.page.url.split("?")[0] + f"?mode={mode}&episode={make_id(0)}&other={make_id(1)}")
        room.until("window.teleloomPlayer?.ready")
        overflow = room.page.evaluate(
            "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
        )
        assert overflow == [0, 0], mode


def test_a_rerun_of_the_page_with_an_episode_that_was_shown_here_does_not_go_back_to_it(desk: Open) -> None:
    room = desk()
    first = room.ready()
    room.press("n")
    room.until(f"teleloomPlayer.episode !== '{first}'")
    second = room.ready()
    room.page.evaluate(f"harness.mount({{episode_id: '{first}', t_ns: 0}}); null")
    room.page.wait_for_timeout(300)
    assert room.player("episode") == second
    room.page.evaluate(f"harness.mount({{episode_id: '{make_id(0)}', mode: 'view'}}); null")
    assert room.ready(make_id(0))


def test_dragging_a_trim_handle_says_one_trim(desk: Open) -> None:
    room = desk(f"mode=view&episode={make_id(0)}")
    episode = room.ready()
    handle = room.page.get_by_role("slider", name="Trim: end").bounding_box()
    ruler = room.page.locator(".ruler").bounding_box()
    assert handle
    assert ruler
    room.page.mouse.move(handle["x"] + 6, handle["y"] + 8)
    room.page.mouse.down()
    room.page.mouse.move(ruler["x"] + ruler["width"] * 0.6, handle["y"] + 8, steps=5)
    room.page.mouse.move(ruler["x"] + ruler["width"] * 0.5, handle["y"] + 8, steps=5)
    room.page.mouse.up()
    room.saved()
    view = room.view(episode)
    assert view.revision == 1
    assert view.trim
    assert (view.trim[1] - START_NS) / 1e9 == pytest.approx(2.0, abs=0.1)
    room.page.get_by_role("slider", name="Trim: start").focus()
    room.press("ArrowRight")
    room.saved()
    assert room.view(episode).trim[0] == view.trim[0] + 100_000_000


def test_a_key_is_left_to_fields_dialogs_and_focused_buttons(desk: Open) -> None:
    room = desk()
    episode = room.ready()
    room.press("Space")
    room.page.get_by_label("Add a note").focus()
    room.type("1 apple pie")
    room.press("Enter")
    room.page.get_by_label("Add a tag").focus()
    room.type("odd")
    room.press("Enter")
    room.saved()
    view = room.view(episode)
    assert (view.notes, view.tags, view.score, view.status) == (("1 apple pie",), ("odd",), None, "unreviewed")
    room.page.get_by_role("button", name="Failure").focus()
    room.press("Space")
    room.saved()
    assert room.view(episode).outcome == "failure"
    assert not room.player("playing")


def test_flags_and_segments_are_taken_off_with_delete(desk: Open) -> None:
    room = desk()
    episode = room.ready()
    room.pause_at(1_500_000_000)
    room.press("m", "m", "b", "Enter")
    room.saved()
    assert (len(room.view(episode).flags), len(room.view(episode).segments)) == (1, 2)
    room.page.get_by_role("button", name="mistake, 0:01").focus()
    room.press("Delete")
    room.page.locator(".timeline .segment").first.focus()
    room.press("Delete")
    room.saved()
    assert (len(room.view(episode).flags), len(room.view(episode).segments)) == (0, 1)


def test_segments_come_from_the_queue_of_approved_episodes(desk: Open, catalog: Catalog) -> None:
    episode = make_id(4)
    catalog.approve(episode, "ben", 0)
    room = desk("mode=segments")
    assert room.ready() == episode
    room.pause_at(1_500_000_000)
    room.press("b")
    room.type("grasp")
    room.press("Enter", "a")
    expect(room.page.get_by_text("Done: 1 episode")).to_be_visible()
    assert [part.label for part in room.view(episode).segments] == ["grasp", "Put the lemon into the bowl."]
    assert room.view(episode).status == "approved"


def test_an_episode_without_parts_is_one_segment_at_the_second_press(desk: Open, catalog: Catalog) -> None:
    episode = make_id(4)
    catalog.approve(episode, "ben", 0)
    room = desk("mode=segments")
    room.ready(episode)
    room.press("t", "a")
    expect(room.page.get_by_text("No segments yet")).to_be_visible()
    room.press("a")
    expect(room.page.get_by_text("Done: 1 episode")).to_be_visible()
    (part,) = room.view(episode).segments
    assert (part.start_ns, part.end_ns) == room.view(episode).trim
    assert part.label == "Put the lemon into the bowl."


def test_a_dispute_is_settled_with_one_reviewers_cut(desk: Open, catalog: Catalog) -> None:
    episode = make_id(1)
    service = ReviewService(catalog)
    catalog.annotate(episode, parse({"kind": "overlap", "reviewers": 2}), "lea", 0)
    for reviewer, trim, decision in ((ANNA, 10**9, "approve"), (BEN, 2 * 10**9, "reject")):
        said = [
            {"kind": "trim", "start_ns": START_NS, "end_ns": START_NS + trim},
            {"kind": "verdict", "decision": decision, "reason": "cube fell" if decision == "reject" else ""},
        ]
        seen = service.open(reviewer, episode).view.revision
        service.commit(reviewer, episode, [parse(each) for each in said], seen)
    assert catalog.view(episode).status == "disputed"
    room = desk(f"mode=adjudicate&episode={episode}&by=lea")
    room.ready(episode)
    expect(room.page.get_by_text("cube fell").first).to_be_visible()
    room.page.get_by_title("Take anna's trim, segments and quality").focus()
    room.press("Enter")
    room.watch()
    room.press("a")
    room.saved()
    expect(room.page.get_by_text("Approved").first).to_be_visible()
    assert room.view(episode).status == "approved"
    assert room.view(episode).trim == (START_NS, START_NS + 10**9)


def test_two_episodes_side_by_side_show_the_same_time(desk: Open) -> None:
    room = desk(f"mode=compare&episode={make_id(0)}&other={make_id(3)}")
    room.until("window.teleloomPlayer?.ready")
    room.press("Space")
    room.page.wait_for_timeout(500)
    room.press("Space")
    room.press("Shift+ArrowRight", "ArrowRight")
    room.until("teleloomPlayer.other.tNs === teleloomPlayer.tNs && teleloomPlayer.tNs > 1e9")


def test_an_episode_that_cannot_be_read_says_why_and_can_be_rejected(desk: Open, marked_root: Path) -> None:
    episode = make_id(5)
    (path,) = marked_root.glob(f"episodes/**/*{episode}*")
    path.write_bytes(path.read_bytes()[:5000])
    room = desk(f"mode=review&episode={episode}")
    expect(room.page.get_by_text("This episode cannot be shown")).to_be_visible()
    room.page.get_by_role("button", name="Reject as data fault").focus()
    room.press("Enter")
    room.ready()
    assert room.view(episode).reason == "data fault"


def test_a_click_on_a_mark_and_on_a_reason_goes_there(desk: Open) -> None:
    room = desk(f"mode=view&episode={make_id(2)}")
    room.ready()
    reason = room.page.locator(".rail .reason").first
    reason.click()
    room.settle()
    minutes, seconds = (float(part) for part in reason.locator("time").inner_text().split(":"))
    assert room.player("tNs") == pytest.approx((60 * minutes + seconds) * 1e9, abs=6e6)


def file_hashes(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.glob("episodes/**/*.h5")}


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds, for at most 10 s."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited 10 s in vain"
        time.sleep(0.05)
