"""`teleloom import` of RLDS directories: of this builder, of Open X-Embodiment, and whatever TFDS wrote."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange import conventions
from dataset_builder.exchange.imported import (
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    encode_pixels,
    task_name,
    unknown_robot,
)
from dataset_builder.exchange.report import ForeignDataset, ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.rlds import folder as folders
from dataset_builder.exchange.rlds.mapping import (
    GRIPPER_TARGETS,
    JOINT_TARGETS,
    NEXT_POSE,
    POSE_TARGETS,
)
from dataset_builder.exchange.rlds.plan import METADATA_KEY, RATE, Plan, not_carried, plan_of, profile_of
from dataset_builder.exchange.rlds.schema import Field, fields_of, numbers, step_count, texts
from dataset_builder.rlds.records import BadExampleError, Decoded, decode_example
from teleloom.episode.meta import Outcome
from teleloom.episode.streams import frame_is_whole
from teleloom.extras import require
from teleloom.messages import ControlMode
from teleloom.specs import RobotSpec

LOOKS_FOR = "a folder with features.json and dataset_info.json, or with one such folder in it"
FORMAT = "rlds"
Floats = NDArray[np.float64]

_OWN_TEXTS = ("task", "scene", "operator", "policy_version")
OWN = "teleloom"


def recognises(path: Path) -> bool:
    """Whether `path` holds the two documents of an RLDS dataset."""
    try:
        return folders.find_folder(path) is not None
    except OSError:
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The RLDS dataset in the folder `path`. Raises ForeignDatasetError."""
    folder = folders.find_folder(path)
    if folder is None:
        raise ForeignDatasetError(f"{path} has no features.json, or several versions below it; name one of them")
    fields = fields_of(folders.read_document(folder / folders.FEATURES))
    info = folders.read_document(folder / folders.DATASET_INFO)
    metadata = folders.read_document(folder / folders.METADATA) if (folder / folders.METADATA).is_file() else {}
    profile = profile_of(options.profile, metadata, fields)
    entries = {**dict(profile.entries), **dict(options.map)}
    plan = plan_of(
        f"{info.get('name', folder.name)}/{info.get('version', '')}".rstrip("/"), profile, fields, entries, options
    )
    shards = folders.shards_of(folder, info)
    return ForeignDataset(
        format=FORMAT,
        name=plan.dataset,
        count=sum(shard.records for shard in shards),
        sources=_sources(shards, plan),
        not_carried=tuple(not_carried(plan)),
        notes=(f"Read with the map '{profile.name}'.", *profile.notes),
    )


def _sources(shards: Iterable[folders.Shard], plan: Plan) -> Iterator[Source]:
    for shard in shards:
        for record in folders.records_of(shard):
            yield Source(record.name, _reader(record, plan))


def _reader(record: folders.Record, plan: Plan) -> Callable[[], ImportedEpisode]:
    def read() -> ImportedEpisode:
        if isinstance(record.data, UnimportableError):
            raise record.data
        try:
            return _episode(record.name, decode_example(record.data), plan)
        except (UnimportableError, ForeignDatasetError):
            raise
        except BadExampleError as error:
            raise UnimportableError("bad-record", str(error)) from None
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            # numpy's, of a record whose values are of another kind than features.json says.
            raise UnimportableError("features-mismatch", f"its values are not what was declared: {error}") from None

    return read


def _episode(name: str, record: Mapping[str, Decoded], plan: Plan) -> ImportedEpisode:
    count = step_count(record, plan.fields)
    if not count:
        raise UnimportableError("zero-steps", "it has no steps")
    raw, ragged = _raw(record, plan, count)
    metadata = _metadata(record, plan)
    cameras = {
        camera: _camera(record, field, count, plan)
        for camera, field in sorted(plan.cameras.items())
        if not _is_absent(field, metadata)
    }
    said = _instructions(record, plan, metadata)
    robot = plan.robot or _robot(plan, raw)
    rate_hz = _rate_hz(metadata, plan)
    known = _quantities(raw, plan, robot, rate_hz)
    is_intervention = _column(raw, plan, "is_intervention", "is_intervention")
    own = {name: metadata.pop(name, "") for name in _OWN_TEXTS} if plan.profile.name == OWN else {}
    return ImportedEpisode(
        format=FORMAT,
        dataset=plan.dataset,
        source=name,
        rate_hz=rate_hz,
        task=plan.options.task or own.get("task") or _task_name(said, plan.dataset),
        instructions=said,
        robot=robot,
        cameras=cameras,
        raw={key: RawArray(values) for key, values in raw.items()},
        is_intervention=None if is_intervention is None else is_intervention.reshape(-1).astype(np.bool_),
        mode=_mode(raw) if own else None,
        scene=plan.options.scene or own.get("scene", ""),
        operator=plan.options.operator or own.get("operator") or "unknown",
        policy_version=own.get("policy_version") or None,
        outcome=_outcome(raw, metadata),
        simulated=plan.profile.simulated,
        wall_ns=_began(metadata) if own else 0,
        notes=tuple(_notes(metadata, plan)),
        not_carried=tuple(ragged),
        **known,
    )


