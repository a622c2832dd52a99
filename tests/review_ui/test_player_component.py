"""The component in a real Streamlit server and browser, with a room that writes down what is asked of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, expect

SCRIPT = """
import streamlit as st
from review_ui.player.component import player

episode = "e2" if st.checkbox("second") else "e1"
st.button("again")
if not st.checkbox("away"):
    result = player(mode="view", episode_id=episode, t_ns=5, key="player")
    st.write(f"python knows {result.episode}")
"""

ROOM = """
window.calls = [];
export function mount(parent, data, {setStateValue}) {
  calls.push(["mount", data, parent.isConnected, parent.getRootNode() === document]);
  parent.tell = setStateValue;
  window.place = parent;
  return () => calls.push(["unmount"]);
}
"""

SERVER = """
import sys
import streamlit as st
import uvicorn
from starlette.responses import Response
from starlette.routing import Route

def room(request):
    return Response(open("room.js").read(), media_type="text/javascript")

app = st.App("main.py", routes=[Route("/teleloom/player/{version}/js/index.js", room)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""

START_S = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("app")
    for name, text in (("main.py", SCRIPT), ("room.js", ROOM), ("server.py", SERVER)):
        (folder / name).write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "server.py", str(port)], cwd=folder, env={"PYTHONPATH": str(root)})
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_the_room_is_given_ids_once_and_again_when_they_change_and_is_taken_away(
    chromium: Browser, address: str
) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function("window.calls?.length === 1")
        data = {"mode": "view", "episode_id": "e1", "other_id": None, "t_ns": 5, "queue_filter": None}
        assert page.evaluate("calls[0]") == ["mount", data, True, True]

        page.evaluate("place.marked = true")
        page.get_by_role("button", name="again").click()
        page.get_by_text("second").click()
        page.wait_for_function("calls.length === 2")
        assert page.evaluate("[calls[1][1].episode_id, place.marked]") == ["e2", True]

        page.evaluate("place.tell('episode', 'e7')")
        expect(page.get_by_text("python knows e7")).to_be_visible()
        assert page.evaluate("calls.length") == 2

        page.get_by_text("away").click()
        page.wait_for_function("calls.at(-1)[0] === 'unmount'")
        assert page.evaluate("calls.length") == 3


def test_a_player_that_cannot_be_loaded_says_so(chromium: Browser, address: str) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.route("**/index.js", lambda route: route.abort())
        page.goto(address)
        expect(page.get_by_text("the player could not be loaded")).to_be_visible()
