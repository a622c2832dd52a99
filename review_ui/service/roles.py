"""Who reviews, and what only a lead may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from review_ui.service.errors import NotAllowedError

Role = Literal["annotator", "lead"]


@dataclass(frozen=True)
class Reviewer:
    """Somebody at work. name: the author of all that they say."""

    name: str
    role: Role


def require_lead(reviewer: Reviewer, what: str) -> None:
    """Raises NotAllowedError unless `reviewer` is a lead. what: follows "may", e.g. "settle a dispute"."""
    if reviewer.role != "lead":
        raise NotAllowedError(f"'{reviewer.name}' is an annotator; only a lead may {what}")
