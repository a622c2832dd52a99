"""How much each step counts in training: what review said of the episode, and where a person corrected a policy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from teleloom.config import Config
from teleloom.messages import ControlMode

LED_TO_TAKEOVER, POLICY, HUMAN = -1, 0, 1

Flags = NDArray[np.bool_]
Modes = NDArray[np.int8]


class StepWeights(Config):
    """Factors on the weight that review gave the episode.

    demonstration: where a person drove and corrected nothing. policy: where a policy drove. intervention: where a
    person corrected it. pre_intervention: the last `pre_intervention_steps` that a policy drove before a person took
    over, which are what led to it (as in Sirius, Liu et al. 2023: 15 steps, which together get 0.2 % of the weight).
    """

    demonstration: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    policy: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    intervention: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    pre_intervention: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    pre_intervention_steps: int = Field(default=15, ge=0)


def action_modes(
    control_mode: NDArray[np.uint8], is_intervention: Flags, policy_pilot: bool, pre_intervention_steps: int
) -> Modes:
    """Who each step (T,) is to be put down to: HUMAN, POLICY, or LED_TO_TAKEOVER.

    A blend is the person's in a correction and the policy's otherwise. Where the arm held still, whoever drove last
    still had it; before anybody drove, whoever drove first; where nobody ever did, the policy if `policy_pilot`.
    """
    mode = control_mode.astype(np.int64)
    human = is_intervention | (mode == ControlMode.HUMAN)
    drove = np.flatnonzero(human | (mode != ControlMode.HOLD))
    if len(drove):
        last = np.searchsorted(drove, np.arange(len(mode)), side="right") - 1
        human = human[drove[np.maximum(last, 0)]]
    else:
        human = np.full(len(mode), not policy_pilot)
    modes = np.where(human, HUMAN, POLICY).astype(np.int8)
    for takeover in takeovers(modes):
        before = modes[max(0, takeover - pre_intervention_steps) : takeover]
        before[before == POLICY] = LED_TO_TAKEOVER
    return modes


def takeovers(modes: Modes) -> NDArray[np.int64]:
    """The steps at which a person drives and a policy drove the step before."""
    human = modes == HUMAN
    return np.flatnonzero(human[1:] & ~human[:-1]) + 1


def corrections(modes: Modes, is_intervention: Flags) -> Flags:
    """The steps (T,) at which a person corrects a policy: those marked so, and those after them until the policy drives
    again. Whoever grips anew in mid-correction holds the arm still meanwhile, and such a step is not marked."""
    steps = np.arange(len(modes))
    human = modes == HUMAN
    last_marked = np.maximum.accumulate(np.where(is_intervention, steps, -1))
    last_policy = np.maximum.accumulate(np.where(human, -1, steps))
    found: Flags = human & (last_marked > last_policy)
    return found


def step_weights(
    weights: StepWeights, episode_weight: float, modes: Modes, is_intervention: Flags
) -> NDArray[np.float32]:
    """The weight of each step (T,): that of its kind times that of the episode."""
    of_human = np.where(corrections(modes, is_intervention), weights.intervention, weights.demonstration)
    of_policy = np.where(modes == LED_TO_TAKEOVER, weights.pre_intervention, weights.policy)
    return (episode_weight * np.where(modes == HUMAN, of_human, of_policy)).astype(np.float32)
