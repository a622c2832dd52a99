"""The rules of one server: whom it answers, under which names, and who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from review_ui.access.cookies import Sessions
from review_ui.access.errors import SignedOutError
from review_ui.service.roles import Reviewer

if TYPE_CHECKING:
    from review_ui.access.oidc import Provider

REVIEWER = "teleloom.reviewer"


@dataclass(frozen=True)
class AccessPolicy:
    """everybody: who everyone is, without signing in; None: people sign in, by a token or at `provider`.

    hosts: the names under which the server may be addressed, None for any. scheme: of the address in the browser.
    """

    everybody: Reviewer | None
    sessions: Sessions
    provider: Provider | None = None
    hosts: frozenset[str] | None = None
    scheme: str = "http"

    def reviewer(self, cookies: Mapping[str, str]) -> Reviewer | None:
        """Who sends these cookies; None: nobody who may see anything."""
        if self.everybody is not None:
            return self.everybody
        if (token := self.sessions.holder(cookies)) is not None:
            return Reviewer(token.name, token.role)
        return self.provider.reviewer(cookies) if self.provider else None

    def answers(self, host: str | None) -> bool:
        """Whether a request for this `Host` is meant for the server.

        On loopback this keeps out a page elsewhere whose name was pointed at this machine, which the browser would
        take for the same origin.
        """
        if self.hosts is None:
            return host is not None
        return host is not None and host_name(host) in self.hosts

    def same_origin(self, origin: str, host: str | None) -> bool:
        """Whether `origin` is the server's own, as the browser sees it."""
        return host is not None and origin.lower() == f"{self.scheme}://{host}".lower()


def host_name(host: str) -> str:
    """The name in a `Host` header, without its port: "[::1]:8501" → "::1"."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def reviewer_of(connection: HTTPConnection) -> Reviewer:
    """Who sent this request, as the gate found. Raises SignedOutError where nobody is signed in."""
    reviewer = connection.scope.get(REVIEWER)
    if not isinstance(reviewer, Reviewer):
        raise SignedOutError("sign in first")
    return reviewer
