"""What the review commands have in common: the catalog of ROOT, who speaks, and which episodes are meant."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import ValidationError

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import BadAnnotationError, Catalog, CatalogError, EpisodeFilter, Status
from teleloom.clock import NS_PER_S
from teleloom.config import describe
from teleloom.episode.meta import Outcome
from teleloom.episode.reader import BadEpisodeError

Command = Callable[..., None]

root_argument = click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
catalog_option = click.option(
    "--catalog", "url", metavar="URL", help="Database in place of ROOT/catalog.sqlite (postgresql://…)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
seen_option = click.option(
    "--seen-revision",
    "seen_revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="The revision you looked at, of the one EPISODE; refused if anyone spoke since. Without it, the newest now.",
)


def by_option(command: Command) -> Command:
    """Give `command` the `reviewer`: whoever has the catalog's database at hand acts as a lead."""

    @click.option("--by", "author", required=True, metavar="NAME", help="Who speaks; kept in the history.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, author: str, **options: Any) -> None:
        command(*arguments, reviewer=Reviewer(author, "lead"), **options)

    return wrapped


def on_service(command: Command) -> Command:
    """Give `command` the service over the catalog of ROOT, and turn what is refused into a message."""

    @root_argument
    @catalog_option
    @functools.wraps(command)
    def wrapped(root: Path, url: str | None, **options: Any) -> None:
        try:
            with Catalog.open(url or root, root=root) as catalog:
                command(ReviewService(catalog), **options)
        except (CatalogError, BadAnnotationError, BadEpisodeError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


_FILTERS = (
    click.option("--status", "statuses", multiple=True, type=click.Choice(get_args(Status)), help="With this status."),
    click.option("--task", "tasks", multiple=True, help="Of this task."),
    click.option("--robot", help="Of this robot."),
    click.option("--station", help="From this station."),
    click.option("--operator", help="Driven by this operator."),
    click.option("--outcome", type=click.Choice(get_args(Outcome)), help="That ended so."),
    click.option("--quality", help="With this quality verdict: good, doubtful or bad."),
    click.option("--text", help="With these words in instructions, notes or tags, or an id that begins so."),
    click.option("--tag", help="With this tag."),
    click.option("--flag", help="With a flag of this name, such as mistake."),
    click.option("--decided-by", metavar="NAME", help="That NAME decided on."),
    click.option("--min-risk", type=click.FloatRange(0, 1), metavar="R", help="With at least this risk, 0 to 1."),
    click.option("--since", type=click.DateTime(), metavar="DATE", help="Recorded then or later (UTC, 2026-01-31)."),
    click.option("--until", type=click.DateTime(), metavar="DATE", help="Recorded before then (UTC)."),
    click.option("--segmented/--unsegmented", default=None, help="With or without segments."),
    click.option("--overlap/--no-overlap", default=None, help="To be judged by several people, or by one."),
)


def filter_options(command: Command) -> Command:
    """Give `command` a `filter` made of the options that say which episodes are meant; all options narrow it."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, since: datetime | None, until: datetime | None, **options: Any) -> None:
        wanted = {name: value for name in FILTER_NAMES if (value := options.pop(name)) is not None}
        try:
            filter = EpisodeFilter(recorded_from_ns=_wall_ns(since), recorded_to_ns=_wall_ns(until), **wanted)
        except ValidationError as error:
            raise click.UsageError(describe(error, EpisodeFilter)) from None
        command(*arguments, filter=filter, **options)

    for option in reversed(_FILTERS):
        wrapped = option(wrapped)
    return wrapped


FILTER_NAMES = (
    "statuses",
    "tasks",
    "robot",
    "station",
    "operator",
    "outcome",
    "quality",
    "text",
    "tag",
    "flag",
    "decided_by",
    "min_risk",
    "segmented",
    "overlap",
)


def _wall_ns(time: datetime | None) -> int | None:
    return None if time is None else int(time.replace(tzinfo=UTC).timestamp()) * NS_PER_S
