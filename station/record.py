"""`teleloom record`: a station at work, with a live status in the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recorder.errors import RecorderError
from robots.contract import CameraError, RobotError
from station.config import OperatorConfig, StationConfig, simulated
from station.lockstep import LockstepTimeoutError
from station.nodes.process import NodeError
from station.recording import RecordingReport, record_live, record_lockstep
from teleloom.config import ConfigError, load_yaml
from teleloom.episode.reader import BadEpisodeError
from teleloom.plugins import PluginError
from teleop.operator import OperatorError

FAULTS = (
    BadEpisodeError,
    CameraError,
    ConfigError,
    LockstepTimeoutError,
    NodeError,
    OperatorError,
    PluginError,
    RecorderError,
    RobotError,
)


FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  teleloom record my-station --operator scripted --task stack --episodes 3
  teleloom record my-station --operator openxr
  teleloom record my-station --operator replay --episode my-station/episodes/019….h5
  teleloom record my-station -c station.yaml
"""
)
@click.argument("root", type=click.Path(file_okay=False, path_type=Path))
@click.option("-c", "--config", "config_path", type=FILE, help="The station's YAML.")
@click.option("--operator", "source", help="Operator source: scripted, openxr, replay or a plug-in's name.")
@click.option("--episode", type=FILE, help="For replay: the episode whose hand moves again.")
@click.option("--robot", default="panda", show_default=True, help="Simulated arm: panda, ur5e or the path of a model.")
@click.option("--task", default="put-in-bowl", show_default=True, help="Simulated task.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first simulated scene; the next count up.")
@click.option("--cameras", default="front,wrist", show_default=True, help="Simulated cameras.")
@click.option("--episodes", "limit", default=0, help="Stop after so many.  [default: 1; with a headset, none]")
@click.option("--lockstep", is_flag=True, help="Simulate as fast as the machine can, with exact repeatability.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end and no live status.")
def record(
    root: Path,
    config_path: Path | None,
    source: str | None,
    episode: Path | None,
    as_json: bool,
    lockstep: bool,
    limit: int,
    **scene: Any,
) -> None:
    """Record episodes into ROOT. Without a configuration the station is the simulated kitchen.

    The operator's primary button starts an episode and keeps it, the secondary one discards it. Ctrl-C ends the
    station; an episode that is running then is set aside, not lost.
    """
    console = Console(stderr=True, quiet=as_json)
    try:
        config = _configure(config_path, source, episode, scene)
        count = limit or (0 if config.operator.source == "openxr" else 1)
        run = record_lockstep if lockstep else record_live
        report = run(config, root, count, console)
    except FAULTS as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        _say_what_next(report, root)
    if report.refused:
        raise click.ClickException("; ".join(report.refused))


def _say_what_next(report: RecordingReport, root: Path) -> None:
    if report.episodes:
        click.echo(f"{len(report.episodes)} kept in {root}; look at them with: teleloom inspect {root}")
    else:
        click.echo("no episode was kept")


def _configure(path: Path | None, source: str | None, episode: Path | None, scene: dict[str, Any]) -> StationConfig:
    if path is not None:
        config = load_yaml(path, StationConfig)
    else:
        names = tuple(name.strip() for name in scene["cameras"].split(",") if name.strip())
        config = simulated(scene["robot"], scene["task"], scene["seed"], names)
    if source is None and path is not None:
        return config
    source = source or "scripted"
    options = {**(config.operator.options if source == config.operator.source else {})}
    if episode is not None:
        options["episode"] = str(episode)
    operator = OperatorConfig(source=source, name=config.operator.name if path else source, options=options)
    return config.model_copy(update={"operator": operator})
