"""What may be set about a scripted operator: how it moves, sees and errs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from teleloom.config import Config
from teleloom.messages import Pose, Vec3
from teleop.config import Fraction, Positive


class ScriptedOperatorConfig(Config):
    """How the operator moves, sees and errs. The defaults are an adult who has practised."""

    rate_hz: Positive = Field(default=90.0, description="XrFrames per second")
    hand: Literal["left", "right"] = Field(default="right", description="the hand that drives the arm")
    speed_m_s: Positive = Field(default=0.6, description="peak speed that a long reach from rest tends to")
    turn_rad_s: Positive = Field(default=2.0, description="peak turning rate that a long turn from rest tends to")
    shortest_reach_s: Positive = Field(default=0.25, description="duration of the smallest correction")
    tremor_m: float = Field(default=0.0007, ge=0, description="RMS displacement of the tremor")
    tremor_rad: float = Field(default=0.004, ge=0, description="RMS rotation of the tremor")
    press_s: Positive = Field(default=0.08, description="time for a full press of squeeze or trigger")
    tap_s: Positive = Field(default=0.1, description="how long a button is held down")
    look_rate_hz: Positive = Field(default=10.0, description="looks at the scene per second")
    reaction_s: float = Field(default=0.15, ge=0, description="time from a look to what the hand makes of it")
    sight_m: float = Field(default=0.0005, ge=0, description="error per axis in judging where the tool is")
    workspace_m: Vec3 = Field(default=(0.25, 0.25, 0.22), description="how far the hand goes from where it is held")
    wrist_rad: Positive = Field(default=1.1, description="how far the hand turns from its comfortable orientation")
    comfortable: Pose = Field(
        default=(-0.25, -0.2, 0.1, 0.0, 0.258819, 0.0, 0.965926), description="where the hand is held, base frame"
    )
    head: Pose = Field(default=(-0.55, 0.0, 0.55, 0.0, 0.258819, 0.0, 0.965926), description="pose of the head")
    hesitation_rate_hz: float = Field(default=0.08, ge=0, description="pauses per second of moving")
    hesitation_s: Positive = Field(default=0.4, description="mean length of a pause")
    reclutch_rate_hz: float = Field(default=0.08, ge=0, description="re-clutches without need per second of moving")
    mistake_rate: Fraction = Field(default=0.0, description="share of episodes with a mistake")
    give_up_rate: Fraction = Field(default=0.5, description="share of mistakes after which the operator gives up")
    corrections: int = Field(default=4, ge=1, description="corrections at one waypoint before going on as it is")
    patience_s: Positive = Field(default=45.0, description="time after which the operator takes it for failed")
    rest_s: Positive = Field(default=0.5, description="rest at the end before the verdict")
