"""Write docs/configuration.md from the configuration models, and the table of interventions into docs/safety.md.

    .venv/bin/python scripts/write_configuration_docs.py

A key's meaning is its field's description, or what the model's docstring says after `key:`.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dataset_builder.manifest import BuildManifest
from dataset_builder.mixture.manifest import MixtureManifest
from station.config import StationConfig
from teleloom.quality.config import QualityConfig
from teleop.operator import HapticPattern
from teleop.sources.openxr.operator import OpenXrConfig
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.supervisor import INTERVENTIONS

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- interventions: begin -->", "<!-- interventions: end -->"

INTRODUCTION = """# Configuration

Made by `scripts/write_configuration_docs.py` from the models that check the files; do not edit it.

Every file is YAML. A key that is not listed here is refused, with its place and the keys that exist there. All values
are in SI units and radians; a name ends in its unit. Examples that work: [a station](examples/station.yaml),
[a build](examples/build.yaml) and [a mixture](examples/mixture.yaml).
"""
PARTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("A station", "The file of `teleloom record -c`.", StationConfig),
    ("The scripted operator", "`operator.options` with `operator.source: scripted`.", ScriptedOperatorConfig),
    ("A headset", "`operator.options` with `operator.source: openxr`.", OpenXrConfig),
    (
        "A build",
        "The manifest of `teleloom build -c` and of `teleloom export -c`. A `preset` brings defaults of its own, which "
        "may differ from those below.",
        BuildManifest,
    ),
    ("A mixture", "What a model is co-fine-tuned on.", MixtureManifest),
    ("The quality verdict", "Thresholds in code; `teleloom record` judges with the defaults.", QualityConfig),
)
# Where neither a description nor a docstring says it in a line.
MEANINGS = {
    "StationConfig.name": "kept in every episode",
    "StationConfig.robot": "the arm",
    "StationConfig.cameras": "each camera by the name that it has in the episode",
    "StationConfig.operator": "who drives",
    "StationConfig.step_rate_hz": "rate of the aligned steps",
    "StationConfig.teleop": "the control loop",
    "StationConfig.recorder": "the recorder",
    "PluginConfig.driver": "name of the plug-in",
    "PluginConfig.options": "what the plug-in is given",
    "OperatorConfig.source": "name of the operator source",
    "OperatorConfig.options": "what the source is given",
    "TaskInfo.name": "a stable name that groups episodes",
    "TaskInfo.instructions": "the ways of saying what to do",
    "TaskInfo.scene": "where it takes place; keeps episodes of one scene in one split",
    "TaskInfo.parameters": "whatever else describes this variant of the task",
    "Instruction.text": "what to do, in a sentence",
    "Instruction.spoken": "marks the one that the operator was given",
    "Instruction.language": "BCP 47",
    "TeleopConfig.clutch": "the squeeze button",
    "TeleopConfig.mapping": "hand to tool",
    "TeleopConfig.filter": "the One-Euro filter",
    "TeleopConfig.workspace": "where the tool may be",
    "TeleopConfig.governor": "how fast the tool may move",
    "TeleopConfig.ik": "the inverse kinematics",
    "TeleopConfig.safety": "when input and robot are not trusted",
    "GovernorConfig.linear": "limits of the tool's position, m",
    "GovernorConfig.angular": "limits of the tool's rotation, rad",
    "BoxObstacle.kind": "a solid box",
    "BoxObstacle.name": "its name",
    "BoxObstacle.center_m": "centre x, y, z",
    "BoxObstacle.half_size_m": "half of its size along its own axes",
    "BoxObstacle.quat_xyzw": "its rotation",
    "PlaneObstacle.kind": "everything behind a plane",
    "PlaneObstacle.name": "its name",
    "PlaneObstacle.point_m": "any point of the plane",
    "PlaneObstacle.normal": "points to the free side",
    "OpenXrConfig.base_from_xr": "rotation from OpenXR's axes to the robot's base frame",
    "OpenXrConfig.yaw_rad": "further turn about the base's z axis; 3.1416 for an operator who faces the robot",
    "OpenXrConfig.open_timeout_s": "how long the runtime may take to open a session",
    "OpenXrConfig.reconnect_s": "how often a lost runtime is looked for",
    "BuildManifest.name": "the dataset's name: lower case letters, digits and _",
    "BuildManifest.version": "x.y.z",
    "BuildManifest.description": "a sentence for the dataset card",
    "BuildManifest.license": "the licence of the data",
    "BuildManifest.select": "which of the approved episodes",
    "BuildManifest.filters": "which of their steps are left out",
    "BuildManifest.normalisation": "how actions are scaled before they become tokens",
    "BuildManifest.weights": "how much a step counts, by who drove",
    "BuildManifest.lineage": "rounds of a policy and its corrections",
    "BuildManifest.shards": "how large the files are",
    "BuildManifest.questions": "questions and plans made beside the records, see [questions](questions.md)",
    "Query.tasks": "any of them",
    "Query.stations": "any of them",
    "Query.operators": "any of them",
    "Query.scenes": "any of them",
    "Query.outcomes": "any of them, as review left it",
    "Query.robot": "null takes the robot of most episodes, as a dataset holds one",
    "Query.min_score": "the reviewers' score; an episode without one is out then",
    "MixtureManifest.prompt": "how the instruction is put",
    "Query.recorded_from": "recorded then or later; UTC unless it names another zone",
    "Query.recorded_to": "recorded before",
    "StepFilters.idle_run": "how many idle steps in a row the rule `droid` takes",
    "StepWeights.pre_intervention_steps": "how many steps of the policy led to a takeover",
    "Round.round": "its number",
    "SourceChoice.path": "a folder or a file; a relative path starts at the manifest's folder",
    "SourceChoice.split": "of the dataset",
    "TokenizerChoice.path": "of the `tokenizer.json`",
    "MixtureManifest.robots": "built datasets",
    "MixtureManifest.questions": "questions about images",
    "MixtureManifest.plans": "plans in words before actions",
    "MixtureManifest.tokenizer": "the base model's",
    "MixtureManifest.images": "how images are shown to the model",
    "MixtureManifest.augmentation": "how images are varied; null leaves them alone",
    "MixtureManifest.seed": "decides order, phrasing and noise",
    "BuildManifest.step_rate_hz": "null keeps the rate at which each episode's steps were stored",
    "BuildManifest.action": "what an action means",
    "BuildManifest.codec": "how actions become tokens",
    "BuildManifest.splits": "how episodes are parted",
    "Sharding.max_episodes": "most episodes in one shard",
    "CodecChoice.name": "name of the codec plug-in",
    "CodecChoice.options": "its options",
    "QualityConfig.sustained_s": "how long tracking error or skew must last to be said",
    "QualityConfig.camera_gap_periods": "silence of a camera that is a gap, in its own periods",
    "QualityConfig.camera_gap_warning_s": "and at least this long",
    "QualityConfig.camera_gap_fault_s": "silence of a camera from which the episode is spoiled",
    "QualityConfig.min_duration_s": "a shorter episode is a slip of the thumb",
    "QualityConfig.max_duration_s": "a longer episode is usually two attempts",
}
ADVICE = {
    "input_stale": "look for the lost link or the sleeping headset; release, then squeeze",
    "input_out_of_order": "nothing; if it stays, the clocks of headset and host disagree",
    "controller_inactive": "wake the controller; release, then squeeze",
    "tracking_lost": "bring the hand into sight; release, then squeeze",
    "input_not_finite": "restart the headset's runtime if it comes again",
    "input_jump": "release, then squeeze; look for reflections if it comes often",
    "emergency_stop": "make the place safe, clear the stop, release, then squeeze",
    "clutch_not_released": "open the hand, then squeeze",
    "outside_workspace": "move the arm back by its own means, or widen `teleop.workspace`",
    "workspace": "turn back; the tool slides along the wall",
    "orientation": "turn the wrist back",
    "velocity_limit": "move slower if the arm should follow exactly",
    "acceleration_limit": "start and stop more gently if the arm should follow exactly",
    "joint_limit": "approach from another side",
    "clearance": "move away; the tool goes around as far as it can",
    "ik_failed": "release, then squeeze from a pose that the arm reaches more easily",
    "robot_state": "look at the robot's link; release, then squeeze",
    "effort_limit": "see what the arm pushes against; release, then squeeze",
    "tracking_error": "see what holds the arm, or whether it was stopped; release, then squeeze",
    "output_guard": "report it: a stage before it let through what it should not have",
}


def configuration_page() -> str:
    """The whole of docs/configuration.md."""
    lines = [INTRODUCTION]
    for title, introduction, model in PARTS:
        lines += [f"## {title}", "", introduction, ""]
        for path, section in _sections(model):
            lines += [f"### `{path}`", ""] if path else []
            lines += [*_table(section), ""]
    return "\n".join(lines)


def interventions_table() -> str:
    """The table of interventions in docs/safety.md. Raises KeyError for one without advice."""
    lines = [
        "| intervention | what it means | stops the arm | the operator feels | what to do |",
        "|---|---|---|---|---|",
    ]
    for name, intervention in INTERVENTIONS.items():
        stops = "until released" if intervention.fault else ""
        cells = (f"`{name}`", intervention.explanation, stops, _felt(intervention.haptic), ADVICE[name])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """docs/safety.md with the table between its marks. Raises ValueError without the marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"docs/safety.md lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{interventions_table()}\n{END}{after}"


