"""The player's deck in a real browser: what is on the canvases, read from their pixels, against the recorded times."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from app_in_thread import serving_app
from engine_harness import Film, make_app, make_film
from marked_episodes import make_id
from page_limit import pages_answer_within
from playwright.sync_api import Browser, Page

from review_ui.access.policy import AccessPolicy
from review_ui.player.assets import player_url
from review_ui.proxies import ProxyStore
from review_ui.service import ReviewService
from review_ui.web.context import ServerContext
from review_ui.web.media import media_routes
from teleloom.catalog import Catalog

SECONDS = 3.0
WHOLE, WITHOUT_PROXY, DAMAGED, NEXT = 1, 2, 3, 4
NO_WEBCODECS = "delete window.VideoDecoder"
SOURCES = {"webcodecs": (WHOLE, ""), "video": (WHOLE, NO_WEBCODECS), "jpeg": (WITHOUT_PROXY, "")}
NS = 1_000_000_000
VIEWS_AFTER = "([method, given]) => viewsAfter(method, given)"

COUNT_WHAT_IS_OPEN = """
window.open_ = {frames: 0, bitmaps: 0, decoders: 0, peak: 0};
const counted = (thing, kind) => {
  const close = thing.close.bind(thing);
  let closed = false;
  open_[kind] += 1;
  open_.peak = Math.max(open_.peak, open_.frames + open_.bitmaps);
  thing.close = () => { if (!closed) open_[kind] -= 1; closed = true; close(); };
  return thing;
};
window.VideoDecoder = class extends VideoDecoder {
  constructor({output, error}) {
    super({output: (frame) => output(counted(frame, "frames")), error});
    counted(this, "decoders");
  }
};
const decodePicture = window.createImageBitmap;
window.createImageBitmap = async (...given) => counted(await decodePicture(...given), "bitmaps");
"""

NUMBER_FRAMES_IN_PAIRS = """
window.VideoDecoder = class extends VideoDecoder {
  constructor({output, error}) {
    super({error, output: (frame) => {
      output(new VideoFrame(frame, {timestamp: frame.timestamp & ~1}));
      frame.close();
    }});
  }
};
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Film]:
    """Three cameras, one of each timing: with proxies, without, with two that are damaged, and another episode."""
    folder = tmp_path_factory.mktemp("films")
    whole = make_film(folder, WHOLE, SECONDS)
    bare = Film(_renamed(whole.document, WITHOUT_PROXY), whole.jpegs)
    for camera in bare.document["cameras"]:
        camera["proxy"] = None
    damaged = Film(_renamed(whole.document, DAMAGED), whole.jpegs, dict(whole.videos))
    damaged.videos["side"] = folder / "noise.mp4"
    data = whole.videos["side"].read_bytes()
    damaged.videos["side"].write_bytes(data[:2000] + random.Random(1).randbytes(len(data) - 2000))
    damaged.videos["wrist"] = folder / "short.mp4"
    damaged.videos["wrist"].write_bytes(whole.videos["wrist"].read_bytes()[:4000])
    return {WHOLE: whole, WITHOUT_PROXY: bare, DAMAGED: damaged, NEXT: make_film(folder, NEXT, 1.5)}


def _renamed(document: dict[str, Any], number: int) -> dict[str, Any]:
    renamed: dict[str, Any] = json.loads(json.dumps(document).replace("/media/1/", f"/media/{number}/"))
    return renamed | {"episode_id": f"e{number}"}


@pytest.fixture(scope="module")
def address(films: dict[int, Film]) -> Iterator[str]:
    with serving_app(make_app(films)) as url:
        yield url


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1000, "height": 800}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert not errors


def open_deck(page: Page, address: str, number: int, at: int = 0, script: str = "") -> None:
    """Load episode `number`; `script` runs before the page's own."""
    if script:
        page.add_init_script(script)
    page.goto(address)
    page.wait_for_function("window.deck")
    page.evaluate("async ([id, at]) => deck.load(await documentOf(id), {at})", [f"e{number}", at])


