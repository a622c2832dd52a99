"""The server process: the app, the API and the media behind one gate, and what goes on in the background."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import streamlit
import uvicorn
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.bootstrap import load_config_options
from streamlit.web.server.starlette.starlette_app import App

from review_ui.access.binding import Binding, policy
from review_ui.access.gate import Gate
from review_ui.access.headers import app_policy
from review_ui.access.oidc import load_oidc
from review_ui.access.tokens import TokenStore
from review_ui.app.faults import on_script_error
from review_ui.app.theme import STREAMLIT_OPTIONS
from review_ui.player.assets import player_route
from review_ui.proxies import BackgroundEncoder, ProxyStore
from review_ui.service import ReviewConfig, ReviewService
from review_ui.web.api import api_routes
from review_ui.web.background import EpisodeWatch
from review_ui.web.context import ServerContext, install
from review_ui.web.media import media_routes
from teleloom.catalog import Catalog

SCRIPT = Path(__file__).parents[1] / "app" / "main.py"
INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
BACKLOG = 128
GRACE_S = 3
LOOPBACK_PROXIES = ["127.0.0.1", "::1"]

Lifespan = Callable[[App], AbstractAsyncContextManager[dict[str, Any] | None]]


class PortTakenError(RuntimeError):
    """Somebody else listens there. The message names a way out."""


def serve(
    root: Path,
    binding: Binding,
    *,
    catalog_url: str | None = None,
    name: str | None = None,
    oidc: Path | None = None,
    config: ReviewConfig | None = None,
    browser: bool = True,
) -> None:
    """Serve the review of `root` until Ctrl-C or SIGTERM.

    name: who everyone is on a server that only this machine reaches. oidc: the identity provider's YAML file. browser:
    whether to open one. Raises AccessError, PortTakenError and CatalogError before anything is served.
    """
    rules = policy(binding, TokenStore(root), load_oidc(oidc) if oidc else None, name)
    with _listening(binding) as listener, Catalog.open(catalog_url or root, root=root) as catalog:
        binding = replace(binding, port=listener.getsockname()[1])
        context = ServerContext(
            root, catalog, ReviewService(catalog, config or ReviewConfig()), ProxyStore(root), rules
        )
        app = build_app(context, _background(context, catalog_url, lambda: _welcome(binding, root, browser)))
        load_config_options(streamlit_options(binding))
        install(context)
        try:
            _run(app, binding, listener)
        finally:
            install(None)


def build_app(context: ServerContext, lifespan: Lifespan) -> App:
    """The whole of what is served, behind the gate."""
    # Until the script has named its pages Streamlit takes the folder `pages` beside it for them, and an address that
    # is opened first would run a file of that folder by itself.
    PagesManager.uses_pages_directory = False
    provider = context.access.provider
    return App(
        SCRIPT,
        routes=[*api_routes(context), *media_routes(context), player_route()],
        middleware=[Middleware(Gate, policy=context.access, content_policy=app_policy(INDEX))],
        lifespan=lifespan,
        secrets=provider.secrets() if provider else None,
        on_script_error=on_script_error,
    )


def streamlit_options(binding: Binding) -> dict[str, object]:
    """How Streamlit is to behave, whatever the user's own configuration files say: quiet, closed, alone."""
    return {
        **STREAMLIT_OPTIONS,
        "global.developmentMode": False,
        "server.address": binding.host,
        "server.port": binding.port,
        "server.baseUrlPath": "",
        "server.headless": True,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.corsAllowedOrigins": [],
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.maxUploadSize": 1,
        "server.trustedUserHeaders": {},
        "server.sslCertFile": str(binding.certificate) if binding.certificate else None,
        "server.sslKeyFile": str(binding.key) if binding.key else None,
        "client.allowedOrigins": [],
        "secrets.files": [],
    }


@contextmanager
def _listening(binding: Binding) -> Iterator[socket.socket]:
    """The listening socket, taken before anything else starts. Raises PortTakenError."""
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((binding.host, binding.port))
        except OSError as error:
            raise PortTakenError(_why_not(binding, error)) from None
        listener.listen(BACKLOG)
        listener.setblocking(False)
        yield listener


def _why_not(binding: Binding, error: OSError) -> str:
    where = f"{binding.host}:{binding.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is taken, perhaps by another review; give --port {binding.port + 1}, or --port 0 for any"
    if error.errno == errno.EACCES:
        return f"{where} is not yours to open; give --port 8501, or another above 1023"
    return f"cannot listen on {where}: {error.strerror}; --host names an address of this machine"


def _background(context: ServerContext, url: str | None, ready: Callable[[], None]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[dict[str, Any] | None]:
        with EpisodeWatch(context.root, url, context.unreadable), BackgroundEncoder(context.root, url):
            ready()
            yield None

    return lifespan


def _welcome(binding: Binding, root: Path, browser: bool) -> None:
    print(f"Reviewing {root} at {binding.url} (Ctrl-C ends it)", flush=True)
    if browser and binding.loopback and _has_display():
        threading.Thread(target=webbrowser.open, args=(binding.url,), daemon=True).start()


def _has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _run(app: App, binding: Binding, listener: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="websockets-sansio",
            ws_ping_interval=30,
            ws_ping_timeout=30,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=binding.behind_proxy,
            forwarded_allow_ips=LOOPBACK_PROXIES,
            ssl_certfile=binding.certificate,
            ssl_keyfile=binding.key,
        )
    )
    # The server ends in order on a signal and then raises it again, for whoever would have had it.
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
