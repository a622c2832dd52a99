"""`teleloom record`: the station as processes in real time, and in lockstep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from station.config import StationConfig, simulated
from station.launch import LiveStation
from teleloom.catalog import Catalog
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import ControlMode, ControlTick


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "station", "record", *arguments]


def record(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(command(*arguments, "--json"), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A station whose control, cameras and recorder are processes, after one scripted episode."""
    root = tmp_path_factory.mktemp("live")
    return root, record(str(root), "--task", "open-drawer", "--seed", "3")


def only_episode(root: Path) -> Path:
    paths = list((root / "episodes").glob("*.h5"))
    assert len(paths) == 1
    return paths[0]


def test_an_episode_recorded_in_real_time_holds_every_stream_whole(live: tuple[Path, dict[str, Any]]) -> None:
    root, report = live
    assert len(report["episodes"]) == 1
    with EpisodeReader(only_episode(root)) as reader:
        assert reader.meta.outcome == "success"
        assert reader.meta.simulated
        assert {"robot", "xr", "tick", "cameras/front", "cameras/wrist"} <= set(reader.stream_names)
        for stream in ("robot", "tick", "cameras/front", "cameras/wrist"):
            seq = reader.stream(stream)["seq"]
            assert (np.diff(seq) == 1).all(), f"{stream} lost {(np.diff(seq) - 1).sum()}"
        buttons = [event.reason for event in reader.events() if event.kind == "button"]
        assert buttons == ["primary", "primary"]


def test_a_simulated_episode_is_told_of_its_scene_from_start_to_end(live: tuple[Path, dict[str, Any]]) -> None:
    root, _ = live
    with EpisodeReader(only_episode(root)) as reader:
        told = [event for event in reader.events() if event.kind == "scene"]
    assert (told[0].reason, told[-1].reason) == ("start", "end")
    assert (told[0].data["open"], told[-1].data["open"]) == ({"drawer": False}, {"drawer": True})
    assert "handle" in {event.data["held"] for event in told}


def test_a_finished_episode_is_in_the_catalog_with_its_verdict(live: tuple[Path, dict[str, Any]]) -> None:
    root, report = live
    with Catalog.open(root) as catalog:
        (row,) = catalog.episodes()
    assert row.id == report["episodes"][0]["episode_id"]
    assert row.quality == report["episodes"][0]["quality"]
    assert row.status == "unreviewed"


def test_times_are_those_of_the_machines_monotonic_clock(live: tuple[Path, dict[str, Any]]) -> None:
    root, _ = live
    with EpisodeReader(only_episode(root)) as reader:
        last_ns = int(reader.stream("tick")["t_ns"][-1])
        created_wall_ns = reader.meta.anchor.wall_ns
    assert 0 < time.monotonic_ns() - last_ns < 600e9
    assert 0 < time.time_ns() - created_wall_ns < 600e9


