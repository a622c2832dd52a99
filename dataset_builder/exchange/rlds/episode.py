"""One RLDS record as an episode."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import ImportedEpisode, RawArray, UnimportableError, task_name
from dataset_builder.exchange.rlds.pictures import cameras_of
from dataset_builder.exchange.rlds.plan import METADATA_KEY, RATE, Plan
from dataset_builder.exchange.rlds.quantities import quantities_of, robot_of
from dataset_builder.exchange.rlds.schema import numbers, step_count, texts
from dataset_builder.rlds.records import Decoded
from teleloom.episode.meta import Outcome
from teleloom.messages import ControlMode

FORMAT = "rlds"
_OWN_TEXTS = ("task", "scene", "operator", "policy_version")
OWN = "teleloom"


def episode_of(name: str, record: Mapping[str, Decoded], plan: Plan) -> ImportedEpisode:
    """The record called `name`. Raises UnimportableError."""
    count = step_count(record, plan.fields)
    if not count:
        raise UnimportableError("zero-steps", "it has no steps")
    raw, ragged = _raw(record, plan, count)
    metadata = _metadata(record, plan)
    cameras = cameras_of(record, plan, count, metadata)
    said = _instructions(record, plan, metadata)
    robot = plan.robot or robot_of(plan, raw)
    rate_hz = _rate_hz(metadata, plan)
    known = quantities_of(raw, plan, robot, rate_hz)
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
        notes=(*_notes(metadata, plan), *_changes(record, plan)),
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


def _changes(record: Mapping[str, Decoded], plan: Plan) -> Iterator[str]:
    """What the instructions of single steps said, where they were not the same all along."""
    for field in plan.instructions:
        said = texts(record, field.key)
        if len(said) > 1:
            yield f"{field.name} changes within the episode, here in its order: {'; '.join(said)[:2000]}."
