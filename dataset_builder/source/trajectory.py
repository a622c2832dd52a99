"""One episode as the dataset will hold it, all but the images: what the numbers are and which frames belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.ledger import UnfitEpisodeError
from dataset_builder.manifest import BuildManifest
from dataset_builder.presets import needs
from dataset_builder.rules.filters import FilterInput, keep_steps
from dataset_builder.rules.lineage import Lineage
from dataset_builder.rules.splits import GroupKey
from dataset_builder.rules.weights import Modes, action_modes, led_to_takeover, step_weights
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.shape import Shape
from teleloom.catalog.annotations import Segment
from teleloom.clock import NS_PER_S
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
    camera_rates: frames a second of each of these cameras. recorded: (height, width) of its images as recorded. frames:
    for each image key, the T rows of its stream to show. group: what must be in the same split has the same. lineage:
    what it descends from. recorded_wall_ns: when it was recorded, ns since the Unix epoch. segments: those of the
    review that have a step here, times as recorded. left_out: how many steps each filter took.

    t_ns: (T,), a step lasts period_ns; there are gaps where filters left steps out. after_cut: (T,) a flag or a segment
    was left out right before, in which the arm moved. ee_pose: (T, 7) measured tool pose; joints: (T, J) rad; gripper:
    (T,) opening, all measured. target: (T, 8) tool pose and gripper opening commanded;
    joint_target: (T, J+1) the same in joints. human_target, policy_target: (T, 8) what each pilot asked for, NaN where
    it asked for nothing. control_mode: (T,) ControlMode. handover: (T,) it was another one in the step recorded before.
    is_intervention: (T,) marked by the pilot: a person corrected a policy. action_mode: (T,) DEMONSTRATION, POLICY or
    INTERVENTION, see rules/weights.py. led_to_takeover: (T,) a policy drove, and a person took over soon after.
    weight: (T,) how much the step counts in training. is_valid: (T,) all observations were fresh.
    """

    candidate: Candidate
    robot: str
    joint_names: tuple[str, ...]
    gripper_max_m: float
    rate_hz: float
    period_ns: int
    shape: Shape
    group: str
    lineage: str
    task: str
    scene: str
    station: str
    operator: str
    outcome: str
    policy_version: str | None
    recorded_wall_ns: int
    instruction: str
    instructions: tuple[str, ...]
    segments: tuple[Segment, ...]
    left_out: dict[str, int]
    cameras: dict[str, str]
    camera_rates: dict[str, float]
    recorded: dict[str, tuple[int, int]]
    frames: dict[str, Indices]
    t_ns: Indices
    after_cut: Flags
    ee_pose: Floats
    joints: Floats
    gripper: Floats
    target: Floats
    joint_target: Floats
    human_target: Floats
    policy_target: Floats
    control_mode: NDArray[np.uint8]
    handover: Flags
    is_intervention: Flags
    action_mode: Modes
    led_to_takeover: Flags
    weight: NDArray[np.float32]
    is_valid: Flags

    def __len__(self) -> int:
        return len(self.t_ns)

    def require_tool_pose(self, *, commanded: bool = True) -> None:
        """Raise UnfitEpisodeError where tool poses are not known, measured or commanded, as in imported joint data."""
        wanted = {"measured": self.ee_pose} | ({"commanded": self.target[:, :7]} if commanded else {})
        for which, values in wanted.items():
            if np.isnan(values).any():
                detail = f"its {which} tool pose is not known; use a preset and an action of joints, or leave it out"
                raise UnfitEpisodeError("no-tool-pose", detail)

    def require_joints(self, *, commanded: bool = True) -> None:
        """Raise UnfitEpisodeError where joints are not known, measured or commanded, as in imported tool pose data."""
        wanted = {"measured": self.joints} | ({"commanded": self.joint_target[:, :-1]} if commanded else {})
        for which, values in wanted.items():
            if not values.shape[1] or np.isnan(values).any():
                detail = (
                    f"its {which} joints are not known; use a preset and an action of the tool pose, or leave it out"
                )
                raise UnfitEpisodeError("no-joints", detail)


