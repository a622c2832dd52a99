"""A foreign episode as every importer hands it over, and the episode file that is made of it.

An importer fills in what its format has and leaves the rest None. What is None becomes NaN in the file (a robot whose
joints are not known has none), so review shows a gap and not a made-up value. The arrays of the format itself are kept
as they are in the stream `imported`, whatever was derived from them.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from teleloom.clock import NS_PER_S
from teleloom.episode.layout import IMPORTED_STREAM, episode_path
from teleloom.episode.meta import EpisodeMeta, Instruction, Outcome, TaskInfo, WallAnchor
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.streams import CAMERA_PREFIX, MAX_TIME_NS, Columns, Stream, frame_is_whole
from teleloom.episode.writer import write_episode
from teleloom.messages import STAGES, ControlMode
from teleloom.specs import CameraSpec, RobotSpec

Floats = NDArray[np.float64]

UNKNOWN_LIMIT = 1e6
"""Stands for a limit that nobody told: beyond any arm's, because JSON has no infinity."""

UNKNOWN_MODEL = "<!-- not known: {name} was imported from a format that holds no model of the robot -->"
MAX_RATE_HZ = 10_000.0
MAX_ATTRIBUTE_CHARS = 60_000


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


def imported_id(episode: ImportedEpisode) -> str:
    """The id that this foreign episode has in every station: a UUIDv8 (RFC 9562) of its raw arrays, frames and texts.

    What was derived does not count, nor where the files lay: the same recording imported again has the same id.
    """
    raw = bytearray(hashlib.sha256(_source_digest(episode)).digest()[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


def write_imported(root: Path, episode: ImportedEpisode) -> str:
    """Write the episode under `root`/episodes, whole or not at all, and return its id.

    Raises UnimportableError when the arrays do not fit together, AlreadyImportedError (`duplicate`, or
    `imported-otherwise` when the file there was derived in another way), and OSError when the disk refuses.
    """
    _check(episode)
    identity = imported_id(episode)
    path = episode_path(root, identity)
    derived = _derived_digest(episode)
    if path.exists():
        _refuse_second(path, identity, derived)
    path.parent.mkdir(parents=True, exist_ok=True)
    t_ns = times_of(episode)
    streams = {
        "robot": Stream(_robot_columns(episode, t_ns)),
        "tick": Stream(
            _tick_columns(episode, t_ns), {"intervention_names": json.dumps([]), "stages": json.dumps(list(STAGES))}
        ),
        IMPORTED_STREAM: _raw_stream(episode, t_ns, derived),
    }
    specs = []
    for name, camera in sorted(episode.cameras.items()):
        spec = _camera_spec(name, camera, episode.rate_hz)
        attributes: dict[str, str | int] = {
            "codec": spec.codec,
            "width": spec.width,
            "height": spec.height,
            "color_order": spec.color_order,
        }
        taken = t_ns[: len(camera.frames)] if camera.t_ns is None else camera.t_ns
        streams[f"{CAMERA_PREFIX}{name}"] = Stream(_times(taken), attributes, camera.frames)
        specs.append(spec)
    meta = _meta(episode, identity, specs)
    try:
        write_episode(path, meta, streams)
    except ValueError as error:
        raise UnimportableError("unfit", f"no episode can be made of it: {error}") from None
    return identity


def times_of(episode: ImportedEpisode) -> NDArray[np.int64]:
    """The times (T,) of the steps in ns from 0 on: the format's own, else those of its rate."""
    if episode.t_ns is not None:
        return episode.t_ns
    times: NDArray[np.int64] = np.rint(np.arange(len(episode)) * (NS_PER_S / episode.rate_hz)).astype(np.int64)
    return times


def _check(episode: ImportedEpisode) -> None:
    count = len(episode)
    if not count:
        raise UnimportableError("zero-steps", "it has no steps")
    if not 0.0 < episode.rate_hz <= MAX_RATE_HZ:
        raise UnimportableError("bad-rate", f"{episode.rate_hz} steps a second; there may be up to {MAX_RATE_HZ:g}")
    joints = len(episode.robot.joint_names)
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("joints", "joint_velocity", "joint_target", "effort"), (count, joints)),
        **dict.fromkeys(("pose", "pose_target"), (count, 7)),
        **dict.fromkeys(("human_target", "policy_target"), (count, 8)),
        **dict.fromkeys(("gripper", "gripper_target", "mode", "is_intervention", "t_ns"), (count,)),
    }
    for name, shape in shapes.items():
        values = getattr(episode, name)
        if values is not None and values.shape != shape:
            raise UnimportableError("wrong-shape", f"{name} is {values.shape} where {shape} belongs")
    for name, array in episode.raw.items():
        if len(array.values) != count or array.values.dtype.kind not in "fiub":
            detail = f"{name} is {array.values.dtype} {array.values.shape}, not numbers for each of {count} steps"
            raise UnimportableError("wrong-shape", detail)
    if episode.t_ns is not None and not _rises(episode.t_ns):
        raise UnimportableError("bad-times", "its times do not rise from 0 on")
    for name, camera in episode.cameras.items():
        frames = len(camera.frames)
        if not 0 < frames <= count:
            raise UnimportableError("missing-frames", f"camera '{name}' has {frames} frames for {count} steps")
        if camera.t_ns is not None and (camera.t_ns.shape != (frames,) or not _rises(camera.t_ns)):
            raise UnimportableError("bad-times", f"the times of camera '{name}' do not rise from 0 on")
    if not any(episode.instructions):
        raise UnimportableError("no-instruction", "it does not say what to do; give --instruction TEXT")


