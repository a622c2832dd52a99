"""The review player in a real Chromium: from asking for a random moment to seeing all three cameras there.

Three cameras of 640x480 at 30 Hz: constant, jittered and gapped times, each at its own phase. Every seek is cold: the
episode has just been opened and nothing but its first group of pictures is decoded. The baseline is the same player
with `<video>` elements, which is what most viewers are built on; the recorded JPEGs alone are measured too. Every
frame is read back from the pixels of the canvases, and a wrong one fails the run.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "review_ui"))

from app_in_thread import serving_app
from engine_harness import Film, make_app, make_film

SECONDS = 10.0
SEEKS = 100
STEPS = 100
RATES = (1, 2)
NS_PER_S = 1_000_000_000
WHOLE, WITHOUT_PROXY = 1, 2
BASELINE = "<video>"
SOURCES = {
    "WebCodecs": (WHOLE, ""),
    BASELINE: (WHOLE, "delete window.VideoDecoder"),
    "JPEG": (WITHOUT_PROXY, ""),
}
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--mute-audio")

SEEK_JS = """async ([id, number, tNs]) => {
  await deck.load({...(await documentOf(id)), episode_id: `cold ${number}`}, {at: 0});
  const start = performance.now();
  await deck.seek(tNs);
  const ms = performance.now() - start;
  return {ms, marks: marks()};
}"""
STEP_JS = """async (way) => {
  const start = performance.now();
  await deck.step(way);
  const ms = performance.now() - start;
  return {ms, frame: marks()[deck.main].frame};
}"""
PLAY_JS = """async (rate) => {
  await deck.seek(0);
  Object.assign(log, {draws: [], recording: true});
  const start = performance.now();
  deck.play(rate);
  while (deck.playing || deck.pending) await new Promise(requestAnimationFrame);
  log.recording = false;
  return {seconds: (performance.now() - start) / 1000, draws: log.draws};
}"""


@dataclass(frozen=True)
class Playing:
    """distinct: shown frames as a share of all. speed: recorded time per wall time. apart: at most, in frames."""

    distinct: float
    speed: float
    apart: int


@dataclass(frozen=True)
class Figures:
    """Times in ms, as p50, p95 and the longest."""

    seek: tuple[float, float, float]
    step: tuple[float, float, float]
    play: dict[int, Playing]


def measure(page: Page, film: Film, number: int) -> Figures:
    """All figures of the source that `page` uses for `film`. Raises RuntimeError at a wrong picture."""
    chosen = random.Random(0).sample(range(NS_PER_S, int(SECONDS * NS_PER_S)), SEEKS)
    seeks = [measure_seek(page, film, number, place, t_ns) for place, t_ns in enumerate(chosen)]
    page.evaluate("deck.seek(1e9)")
    steps = [measure_step(page, way) for way in (1, -1) for _ in range(STEPS)]
    return Figures(spread(seeks), spread(steps), {rate: measure_play(page, film, rate) for rate in RATES})


def measure_seek(page: Page, film: Film, number: int, place: int, t_ns: int) -> float:
    """How long one cold seek takes, ms."""
    found = page.evaluate(SEEK_JS, [f"e{number}", place, t_ns])
    frames = {camera: mark["frame"] for camera, mark in found["marks"].items()}
    if frames != frames_at(film, t_ns):
        raise RuntimeError(f"at {t_ns} ns the player shows {frames}; recorded last were {frames_at(film, t_ns)}")
    return float(found["ms"])


def measure_step(page: Page, way: int) -> float:
    """How long one step takes, ms."""
    before = page.evaluate("deck.shown[deck.main]")
    found = page.evaluate(STEP_JS, way)
    if found["frame"] != before + way:
        raise RuntimeError(f"a step of {way} went from frame {before} to {found['frame']}")
    return float(found["ms"])


def measure_play(page: Page, film: Film, rate: int) -> Playing:
    """What is shown in one run through the whole episode."""
    run = page.evaluate(PLAY_JS, rate)
    shown = {(camera, frame) for draw in run["draws"] for camera, frame in draw["shown"].items() if frame >= 0}
    apart = max(
        abs(draw["shown"][camera] - frame)
        for draw in run["draws"]
        for camera, frame in frames_at(film, draw["t"]).items()
    )
    total = sum(len(times) for times in film.times.values())
    return Playing(len(shown) / total, SECONDS / run["seconds"], apart)


def frames_at(film: Film, t_ns: int) -> dict[str, int]:
    """The newest frame of every camera at a time."""
    return {camera: bisect_right(times, t_ns) - 1 for camera, times in film.times.items()}


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, 95th percentile and largest."""
    p50, p95 = np.percentile(values, [50, 95])
    return round(float(p50), 1), round(float(p95), 1), round(max(values), 1)


def open_page(browser: Browser, url: str, script: str) -> Page:
    """A page with a deck, in a context of its own. script: runs before the page's own."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    if script:
        page.add_init_script(script)
    page.goto(url)
    page.wait_for_function("window.deck")
    return page


def tell(source: str, figures: Figures) -> None:
    """Print one source's figures."""
    print(f"{source}: cold seek p50/p95/max {figures.seek} ms; step {figures.step} ms")
    for rate, play in figures.play.items():
        print(f"  play {rate}x: {play.distinct:.1%} of the frames shown, at {play.speed:.2f}x, {play.apart} apart")


def main() -> None:
    """Print the figures of every source and, last, one JSON object."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="player-benchmark-") as folder, sync_playwright() as playwright:
        film = make_film(Path(folder), WHOLE, SECONDS)
        bare = Film(json.loads(json.dumps(film.document)) | {"episode_id": f"e{WITHOUT_PROXY}"}, film.jpegs)
        for camera in bare.document["cameras"]:
            camera["proxy"] = None
        with serving_app(make_app({WHOLE: film, WITHOUT_PROXY: bare})) as url:
            for source, (number, script) in SOURCES.items():
                browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
                figures[source] = measure(open_page(browser, url, script), film, number)
                browser.close()
                tell(source, figures[source])
    ours, baseline = figures["WebCodecs"].seek[1], figures[BASELINE].seek[1]
    result = {
        "name": "player: cold random seek to three cameras shown",
        "figure": ours,
        "unit": "ms, p95",
        "baseline": baseline,
        "ratio": round(baseline / ours, 2),
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
