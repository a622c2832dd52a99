"""A foreign episode as every importer hands it over.

An importer fills in what its format has and leaves the rest None. The arrays of the format itself are kept whatever was
derived from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from teleloom.episode.meta import EpisodeMeta, Outcome
from teleloom.specs import RobotSpec

Floats = NDArray[np.float64]

UNKNOWN_LIMIT = 1e6
"""Stands for a limit that nobody told: beyond any arm's, because JSON has no infinity."""

UNKNOWN_MODEL = "<!-- not known: {name} was imported from a format that holds no model of the robot -->"


class UnimportableError(ValueError):
    """One foreign episode that cannot become a file. reason: a short fixed name to count by; str(): what and why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class AlreadyImportedError(UnimportableError):
    """The station has this foreign episode already."""

    def __init__(self, reason: str, episode_id: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.episode_id = episode_id


@dataclass(frozen=True, eq=False)
class RawArray:
    """An array (T, ...) of the foreign format, kept verbatim. names: of the columns of (T, D), () where not told."""

    values: NDArray
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImportedCamera:
    """JPEG frames of one camera, all of one size, RGB: one for each step, or fewer where a recording broke off.

    quality: the JPEG quality that pixels, PNGs or a video were encoded with, once; None: the format's own JPEG bytes.
    t_ns: (N,) when each was taken, where the format says so; None: at the times of the steps. origin: a digest of the
    images as the format keeps them, by which they are known again however they were encoded; None: of the frames.
    """

    frames: Sequence[bytes]
    quality: int | None = None
    t_ns: NDArray[np.int64] | None = None
    origin: bytes | None = None


@dataclass(frozen=True, eq=False)
class ImportedEpisode:
    """T steps of a foreign dataset, in this project's units: m, rad, base frame, `x y z qx qy qz qw`, gripper 1 = open.

    format, dataset, source: which format, dataset and episode it was, e.g. `rlds`, `bridge/1.0.0`, `train[7]`.
    raw: the format's own arrays by name (`action`, `observation.state`, ...), each (T, ...).
    t_ns: (T,) times, rising from 0 or later; None where the format knows only the rate.
    joints, joint_velocity, joint_target: (T, J) measured and commanded. pose, pose_target: (T, 7) of the tool.
    gripper, gripper_target: (T,). effort: (T, J) N·m. human_target, policy_target: (T, 8) pose and gripper that each
    asked for; None: whoever drove asked for what was commanded. mode: (T,) ControlMode; None: a human drove.
    wall_ns: when it began, ns since the Unix epoch; 0: not known. instructions: the first is the one that was spoken.
    meta: the metadata of the recording where the format kept all of it: it holds in place of task, operator and so on.
    notes: what was derived, and how. not_carried: names of the format's fields that are in no stream and no metadata.
    """

    format: str
    dataset: str
    source: str
    rate_hz: float
    task: str
    instructions: tuple[str, ...]
    robot: RobotSpec
    cameras: Mapping[str, ImportedCamera]
    raw: Mapping[str, RawArray]
    t_ns: NDArray[np.int64] | None = None
    joints: Floats | None = None
    joint_velocity: Floats | None = None
    pose: Floats | None = None
    gripper: Floats | None = None
    joint_target: Floats | None = None
    pose_target: Floats | None = None
    gripper_target: Floats | None = None
    effort: Floats | None = None
    human_target: Floats | None = None
    policy_target: Floats | None = None
    mode: NDArray[np.uint8] | None = None
    is_intervention: NDArray[np.bool_] | None = None
    scene: str = ""
    operator: str = "unknown"
    station: str = "imported"
    outcome: Outcome = "unknown"
    policy_version: str | None = None
    simulated: bool = False
    wall_ns: int = 0
    meta: EpisodeMeta | None = None
    notes: tuple[str, ...] = ()
    not_carried: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.raw.values())).values) if self.raw else 0


def unknown_robot(name: str, joint_names: Sequence[str] = (), gripper_max_m: float = 0.08) -> RobotSpec:
    """A robot of which only its joints' names are known, or not even those: every limit is UNKNOWN_LIMIT."""
    unknown = (UNKNOWN_LIMIT,) * len(joint_names)
    return RobotSpec(
        name=name,
        joint_names=tuple(joint_names),
        q_min=tuple(-limit for limit in unknown),
        q_max=unknown,
        dq_max=unknown,
        ddq_max=unknown,
        effort_max=unknown,
        home_q=(0.0,) * len(joint_names),
        rate_hz=1.0,
        model=UNKNOWN_MODEL.format(name=name),
        gripper_max_m=gripper_max_m,
    )


def task_name(instruction: str) -> str:
    """A name for the task that an instruction describes: its words, in lower case, joined by `_`; "" without any."""
    return re.sub(r"\W+", "_", instruction.lower()).strip("_")[:100]


def encode_pixels(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """(H, W, 3) RGB or (H, W, 1) grey pixels as a JPEG. Raises UnimportableError for any other array."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        detail = f"an image is {pixels.dtype} {pixels.shape}; only uint8 with one or three channels can be shown"
        raise UnimportableError("image-format", detail)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, colorsubsampling="444"))