def missing_meanings() -> list[str]:
    """The keys that nothing explains."""
    models = [section for _, _, model in PARTS for _, section in _sections(model)]
    return sorted({f"{m.__name__}.{key}" for m in models for key in m.model_fields if not _meaning(m, key)})


def _felt(pattern: HapticPattern) -> str:
    duration_s, amplitude, count = pattern.value
    if not count:
        return "nothing"
    strength = "strong" if amplitude > 0.7 else "light"
    return f"{count} {strength} pulse{'s' if count > 1 else ''} of {duration_s * 1000:.0f} ms"


def _sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for key, field in model.model_fields.items():
        for inner, suffix in _models_in(field.annotation):
            yield from _sections(inner, f"{path}.{key}{suffix}".lstrip("."))


def _models_in(annotation: Any, suffix: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
        return
    origin = get_origin(annotation)
    within = {dict: ".NAME", tuple: "[]"}.get(origin, "") if origin else ""
    several = [inner for part in get_args(annotation) for inner in _models_in(part, suffix + within)]
    named = len(several) > 1
    for inner, where in several:
        kind = inner.model_fields["kind"].default if named and "kind" in inner.model_fields else ""
        yield inner, where if not kind or kind in where else f"{where} (kind: {kind})"


def _table(model: type[BaseModel]) -> list[str]:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in model.model_fields.items():
        cells = (f"`{key}`", _type(field.annotation) + _bounds(field), _default(field), _meaning(model, key))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return lines


def _meaning(model: type[BaseModel], key: str) -> str:
    family = [kind for kind in model.__mro__ if issubclass(kind, BaseModel) and key in kind.model_fields]
    named = next((MEANINGS[name] for kind in family if (name := f"{kind.__name__}.{key}") in MEANINGS), None)
    said = (meaning for kind in family if (meaning := _from_docstring(kind).get(key)))
    return named or model.model_fields[key].description or next(said, "")


def _from_docstring(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring says of keys: `key, other: text`, up to the next such start or the paragraph's end."""
    keys = "|".join(sorted(model.model_fields, key=len, reverse=True))
    start = re.compile(rf"(?:^|(?<=\. )|(?<=; ))((?:{keys})(?:, (?:{keys}))*): ")
    meanings: dict[str, str] = {}
    for paragraph in (model.__doc__ or "").split("\n\n"):
        found = list(start.finditer(text := " ".join(paragraph.split())))
        ends = [*(match.start() for match in found[1:]), len(text)]
        for match, end in zip(found, ends, strict=False):
            meaning = text[match.end() : end].strip().rstrip(".;")
            meanings |= dict.fromkeys(match.group(1).split(", "), meaning)
    return meanings


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "null"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_type, arguments)))
    if origin is tuple:
        inner = _type(arguments[0])
        return f"list of {inner}" if arguments[-1] is ... else f"{len(arguments)} × {inner}"
    if origin is dict:
        return f"map to {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "see below"
    plain = {str: "text", Path: "path", datetime: "time", float: "number", int: "integer", bool: "true or false"}
    return plain.get(annotation, "any value")


def _bounds(field: FieldInfo) -> str:
    words = []
    for limit in field.metadata:
        match limit:
            case Gt(gt=bound):
                words.append(f", > {bound:g}")
            case Ge(ge=bound):
                words.append(f", ≥ {bound:g}")
            case Lt(lt=bound):
                words.append(f", < {bound:g}")
            case Le(le=bound):
                words.append(f", ≤ {bound:g}")
    return "".join(words)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        return "as below" if value == type(value).model_construct() else f"`{_inline(value.model_dump(mode='json'))}`"
    return f"`{_inline(value)}`"


def _inline(value: Any) -> str:
    if isinstance(value, BaseModel):
        return _inline(value.model_dump(mode="json", exclude_defaults=True))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, str):
        return value or '""'
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def main() -> None:
    """Write both pages."""
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    safety = DOCS / "safety.md"
    safety.write_text(with_table(safety.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