def read_trajectory(reader: EpisodeReader, candidate: Candidate, manifest: BuildManifest) -> Trajectory:
    """The trajectory of an open episode. Raises UnfitEpisodeError when the dataset cannot hold it.

    Of what review said it looks at instruction, paraphrases, outcome, trim, segments, flags and weight alone.
    """
    meta, view = reader.meta, candidate.view
    task = meta.task.model_copy(update={"instructions": view.instructions(meta.task)})
    keys = {camera: choice.key for camera, choice in manifest.cameras.items()}
    specs = _camera_specs(meta, keys)
    recorded = {key: (spec.height, spec.width) for key, spec in specs.items()}
    sizes = {choice.key: choice.size for choice in manifest.cameras.values()}
    steps = reader.steps() if manifest.step_rate_hz is None else reader.steps(manifest.step_rate_hz)
    period_ns = round(NS_PER_S / steps.rate_hz)
    trimmed = _trimmed(steps, view.trim)
    filtered = keep_steps(_filter_input(steps, trimmed, period_ns), manifest.filters, view.flags, view.segments)
    kept = trimmed[filtered.rows]
    aligned = {key: _shown(steps, camera, kept) for camera, key in keys.items()}
    fresh = np.logical_and.reduce([stream.valid[kept] for stream in (*aligned.values(), steps.streams["robot"])])
    # Judged on the whole recording: who acted, and what led to a takeover, does not depend on trims and filters.
    modes = action_modes(steps.control_mode, steps.is_intervention, meta.pilot == "policy")
    led = led_to_takeover(modes, manifest.weights.pre_intervention_steps)[kept]
    modes = modes[kept]
    t_ns = steps.t_ns[kept]
    trajectory = Trajectory(
        candidate=candidate,
        robot=meta.robot.name,
        joint_names=meta.robot.joint_names,
        gripper_max_m=meta.robot.gripper_max_m,
        rate_hz=steps.rate_hz,
        period_ns=period_ns,
        shape=Shape(tuple((key, *(sizes[key] or recorded[key])) for key in sorted(sizes)), len(meta.robot.joint_names)),
        group=group_key(meta, candidate.content_hash, manifest.splits.group_by, manifest.lineage),
        lineage=lineage_key(meta, candidate.content_hash, manifest.lineage),
        task=task.name,
        scene=task.scene,
        station=meta.station,
        operator=meta.operator,
        outcome=view.outcome or meta.outcome,
        policy_version=meta.policy_version,
        recorded_wall_ns=meta.anchor.wall_ns,
        instruction=task.spoken,
        instructions=tuple(instruction.text for instruction in task.instructions),
        segments=tuple(s for s in view.segments if ((t_ns >= s.start_ns) & (t_ns < s.end_ns)).any()),
        left_out=filtered.left_out,
        cameras={key: camera for camera, key in keys.items()},
        camera_rates={spec.name: spec.rate_hz for spec in specs.values()},
        recorded=recorded,
        frames={key: stream.index[kept] for key, stream in aligned.items()},
        t_ns=t_ns,
        after_cut=filtered.after_cut,
        ee_pose=_known("measured tool pose", steps.ee_pose[kept]),
        joints=_known("measured joints", steps.state[kept, :-1]),
        gripper=_known("measured gripper", steps.state[kept, -1:])[:, 0],
        target=_known("commanded tool pose", steps.action[kept]),
        joint_target=_known("commanded joints", steps.action_joint[kept]),
        human_target=steps.action_human[kept],
        policy_target=steps.action_policy[kept],
        control_mode=steps.control_mode[kept],
        handover=steps.handover[kept],
        is_intervention=steps.is_intervention[kept],
        action_mode=modes,
        led_to_takeover=led,
        weight=step_weights(manifest.weights, view.weight, modes, led),
        is_valid=fresh,
    )
    if np.isnan(trajectory.gripper).any() or np.isnan(trajectory.target[:, 7]).any():
        raise UnfitEpisodeError("no-gripper", "its gripper is not known, and no preset does without; leave it out")
    needed = needs(manifest.preset, manifest.action)
    acts_on_tool = manifest.action.of == "tool_pose"
    if "tool_pose" in needed:
        trajectory.require_tool_pose(commanded=acts_on_tool)
    if "joints" in needed:
        trajectory.require_joints(commanded=not acts_on_tool)
    return trajectory


