"""What `teleloom inspect` does: read, judge, print."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from recorder.inspection.episode_page import write_episode_page
from recorder.inspection.summary import EpisodeSummary, summarise
from recorder.inspection.terminal import episode_view, station_view
from teleloom.episode.layout import EPISODES_FOLDER, SUFFIX
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.files import dumps_json


def inspect_episode(path: Path, html: Path | None, as_json: bool) -> None:
    """Print one episode, and write its page where one is asked for. Raises ClickException naming what is wrong."""
    try:
        with EpisodeReader(path) as reader:
            summary = write_episode_page(reader, html) if html else summarise(reader)
    except (BadEpisodeError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(dumps_json(summary.model_dump(mode="json")), nl=False)
        return
    console = Console()
    console.print(episode_view(summary))
    if html:
        console.print(f"page written to {html}", markup=False, highlight=False)


def inspect_station(root: Path, as_json: bool) -> None:
    """Print a table of a station's episodes. Raises ClickException when there are none, or one cannot be read."""
    folder = root / EPISODES_FOLDER
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise click.ClickException(f"no episodes under {folder}; record some, or name an episode file")
    summaries: list[EpisodeSummary] = []
    broken: list[str] = []
    for path in paths:
        try:
            with EpisodeReader(path) as reader:
                summaries.append(summarise(reader))
        except BadEpisodeError as error:
            broken.append(str(error))
    if as_json:
        episodes = [summary.model_dump(mode="json") for summary in summaries]
        click.echo(dumps_json({"root": str(root), "episodes": episodes, "broken": broken}), nl=False)
    else:
        Console().print(station_view(summaries, broken))
    if broken:
        raise click.ClickException(f"{len(broken)} of {len(paths)} episode files cannot be read")
