"""The thresholds of the verdict, each with its unit and the reason for its value."""

from __future__ import annotations

from pydantic import Field

from teleloom.config import Config


class QualityConfig(Config):
    """When something in an episode is worth a word ("warning") and when it spoils it ("fault").

    Thresholds that people's style of working can reach only ever warn; faults are what no policy should learn from.

    motion_rate_hz: joints are resampled to this rate before they are differentiated; twice the 50 Hz that any arm
    of this size can follow. motion_cutoff_hz: low-pass before differentiating; tremor and encoder noise live above it
    (5% speed noise moves LDLJ from -5.9 to -14). slow_cutoff_hz: what a person means to do is slower than this; what is
    faster is shaking. rest_speed_m_s, rest_speed_rad_s: slow speed of the tool and of the joints (norm) below which the
    arm rests, however its operator's hand trembles; a redundant arm that holds its tool drifts by 0.08 rad/s.
    moving_speed_rad_s: above it the picture must change, so that a camera need not see creeping.

    idle_edge_s: rest at either end that is worth trimming. pause_s: rest on the way that is worth a note.
    idle_share: rest over the whole that is worth a look.

    jump_z: modified z-score of a step between samples (Iglewicz and Hoaglin 1993 use 3.5; 5 spares quick starts).
    jump_speed_share: a jump is also faster than this share of the joint's limit, over the time that its step may have
    taken on a busy machine; at rest any step has a huge z-score.

    tracking_error_rad: an arm that is further from its command than this for `sustained_s` is blocked or overloaded.
    sustained_s: what lasts less is a twitch. apart_s: what follows within this time is shown as one.
    saturation_share: share of moving time at 95% of a joint's speed limit from which motion is the limiter's, not the
    operator's.

    gap_warning_s, gap_fault_s: silence of a robot or control stream; 0.1 s is 20 samples at 200 Hz, and a step at
    10 Hz; at 0.5 s a step is made of thin air. camera_gap_periods, camera_gap_warning_s, camera_gap_fault_s: the same
    for cameras, the larger of the first two. drop_warning_share, drop_fault_share: samples missing of those due.
    skew_warning_s: distance from a frame to the nearest robot state; two periods of a 50 Hz robot. lag_warning_s: how
    late or early a camera shows the arm's motion; 0.15 s is more than exposure and transfer take together.

    frozen_s: a picture that stays the same this long while the arm moves is frozen. frozen_difference: mean
    difference of the most changed tile in grey levels (0..255) under which two pictures are the same; the sensor noise
    of a lit scene alone is above 1. probe_s: distance in time of the pictures that are decoded for that.

    invalid_warning_share, invalid_fault_share: steps whose state or a picture was too old to hold.
    min_duration_s, max_duration_s: shorter is a slip of the thumb; longer is usually two attempts.
    min_travel_rad, min_travel_m: an arm that stays below both did nothing.
    doubtful_below: score under which an episode without faults deserves a second look; two kinds of warnings.
    """

    motion_rate_hz: float = Field(default=100.0, gt=0)
    motion_cutoff_hz: float = Field(default=8.0, gt=0)
    slow_cutoff_hz: float = Field(default=2.5, gt=0)
    rest_speed_m_s: float = Field(default=0.01, gt=0)
    rest_speed_rad_s: float = Field(default=0.1, gt=0)
    moving_speed_rad_s: float = Field(default=0.1, gt=0)

    idle_edge_s: float = Field(default=2.0, gt=0)
    pause_s: float = Field(default=3.0, gt=0)
    idle_share: float = Field(default=0.6, gt=0, le=1)

    jump_z: float = Field(default=5.0, gt=0)
    jump_speed_share: float = Field(default=1.5, gt=0)
    tracking_error_rad: float = Field(default=0.15, gt=0)
    sustained_s: float = Field(default=0.3, gt=0)
    apart_s: float = Field(default=1.0, gt=0)
    saturation_share: float = Field(default=0.25, gt=0, le=1)

    gap_warning_s: float = Field(default=0.1, gt=0)
    gap_fault_s: float = Field(default=0.5, gt=0)
    camera_gap_periods: float = Field(default=3.0, gt=1)
    camera_gap_warning_s: float = Field(default=0.2, gt=0)
    camera_gap_fault_s: float = Field(default=1.0, gt=0)
    drop_warning_share: float = Field(default=0.02, gt=0, le=1)
    drop_fault_share: float = Field(default=0.2, gt=0, le=1)
    skew_warning_s: float = Field(default=0.04, gt=0)
    lag_warning_s: float = Field(default=0.15, gt=0)

    frozen_s: float = Field(default=1.0, gt=0)
    frozen_difference: float = Field(default=0.35, ge=0)
    probe_s: float = Field(default=0.5, gt=0)

    invalid_warning_share: float = Field(default=0.01, gt=0, le=1)
    invalid_fault_share: float = Field(default=0.1, gt=0, le=1)
    min_duration_s: float = Field(default=1.0, gt=0)
    max_duration_s: float = Field(default=180.0, gt=0)
    min_travel_rad: float = Field(default=0.05, gt=0)
    min_travel_m: float = Field(default=0.01, gt=0)
    doubtful_below: float = Field(default=0.75, gt=0, le=1)