def group_key(meta: EpisodeMeta, content_hash: str, group_by: Sequence[GroupKey], lineage: Lineage) -> str:
    """What an episode shares with those that must stay in its split, e.g. `task=stack scene=kitchen seed=7`.

    An episode without a seed goes by its content, so that a copy of it under another id never changes sides.
    """
    values = {
        "task": meta.task.name,
        "scene": meta.task.scene,
        "seed": content_hash if meta.seed is None else str(meta.seed),
        "operator": meta.operator,
        "station": meta.station,
        "episode": content_hash,
        "lineage": lineage_key(meta, content_hash, lineage),
    }
    return " ".join(f"{key}={values[key]}" for key in group_by)


def lineage_key(meta: EpisodeMeta, content_hash: str, lineage: Lineage) -> str:
    """What an episode descends from: the state it began in where that is known (a simulation's task, scene and seed),
    or else the first policy of the line that drove it, or else nothing but itself.
    """
    if meta.seed is not None:
        return f"start:{meta.task.name}/{meta.task.scene}/{meta.seed}"
    if meta.policy_version is not None:
        return f"policy:{lineage.root(meta.policy_version)}"
    return f"recording:{content_hash}"


def _filter_input(steps: Steps, rows: Indices, period_ns: int) -> FilterInput:
    measured = steps.ee_pose[rows], steps.state[rows, :-1]
    return FilterInput(steps.t_ns[rows], period_ns, *measured, steps.action[rows], steps.action_joint[rows])


def _camera_specs(meta: EpisodeMeta, wanted: dict[str, str]) -> dict[str, CameraSpec]:
    there = {spec.name: spec for spec in meta.cameras}
    for camera in wanted:
        if camera not in there:
            had = ", ".join(there) or "none"
            detail = f"no camera '{camera}'; it has {had}; change `cameras` in the manifest, or leave it out"
            raise UnfitEpisodeError("missing-camera", detail)
        spec = there[camera]
        if spec.codec != "jpeg" or spec.color_order != "rgb":
            holds = f"{spec.codec} in {spec.color_order} order"
            detail = f"camera '{camera}' holds {holds}; only jpeg in rgb fits; choose others by `cameras`"
            raise UnfitEpisodeError("image-format", detail)
    return {key: there[camera] for camera, key in wanted.items()}


def _trimmed(steps: Steps, trim_ns: tuple[int, int] | None) -> Indices:
    if not len(steps):
        raise UnfitEpisodeError("empty", "its streams have no time in common, so no step; restore it from a copy")
    rows = np.arange(len(steps))
    if trim_ns is not None:
        rows = rows[(steps.t_ns >= trim_ns[0]) & (steps.t_ns < trim_ns[1])]
    if not len(rows):
        raise UnfitEpisodeError("zero-steps", f"its trim leaves none of its {len(steps)} steps; undo or widen the trim")
    return rows


def _shown(steps: Steps, camera: str, kept: Indices) -> AlignedStream:
    stream = steps.streams.get(f"{CAMERA_PREFIX}{camera}")
    if stream is None or (stream.index[kept] < 0).any():
        detail = f"camera '{camera}' has no frame at its first step; trim its beginning off, or change `cameras`"
        raise UnfitEpisodeError("missing-frames", detail)
    return stream


def _known(what: str, values: Floats) -> Floats:
    """`values` (T, D), finite all through, or NaN all through where an imported format does not know them."""
    unknown = np.isnan(values).all(axis=0)
    missing = ~np.isfinite(values[:, ~unknown]).all(axis=1)
    if missing.any():
        found = f"{what} is NaN or infinite at step {int(np.argmax(missing))}"
        raise UnfitEpisodeError("not-finite", f"{found}; look at the robot driver, and trim that part off in review")
    return values
