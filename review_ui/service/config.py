"""How a team reviews."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from teleloom.catalog.annotations import Name
from teleloom.config import Config


class ReviewConfig(Config):
    """lease_s: how long an episode stays with who took it, without a sign of life. overlap_share, overlap_reviewers:
    what part of the episodes is judged by how many people, each without knowing the others' word.
    boundary_tolerance_s: how far apart two people may cut and still agree. rejection_reasons: to choose one from.
    """

    lease_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    overlap_share: Annotated[float, Field(ge=0, le=1)] = 0.07
    overlap_reviewers: Annotated[int, Field(ge=2, le=5)] = 2
    boundary_tolerance_s: Annotated[float, Field(gt=0)] = 0.5
    rejection_reasons: tuple[Name, ...] = (
        "task failed",
        "collision",
        "camera fault",
        "data fault",
        "operator error",
        "wrong instruction",
        "near-duplicate",
        "other",
    )