def test_a_recorded_hand_drives_the_arm_again_in_lockstep(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    record(str(first), "--lockstep", "--task", "put-in-bowl", "--seed", "1")
    source = only_episode(first)
    record(
        str(again),
        "--lockstep",
        "--task",
        "put-in-bowl",
        "--seed",
        "1",
        "--operator",
        "replay",
        "--episode",
        str(source),
    )
    with EpisodeReader(source) as a, EpisodeReader(only_episode(again)) as b:
        assert b.meta.success_check
        there, here = a.steps().ee_pose[-1, :3], b.steps().ee_pose[-1, :3]
    assert np.linalg.norm(there - here) < 0.01


def test_a_camera_that_dies_is_started_again_and_the_gap_is_marked(tmp_path: Path) -> None:
    config = simulated("panda", "wipe-counter", 5, ("front",))
    config = StationConfig.model_validate(
        {**config.model_dump(), "operator": {"source": "scripted", "name": "scripted"}}
    )
    killed = False
    with LiveStation(config, tmp_path, limit=1) as station:
        deadline = time.monotonic() + 120
        while station.watch() and time.monotonic() < deadline:
            status = [event for event in station.reports() if event.kind == "status"]
            if not killed and status and status[-1].data["duration_s"] > 2.0:
                os.kill(station.camera_pid("front"), signal.SIGKILL)
                killed = True
            time.sleep(0.1)
        station.finish()
    assert killed
    assert station.camera_restarts == {"front": 1}
    with EpisodeReader(only_episode(tmp_path)) as reader:
        steps = reader.steps()
        t_ns = reader.stream("cameras/front")["t_ns"]
        restarts = [event for event in reader.events() if event.kind == "restarted"]
    assert restarts
    assert not steps.streams["cameras/front"].valid.all()
    assert (np.diff(t_ns) > 0).all()
    shown = t_ns[steps.streams["cameras/front"].index]
    assert (shown <= steps.t_ns).all()
    assert np.array_equal(steps.t_ns - shown, steps.streams["cameras/front"].age_ns)


def test_interrupting_the_station_sets_the_running_episode_aside(tmp_path: Path) -> None:
    # What a shell starts in the background is deaf to SIGINT, and so would be this station.
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command(str(tmp_path), "--task", "stack"), stderr=subprocess.PIPE, text=True, preexec_fn=listening
    )
    journals = tmp_path / "journal"
    deadline = time.monotonic() + 60
    while not list(journals.glob("*.mcap")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert not list(journals.glob("*.mcap"))
    assert len(list((tmp_path / "discarded").glob("*.mcap"))) == 1, said


def test_an_unknown_camera_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = subprocess.run(
        command(str(tmp_path), "--cameras", "top"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "no simulated camera 'top'" in done.stderr
    assert "front" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_key_in_the_configuration_is_named_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "station.yaml"
    path.write_text("robot: {driver: mujoco}\ncameras: {front: {driver: mujoco}}\nrecorder: {reserve_gb: 2}\n")
    done = subprocess.run(
        command(str(tmp_path), "-c", str(path)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "recorder.reserve_gb" in done.stderr
    assert "min_free_bytes" in done.stderr


def test_recording_is_refused_below_the_disks_reserve(tmp_path: Path) -> None:
    config = simulated("panda", "stack", 0, ("front",)).model_dump(mode="json")
    config["recorder"]["min_free_bytes"] = 10**18
    config["operator"] = {"source": "scripted", "name": "scripted", "options": {}}
    path = tmp_path / "station.yaml"
    path.write_text(json.dumps(config))
    done = subprocess.run(
        command(str(tmp_path / "root"), "-c", str(path), "--json"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "reserve" in done.stderr
    assert json.loads(done.stdout)["episodes"] == []


def test_a_refused_start_is_not_taken_for_a_recording(tmp_path: Path) -> None:
    config = simulated("panda", "open-drawer", 0, ("front",))
    config = StationConfig.model_validate(
        {
            **config.model_dump(),
            "operator": {"source": "scripted", "name": "scripted"},
            "recorder": {"min_free_bytes": 10**18},
        }
    )
    reports = []
    with LiveStation(config, tmp_path, limit=1) as station:
        deadline = time.monotonic() + 60
        while station.watch() and time.monotonic() < deadline:
            reports += station.reports()
            time.sleep(0.05)
        station.finish()
    kinds = [report.kind for report in reports]
    assert "refused" in kinds
    assert not {"began", "stopped", "finished"} & set(kinds)
    assert not list(tmp_path.rglob("*.h5"))


def test_the_emergency_stop_holds_the_arm_until_it_is_cleared(tmp_path: Path) -> None:
    config = simulated("panda", "wipe-counter", 5, ("front",))
    config = StationConfig.model_validate(
        {**config.model_dump(), "operator": {"source": "scripted", "name": "scripted"}}
    )
    moved: dict[str, float] = {}
    with LiveStation(config, tmp_path, limit=1) as station:
        _await_mode(station, ControlMode.HUMAN)
        station.emergency_stop(True)
        before = _await_mode(station, ControlMode.HOLD)
        assert "emergency_stop" in before.interventions
        time.sleep(0.5)
        resting = _newest(station)
        time.sleep(0.5)
        after = _newest(station)
        moved["stopped"] = float(np.abs(np.subtract(after.q_command, resting.q_command)).max())
        station.emergency_stop(False)
        _await_mode(station, ControlMode.HUMAN)
    assert moved["stopped"] < 1e-6


def _newest(station: LiveStation) -> ControlTick:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (tick := station.newest_tick()) is not None:
            return tick
        time.sleep(0.01)
    raise AssertionError("no control tick for 10 s")


def _await_mode(station: LiveStation, mode: ControlMode) -> ControlTick:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert station.watch()
        if (tick := _newest(station)).mode == mode:
            return tick
    raise AssertionError(f"the arm never came to {mode.name}")


def test_what_a_killed_station_left_is_finalised_and_entered_at_the_next_start(tmp_path: Path) -> None:
    process = subprocess.Popen(command(str(tmp_path), "--task", "stack"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "journal").glob("*.mcap")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    for child in children_of(process.pid):
        os.kill(child, signal.SIGKILL)
    process.kill()
    process.wait()
    assert len(list((tmp_path / "journal").glob("*.mcap"))) == 1
    report = record(str(tmp_path), "--task", "open-drawer", "--seed", "3")
    assert [item["state"] for item in report["recovered"]] == ["finalised"]
    with Catalog.open(tmp_path) as catalog:
        outcomes = sorted(row.outcome for row in catalog.episodes())
    assert outcomes == ["success", "unknown"]


def children_of(pid: int) -> list[int]:
    """The processes that `pid` started, from /proc."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            children.append(int(stat.parent.name))
    return children
