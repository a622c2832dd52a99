from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from marked_episodes import make_id
from oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_provider
from review_server import RunningReview, free_port, make_root, running_review
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from review_ui.access.errors import AccessError
from review_ui.access.oidc import OidcConfig, Provider, load_oidc
from review_ui.service import Reviewer

PEOPLE = {"anna@lab.example": "lead", "Ben@Lab.example": "annotator"}
SECRET = "a secret of at least thirty-two characters"
ORIGIN = "https://review.example"
PAGE = {"accept": "text/html"}


def config(**more: object) -> OidcConfig:
    fields = {"metadata_url": "https://login.example/.well-known/openid-configuration", "client_id": CLIENT_ID}
    fields |= {"client_secret": CLIENT_SECRET, "cookie_secret": SECRET, "people": PEOPLE}
    return OidcConfig.model_validate(fields | more)


def cookies(secret: str = SECRET, **more: object) -> dict[str, str]:
    user = {"email": "anna@lab.example", "email_verified": True, "is_logged_in": True, "origin": ORIGIN, **more}
    return {"_streamlit_user": create_signed_value(secret, "_streamlit_user", json.dumps(user)).decode()}


def test_the_login_cookie_says_who_somebody_is() -> None:
    provider = Provider(config(), ORIGIN)
    assert provider.reviewer(cookies()) == Reviewer("anna@lab.example", "lead")
    assert provider.reviewer(cookies(email=" BEN@lab.example")) == Reviewer("ben@lab.example", "annotator")


def test_a_long_login_cookie_comes_in_pieces() -> None:
    value = json.dumps({"email": "anna@lab.example", "email_verified": True, "is_logged_in": True, "origin": ORIGIN})
    parts = {"_streamlit_user": "chunks-2", "_streamlit_user_1": value[:40], "_streamlit_user_2": value[40:]}
    signed = {name: create_signed_value(SECRET, name, part).decode() for name, part in parts.items()}
    provider = Provider(config(), ORIGIN)
    assert provider.reviewer(signed) == Reviewer("anna@lab.example", "lead")
    assert provider.reviewer({name: signed[name] for name in list(signed)[:2]}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"_streamlit_user": "x"},
        {"_streamlit_user": "\u00e9"},
        cookies("another secret of more than 32 characters"),
        cookies(email="stranger@lab.example"),
        cookies(email=None),
        cookies(email_verified=False),
        cookies(email_verified=None),
        cookies(is_logged_in=False),
        cookies(origin="https://other.example"),
        {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user", "[1]").decode()},
        {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user_tokens", "{}").decode()},
    ],
)
def test_any_other_cookie_opens_nothing(wrong: dict[str, str]) -> None:
    assert Provider(config(), ORIGIN).reviewer(wrong) is None


def test_a_provider_that_gives_out_its_addresses_need_not_verify_them() -> None:
    provider = Provider(config(require_verified_email=False), ORIGIN)
    assert provider.reviewer(cookies(email_verified=None)) == Reviewer("anna@lab.example", "lead")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"cookie_secret": "short"}, "cookie_secret"),
        ({"people": {}}, "people"),
        ({"people": {"anna": "lead"}}, "people"),
        ({"people": {"anna@lab.example": "boss"}}, "people"),
        ({"metadata_url": "login.example"}, "metadata_url"),
        ({"colour": "blue"}, "colour: unknown key"),
    ],
)
def test_a_wrong_file_is_refused_with_where_and_why(tmp_path: Path, more: dict[str, object], says: str) -> None:
    path = tmp_path / "oidc.yaml"
    path.write_text(yaml.safe_dump(config().model_dump(mode="json") | more))
    with pytest.raises(AccessError, match="chmod 600"):
        load_oidc(path)
    path.chmod(0o600)
    with pytest.raises(AccessError, match=says):
        load_oidc(path)


