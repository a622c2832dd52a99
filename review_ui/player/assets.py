"""The player's JavaScript and CSS, and how a browser gets them: for ever, under an address that names their content.

`/teleloom/player/VERSION/js/index.js` may be kept for a year; modules import one another by relative addresses, so a
page never mixes two versions. Without a version, or with that of another release, the browser asks every time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "/teleloom/player"
FOLDER = Path(__file__).parent
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
KEPT = "public, max-age=31536000, immutable"
ASKED = "no-cache"
VERSION_LENGTH = 16


def player_files() -> dict[str, Path]:
    """Every file the browser may have, by its path below the player's address."""
    paths = (path for suffix in MEDIA_TYPES for path in FOLDER.rglob(f"*{suffix}"))
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(paths)}


def player_version() -> str:
    """A hash of all files' names and content. Read anew each time (a millisecond), as an upgrade may have come."""
    digest = hashlib.sha256()
    for name, path in player_files().items():
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:VERSION_LENGTH]


def player_url(name: str) -> str:
    """The address of one file, e.g. "js/index.js", in today's version."""
    return f"{PREFIX}/{player_version()}/{name}"


def player_route() -> Route:
    """Serves the files of the player."""
    return Route(f"{PREFIX}/{{path:path}}", _send, methods=["GET", "HEAD"])


def _send(request: Request) -> Response:
    name = request.path_params["path"]
    files = player_files()
    version, _, rest = name.partition("/")
    path = files.get(name) or files.get(rest)
    if path is None:
        return PlainTextResponse(f"the player has no file {name!r}\n", status_code=404)
    content = path.read_bytes()
    kept = name not in files and version == player_version()
    headers = {
        "Cache-Control": KEPT if kept else ASKED,
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]}"',
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPES[path.suffix], headers=headers)
