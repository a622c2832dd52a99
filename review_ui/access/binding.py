"""Where the server may listen: on loopback freely, beyond it only behind TLS and a sign-in."""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from review_ui.access.cookies import Sessions
from review_ui.access.errors import AccessError
from review_ui.access.oidc import OidcConfig, Provider
from review_ui.access.policy import AccessPolicy
from review_ui.access.tokens import TokenStore
from review_ui.service.roles import Reviewer

EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Binding:
    """Where to listen. certificate, key: PEM files, both or neither. behind_proxy: a proxy on this machine has TLS.

    public_url: the address in the browser, needed behind a proxy and for an identity provider.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    public_url: str | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """The address to open."""
        if self.public_url:
            return self.public_url.rstrip("/")
        name = socket.gethostname() if self.host in EVERY_ADDRESS else self.host
        host = f"[{name}]" if ":" in name else name
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def policy(binding: Binding, tokens: TokenStore, oidc: OidcConfig | None, name: str | None) -> AccessPolicy:
    """The rules for a server that listens there. name: who everyone is on loopback, the login user's by default.

    Raises AccessError for a server that would be open to people it should not be, with the command that helps.
    """
    _check_options(binding, oidc)
    public = urlsplit(binding.url)
    everybody = None
    if binding.loopback and not binding.behind_proxy and oidc is None:
        everybody = Reviewer(name or _login_name(), "lead")
    elif name is not None:
        raise AccessError("--as is for a server that only this machine reaches; here everyone signs in as themselves")
    elif oidc is None and not tokens.tokens():
        raise AccessError(
            f"{binding.url} is open to other people, and nobody has a token; make one with "
            f"`teleloom review token add {tokens.path.parent} NAME --role lead`, or give --oidc FILE"
        )
    if not binding.loopback and not binding.certificate:
        raise AccessError(
            f"{binding.host} can be reached from other machines: give --certificate FILE and --key FILE, or listen on "
            f"127.0.0.1 with --behind-proxy --public-url https://NAME; tokens do not travel in the clear"
        )
    hosts = LOOPBACK_NAMES | {binding.host.lower()} if binding.loopback else None
    if binding.public_url and public.hostname:
        hosts = (hosts or frozenset()) | {public.hostname}
    return AccessPolicy(
        everybody=everybody,
        sessions=Sessions(tokens, secure=public.scheme == "https"),
        provider=Provider(oidc, f"{public.scheme}://{public.netloc}") if oidc else None,
        hosts=hosts,
        scheme=public.scheme,
    )


def _check_options(binding: Binding, oidc: OidcConfig | None) -> None:
    if bool(binding.certificate) != bool(binding.key):
        raise AccessError("a certificate needs its key: give --certificate FILE and --key FILE together")
    for file in (binding.certificate, binding.key):
        if file is not None and not file.is_file():
            raise AccessError(f"there is no file {file}; --certificate and --key name PEM files")
    if binding.behind_proxy and not binding.loopback:
        raise AccessError(f"--behind-proxy is for a proxy on this machine: listen on 127.0.0.1, not on {binding.host}")
    if (binding.behind_proxy or oidc) and not binding.public_url:
        wanted_by = "--behind-proxy" if binding.behind_proxy else "--oidc"
        raise AccessError(f"{wanted_by} needs --public-url, the address in the browser, like https://review.example")
    if binding.public_url:
        _check_public_url(binding.public_url)


def _check_public_url(url: str) -> None:
    parts = urlsplit(url)
    plain_allowed = (parts.hostname or "") in LOOPBACK_NAMES
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise AccessError(f"--public-url {url}: give a scheme and a name, like https://review.example, and no path")
    if parts.scheme == "http" and not plain_allowed:
        raise AccessError(f"--public-url {url}: must begin with https://; tokens do not travel in the clear")


def _login_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
