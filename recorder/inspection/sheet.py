"""The contact sheet: pictures of all cameras at the same instants, the recorded bytes themselves."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teleloom.episode.reader import EpisodeReader
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.pages.markup import Html, image, tag
from teleloom.quality import Finding

MAX_PICTURE_BYTES = 8 * 1024 * 1024


def instants(reader: EpisodeReader, cameras: Sequence[str], count: int) -> NDArray[np.int64]:
    """`count` times, ns, from the first at which every camera has a picture to the last picture of any.

    Empty where there is no camera.
    """
    if not cameras:
        return np.zeros(0, dtype=np.int64)
    times = [_times(reader, camera) for camera in cameras]
    start_ns, end_ns = max(int(t[0]) for t in times), max(int(t[-1]) for t in times)
    return start_ns + np.linspace(0, end_ns - start_ns, count).astype(np.int64)


def contact_sheet(
    reader: EpisodeReader,
    cameras: Sequence[str],
    times: NDArray[np.int64],
    start_ns: int,
    faults: Sequence[Finding] = (),
) -> Html:
    """One row per camera, one column per time: the newest frame at or before it, marked where a fault covers it.

    times: (C,) ns; the captions count from start_ns.
    """
    cells: list[Html] = []
    for camera in cameras:
        cells.append(tag("p", camera, class_="camera"))
        own = [finding for finding in faults if finding.source == f"{CAMERA_PREFIX}{camera}"]
        recorded = _times(reader, camera)
        for t_ns in times:
            index = _newest(recorded, int(t_ns))
            shown_ns = int(recorded[index]) if index >= 0 else int(t_ns)
            marked = any(finding.start_ns <= shown_ns <= finding.end_ns for finding in own)
            caption = tag("figcaption", f"{(int(t_ns) - start_ns) / 1e9:.1f} s")
            picture = _picture(reader, camera, index)
            cells.append(tag("figure", picture, caption, class_="marked" if marked else None))
    return tag("div", *cells, class_="sheet", style=_columns(len(times)))


def filmstrip(reader: EpisodeReader, camera: str, times: NDArray[np.int64]) -> Html:
    """One camera's pictures in a row, without words."""
    recorded = _times(reader, camera)
    cells = [tag("figure", _picture(reader, camera, _newest(recorded, int(t_ns)))) for t_ns in times]
    return tag("div", *cells, class_="sheet filmstrip", style=_columns(len(times)))


def jpeg_cameras(reader: EpisodeReader) -> list[str]:
    """The cameras whose frames a browser can show, and that have any."""
    return [
        name
        for name in reader.cameras
        if reader.attributes(f"{CAMERA_PREFIX}{name}").get("codec") == "jpeg" and len(_times(reader, name))
    ]


def _columns(count: int) -> str:
    return f"grid-template-columns:repeat({count},minmax(0,1fr))"


def _times(reader: EpisodeReader, camera: str) -> NDArray[np.int64]:
    return reader.stream(f"{CAMERA_PREFIX}{camera}")["t_ns"]


def _newest(recorded: NDArray[np.int64], t_ns: int) -> int:
    return int(np.searchsorted(recorded, t_ns, side="right")) - 1


def _picture(reader: EpisodeReader, camera: str, index: int) -> Html:
    if index < 0:
        return tag("span", "not yet", class_="none")
    data = reader.frame_bytes(camera, index)
    if len(data) > MAX_PICTURE_BYTES:
        return tag("span", "too large", class_="none")
    return image(f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", f"{camera}, frame {index}")
