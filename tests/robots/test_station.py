"""The simulated station: lockstep time, the same seed the same bytes, and a scene that another process can draw."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import simplejpeg

from robots.contract import Camera, CameraError
from robots.mujoco.render import FrameRenderer, SceneRenderer
from robots.mujoco.station import SimulatedStation
from robots.mujoco.viewpoints import default_cameras, intrinsics
from teleloom import pose
from teleloom.clock import VirtualClock
from teleloom.messages import JointCommand


def drive(station: SimulatedStation, periods: int) -> None:
    """The same swinging command each time, the gripper closing half way."""
    home = np.array(station.robot.spec.home_q)
    for tick in range(periods):
        q = home + 0.15 * np.sin(0.03 * tick)
        still = (0.0,) * len(home)
        station.robot.command(JointCommand(t_ns=0, seq=tick, q=tuple(q), dq=still, gripper=float(tick < periods / 2)))
        station.step()


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
@pytest.mark.parametrize("task", ["put-in-bowl", "wipe-counter"])
def test_the_same_seed_and_commands_give_the_same_state(robot, task):
    hashes = []
    for seed in (3, 3, 4):
        station = SimulatedStation(robot, task, seed)
        drive(station, 300)
        hashes.append(station.state_hash())
        station.close()
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_a_reset_gives_the_state_of_a_fresh_station_and_keeps_the_robot():
    station, fresh = SimulatedStation(seed=1), SimulatedStation(seed=2)
    robot = station.robot
    drive(station, 100)
    station.reset(2)
    assert station.robot is robot
    drive(station, 100)
    drive(fresh, 100)
    assert station.state_hash() == fresh.state_hash()
    assert station.render()[0].data == fresh.render()[0].data
    station.close()
    fresh.close()


def test_time_passes_only_in_step():
    clock = VirtualClock(start_ns=7)
    station = SimulatedStation(clock=clock)
    station.render()
    assert clock.now_ns() == 7
    station.step(200)
    assert clock.now_ns() == 1_000_000_007
    assert station.simulation.data.time == pytest.approx(1.0)
    station.close()


def test_cameras_give_a_frame_when_it_falls_due_and_the_same_bytes_again():
    runs = []
    for _ in range(2):
        station = SimulatedStation("panda", "put-on-plate", seed=5)
        for camera in station.cameras:
            assert isinstance(camera, Camera)
            camera.open()
        frames = []
        for _ in range(80):
            station.step()
            frames += [frame for camera in station.cameras if (frame := camera.read()) is not None]
        runs.append(frames)
        station.close()
    assert [(f.camera, f.t_ns, f.seq) for f in runs[0][:4]] == [
        ("front", 5_000_000, 0), ("side", 5_000_000, 0), ("wrist", 5_000_000, 0), ("front", 100_000_000, 1),
    ]  # fmt: skip
    assert len(runs[0]) == 3 * 5
    assert [f.data for f in runs[0]] == [f.data for f in runs[1]]


def test_another_process_draws_the_same_frames():
    station = SimulatedStation("ur5e", "stack", seed=6)
    drive(station, 60)
    snapshot = station.snapshot()
    frames = {frame.camera: frame.data for frame in station.render()}
    station.close()
    program = (
        "import sys, hashlib, numpy as np\n"
        "from robots.mujoco.render import SceneRenderer\n"
        "renderer = SceneRenderer('ur5e', 'stack', 6)\n"
        "qpos = np.array([float(v) for v in sys.stdin.read().split()])\n"
        "for frame in renderer.render(qpos, np.zeros(0), 9):\n"
        "    print(frame.camera, frame.t_ns, hashlib.sha256(frame.data).hexdigest())\n"
        "renderer.close()\n"
    )
    numbers = " ".join(repr(float(v)) for v in snapshot.qpos)
    ran = subprocess.run([sys.executable, "-c", program], input=numbers, capture_output=True, text=True, check=True)
    expected = [f"{name} 9 {hashlib.sha256(data).hexdigest()}" for name, data in frames.items()]
    assert ran.stdout.split("\n")[:-1] == expected


def test_closing_ends_the_render_thread_and_drawing_starts_another():
    station = SimulatedStation()
    first = station.render(["front"])[0]
    station.close()
    station.close()
    assert station.render(["front"])[0].data == first.data
    station.close()


def test_an_unknown_camera_is_named():
    station = SimulatedStation()
    with pytest.raises(CameraError, match="no camera 'back'; there are: front, side, wrist"):
        station.render(["back"])
    station.close()


def test_a_missing_gl_library_is_named_with_what_to_install(monkeypatch):
    station = SimulatedStation()
    monkeypatch.setitem(os.environ, "MUJOCO_GL", "osmesa")
    monkeypatch.setitem(os.environ, "PYOPENGL_PLATFORM", "egl")
    sys.modules.pop("mujoco.osmesa", None)
    with pytest.raises(CameraError, match=r"osmesa: Cannot use OSMesa.*libegl1"):
        FrameRenderer(station.simulation.scene, station.camera_specs)


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_a_thing_is_seen_where_intrinsics_and_pose_of_the_camera_say(robot):
    """Find the orange by its colour and compare with its centre projected through K and T_base_camera."""
    seed = 3
    cameras = default_cameras(SimulatedStation(robot, "put-on-plate", seed).arm, size=512)
    station = SimulatedStation(robot, "put-on-plate", seed, cameras=cameras)
    orange = station.objects()["orange"][:3]
    for spec, frame in zip(cameras, station.render(), strict=True):
        image = simplejpeg.decode_jpeg(frame.data).astype(float)
        red, green, blue = np.moveaxis(image, 2, 0)
        is_orange = (red > 70) & (red > 1.6 * green) & (blue < 0.25 * red)
        rows, columns = np.nonzero(is_orange)
        assert len(rows) > 100, spec.name
        x, y, z = pose.compose(pose.inverse(spec.T_base_camera), [*orange, 0, 0, 0, 1])[:3]
        fx, fy, cx, cy = spec.intrinsics
        seen = (np.median(columns), np.median(rows))
        assert seen == pytest.approx((cx + fx * x / z, cy + fy * y / z), abs=6.0), spec.name
    station.close()


def test_a_camera_of_ones_own_is_placed_by_its_spec():
    front = default_cameras(SimulatedStation().arm)[0]
    own = front.model_copy(
        update={"name": "own", "width": 320, "height": 240, "intrinsics": intrinsics(320, 240, 50.0)}
    )
    station = SimulatedStation(cameras=[own])
    frame = station.render()[0]
    assert (frame.camera, frame.width, frame.height) == ("own", 320, 240)
    assert simplejpeg.decode_jpeg(frame.data).shape == (240, 320, 3)
    station.close()


def test_wiped_stains_fade_from_the_picture():
    renderer = SceneRenderer("panda", "wipe-counter", 2)
    station = SimulatedStation("panda", "wipe-counter", 2)
    stains = len(station.task.layout.stains)
    qpos = station.snapshot().qpos
    dirty, clean = (renderer.render(qpos, np.full(stains, dirt), 0)[0] for dirt in (1.0, 0.0))
    change = np.abs(simplejpeg.decode_jpeg(dirty.data).astype(int) - simplejpeg.decode_jpeg(clean.data))
    assert (change.max(axis=2) > 40).sum() > 60
    renderer.close()