def _rises(t_ns: NDArray[np.int64]) -> bool:
    return bool(t_ns[0] >= 0 and np.all(np.diff(t_ns) > 0) and t_ns[-1] <= MAX_TIME_NS)


def _refuse_second(path: Path, identity: str, derived: str) -> None:
    try:
        with EpisodeReader(path) as reader:
            is_same = reader.attributes(IMPORTED_STREAM).get("derived") == derived
    except (BadEpisodeError, KeyError) as error:
        detail = f"{path} is in the way and no sound import ({error}); move it away"
        raise AlreadyImportedError("bad-file-in-place", identity, detail) from None
    if is_same:
        raise AlreadyImportedError("duplicate", identity, f"{path.name} is it already")
    detail = (
        f"{path.name} is the same recording, imported with another --map, --robot, rate or JPEG quality; a finished "
    )
    detail += "episode is never changed: use another station folder"
    raise AlreadyImportedError("imported-otherwise", identity, detail)


def _source_digest(episode: ImportedEpisode) -> bytes:
    digest = hashlib.sha256()
    texts = [episode.format, list(episode.instructions), episode.task, episode.outcome, episode.wall_ns]
    digest.update(json.dumps(texts).encode())
    for name, array in sorted(episode.raw.items()):
        _add(digest, name, array.values)
    for name, camera in sorted(episode.cameras.items()):
        known = camera.origin is not None
        digest.update(json.dumps([name, known, [0 if known else len(frame) for frame in camera.frames]]).encode())
        for part in camera.frames if camera.origin is None else (camera.origin,):
            digest.update(part)
    return digest.digest()


_DERIVED = (
    *("t_ns", "joints", "joint_velocity", "pose", "gripper", "joint_target", "pose_target", "gripper_target"),
    *("effort", "human_target", "policy_target", "mode", "is_intervention"),
)


def _derived_digest(episode: ImportedEpisode) -> str:
    qualities = [camera.quality for _, camera in sorted(episode.cameras.items())]
    plain = [episode.robot.model_dump(mode="json"), episode.rate_hz, qualities]
    digest = hashlib.sha256(json.dumps(plain).encode())
    arrays = {name: getattr(episode, name) for name in _DERIVED}
    arrays |= {f"{CAMERA_PREFIX}{name}": camera.t_ns for name, camera in sorted(episode.cameras.items())}
    for name, values in arrays.items():
        if values is not None:
            _add(digest, name, values)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, values: NDArray) -> None:
    digest.update(json.dumps([name, values.dtype.str, list(values.shape)]).encode())
    digest.update(np.ascontiguousarray(values).data)


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
    for name, array in episode.raw.items():
        column = name.replace("/", ".")
        columns[f"raw.{column}" if column in columns else column] = array.values
    names = json.dumps({name.replace("/", "."): array.names for name, array in episode.raw.items() if array.names})
    return Stream(
        columns,
        {  # names: JSON, the columns of each array
            "format": episode.format,
            "dataset": episode.dataset[:500],
            "source": episode.source[:500],
            "names": names if len(names) < MAX_ATTRIBUTE_CHARS else json.dumps({}),
            "derived": derived,
        },
    )


