"""By what an imported episode is known again: one digest of what the foreign files hold, one of what was derived."""

from __future__ import annotations

import hashlib
import json
import uuid

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.importing.episode import ImportedEpisode
from teleloom.episode.streams import CAMERA_PREFIX


def imported_id(episode: ImportedEpisode) -> str:
    """The id that this foreign episode has in every station: a UUIDv8 (RFC 9562) of its raw arrays, frames and texts.

    What was derived does not count, nor where the files lay: the same recording imported again has the same id.
    """
    raw = bytearray(hashlib.sha256(_source_digest(episode)).digest()[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


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


def derived_digest(episode: ImportedEpisode) -> str:
    """SHA-256, hex, of all that another --map, --robot, rate or JPEG quality would make otherwise."""
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
