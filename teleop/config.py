"""What a station may set about teleoperation. Every limit is explicit, in SI units, and checked against the arm."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from teleloom.config import Config
from teleloom.messages import Vec3

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Flags = tuple[bool, bool, bool]
NO_AXES: Flags = (False, False, False)


class ClutchConfig(Config):
    """The squeeze button as clutch, with hysteresis."""

    engage_above: Fraction = Field(default=0.7, description="squeeze at which the arm begins to follow")
    release_below: Fraction = Field(default=0.3, description="squeeze at which it stops following")

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.release_below >= self.engage_above:
            raise ValueError("release_below must lie under engage_above, or the clutch chatters")
        return self


class MappingConfig(Config):
    """From the hand's motion since engagement to the tool's."""

    translation_scale: Positive = Field(default=1.0, description="metres of the tool per metre of the hand")
    rotation_scale: Positive = Field(default=1.0, description="radians of the tool per radian of the hand")
    lock_translation: Flags = Field(default=NO_AXES, description="base-frame axes along which the tool stays")
    lock_rotation: Flags = Field(default=NO_AXES, description="base-frame axes about which the tool stays")


class FilterConfig(Config):
    """One-Euro filter: the cutoff is `min_cutoff + beta * speed`, so rest is smooth and motion is prompt."""

    position_min_cutoff_hz: Positive = Field(default=2.0, description="cutoff of the position at rest")
    position_beta_hz_s_m: float = Field(default=20.0, ge=0, description="cutoff added per m/s of the hand")
    rotation_min_cutoff_hz: Positive = Field(default=2.0, description="cutoff of the rotation at rest")
    rotation_beta_hz_s_rad: float = Field(default=4.0, ge=0, description="cutoff added per rad/s of the hand")
    derivative_cutoff_hz: Positive = Field(default=6.0, description="cutoff of the speed estimates")
    extrapolation_s: float = Field(default=0.025, ge=0, description="how long a frame's velocity carries it on")


class WorkspaceConfig(Config):
    """Where the tool may be, and how far it may lean, in the robot's base frame."""

    lower_m: Vec3 = Field(default=(0.2, -0.5, 0.0), description="lowest x, y, z of the tool")
    upper_m: Vec3 = Field(default=(0.8, 0.5, 0.8), description="highest x, y, z of the tool")
    tolerance_m: Positive = Field(default=0.005, description="excess of the commanded tool that is a fault")
    tool_axis: Vec3 = Field(default=(0.0, 0.0, 1.0), description="approach axis, in the tool's frame")
    upright_axis: Vec3 = Field(default=(0.0, 0.0, -1.0), description="where that axis points in the middle of the cone")
    cone_rad: float = Field(default=2.0, gt=0, le=math.pi, description="how far the tool axis may lean from there")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for axis, low, high in zip("xyz", self.lower_m, self.upper_m, strict=True):
            if low >= high:
                raise ValueError(f"workspace is empty along {axis}: lower {low} m is not below upper {high} m")
        for name in ("tool_axis", "upright_axis"):
            if abs(math.hypot(*getattr(self, name)) - 1.0) > 1e-6:
                raise ValueError(f"{name} must have length 1")
        return self


class MotionLimits(Config):
    """Limits of one kind of motion of the tool, m or rad."""

    velocity: Positive = Field(description="per s")
    acceleration: Positive = Field(description="per s²; the hand is expected to brake no harder either")
    jerk: Positive = Field(description="per s³; gives way where the workspace wall needs the brake")


class GovernorConfig(Config):
    """How fast the tool may move."""

    linear: MotionLimits = Field(default=MotionLimits(velocity=0.8, acceleration=5.0, jerk=600.0))
    angular: MotionLimits = Field(default=MotionLimits(velocity=2.5, acceleration=15.0, jerk=2000.0))
    gain_per_s: Positive = Field(default=30.0, description="share of the remaining error that is closed per second")


class IkConfig(Config):
    """Weights of the inverse kinematics and the clearance that it keeps."""

    rotation_weight_m: Positive = Field(default=0.3, description="metres of position error worth one radian")
    posture_weight_m: float = Field(default=0.01, ge=0, description="pull of the posture task per rad/s")
    posture_gain_per_s: float = Field(default=1.0, ge=0, description="how fast a free joint returns to home_q")
    damping_m: Positive = Field(default=0.003, description="regularisation per rad/s")
    velocity_fraction: float = Field(default=0.95, gt=0, le=1, description="share of the joints' velocity limits used")
    acceleration_fraction: float = Field(default=0.95, gt=0, le=1, description="share of the acceleration limits used")
    self_collision: bool = Field(default=True, description="keep the links of the arm apart")
    clearance_m: Positive = Field(default=0.005, description="distance kept from obstacles and between links")
    sensing_m: Positive = Field(default=0.08, description="distance from which a collision row is added")
    push_out_per_s: Positive = Field(default=5.0, description="share of a lost clearance regained per second")
    deceleration_m_s2: Positive = Field(default=2.0, description="braking assumed when nearing an obstacle")


class _Solid(Config):
    """What every obstacle has."""

    name: str
    clearance_m: float | None = Field(
        default=None, ge=0, description="distance kept from it; without one, `ik.clearance_m`"
    )


class BoxObstacle(_Solid):
    """A solid box fixed in the base frame."""

    kind: Literal["box"] = "box"
    center_m: Vec3
    half_size_m: Vec3
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


class PlaneObstacle(_Solid):
    """Everything behind a plane: a counter top, a wall."""

    kind: Literal["plane"] = "plane"
    point_m: Vec3
    normal: Vec3 = (0.0, 0.0, 1.0)


Obstacle = Annotated[BoxObstacle | PlaneObstacle, Field(discriminator="kind")]


class SafetyConfig(Config):
    """When the supervisor stops trusting the operator's input or the robot."""

    input_age_limit_s: Positive = Field(default=0.1, description="older input is stale: hold")
    input_ahead_limit_s: float = Field(default=0.005, ge=0, description="input stamped later than this is ignored")
    hand_speed_limit_m_s: Positive = Field(default=10.0, description="a faster hand is a tracking jump")
    hand_turn_limit_rad_s: Positive = Field(default=60.0, description="a faster turn is a tracking jump")
    robot_age_limit_s: Positive = Field(default=0.1, description="an older robot state: hold")
    tracking_error_limit_rad: Positive = Field(default=0.15, description="commanded minus measured joint position")
    effort_fraction: float = Field(default=0.95, gt=0, le=1, description="share of effort_max that may be asked")
    patience_s: float = Field(default=0.1, ge=0, description="how long effort or tracking error may exceed that")
    resynchronise_rad: Positive = Field(
        default=0.02, description="at engagement, restart from the measured posture beyond"
    )


class TeleopConfig(Config):
    """The control loop of one arm."""

    rate_hz: float = Field(default=200.0, gt=0, le=1000, description="control ticks per second")
    hand: Literal["left", "right"] = Field(default="right", description="the controller that drives this arm")
    clutch: ClutchConfig = ClutchConfig()
    mapping: MappingConfig = MappingConfig()
    filter: FilterConfig = FilterConfig()
    workspace: WorkspaceConfig = WorkspaceConfig()
    governor: GovernorConfig = GovernorConfig()
    ik: IkConfig = IkConfig()
    obstacles: tuple[Obstacle, ...] = Field(default=(), description="what the arm must not touch")
    safety: SafetyConfig = SafetyConfig()
