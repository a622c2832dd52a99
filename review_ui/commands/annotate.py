"""`teleloom review relabel | trim | score | tag | note | segment | flag`: say more about one episode."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, get_args

import click

from review_ui.commands.options import Command, by_option, json_option, on_service, seen_option
from review_ui.commands.printing import tell
from review_ui.commands.times import at, start_ns_of
from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import EpisodeRow, parse, summary
from teleloom.episode.meta import Outcome

SECONDS = click.FloatRange(min=0)


@dataclass(frozen=True)
class Speaker:
    """Somebody who says something about one episode, as they saw it."""

    service: ReviewService
    row: EpisodeRow
    reviewer: Reviewer
    seen_revision: int
    as_json: bool

    @property
    def start_ns(self) -> int:
        """When the episode begins, ns of its own clock."""
        return start_ns_of(self.service.catalog, self.row)

    def say(self, *said: dict[str, Any]) -> None:
        """Write the annotations, all or none, and tell what was done."""
        annotations = [parse(each) for each in said]
        self.service.commit(self.reviewer, self.row.id, annotations, self.seen_revision)
        done = " and ".join(summary(each) for each in annotations)
        tell(f"{self.reviewer.name} {done}", [self.row.id], self.as_json)


def _about_an_episode(command: Command) -> Command:
    """Give `command` the `speaker` that ROOT, EPISODE, --by and --seen-revision name."""

    @on_service
    @click.argument("episode")
    @by_option
    @seen_option
    @json_option
    @functools.wraps(command)
    def wrapped(
        service: ReviewService,
        episode: str,
        reviewer: Reviewer,
        seen_revision: int | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        row = service.catalog.find(episode)
        seen = row.revision if seen_revision is None else seen_revision
        command(Speaker(service, row, reviewer, seen, as_json), **options)

    return wrapped


@click.command(
    epilog="\b\nExamples:\n  teleloom review relabel demo-out/station 0192f3c1 'put the red block on top' --by anna\n"
    "  teleloom review relabel demo-out/station 0192f3c1 'leg den Block ab' --add --language de --by anna\n"
    "  teleloom review relabel demo-out/station 0192f3c1 --outcome partial --by anna"
)
@_about_an_episode
@click.argument("instruction", required=False)
@click.option("--add", is_flag=True, help="One more way of saying it, beside those there are.")
@click.option("--language", default="en", show_default=True, help="The language of INSTRUCTION (BCP 47).")
@click.option("--outcome", type=click.Choice(get_args(Outcome)), help="How it ended, whatever the operator said.")
def relabel(speaker: Speaker, instruction: str | None, add: bool, language: str, outcome: Outcome | None) -> None:
    """Correct what was to be done, INSTRUCTION, and how it ended."""
    said: list[dict[str, Any]] = []
    if instruction is not None:
        action = "add" if add else "replace"
        said.append({"kind": "instruction", "action": action, "text": instruction, "language": language})
    if outcome is not None:
        said.append({"kind": "outcome", "outcome": outcome})
    if not said:
        raise click.UsageError("give the right instruction, or --outcome")
    speaker.say(*said)


@click.command(epilog="\b\nExample:\n  teleloom review trim demo-out/station 0192f3c1 0.8 6.2 --by anna")
@_about_an_episode
@click.argument("start", type=SECONDS)
@click.argument("end", type=SECONDS)
def trim(speaker: Speaker, start: float, end: float) -> None:
    """Keep the part from START to END, in seconds from the beginning; the file stays whole."""
    start_ns = speaker.start_ns
    speaker.say({"kind": "trim", "start_ns": at(start_ns, start), "end_ns": at(start_ns, end)})


@click.command(epilog="\b\nExample:\n  teleloom review score demo-out/station 0192f3c1 4 --by anna")
@_about_an_episode
@click.argument("score", type=click.IntRange(1, 5))
def score(speaker: Speaker, score: int) -> None:
    """Say how well it was done, from 1, barely of use, to 5, as one would teach it."""
    speaker.say({"kind": "score", "score": score})


@click.command(epilog="\b\nExample:\n  teleloom review tag demo-out/station 0192f3c1 for-the-paper --by anna")
@_about_an_episode
@click.argument("tag")
@click.option("--remove", is_flag=True, help="Take it off.")
def tag(speaker: Speaker, tag: str, remove: bool) -> None:
    """Put a word on the episode to find it by."""
    speaker.say({"kind": "tag", "tag": tag, "action": _action(remove)})


@click.command(epilog="\b\nExample:\n  teleloom review note demo-out/station 0192f3c1 'the lamp was off' --by anna")
@_about_an_episode
@click.argument("text")
def note(speaker: Speaker, text: str) -> None:
    """Write something for other people to read."""
    speaker.say({"kind": "note", "text": text})


@click.command(
    epilog="\b\nExamples:\n  teleloom review segment demo-out/station 0192f3c1 --by anna"
    " --part 0 2.5 'reach for the block' --part 2.5 6 'put it down'\n"
    "  teleloom review segment demo-out/station 0192f3c1 --none --by anna"
)
@_about_an_episode
@click.option(
    "--part",
    "parts",
    type=(SECONDS, SECONDS, str),
    multiple=True,
    metavar="START END LABEL",
    help="From when to when, in seconds from the beginning, and what is done; once per segment, in order.",
)
@click.option("--none", is_flag=True, help="Take all segments off.")
def segment(speaker: Speaker, parts: tuple[tuple[float, float, str], ...], none: bool) -> None:
    """Split the episode into what is done one after another, in place of the segments there are."""
    if bool(parts) == none:
        raise click.UsageError("give every segment with --part START END LABEL, or --none")
    start_ns = speaker.start_ns
    segments = [
        {"start_ns": at(start_ns, start), "end_ns": at(start_ns, end), "label": label} for start, end, label in parts
    ]
    speaker.say({"kind": "segments", "segments": segments})


@click.command(epilog="\b\nExample:\n  teleloom review flag demo-out/station 0192f3c1 mistake 2.1 2.9 --by anna")
@_about_an_episode
@click.argument("label")
@click.argument("start", type=SECONDS)
@click.argument("end", type=SECONDS)
@click.option("--note", default="", help="What is to be seen there.")
@click.option("--remove", is_flag=True, help="Take exactly this flag off.")
def flag(speaker: Speaker, label: str, start: float, end: float, note: str, remove: bool) -> None:
    """Mark the time from START to END, in seconds from the beginning: a mistake, an intervention, or what you like."""
    start_ns = speaker.start_ns
    times = {"start_ns": at(start_ns, start), "end_ns": at(start_ns, end)}
    speaker.say({"kind": "flag", "label": label, **times, "note": note, "action": _action(remove)})


def _action(remove: bool) -> str:
    return "remove" if remove else "add"


COMMANDS = (relabel, trim, score, tag, note, segment, flag)
