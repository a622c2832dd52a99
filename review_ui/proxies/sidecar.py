"""What lies beside the videos of an episode: how to fetch any frame of them without parsing mp4."""

from __future__ import annotations

from pathlib import Path

import msgspec

from teleloom.files import atomic_write_bytes

ENCODER_VERSION = 1
"""Raise it when the encoder's settings or this layout change: every proxy is then made again."""

Sample = tuple[int, int, int]


class CameraProxy(msgspec.Struct, frozen=True):
    """The video of one camera, one sample for each recorded frame.

    file: its name beside the sidecar. width, height: of the coded picture, even; the frame fills it from the top left
    (an odd frame is one pixel smaller). codec, description: what WebCodecs asks for, the latter in base64. t_ns: when
    each frame was recorded, ns from the episode's start. samples: offset and size in bytes and whether it is a key
    frame, of each. damaged: rows whose recorded bytes are no picture; the sample repeats the one before.
    """

    file: str
    width: int
    height: int
    codec: str
    description: str
    t_ns: list[int]
    samples: list[Sample]
    damaged: list[int]


class EpisodeProxy(msgspec.Struct, frozen=True):
    """The videos of one episode. cameras: by name; one without any picture has no video.

    content_hash: of the episode they were made from, so that a proxy of other content is never shown.
    """

    content_hash: str
    version: int
    settings: str
    cameras: dict[str, CameraProxy]


class BadProxyError(ValueError):
    """A sidecar that is not one. The message names the file; remove its folder and it is made again."""


def sidecar_name(content_hash: str) -> str:
    """The name says what the proxy was made from and how: that it is there tells that it is up to date."""
    return f"proxy-v{ENCODER_VERSION}-{content_hash[:16]}.json"


def write_sidecar(path: Path, proxy: EpisodeProxy) -> None:
    """Write `proxy` to `path`, atomically."""
    atomic_write_bytes(path, msgspec.json.encode(proxy))


def read_sidecar(path: Path) -> EpisodeProxy:
    """Read a sidecar. Raises BadProxyError when it is damaged, and OSError when it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EpisodeProxy)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadProxyError(f"{path}: not a proxy's sidecar ({error}); remove the folder it is in") from None
