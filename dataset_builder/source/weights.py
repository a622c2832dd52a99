"""How much each step counts in training: what review said of the episode, and where a person corrected a policy."""

from __future__ import annotations

from pydantic import Field

from teleloom.config import Config


class StepWeights(Config):
    """Factors on the weight that review gave the episode.

    pre_intervention_steps: so many steps before a takeover count as what led to it (Sirius: 15).
    """

    demonstration: float = Field(default=1.0, ge=0)
    policy: float = Field(default=1.0, ge=0)
    intervention: float = Field(default=1.0, ge=0)
    pre_intervention: float = Field(default=1.0, ge=0)
    pre_intervention_steps: int = Field(default=15, ge=0)
