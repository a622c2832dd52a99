"""Makes docs/images/review-*.png from the real app: records simulated episodes, reviews some, drives Chromium.

    .venv/bin/python scripts/review_pictures.py [--root FOLDER] [--only NAME]

Needs the extras sim, review and dev (Playwright), and Chromium at /usr/bin/chromium (or $CHROMIUM).
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import Catalog, EpisodeFilter, EpisodeRow, parse
from teleloom.clock import NS_PER_S

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
VIEW = {"width": 1280, "height": 800}
LEAD = Reviewer("anna", "lead")
TEAM = (Reviewer("ben", "annotator"), Reviewer("chloe", "annotator"))
HOUR_NS = 3600 * NS_PER_S
PATIENCE_MS = 90_000
STEP_MS = 250
COLOURS = 256
LARGEST_BYTES = 250_000
WATCHED_NS = 2 * NS_PER_S


@dataclass(frozen=True)
class Session:
    """Episodes recorded in one go. habits: how the scripted operator differs from an able one."""

    task: str
    episodes: int
    seed: int
    operator: str
    station: str = "bench-1"
    habits: dict[str, Any] = field(default_factory=dict)


SESSIONS = (
    Session("stack", 5, 0, "maria"),
    Session("put-in-bowl", 5, 20, "maria"),
    Session("open-drawer", 4, 40, "jonas", "bench-2"),
    Session("wipe-counter", 3, 60, "jonas", "bench-2"),
    Session("stack", 1, 80, "jonas", "bench-2", {"tremor_m": 0.012, "tremor_rad": 0.1}),
    Session("stack", 1, 83, "jonas", "bench-2", {"speed_m_s": 0.2, "turn_rad_s": 0.6, "patience_s": 120.0}),
    Session("wipe-counter", 1, 84, "maria", "bench-1", {"rest_s": 5.0}),
    Session("put-in-bowl", 1, 81, "jonas", "bench-2", {"rest_s": 6.0, "hesitation_rate_hz": 0.8, "hesitation_s": 1.2}),
    Session("open-drawer", 1, 82, "maria", "bench-1", {"speed_m_s": 0.2, "turn_rad_s": 0.7, "patience_s": 120.0}),
)


def record(root: Path, session: Session) -> None:
    """Record the session's episodes into `root`, as `teleloom record` does."""
    camera = {"driver": "mujoco", "options": {"size": 480, "rate_hz": 15}}
    config = {
        "name": session.station,
        "robot": {
            "driver": "mujoco",
            "options": {"robot": "panda", "task": session.task, "seed": session.seed},
        },
        "cameras": dict.fromkeys(("front", "side", "wrist"), camera),
        "operator": {"source": "scripted", "name": session.operator, "options": session.habits},
        "teleop": simulated_teleop(),
    }
    path = root / "station.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    run("record", str(root), "-c", str(path), "--lockstep", "--episodes", str(session.episodes))


def simulated_teleop() -> dict[str, Any]:
    """The limits of the simulated kitchen."""
    from station.config import kitchen_teleop

    return kitchen_teleop().model_dump(mode="json")


def run(*arguments: str) -> None:
    """A command of teleloom; raises CalledProcessError when it fails."""
    subprocess.run([sys.executable, "-m", "station", *arguments], check=True, stdout=subprocess.DEVNULL)


class Past:
    """A clock that is set: what people said over the last days gets the times at which they would have said it."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def go_on(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


def review_some(root: Path) -> None:
    """What a small team said over the last days, so that every page has something to show."""
    clock = Past(time.time_ns() - 50 * HOUR_NS)
    with Catalog.open(root, now=clock) as catalog:
        service = ReviewService(catalog)
        service.rank()
        safest = list(reversed(catalog.search(EpisodeFilter(), sort="risk", limit=100).rows))
        judge_twice(service, clock, safest[:5])
        clock.go_on(22 * 3600)
        for number, row in enumerate(safest[5:10]):
            clock.go_on(40 + 9 * (number % 4))
            decide(service, TEAM[number % 2], row, approve=number != 2, score=4 + number % 2, at=0.5)
        clock.now_ns = time.time_ns() - HOUR_NS // 2
        for row in safest[10:12]:
            clock.go_on(44)
            decide(service, LEAD, row, approve=True, score=4, at=0.55)
            tag = parse({"kind": "tag", "tag": "for-the-paper"})
            service.commit(LEAD, row.id, [tag], catalog.episode(row.id).revision)
    with Catalog.open(root) as catalog:
        for reviewer, row in zip(TEAM, safest[12:], strict=False):
            ReviewService(catalog).claim(reviewer, row.id)
    run("build", str(root), "--name", "kitchen", "--out", str(root.parent / "datasets"))


def judge_twice(service: ReviewService, clock: Past, rows: Sequence[EpisodeRow]) -> None:
    """Both of the team decide on each, without seeing the other's word; on two episodes they do not agree."""
    for row in rows:
        service.commit(LEAD, row.id, [parse({"kind": "overlap", "reviewers": 2})], 0)
    for number, row in enumerate(rows):
        for reviewer in TEAM:
            clock.go_on(47 + 11 * number)
            differs = number in (0, 3) and reviewer is TEAM[1]
            score, at = 5 - number % 3 - differs, 0.46 + 0.03 * differs
            decide(service, reviewer, row, approve=not differs, score=score, at=at)


