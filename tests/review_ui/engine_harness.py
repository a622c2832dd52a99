"""A page with nothing but the player's deck, and a server that answers what it asks for: marked frames as recorded
JPEGs and as proxies that were encoded for real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import marked_episodes as marked
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from review_ui.player.assets import player_route, player_url
from review_ui.proxies.video import encode_camera

PAGE = """<!doctype html><html><head><title>deck</title><style>
body {margin: 0; font: 14px sans-serif; background: #fff}
#main {width: 800px; height: 600px} #strip {display: flex; width: 800px; height: 120px}
.tl-camera {width: 100%%; height: 100%%} .tl-camera-note {position: absolute; top: 0; left: 0; background: #fff}
</style></head><body><div id="main"></div><div id="strip"></div><script type="module">
import {createDeck} from "%(deck)s";
import {publishHook} from "%(hook)s";
%(read_mark)s
const log = {draws: [], states: []};
const deck = createDeck({
  main: document.getElementById("main"), strip: document.getElementById("strip"),
  onShown: (shown) => log.recording && log.draws.push({t: deck.tNs, shown, marks: log.pixels ? marks() : null}),
  onState: (state) => log.states.push(state),
});
publishHook(deck);
const documents = {};
async function documentOf(id) {
  return documents[id] ??= await (await fetch(`/documents/${id}.json`)).json();
}
async function viewsAfter(method, given) {
  const views = [];
  for (const each of given) {
    await deck[method](each);
    views.push({t: deck.tNs, shown: {...deck.shown}, marks: marks()});
  }
  return views;
}
function marks() {
  const found = {};
  for (const tile of document.querySelectorAll(".tl-camera")) {
    const canvas = tile.querySelector("canvas");
    const {width, height} = canvas;
    const {data} = canvas.getContext("2d").getImageData(0, 0, width, Math.ceil(height / 6));
    found[tile.dataset.camera] = readMark({data, width, height});
  }
  return found;
}
Object.assign(window, {deck, log, documentOf, marks, viewsAfter});
</script></body></html>"""


@dataclass
class Film:
    """One episode as the deck gets it. jpegs: per camera, in rows."""

    document: dict[str, Any]
    jpegs: dict[str, list[bytes]]
    videos: dict[str, Path] = field(default_factory=dict)

    @property
    def times(self) -> dict[str, list[int]]:
        """When each camera saw its frames, ns from the start."""
        return {camera["name"]: camera["t_ns"] for camera in self.document["cameras"]}


def make_film(
    folder: Path,
    number: int,
    seconds: float = 3.0,
    timings: Sequence[marked.Timing] = ("constant", "jittered", "gapped"),
    proxies: bool = True,
) -> Film:
    """Episode `number` with one camera for each of `timings`, encoded under `folder`."""
    cameras, jpegs, videos = [], {}, {}
    for place, (name, timing) in enumerate(zip(marked.MARKED_CAMERAS, timings, strict=False)):
        t_ns = marked.frame_times(seconds, place, timing) - marked.START_NS
        jpegs[name] = [marked.marked_jpeg(i, place, number) for i in range(len(t_ns))]
        videos[name] = folder / f"{number}-{name}.mp4"
        proxy = _encode(jpegs[name], t_ns, videos[name], f"/media/{number}/{name}.mp4") if proxies else None
        cameras.append(
            {
                "name": name,
                "width": marked.SIZE[0],
                "height": marked.SIZE[1],
                "t_ns": t_ns.tolist(),
                "jpeg": f"/media/{number}/{name}/{{i}}.jpg",
                "proxy": proxy,
            }
        )
    document = {"episode_id": f"e{number}", "duration_ns": int(seconds * 1e9), "cameras": cameras, "fault": None}
    return Film(document, jpegs, videos)


def _encode(jpegs: Sequence[bytes], t_ns: marked.Times, path: Path, url: str) -> dict[str, Any]:
    proxy = encode_camera(jpegs, np.asarray(t_ns), path, lambda: None)
    assert proxy is not None
    return {"url": url, "codec": proxy.codec, "description": proxy.description, "samples": proxy.samples}


def make_app(films: Mapping[int, Film], routes: Sequence[Route] = ()) -> Starlette:
    """The page, the player's files, the media and documents of `films`, and more `routes`."""

    def page(_: Request) -> Response:
        names = {"deck": player_url("js/engine/deck.js"), "hook": player_url("js/engine/hook.js")}
        return HTMLResponse(PAGE % (names | {"read_mark": marked.READ_MARK_JS}))

    def document(request: Request) -> Response:
        return JSONResponse(films[int(request.path_params["id"][1:])].document)

    def video(request: Request) -> Response:
        path = films[request.path_params["number"]].videos[request.path_params["camera"]]
        return FileResponse(path, media_type="video/mp4")

    def picture(request: Request) -> Response:
        film, row = films[request.path_params["number"]], request.path_params["row"]
        jpegs = film.jpegs.get(request.path_params["camera"], [])
        if row >= len(jpegs):
            return Response("no such frame", status_code=404)
        return Response(jpegs[row], media_type="image/jpeg")

    return Starlette(
        routes=[
            Route("/", page),
            player_route(),
            *routes,
            Route("/documents/{id}.json", document),
            Route("/media/{number:int}/{camera}.mp4", video),
            Route("/media/{number:int}/{camera}/{row:int}.jpg", picture),
        ]
    )
