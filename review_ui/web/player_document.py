"""What the player must know of an episode besides its pictures, as one JSON document.

All times in it are ns from the episode's start, integers that a browser's numbers hold exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import ValidationError

from review_ui.proxies import CameraProxy, EpisodeProxy
from review_ui.web.curves import lanes_of
from review_ui.web.marks import events_of, interventions_of, modes_of, within
from teleloom.catalog import EpisodeRow
from teleloom.clock import NS_PER_S
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.streams import CAMERA_PREFIX
from teleloom.quality import QualityReport
from teleloom.quality.recording import Recording, read_recording

MEDIA = "/teleloom/media"
MAX_HOURS = 24
MAX_FRAMES = 200_000
TRIM_MARGIN_S = 0.25
SHORTEST_REST_S = 0.5
SHORTEST_TRIM_S = 0.5
EMPTY = ("cameras", "lanes", "events", "interventions", "modes", "findings", "risks")

Document = dict[str, Any]


@dataclass(frozen=True)
class ColourCamera:
    """A camera with pictures. t_ns: when each frame was recorded, as encoded JSON."""

    name: str
    width: int
    height: int
    frames: int
    t_ns: msgspec.Raw


@dataclass(frozen=True)
class PlayerRecording:
    """The part of the document that the file gives, and that never changes. lanes: encoded JSON, it is the bulk."""

    start_ns: int
    duration_ns: int
    cameras: tuple[ColourCamera, ...]
    lanes: msgspec.Raw
    marks: Document


def read_player_recording(reader: EpisodeReader) -> PlayerRecording:
    """Read what an episode's file gives. Raises BadEpisodeError, also for what no player can show."""
    recording = read_recording(reader)
    duration_ns = recording.end_ns - recording.start_ns
    if duration_ns > MAX_HOURS * 3600 * NS_PER_S:
        hours = duration_ns / NS_PER_S / 3600
        raise BadEpisodeError(reader.path, f"spans {hours:.0f} hours; a player shows at most {MAX_HOURS}")
    return PlayerRecording(
        start_ns=recording.start_ns,
        duration_ns=duration_ns,
        cameras=tuple(_camera(reader, recording, name) for name in recording.cameras),
        lanes=msgspec.Raw(msgspec.json.encode(lanes_of(recording))),
        marks={
            "events": events_of(recording, reader.events()),
            "interventions": interventions_of(recording),
            "modes": modes_of(recording),
        },
    )


def player_document(row: EpisodeRow, recorded: PlayerRecording, proxy: EpisodeProxy | None) -> Document:
    """The whole document of an episode. proxy: its sidecar, where there is one."""
    quality = _quality(row)
    span = (recorded.start_ns, recorded.duration_ns)
    return {
        "episode_id": row.id,
        "duration_ns": recorded.duration_ns,
        "cameras": [_camera_document(row, camera, proxy) for camera in recorded.cameras],
        "lanes": recorded.lanes,
        **recorded.marks,
        "findings": [within(each.model_dump(mode="json"), *span) for each in quality.findings] if quality else [],
        "risks": [within(risk, *span) for risk in row.risks],
        "suggested_trim": suggested_trim(quality.metrics if quality else {}, recorded.duration_ns),
        "fault": None,
    }


def faulty_document(row: EpisodeRow, error: BadEpisodeError, path: Path) -> Document:
    """The document of an episode that cannot be shown: it says why, and where the file lies under the root."""
    fault = str(error).replace(str(path), row.path)
    nothing: Document = {name: [] for name in EMPTY}
    whole = {"duration_ns": row.duration_ns, "suggested_trim": [0, row.duration_ns]}
    return {"episode_id": row.id, **whole, **nothing, "fault": fault}


def suggested_trim(metrics: dict[str, float], duration_ns: int) -> list[int]:
    """Where the motion is: the episode without the rest at its ends, but for TRIM_MARGIN_S of it.

    metrics: of the quality report. The whole episode where hardly anything would go or hardly anything would stay.
    """
    leading_s, trailing_s = (metrics.get(name, 0.0) for name in ("idle_leading_s", "idle_trailing_s"))
    start_ns = round((leading_s - TRIM_MARGIN_S) * NS_PER_S) if leading_s > SHORTEST_REST_S else 0
    cut_ns = round((trailing_s - TRIM_MARGIN_S) * NS_PER_S) if trailing_s > SHORTEST_REST_S else 0
    if duration_ns - cut_ns - start_ns < SHORTEST_TRIM_S * NS_PER_S:
        return [0, duration_ns]
    return [start_ns, duration_ns - cut_ns]


def _quality(row: EpisodeRow) -> QualityReport | None:
    try:
        return QualityReport.model_validate(row.quality)
    except ValidationError:  # there is none, or it was written by another version
        return None


def _camera(reader: EpisodeReader, recording: Recording, name: str) -> ColourCamera:
    t_ns = recording.cameras[name]
    if len(t_ns) > MAX_FRAMES:
        raise BadEpisodeError(reader.path, f"camera {name} has {len(t_ns)} frames; a player shows {MAX_FRAMES}")
    if len(t_ns):
        reader.frame_bytes(name, 0)  # finds out now whether the camera's frames can be found at all
    attributes = reader.attributes(f"{CAMERA_PREFIX}{name}")
    width, height = (attributes.get(side) for side in ("width", "height"))
    if not (isinstance(width, int) and isinstance(height, int)):
        raise BadEpisodeError(reader.path, f"camera {name} does not say how large its pictures are")
    relative = msgspec.Raw(msgspec.json.encode((t_ns - recording.start_ns).tolist()))
    return ColourCamera(name, width, height, len(t_ns), relative)


def _camera_document(row: EpisodeRow, camera: ColourCamera, proxy: EpisodeProxy | None) -> Document:
    where, version = f"{MEDIA}/{row.id}/{quote(camera.name, safe='')}", row.content_hash[:8]
    video = proxy.cameras.get(camera.name) if proxy is not None else None
    return {
        "name": camera.name,
        "width": camera.width,
        "height": camera.height,
        "t_ns": camera.t_ns,
        "jpeg": f"{where}/{{i}}.jpg?v={version}",
        "proxy": _proxy_document(video, f"{where}.mp4?v={version}") if video else None,
        "damaged": video.damaged if video else [],
    }


def _proxy_document(video: CameraProxy, url: str) -> Document:
    return {
        "url": url,
        "codec": video.codec,
        "description": video.description,
        "width": video.width,
        "height": video.height,
        "samples": video.samples,
    }
