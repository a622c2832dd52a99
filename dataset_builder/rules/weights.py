"""Who acted in each step, and how much it counts in training: a factor for its kind on the weight of the episode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from teleloom.config import Config
from teleloom.messages import ControlMode

DEMONSTRATION, POLICY, INTERVENTION = -1, 0, 1
"""Who acted in a step, as austin_sirius among the Open X-Embodiment datasets has it in `action_mode`."""

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


def action_modes(control_mode: NDArray[np.uint8], is_intervention: Flags, policy_pilot: bool) -> Modes:
    """Who acted in each step (T,) of a whole recording: DEMONSTRATION, POLICY or INTERVENTION.

    A blend is the person's in a correction and the policy's otherwise. Where the arm held still, whoever drove last
    still had it; before anybody drove, whoever drove first; where nobody ever did, the policy if `policy_pilot`. So an
    intervention lasts until the policy drives again: whoever grips anew in mid-correction holds the arm still, and such
    a step is not marked.
    """
    mode = control_mode.astype(np.int64)
    human = is_intervention | (mode == ControlMode.HUMAN)
    drove = np.flatnonzero(human | (mode != ControlMode.HOLD))
    steps = np.arange(len(mode))
    if len(drove):
        last = np.searchsorted(drove, steps, side="right") - 1
        human = human[drove[np.maximum(last, 0)]]
    else:
        human = np.full(len(mode), not policy_pilot)
    last_marked = np.maximum.accumulate(np.where(is_intervention, steps, -1))
    last_policy = np.maximum.accumulate(np.where(human, -1, steps))
    of_human = np.where(last_marked > last_policy, INTERVENTION, DEMONSTRATION)
    return np.where(human, of_human, POLICY).astype(np.int8)


def takeovers(modes: Modes) -> NDArray[np.int64]:
    """The steps in which a person acted and a policy did the step before."""
    human = modes != POLICY
    return np.flatnonzero(human[1:] & ~human[:-1]) + 1


def led_to_takeover(modes: Modes, count: int) -> Flags:
    """The last `count` steps (T,) at most that a policy drove before each takeover."""
    led: Flags = np.zeros(len(modes), dtype=bool)
    for takeover in takeovers(modes):
        led[max(0, takeover - count) : takeover] = True
    led &= modes == POLICY
    return led


def step_weights(weights: StepWeights, episode_weight: float, modes: Modes, led: Flags) -> NDArray[np.float32]:
    """The weight of each step (T,): that of its kind times that of the episode. led: it led to a takeover."""
    factors = np.select(
        [led, modes == POLICY, modes == INTERVENTION],
        [weights.pre_intervention, weights.policy, weights.intervention],
        weights.demonstration,
    )
    return (episode_weight * factors).astype(np.float32)
