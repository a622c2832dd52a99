"""The streams of the episode file that is made of a foreign episode.

What is None becomes NaN (a robot whose joints are not known has none), so review shows a gap and not a made-up value.
The arrays of the format itself are kept as they are in the stream `imported`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import Floats, ImportedEpisode
from teleloom.clock import NS_PER_S
from teleloom.episode.layout import IMPORTED_STREAM
from teleloom.episode.streams import CAMERA_PREFIX, Columns, Stream
from teleloom.messages import STAGES, ControlMode
from teleloom.specs import CameraSpec

MAX_ATTRIBUTE_CHARS = 60_000


def streams_of(episode: ImportedEpisode, cameras: Sequence[CameraSpec], derived: str) -> dict[str, Stream]:
    """All streams. derived: by what a second import is held against this one."""
    t_ns = times_of(episode)
    return _streams(episode, t_ns, derived) | _camera_streams(episode, t_ns, cameras)


def times_of(episode: ImportedEpisode) -> NDArray[np.int64]:
    """The times (T,) of the steps in ns from 0 on: the format's own, else those of its rate."""
    if episode.t_ns is not None:
        return episode.t_ns
    times: NDArray[np.int64] = np.rint(np.arange(len(episode)) * (NS_PER_S / episode.rate_hz)).astype(np.int64)
    return times


def _streams(episode: ImportedEpisode, t_ns: NDArray[np.int64], derived: str) -> dict[str, Stream]:
    """All but the cameras'."""
    names: dict[str, str | int] = {"intervention_names": json.dumps([]), "stages": json.dumps(list(STAGES))}
    return {
        "robot": Stream(_robot_columns(episode, t_ns)),
        "tick": Stream(_tick_columns(episode, t_ns), names),
        IMPORTED_STREAM: _raw_stream(episode, t_ns, derived),
    }


def _camera_streams(
    episode: ImportedEpisode, t_ns: NDArray[np.int64], specs: Sequence[CameraSpec]
) -> dict[str, Stream]:
    streams = {}
    for spec in specs:
        camera = episode.cameras[spec.name]
        attributes: dict[str, str | int] = {
            "codec": spec.codec,
            "width": spec.width,
            "height": spec.height,
            "color_order": spec.color_order,
        }
        taken = t_ns[: len(camera.frames)] if camera.t_ns is None else camera.t_ns
        streams[f"{CAMERA_PREFIX}{spec.name}"] = Stream(_times(taken), attributes, camera.frames)
    return streams


def _times(t_ns: NDArray[np.int64]) -> Columns:
    return {"t_ns": t_ns, "t_device_ns": np.full(len(t_ns), -1), "seq": np.arange(len(t_ns))}


def _robot_columns(episode: ImportedEpisode, t_ns: NDArray[np.int64]) -> Columns:
    count, joints = len(t_ns), len(episode.robot.joint_names)
    return {
        **_times(t_ns),
        "q": _known(episode.joints, count, joints),
        "dq": _known(episode.joint_velocity, count, joints),
        "effort": _known(episode.effort, count, joints),
        "ee_pose": _known(episode.pose, count, 7),
        "gripper": _known(episode.gripper, count),
        "wrench": _known(None, count, 6),
    }


def _tick_columns(episode: ImportedEpisode, t_ns: NDArray[np.int64]) -> Columns:
    """Control ticks: one at each step, human unless the format says otherwise."""
    count, joints = len(t_ns), len(episode.robot.joint_names)
    mode = np.full(count, ControlMode.HUMAN, np.uint8) if episode.mode is None else episode.mode.astype(np.uint8)
    corrected = np.zeros(count, np.bool_) if episode.is_intervention is None else episode.is_intervention
    target = _known(episode.pose_target, count, 7)
    gripper = _known(episode.gripper_target, count)
    asked = np.column_stack([target, gripper])
    human = np.where((mode == ControlMode.HUMAN)[:, None], asked, np.nan)
    policy = np.where((mode == ControlMode.POLICY)[:, None], asked, np.nan)
    return {
        **_times(t_ns),
        "mode": mode,
        "engaged": mode != ControlMode.HOLD,
        "is_intervention": corrected.astype(np.bool_),
        "target_raw": np.full((count, 7), np.nan),
        "target_filtered": np.full((count, 7), np.nan),
        "target_executed": target,
        "gripper_command": gripper,
        "q_command": _known(episode.joint_target, count, joints),
        "dq_command": _known(None, count, joints),
        "human_target": human if episode.human_target is None else _known(episode.human_target, count, 8),
        "policy_target": policy if episode.policy_target is None else _known(episode.policy_target, count, 8),
        "latency_ns": np.full((count, len(STAGES)), -1, np.int64),
        "interventions": np.zeros(count, np.uint64),
    }


def _known(values: NDArray | None, count: int, *width: int) -> Floats:
    return np.full((count, *width), np.nan) if values is None else values.astype(np.float64)


def _raw_stream(episode: ImportedEpisode, t_ns: NDArray[np.int64], derived: str) -> Stream:
    columns = _times(t_ns)
    names = {}
    for name, array in sorted(episode.raw.items()):
        column = name.replace("/", ".")
        while column in columns:
            column = f"raw.{column}"
        columns[column] = array.values
        if array.names:
            names[column] = array.names
    said = json.dumps(names)
    return Stream(
        columns,
        {  # names: JSON, the columns of each array
            "format": episode.format,
            "dataset": episode.dataset[:500],
            "source": episode.source[:500],
            "names": said if len(said) < MAX_ATTRIBUTE_CHARS else json.dumps({}),
            "derived": derived,
        },
    )