def expected(film: Film, t_ns: int) -> dict[str, int]:
    """The frame of every camera at a time: the newest that had been recorded."""
    return {name: bisect_right(times, t_ns) - 1 for name, times in film.times.items()}


def seen(page: Page, number: int) -> dict[str, int]:
    """The frame numbers read from the canvases, as frames_of() checks them."""
    return frames_of(page.evaluate("marks()"), number)


def frames_of(marks: dict[str, dict[str, int]], number: int) -> dict[str, int]:
    """The frame numbers of marks, which must be of this episode and each of its own camera."""
    for place, (name, mark) in enumerate(sorted(marks.items())):
        if mark["frame"] >= 0:
            assert (mark["camera"], mark["episode"]) == (place, number), f"{name} shows another's picture: {mark}"
    return {name: mark["frame"] for name, mark in marks.items()}


@pytest.mark.parametrize("source", SOURCES)
def test_a_seek_shows_the_frame_recorded_last_on_every_camera(
    page: Page, address: str, films: dict[int, Film], source: str
) -> None:
    number, script = SOURCES[source]
    open_deck(page, address, number, at=NS, script=script)
    assert set(page.evaluate("deck.sources").values()) == {source}
    targets = random.Random(source).sample(range(int(SECONDS * NS)), 20)
    for t_ns, view in zip(targets, page.evaluate(VIEWS_AFTER, ["seek", targets]), strict=True):
        assert frames_of(view["marks"], WHOLE) == expected(films[WHOLE], t_ns) == view["shown"]
        assert view["t"] == t_ns


@pytest.mark.parametrize(
    ("source", "rate"), [("webcodecs", 1), ("webcodecs", 2), ("webcodecs", 4), ("video", 1), ("video", 4), ("jpeg", 2)]
)
def test_playing_draws_all_cameras_at_one_recorded_time(
    page: Page, address: str, films: dict[int, Film], source: str, rate: int
) -> None:
    number, script = SOURCES[source]
    open_deck(page, address, number, at=800_000_000, script=script)
    page.evaluate("Object.assign(log, {recording: true, pixels: true}), deck.setRange([8e8, 2e9])")
    page.evaluate("(rate) => deck.play(rate)", rate)
    page.wait_for_function("!deck.playing && !deck.pending")
    draws = page.evaluate("log.draws")
    times = [draw["t"] for draw in draws]
    assert times == sorted(times)
    assert (times[0] >= 800_000_000, times[-1]) == (True, 2_000_000_000)
    for draw in draws:
        frames = {name: mark["frame"] for name, mark in draw["marks"].items()}
        assert frames == draw["shown"]
        apart = [abs(frames[name] - frame) for name, frame in expected(films[WHOLE], draw["t"]).items()]
        assert max(apart) <= (1 if source == "video" else 0)
    assert seen(page, WHOLE) == expected(films[WHOLE], 2_000_000_000)


@pytest.mark.parametrize("source", SOURCES)
def test_every_step_moves_one_frame_forward_and_back(
    page: Page, address: str, films: dict[int, Film], source: str
) -> None:
    number, script = SOURCES[source]
    open_deck(page, address, number, at=films[WHOLE].times["front"][5], script=script)
    targets = [*range(6, 32), *range(30, 12, -1)]
    steps = [to - before for before, to in pairwise([5, *targets])]
    for target, view in zip(targets, page.evaluate(VIEWS_AFTER, ["step", steps]), strict=True):
        shown = frames_of(view["marks"], WHOLE)
        assert shown["front"] == target
        assert shown == expected(films[WHOLE], films[WHOLE].times["front"][target])


@pytest.mark.parametrize("source", SOURCES)
def test_steps_that_come_faster_than_pictures_are_all_counted(page: Page, address: str, source: str) -> None:
    number, script = SOURCES[source]
    open_deck(page, address, number, at=NS, script=script)
    page.evaluate("deck.setMain('wrist')")
    start = page.evaluate("deck.shown.wrist")
    burst = "([count, way]) => Promise.all(Array.from({length: count}, () => deck.step(way)))"
    page.evaluate(burst, [37, 1])
    assert seen(page, WHOLE)["wrist"] == start + 37
    page.evaluate(burst, [50, -1])
    assert seen(page, WHOLE)["wrist"] == start - 13


