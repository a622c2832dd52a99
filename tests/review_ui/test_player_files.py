from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from app_in_thread import serving_app
from starlette.applications import Starlette

from review_ui.player import assets


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Client:
    """Sends paths as they are written, `..` and all."""

    host: str

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        connection = HTTPConnection(self.host, timeout=30)
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving_app(Starlette(routes=[assets.player_route()])) as url:
        yield Client(url.removeprefix("http://"))


@pytest.mark.parametrize(("name", "kind"), [("js/engine/deck.js", "text/javascript"), ("css/room.css", "text/css")])
def test_files_of_this_version_are_kept_for_a_year(client: Client, name: str, kind: str) -> None:
    answer = client.get(assets.player_url(name))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.body == (assets.FOLDER / name).read_bytes()


@pytest.mark.parametrize(
    "path", ["/teleloom/player/js/engine/deck.js", "/teleloom/player/0123456789abcdef/js/engine/deck.js"]
)
def test_without_this_version_the_browser_asks_every_time(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-cache"
    unchanged = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status == 304


@pytest.mark.parametrize("name", ["component.py", "js/none.js", "../web/context.py", "%2e%2e/assets.py", "js", ""])
def test_nothing_but_scripts_and_styles_is_served(client: Client, name: str) -> None:
    assert client.get(f"/teleloom/player/{name}").status == 404


def test_the_version_changes_with_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = assets.player_version()
    copy = Path(shutil.copytree(assets.FOLDER, tmp_path / "player"))
    monkeypatch.setattr(assets, "FOLDER", copy)
    assert assets.player_version() == before
    with (copy / "js/engine/clock.js").open("a") as file:
        file.write("\n")
    assert assets.player_version() != before


def test_modules_import_one_another_by_relative_addresses_that_exist() -> None:
    """So that a version in the address of the first holds for all."""
    files = assets.player_files()
    for name, path in files.items():
        for target in re.findall(
            r"""^(?:import|export)\b[^"']*\bfrom\s+["']([^"']+)["']""", path.read_text(), re.MULTILINE
        ):
            assert target.startswith("."), f"{name} imports {target}"
            assert (path.parent / target).resolve() in {each.resolve() for each in files.values()}, f"{name}: {target}"
