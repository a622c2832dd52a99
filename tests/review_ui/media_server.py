"""The media routes alone, served by a real uvicorn on a free port of this machine, and a client that takes bytes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_in_thread import serving_app
from starlette.applications import Starlette

from review_ui.access import TokenStore
from review_ui.access.binding import Binding, policy
from review_ui.proxies import ProxyStore
from review_ui.service import ReviewService
from review_ui.web.context import ServerContext
from review_ui.web.media import media_routes
from teleloom.catalog import Catalog

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What came back. headers: by name in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class MediaServer:
    """A running server over `root`, and its catalog."""

    root: Path
    catalog: Catalog
    port: int

    def get(self, target: str, **headers: str) -> Answer:
        """GET the address as it is written, nothing in it normalised."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)
        finally:
            connection.close()

    def document(self, episode_id: str) -> Any:
        """The player's document, which must be there."""
        answer = self.get(f"/teleloom/media/{episode_id}/player.json")
        assert answer.status == 200, answer.body
        return answer.json


@contextmanager
def serving(root: Path) -> Iterator[MediaServer]:
    """Serve the media of `root` while the block lasts."""
    with Catalog.open(root) as catalog:
        access = policy(Binding(), TokenStore(root), None, "anna")
        context = ServerContext(root, catalog, ReviewService(catalog), ProxyStore(root), access)
        with serving_app(Starlette(routes=media_routes(context))) as url:
            yield MediaServer(root, catalog, int(url.rpartition(":")[2]))
