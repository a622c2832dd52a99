"""Leaving steps out: those that do nothing, and those that review marked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from teleloom.config import Config


class StepFilters(Config):
    """Which steps of an episode are left out.

    no_ops: "libero" drops steps that neither move the tool nor the gripper (norm of the delta under 1e-4), "droid"
    drops runs of at least `idle_run` steps in which no joint's speed changes by 1e-3 rad/s. drop_flags: spans that
    review flagged so. drop_segments: segments that ended so. may_erase_tasks: a build refuses to lose a whole task to
    these filters unless this allows it.
    """

    no_ops: Literal["keep", "libero", "droid"] = "keep"
    idle_run: int = Field(default=7, ge=1)
    drop_flags: tuple[str, ...] = ()
    drop_segments: tuple[Literal["partial", "failure", "unknown"], ...] = ()
    may_erase_tasks: bool = False
