from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from app_in_thread import serving_app
from itsdangerous import URLSafeTimedSerializer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from review_ui.access import AccessError, AccessPolicy, TokenStore, reviewer_of
from review_ui.access.binding import Binding, policy
from review_ui.access.cookies import SESSION_S, Sessions
from review_ui.access.gate import Gate
from review_ui.access.oidc import OidcConfig
from review_ui.access.throttle import TRIES, WINDOW_S, Throttle
from review_ui.service import Reviewer

OIDC = OidcConfig(
    metadata_url="https://login.example/.well-known/openid-configuration",
    client_id="review",
    client_secret="secret",
    cookie_secret="c" * 32,
    people={"Anna@Lab.example": "lead"},
)
PAGES = ("/", "/review?episode=1", "/_stcore/health", "/_stcore/host-config", "/static/x.js", "/media/x.png",
         "/component/x", "/teleloom/api/me", "/teleloom/media/x.jpg", "/teleloom/player/js/index.js")  # fmt: skip


async def who(request: Request) -> Response:
    return JSONResponse({"name": reviewer_of(request).name, "path": request.url.path})


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


INSIDE = Starlette(
    routes=[
        WebSocketRoute("/_stcore/stream", echo),
        Route("/plain", lambda request: PlainTextResponse("plain"), methods=["GET"]),
        Route("/{rest:path}", who, methods=["GET", "POST", "PUT"]),
    ]
)


@dataclass
class Door:
    """A gate that is served, and what opens it."""

    url: str
    tokens: TokenStore
    sessions: Sessions

    def session(self, token: str) -> requests.Session:
        client = requests.Session()
        holder = self.tokens.find(token)
        assert holder is not None
        client.cookies.set(self.sessions.cookie, self.sessions.begin(holder))
        return client


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    tokens = TokenStore(tmp_path)
    sessions = Sessions(tokens, secure=False)
    with serving_app(Gate(INSIDE, AccessPolicy(None, sessions), "default-src 'self'")) as url:
        yield Door(url, tokens, sessions)


@pytest.fixture
def open_door(tmp_path: Path) -> Iterator[str]:
    rules = policy(Binding(), TokenStore(tmp_path), None, "anna")
    with serving_app(Gate(INSIDE, rules, "default-src 'self'")) as url:
        yield url


