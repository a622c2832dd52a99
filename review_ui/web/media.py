"""The media routes: the player's document, its videos, and the exact recorded frames.

What is asked for is looked up in the catalog and the file by name; no path is ever made of what came in a request.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from review_ui.web.context import ServerContext
from review_ui.web.open_readers import FileKey, OpenReaders, file_key
from review_ui.web.player_document import (
    MEDIA,
    Document,
    PlayerRecording,
    faulty_document,
    player_document,
    read_player_recording,
)
from teleloom.catalog import EpisodeRow, UnknownEpisodeError
from teleloom.episode.layout import EPISODE_ID, EPISODES_FOLDER
from teleloom.episode.reader import BadEpisodeError
from teleloom.episode.streams import CAMERA_PREFIX

MOST_REMEMBERED = 64
"""Documents of about a quarter of a megabyte each."""

FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
FOR_EVER = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
"""For addresses that carry the hash of what they give."""


class NotThereError(LookupError):
    """Something that a request named is not there. The message says what."""


def media_routes(context: ServerContext) -> list[Route]:
    """The routes under MEDIA. Each answers an error as JSON: {error, kind}."""
    media = _Media(context)
    return [
        Route(f"{MEDIA}/{{episode_id}}/player.json", _answering(media.document)),
        Route(f"{MEDIA}/{{episode_id}}/{{camera}}.mp4", _answering(media.video)),
        Route(f"{MEDIA}/{{episode_id}}/{{camera}}/{{frame:int}}.jpg", _answering(media.frame)),
        Route(f"{MEDIA}/{{rest:path}}", _answering(_nothing)),
    ]


class _Media:
    """The handlers, with the files and documents that they keep at hand. Called from several threads at once."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._readers = OpenReaders()
        self._recorded: OrderedDict[FileKey, PlayerRecording] = OrderedDict()
        self._lock = Lock()
        root = Path(context.root)
        self._allowed = {root.resolve(), (root / EPISODES_FOLDER).resolve()}

    def document(self, request: Request) -> Response:
        row = self._row(request)
        path = Path(self._context.catalog.path_of(row))
        try:
            recorded = self._read(row)
        except BadEpisodeError as error:
            fault = faulty_document(row, error, path)
            return _json(fault | {"error": fault["fault"], "kind": "bad-episode"}, 422)
        proxy = self._context.proxies.document(row)
        if proxy is None and any(camera.frames for camera in recorded.cameras):
            self._context.proxies.want(row.id)
        return _json(player_document(row, recorded, proxy))

    def video(self, request: Request) -> Response:
        row = self._row(request)
        camera = request.path_params["camera"]
        path = self._context.proxies.video(row, camera)
        try:
            status = os.stat(path) if path is not None else None
        except OSError:
            status = None
        if path is None or status is None:
            raise NotThereError(f"no video of camera {camera!r} of episode {row.id}, or not yet")
        return FileResponse(path, media_type="video/mp4", stat_result=status, headers=FOR_EVER)

    def frame(self, request: Request) -> Response:
        row = self._row(request)
        camera, frame = request.path_params["camera"], request.path_params["frame"]
        with self._readers.reading(self._path(row)) as reader:
            if camera not in reader.cameras or reader.attributes(f"{CAMERA_PREFIX}{camera}").get("codec") != "jpeg":
                raise NotThereError(f"no camera {camera!r} with pictures in episode {row.id}")
            try:
                data = reader.frame_bytes(camera, frame)
            except IndexError:
                raise NotThereError(f"camera {camera!r} of episode {row.id} has no frame {frame}") from None
        return Response(data, media_type="image/jpeg", headers=FOR_EVER)

    def _row(self, request: Request) -> EpisodeRow:
        episode_id = request.path_params["episode_id"]
        if not EPISODE_ID.fullmatch(episode_id):
            raise NotThereError("no such episode: an id has letters, digits, - and _ only")
        try:
            return self._context.catalog.episode(episode_id)
        except UnknownEpisodeError as error:
            raise NotThereError(str(error)) from None

    def _path(self, row: EpisodeRow) -> Path:
        """The episode's file. Raises BadEpisodeError when it lies outside of what this server may show."""
        path = Path(self._context.catalog.path_of(row))
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(folder) for folder in self._allowed):
            raise BadEpisodeError(
                path, "lies outside the root that is served", "move it there and run `teleloom review rescan ROOT`"
            )
        return path

    def _read(self, row: EpisodeRow) -> PlayerRecording:
        path = self._path(row)
        key = file_key(path)
        with self._lock:
            if key in self._recorded:
                self._recorded.move_to_end(key)
                return self._recorded[key]
        with self._readers.reading(path) as reader:
            if reader.id != row.id:
                raise BadEpisodeError(path, f"holds episode {reader.id}, not {row.id}")
            recorded = read_player_recording(reader)
        with self._lock:
            self._recorded[key] = recorded
            while len(self._recorded) > MOST_REMEMBERED:
                self._recorded.popitem(last=False)
        return recorded


def _nothing(request: Request) -> Response:
    raise NotThereError(f"nothing is at {request.url.path[:200]}")


def _answering(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """`handler` with what it raises turned into an answer. It stays a plain function: Starlette gives it a thread."""

    def answer(request: Request) -> Response:
        try:
            return handler(request)
        except NotThereError as error:
            return _json({"error": str(error), "kind": "not-found"}, 404)
        except BadEpisodeError as error:
            return _json({"error": f"{error.path.name}: {error.fault}", "kind": "bad-episode"}, 422)

    return answer


def _json(document: Document, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, FRESH, "application/json")
