"""The gate: nothing reaches the app, its media, its API or its websocket without passing here."""

from __future__ import annotations

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from review_ui.access.errors import AccessError
from review_ui.access.headers import adding, security_headers
from review_ui.access.policy import REVIEWER, AccessPolicy
from review_ui.access.refusal import refusal
from review_ui.access.signin import SignIn
from review_ui.access.throttle import Throttle
from review_ui.service.roles import Reviewer

READING = frozenset({"GET", "HEAD"})
OWN_PREFIX = "/teleloom/"
POLICY_VIOLATION = 1008


class Gate:
    """ASGI middleware in front of everything. content_policy: the Content-Security-Policy of the app's pages."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy, content_policy: str) -> None:
        self._app = app
        self._policy = policy
        self._signin = SignIn(policy, Throttle())
        self._headers = security_headers(content_policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(Request(scope, receive), receive, adding(self._headers, send))
        elif scope["type"] == "websocket":
            await self._websocket(HTTPConnection(scope), receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            answer = self._answer(request) or await self._sign(request)
        except AccessError as error:
            answer = refusal(503, "unavailable", str(error))
        await (answer or self._app)(request.scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """A refusal that has nothing to do with who asks."""
        host = request.headers.get("host")
        if not self._policy.answers(host):
            return refusal(421, "bad-request", f"this server does not answer to the name {host!r}")
        if request.method not in READING and not request.url.path.startswith(OWN_PREFIX):
            return refusal(405, "bad-request", f"{request.method} is not for {request.url.path}")
        if self._foreign(request):
            return refusal(403, "forbidden", "a page of another site may not ask this")
        return None

    async def _sign(self, request: Request) -> Response | None:
        """None for a request that may pass, with its reviewer noted."""
        if self._signin.takes(request):
            return await self._signin.answer(request)
        reviewer = self._policy.reviewer(request.cookies)
        if reviewer is None and not self._signin.passes(request.url.path):
            return self._signin.refuse(request)
        request.scope[REVIEWER] = reviewer
        return None

    def _foreign(self, connection: HTTPConnection) -> bool:
        """Whether a page of another site sends this; a plain step to a page from a link elsewhere is no such thing."""
        headers = connection.headers
        origin = headers.get("origin")
        if origin is not None and not self._policy.same_origin(origin, headers.get("host")):
            return True
        if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return False
        steps_to_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return not (steps_to_page and connection.scope.get("method") == "GET")

    async def _websocket(self, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        try:
            reviewer = self._policy.reviewer(connection.cookies)
        except AccessError:
            reviewer = None
        if reviewer is None or not self._policy.answers(connection.headers.get("host")) or self._foreign(connection):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        connection.scope[REVIEWER] = reviewer
        watched = _Watched(self._policy, connection, reviewer, send)
        await self._app(connection.scope, watched.receiving(receive), watched.sending)


class _Watched:
    """A websocket that ends with the session it began with, even while it is open."""

    def __init__(self, policy: AccessPolicy, connection: HTTPConnection, reviewer: Reviewer, send: Send) -> None:
        self._policy = policy
        self._cookies = connection.cookies
        self._reviewer = reviewer
        self._send = send
        self._closed = False

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not self._holds():
                await self._close()
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            return message

        return received

    async def sending(self, message: Message) -> None:
        if message["type"] == "websocket.send" and not self._holds():
            await self._close()
        elif not self._closed:
            await self._send(message)

    def _holds(self) -> bool:
        try:
            return not self._closed and self._policy.reviewer(self._cookies) == self._reviewer
        except AccessError:
            return False

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION})