def test_the_example_of_the_access_page_is_a_configuration() -> None:
    page = (Path(__file__).parents[2] / "docs" / "review-access.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert OidcConfig.model_validate(yaml.safe_load(example)).people == {
        "anna@lab.example": "lead",
        "ben@lab.example": "annotator",
    }


def test_what_is_missing_is_named_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "authlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "authlib", None)
    with pytest.raises(AccessError, match=r"--oidc needs 'authlib.*teleloom\[review\]"):
        load_oidc(tmp_path / "oidc.yaml")


@dataclass
class Lab:
    """A provider, and a review that trusts it."""

    provider: OidcProvider
    review: RunningReview

    def log_in(self, user: str, path: str = "/") -> tuple[requests.Session, requests.Response]:
        """Go through the whole login as `user`; the browser, and the page that it ends on."""
        self.provider.user = user
        client = requests.Session()
        page = client.get(self.review.url + path, headers=PAGE, timeout=30)
        assert 'href="/teleloom/sign-in/provider"' in page.text
        return client, client.get(f"{self.review.url}/teleloom/sign-in/provider", headers=PAGE, timeout=30)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = make_root(tmp_path_factory.mktemp("root"), 1)
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running_provider() as provider:
        provider.redirect_uris = (f"{url}/oauth2callback",)
        file = root / "oidc.yaml"
        file.touch(0o600)
        metadata = f"{provider.url}/.well-known/openid-configuration"
        file.write_text(yaml.safe_dump(config(metadata_url=metadata).model_dump(mode="json")))
        with running_review(root, "--oidc", str(file), "--public-url", url, name=None, port=port) as review:
            yield Lab(provider, review)


def test_a_login_at_the_provider_opens_pages_api_media_and_websocket(lab: Lab) -> None:
    url = lab.review.url
    assert requests.get(f"{url}/teleloom/api/me", timeout=30).status_code == 401
    client, page = lab.log_in("anna@lab.example")
    assert (page.status_code, page.url) == (200, f"{url}/")
    assert client.get(f"{url}/teleloom/api/me", timeout=30).json() == {"name": "anna@lab.example", "role": "lead"}
    media = f"{url}/teleloom/media/{make_id(0)}/player.json"
    assert requests.get(media, timeout=30).status_code == 401
    assert client.get(media, timeout=30).json()["episode_id"] == make_id(0)
    stream = url.replace("http", "ws") + "/_stcore/stream"
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    with connect(stream, additional_headers={"cookie": cookie}, origin=url):
        pass
    with pytest.raises(InvalidStatus), connect(stream, origin=url):
        pass


def test_roles_come_from_the_file(lab: Lab) -> None:
    client, _ = lab.log_in("ben@lab.example")
    assert client.get(f"{lab.review.url}/teleloom/api/me", timeout=30).json()["role"] == "annotator"


@pytest.mark.parametrize(("user", "verified"), [("mallory@lab.example", True), ("anna@lab.example", False)])
def test_who_is_not_in_the_file_or_not_verified_gets_nothing(lab: Lab, user: str, verified: bool) -> None:
    lab.provider.claims = {"email_verified": verified}
    client, page = lab.log_in(user)
    lab.provider.claims = {"email_verified": True}
    assert page.status_code == (403 if verified else 200)
    assert ("has no access here" in page.text) == verified
    assert "<script" not in page.text
    assert client.get(f"{lab.review.url}/teleloom/api/me", timeout=30).status_code == 401
    assert client.get(f"{lab.review.url}/teleloom/media/{make_id(0)}/player.json", timeout=30).status_code == 401


def test_signing_out_ends_it_here_and_at_the_provider(lab: Lab) -> None:
    client, _ = lab.log_in("anna@lab.example")
    before = lab.provider.logouts
    page = client.post(f"{lab.review.url}/teleloom/sign-out", headers={"origin": lab.review.url}, timeout=30)
    assert page.text == "signed out at the provider"
    assert lab.provider.logouts == before + 1
    assert client.get(f"{lab.review.url}/teleloom/api/me", timeout=30).status_code == 401
