"""The cameras of a DROID episode: `recordings/MP4`, and the times at which the frames were taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.exchange.droid.trajectory import NS_PER_MS, TIME, Trajectory
from dataset_builder.exchange.importing.episode import ImportedCamera, UnimportableError, encode_pixels
from teleloom.extras import require

NAMES = {"wrist": "wrist", "ext1": "exterior_1", "ext2": "exterior_2"}
"""Ours for those that the metadata names."""

CAPTURED = ("estimated_capture", "frame_received", "read_end")
"""When a camera's frame was taken, best first: names of its timestamps."""


def cameras_of(
    trajectory: Trajectory,
    metadata: Mapping[str, Any],
    count: int,
    t_ns: NDArray[np.int64] | None,
    start_ms: int | None,
    quality: int,
) -> tuple[dict[str, ImportedCamera], list[str], tuple[str, ...]]:
    """The cameras of the MP4 files, what to note of them, and which recordings are not carried."""
    folder = trajectory.file.parent / "recordings"
    serials = {str(metadata.get(f"{name}_cam_serial")): ours for name, ours in NAMES.items()}
    cameras: dict[str, ImportedCamera] = {}
    notes: list[str] = []
    missing = [f"recordings/SVO/{file.name}" for file in sorted(folder.glob("SVO/*.svo*"))]
    for file in sorted(folder.glob("MP4/*.mp4")):
        if file.stem.endswith("-stereo"):
            missing.append(f"recordings/MP4/{file.name}")
            continue
        name = serials.get(file.stem) or _by_type(trajectory, file.stem)
        frames = list(_frames(file, count + 1, quality))
        if len(frames) > count:
            notes.append(f"Camera '{name}' has more frames than there are steps; the first {count} were taken.")
        elif len(frames) < count:
            notes.append(f"Camera '{name}' has {len(frames)} frames for {count} steps.")
        frames = frames[:count]
        taken = None if t_ns is None or start_ms is None else _captured(trajectory, file.stem, len(frames), start_ms)
        with file.open("rb") as video:
            origin = hashlib.file_digest(video, "sha256").digest()
        cameras[name] = ImportedCamera(frames, quality, taken, origin)
    if not cameras:
        notes.append("There is no recordings/MP4 with it: it has no camera.")
    return cameras, notes, tuple(missing)


def _by_type(trajectory: Trajectory, serial: str) -> str:
    """A camera that the metadata does not name: type 0 is the one at the wrist."""
    kind = trajectory.known(f"observation/camera_type/{serial}")
    return "wrist" if kind is not None and kind.size and int(kind.flat[0]) == 0 else f"camera_{serial}"


def _captured(trajectory: Trajectory, serial: str, count: int, start_ms: int) -> NDArray[np.int64] | None:
    for moment in CAPTURED:
        times = trajectory.known(f"{TIME}/cameras/{serial}_{moment}")
        if times is not None and len(times) >= count:
            t_ns = (times[:count].astype(np.int64) - start_ms) * NS_PER_MS
            if np.all(np.diff(t_ns) > 0) and t_ns[0] >= 0:
                return t_ns
    return None


def _frames(file: Path, at_most: int, quality: int) -> Iterator[bytes]:
    """The frames of a video as JPEG, each encoded once."""
    av = require("av", "exchange")
    try:
        with av.open(str(file)) as container:
            for frame in islice(container.decode(video=0), at_most):
                yield encode_pixels(frame.to_ndarray(format="rgb24"), quality)
    except (av.error.FFmpegError, IndexError) as error:
        raise UnimportableError("broken-video", f"{file.name} cannot be decoded: {error}") from None
