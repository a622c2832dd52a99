"""Pictures beside imported questions: really there, really pictures, and nowhere else on the disk."""

from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath

import simplejpeg

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_SIDE = 16_384
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"


class BadPictureError(ValueError):
    """A picture that cannot be used. The message names it and says why."""


def check_picture(folder: Path, name: str) -> tuple[int, int]:
    """Height and width of `name`, relative to `folder`. Raises BadPictureError unless it is a JPEG or PNG file in it
    whose header is sound."""
    path = inside(folder, name)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadPictureError(f"image '{name}' is no file")
        if size > MAX_FILE_BYTES:
            raise BadPictureError(f"image '{name}' has {size} bytes; at most {MAX_FILE_BYTES} are accepted")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadPictureError(f"image '{name}' is not there; it is looked for in {folder}") from None
    except OSError as error:
        raise BadPictureError(f"image '{name}' cannot be read ({error.strerror})") from None
    height, width = size_of(name, data)
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise BadPictureError(f"image '{name}' is {width} x {height} pixels; at most {MAX_SIDE} a side are accepted")
    return height, width


def inside(folder: Path, name: str) -> Path:
    """The file `name` below `folder`. Raises BadPictureError for a path that leaves it, also by a link."""
    if "://" in name:
        raise BadPictureError(f"image '{name}' is an address; download the file and name it relative to the JSONL")
    if PurePosixPath(name).is_absolute() or "\\" in name or "\0" in name or ".." in PurePosixPath(name).parts:
        raise BadPictureError(f"image '{name}' must be a path below the folder of the JSONL, with forward slashes")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadPictureError(f"image '{name}' is a link out of the folder of the JSONL")
    return path


def size_of(name: str, data: bytes) -> tuple[int, int]:
    """Height and width of a JPEG or PNG, by its header. Raises BadPictureError, which says `name`."""
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    if data.startswith(_JPEG):
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError as error:
            raise BadPictureError(f"image '{name}' has a header that cannot be read: {error}") from None
        return height, width
    raise BadPictureError(f"image '{name}' is neither JPEG nor PNG")
