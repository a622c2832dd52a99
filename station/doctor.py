"""`teleloom doctor`: what this machine can do, what it lacks, and the command that mends it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from teleloom.files import free_bytes

Verdict = Literal["ok", "optional", "problem"]

EXTRAS = {
    "sim": ("mujoco", "the simulated station and the arm's kinematics"),
    "xr": ("xr", "a VR headset through OpenXR"),
    "realsense": ("pyrealsense2", "RealSense cameras"),
    "tf": ("tensorflow_datasets", "reading datasets back with TensorFlow"),
    "postgres": ("psycopg", "a catalog shared by many annotators"),
}

RENDER_ONE_PIXEL = """
import os
os.environ.setdefault("MUJOCO_GL", "egl")
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 8, 8)
renderer.update_scene(data)
renderer.render()
renderer.close()
"""

FIND_RUNTIME = """
import xr
names = [p.extension_name.decode() for p in xr.enumerate_instance_extension_properties()]
raise SystemExit(0 if "XR_MND_headless" in names else 3)
"""


@dataclass(frozen=True)
class Check:
    """One thing looked at: `problem` stops the station's work, `optional` only narrows it."""

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def examine(root: Path, reserve_bytes: int) -> list[Check]:
    """Look at everything, the station's folder `root` included."""
    checks: list[Callable[[], Check]] = [
        _python,
        _clock,
        _cores,
        lambda: _disk(root, reserve_bytes),
        *(partial(_extra, extra) for extra in EXTRAS),
        _rendering,
        _openxr,
    ]
    return [check() for check in checks]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", "ok" if sys.version_info >= (3, 11) else "problem", version, "install Python 3.11 or newer")


def _clock() -> Check:
    resolution = time.get_clock_info("monotonic").resolution
    return Check(
        "monotonic clock",
        "ok" if resolution <= 1e-6 else "problem",
        f"resolution {resolution * 1e9:.0f} ns",
        "use a kernel with high-resolution timers",
    )


def _cores() -> Check:
    count = len(os.sched_getaffinity(0))
    return Check(
        "CPU cores",
        "ok" if count >= 2 else "optional",
        str(count),
        "give the station two cores: one for the control loop, one for cameras and recorder",
    )


def _disk(root: Path, reserve_bytes: int) -> Check:
    free = free_bytes(root)
    return Check(
        "disk",
        "ok" if free > reserve_bytes else "problem",
        f"{free / 1e9:.1f} GB free at {root}, reserve {reserve_bytes / 1e9:.1f} GB",
        "free space on that disk, or record to another root",
    )


def _extra(extra: str) -> Check:
    module, purpose = EXTRAS[extra]
    if importlib.util.find_spec(module) is not None:
        return Check(f"extra [{extra}]", "ok", purpose)
    return Check(f"extra [{extra}]", "optional", f"not installed: {purpose}", f"pip install 'teleloom[{extra}]'")


def _rendering() -> Check:
    if importlib.util.find_spec("mujoco") is None:
        return Check("rendering", "optional", "needs the extra [sim]", "pip install 'teleloom[sim]'")
    fault = _run(RENDER_ONE_PIXEL)
    remedy = "apt-get install libegl1 libopengl0 libgl1-mesa-dri, or libosmesa6 with MUJOCO_GL=osmesa"
    return Check("rendering", "ok" if fault is None else "problem", fault or "simulated cameras can render", remedy)


def _openxr() -> Check:
    if importlib.util.find_spec("xr") is None:
        return Check("OpenXR runtime", "optional", "needs the extra [xr]", "pip install 'teleloom[xr]'")
    fault = _run(FIND_RUNTIME)
    remedy = "start the headset's runtime (Monado, SteamVR, …); XR_RUNTIME_JSON names one that is not the default"
    found: Verdict = "ok" if fault is None else "optional"
    return Check("OpenXR runtime", found, fault or "found, headless sessions work", remedy)


def _run(program: str) -> str | None:
    """Run a probe in its own process, since a broken driver may end it: None if well, else the last line it said."""
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "did not answer within 60 s"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with code {done.returncode}"


@click.command(epilog="\b\nExample:\n  teleloom doctor my-station")
@click.argument("root", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--reserve-gb", type=float, default=2.0, show_default=True, help="Free space that recording needs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(root: Path, reserve_gb: float, as_json: bool) -> None:
    """Say what this machine can do for a station whose episodes go to ROOT. Exits 1 if something stops the work."""
    checks = examine(root, round(reserve_gb * 1e9))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks]))
    else:
        _show(checks)
    if any(check.verdict == "problem" for check in checks):
        raise SystemExit(1)


def _show(checks: list[Check]) -> None:
    marks = {"ok": "[green]ok[/]", "optional": "[yellow]–[/]", "problem": "[red]problem[/]"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "remedy"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        remedy = "" if check.verdict == "ok" else check.remedy
        table.add_row(marks[check.verdict], escape(check.name), escape(check.detail), escape(remedy))
    Console().print(table)
