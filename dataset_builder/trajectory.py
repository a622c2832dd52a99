"""One episode as the dataset will hold it, all but the images: what the numbers are and which frames belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.actions import deltas
from dataset_builder.candidates import Candidate, UnfitEpisodeError
from dataset_builder.features import Layout
from dataset_builder.manifest import BuildManifest, GroupKey
from teleloom import pose
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import AlignedStream, Steps
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.specs import CameraSpec

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """T steps of an episode.

    cameras: the camera behind each image key. frames: for each image key, the T rows of its stream to show.
    state (T, 8), joint_state (T, J), action (T, 7): see `features.dataset_features`. is_intervention, is_valid: (T,).
    """

    candidate: Candidate
    robot: str
    rate_hz: float
    layout: Layout
    group: str
    task: str
    operator: str
    outcome: str
    instruction: str
    instructions: tuple[str, ...]
    cameras: dict[str, str]
    frames: dict[str, Indices]
    state: Floats
    joint_state: Floats
    action: Floats
    is_intervention: Flags
    is_valid: Flags

    def __len__(self) -> int:
        return len(self.action)


def read_trajectory(reader: EpisodeReader, candidate: Candidate, manifest: BuildManifest) -> Trajectory:
    """The trajectory of an open episode. Raises UnfitEpisodeError when the dataset cannot hold it."""
    meta, view = reader.meta, candidate.view
    task = meta.task.model_copy(update={"instructions": view.instructions(meta.task)})
    specs = _camera_specs(meta, manifest.cameras)
    steps = reader.steps() if manifest.step_rate_hz is None else reader.steps(manifest.step_rate_hz)
    kept = _kept(steps, view.trim)
    aligned = {key: _shown(steps, camera, kept) for camera, key in manifest.cameras.items()}
    state = _state(steps.ee_pose[kept], steps.state[kept, -1], meta.robot.gripper_max_m)
    fresh = np.logical_and.reduce([stream.valid[kept] for stream in (*aligned.values(), steps.streams["robot"])])
    return Trajectory(
        candidate=candidate,
        robot=meta.robot.name,
        rate_hz=steps.rate_hz,
        layout=Layout(
            tuple(sorted((key, specs[key].height, specs[key].width) for key in specs)), len(meta.robot.joint_names)
        ),
        group=group_key(meta, manifest.splits.group_by),
        task=task.name,
        operator=meta.operator,
        outcome=view.outcome or meta.outcome,
        instruction=task.spoken,
        instructions=tuple(instruction.text for instruction in task.instructions),
        cameras={key: camera for camera, key in manifest.cameras.items()},
        frames={key: stream.index[kept] for key, stream in aligned.items()},
        state=_finite("state", state),
        joint_state=_finite("joint_state", steps.state[kept, :-1]),
        action=_finite("action", deltas(steps.action[kept], steps.ee_pose[kept][0])),
        is_intervention=steps.is_intervention[kept],
        is_valid=fresh,
    )


def group_key(meta: EpisodeMeta, group_by: Sequence[GroupKey]) -> str:
    """What an episode shares with those that must stay in its split, e.g. `task=stack scene=kitchen seed=7`."""
    values = {
        "task": meta.task.name,
        "scene": meta.task.scene,
        "seed": meta.episode_id if meta.seed is None else str(meta.seed),
        "operator": meta.operator,
        "station": meta.station,
        "episode": meta.episode_id,
    }
    return " ".join(f"{key}={values[key]}" for key in group_by)


def _camera_specs(meta: EpisodeMeta, wanted: dict[str, str]) -> dict[str, CameraSpec]:
    there = {spec.name: spec for spec in meta.cameras}
    for camera in wanted:
        if camera not in there:
            raise UnfitEpisodeError("missing-camera", f"no camera '{camera}'; it has {', '.join(there) or 'none'}")
        spec = there[camera]
        if spec.codec != "jpeg" or spec.color_order != "rgb":
            detail = f"camera '{camera}' holds {spec.codec} in {spec.color_order} order; only jpeg in rgb fits"
            raise UnfitEpisodeError("image-format", detail)
    return {key: there[camera] for camera, key in wanted.items()}


def _kept(steps: Steps, trim_ns: tuple[int, int] | None) -> slice:
    first, last = (0, len(steps))
    if trim_ns is not None:
        first = int(np.searchsorted(steps.t_ns, trim_ns[0], side="left"))
        last = int(np.searchsorted(steps.t_ns, trim_ns[1], side="left"))
    if last <= first:
        trimmed = "" if trim_ns is None else f" between {trim_ns[0]} and {trim_ns[1]} ns"
        raise UnfitEpisodeError("zero-steps", f"none of its {len(steps)} steps is left{trimmed}")
    return slice(first, last)


def _shown(steps: Steps, camera: str, kept: slice) -> AlignedStream:
    stream = steps.streams.get(f"{CAMERA_PREFIX}{camera}")
    if stream is None or (stream.index[kept] < 0).any():
        raise UnfitEpisodeError("missing-frames", f"camera '{camera}' has no frame at its first step")
    return stream


def _state(ee_pose: NDArray[np.float64], opening: NDArray[np.float64], gripper_max_m: float) -> NDArray[np.float64]:
    """LIBERO's state (T, 8): tool position, rotation vector, and the positions of both fingers, mirrored."""
    rotations = np.reshape([pose.rotvec_from_quat(quat) for quat in ee_pose[:, 3:].tolist()], (-1, 3))
    finger = opening[:, None] * (gripper_max_m / 2.0)
    return np.concatenate([ee_pose[:, :3], rotations, finger, -finger], axis=1)


def _finite(name: str, values: NDArray[np.float64]) -> Floats:
    missing = ~np.isfinite(values).all(axis=1)
    if missing.any():
        raise UnfitEpisodeError("not-finite", f"{name} is NaN or infinite at step {int(np.argmax(missing))}")
    return values.astype(np.float32)