def _camera_spec(name: str, camera: ImportedCamera, rate_hz: float) -> CameraSpec:
    sizes = {_jpeg_size(name, i, frame) for i, frame in enumerate(camera.frames)}
    if len(sizes) > 1:
        raise UnimportableError("image-format", f"camera '{name}' has frames of several sizes: {sorted(sizes)}")
    height, width = sizes.pop()
    spec = CameraSpec(name=name, width=width, height=height, rate_hz=rate_hz)
    return spec if camera.quality is None else spec.model_copy(update={"jpeg_quality": camera.quality})


def _jpeg_size(camera: str, number: int, frame: bytes) -> tuple[int, int]:
    if not frame_is_whole(frame, "jpeg"):
        raise UnimportableError("broken-image", f"frame {number} of camera '{camera}' is no whole JPEG")
    try:
        height, width = simplejpeg.decode_jpeg_header(frame)[:2]
    except ValueError as error:
        raise UnimportableError("broken-image", f"frame {number} of camera '{camera}': {error}") from None
    return int(height), int(width)


def _meta(episode: ImportedEpisode, identity: str, cameras: Sequence[CameraSpec]) -> EpisodeMeta:
    notes = " ".join(_notes(episode))
    if episode.meta is not None:
        known = {spec.name: spec for spec in episode.meta.cameras}
        update = {
            "episode_id": identity,
            "robot": episode.robot,
            "cameras": tuple(_same_camera(known.get(spec.name), spec) for spec in cameras),
            "step_rate_hz": episode.rate_hz,
            "notes": " ".join(text for text in (episode.meta.notes, notes) if text),
        }
        return episode.meta.model_copy(update=update)
    texts = [text.strip()[:500] for text in episode.instructions if text.strip()]
    return EpisodeMeta(
        episode_id=identity,
        station=episode.station,
        operator=episode.operator,
        task=TaskInfo(
            name=episode.task[:100],
            instructions=tuple(Instruction(text=text, spoken=not i) for i, text in enumerate(dict.fromkeys(texts))),
            scene=episode.scene,
        ),
        robot=episode.robot,
        cameras=tuple(cameras),
        anchor=WallAnchor(monotonic_ns=0, wall_ns=episode.wall_ns),
        step_rate_hz=episode.rate_hz,
        software_version=version("teleloom"),
        pilot=_pilot(episode),
        policy_version=episode.policy_version,
        simulated=episode.simulated,
        outcome=episode.outcome,
        notes=notes,
    )


def _same_camera(known: CameraSpec | None, found: CameraSpec) -> CameraSpec:
    """The camera as it was recorded, unless its pictures have another size now: then its calibration does not hold."""
    if known is None or (known.width, known.height) != (found.width, found.height):
        return found
    return known.model_copy(update={"codec": found.codec, "color_order": found.color_order, "rate_hz": found.rate_hz})


def _pilot(episode: ImportedEpisode) -> Literal["human", "policy", "human+policy"]:
    if episode.mode is None or not np.any(episode.mode == ControlMode.POLICY):
        return "human"
    return "policy" if np.all(episode.mode != ControlMode.HUMAN) else "human+policy"


def _notes(episode: ImportedEpisode) -> Iterator[str]:
    yield f"Imported from {episode.format} dataset {episode.dataset}, {episode.source}."
    if episode.t_ns is None:
        yield f"The format has no times: they are step / {episode.rate_hz:g} Hz."
    if not episode.wall_ns:
        yield "When it was recorded is not known."
    for name, camera in sorted(episode.cameras.items()):
        if camera.quality is not None:
            yield f"Camera '{name}' was encoded once, as JPEG of quality {camera.quality}."
    yield from episode.notes
    if episode.not_carried:
        yield f"Not carried over: {', '.join(episode.not_carried)}."
