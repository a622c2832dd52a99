from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from app_in_thread import serving_app
from marked_episodes import make_id, write_marked
from playwright.sync_api import Browser, ConsoleMessage
from review_server import Api, RunningReview, free_port, make_root, running_review
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from review_ui.access import TokenStore
from review_ui.web.background import EpisodeWatch
from teleloom.catalog import Catalog, parse

MB = 2**20
HOSTILE = "<script>window.hit=1</script><img src=x onerror='window.hit=2'>"
EPISODES = 6


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("master"), EPISODES)


@pytest.fixture
def root(master: Path, tmp_path: Path) -> Path:
    return shutil.copytree(master, tmp_path / "root")


@pytest.fixture(scope="module")
def shared(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReview]:
    """One server for the tests that leave nothing behind that another would stumble over."""
    with running_review(shutil.copytree(master, tmp_path_factory.mktemp("shared") / "root")) as review:
        yield review


def wait_until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


def processes_of(group: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def test_it_says_where_it_is_and_serves_the_app_and_the_api(shared: RunningReview) -> None:
    assert "Ctrl-C ends it" in shared.said[0]
    assert shared.url.startswith("http://127.0.0.1:")
    assert requests.get(shared.url, timeout=20).text.count("<script") >= 2
    assert Api(shared.api).get("/me").json() == {"name": "anna", "role": "lead"}
    assert requests.get(f"{shared.url}/teleloom/player/js/index.js", timeout=20).status_code == 200


def test_a_taken_port_is_named_with_a_way_out(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "station", "review", str(root), "--port", str(port), "--no-browser"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} is taken" in refused.stderr
    assert "--port 0" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_does_not_open_itself_to_others_by_mistake(root: Path) -> None:
    command = [sys.executable, "-m", "station", "review", str(root), "--host", "0.0.0.0", "--no-browser"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "teleloom review token add" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_takes_everything_with_it(root: Path, number: int) -> None:
    with running_review(root) as review:
        group = review.process.pid
        wait_until(lambda: len(processes_of(group)) > 1)
        assert review.end(number) == 0
        wait_until(lambda: not processes_of(group), 15)
        assert "Traceback" not in "".join(review.said)


def test_files_that_appear_are_taken_up(master: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "episodes").mkdir(parents=True)
    names = sorted(path.name for path in (master / "episodes").iterdir())
    unreadable: dict[str, str] = {}
    with Catalog.open(root) as catalog, EpisodeWatch(root, None, unreadable):
        content = (master / "episodes" / names[0]).read_bytes()
        shutil.copy(master / "episodes" / names[0], root / "episodes")
        (root / "episodes" / "cut.h5").write_bytes(content[: len(content) // 2])
        (root / "episodes" / "foreign.h5").write_bytes(b"<html>not an episode</html>")
        wait_until(lambda: len(unreadable) == 2 and catalog.episodes())
        (row,) = catalog.episodes()
        assert row.quality is not None
        assert row.risk is not None
        assert all("Traceback" not in reason and "h5" in reason for reason in unreadable.values())
        (root / "episodes" / "cut.h5").unlink()
        shutil.copy(master / "episodes" / names[1], root / "episodes")
        wait_until(lambda: len(catalog.episodes()) == 2 and set(unreadable) == {"foreign.h5"})


@pytest.mark.parametrize(
    "path",
    [
        "/teleloom/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd/player.json",
        "/teleloom/media/..%2f..%2fcatalog.sqlite",
        "/teleloom/media/ID/..%2f..%2f..%2fcatalog.sqlite.mp4",
        "/teleloom/media/ID/..%2f..%2f..%2fcatalog.sqlite/0.jpg",
        "/teleloom/player/..%2f..%2faccess%2ftokens.py",
        "/teleloom/player/%2fetc%2fpasswd",
        "/teleloom/api/episodes/..%2f..%2freview-access.json",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/media/..%2f..%2fetc%2fpasswd",
        "/component/x/..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_out_of_what_is_served(shared: RunningReview, path: str) -> None:
    answer = requests.get(shared.url + path.replace("ID", make_id(0)), timeout=20)
    assert answer.status_code in (400, 404)
    assert b"root:" not in answer.content
    assert b"SQLite" not in answer.content


def test_from_another_address_there_is_nothing_without_a_token(root: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "review.pem", tmp_path / "review.key"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run([*make, "-subj", "/CN=review", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    folder = Path(__file__).parent
    command = [*alone, sys.executable, str(folder / "namespace_checks.py"), str(root), str(certificate), str(key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["url"].startswith("https://192.0.2.1:")
    nothing = [401, '{"error":"sign in first","kind":"signed-out"}']
    assert len(report["signed_out"]) == 27
    assert all(answer == nothing for answer in report["signed_out"].values())
    for status, text in report["signed_out_page"].values():
        assert [status, text] == nothing or (status == 303 and text.startswith("to /teleloom/sign-in?next="))
    assert [status for status, _ in report["posts"].values()] == [405, 401]
    assert report["websocket"] == [403, ""]
    assert "Token" in report["sign_in"][1]
    assert report["wrong"][0] == 401
    assert all(word in report["cookie"] for word in ("__Host-", "HttpOnly", "SameSite=strict", "Secure"))
    signed_in = report["signed_in"]
    assert [signed_in[path][0] for path in signed_in if path.endswith((".json", "0.jpg", "/me")) and ".." not in path][
        :3
    ] == [200] * 3
    assert all(status in (400, 404) for path, (status, _) in signed_in.items() if ".." in path or "%2e" in path)
    assert all(answer == nothing for answer in report["revoked"].values())


def test_what_people_write_is_shown_and_never_run(shared: RunningReview, chromium: Browser) -> None:
    api = Api(shared.api)
    episode = make_id(0)
    annotations = [
        {"kind": "flag", "label": HOSTILE[:99], "start_ns": 0, "end_ns": 1, "note": HOSTILE},
        {"kind": "segments", "segments": [{"start_ns": 0, "end_ns": 10**9, "label": HOSTILE, "outcome": None}]},
        {"kind": "tag", "tag": HOSTILE[:99]},
        {"kind": "note", "text": HOSTILE},
        {"kind": "instruction", "action": "replace", "text": HOSTILE},
        {"kind": "verdict", "decision": "reject", "reason": HOSTILE},
    ]
    assert api.commit(episode, 0, "hostile", *annotations).status_code == 200
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    page = chromium.new_context().new_page()
    page.on("console", listen)
    for path in (f"/episodes?episode={episode}", "/episodes", "/", f"/review?episode={episode}", "/progress"):
        page.goto(shared.url + path)
        page.wait_for_selector("text=anna", timeout=60_000)
        page.wait_for_selector("[data-test-script-state=notRunning]", timeout=60_000)
        page.wait_for_timeout(300)  # A picture that cannot be had says so a moment later.
        assert page.evaluate("window.hit") is None, path
        assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0, path
    assert complaints == []
    page.context.close()


def test_behind_a_proxy_everybody_signs_in_under_the_public_name(root: Path) -> None:
    token = TokenStore(root).add("ben", "annotator")
    local = f"http://127.0.0.1:{(port := free_port())}"
    proxied = ("--behind-proxy", "--public-url", "https://review.example")
    with running_review(root, *proxied, name=None, port=port) as review:
        assert review.url == "https://review.example"
        headers = {"host": "review.example", "x-forwarded-for": "198.51.100.7"}
        sign_in = f"{local}/teleloom/sign-in"
        assert requests.get(f"{local}/teleloom/api/me", headers=headers, timeout=20).status_code == 401
        foreign = requests.get(local, headers={"host": "other.example"}, timeout=20)
        assert foreign.status_code == 421
        wrong = [requests.post(sign_in, {"token": "x"}, headers=headers, timeout=20).status_code for _ in range(11)]
        assert wrong == [401] * 10 + [429]
        headers |= {"x-forwarded-for": "198.51.100.8", "origin": "https://review.example"}
        answer = requests.post(sign_in, {"token": token}, headers=headers, allow_redirects=False, timeout=20)
        cookie = answer.headers["set-cookie"]
        assert (answer.status_code, "Secure" in cookie) == (303, True)
        headers["cookie"] = cookie.partition(";")[0]
        assert requests.get(f"{local}/teleloom/api/me", headers=headers, timeout=20).json()["name"] == "ben"
        written = requests.post(f"{local}/teleloom/api/next", json={}, headers=headers, timeout=20)
        assert written.status_code == 200
        headers["origin"] = "http://review.example"
        assert requests.post(f"{local}/teleloom/api/next", json={}, headers=headers, timeout=20).status_code == 403


def test_a_link_from_another_site_signs_in_and_later_finds_the_session(root: Path, chromium: Browser) -> None:
    token = TokenStore(root).add("ben", "annotator")
    url = f"http://127.0.0.1:{(port := free_port())}"
    links = f'<a id="first" href="{url}/?token={token}">in</a> <a id="later" href="{url}/episodes">later</a>'
    elsewhere = Starlette(routes=[Route("/", lambda request: HTMLResponse(links))])
    with (
        serving_app(elsewhere) as other,
        running_review(root, "--behind-proxy", "--public-url", url, name=None, port=port),
    ):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(url)
        assert page.title() == "Sign in · teleloom review"
        for link in ("#first", "#later"):
            page.goto(other.replace("127.0.0.1", "localhost"))
            page.click(link)
            page.wait_for_selector("text=ben", timeout=60_000)
            assert token not in page.url
        assert page.url == f"{url}/episodes"
        TokenStore(root).revoke("ben")
        page.reload()
        assert page.title() == "Sign in · teleloom review"
        context.close()


@dataclass
class Writer:
    """Somebody who keeps deciding on episodes of their own and remembers what the server acknowledged."""

    name: str
    episodes: list[str]
    revisions: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)
    pending: tuple[str, str, int, str] | None = None
    count: int = 0

    def work(self, api: Api, until: threading.Event) -> None:
        while not until.is_set():
            if self.pending is None:
                self.count += 1
                episode = self.episodes[self.count % len(self.episodes)]
                decision = ("approve", "reject")[self.count % 2]
                self.pending = (f"{self.name}-{self.count}", episode, self.revisions.get(episode, 0), decision)
            operation, episode, seen, decision = self.pending
            verdict = {"kind": "verdict", "decision": decision, "reason": operation}
            try:
                answer = api.commit(episode, seen, operation, {"kind": "score", "score": 1 + self.count % 5}, verdict)
            except requests.RequestException:
                return
            assert answer.status_code == 200, answer.text
            self.revisions[episode] = answer.json()["revision"]
            self.acknowledged[operation] = (episode, answer.json()["revision"])
            self.pending = None


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.long)])
def test_no_acknowledged_verdict_is_lost_when_the_server_is_killed(root: Path, kills: int) -> None:
    ids = [make_id(number) for number in range(EPISODES)]
    writers = [Writer(f"writer-{k}", ids[2 * k : 2 * k + 2]) for k in range(3)]
    chance = random.Random(7)
    for _ in range(kills):
        with running_review(root) as review:
            group = review.process.pid
            until = threading.Event()
            threads = [threading.Thread(target=w.work, args=(Api(review.api), until)) for w in writers]
            before = sum(len(writer.acknowledged) for writer in writers)
            for thread in threads:
                thread.start()
            wait_until(lambda before=before: sum(len(writer.acknowledged) for writer in writers) > before + 5)
            time.sleep(chance.uniform(0, 0.5))
            review.kill()
            for thread in threads:
                thread.join(30)
            wait_until(lambda group=group: not processes_of(group), 15)
    with running_review(root) as review:
        api = Api(review.api)
        for writer in writers:
            if writer.pending is not None:  # Sent again, it is written once, whether or not it had been.
                until = threading.Event()
                writer.work(api, _stopped_after_one(until, writer))
    with Catalog.open(root) as catalog:
        written = {event.operation: event for each in ids for event in catalog.history(each) if event.operation}
        scores = sum(event.annotation.kind == "score" for each in ids for event in catalog.history(each))
    acknowledged = {name: where for writer in writers for name, where in writer.acknowledged.items()}
    assert len(acknowledged) > 5 * kills
    for operation, (episode, revision) in acknowledged.items():
        event = written[operation]
        assert (event.episode_id, event.revision) == (episode, revision)
        assert event.annotation.reason == operation
    assert written.keys() == acknowledged.keys()
    assert scores == len(written)
    print(f"{len(acknowledged)} acknowledged verdicts, none lost in {kills} kills")


def _stopped_after_one(until: threading.Event, writer: Writer) -> threading.Event:
    """An event that is set once the writer's pending commit went through."""

    class Once(threading.Event):
        def is_set(self) -> bool:
            return writer.pending is None or until.is_set()

    return Once()


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def review_one(api: Api, url: str, number: int) -> None:
    """One review as a browser does it."""
    assignment = api.post("/next").json()
    episode = assignment["episode"]["id"]
    document = requests.get(f"{url}/teleloom/media/{episode}/player.json", timeout=30).json()
    camera = document["cameras"][0]
    for frame in (0, len(camera["t_ns"]) // 2, len(camera["t_ns"]) - 1):
        picture = requests.get(url + camera["jpeg"].replace("{i}", str(frame)), timeout=30)
        assert picture.headers["content-type"] == "image/jpeg"
    trim = {"kind": "trim", "start_ns": 0, "end_ns": assignment["episode"]["duration_ns"]}
    seen = api.commit(episode, assignment["revision"], f"trim-{number}", trim).json()["revision"]
    done = api.commit(episode, seen, f"verdict-{number}", {"kind": "verdict", "decision": "approve", "spent_s": 1.5})
    assert done.json()["view"]["status"] == "approved"


@pytest.mark.long
@pytest.mark.parametrize(("warm", "reviews"), [(100, 500)])
def test_memory_does_not_grow_with_reviews(tmp_path: Path, warm: int, reviews: int) -> None:
    root = tmp_path / "root"
    episodes = 100
    root.mkdir()
    with Catalog.open(root) as catalog:
        for number in range(episodes):
            catalog.register(write_marked(root, number, seconds=0.5, cameras=1))
        with running_review(root) as review:
            api = Api(review.api)
            figures = []
            for number in range(reviews):
                if number and number % episodes == 0:
                    for row in catalog.episodes(status="approved"):
                        catalog.annotate(row.id, parse({"kind": "verdict", "decision": "reset"}), "test", row.revision)
                review_one(api, review.url, number)
                if (number + 1) % warm == 0:
                    figures.append(resident_mb(review.process.pid))
    print("resident MB after each", warm, "reviews:", [round(figure, 1) for figure in figures])
    assert figures[-1] - figures[0] < 8.0