def test_steps_stop_at_the_first_and_the_last_frame(page: Page, address: str, films: dict[int, Film]) -> None:
    open_deck(page, address, WHOLE, at=NS)
    page.evaluate("deck.step(1000)")
    page.wait_for_function("!deck.pending")
    assert seen(page, WHOLE)["front"] == len(films[WHOLE].times["front"]) - 1
    page.evaluate("deck.step(-1000)")
    page.wait_for_function("!deck.pending")
    assert seen(page, WHOLE)["front"] == 0


def test_frames_recorded_at_one_time_do_not_hold_up_a_step(page: Page, address: str) -> None:
    page.goto(address)
    steps = page.evaluate(
        """async (module) => {
          const {stepFrom} = await import(module);
          const times = [-20, -10, 5, 5, 5, 9, 30];
          return [[4, -1], [4, 1], [1, -1], [5, 9], [-1, 1]].map(([from, by]) => stepFrom(times, from, by, 12));
        }""",
        player_url("js/engine/step.js"),
    )
    assert steps == [1, 5, 1, 5, 1]


def test_after_a_stall_the_playhead_goes_on_from_where_it_was(page: Page, address: str) -> None:
    page.goto(address)
    moves = page.evaluate(
        """async (module) => {
          const {advance} = await import(module);
          return [advance(0, 16, 2, [0, 1e9]), advance(0, 5000, 2, [0, 1e9]), advance(9e8, 100, 4, [0, 1e9]),
                  advance(3e8, 16, 1, [5e8, 6e8])];
        }""",
        player_url("js/engine/clock.js"),
    )
    assert [(move["tNs"], move["ended"]) for move in moves] == [
        (32_000_000, False),
        (200_000_000, False),
        (NS, True),
        (500_000_000, False),
    ]


def test_a_paused_picture_becomes_the_recorded_one_pixel_for_pixel(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE, at=NS)
    page.wait_for_function("deck.exact")
    different = page.evaluate("""async () => {
      const counts = {};
      for (const {name, jpeg} of (await documentOf("e1")).cameras) {
        const recorded = await createImageBitmap(await (await fetch(jpeg.replace("{i}", deck.shown[name]))).blob());
        const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 480});
        const pixels = (context) => context.getImageData(0, 0, 640, 480).data;
        canvas.getContext("2d").drawImage(recorded, 0, 0);
        const shown = pixels(document.querySelector(`[data-camera=${name}] canvas`).getContext("2d"));
        const right = pixels(canvas.getContext("2d"));
        counts[name] = shown.reduce((count, value, i) => count + (value !== right[i]), 0);
      }
      return counts;
    }""")
    assert different == {"front": 0, "side": 0, "wrist": 0}
    page.evaluate("deck.step(1)")
    page.wait_for_function("!deck.pending")
    assert seen(page, WHOLE)["front"] == page.evaluate("deck.shown.front")


def test_a_burst_of_seeks_shows_the_newest_and_answers_all(page: Page, address: str, films: dict[int, Film]) -> None:
    requests: list[str] = []
    open_deck(page, address, WITHOUT_PROXY)
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate("Promise.all(Array.from({length: 60}, (_, i) => deck.seek(i * 4e7)))")
    assert seen(page, WHOLE) == expected(films[WHOLE], 59 * 40_000_000)
    assert len(requests) <= 2 * 3


def test_a_pause_stays_at_the_time_that_was_shown(page: Page, address: str, films: dict[int, Film]) -> None:
    open_deck(page, address, WHOLE)
    page.evaluate("deck.play(2)")
    page.wait_for_function("deck.tNs > 7e8")
    t_ns = page.evaluate("() => { deck.pause(); return deck.tNs; }")
    page.wait_for_function("deck.exact")
    assert page.evaluate("deck.tNs") == t_ns
    assert seen(page, WHOLE) == expected(films[WHOLE], t_ns)