def _raw(record: Mapping[str, Decoded], plan: Plan, count: int) -> tuple[dict[str, NDArray], list[str]]:
    """The arrays of numbers by name, and which were left out because their steps differ in shape."""
    pictures = {field.key for field in plan.cameras.values()}
    raw: dict[str, NDArray] = {}
    ragged = []
    for key, field in sorted(plan.fields.items()):
        if field.kind != "numbers" or key in pictures or not key.startswith("steps/"):
            continue
        try:
            raw[field.name] = numbers(record, field, count)
        except UnimportableError as error:
            if error.reason != "ragged":
                raise
            if mapped := [ours for ours, entry in plan.taken.items() if entry.name == field.name]:
                raise UnimportableError("ragged", f"{error}, and {mapped[0]} is to be taken from it") from None
            ragged.append(str(error))
    return raw, ragged


def _camera(record: Mapping[str, Decoded], field: Field, count: int, plan: Plan) -> ImportedCamera:
    quality = plan.options.jpeg_quality
    if field.kind == "numbers":
        pixels = numbers(record, field, count)
        origin = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
        return ImportedCamera([encode_pixels(image, quality) for image in pixels], quality, origin=origin)
    frames = record[field.key]
    if not isinstance(frames, list):
        raise UnimportableError("features-mismatch", f"{field.name} holds numbers where features.json says images")
    if all(frame_is_whole(frame, "jpeg") for frame in frames):
        return ImportedCamera(frames)
    origin = hashlib.sha256(b"".join(hashlib.sha256(frame).digest() for frame in frames)).digest()
    return ImportedCamera([encode_pixels(_decoded(frame, field), quality) for frame in frames], quality, origin=origin)


def _decoded(data: bytes, field: Field) -> NDArray[np.uint8]:
    """The pixels (H, W, C) of a PNG, or of whatever else Pillow reads, but nothing that it would have to run."""
    image_module = require("PIL.Image", "build")
    try:
        with image_module.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "GIF")) as image:
            if image.mode.startswith("I") or image.mode == "F":
                raise UnimportableError("image-format", f"{field.name} holds images of more than 8 bits")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        if isinstance(error, UnimportableError):
            raise
        raise UnimportableError("broken-image", f"{field.name} holds an image that cannot be read: {error}") from None


def _metadata(record: Mapping[str, Decoded], plan: Plan) -> dict[str, str]:
    """Texts and single numbers of the episode as a whole, by name without `episode_metadata/`."""
    found = {}
    for key, field in sorted(plan.fields.items()):
        if key.startswith("steps/") or field.kind not in ("text", "numbers") or field.shape or field.rows:
            continue
        values = record.get(key)
        if values is not None and len(values) == 1:
            value = values[0]
            text = (
                value.decode("utf-8", "replace").replace("\0", "") if isinstance(value, bytes) else f"{value.item():g}"
            )
            found[field.name.removeprefix(METADATA_KEY)] = text
    return found


def _instructions(record: Mapping[str, Decoded], plan: Plan, metadata: dict[str, str]) -> tuple[str, ...]:
    said = [text for field in plan.instructions for text in texts(record, field.key)]
    try:
        others = json.loads(metadata.pop("instructions", "[]"))
    except ValueError:
        others = []
    said += [text for text in others if isinstance(text, str)] if isinstance(others, list) else []
    if plan.options.instruction:
        said.insert(0, plan.options.instruction)
    return tuple(dict.fromkeys(said))


def _robot(plan: Plan, raw: Mapping[str, NDArray]) -> RobotSpec:
    """A robot of which nothing is known but its name and how many joints the dataset has of it."""
    widths = [
        plan.taken[ours].rows(raw[plan.taken[ours].name]).shape[1] for ours in JOINT_TARGETS if ours in plan.taken
    ]
    count = widths[0] if widths else 0
    told = plan.profile.joint_names
    names = told if len(told) == count else tuple(f"joint{i + 1}" for i in range(count))
    return unknown_robot(plan.profile.robot, names, plan.profile.gripper_max_m)


