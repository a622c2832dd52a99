"""The report of a demo: what was recorded, what people said of it, what was built, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder.dataset import Dataset
from dataset_builder.verify.check import Report as Verification
from recorder.inspection.curves import Series, sparkline
from recorder.inspection.episode_page import badge, write_episode_page
from recorder.inspection.lanes import gripper_lane, tool_lane
from recorder.inspection.sheet import filmstrip, instants, jpeg_cameras
from recorder.inspection.summary import EpisodeSummary
from recorder.inspection.words import size
from station.report_dataset import dataset_section
from teleloom.catalog.view import EpisodeView
from teleloom.episode.reader import EpisodeReader
from teleloom.files import atomic_write_bytes
from teleloom.pages.markup import Html, facts, join, page, section, tag
from teleloom.quality import QualityConfig
from teleloom.quality.recording import read_recording

PICTURES = 6
EPISODE_PAGES = "episodes"


@dataclass(frozen=True)
class Reviewed:
    """An episode file and what the catalog holds of it."""

    path: Path
    view: EpisodeView


@dataclass(frozen=True)
class Story:
    """What the report says around the episodes.

    did: what was done, one sentence each, in order. next_steps: what to do now and the command for it. facts: names
    and values for the head of the page, such as the time that it all took.
    """

    title: str
    lead: str
    did: Sequence[str] = ()
    next_steps: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def write_report(
    folder: Path,
    story: Story,
    episodes: Sequence[Reviewed],
    dataset: Path | None = None,
    verification: Verification | None = None,
    quality: QualityConfig | None = None,
) -> Path:
    """Write `folder/index.html` and a page for each episode beside it; returns the path of the index.

    dataset: the folder of a finished dataset. Raises BadEpisodeError or NotADatasetError for what cannot be read.
    """
    pages = folder / EPISODE_PAGES
    pages.mkdir(parents=True, exist_ok=True)
    cards: list[Html] = []
    summaries: list[EpisodeSummary] = []
    for episode in episodes:
        with EpisodeReader(episode.path) as reader:
            target = pages / f"{episode.path.stem}.html"
            summaries.append(write_episode_page(reader, target, quality))
            cards.append(_card(reader, summaries[-1], episode.view, f"{EPISODE_PAGES}/{target.name}"))
    built = Dataset.open(dataset) if dataset else None
    index = folder / "index.html"
    body = [
        _head(story, summaries, episodes, built),
        _did(story),
        _episodes(cards),
        dataset_section(built, verification) if built else "",
        _next(story),
        tag("footer", "Made by teleloom. Everything on this page is in the files beside it."),
    ]
    atomic_write_bytes(index, page(story.title, *body).encode())
    return index


def _head(
    story: Story, summaries: Sequence[EpisodeSummary], episodes: Sequence[Reviewed], built: Dataset | None
) -> Html:
    status = [episode.view.status for episode in episodes]
    tiles = [
        (str(len(summaries)), "episodes recorded"),
        (str(len({summary.task for summary in summaries})), "tasks"),
        (f"{sum(summary.duration_s for summary in summaries):.0f} s", "of teleoperation"),
        (str(status.count("approved")), "approved"),
        (str(status.count("rejected")), "rejected"),
    ]
    if built:
        tiles.append((str(built.ledger["counts"]["steps"]), "steps in the dataset"))
        tiles.append((size(sum(built.num_bytes().values())), "of RLDS records"))
    shown = [tag("div", tag("b", value), tag("span", name), class_="tile") for value, name in tiles]
    return tag(
        "header",
        tag("p", "teleloom", class_="kicker"),
        tag("h1", story.title),
        tag("p", story.lead, class_="lead"),
        tag("div", *shown, class_="tiles"),
        facts(story.facts.items()) if story.facts else "",
    )


def _did(story: Story) -> Html:
    if not story.did:
        return Html("")
    return section("What was done", tag("ol", *(tag("li", sentence) for sentence in story.did), class_="steps"))


def _episodes(cards: Sequence[Html]) -> Html:
    note = "One card per attempt. The verdict is computed when the episode ends; a person, or who stands in, decides."
    return tag("div", tag("h2", "Episodes", class_="apart"), tag("p", note, class_="aside"), *cards)


def _card(reader: EpisodeReader, summary: EpisodeSummary, view: EpisodeView, link: str) -> Html:
    cameras = _shown_cameras(reader)
    times = instants(reader, cameras, PICTURES)
    strips = [join((tag("p", camera, class_="soft"), filmstrip(reader, camera, times))) for camera in cameras]
    instruction = view.instruction.text if view.instruction else summary.instruction
    head = tag("div", tag("h3", tag("a", instruction, href=link)), badge(view.status), class_="head")
    check = {True: ", the task's own check passed", False: ", the task's own check failed", None: ""}
    meta = (
        f"{summary.task} · {summary.robot} · {summary.duration_s:.1f} s · {summary.steps} steps · "
        f"operator says {summary.outcome}{check[summary.success_check]}"
    )
    return tag(
        "section",
        head,
        tag("p", meta, class_="meta"),
        tag("div", *strips, class_="words"),
        tag("div", _judgement(summary, view), _shape(reader, summary), class_="side"),
        class_=f"card {view.status}",
    )


def _judgement(summary: EpisodeSummary, view: EpisodeView) -> Html:
    quality = summary.quality
    line = tag("p", "verdict ", badge(quality.verdict), f" score {quality.score:.2f}", class_="why")
    found = tag("p", quality.reason, class_="why soft") if quality.reason else ""
    words = f"{view.status} by {view.decided_by}{': ' if view.reason else ''}{view.reason}"
    decided = tag("p", words, class_="why soft") if view.decided_by else ""
    return join((line, found, decided))


def _shown_cameras(reader: EpisodeReader) -> list[str]:
    """One that stands still and one that rides on the arm, where there are both; else the first two."""
    mounts = {spec.name: spec.mount for spec in reader.meta.cameras}
    cameras = jpeg_cameras(reader)
    fixed = [name for name in cameras if mounts.get(name) is None]
    riding = [name for name in cameras if mounts.get(name) is not None]
    return [fixed[0], riding[0]] if fixed and riding else cameras[:2]


def _shape(reader: EpisodeReader, summary: EpisodeSummary) -> Html:
    """Where the tool was and how far the gripper opened: enough to see reach, grasp and release."""
    recording = read_recording(reader)
    if not len(recording.robot.get("t_ns", ())):
        return Html("")
    measured = [one for one in tool_lane(recording).series if one.label]
    gripper = gripper_lane(recording).series[0]
    tool = sparkline([Series(one.label, one.t_s, one.values, one.style) for one in measured], summary.duration_s)
    grip = sparkline([gripper], summary.duration_s, height=26.0)
    return join((tag("p", "tool x, y, z; gripper", class_="soft"), tool, grip))


def _next(story: Story) -> Html:
    if not story.next_steps:
        return Html("")
    items = [tag("li", tag("p", what), tag("pre", command)) for what, command in story.next_steps]
    return section("What to do next", tag("ol", *items, class_="steps"))
