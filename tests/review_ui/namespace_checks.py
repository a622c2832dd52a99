"""Run inside a network namespace of its own: a server that other machines could reach, asked from another address.

Prints one JSON document with what was answered. The namespace has a loopback device and nothing else, so the two
addresses are reachable from within it alone.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from review_server import running_review

from review_ui.access.tokens import TokenStore
from teleloom.catalog import Catalog, EpisodeFilter

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
STREAMLIT = ("/", "/review", "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/static/js/x.js",
             "/media/x.png", "/component/x/y.js", "/favicon.png", "/index.html", "/auth/login",
             "/oauth2callback")  # fmt: skip
OWN = ("/teleloom/api/me", "/teleloom/api/episodes/ID", "/teleloom/media/ID/player.json", "/teleloom/media/ID/CAM.mp4",
       "/teleloom/media/ID/CAM/0.jpg", "/teleloom/player/js/index.js")  # fmt: skip
TRAVERSALS = ("/teleloom/media/../../etc/passwd", "/teleloom/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd/player.json",
              "/teleloom/media/ID/..%2f..%2fcatalog.sqlite.mp4", "/teleloom/player/..%2f..%2fcatalog.sqlite",
              "/teleloom/player/../access/tokens.py", "/static/..%2f..%2f..%2fetc%2fpasswd", "//etc/passwd",
              "/teleloom/api/episodes/..%2f..%2freview-access.json", "/media/../../../etc/passwd")  # fmt: skip


def ask(url: str, path: str, headers: dict[str, str], method: str = "GET", body: str | None = None) -> tuple[int, str]:
    """Status and beginning of the answer to a request from CLIENT."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        SERVER, parts.port, source_address=(CLIENT, 0), timeout=20, context=context
    )
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read(2000).decode("latin-1")
        return answer.status, text if answer.status != 303 else f"to {answer.headers['location']} {text}"
    finally:
        connection.close()


def main(root: Path, certificate: str, key: str) -> None:
    for command in (["link", "set", "lo", "up"], *(["addr", "add", f"{a}/32", "dev", "lo"] for a in (SERVER, CLIENT))):
        subprocess.run(["ip", *command], check=True)
    token = TokenStore(root).add("anna", "annotator")
    with Catalog.open(root) as catalog:
        episode = catalog.search(EpisodeFilter()).rows[0].id
    options = ("--host", SERVER, "--certificate", certificate, "--key", key)
    with running_review(root, *options, name=None) as review:
        paths = [path.replace("ID", episode).replace("CAM", "front") for path in (*STREAMLIT, *OWN, *TRAVERSALS)]
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        upgrade["sec-websocket-key"] = "MDEyMzQ1Njc4OWFiY2RlZg=="
        form = {"content-type": "application/x-www-form-urlencoded"}
        report = {
            "url": review.url,
            "signed_out": {path: ask(review.url, path, {}) for path in paths},
            "signed_out_page": {path: ask(review.url, path, {"accept": "text/html"}) for path in paths},
            "posts": {path: ask(review.url, path, {}, "POST", "{}") for path in ("/", "/teleloom/api/next")},
            "websocket": ask(review.url, "/_stcore/stream", upgrade),
            "sign_in": ask(review.url, "/teleloom/sign-in", {}),
            "wrong": ask(review.url, "/teleloom/sign-in", form, "POST", "token=wrong"),
        }
        cookie = _sign_in(review.url, form, token)
        report["cookie"] = cookie
        session = {"cookie": cookie.partition(";")[0]}
        report["signed_in"] = {path: ask(review.url, path, session) for path in paths}
        TokenStore(root).revoke("anna")
        report["revoked"] = {path: ask(review.url, path, session) for path in paths}
    print(json.dumps(report))


def _sign_in(url: str, form: dict[str, str], token: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        SERVER, urlsplit(url).port, source_address=(CLIENT, 0), timeout=20, context=context
    )
    connection.request("POST", "/teleloom/sign-in", f"token={token}", form)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["set-cookie"] or ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