def _quantities(raw: Mapping[str, NDArray], plan: Plan, robot: RobotSpec, rate_hz: float) -> dict[str, Any]:
    """Our own quantities, by the name of ImportedEpisode's field, those that the map knows."""
    known: dict[str, Any] = {}
    for ours in (*JOINT_TARGETS, *POSE_TARGETS, *GRIPPER_TARGETS):
        entry = plan.taken.get(ours)
        if entry is None or entry.name == NEXT_POSE:
            continue
        rows = entry.rows(raw[entry.name])
        try:
            if ours in POSE_TARGETS:
                known[ours] = conventions.poses(rows, entry.form)
            elif ours in GRIPPER_TARGETS:
                known[ours] = conventions.openings(rows, entry.form, robot.gripper_max_m)
            else:
                known[ours] = rows.astype(np.float64)
        except ValueError as error:
            raise UnimportableError("wrong-shape", f"{ours}: {entry.name} does not fit its form: {error}") from None
    if "pose_target" in plan.taken and plan.taken["pose_target"].name == NEXT_POSE and "pose" in known:
        known["pose_target"] = conventions.next_poses(known["pose"])
    known |= {name: values for name, values in _commanded(raw, plan, known, rate_hz).items() if name not in known}
    return known


def _commanded(
    raw: Mapping[str, NDArray], plan: Plan, known: Mapping[str, Floats], rate_hz: float
) -> dict[str, Floats]:
    """What the actions command, where the map says what they mean and the dataset what they start from."""
    if plan.action is None:
        return {}
    entry, semantics = plan.taken["action"], plan.action.semantics
    is_pose = semantics.of == "tool_pose"
    measured = known.get("pose" if is_pose else "joints")
    if measured is None:
        return {}
    actions = entry.rows(raw[entry.name]).astype(np.float64)
    path = plan.action.commands(actions, measured, rate_hz, raw.get("after_cut"))
    return {"pose_target" if is_pose else "joint_target": path[:, :-1], "gripper_target": path[:, -1]}


def _is_absent(field: Field, metadata: dict[str, str]) -> bool:
    """Whether the record says that no camera took this image: Bridge and DROID fill it with something else then."""
    last = field.name.rsplit("/", 1)[-1]
    flags = (metadata.get(f"has_{name}") for name in (last, last.removesuffix("_left")))
    return "0" in flags


def _rate_hz(metadata: dict[str, str], plan: Plan) -> float:
    said = metadata.pop(RATE, None)
    try:
        rate_hz = plan.options.rate_hz or (float(said) if said else plan.rate_hz)
    except ValueError:
        raise UnimportableError("bad-rate", f"{RATE} is '{said}', and no number; give --rate-hz") from None
    if rate_hz is None:
        raise UnimportableError("bad-rate", "it does not say how many steps there are in a second; give --rate-hz")
    return rate_hz


def _began(metadata: Mapping[str, str]) -> int:
    """When the recording began that a record of ours was built from, ns since the Unix epoch: its UUIDv7 says so."""
    try:
        identity = uuid.UUID(metadata.get("episode_id", ""))
    except ValueError:
        return 0
    return int.from_bytes(identity.bytes[:6], "big") * 1_000_000 if identity.version == 7 else 0


def _mode(raw: Mapping[str, NDArray]) -> NDArray[np.uint8] | None:
    """Who drove (T,), from `control_mode`, else from `action_mode`: 0 is a policy, anything else a person."""
    if "control_mode" in raw:
        return raw["control_mode"].reshape(-1).astype(np.uint8)
    mode = raw.get("action_mode")
    if mode is None:
        return None
    return np.where(mode.reshape(-1) == 0, ControlMode.POLICY, ControlMode.HUMAN).astype(np.uint8)


def _column(raw: Mapping[str, NDArray], plan: Plan, ours: str, default: str) -> NDArray | None:
    entry = plan.taken.get(ours)
    return entry.rows(raw[entry.name]) if entry is not None else raw.get(default)


def _outcome(raw: Mapping[str, NDArray], metadata: dict[str, str]) -> Outcome:
    """What the metadata says; else by the reward of the last step, which is 1 for a demonstration that succeeded."""
    match metadata.pop("outcome", ""):
        case "success":
            return "success"
        case "partial":
            return "partial"
        case "failure":
            return "failure"
    path = metadata.get("file_path", "") + metadata.get("recording_folderpath", "")
    if "/success/" in path or "/failure/" in path:
        return "success" if "/success/" in path else "failure"
    reward = raw.get("reward")
    return "success" if reward is not None and reward.size and float(reward.flat[-1]) == 1.0 else "unknown"


def _task_name(said: tuple[str, ...], dataset: str) -> str:
    return (said and task_name(said[0])) or dataset[:100]


def _notes(metadata: Mapping[str, str], plan: Plan) -> Iterator[str]:
    yield from plan.profile.notes
    if metadata:
        said = "; ".join(f"{name} {value[:200]}" for name, value in sorted(metadata.items()))
        yield f"Episode metadata: {said}."
