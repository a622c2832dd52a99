"""`teleloom review next | release`: work through the queue, one episode at a time."""

from __future__ import annotations

from typing import get_args

import click

from review_ui.commands.options import by_option, filter_options, json_option, on_service
from review_ui.commands.printing import print_assignment, print_json, tell
from review_ui.commands.times import start_ns_of
from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import EpisodeFilter
from teleloom.catalog import Queue as QueueName


@click.command("next", epilog="\b\nExample:\n  teleloom review next demo-out/station --by anna --task stack")
@on_service
@filter_options
@click.option("--without", multiple=True, metavar="EPISODE", help="Leave this one out; may be repeated.")
@click.option(
    "--queue",
    type=click.Choice(get_args(QueueName)),
    default="review",
    show_default=True,
    help="What waits for a verdict, or approved episodes that nobody has split into segments.",
)
@by_option
@json_option
def next_episode(
    service: ReviewService,
    filter: EpisodeFilter,
    without: tuple[str, ...],
    queue: QueueName,
    reviewer: Reviewer,
    as_json: bool,
) -> None:
    """Take the riskiest episode that waits; for ten minutes nobody else is given it."""
    skipped = [service.catalog.find(prefix).id for prefix in without]
    assignment = service.next(reviewer, filter=filter, without=skipped, queue=queue)
    if as_json:
        print_json(assignment.model_dump() if assignment else None)
    elif assignment is None:
        click.echo("nothing waits")
    else:
        print_assignment(assignment, start_ns_of(service.catalog, assignment.row))


@click.command(epilog="\b\nExample:\n  teleloom review release demo-out/station 0192f3c1 --by anna")
@on_service
@click.argument("episode")
@by_option
@json_option
def release(service: ReviewService, episode: str, reviewer: Reviewer, as_json: bool) -> None:
    """Give back an episode that you took and will not decide on."""
    row = service.catalog.find(episode)
    service.release(reviewer, row.id)
    tell("given back", [row.id], as_json)


COMMANDS = (next_episode, release)
