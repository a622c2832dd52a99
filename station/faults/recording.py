"""Recording attempts in lockstep, by operators with or without a fault, each with the time at which the fault was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recorder.config import RecorderConfig
from recorder.recorder import Recorder
from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.faults.operators import Interrupted, JerkyHand, Lingering, Span, TwistingHand, Unsteady
from station.lockstep import LocalSink, LockstepTimeoutError, describe_scene, run_lockstep, simulated_camera
from station.session import Session
from teleloom.clock import NS_PER_S, VirtualClock
from teleloom.episode.meta import EpisodeMeta
from teleop.config import GovernorConfig, MotionLimits, TeleopConfig
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.operator import ScriptedOperator

ROBOT = "panda"
CAMERAS = ("front", "wrist")
CAMERA_SIZE = 128
BEFORE_S = 1.5
"""How long after the operator began the fault of a hand does: the arm is on its way then."""


@dataclass(frozen=True)
class Driver:
    """Who drives, under which limits. span: when the fault was, once the episode is over; None: throughout."""

    operator: ScriptedOperator | Unsteady | Interrupted
    teleop: TeleopConfig
    span: Callable[[], Span | None] = lambda: None


Driving = Callable[[SimulatedStation, ScriptedOperatorConfig, int], Driver]
"""Makes the driver of one attempt: in this station, with these habits, drawn from this seed."""


@dataclass(frozen=True)
class Attempt:
    """One recorded episode. seed: of scene and operator. span: when the operator's fault was; None: throughout."""

    path: Path
    task: str
    seed: int
    span: Span | None = None


def habits_of(seed: int) -> ScriptedOperatorConfig:
    """An able operator's habits; everyone is a little different, and so is every day."""
    rng = np.random.default_rng([seed, 0])
    return ScriptedOperatorConfig(
        speed_m_s=rng.uniform(0.5, 0.75),
        turn_rad_s=rng.uniform(1.7, 2.4),
        tremor_m=rng.uniform(0.0004, 0.0010),
        tremor_rad=rng.uniform(0.002, 0.006),
        hesitation_rate_hz=rng.uniform(0.04, 0.12),
        reclutch_rate_hz=rng.uniform(0.04, 0.12),
        rest_s=rng.uniform(0.3, 0.8),
    )


def steady(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
    """An able operator."""
    teleop = kitchen_teleop()
    return Driver(ScriptedOperator(sim.task.plan, sim.look, sim.clock, seed, habits, teleop.mapping), teleop)


def lingering(dwell_s: float, after: int = 1) -> Driving:
    """An operator who rests for `dwell_s` after an aim."""

    def drive(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
        teleop = kitchen_teleop()
        plan = Lingering(sim.task.plan, sim.clock, after, dwell_s)
        operator = ScriptedOperator(plan, sim.look, sim.clock, seed, habits, teleop.mapping)
        return Driver(operator, teleop, lambda: plan.span)

    return drive


def jerky(length_m: float, angle_rad: float, for_s: float) -> Driving:
    """An operator whose hand shakes for a while."""

    def drive(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
        driver = steady(sim, habits, seed)
        return _unsteady(sim, driver, driver.teleop, for_s, JerkyHand(seed, length_m, angle_rad))

    return drive


def saturating(angle_rad: float, rate_hz: float, for_s: float) -> Driving:
    """An operator who twists the tool faster than the joints can follow, at a station that does not limit the tool."""
    unlimited = GovernorConfig(
        linear=MotionLimits(velocity=2.0, acceleration=30.0, jerk=3000.0),
        angular=MotionLimits(velocity=12.0, acceleration=150.0, jerk=10_000.0),
    )

    def drive(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
        driver = steady(sim, habits, seed)
        teleop = driver.teleop.model_copy(update={"governor": unlimited})
        return _unsteady(sim, driver, teleop, for_s, TwistingHand(angle_rad, rate_hz))

    return drive


def slow(speed_m_s: float, turn_rad_s: float) -> Driving:
    """An operator who takes too long over everything."""

    def drive(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
        leisurely = habits.model_copy(update={"speed_m_s": speed_m_s, "turn_rad_s": turn_rad_s, "patience_s": 200.0})
        return steady(sim, leisurely, seed)

    return drive


def interrupted(at_s: float) -> Driving:
    """An operator who ends the episode by a slip of the thumb."""

    def drive(sim: SimulatedStation, habits: ScriptedOperatorConfig, seed: int) -> Driver:
        driver = steady(sim, habits, seed)
        assert isinstance(driver.operator, ScriptedOperator)
        at_ns = sim.clock.now_ns() + round(at_s * NS_PER_S)
        return Driver(Interrupted(driver.operator, at_ns), driver.teleop)

    return drive


def _unsteady(
    sim: SimulatedStation, driver: Driver, teleop: TeleopConfig, for_s: float, shake: JerkyHand | TwistingHand
) -> Driver:
    assert isinstance(driver.operator, ScriptedOperator)
    start_ns = sim.clock.now_ns() + round(BEFORE_S * NS_PER_S)
    operator = Unsteady(driver.operator, (start_ns, start_ns + round(for_s * NS_PER_S)), shake)
    return Driver(operator, teleop, lambda: operator.span)


def record_attempt(
    root: Path, task: str, seed: int, driving: Driving = steady, operator_seed: int | None = None
) -> Attempt | None:
    """Record one attempt under `root`, through the whole path of a station; None where the operator did not keep it.

    operator_seed: of the operator where it is not the scene's.
    """
    clock = VirtualClock(wall_ns=NS_PER_S * seed)
    recorder = Recorder(root, RecorderConfig(lockstep=True, quality=False), clock)
    cameras = [simulated_camera(ROBOT, name, size=CAMERA_SIZE) for name in CAMERAS]
    sim = SimulatedStation(ROBOT, task, seed, cameras, clock)

    def describe() -> EpisodeMeta:
        return describe_scene(sim, "faults", "scripted")

    sink = LocalSink(recorder)
    hand_seed = seed if operator_seed is None else operator_seed
    driver = driving(sim, habits_of(hand_seed), hand_seed)
    session = Session(sink, describe, sim.task.success, sim.witness)
    try:
        run_lockstep(sim, driver.operator, driver.teleop, session, lambda: driver.operator.done, limit_s=240.0)
    except LockstepTimeoutError:
        session.discard("the operator did not finish")
    finally:
        sim.close()
        recorder.close()
    return Attempt(sink.episodes[0], task, seed, driver.span()) if sink.episodes else None
