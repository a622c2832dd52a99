"""What the server process holds: one catalog and what is built on it, for routes and pages alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from review_ui.access.policy import AccessPolicy
    from review_ui.proxies import ProxyStore
    from review_ui.service import ReviewService
    from teleloom.catalog import Catalog


class NoServerError(RuntimeError):
    """Code that needs the review's server runs outside of it."""


@dataclass(frozen=True)
class ServerContext:
    """root: the folder that holds `episodes/`. unreadable: files in there that are no sound episode, by name, and why;
    kept up to date while the server runs. All of it may be used from several threads at once.
    """

    root: Path
    catalog: Catalog
    service: ReviewService
    proxies: ProxyStore
    access: AccessPolicy
    unreadable: dict[str, str] = field(default_factory=dict)


_installed: ServerContext | None = None


def install(context: ServerContext | None) -> None:
    """Make `context` the one that this process serves; None when the server has ended."""
    global _installed
    _installed = context


def current() -> ServerContext:
    """The context of this process. Raises NoServerError where no server was started."""
    if _installed is None:
        raise NoServerError("no review server runs in this process; start one with `teleloom review ROOT`")
    return _installed
