"""A made-up station for the recorder's tests: every message carries its own number in its content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recorder.config import RecorderConfig
from recorder.recorder import Recorder
from teleloom.clock import Clock, VirtualClock
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import AnyMessage, CameraFrame, ControlMode, ControlTick, Event, RobotState
from teleloom.specs import CameraSpec, RobotSpec

JOINTS = 7
MS = 1_000_000
CAMERAS = ("front", "wrist")
LOCKSTEP = RecorderConfig(lockstep=True, min_free_bytes=0, quality=False)


def make_meta(episode_id: str = "episode-1", width: int = 64) -> EpisodeMeta:
    return EpisodeMeta(
        episode_id=episode_id,
        station="bench",
        operator="tester",
        task=TaskInfo(name="put", instructions=(Instruction(text="put the lemon into the bowl"),)),
        robot=RobotSpec(
            name="panda",
            joint_names=tuple(f"joint{i}" for i in range(JOINTS)),
            q_min=(-3.0,) * JOINTS,
            q_max=(3.0,) * JOINTS,
            dq_max=(2.0,) * JOINTS,
            ddq_max=(10.0,) * JOINTS,
            effort_max=(80.0,) * JOINTS,
            home_q=(0.0,) * JOINTS,
            rate_hz=200,
            model="<mujoco/>",
        ),
        cameras=tuple(CameraSpec(name=name, width=width, height=width, rate_hz=10) for name in CAMERAS),
        anchor=WallAnchor(monotonic_ns=0, wall_ns=0),
        software_version="0.1.0",
    )


def robot_state(t_ns: int, seq: int) -> RobotState:
    values = (float(seq),) * JOINTS
    pose = (float(seq), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    return RobotState(t_ns=t_ns, seq=seq, q=values, dq=values, effort=values, ee_pose=pose, gripper=1.0)


def control_tick(t_ns: int, seq: int) -> ControlTick:
    values = (float(seq),) * JOINTS
    pose = (float(seq), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    return ControlTick(
        t_ns=t_ns,
        seq=seq,
        mode=ControlMode.HUMAN,
        engaged=True,
        target_executed=pose,
        gripper_command=1.0,
        q_command=values,
        dq_command=values,
        human_target=(pose, 1.0),
        interventions=("speed",) if seq % 2 else (),
        latency_ns=(1, 2, 3, 4, 5, 6, 7),
    )


def jpeg(number: int, size: int) -> bytes:
    return b"\xff\xd8\xff" + number.to_bytes(8, "big") + bytes(size - 13) + b"\xff\xd9"


def number_of(frame: bytes) -> int:
    return int.from_bytes(frame[3:11], "big")


def camera_frame(camera: str, t_ns: int, seq: int, size: int = 500, width: int = 64) -> CameraFrame:
    return CameraFrame(t_ns=t_ns, seq=seq, camera=camera, codec="jpeg", width=width, height=width, data=jpeg(seq, size))


def station_messages(seconds: float, frame_bytes: int = 500) -> Iterator[tuple[str, AnyMessage]]:
    """Robot and ticks at 200 Hz, two cameras at 10 Hz, one event: in the order in which a station gives them."""
    for i in range(int(seconds * 200)):
        t_ns = i * 5 * MS
        yield "robot", robot_state(t_ns, i)
        yield "tick", control_tick(t_ns, i)
        if i % 20 == 0:
            for camera in CAMERAS:
                yield f"cameras/{camera}", camera_frame(camera, t_ns, i // 20, frame_bytes)
        if i == 7:
            yield "events", Event(t_ns=t_ns, seq=0, kind="button", reason="primary")


def record(recorder: Recorder, seconds: float = 1.0, frame_bytes: int = 500) -> None:
    for stream, message in station_messages(seconds, frame_bytes):
        recorder.take(stream, message)


def recorder_at(root: Path, config: RecorderConfig = LOCKSTEP, clock: Clock | None = None) -> Recorder:
    root.mkdir(parents=True, exist_ok=True)
    return Recorder(root, config, clock or VirtualClock())


def assert_nothing_shifted(reader: EpisodeReader) -> None:
    """Every row's content is that of its number, and every frame lies at its own."""
    for stream, column in (("robot", "q"), ("tick", "q_command")):
        if stream in reader.stream_names:
            rows = reader.stream(stream)
            np.testing.assert_array_equal(rows[column][:, 0], rows["seq"])
            assert np.all(np.diff(rows["t_ns"]) > 0)
    for camera in reader.cameras:
        seq = reader.stream(f"cameras/{camera}")["seq"]
        assert [number_of(frame) for frame in reader.frames(camera, range(len(seq)))] == seq.tolist()


def assert_balanced(reader: EpisodeReader) -> None:
    """Every message is written or counted as dropped with a reason."""
    for name, entry in reader.ledger["streams"].items():
        assert entry["received"] == entry["written"] + sum(entry["dropped"].values()), (name, entry)
