"""One episode as the dataset will hold it, all but the images: what the numbers are and which frames belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.manifest import BuildManifest
from dataset_builder.source.candidates import Candidate, UnfitEpisodeError
from dataset_builder.source.shape import Shape
from dataset_builder.source.splits import GroupKey
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import AlignedStream, Steps
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.specs import CameraSpec

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """T steps of an episode of an arm with J joints, free of any dataset's layout.

    shape: of the records, images as the dataset will hold them. cameras: the camera behind each image key.
    recorded: (height, width) of its images as recorded. frames: for each image key, the T rows of its stream to show.
    t_ns: (T,). ee_pose: (T, 7) measured tool pose; joints: (T, J) rad; gripper: (T,) opening, all measured.
    target: (T, 8) tool pose and gripper opening commanded; joint_target: (T, J+1) the same in joints. human_target,
    policy_target: (T, 8) what each pilot asked for, NaN where it asked for nothing. control_mode: (T,) ControlMode.
    is_intervention: (T,) a person corrected a policy. is_valid: (T,) all observations were fresh.
    """

    candidate: Candidate
    robot: str
    gripper_max_m: float
    rate_hz: float
    shape: Shape
    group: str
    task: str
    operator: str
    outcome: str
    policy_version: str | None
    instruction: str
    instructions: tuple[str, ...]
    cameras: dict[str, str]
    recorded: dict[str, tuple[int, int]]
    frames: dict[str, Indices]
    t_ns: Indices
    ee_pose: Floats
    joints: Floats
    gripper: Floats
    target: Floats
    joint_target: Floats
    human_target: Floats
    policy_target: Floats
    control_mode: NDArray[np.uint8]
    is_intervention: Flags
    is_valid: Flags

    def __len__(self) -> int:
        return len(self.t_ns)


def read_trajectory(reader: EpisodeReader, candidate: Candidate, manifest: BuildManifest) -> Trajectory:
    """The trajectory of an open episode. Raises UnfitEpisodeError when the dataset cannot hold it."""
    meta, view = reader.meta, candidate.view
    task = meta.task.model_copy(update={"instructions": view.instructions(meta.task)})
    keys = {camera: choice.key for camera, choice in manifest.cameras.items()}
    specs = _camera_specs(meta, keys)
    recorded = {key: (spec.height, spec.width) for key, spec in specs.items()}
    sizes = {choice.key: choice.size for choice in manifest.cameras.values()}
    steps = reader.steps() if manifest.step_rate_hz is None else reader.steps(manifest.step_rate_hz)
    kept = _kept(steps, view.trim)
    aligned = {key: _shown(steps, camera, kept) for camera, key in keys.items()}
    fresh = np.logical_and.reduce([stream.valid[kept] for stream in (*aligned.values(), steps.streams["robot"])])
    state = _finite("state", steps.state[kept])
    return Trajectory(
        candidate=candidate,
        robot=meta.robot.name,
        gripper_max_m=meta.robot.gripper_max_m,
        rate_hz=steps.rate_hz,
        shape=Shape(tuple((key, *(sizes[key] or recorded[key])) for key in sorted(sizes)), len(meta.robot.joint_names)),
        group=group_key(meta, manifest.splits.group_by),
        task=task.name,
        operator=meta.operator,
        outcome=view.outcome or meta.outcome,
        policy_version=meta.policy_version,
        instruction=task.spoken,
        instructions=tuple(instruction.text for instruction in task.instructions),
        cameras={key: camera for camera, key in keys.items()},
        recorded=recorded,
        frames={key: stream.index[kept] for key, stream in aligned.items()},
        t_ns=steps.t_ns[kept],
        ee_pose=_finite("tool pose", steps.ee_pose[kept]),
        joints=state[:, :-1],
        gripper=state[:, -1],
        target=_finite("action", steps.action[kept]),
        joint_target=_finite("joint action", steps.action_joint[kept]),
        human_target=steps.action_human[kept],
        policy_target=steps.action_policy[kept],
        control_mode=steps.control_mode[kept],
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
        "lineage": meta.policy_version or "human",
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


def _finite(name: str, values: Floats) -> Floats:
    missing = ~np.isfinite(values).all(axis=1)
    if missing.any():
        raise UnfitEpisodeError("not-finite", f"{name} is NaN or infinite at step {int(np.argmax(missing))}")
    return values
