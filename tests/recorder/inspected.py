"""Episode files with known content, written as the recorder writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg

from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.streams import Stream, StreamBuilder, frames_to_stream
from teleloom.episode.writer import write_episode
from teleloom.messages import ControlMode, ControlTick, Event, Message, RobotState, XrFrame
from teleloom.specs import CameraSpec, RobotSpec

JOINTS = 6
START_NS = 7_000_000_000
EPISODE_ID = "01973f6e-0000-7000-8000-000000000001"
CAMERAS = ("front", "wrist")


def ns(t_s: float) -> int:
    return START_NS + round(t_s * 1e9)


def make_meta(instruction: str = "put the pear into the bowl", **changes: object) -> EpisodeMeta:
    said = (Instruction(text=instruction, spoken=True), Instruction(text="the pear goes into the bowl"))
    known: dict[str, object] = {
        "episode_id": EPISODE_ID,
        "station": "bench-1",
        "operator": "ada",
        "task": TaskInfo(name="put_in_bowl", instructions=said),
        "robot": RobotSpec(
            name="ur5e",
            joint_names=tuple(f"joint{i}" for i in range(JOINTS)),
            q_min=(-3.0,) * JOINTS,
            q_max=(3.0,) * JOINTS,
            dq_max=(3.0,) * JOINTS,
            ddq_max=(10.0,) * JOINTS,
            effort_max=(80.0,) * JOINTS,
            home_q=(0.0,) * JOINTS,
            rate_hz=100.0,
            model="<mujoco/>",
        ),
        "cameras": tuple(CameraSpec(name=name, width=160, height=120, rate_hz=10.0) for name in CAMERAS),
        "anchor": WallAnchor(monotonic_ns=START_NS, wall_ns=1_790_000_000_000_000_000),
        "software_version": "0.1.0",
        "outcome": "success",
    }
    return EpisodeMeta.model_validate(known | changes)


def picture(t_s: float, hue: int) -> bytes:
    rows, columns = np.mgrid[0:120, 0:160]
    image = np.stack([90 + columns // 2, 110 + rows // 2, np.full_like(rows, 120 + hue)], axis=2).astype(np.uint8)
    centre = 80 + 50 * np.sin(t_s), 60 + 30 * np.cos(1.3 * t_s)
    image[(columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < 300] = (200, 60 + hue, 40)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=85, colorspace="RGB")


def motion_messages(duration_s: float, rate_hz: float = 100.0) -> tuple[list[Message], list[Message]]:
    robot: list[Message] = []
    ticks: list[Message] = []
    for seq in range(int(duration_s * rate_hz)):
        t_s = seq / rate_hz
        q = tuple(0.5 * np.sin(0.8 * t_s + joint) for joint in range(JOINTS))
        asked = tuple(0.5 * np.sin(0.8 * (t_s + 0.03) + joint) for joint in range(JOINTS))
        dq = tuple(0.4 * np.cos(0.8 * t_s + joint) for joint in range(JOINTS))
        pose = (0.5 + 0.1 * np.sin(t_s), 0.2 * np.sin(0.7 * t_s), 0.3 + 0.1 * np.cos(t_s), 0.0, 0.0, 0.0, 1.0)
        gripper = 0.0 if 2.0 < t_s < 4.0 else 1.0
        robot.append(RobotState(t_ns=ns(t_s), seq=seq, q=q, dq=dq, effort=(), ee_pose=pose, gripper=gripper))
        ticks.append(
            ControlTick(
                t_ns=ns(t_s),
                seq=seq,
                mode=ControlMode.HUMAN if t_s > 0.5 else ControlMode.HOLD,
                engaged=t_s > 0.5,
                target_executed=pose,
                gripper_command=gripper,
                q_command=asked,
                dq_command=dq,
                interventions=("workspace",) if 3.0 <= t_s < 3.4 else (),
            )
        )
    return robot, ticks


def stream_of(messages: list[Message]) -> Stream:
    builder = StreamBuilder(type(messages[0]), JOINTS)
    for message in messages:
        builder.add(message)
    return builder.build()


def write_sample(
    path: Path,
    meta: EpisodeMeta | None = None,
    duration_s: float = 6.0,
    frozen_from_s: float | None = None,
    xr_numbers: Sequence[int] = (),
) -> Path:
    """An arm that swings for `duration_s`, seen by two cameras, the wrist's frozen from a time on if one is given.

    xr_numbers: of the frames of the operator's hands, 10 ms to each number; without any there is no such stream.
    """
    robot, ticks = motion_messages(duration_s)
    streams = {"robot": stream_of(robot), "tick": stream_of(ticks)}
    if xr_numbers:
        streams["xr"] = stream_of([XrFrame(t_ns=ns(0.01 * seq), seq=seq) for seq in xr_numbers])
    times = np.arange(0.0, duration_s, 0.1)
    for hue, name in enumerate(CAMERAS):
        stuck = frozen_from_s if name == "wrist" and frozen_from_s is not None else duration_s
        frames = [picture(min(t_s, stuck), 40 * hue) for t_s in times]
        stamps = {"t_ns": [ns(t) for t in times], "t_device_ns": [-1] * len(times), "seq": list(range(len(times)))}
        streams[f"cameras/{name}"] = frames_to_stream(frames, stamps, "jpeg", (160, 120), "rgb")
    events = [
        Event(t_ns=ns(0.5), seq=0, kind="button", reason="primary"),
        Event(t_ns=ns(3.0), seq=1, kind="intervention", reason="workspace", data={"axis": "z"}),
    ]
    ledger = {} if xr_numbers else {"streams": {"xr": {"received": 5, "written": 0, "dropped": {"queue_full": 5}}}}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_episode(path, meta or make_meta(), streams, events, ledger)
    return path
