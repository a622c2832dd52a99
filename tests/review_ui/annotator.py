"""An annotator at the real app, with nothing but the keyboard, and what they mean to say about marked episodes."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from marked_episodes import FRAME_HZ, READ_MARK_JS, START_NS, frame_times
from playwright.sync_api import Browser, BrowserContext, Page

from teleloom.episode.meta import Outcome

PATIENCE_MS = 60_000
OUTCOMES: tuple[Outcome, ...] = ("success", "partial", "failure")
REASONS = ("task failed", "collision", "camera fault", "data fault")
WATCH_JS = """addEventListener("securitypolicyviolation", (event) => {
  // Streamlit's number library asks whether WebAssembly may be used, and does without.
  if (event.blockedURI !== "wasm-eval") console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
});"""
FIRST_PICTURES_JS = (
    READ_MARK_JS
    + """
window.firstPictures = (pressed) => new Promise((resolve) => {
  let began = null;
  const before = teleloomPlayer.episode;
  const noticed = (event) => {
    if (event.key !== pressed) return;
    began = performance.now();
    removeEventListener("keydown", noticed, {capture: true});
    requestAnimationFrame(look);
  };
  const look = () => {
    const player = window.teleloomPlayer;
    if (!player?.episode || player.episode === before || !player.ready) return requestAnimationFrame(look);
    const ms = performance.now() - began, marks = {};
    if (player.shown[player.main] < 0) return requestAnimationFrame(look);
    for (const tile of document.querySelectorAll(".tl-camera")) {
      const canvas = tile.querySelector("canvas"), {width, height} = canvas;
      const {data} = canvas.getContext("2d").getImageData(0, 0, width, Math.ceil(height / 6));
      marks[tile.dataset.camera] = readMark({data, width, height});
    }
    resolve({ms, marks, episode: player.episode, tNs: player.tNs});
  };
  addEventListener("keydown", noticed, {capture: true});
});"""
)
"""`firstPictures(key)`: ms from the next press of `key` to the first pictures of another episode, and their marks."""


@dataclass(frozen=True)
class Part:
    """One segment: the frame at which it ends, None where the trim does; its label, None for the usual one."""

    last: int | None
    label: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Review:
    """All that is said about one episode. Places are frames of the first camera."""

    trim: tuple[int, int]
    parts: tuple[Part, ...]
    mistake: tuple[int, int]
    intervention: tuple[int, int]
    outcome: Outcome
    score: int
    correction: tuple[str, str] | None
    paraphrase: tuple[str, str]
    decision: Literal["approve", "reject"]
    reason: str
    undone: bool = False


def plan_review(number: int, seconds: float) -> Review:
    """What is to be said about marked episode `number`; the fourth is decided wrongly first, and that undone."""
    rng = random.Random(number)
    frames = int(seconds * FRAME_HZ)
    start, end = rng.randint(3, 8), frames - rng.randint(4, 9)
    one, other = start + rng.randint(10, 16), end - rng.randint(10, 16)
    first = Part(one, f"reach {number}", rng.choice(OUTCOMES))
    second = Part(other, f"grasp '{number}' & lift <it>")
    mistake = rng.randint(start, one)
    intervention = rng.randint(one, other - 14)
    decision: Literal["approve", "reject"] = "reject" if number % 3 == 2 else "approve"
    return Review(
        trim=(start, end),
        parts=(first, second, Part(None)) if number % 2 else (first, Part(None)),
        mistake=(mistake, mistake + rng.randint(13, 16)),
        intervention=(intervention, intervention + rng.randint(13, 16)),
        outcome=OUTCOMES[number % 3],
        score=1 + number % 5,
        correction=(f"Lay fruit {number} into the bowl.", "en") if number % 2 else None,
        paraphrase=(f"Leg Frucht {number} in die Schüssel.", "de"),
        decision=decision,
        reason=rng.choice(REASONS) if decision == "reject" else "",
        undone=number == 3,
    )


class Annotator:
    """Somebody before the app in Chromium. times_ns: when the first camera saw its frames, from the episode's start.

    complaints: errors of the page, of the console and of the content policy.
    """

    def __init__(self, chromium: Browser, seconds: float, size: tuple[int, int] = (1280, 800)) -> None:
        self.context: BrowserContext = chromium.new_context(viewport={"width": size[0], "height": size[1]})
        self.context.add_init_script(WATCH_JS + FIRST_PICTURES_JS)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.times_ns: list[int] = (frame_times(seconds, 0, "constant") - START_NS).tolist()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )

    def begin(self, url: str) -> None:
        """Open the app, and start reviewing with the Queue page's own key."""
        self.page.goto(url)
        self.page.get_by_role("button", name="Start reviewing").wait_for()
        self.press("Enter")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, words: str) -> None:
        self.page.keyboard.type(words)

    def player(self, name: str) -> Any:
        """What the player's hook tells."""
        return self.page.evaluate(f"window.teleloomPlayer?.{name}")

    def until(self, condition: str) -> None:
        """Wait for it in the page. Playwright's own wait evaluates text anew each time, which the page forbids."""
        self.page.evaluate(
            f"""() => new Promise((resolve, reject) => {{
              const end = performance.now() + {PATIENCE_MS};
              const look = () => {{
                if ({condition}) resolve();
                else if (performance.now() > end) reject(new Error({json.dumps(condition)}));
                else requestAnimationFrame(look);
              }};
              look();
            }})"""
        )

    def arrived(self, after: str | None = None) -> str:
        """Wait for an episode other than `after`; its id."""
        self.until(f"window.teleloomPlayer?.ready && ![null, {json.dumps(after)}].includes(teleloomPlayer.episode)")
        return str(self.player("episode"))

    def stop(self) -> None:
        """Stop the playing that begins by itself."""
        self.until("teleloomPlayer.playing || teleloomPlayer.tNs >= teleloomPlayer.range[1]")
        while self.player("playing"):
            self.press("Space")
        self.until("!teleloomPlayer.pending")

    def go(self, frame: int) -> None:
        """Go to `frame` of the first camera, by whole seconds and then one press of an arrow for each frame between."""
        shown = self._shown()
        if seconds := (abs(frame - shown) - 1) // FRAME_HZ:
            self.press(*["Shift+ArrowRight" if frame > shown else "Shift+ArrowLeft"] * seconds)
            self.until("!teleloomPlayer.pending")
            shown = self._shown()
        if shown == frame:
            shown += 1
            self.press("ArrowRight")
        self.press(*["ArrowRight" if frame > shown else "ArrowLeft"] * abs(frame - shown))
        self.until("!teleloomPlayer.pending")
        assert (self.player("shown")["front"], self.player("tNs")) == (frame, self.times_ns[frame])

    def _shown(self) -> int:
        """The newest frame of the first camera at the time shown."""
        return bisect_right(self.times_ns, self.player("tNs")) - 1

    def mark(self, key: str, span: tuple[int, int]) -> None:
        """Flag from one frame to another."""
        for frame in span:
            self.go(frame)
            self.press(key)

    def instruct(self, text: str, language: str, correct: bool) -> None:
        """Add a way of saying the task, or put it in place of the recorded ones."""
        self.press("e")
        self._dialog("Instruction")
        if correct:
            self.press("Shift+Tab", "ArrowDown", "Control+a")
        self.type(text)
        self.press("Tab")
        self.type(language)
        self.press("Enter")
        self._no_dialog()

    def split(self, part: Part) -> None:
        """End a segment here, and say what is done in it."""
        assert part.last is not None
        assert part.label is not None
        self.go(part.last)
        self.press("b")
        self._dialog("What is done")
        self.type(part.label)
        if part.outcome is not None:
            self.press("Tab")
            self.type(part.outcome)
            self.press("Shift+Tab")
        self.press("Enter")
        self._no_dialog()

    def say(self, review: Review) -> tuple[int, int]:
        """Everything of `review` but the verdict; returns the counted part before the trim, ns."""
        self.stop()
        counted: list[int] = self.player("range")
        self.go(review.trim[0])
        self.press("i")
        self.go(review.trim[1])
        self.press("o")
        for wording in (review.correction, review.paraphrase):
            if wording is not None:
                self.instruct(*wording, correct=wording is review.correction)
        for part in review.parts[:-1]:
            self.split(part)
        self.mark("m", review.mistake)
        self.mark("x", review.intervention)
        self.press(review.outcome[0], str(review.score))
        return counted[0], counted[1]

    def watch(self) -> None:
        """Play the counted part from its begin to its end."""
        self.go(self.times_ns.index(self.player("range")[1]))
        self.press("Space")
        self.until("!teleloomPlayer.playing && !teleloomPlayer.pending")

    def decide(self, decision: str, reason: str) -> None:
        """Give the verdict, which brings up the next episode."""
        if decision == "approve":
            self.press("a")
            return
        self.press("d")
        self._dialog("Why not")
        self.press(str(1 + REASONS.index(reason)))

    def take_back(self, episode: str) -> None:
        """Undo the last word, which leads back to its episode."""
        self.press("u")
        self.until(f"teleloomPlayer.ready && teleloomPlayer.episode === {episode!r}")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(
            self.page.evaluate(
                "Math.max(...[document.documentElement, document.querySelector('[data-testid=stMain]')]"
                ".map((each) => each.scrollWidth)) - innerWidth"
            )
        )

    def reject_and_time(self) -> dict[str, Any]:
        """Reject for the first reason; how long the next episode's pictures take, ms, and their marks."""
        self.page.evaluate("window.arrival = firstPictures('1'); null")
        self.decide("reject", REASONS[0])
        found: dict[str, Any] = self.page.evaluate("arrival")
        return found

    def _dialog(self, title: str) -> None:
        self.until(f"document.querySelector('dialog[open] h2')?.textContent.includes({title!r})")

    def _no_dialog(self) -> None:
        self.until("!document.querySelector('dialog[open]')")


def newest_frames(cameras: Sequence[str], t_ns: int, seconds: float) -> dict[str, int]:
    """Per camera of a marked episode the frame to be seen at `t_ns`, -1 before the first."""
    times = {name: frame_times(seconds, place, "constant") - START_NS for place, name in enumerate(sorted(cameras))}
    return {name: bisect_right(seen.tolist(), t_ns) - 1 for name, seen in times.items()}
