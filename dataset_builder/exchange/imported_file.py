"""The episode file that is made of a foreign episode.

What is None becomes NaN in the file (a robot whose joints are not known has none), so review shows a gap and not a
made-up value. The arrays of the format itself are kept as they are in the stream `imported`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from pydantic import ValidationError

from dataset_builder.exchange.identity import derived_digest, imported_id
from dataset_builder.exchange.imported import (
    AlreadyImportedError,
    Floats,
    ImportedCamera,
    ImportedEpisode,
    UnimportableError,
)
from teleloom.clock import NS_PER_S
from teleloom.config import describe
from teleloom.episode.layout import IMPORTED_STREAM, episode_path
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.streams import CAMERA_PREFIX, MAX_TIME_NS, Columns, Stream, frame_is_whole
from teleloom.episode.writer import write_episode
from teleloom.messages import STAGES, ControlMode
from teleloom.specs import CameraSpec

MAX_RATE_HZ = 10_000.0
MAX_ATTRIBUTE_CHARS = 60_000


def write_imported(root: Path, episode: ImportedEpisode) -> str:
    """Write the episode under `root`/episodes, whole or not at all, and return its id.

    Raises UnimportableError when the arrays do not fit together, AlreadyImportedError (`duplicate`, or
    `imported-otherwise` when the file there was derived in another way), and OSError when the disk refuses.
    """
    _check(episode)
    identity = imported_id(episode)
    path = episode_path(root, identity)
    derived = derived_digest(episode)
    if path.exists():
        _refuse_second(path, identity, derived)
    path.parent.mkdir(parents=True, exist_ok=True)
    t_ns = times_of(episode)
    try:
        specs = [_camera_spec(name, camera, episode.rate_hz) for name, camera in sorted(episode.cameras.items())]
        streams = _streams(episode, t_ns, derived) | _camera_streams(episode, t_ns, specs)
        write_episode(path, _meta(episode, identity, specs), streams)
    except UnimportableError:
        raise
    except ValidationError as error:
        detail = f"no episode can be made of what it says:\n{describe(error, EpisodeMeta)}"
        raise UnimportableError("unfit", detail) from None
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
        if not name:
            raise UnimportableError("unfit", "it has a camera without a name")
        frames = len(camera.frames)
        if not 0 < frames <= count:
            raise UnimportableError("missing-frames", f"camera '{name}' has {frames} frames for {count} steps")
        if camera.t_ns is not None and (camera.t_ns.shape != (frames,) or not _rises(camera.t_ns)):
            raise UnimportableError("bad-times", f"the times of camera '{name}' do not rise from 0 on")
    if not any(text.strip() for text in episode.instructions):
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
        return EpisodeMeta.model_validate(episode.meta.model_dump() | update)
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
