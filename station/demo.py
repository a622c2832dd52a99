"""`teleloom demo`: the whole path on a simulated arm, from an operator's hand to a verified dataset and a report."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dataset_builder.build.run import BuildResult, build_dataset
from dataset_builder.dataset import Dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.select import select_episodes
from dataset_builder.verify.check import Report as Verification
from dataset_builder.verify.check import verify_dataset
from recorder.config import RecorderConfig
from recorder.errors import RecorderError
from recorder.recorder import Recorder
from robots.contract import CameraError, RobotError
from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.lockstep import LocalSink, LockstepTimeoutError, describe_scene, run_lockstep, simulated_camera
from station.report import Reviewed, Story, write_report
from station.session import Session
from teleloom.catalog.catalog import Catalog
from teleloom.catalog.rows import EpisodeRow
from teleloom.clock import NS_PER_S, VirtualClock
from teleloom.episode.meta import EpisodeMeta
from teleloom.files import write_json
from teleloom.messages import CameraFrame
from teleloom.quality import QualityReport
from teleop.sources.scripted.operator import ScriptedOperator

STATION = "demo"
ANNOTATOR = "demo"
DATASET = "demo_kitchen"
ROBOT = "panda"
CAMERAS = ("front", "wrist")
WALL_NS = 1_767_261_600 * NS_PER_S
"""When the demo says that it takes place (2026-01-01 10:00 UTC), so that the same seed gives the same bytes."""
BREAK_S = 30.0
MARKER = ".teleloom-demo"


@dataclass(frozen=True)
class Take:
    """One episode of the demo. spoiled: its front camera freezes on the way."""

    task: str
    spoiled: bool = False


TAKES = (
    Take("put-in-bowl"),
    Take("put-on-plate"),
    Take("stack"),
    Take("open-drawer"),
    Take("put-in-bowl", spoiled=True),
    Take("wipe-counter"),
)


@click.command(epilog="\b\nExample:\n  teleloom demo --out demo-out --seed 7")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-out"), show_default=True)
@click.option("--seed", default=0, show_default=True, help="Another seed shows other scenes; the same, the same bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document.")
def demo(out: Path, seed: int, as_json: bool) -> None:
    """Teleoperate a simulated arm, record, review, build, verify and report, all under OUT.

    OUT is made anew when an earlier demo made it, and refused when anything else did.
    """
    console = Console(stderr=True, quiet=as_json)
    try:
        _make_room(out)
        summary = run_demo(out, seed, console)
    except (CameraError, RobotError, RecorderError, LockstepTimeoutError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(summary))
    if not summary["verify"]["sound"]:
        raise click.ClickException("the dataset is not sound: " + "; ".join(summary["verify"]["faults"]))


def run_demo(out: Path, seed: int, console: Console) -> dict[str, Any]:
    """The demo itself; returns what `summary.json` holds."""
    began = time.monotonic()
    root = out / "station"
    clock = VirtualClock(wall_ns=WALL_NS)

    def wall_ns() -> int:
        return clock.anchor().wall_at(clock.now_ns())

    with Catalog.open(root, now=wall_ns) as catalog:
        record_takes(root, catalog, clock, seed, console)
        recorded_s = time.monotonic() - began
        review(catalog)
        built = build_dataset(select_episodes(catalog, root), BuildManifest(name=DATASET), out / "rlds")
        catalog.record_build(DATASET, built.path.name, built.path, Dataset.open(built.path).lock)
        verification = verify_dataset(built.path, root)
        summary = _summary(out, catalog, built, verification)
        _report(out, catalog, built, verification)
        summary["seconds"] = {"recording": round(recorded_s, 1)}
    summary["seconds"]["total"] = round(time.monotonic() - began, 1)
    write_json(out / "summary.json", summary)
    _show(console, out, summary)
    return summary


def record_takes(root: Path, catalog: Catalog, clock: VirtualClock, seed: int, console: Console) -> None:
    """Record every take in lockstep and register each with the verdict that its end gave."""

    def register(path: Path, quality: QualityReport | None) -> None:
        catalog.register(path, None if quality is None else quality.model_dump(mode="json"))

    recorder = Recorder(root, RecorderConfig(lockstep=True), clock, register)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("recording", total=len(TAKES))
        for number, take in enumerate(TAKES):
            bars.update(bar, description=f"recording: {take.task}", completed=number)
            record_take(take, recorder, clock, seed * len(TAKES) + number)
            clock.sleep_until(clock.now_ns() + round(BREAK_S * NS_PER_S))
    recorder.close()


def record_take(take: Take, recorder: Recorder, clock: VirtualClock, seed: int) -> None:
    """One episode: the scripted operator works through the task with its hand, and presses the buttons."""
    cameras = [simulated_camera(ROBOT, name) for name in CAMERAS]
    sim = SimulatedStation(ROBOT, take.task, seed, cameras, clock)

    def describe() -> EpisodeMeta:
        return describe_scene(sim, STATION, "scripted", repeatable=True)

    operator = ScriptedOperator(sim.task.plan, sim.look, clock, seed)
    session = Session(LocalSink(recorder), describe, sim.task.success, sim.witness)
    alter = Freeze(CAMERAS[0], from_frame=25, frames=30) if take.spoiled else _as_it_is
    try:
        run_lockstep(sim, operator, kitchen_teleop(), session, lambda: operator.done, alter_frame=alter)
    finally:
        sim.close()


class Freeze:
    """A camera that hangs: from one frame on it repeats its picture for a while, its clock and numbers going on."""

    def __init__(self, camera: str, from_frame: int, frames: int) -> None:
        self._camera = camera
        self._span = range(from_frame, from_frame + frames)
        self._seen = 0
        self._picture = b""

    def __call__(self, frame: CameraFrame) -> CameraFrame:
        if frame.camera != self._camera:
            return frame
        self._seen += 1
        if self._seen not in self._span:
            self._picture = frame.data
            return frame
        return msgspec.structs.replace(frame, data=self._picture)


def _as_it_is(frame: CameraFrame) -> CameraFrame:
    return frame


def review(catalog: Catalog) -> None:
    """What a careful annotator does with the verdicts: reject the bad episodes with their reason, approve the rest."""
    for row in catalog.episodes():
        quality = QualityReport.model_validate(row.quality)
        if quality.verdict == "bad":
            catalog.reject(row.id, ANNOTATOR, quality.reason, row.revision)
        elif not row.success_check:
            catalog.reject(row.id, ANNOTATOR, "the task was not done at the end", row.revision)
        else:
            catalog.approve(row.id, ANNOTATOR, row.revision)


def _make_room(out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise click.ClickException(f"{out} holds something that no demo made; name another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()
    (out / "station").mkdir()


def _summary(out: Path, catalog: Catalog, built: BuildResult, verification: Verification) -> dict[str, Any]:
    rows = sorted(catalog.episodes(), key=lambda row: row.id)
    return {
        "episodes": [_episode_summary(catalog, row) for row in rows],
        "dataset": {
            "path": str(built.path.relative_to(out)),
            "splits": built.splits,
            "num_bytes": built.num_bytes,
            "ledger": built.ledger.to_json()["counts"],
        },
        "verify": {**verification.to_json(), "path": str(built.path.relative_to(out))},
        "report": "report/index.html",
    }


def _episode_summary(catalog: Catalog, row: EpisodeRow) -> dict[str, Any]:
    view = catalog.view(row.id)
    quality = QualityReport.model_validate(row.quality)
    return {
        "id": row.id,
        "task": row.task,
        "instruction": row.instruction,
        "duration_s": round(row.duration_ns / NS_PER_S, 1),
        "success_check": row.success_check,
        "verdict": quality.verdict,
        "score": quality.score,
        "status": view.status,
        "reason": view.reason,
    }


def _report(out: Path, catalog: Catalog, built: BuildResult, verification: Verification) -> None:
    rows = sorted(catalog.episodes(), key=lambda row: row.id)
    story = Story(
        title="teleloom demo",
        lead="A scripted operator teleoperated a simulated arm through the same code that a headset drives.",
        did=(
            f"{len(rows)} episodes were recorded in lockstep, each with a camera in front and one at the wrist.",
            "One was spoiled on purpose: its front camera froze. The quality verdict named it, and it was rejected.",
            "The others were approved, built into RLDS with action tokens, and read back in full.",
        ),
        next_steps=next_steps(out),
    )
    episodes = [Reviewed(catalog.path_of(row), catalog.view(row.id)) for row in rows]
    write_report(out / "report", story, episodes, built.path, verification)


def next_steps(out: Path) -> tuple[tuple[str, str], ...]:
    """What to do after the demo, each with the command for it."""
    teleloom = program()
    rebuild = f"{teleloom} build {out}/station --name {DATASET} --version 1.1.0 --out {out}/rlds"
    return (
        ("Look at one episode closely", f"{teleloom} inspect {out}/station"),
        ("Record one yourself, in real time", f"{teleloom} record {out}/station --operator scripted --task stack"),
        ("Say what you think of it", f"{teleloom} review list {out}/station"),
        ("Build again with what you approved", rebuild),
    )


def program() -> str:
    """How to call this program from here: by its name where the shell finds it, else by its path."""
    own = Path(sys.argv[0])
    if own.name != "teleloom" or shutil.which("teleloom"):
        return "teleloom"
    return os.path.relpath(own)


def _show(console: Console, out: Path, summary: dict[str, Any]) -> None:
    table = Table("task", "instruction", "s", "done", "verdict", "status", box=None)
    for episode in summary["episodes"]:
        done = "yes" if episode["success_check"] else "no"
        status = episode["status"] + (f": {episode['reason']}" if episode["reason"] else "")
        cells = (episode["instruction"], f"{episode['duration_s']:.0f}", done, episode["verdict"], status)
        table.add_row(escape(episode["task"]), *(escape(cell) for cell in cells))
    console.print(table)
    dataset = summary["dataset"]
    counts = dataset["ledger"]
    console.print(
        f"\nbuilt and verified {out / dataset['path']}: {counts['emitted']} of {counts['inputs']} episodes, "
        f"{counts['steps']} steps, in {summary['seconds']['total']:.0f} s\n"
        f"[bold]open {out / 'report' / 'index.html'}[/]\n\nnext:"
    )
    for what, command in next_steps(out):
        console.print(f"  {what}: [cyan]{escape(command)}[/]", highlight=False)
