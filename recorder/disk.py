"""Room on the disk: asked for before it is needed, because HDF5 must never meet a full disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from recorder.errors import DiskFullError
from teleloom.episode.meta import EpisodeMeta
from teleloom.files import free_bytes

FULL_ERRNOS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
SECONDS_PER_MINUTE = 60.0
JPEG_BYTES_PER_PIXEL = 0.25
"""A kitchen scene at quality 90 takes 0.24 bytes per pixel."""
STATE_BYTES_PER_S = 250_000
"""Robot states and control ticks at 200 Hz, operator frames at 90 Hz."""


def is_full(error: OSError) -> bool:
    """Whether the system refused to write for want of room: a full disk, a quota or a file-size limit."""
    return error.errno in FULL_ERRNOS


def expected_bytes_per_s(meta: EpisodeMeta) -> float:
    """About how fast an episode with these cameras fills the disk."""
    pixels_per_s = sum(camera.width * camera.height * camera.rate_hz for camera in meta.cameras)
    return STATE_BYTES_PER_S + JPEG_BYTES_PER_PIXEL * pixels_per_s


def minutes_left(free: int, reserve: int, bytes_per_s: float) -> float:
    """Minutes until only the reserve is left."""
    return max(0, free - reserve) / max(bytes_per_s, 1.0) / SECONDS_PER_MINUTE


def mount_point(path: Path) -> Path:
    """The folder at which the disk that holds `path` is mounted."""
    folder = path.absolute()
    while not (folder.exists() and folder.is_mount()):
        folder = folder.parent
    return folder


def describe(path: Path) -> str:
    """The disk of `path` in words, with the room it has."""
    return f"the disk mounted at {mount_point(path)} ({free_bytes(path) / 1e9:.2f} GB free)"


def require_reserve(root: Path, reserve: int, bytes_per_s: float) -> None:
    """Raises DiskFullError when less than `reserve` bytes are free, saying for how long they would last."""
    free = free_bytes(root)
    if free < reserve:
        holds = minutes_left(free, 0, bytes_per_s)
        raise DiskFullError(
            f"recording to {root} not started: {describe(root)} is below the reserve of {reserve / 1e9:.2f} GB, "
            f"though it would hold {holds:.1f} more minutes; free some space, record to another disk, "
            "or lower recorder.min_free_bytes"
        )


def require_room(path: Path, size: int) -> None:
    """Raises DiskFullError unless `path` can be written now with `size` bytes.

    The file system itself is asked, by allocating such a file: that covers quotas and file-size limits too.
    """
    probe = path.with_name(f".{path.name}.room.tmp")
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, max(1, size))
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFullError(
            f"no room for {path} of {size / 1e6:.1f} MB on {describe(path)}: {error.strerror}; "
            "free some space or raise the limit, then run `teleloom recover`"
        ) from None
    finally:
        os.close(descriptor)
        probe.unlink()
