"""Signing in and out over HTTP."""

from __future__ import annotations

import math
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from review_ui.access.cookies import SESSION_S
from review_ui.access.headers import BARE_PAGE
from review_ui.access.oidc import CALLBACK_PATH, LOGIN_PATH, LOGOUT_PATH
from review_ui.access.policy import AccessPolicy
from review_ui.access.refusal import refusal
from review_ui.access.signin_page import onward_page, sign_in_page, stranger_page
from review_ui.access.throttle import Throttle

SIGN_IN_PATH = "/teleloom/sign-in"
SIGN_OUT_PATH = "/teleloom/sign-out"
PROVIDER_PATH = "/teleloom/sign-in/provider"
API_PREFIXES = ("/teleloom/api/", "/teleloom/media/", "/teleloom/player/", "/_stcore/", "/static/", "/media/")
MAX_FORM_BYTES = 4096


class SignIn:
    """Answers whoever is not signed in yet: a page to sign in on, and nothing else."""

    def __init__(self, policy: AccessPolicy, throttle: Throttle) -> None:
        self._policy = policy
        self._throttle = throttle

    def passes(self, path: str) -> bool:
        """Whether Streamlit's own login has to answer this path itself."""
        return self._policy.provider is not None and path in (LOGIN_PATH, LOGOUT_PATH, CALLBACK_PATH)

    def takes(self, request: Request) -> bool:
        """Whether this is about signing in or out, whoever asks."""
        return request.url.path in (SIGN_IN_PATH, SIGN_OUT_PATH, PROVIDER_PATH) or self._brings_token(request)

    async def answer(self, request: Request) -> Response:
        """Sign in or out as asked."""
        path = request.url.path
        if path == SIGN_OUT_PATH:
            return self._sign_out(request)
        if path == PROVIDER_PATH and self._policy.provider is not None:
            return RedirectResponse(self._policy.provider.login_url(), 303)
        if request.method == "POST":
            return await self._by_form(request)
        if self._brings_token(request):
            return self._by_link(request)
        next_path = _own_path(request.query_params.get("next", "/"))
        if self._policy.reviewer(request.cookies) is not None:
            return RedirectResponse(next_path, 303)
        return self._page(next_path)

    def refuse(self, request: Request) -> Response:
        """The answer to somebody who is not signed in and asks for something else."""
        if not _is_page(request):
            return refusal(401, "signed-out", "sign in first")
        if (
            request.headers.get("sec-fetch-site") == "cross-site"
            and self._policy.sessions.cookie not in request.cookies
        ):
            return _html(onward_page(_path_and_query(request)))
        if self._policy.provider and (email := self._policy.provider.email(request.cookies)):
            return _html(stranger_page(email, LOGOUT_PATH), 403)
        return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'next': _path_and_query(request)})}", 303)

    def _brings_token(self, request: Request) -> bool:
        return (
            self._policy.everybody is None
            and request.method == "GET"
            and "token" in request.query_params
            and not request.url.path.startswith(API_PREFIXES)
        )

    async def _by_form(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return refusal(413, "bad-request", f"a sign-in form has at most {MAX_FORM_BYTES} bytes")
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
        next_path = _own_path(fields.get("next", ["/"])[0])
        return self._try(request, fields.get("token", [""])[0], next_path, RedirectResponse(next_path, 303))

    def _by_link(self, request: Request) -> Response:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        path = "/" if request.url.path == SIGN_IN_PATH else request.url.path
        next_path = _own_path(path + (f"?{urlencode(kept)}" if kept else ""))
        return self._try(request, request.query_params["token"], next_path, _html(onward_page(next_path)))

    def _try(self, request: Request, token: str, next_path: str, done: Response) -> Response:
        """`done` with a session for whoever `token` belongs to; the sign-in page for anyone else."""
        address = request.client.host if request.client else ""
        if wait_s := self._throttle.wait_s(address):
            answer = self._page(next_path, f"Too many wrong tries; wait {wait_s:.0f} s.", 429)
            answer.headers["retry-after"] = str(math.ceil(wait_s))
            return answer
        sessions = self._policy.sessions
        holder = sessions.tokens.find(token.strip())
        if holder is None:
            self._throttle.count(address)
            return self._page(next_path, "That is no token of this server, or it was revoked.", 401)
        done.set_cookie(
            sessions.cookie,
            sessions.begin(holder),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=sessions.secure,
        )
        return done

    def _sign_out(self, request: Request) -> Response:
        if request.method != "POST":
            return refusal(405, "bad-request", "signing out is a POST, so that no link can do it")
        provider = self._policy.provider
        at_provider = provider is not None and provider.email(request.cookies) is not None
        answer = RedirectResponse(LOGOUT_PATH if at_provider else SIGN_IN_PATH, 303)
        sessions = self._policy.sessions
        answer.delete_cookie(sessions.cookie, httponly=True, samesite="strict", secure=sessions.secure)
        return answer

    def _page(self, next_path: str, wrong: str = "", status: int = 200) -> Response:
        page = sign_in_page(
            SIGN_IN_PATH,
            by_token=self._policy.provider is None or bool(self._policy.sessions.tokens.tokens()),
            provider=PROVIDER_PATH if self._policy.provider else None,
            next_path=next_path,
            wrong=wrong,
        )
        return _html(page, status)


def _own_path(path: str) -> str:
    """`path` where it stays on this server, otherwise the front page: a sign-in must not lead elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain and not path.startswith(SIGN_IN_PATH) else "/"


def _path_and_query(request: Request) -> str:
    query = urlencode(parse_qsl(request.url.query, max_num_fields=64)) if request.url.query else ""
    return _own_path(request.url.path + (f"?{query}" if query else ""))


def _is_page(request: Request) -> bool:
    accepts_pages = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and accepts_pages and not request.url.path.startswith(API_PREFIXES)


def _html(page: str, status: int = 200) -> Response:
    headers = {"content-security-policy": BARE_PAGE, "cache-control": "no-store"}
    return HTMLResponse(page, status, headers)
