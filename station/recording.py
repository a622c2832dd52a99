"""Recording a number of episodes, in real time or in lockstep, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from recorder.recorder import Recorder
from robots.mujoco.station import SimulatedStation
from station.config import StationConfig
from station.keys import terminal_keys
from station.launch import LiveStation
from station.lockstep import LocalSink, describe_scene, run_lockstep, simulated_camera
from station.nodes.control import Finite
from station.session import Session
from station.status import status_view
from teleloom import plugins
from teleloom.catalog.catalog import Catalog
from teleloom.clock import VirtualClock
from teleloom.config import ConfigError
from teleloom.episode.meta import EpisodeMeta
from teleloom.messages import ControlTick, Event
from teleloom.quality import QualityReport
from teleop.operator import Operator, OperatorError
from teleop.sources.makers import Setting

STATUS_EVERY_S = 0.2


@dataclass
class RecordingReport:
    """What came of a recording session. episodes: id and quality verdict of each that was kept."""

    episodes: list[dict[str, Any]] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    recovered: list[dict[str, Any]] = field(default_factory=list)
    camera_restarts: dict[str, int] = field(default_factory=dict)


def record_live(config: StationConfig, root: Path, limit: int, console: Console) -> RecordingReport:
    """Run the station until `limit` episodes ended (0: until interrupted), with a live status on the console."""
    root.mkdir(parents=True, exist_ok=True)
    report = RecordingReport()
    station = LiveStation(config, root, limit)
    with station, terminal_keys() as keys, Live(console=console, auto_refresh=False, transient=True) as live:
        report.recovered = station.recovered
        for item in station.recovered:
            console.print(f"recovered {item['journal']}: {escape(item['state'])} {escape(item['message'])}")
        status: dict[str, Any] = {}
        tick: ControlTick | None = None
        stopped = False
        try:
            while station.watch():
                tick = station.newest_tick() or tick
                stopped = _obey(keys.pressed(), station, stopped)
                for event in station.reports():
                    status = _take(event, report, console) or status
                if status:
                    live.update(status_view(status, tick, station.camera_restarts, stopped), refresh=True)
                time.sleep(STATUS_EVERY_S)
        except KeyboardInterrupt:
            console.print("stopping; the arm holds, what was recorded is being finished …")
        station.finish()
        for event in station.reports():
            _take(event, report, console)
    report.camera_restarts = dict(station.camera_restarts)
    return report


def _obey(keys: str, station: LiveStation, stopped: bool) -> bool:
    """Space latches the emergency stop, `c` clears it; the last key counts. Returns whether it is latched."""
    for key in keys:
        if key in " c":
            stopped = key == " "
            station.emergency_stop(stopped)
    return stopped


def _take(event: Event, report: RecordingReport, console: Console) -> dict[str, Any] | None:
    """Note one report of the recorder; its data when it is a status."""
    if event.kind == "status":
        return event.data
    if event.kind == "finished":
        report.episodes.append(event.data)
        quality = event.data["quality"]
        verdict = QualityReport.model_validate(quality) if quality else None
        console.print(f"kept {event.data['episode_id']}: {escape(_verdict_line(verdict))}")
    elif event.kind == "discarded":
        report.discarded.append(event.reason)
        console.print(f"discarded: {escape(event.reason)}")
    elif event.kind == "refused":
        report.refused.append(event.reason)
        console.print(f"[red]refused[/]: {escape(event.reason)}")
    return None


def _verdict_line(quality: QualityReport | None) -> str:
    if quality is None:
        return "not judged"
    return f"{quality.verdict} ({quality.score:.2f})" + (f": {quality.reason}" if quality.reason else "")


def record_lockstep(config: StationConfig, root: Path, limit: int, console: Console) -> RecordingReport:
    """Record `limit` simulated episodes as fast as the machine can. Raises ConfigError for what is not simulated."""
    if config.robot.driver != "mujoco":
        raise ConfigError(f"lockstep needs the simulated robot, not '{config.robot.driver}'; leave out --lockstep")
    report = RecordingReport()
    root.mkdir(parents=True, exist_ok=True)
    options = {"robot": "panda", **config.robot.options}
    first_seed = int(options.pop("seed", 0))
    clock = VirtualClock(wall_ns=time.time_ns())
    cameras = tuple(
        simulated_camera(options["robot"], name, **camera.options) for name, camera in config.cameras.items()
    )
    recorder_config = config.recorder.model_copy(update={"lockstep": True})
    with Catalog.open(root) as catalog:

        def register(path: Path, quality: QualityReport | None) -> None:
            verdict = None if quality is None else quality.model_dump(mode="json")
            row = catalog.register(path, verdict)
            report.episodes.append({"episode_id": row.id, "quality": verdict})
            console.print(f"kept {row.id}: {escape(_verdict_line(quality))}")

        recorder = Recorder(root, recorder_config, clock, register)
        for seed in range(first_seed, first_seed + limit):
            sim = SimulatedStation(**options, seed=seed, clock=clock, cameras=cameras)
            try:
                _one_episode(config, sim, recorder, report, console)
            finally:
                sim.close()
        recorder.close()
    return report


def _one_episode(
    config: StationConfig, sim: SimulatedStation, recorder: Recorder, report: RecordingReport, console: Console
) -> None:
    def describe() -> EpisodeMeta:
        return describe_scene(sim, config.name, config.operator.name, config.step_rate_hz)

    session = Session(LocalSink(recorder), describe, sim.task.success, sim.witness)
    maker = plugins.load("teleloom.operators", config.operator.source)
    setting = Setting(sim.clock, config.teleop, session.take, sim, sim.seed)
    operator: Operator = maker(setting, **config.operator.options)
    if not isinstance(operator, Finite):
        raise OperatorError(f"operator '{config.operator.source}' has no end; it cannot work in lockstep")
    end: Finite = operator
    run_lockstep(sim, operator, config.teleop, session, lambda: end.done)
    if session.recording is not None:
        session.discard("the operator ended in the middle of the episode")
    if not session.counts.started:
        console.print(f"seed {sim.seed}: the operator never pressed the primary button, so nothing was recorded")
    if session.counts.discarded:
        report.discarded.append(f"seed {sim.seed}: the operator discarded it")
        console.print(f"discarded: {escape(report.discarded[-1])}")
