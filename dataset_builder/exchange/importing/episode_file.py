"""The episode file that is made of a foreign episode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dataset_builder.exchange.importing.episode import AlreadyImportedError, ImportedEpisode, UnimportableError
from dataset_builder.exchange.importing.episode_meta import camera_specs, meta_of
from dataset_builder.exchange.importing.episode_streams import streams_of
from dataset_builder.exchange.importing.identity import derived_digest, imported_id
from teleloom.config import describe
from teleloom.episode.layout import IMPORTED_STREAM, episode_path
from teleloom.episode.meta import EpisodeMeta
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.streams import MAX_TIME_NS
from teleloom.episode.writer import write_episode

MAX_RATE_HZ = 10_000.0


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
    try:
        cameras = camera_specs(episode)
        write_episode(path, meta_of(episode, identity, cameras), streams_of(episode, cameras, derived))
    except UnimportableError:
        raise
    except ValidationError as error:
        detail = f"no episode can be made of what it says:\n{describe(error, EpisodeMeta)}"
        raise UnimportableError("unfit", detail) from None
    except ValueError as error:
        raise UnimportableError("unfit", f"no episode can be made of it: {error}") from None
    return identity


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
