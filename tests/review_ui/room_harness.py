"""The review room on a bare page, before the real API, media and catalog; run as a program it can be killed.

`/?mode=review&by=anna` mounts the room for a reviewer; `episode`, `t_ns`, `other` and `theme` are given likewise.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from review_ui.access.cookies import Sessions
from review_ui.access.policy import REVIEWER, AccessPolicy
from review_ui.access.tokens import TokenStore
from review_ui.player.assets import player_route, player_url
from review_ui.proxies import ProxyStore
from review_ui.service import Reviewer, ReviewService
from review_ui.web.api import api_routes
from review_ui.web.context import ServerContext
from review_ui.web.media import media_routes
from teleloom.catalog import Catalog

BY = "by"
LEAD = "lea"
OUT = "out"
"""Somebody who is signed out."""

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Review</title><style>
html {background: %(background)s} body {margin: 0; padding: 60px 24px 10px; %(theme)s}
</style></head><body><div id="here"></div><script type="module">
import {mount, unmount} from "%(module)s";
const states = [];
const setStateValue = (name, value) => states.push([name, value]);
const data = %(data)s;
const here = document.getElementById("here");
window.harness = {
  states,
  mount: (more = {}) => mount(here, {...data, ...more}, {setStateValue}),
  unmount: () => unmount(here),
};
window.harness.mount();
</script></body></html>"""

DARK = {
    "--st-background-color": "#14191b",
    "--st-secondary-background-color": "#1e2528",
    "--st-text-color": "#e4e9ea",
    "--st-primary-color": "#2a8fa1",
    "--st-link-color": "#6cc3d1",
    "--st-border-color": "#313b3f",
}


class ByCookie:
    """Who asks is who the cookie `by` says; `out` is nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = Request(scope).cookies.get(BY, "anna")
            scope[REVIEWER] = None if name == OUT else Reviewer(name, "lead" if name == LEAD else "annotator")
        await self._app(scope, receive, send)


def page(request: Request) -> Response:
    asked = request.query_params
    dark = asked.get("theme") == "dark"
    data = {
        "mode": asked.get("mode", "review"),
        "episode_id": asked.get("episode"),
        "other_id": asked.get("other"),
        "t_ns": round(float(asked["t"]) * 1e9) if "t" in asked else None,
        "queue_filter": json.loads(asked["filter"]) if "filter" in asked else None,
    }
    answer = HTMLResponse(
        PAGE
        % {
            "module": player_url("js/index.js"),
            "data": json.dumps(data).replace("<", "\\u003c"),
            "background": DARK["--st-background-color"] if dark else "#fcfcfb",
            "theme": "; ".join(f"{name}: {value}" for name, value in DARK.items()) if dark else "",
        }
    )
    if BY in asked:
        answer.set_cookie(BY, asked[BY])
    return answer


def make_app(root: Path, catalog: Catalog) -> Starlette:
    """The room over `catalog`, with everything real but the sign-in."""
    access = AccessPolicy(everybody=None, sessions=Sessions(TokenStore(root), secure=False))
    context = ServerContext(root, catalog, ReviewService(catalog), ProxyStore(root), access)
    routes = [Route("/", page), player_route(), *api_routes(context), *media_routes(context)]
    return Starlette(routes=routes, middleware=[Middleware(ByCookie)])


@dataclass
class Server:
    """The harness in a process of its own, at the same port after every start."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, str(self.root), str(self.port)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/teleloom/api/me", timeout=5).close()
                return
            assert self.process.poll() is None, "the harness ended"
            time.sleep(0.1)
        raise AssertionError("the harness did not start within 30 s")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.kill()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextlib.contextmanager
def serving(root: Path) -> Iterator[Server]:
    """A harness that serves `root` until the block ends."""
    server = Server(root, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


def facts(root: Path, episode_id: str) -> dict[str, Any]:
    """What the catalog holds of an episode: its view, with times from the episode's start where it has any."""
    with Catalog.open(root) as catalog:
        return catalog.view(episode_id).model_dump(mode="json")


if __name__ == "__main__":
    where = Path(sys.argv[1])
    with Catalog.open(where) as opened:
        uvicorn.run(
            make_app(where, opened), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", lifespan="off"
        )
