"""How every record of an RLDS dataset becomes an episode: what is taken from where, and what has no place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dataset_builder.exchange.importing.dataset import ForeignDatasetError, ImportOptions
from dataset_builder.exchange.report import NotCarried
from dataset_builder.exchange.rlds.mapping import CAMERA, NEXT_POSE, ActionMeaning, Taken, action_meaning, parse
from dataset_builder.exchange.rlds.profiles import PROFILES, RAW, Profile, find_profile, own_profile
from dataset_builder.exchange.rlds.schema import Field
from teleloom.specs import RobotSpec

METADATA_KEY = "episode_metadata/"
RATE = "step_rate_hz"
_INSTRUCTION = re.compile(r"(.*/)?(natural_)?(language_)?instruction(_\d+)?|language_text")


@dataclass(frozen=True)
class Plan:
    """How every record of the dataset becomes an episode."""

    dataset: str
    profile: Profile
    fields: Mapping[str, Field]
    taken: Mapping[str, Taken]
    action: ActionMeaning | None
    cameras: Mapping[str, Field]
    instructions: tuple[Field, ...]
    robot: RobotSpec | None
    rate_hz: float | None
    options: ImportOptions


def profile_of(wanted: str | None, metadata: Mapping[str, Any], fields: Mapping[str, Field]) -> Profile:
    """The profile called `wanted`, else the one that fits the fields. Raises ForeignDatasetError."""
    if wanted is None:
        return own_profile(metadata, fields) or find_profile(fields)
    known = {profile.name: profile for profile in (*PROFILES, RAW)}
    if wanted not in known:
        raise ForeignDatasetError(f"there is no profile '{wanted}'; there are {', '.join(known)}")
    profile = known[wanted]
    there = {field.name for field in fields.values()}
    if missing := sorted(set(profile.needs) - there):
        raise ForeignDatasetError(f"profile '{wanted}' does not fit: the dataset has no {', '.join(missing)}")
    return profile


def plan_of(
    dataset: str, profile: Profile, fields: Mapping[str, Field], entries: Mapping[str, str], options: ImportOptions
) -> Plan:
    """What of the map is there. Raises ForeignDatasetError where it asks for what is not, or is of another kind."""
    taken = parse(entries.items())
    there = {field.name: field for field in fields.values() if field.key.startswith("steps/")}
    asked = {ours for ours, _ in options.map}
    for ours, entry in list(taken.items()):
        if entry.name == NEXT_POSE or (entry.name in there and _fits(ours, there[entry.name])):
            continue
        if ours in asked:
            fitting = ", ".join(sorted(name for name, field in there.items() if _fits(ours, field)))
            kind = " of such a kind" if entry.name in there else ""
            raise ForeignDatasetError(f"--map {ours}: the dataset has no {entry.name}{kind}; it has {fitting}")
        del taken[ours]
    rate_hz = options.rate_hz or profile.rate_hz
    if rate_hz is None and METADATA_KEY + RATE not in fields:
        raise ForeignDatasetError(f"{dataset} does not say how many steps there are in a second; give --rate-hz")
    cameras = {ours.removeprefix(CAMERA): there[entry.name] for ours, entry in taken.items() if ours.startswith(CAMERA)}
    for name, field in cameras.items():
        if not field.is_picture:
            raise ForeignDatasetError(f"--map {CAMERA}{name}: {field.name} is no image of one or three 8-bit channels")
    shown = {field.key for field in cameras.values()}
    pictures = [field for field in there.values() if field.is_picture and field.key not in shown]
    cameras |= {_camera_name(field, pictures, cameras): field for field in pictures}
    said = [there[taken["instruction"].name]] if "instruction" in taken else []
    said += [f for f in there.values() if f.kind == "text" and _INSTRUCTION.fullmatch(f.name) and f not in said]
    action = action_meaning(taken["action"].form) if "action" in taken else None
    return Plan(dataset, profile, fields, taken, action, cameras, tuple(said), options.robot, rate_hz, options)


def _fits(ours: str, field: Field) -> bool:
    """Whether a field is of the kind that a quantity of ours is taken from; a camera's is looked at later."""
    return ours.startswith(CAMERA) or field.kind == ("text" if ours == "instruction" else "numbers")


def _camera_name(field: Field, pictures: Iterable[Field], taken: Mapping[str, Field]) -> str:
    last = field.name.rsplit("/", 1)[-1]
    alone = sum(other.name.rsplit("/", 1)[-1] == last for other in pictures) == 1 and last not in taken
    return re.sub(r"\W", "_", last if alone else field.name.replace("/", "_"))


def not_carried(plan: Plan) -> Iterator[NotCarried]:
    """The fields that no episode will have."""
    pictures = {field.key for field in plan.cameras.values()}
    for key, field in sorted(plan.fields.items()):
        if field.kind == "unsupported":
            yield NotCarried(field.name, field.why)
        elif key in pictures or field in plan.instructions:
            continue
        elif field.kind == "image":
            yield NotCarried(
                field.name, f"an image of {field.dtype} {field.shape}: only 8-bit colour and grey are kept"
            )
        elif field.kind == "text" and key.startswith("steps/"):
            yield NotCarried(field.name, "texts of single steps have no place in an episode")
        elif not key.startswith("steps/") and (field.shape or field.rows):
            yield NotCarried(
                field.name, "of the episode as a whole, only texts and single numbers are kept, in its notes"
            )
