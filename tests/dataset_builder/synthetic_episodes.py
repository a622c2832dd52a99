"""Synthetic episodes that look like recorded ones: 200 Hz robot and ticks, JPEG cameras, all from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from teleloom import pose
from teleloom.episode.ids import episode_id
from teleloom.episode.layout import episode_path
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.streams import Stream, StreamBuilder, frames_to_stream
from teleloom.episode.writer import write_episode
from teleloom.messages import ControlMode, ControlTick, Pose, RobotState
from teleloom.specs import CameraSpec, RobotSpec

Spans = tuple[tuple[float, float], ...]

CONTROL_NS = 5_000_000
LAG_NS = 40_000_000
WALL_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class Episode:
    """What to make. frames_hz: camera rate; size: height and width; copy: the same content under another id.

    seed also says how many minutes after the first it was recorded. real: no simulation, so its metadata has no seed.
    policy: version of the policy that drove. corrections: spans, seconds, in which a person took over from it. holds:
    spans in which nobody drove. still: spans in which nothing is commanded to move, gripper and joints included.
    """

    seed: int
    task: str = "put_in_bowl"
    scene: str = "kitchen"
    station: str = "bench"
    operator: str = "somebody"
    real: bool = False
    policy: str | None = None
    corrections: Spans = ()
    holds: Spans = ()
    still: Spans = ()
    seconds: float = 2.0
    cameras: tuple[str, ...] = ("front", "wrist")
    size: tuple[int, int] = (48, 64)
    frames_hz: int = 30
    robot: str = "panda"
    joints: int = 7
    outcome: str = "success"
    copy: int = 0


def write(root: Path, episode: Episode, spoil: Mapping[str, Stream] | None = None) -> str:
    """Write the episode below `root` and return its id. spoil: streams that replace the good ones."""
    identity = episode_id(wall_ns(episode), np.random.default_rng([episode.seed, episode.copy]).bytes(10))
    path = episode_path(root, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_episode(path, meta_of(episode, identity), streams_of(episode) | dict(spoil or {}))
    return identity


def wall_ns(episode: Episode) -> int:
    """When it was recorded, ns since the Unix epoch."""
    return WALL_NS + episode.seed * 60_000_000_000


def meta_of(episode: Episode, identity: str) -> EpisodeMeta:
    height, width = episode.size
    joints = episode.joints
    robot = RobotSpec(
        name=episode.robot,
        joint_names=tuple(f"joint{i + 1}" for i in range(joints)),
        q_min=(-3.0,) * joints,
        q_max=(3.0,) * joints,
        dq_max=(2.0,) * joints,
        ddq_max=(10.0,) * joints,
        effort_max=(80.0,) * joints,
        home_q=(0.0,) * joints,
        rate_hz=200.0,
        model="<mujoco/>",
    )
    return EpisodeMeta(
        episode_id=identity,
        station=episode.station,
        operator=episode.operator,
        task=TaskInfo(
            name=episode.task,
            instructions=(Instruction(text="Do it", spoken=True), Instruction(text="Please do it")),
            scene=episode.scene,
        ),
        robot=robot,
        cameras=tuple(
            CameraSpec(name=name, width=width, height=height, rate_hz=episode.frames_hz) for name in episode.cameras
        ),
        anchor=WallAnchor(monotonic_ns=0, wall_ns=wall_ns(episode)),
        software_version="0.1.0",
        pilot="human+policy" if episode.policy else "human",
        policy_version=episode.policy,
        seed=None if episode.real else episode.seed,
        simulated=not episode.real,
        outcome=episode.outcome,
    )


def streams_of(episode: Episode) -> dict[str, Stream]:
    builders = {
        "robot": StreamBuilder(RobotState, episode.joints),
        "tick": StreamBuilder(ControlTick, episode.joints),
    }
    rng = np.random.default_rng(episode.seed)
    centre, turn = rng.uniform(0.2, 0.6, 3), rng.normal(size=3)
    for seq in range(int(episode.seconds * 200)):
        t_ns = seq * CONTROL_NS
        moved_ns = _moved_ns(t_ns, episode.still)
        lagged_ns = _moved_ns(t_ns - LAG_NS, episode.still)
        target, measured = _swing(moved_ns, centre, turn), _swing(lagged_ns, centre, turn)
        opening = 1.0 if (moved_ns // 700_000_000) % 2 == 0 else 0.0
        q = _joints(lagged_ns, episode.joints)
        rest = (0.0,) * episode.joints
        builders["robot"].add(
            RobotState(t_ns=t_ns, seq=seq, q=q, dq=rest, effort=rest, ee_pose=measured, gripper=opening)
        )
        builders["tick"].add(
            ControlTick(
                t_ns=t_ns + 1_000_000,
                seq=seq,
                target_executed=target,
                gripper_command=opening,
                q_command=_joints(moved_ns, episode.joints),
                dq_command=rest,
                **_pilot(episode, t_ns + 1_000_000, (target, opening)),
            )
        )
    streams = {name: builder.build() for name, builder in builders.items()}
    for camera in episode.cameras:
        streams[f"cameras/{camera}"] = camera_stream(episode, camera, frames_of(episode, camera))
    return streams


def camera_stream(episode: Episode, camera: str, frames: list[bytes]) -> Stream:
    """A camera's stream of these frames, in time at the episode's frame rate."""
    period_ns = 1_000_000_000 // episode.frames_hz
    offset_ns = 3_000_000 + 2_000_000 * len(camera)
    count = len(frames)
    times = {
        "t_ns": [offset_ns + i * period_ns for i in range(count)],
        "t_device_ns": [-1] * count,
        "seq": list(range(count)),
    }
    return frames_to_stream(frames, times, "jpeg", (episode.size[1], episode.size[0]), "rgb")


def frames_of(episode: Episode, camera: str) -> list[bytes]:
    """Frames that all differ: a gradient that drifts, with a square on it."""
    height, width = episode.size
    rows, columns = np.mgrid[0:height, 0:width]
    frames = []
    for i in range(int(episode.seconds * episode.frames_hz)):
        image = np.stack([rows + 3 * i, columns + episode.seed, rows + columns + len(camera)], axis=2).astype(np.uint8)
        image[i % height : i % height + 8, i % width : i % width + 8] = 255
        frames.append(simplejpeg.encode_jpeg(np.ascontiguousarray(image), 90))
    return frames


def _pilot(episode: Episode, t_ns: int, asked: tuple[Pose, float]) -> dict[str, Any]:
    """Who drove at `t_ns`, and what each pilot asked for. A policy that is corrected goes on asking for its own."""
    if _within(t_ns, episode.holds):
        return {"mode": ControlMode.HOLD, "engaged": False}
    if episode.policy is None:
        return {"mode": ControlMode.HUMAN, "engaged": True, "human_target": asked}
    if not _within(t_ns, episode.corrections):
        return {"mode": ControlMode.POLICY, "engaged": False, "policy_target": asked}
    (x, *rest), opening = asked
    wrong = (x + 0.01, *rest), opening
    both = {"human_target": asked, "policy_target": wrong}
    return {"mode": ControlMode.HUMAN, "engaged": True, "is_intervention": True, **both}


def _within(t_ns: int, spans: Spans) -> bool:
    return any(start <= t_ns * 1e-9 < end for start, end in spans)


def _moved_ns(t_ns: int, still: Spans) -> int:
    """For how long the arm has moved at `t_ns`."""
    stood_s = sum(max(0.0, min(t_ns * 1e-9, end) - start) for start, end in still)
    return t_ns - round(stood_s * 1e9)


def _joints(t_ns: int, count: int) -> tuple[float, ...]:
    return tuple(float(np.sin(t_ns * 1e-9 + j)) for j in range(count))


def _swing(t_ns: int, centre: np.ndarray, turn: np.ndarray) -> Pose:
    phase = t_ns * 1e-9 * 2.0
    position = centre + 0.05 * np.array([np.sin(phase), np.cos(1.3 * phase), np.sin(0.7 * phase)])
    quat = pose.quat_multiply(pose.quat_from_rotvec(0.3 * np.sin(phase) * turn), [1.0, 0.0, 0.0, 0.0])
    return tuple(float(v) for v in pose.make(position, quat))
