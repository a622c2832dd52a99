"""Our own exports coming back: from the step columns and the JSON document that every export keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dataset_builder.exchange.exporting.episodes import ABOUT_FORMAT, ABOUT_VERSION
from dataset_builder.exchange.importing.dataset import ImportOptions
from dataset_builder.exchange.importing.episode import ImportedCamera, ImportedEpisode, RawArray, UnimportableError
from teleloom.config import describe
from teleloom.episode.meta import EpisodeMeta, Instruction

MAX_DOCUMENT_CHARS = 64 * 1024 * 1024


@dataclass(frozen=True)
class About:
    """What the document of an exported episode says. cameras: the station's name of each image key."""

    meta: EpisodeMeta
    rate_hz: float
    cameras: Mapping[str, str]
    action_names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> About:
        """Raises UnimportableError when it is not such a document, or of another version."""
        try:
            document = _document(text)
            meta = EpisodeMeta.model_validate(document["meta"])
            cameras = {str(key): str(camera) for key, camera in document["cameras"].items()}
            names = tuple(str(name) for name in document["action_names"])
            return cls(meta, float(document["rate_hz"]), cameras, names)
        except ValidationError as error:
            raise UnimportableError("bad-metadata", f"its metadata is wrong:\n{describe(error, EpisodeMeta)}") from None
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UnimportableError("bad-metadata", f"its document cannot be read ({error})") from None


def restored(
    about: About,
    columns: Mapping[str, NDArray[Any]],
    images: Mapping[str, ImportedCamera],
    options: ImportOptions,
    *,
    format: str,
    dataset: str,
    source: str,
    raw: Mapping[str, RawArray],
) -> ImportedEpisode:
    """The episode of an export of ours. columns: as Departure.columns names them; images: by image key.

    What has no stream of its own here, the manifest's actions above all, goes to the format's own arrays in `raw`.
    Raises UnimportableError for a column that is missing or has another shape.
    """
    meta = _said_otherwise(about.meta, options)
    joints = len(meta.robot.joint_names)
    read = _Columns(columns, len(next(iter(columns.values()), ())))
    target, joint_target = read.table("target", 8), read.table("joint_target", joints + 1)
    kept = {f"teleloom.{name}": RawArray(read.column(name)) for name in ("action_mode", "is_valid", "weight")}
    kept["teleloom.action"] = RawArray(read.table("action", len(about.action_names)), about.action_names)
    return ImportedEpisode(
        format=format,
        dataset=dataset,
        source=source,
        rate_hz=options.rate_hz or about.rate_hz,
        task=meta.task.name,
        instructions=tuple(instruction.text for instruction in meta.task.instructions),
        robot=meta.robot,
        cameras={about.cameras.get(key, key): camera for key, camera in images.items()},
        raw={**raw, **kept},
        t_ns=read.column("t_ns").astype(np.int64),
        joints=read.table("joints", joints),
        joint_velocity=read.table("joint_velocity", joints),
        effort=read.table("effort", joints),
        pose=read.table("tool_pose", 7),
        gripper=read.column("gripper"),
        joint_target=joint_target[:, :-1],
        pose_target=target[:, :7],
        gripper_target=target[:, 7],
        human_target=read.table("human_target", 8),
        policy_target=read.table("policy_target", 8),
        mode=read.column("control_mode").astype(np.uint8),
        is_intervention=read.column("is_intervention").astype(np.bool_),
        meta=meta,
        notes=("It was exported by teleloom: what is here are its steps, not the streams at their own rates.",),
    )


def _said_otherwise(meta: EpisodeMeta, options: ImportOptions) -> EpisodeMeta:
    """The metadata with what the user says in place of the dataset."""
    task = meta.task
    if options.instruction:
        others = (i.model_copy(update={"spoken": False}) for i in task.instructions if i.text != options.instruction)
        spoken = Instruction(text=options.instruction, spoken=True)
        task = task.model_copy(update={"instructions": (spoken, *others)})
    task = task.model_copy(update={"name": options.task or task.name, "scene": options.scene or task.scene})
    changes = {"task": task, "operator": options.operator or meta.operator, "robot": options.robot or meta.robot}
    return meta.model_copy(update=changes)


@dataclass(frozen=True)
class _Columns:
    columns: Mapping[str, NDArray[Any]]
    count: int

    def table(self, name: str, width: int) -> NDArray[Any]:
        values = self.columns.get(name)
        if values is None and not width:
            return np.empty((self.count, 0))
        if values is None or values.size != self.count * width:
            there = "missing" if values is None else str(values.shape)
            raise UnimportableError("wrong-shape", f"column {name} is {there} where {(self.count, width)} belongs")
        return values.reshape(self.count, width)

    def column(self, name: str) -> NDArray[Any]:
        return self.table(name, 1)[:, 0]


def _document(text: str) -> dict[str, Any]:
    if len(text) > MAX_DOCUMENT_CHARS:
        raise ValueError(f"{len(text)} characters; at most {MAX_DOCUMENT_CHARS}")
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != ABOUT_FORMAT:
        raise ValueError(f"no {ABOUT_FORMAT} document")
    if document.get("version") != ABOUT_VERSION:
        raise ValueError(f"version {document.get('version')}; this reads {ABOUT_VERSION}: update teleloom")
    return document