def test_a_seek_while_playing_goes_on_from_there(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE)
    page.evaluate("deck.play(1)")
    page.evaluate("deck.seek(2.6e9)")
    page.wait_for_function("deck.tNs > 2.65e9 && deck.playing")
    page.wait_for_function("!deck.playing")
    assert page.evaluate("deck.tNs") == SECONDS * NS
    page.evaluate("deck.setRange([1e9, 1.2e9]), deck.play(4)")
    page.wait_for_function("!deck.playing")
    assert page.evaluate("deck.tNs") == 1.2 * NS


def test_a_page_that_never_answers_fails_what_waits_for_it(page: Page) -> None:
    spin = "(async () => { for (;;) await null; })()"
    with pages_answer_within(0.5), pytest.raises(TimeoutError, match=r"did not answer within 0.5 s.*for \(;;\)"):
        page.evaluate(spin)


def test_a_host_that_always_seeks_again_does_not_freeze_the_tab(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function("window.deck")
    with pages_answer_within(10):
        draws = page.evaluate(
            """async (module) => {
              const {createDeck} = await import(module);
              let draws = 0;
              const places = {main: document.createElement("div"), strip: document.createElement("div")};
              const restless = createDeck({...places, onTime: (tNs) => {
                draws += 1;
                restless.seek(1 - tNs);
              }});
              restless.load({episode_id: "none", duration_ns: 1, cameras: [], fault: null});
              await new Promise((resolve) => setTimeout(resolve, 50));
              restless.dispose();
              return draws;
            }""",
            player_url("js/engine/deck.js"),
        )
    assert draws >= 2


def test_pictures_that_are_overtaken_by_nothing_newer_are_asked_for_again_while_the_tab_goes_on(
    page: Page, address: str, films: dict[int, Film]
) -> None:
    page.goto(address)
    page.wait_for_function("window.deck")
    with pages_answer_within(10):
        tries = page.evaluate(
            """async ([reel, source]) => {
              const {Reel} = await import(reel);
              const {OvertakenError} = await import(source);
              const show = Reel.prototype.show;
              let tries = 0;
              Reel.prototype.show = async () => {
                tries += 1;
                throw new OvertakenError();
              };
              const shown = deck.load(await documentOf("e1"), {at: 1e9});
              await new Promise((resolve) => setTimeout(resolve, 50));
              Reel.prototype.show = show;
              await shown;
              return tries;
            }""",
            [player_url("js/engine/reel.js"), player_url("js/engine/source.js")],
        )
    assert tries >= 2
    assert seen(page, WHOLE) == expected(films[WHOLE], NS)


def test_before_its_first_frame_a_camera_is_blank_and_says_so(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE, at=60_000_000)
    assert seen(page, WHOLE) == {"front": 1, "side": 0, "wrist": -1}
    assert page.evaluate("deck.notes") == {"front": "", "side": "", "wrist": "no frame yet"}
    page.evaluate("deck.seek(1.45e9)")
    page.wait_for_function("!deck.pending")
    assert page.evaluate("deck.notes.wrist") == ""


def test_in_a_gap_a_camera_says_how_old_its_frame_is(page: Page, address: str, films: dict[int, Film]) -> None:
    times = films[WHOLE].times["wrist"]
    before = max(range(1, len(times)), key=lambda i: times[i] - times[i - 1]) - 1
    open_deck(page, address, WHOLE, at=times[before + 1] - 1)
    assert seen(page, WHOLE)["wrist"] == before
    assert page.locator("[data-camera=wrist] .tl-camera-note").inner_text() == "0.5 s old"


def test_a_damaged_proxy_gives_way_to_the_recorded_pictures_and_is_named(
    page: Page, address: str, films: dict[int, Film]
) -> None:
    open_deck(page, address, DAMAGED, at=NS)
    assert page.evaluate("deck.sources") == {"front": "webcodecs", "side": "jpeg", "wrist": "jpeg"}
    notes = page.evaluate("deck.notes")
    assert notes["front"] == ""
    assert "the proxy of camera 'side' cannot be used" in notes["side"]
    assert "the server answered 416" in notes["wrist"]
    for t_ns in (300_000_000, 2_200_000_000):
        page.evaluate("(t) => deck.seek(t)", t_ns)
        assert seen(page, WHOLE) == expected(films[WHOLE], t_ns)


def test_a_damaged_proxy_gives_way_without_webcodecs_too(page: Page, address: str, films: dict[int, Film]) -> None:
    open_deck(page, address, DAMAGED, at=2 * NS, script=NO_WEBCODECS)
    assert seen(page, WHOLE) == expected(films[WHOLE], 2 * NS)
    assert page.evaluate("deck.sources.side") == "jpeg"


def test_a_decoder_that_leaves_frames_out_for_ever_gives_way_to_the_recorded_pictures(
    page: Page, address: str, films: dict[int, Film]
) -> None:
    t_ns = films[WHOLE].times["front"][31]
    with pages_answer_within(10):
        open_deck(page, address, WHOLE, at=t_ns, script=NUMBER_FRAMES_IN_PAIRS)
    assert page.evaluate("deck.sources.front") == "jpeg"
    assert "are missing" in page.evaluate("deck.notes.front")
    assert seen(page, WHOLE) == expected(films[WHOLE], t_ns)


def test_a_camera_that_cannot_be_shown_says_why_beside_those_that_can(
    page: Page, address: str, films: dict[int, Film]
) -> None:
    page.route("**/side/*.jpg", lambda route: route.fulfill(status=500, body="disk"))
    page.route("**/wrist/*.jpg", lambda route: route.fulfill(body=b"\xff\xd8 no picture", content_type="image/jpeg"))
    open_deck(page, address, WITHOUT_PROXY, at=NS)
    assert seen(page, WHOLE) == {**expected(films[WHOLE], NS), "side": -1, "wrist": -1}
    notes = page.evaluate("deck.notes")
    assert notes["side"].startswith("camera 'side' cannot be shown: the server answered 500 for frame")
    assert "is damaged" in notes["wrist"]
    assert page.evaluate("log.states.at(-1).fault") == notes["side"]
    page.unroute("**/side/*.jpg")
    page.evaluate("deck.seek(1.001e9)")
    page.wait_for_function("!deck.pending")
    assert page.evaluate("deck.notes.side") == ""


def test_a_proxy_that_was_made_meanwhile_is_taken_up_in_place(page: Page, address: str, films: dict[int, Film]) -> None:
    open_deck(page, address, WITHOUT_PROXY, at=NS)
    page.evaluate("async () => deck.refresh({...(await documentOf('e1')), episode_id: 'e2'})")
    assert set(page.evaluate("deck.sources").values()) == {"webcodecs"}
    assert page.evaluate("deck.tNs") == NS
    page.evaluate("deck.seek(2e9)")
    page.wait_for_function("!deck.pending")
    assert seen(page, WHOLE) == expected(films[WHOLE], 2 * NS)


def test_a_click_in_the_strip_makes_that_camera_the_main_one(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE, at=NS)
    before = seen(page, WHOLE)
    assert page.evaluate("deck.main") == "front"
    page.locator("#strip [data-camera=wrist]").click()
    assert page.evaluate("deck.main") == "wrist"
    assert page.locator("#main .tl-camera-main").get_attribute("data-camera") == "wrist"
    in_strip = "[...document.querySelectorAll('#strip figure')].map((each) => each.dataset.camera)"
    assert page.evaluate(in_strip) == ["front", "side"]
    assert seen(page, WHOLE) == before
    page.evaluate("deck.step(1)")
    page.wait_for_function("!deck.pending")
    assert page.evaluate("deck.shown.wrist") == before["wrist"] + 1


def test_a_preloaded_episode_is_shown_without_asking_for_video(
    page: Page, address: str, films: dict[int, Film]
) -> None:
    open_deck(page, address, WHOLE, at=NS)
    page.evaluate("async () => deck.preload(await documentOf('e4'), {at: 5e8})")
    page.wait_for_function("deck.exact")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate("async () => deck.load(await documentOf('e4'), {at: 5e8})")
    assert not [url for url in requests if url.endswith(".mp4")]
    assert seen(page, NEXT) == expected(films[NEXT], 500_000_000)


def test_many_episodes_in_a_row_leave_nothing_open(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE, at=NS, script=COUNT_WHAT_IS_OPEN)
    shown = page.evaluate("""async () => {
      const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      const copy = async (k) => ({...await documentOf(k % 2 ? "e1" : "e4"), episode_id: `copy-${k}`});
      const episodes = [];
      for (let k = 0; k < 24; k += 1) {
        await deck.load(await copy(k), {at: 1e9});
        episodes.push(marks().front.episode);
        deck.preload(await copy(k + 1), {at: 1e9});
        deck.preload(await copy(k + 2), {at: 1e9});
        if (k % 3 === 0) deck.play(2);
        await pause(k % 8 === 0 ? 150 : 10);
        if (k % 4 === 0) deck.step(1);
      }
      return episodes;
    }""")
    assert shown == [WHOLE if k % 2 else NEXT for k in range(24)]
    opened = page.evaluate("open_")
    assert opened["decoders"] <= 9
    assert opened["peak"] <= 400
    page.evaluate("deck.dispose()")
    page.wait_for_function("open_.frames + open_.bitmaps + open_.decoders === 0")
    assert page.locator(".tl-camera").count() == 0


def test_an_episode_without_cameras_still_has_a_playhead(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function("window.deck")
    page.evaluate("deck.load({episode_id: 'none', duration_ns: 3e8, cameras: [], fault: null})")
    page.evaluate("deck.play(4)")
    page.wait_for_function("!deck.playing && deck.tNs === 3e8")
    page.evaluate("deck.step(-3)")
    page.wait_for_function("!deck.pending")
    assert page.evaluate("deck.tNs") == 200_000_000


def test_the_hook_tells_and_cannot_be_used_to_change(page: Page, address: str) -> None:
    open_deck(page, address, WHOLE, at=NS)
    assert page.evaluate("[teleloomPlayer.tNs, teleloomPlayer.shown, teleloomPlayer.playing]") == [
        NS,
        page.evaluate("deck.shown"),
        False,
    ]
    changed = "() => { 'use strict'; try { teleloomPlayer.tNs = 5; return true; } catch { return false; } }"
    assert page.evaluate(changed) is False


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_servers_own_documents_and_media_are_shown(chromium: Browser, marked_master: Path, number: int) -> None:
    with Catalog.open(marked_master) as catalog, chromium.new_context() as browsing:
        nobody = cast(AccessPolicy, None)
        context = ServerContext(marked_master, catalog, ReviewService(catalog), ProxyStore(marked_master), nobody)
        with serving_app(make_app({}, media_routes(context))) as url:
            page = browsing.new_page()
            page.goto(url)
            page.wait_for_function("window.deck")
            fetched = "async (id) => await (await fetch(`/teleloom/media/${id}/player.json`)).json()"
            film = Film(page.evaluate(fetched, make_id(number)), {})
            page.evaluate("(doc) => deck.load(doc, {at: 1e9})", film.document)
            assert set(page.evaluate("deck.sources").values()) == {"webcodecs"}
            targets = random.Random(number).sample(range(film.document["duration_ns"]), 12)
            for t_ns, view in zip(targets, page.evaluate(VIEWS_AFTER, ["seek", targets]), strict=True):
                assert frames_of(view["marks"], number) == expected(film, t_ns)
            page.wait_for_function("deck.exact")
            assert seen(page, number) == expected(film, targets[-1])


def test_the_films_differ_in_their_timing(films: dict[int, Film]) -> None:
    """Or the tests above would show little."""
    gaps = {name: {b - a for a, b in pairwise(times)} for name, times in films[WHOLE].times.items()}
    assert max(gaps["front"]) - min(gaps["front"]) <= 1
    assert max(gaps["side"]) - min(gaps["side"]) > 10_000_000
    assert max(gaps["wrist"]) > 500_000_000
    assert len({times[0] for times in films[WHOLE].times.values()}) == 3
