"""Who sits at this browser, and what this server works on: what every page begins with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from review_ui.access.session import reviewer_of_session
from review_ui.service import Reviewer, ReviewService
from review_ui.web.context import ServerContext, current
from teleloom.catalog import Catalog
from teleloom.clock import NS_PER_S


@dataclass(frozen=True)
class Seat:
    """One reviewer before one server. zone: the browser's time zone; now_ns: wall time when this page was drawn."""

    context: ServerContext
    reviewer: Reviewer
    zone: tzinfo
    now_ns: int

    @property
    def catalog(self) -> Catalog:
        return self.context.catalog

    @property
    def service(self) -> ReviewService:
        return self.context.service

    @property
    def leads(self) -> bool:
        return self.reviewer.role == "lead"

    @property
    def day_began_ns(self) -> int:
        """Midnight in the reader's time zone."""
        now = datetime.fromtimestamp(self.now_ns / NS_PER_S, self.zone)
        return int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * NS_PER_S


def take_seat() -> Seat:
    """The seat of the session whose script runs. Raises NoServerError outside of the review's server."""
    context = current()
    return Seat(context, reviewer_of_session(context), _zone(), time.time_ns())


def _zone() -> tzinfo:
    name = st.context.timezone
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