def test_a_token_is_kept_as_a_hash_that_only_the_owner_may_read(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    token = store.add("anna", "lead")
    assert len(token) == 43
    content = store.path.read_text()
    assert token not in content
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert (store.find(token).name, store.find(token).role) == ("anna", "lead")
    assert store.find(token[:-1]) is None
    assert store.find("") is None
    assert list(tmp_path.iterdir()) == [store.path]


def test_a_name_has_one_token(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    first = store.add("anna", "annotator")
    with pytest.raises(AccessError, match=r"'anna' has a token already.*revoke"):
        store.add(" anna ", "lead")
    store.revoke("anna")
    assert store.find(first) is None
    with pytest.raises(AccessError, match="'anna' has no token; nobody has"):
        store.revoke("anna")
    with pytest.raises(AccessError, match="name"):
        store.add("  ", "lead")


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    names = [f"person {number}" for number in range(12)]
    threads = [threading.Thread(target=TokenStore(tmp_path).add, args=(name, "annotator")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.name for each in TokenStore(tmp_path).tokens()) == sorted(names)


def test_a_file_that_others_may_read_or_that_is_damaged_is_not_used(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    token = store.add("anna", "lead")
    store.path.chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        TokenStore(tmp_path).find(token)
    store.path.write_text("{}")
    store.path.chmod(0o600)
    store.path.write_text('{"version": 2}')
    with pytest.raises(AccessError, match="damaged"):
        TokenStore(tmp_path).find(token)


def test_a_session_is_bound_to_its_token_and_to_the_server(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    sessions = Sessions(store, secure=False)
    holder = store.find(store.add("anna", "lead"))
    value = sessions.begin(holder)
    assert sessions.holder({sessions.cookie: value}) == holder
    assert Sessions(TokenStore(tmp_path), secure=False).holder({sessions.cookie: value}) == holder
    forged = URLSafeTimedSerializer("k" * 64, salt="teleloom.review.session").dumps(holder.hash)
    for wrong in ("", "x", value[:-1], value + "x", forged):
        assert sessions.holder({sessions.cookie: wrong}) is None
    store.revoke("anna")
    assert sessions.holder({sessions.cookie: value}) is None


def test_a_session_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TokenStore(tmp_path)
    sessions = Sessions(store, secure=False)
    value = sessions.begin(store.find(store.add("anna", "lead")))
    begun_s = time.time()
    monkeypatch.setattr("time.time", lambda: begun_s + SESSION_S - 10)
    assert sessions.holder({sessions.cookie: value}) is not None
    monkeypatch.setattr("time.time", lambda: begun_s + SESSION_S + 10)
    assert sessions.holder({sessions.cookie: value}) is None


def test_wrong_tries_are_counted_per_address_and_minute() -> None:
    now_s = 0.0
    throttle = Throttle(lambda: now_s)
    for _ in range(TRIES):
        assert throttle.wait_s("a") == 0
        throttle.count("a")
    assert throttle.wait_s("a") == WINDOW_S
    assert throttle.wait_s("b") == 0
    now_s = WINDOW_S + 0.1
    assert throttle.wait_s("a") == 0


@pytest.mark.parametrize(
    ("binding", "oidc", "says"),
    [
        (Binding(host="0.0.0.0"), None, "nobody has a token.*teleloom review token add"),
        (Binding(host="192.0.2.1"), OIDC, "--oidc needs --public-url"),
        (Binding(host="192.0.2.1", public_url="https://r.example"), OIDC, "--certificate FILE and --key FILE"),
        (Binding(host="192.0.2.1", certificate=Path("/dev/null")), None, "needs its key"),
        (Binding(host="::", certificate=Path("/none.pem"), key=Path("/none.key")), None, "no file /none.pem"),
        (Binding(behind_proxy=True), None, "--behind-proxy needs --public-url"),
        (Binding(host="0.0.0.0", behind_proxy=True, public_url="https://r.example"), None, "listen on 127.0.0.1"),
        (Binding(behind_proxy=True, public_url="http://r.example"), None, "must begin with https"),
        (Binding(behind_proxy=True, public_url="https://r.example/sub"), None, "no path"),
        (Binding(behind_proxy=True, public_url="https://r.example"), None, "nobody has a token"),
    ],
)
def test_a_server_that_would_be_open_does_not_start(
    tmp_path: Path, binding: Binding, oidc: OidcConfig | None, says: str
) -> None:
    with pytest.raises(AccessError, match=says):
        policy(binding, TokenStore(tmp_path), oidc, None)


def test_tokens_alone_do_not_open_it_without_tls(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.add("anna", "lead")
    with pytest.raises(AccessError, match="tokens do not travel in the clear"):
        policy(Binding(host="192.0.2.1"), store, None, None)
    with pytest.raises(AccessError, match="--as is for"):
        policy(Binding(behind_proxy=True, public_url="https://r.example"), store, None, "anna")
    assert policy(Binding(behind_proxy=True, public_url="https://r.example"), store, None, None).everybody is None


def test_on_loopback_everyone_is_the_one_who_started_it(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.8.9.1"):
        assert policy(Binding(host=host), TokenStore(tmp_path), None, "anna").everybody == Reviewer("anna", "lead")
    assert policy(Binding(), TokenStore(tmp_path), None, None).everybody.name
    assert not (tmp_path / "review-access.json").exists()


@pytest.mark.parametrize("path", PAGES)
def test_without_a_session_there_is_nothing(door: Door, path: str) -> None:
    door.tokens.add("anna", "lead")
    for headers in ({}, {"accept": "text/html"}, {"cookie": "teleloom-review=x"}, {"authorization": "Bearer x"}):
        answer = requests.get(door.url + path, headers=headers, allow_redirects=False, timeout=5)
        if headers.get("accept") and answer.status_code == 303:
            assert answer.headers["location"].startswith("/teleloom/sign-in?next=")
            assert not answer.content
        else:
            assert (answer.status_code, answer.json()) == (401, {"error": "sign in first", "kind": "signed-out"})


def test_a_token_signs_in_and_the_cookie_is_locked_up(door: Door) -> None:
    token = door.tokens.add("anna", "annotator")
    client = requests.Session()
    page = client.get(f"{door.url}/review?episode=1", headers={"accept": "text/html"}, timeout=5)
    assert page.url.endswith("/teleloom/sign-in?next=%2Freview%3Fepisode%3D1")
    assert 'value="/review?episode=1"' in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    answer = client.post(
        f"{door.url}/teleloom/sign-in",
        {"token": token, "next": "/review?episode=1"},
        headers={"origin": door.url},
        allow_redirects=False,
        timeout=5,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/review?episode=1")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", f"max-age={SESSION_S}", "path=/"))
    assert client.get(f"{door.url}/review", timeout=5).json()["name"] == "anna"
    assert client.get(f"{door.url}/teleloom/sign-out", timeout=5).status_code == 405
    client.post(f"{door.url}/teleloom/sign-out", headers={"origin": door.url}, allow_redirects=False, timeout=5)
    assert client.get(f"{door.url}/review", timeout=5).status_code == 401


def test_over_tls_the_cookie_belongs_to_this_host_alone(tmp_path: Path) -> None:
    sessions = Sessions(TokenStore(tmp_path), secure=True)
    assert sessions.cookie.startswith("__Host-")


def test_a_link_with_a_token_signs_in_and_loses_it(door: Door) -> None:
    token = door.tokens.add("anna", "annotator")
    client = requests.Session()
    page = client.get(f"{door.url}/review?episode=1&token={token}&t=2", headers={"accept": "text/html"}, timeout=5)
    assert page.status_code == 200
    assert token not in page.text
    assert '<meta http-equiv="refresh" content="0;url=/review?episode=1&amp;t=2">' in page.text
    assert client.get(f"{door.url}/review", timeout=5).json()["name"] == "anna"


def test_a_link_from_elsewhere_keeps_the_session(door: Door) -> None:
    """A strict cookie is not sent along on a step from another site; one more step from here, and it is."""
    headers = {"accept": "text/html", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    headers["sec-fetch-dest"] = "document"
    page = requests.get(f"{door.url}/review?episode=1", headers=headers, timeout=5)
    assert (page.status_code, "0;url=/review?episode=1" in page.text) == (200, True)


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(door: Door, path: str) -> None:
    token = door.tokens.add("anna", "annotator")
    fields = {"token": token, "next": path}
    answer = requests.post(f"{door.url}/teleloom/sign-in", fields, allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_wrong_tokens_are_refused_and_then_slowed_down(door: Door) -> None:
    token = door.tokens.add("anna", "annotator")
    for _ in range(TRIES):
        answer = requests.post(f"{door.url}/teleloom/sign-in", {"token": "<b>wrong"}, timeout=5)
        assert (answer.status_code, "no token of this server" in answer.text) == (401, True)
        assert "<b>" not in answer.text
    for answer in (
        requests.post(f"{door.url}/teleloom/sign-in", {"token": token}, timeout=5),
        requests.get(f"{door.url}/?token={token}", timeout=5),
    ):
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_S
    huge = requests.post(f"{door.url}/teleloom/sign-in", {"token": "x" * 5000}, timeout=5)
    assert huge.status_code == 413


def test_revoking_a_token_ends_its_session_at_once(door: Door) -> None:
    token = door.tokens.add("anna", "annotator")
    client = door.session(token)
    cookie = f"{door.sessions.cookie}={client.cookies[door.sessions.cookie]}"
    assert client.get(f"{door.url}/teleloom/api/me", timeout=5).status_code == 200
    address = door.url.replace("http", "ws") + "/_stcore/stream"
    with connect(address, additional_headers={"cookie": cookie}) as socket:
        socket.send("still here")
        assert socket.recv(5) == "still here"
        TokenStore(door.tokens.path.parent).revoke("anna")
        socket.send("and now?")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
    assert client.get(f"{door.url}/teleloom/api/me", timeout=5).status_code == 401


def test_a_websocket_needs_a_session_and_the_same_origin(door: Door) -> None:
    token = door.tokens.add("anna", "annotator")
    cookie = f"{door.sessions.cookie}={door.session(token).cookies[door.sessions.cookie]}"
    address = door.url.replace("http", "ws") + "/_stcore/stream"
    for headers, origin in (({}, None), ({"cookie": "x=y"}, door.url), ({"cookie": cookie}, "http://evil.example")):
        with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with connect(address, additional_headers={"cookie": cookie}, origin=door.url) as socket:
        socket.send("hello")
        assert socket.recv(5) == "hello"


def test_loopback_needs_no_session_but_the_right_name(open_door: str) -> None:
    port = open_door.rsplit(":", 1)[1]
    assert requests.get(f"{open_door}/teleloom/api/me", timeout=5).json()["name"] == "anna"
    for host in (f"localhost:{port}", "LOCALHOST", f"127.0.0.1:{port}", "[::1]:1"):
        assert requests.get(open_door, headers={"host": host}, timeout=5).status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example"):
        answer = requests.get(open_door, headers={"host": host}, timeout=5)
        assert (answer.status_code, "does not answer to the name" in answer.json()["error"]) == (421, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    ],
)
def test_a_page_of_another_site_can_write_nothing(open_door: str, headers: dict[str, str]) -> None:
    answer = requests.post(f"{open_door}/teleloom/api/next", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden")


def test_a_page_of_another_site_can_link_here_but_embed_nothing(open_door: str) -> None:
    step = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert requests.get(open_door, headers=step, timeout=5).status_code == 200
    for dest in ("iframe", "image", "script", "empty"):
        refused = requests.get(open_door, headers=step | {"sec-fetch-dest": dest}, timeout=5)
        assert refused.status_code == 403


def test_only_the_api_can_be_written_to(open_door: str) -> None:
    answer = requests.put(f"{open_door}/_stcore/upload_file/a/b", b"x", timeout=5)
    assert (answer.status_code, answer.json()["kind"]) == (405, "bad-request")


def test_every_answer_tells_the_browser_what_to_refuse(open_door: str) -> None:
    headers = requests.get(f"{open_door}/plain", timeout=5).headers
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_damaged_access_files_open_nothing(door: Door) -> None:
    client = door.session(door.tokens.add("anna", "lead"))
    document = json.loads(door.tokens.path.read_text())
    door.tokens.path.write_text(json.dumps(document | {"version": 7}))
    answer = client.get(f"{door.url}/teleloom/api/me", timeout=5)
    assert (answer.status_code, answer.json()["kind"]) == (503, "unavailable")