def decide(service: ReviewService, reviewer: Reviewer, row: EpisodeRow, approve: bool, score: int, at: float) -> None:
    """One episode reviewed: segments, a score and a verdict."""
    start_ns, end_ns = span_of(service, row)
    cut_ns = start_ns + round(at * (end_ns - start_ns))
    verdict = {"kind": "verdict", "decision": "approve", "spent_s": 31.0 + 7 * score}
    if not approve:
        verdict |= {"decision": "reject", "reason": "the block was pushed, not lifted"}
    parts = [
        {"start_ns": start_ns, "end_ns": cut_ns, "label": "reach and grasp"},
        {"start_ns": cut_ns, "end_ns": end_ns, "label": "place"},
    ]
    said: list[dict[str, Any]] = [{"kind": "segments", "segments": parts}] if reviewer in TEAM else []
    said += [
        {"kind": "score", "score": score},
        {"kind": "outcome", "outcome": "success" if approve else "partial"},
        verdict,
    ]
    revision = service.open(reviewer, row.id).view.revision
    service.commit(reviewer, row.id, [parse(each) for each in said], revision)


def span_of(service: ReviewService, row: EpisodeRow) -> tuple[int, int]:
    """First and last time of the episode's streams."""
    from teleloom.episode.reader import EpisodeReader
    from teleloom.episode.steps import span_ns

    with EpisodeReader(service.catalog.path_of(row)) as reader:
        return span_ns({name: reader.stream(name) for name in reader.stream_names})


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The review's server on `root`; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "station",
        "review",
        str(root),
        "--as",
        LEAD.name,
        "--port",
        str(port),
        "--no-browser",
    ]
    server = subprocess.Popen(command, env={**os.environ, "HOME": str(root.parent)})
    try:
        _wait_until_up(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_until_up(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise SystemExit(f"the review's server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit("the review's server did not come up within a minute")


def settled(page: Page) -> None:
    """Wait until the page has drawn itself and stands still."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE_MS)
    page.wait_for_selector('[data-testid="stSkeleton"]', state="detached", timeout=PATIENCE_MS)
    page.wait_for_timeout(1200)


def ready_player(page: Page) -> None:
    """Wait until the player shows a frame of every camera, let it play a little where it does, and stop it."""
    until(page, "Math.min(...Object.values(window.teleloomPlayer?.shown ?? {none: -1})) >= 0", PATIENCE_MS)
    until(page, f"!window.teleloomPlayer.playing || window.teleloomPlayer.tNs > {WATCHED_NS}", PATIENCE_MS)
    if page.evaluate("window.teleloomPlayer.playing"):
        page.keyboard.press("Space")
    page.wait_for_timeout(1200)


def until(page: Page, true: str, patience_ms: int) -> None:
    """Wait until an expression holds in the page, whose own policy forbids it to evaluate one; or go on without."""
    for _ in range(patience_ms // STEP_MS):
        if page.evaluate(true):
            return
        page.wait_for_timeout(STEP_MS)


@dataclass(frozen=True)
class Picture:
    """One picture: where it is taken, and what is done there before."""

    name: str
    address: Callable[[Catalog], str]
    before: Callable[[Page], None] = settled
    dark: bool = False
    width: int = VIEW["width"]
    height: int = VIEW["height"]


def risky(catalog: Catalog) -> EpisodeRow:
    """The episode that wants looking at most."""
    return catalog.search(EpisodeFilter(statuses=("unreviewed",)), sort="risk", limit=1).rows[0]


def mark_rows(page: Page) -> None:
    """Mark two rows of the table of episodes."""
    settled(page)
    box = page.locator('[data-testid="stDataFrame"]').bounding_box()
    assert box is not None
    for row in (1, 2):
        page.mouse.click(box["x"] + 16, box["y"] + 38 + 36 * row + 18)
        settled(page)


PICTURES = (
    Picture("queue", lambda _: ""),
    Picture("queue-dark", lambda _: "", dark=True),
    Picture("review", lambda catalog: f"review?episode={risky(catalog).id}", ready_player),
    Picture("review-dark", lambda catalog: f"review?episode={risky(catalog).id}", ready_player, dark=True),
    Picture("segments", lambda _: "segments", ready_player),
    Picture("adjudicate", lambda _: "adjudicate", ready_player),
    Picture("progress", lambda _: "progress"),
    Picture("progress-dark", lambda _: "progress", dark=True),
    Picture("episodes", lambda _: "episodes", mark_rows),
    Picture("builds", lambda _: "builds"),
)


def take(address: str, catalog: Catalog, wanted: str | None, out: Path) -> None:
    """Take all pictures, or the one that is `wanted`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for picture in PICTURES:
            if wanted not in (None, picture.name):
                continue
            context = browser.new_context(
                viewport={"width": picture.width, "height": picture.height},
                color_scheme="dark" if picture.dark else "light",
            )
            page = context.new_page()
            page.goto(f"{address}/{picture.address(catalog)}")
            picture.before(page)
            path = out / f"review-{picture.name}.png"
            page.screenshot(path=path)
            if path.stat().st_size > LARGEST_BYTES:
                with Image.open(path) as shot:
                    shot.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE).save(path, optimize=True)
            context.close()
        browser.close()


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="use this folder, and record into it only when it is empty")
    parser.add_argument("--only", choices=[picture.name for picture in PICTURES], help="take this picture alone")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the pictures go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.root or Path(temporary) / "my-station"
        if not root.exists():
            root.mkdir(parents=True)
            for session in SESSIONS:
                record(root, session)
            review_some(root)
        arguments.out.mkdir(parents=True, exist_ok=True)
        with serving(root) as address, Catalog.open(root) as catalog:
            take(address, catalog, arguments.only, arguments.out)


if __name__ == "__main__":
    main()
