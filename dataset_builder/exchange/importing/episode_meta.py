"""The metadata of the episode file that is made of a foreign episode, and its notes on where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np
import simplejpeg

from dataset_builder.exchange.importing.episode import ImportedCamera, ImportedEpisode, UnimportableError
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.streams import frame_is_whole
from teleloom.messages import ControlMode
from teleloom.specs import CameraSpec


def camera_specs(episode: ImportedEpisode) -> list[CameraSpec]:
    """The cameras as their frames show them. Raises UnimportableError for a frame that is broken or of another size."""
    return [_camera_spec(name, camera, episode.rate_hz) for name, camera in sorted(episode.cameras.items())]


def meta_of(episode: ImportedEpisode, identity: str, cameras: Sequence[CameraSpec]) -> EpisodeMeta:
    """Raises ValidationError where it says what no episode can hold."""
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
