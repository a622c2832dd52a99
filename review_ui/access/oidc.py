"""Signing in at the lab's own identity provider (OpenID Connect), through Streamlit's login.

Streamlit speaks with the provider and keeps who signed in in a cookie that it signs; the same cookie is read here, so
that pages, media and the API know one login.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, StringConstraints
from streamlit.auth_util import encode_provider_token, get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from review_ui.access.errors import AccessError
from review_ui.service.roles import Reviewer, Role
from teleloom.config import Config, ConfigError, load_yaml

LOGIN_PATH = "/auth/login"
LOGOUT_PATH = "/auth/logout"
CALLBACK_PATH = "/oauth2callback"

Email = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]+@[^@\s]+$")]


class OidcConfig(Config):
    """The provider and who may come in. metadata_url: ends in /.well-known/openid-configuration.

    cookie_secret: signs the login cookie, at least 32 characters that nobody can guess. people: e-mail to role; an
    address that is not in it is refused. require_verified_email: refuse an address that the provider does not call
    verified; turn it off only for a provider that gives out its addresses itself.
    """

    metadata_url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Annotated[str, Field(min_length=1)]
    cookie_secret: Annotated[str, Field(min_length=32)]
    people: Annotated[dict[Email, Role], Field(min_length=1)]
    require_verified_email: bool = True
    client_kwargs: dict[str, str] = {}


def load_oidc(path: Path) -> OidcConfig:
    """The configuration in `path`, which holds secrets. Raises AccessError when others may read it or it is wrong, or
    when what speaks with a provider is not installed.
    """
    _check_installed()
    try:
        if path.stat().st_mode & 0o077:
            raise AccessError(f"{path} holds secrets and may be read by others; run: chmod 600 {path}")
        return load_yaml(path, OidcConfig)
    except OSError as error:
        raise AccessError(f"cannot read {path}: {error.strerror}") from None
    except ConfigError as error:
        raise AccessError(str(error)) from None


def _check_installed() -> None:
    """At the start rather than at somebody's first login."""
    try:
        importlib.import_module("authlib.integrations.starlette_client")
    except ModuleNotFoundError as error:
        raise AccessError(f"--oidc needs '{error.name}'; run: pip install 'teleloom[review]'") from None


@dataclass(frozen=True)
class Provider:
    """The identity provider as this server uses it. origin: of the server in the browser, "https://review.example"."""

    config: OidcConfig
    origin: str

    def secrets(self) -> dict[str, Any]:
        """What Streamlit's login reads."""
        return {
            "auth": {
                "redirect_uri": f"{self.origin}{CALLBACK_PATH}",
                "cookie_secret": self.config.cookie_secret,
                "client_id": self.config.client_id,
                "client_secret": self.config.client_secret,
                "server_metadata_url": self.config.metadata_url,
                "client_kwargs": dict(self.config.client_kwargs),
            }
        }

    def login_url(self) -> str:
        """Where a login begins; good for two minutes. Only inside the server."""
        return f"{LOGIN_PATH}?provider={quote(encode_provider_token('default'))}"

    def reviewer(self, cookies: Mapping[str, str]) -> Reviewer | None:
        """Who signed in at the provider, if they may come in."""
        email = self.email(cookies)
        role = self.config.people.get(email) if email else None
        return Reviewer(email, role) if email and role else None

    def email(self, cookies: Mapping[str, str]) -> str | None:
        """The address of whoever signed in, known here or not."""
        user = self._user(cookies)
        email, verified = user.get("email"), user.get("email_verified")
        if not isinstance(email, str) or not user.get("is_logged_in") or user.get("origin") != self.origin:
            return None
        if self.config.require_verified_email and verified not in (True, "true"):
            return None
        return email.strip().lower()

    def _user(self, cookies: Mapping[str, str]) -> dict[str, Any]:
        def signed(name: str) -> bytes | None:
            value = cookies.get(name)
            return decode_signed_value(self.config.cookie_secret, name, value) if value and value.isascii() else None

        content = get_cookie_with_chunks(signed, USER_COOKIE_NAME)
        try:
            user = json.loads(content) if content else {}
        except ValueError:
            return {}
        return user if isinstance(user, dict) else {}
