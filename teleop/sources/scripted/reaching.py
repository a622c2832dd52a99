"""Bringing the tool to where it should be, as a person with a controller does it: reach, look, correct, re-clutch.

What the operator does is written as generators; each step of one is one frame of the operator's time.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

from teleloom import pose
from teleloom.pose import Array
from teleop.config import MappingConfig
from teleop.sources.scripted.habits import ScriptedOperatorConfig
from teleop.sources.scripted.hand import Fingers, Motion, Reach, Tremor, at_rest, reach_duration, shaken
from teleop.sources.scripted.sight import Sight

if TYPE_CHECKING:
    from robots.mujoco.tasks.waypoint import Look, View, Waypoint

Doing = Generator[None, None, None]

# Two looks in a row that differ by less show an arm at rest.
_STILL_M = 0.0015
_STILL_RAD = 0.02
_LONGEST_SETTLING_S = 1.0
_BRAKE_S = 0.25
# How far towards the edge of its workspace the hand goes before it takes hold.
_BACK = 0.9
# With less of the way than this within reach, it is worth letting go first.
_WORTH_STARTING = 0.5


class Worker:
    """One operator's eyes, hand and fingers, and what they do with the clutch. Times in s since the operator began.

    faulted: set by whoever feels the controller buzz; the worker then lets go and squeezes again.
    """

    def __init__(
        self, look: Look, rng: np.random.Generator, config: ScriptedOperatorConfig, mapping: MappingConfig
    ) -> None:
        self.now_s = 0.0
        self.faulted = False
        self.fingers = Fingers(config.press_s)
        self.sight: Sight[View] = Sight(look, config.look_rate_hz, config.reaction_s)
        self._config = config
        self._mapping = mapping
        self._rng = rng
        self._tremor = Tremor(rng, config.tremor_m, config.tremor_rad)
        self._comfortable = np.array(config.comfortable)
        self._workspace_m = np.array(config.workspace_m)
        self._reach = Reach(at_rest(self._comfortable), self._comfortable, 0.0, config.shortest_reach_s)
        # What the operator believes: with the hand at _hand, the tool is at _tool.
        self._tool = self._comfortable
        self._hand = self._comfortable
        self._let_go_s = 0.0
        self._hesitate_in_s = self._draw_wait(config.hesitation_rate_hz)
        self._reclutch_in_s = self._draw_wait(config.reclutch_rate_hz)

    def live(self, now_s: float) -> None:
        """Open the eyes and let the fingers travel until `now_s`."""
        self.fingers.advance(now_s - self.now_s)
        self.now_s = now_s
        self.sight.update(now_s)

    def hand(self) -> Motion:
        """Where the hand is and how it moves, tremor included."""
        return shaken(self._reach.at(self.now_s), self._tremor, self.now_s)

    def pause(self, duration_s: float) -> Doing:
        """Wait with the hand doing what it does."""
        end_s = self.now_s + duration_s
        while self.now_s < end_s:
            yield

    def bring_to(self, waypoint: Waypoint) -> Doing:
        """Move until the tool is seen at the waypoint, then stay for its dwell."""
        self.fingers.trigger_goal = 1.0 - waypoint.gripper
        corrections = 0
        fresh = False
        while corrections <= self._config.corrections and not (self._holding and self._sees_tool_at(waypoint)):
            if self.faulted or self._reclutch_in_s <= 0.0:
                corrections += self.faulted
                yield from self.let_go()
            if self._hesitate_in_s <= 0.0:
                yield from self._hesitate()
            if not self._holding:
                yield from self._take_hold(waypoint.pose)
                fresh = True
            goal = self._aim(waypoint.pose)
            share = self._share_within_reach(goal)
            if share < _WORTH_STARTING and not fresh:
                yield from self.let_go()
                continue
            fresh = False
            self._begin_reach(pose.interpolate(self._reach.at(self.now_s).pose, goal, share))
            arrived = yield from self._reach_out(waypoint)
            if arrived and share == 1.0 and (yield from self._settles_elsewhere(waypoint)):
                self._believe_eyes()
                corrections += 1
        yield from self.pause(waypoint.dwell_s)

    def let_go(self) -> Doing:
        """Stop, and release the clutch: the arm holds."""
        yield from self._stop()
        self.fingers.squeeze_goal = 0.0
        while self.fingers.squeeze > 0.0:
            yield
        self.faulted = False
        self._let_go_s = self.now_s

    @property
    def _holding(self) -> bool:
        return self.fingers.squeeze_goal > 0.0

    def _take_hold(self, tool: Array) -> Doing:
        """Bring the hand back to where the way to `tool` (7,) has room, and squeeze once the arm is seen at rest."""
        while self.now_s < self._let_go_s + _LONGEST_SETTLING_S and not self._sees_rest(self._let_go_s):
            yield
        self._believe_eyes()
        self._begin_reach(self._place_with_room(self._aim(tool)))
        while self.now_s < self._reach.end_s:
            yield
        self.fingers.squeeze_goal = 1.0
        while self.fingers.squeeze < 1.0:
            yield
        self._believe_eyes()
        self._reclutch_in_s = self._draw_wait(self._config.reclutch_rate_hz)

    def _place_with_room(self, goal: Array) -> Array:
        """Half the way from the hand to `goal` (7,) back from the comfortable place, or as much of it as fits."""
        start = self._reach.end
        turn = pose.rotation_between(start[3:], goal[3:])
        angle = float(np.linalg.norm(turn))
        back = np.clip(0.5 * (goal[:3] - start[:3]), -_BACK * self._workspace_m, _BACK * self._workspace_m)
        twist = turn * min(0.5, _BACK * self._config.wrist_rad / max(angle, 1e-9))
        return pose.make(
            self._comfortable[:3] - back, pose.quat_multiply(pose.quat_from_rotvec(-twist), self._comfortable[3:])
        )

    def _aim(self, tool: Array) -> Array:
        """Where the hand must go so that the tool comes to `tool` (7,), by what the operator believes."""
        turn = pose.rotation_between(self._tool[3:], tool[3:]) / self._mapping.rotation_scale
        position = self._hand[:3] + (tool[:3] - self._tool[:3]) / self._mapping.translation_scale
        return pose.make(position, pose.quat_multiply(pose.quat_from_rotvec(turn), self._hand[3:]))

    def _believe_eyes(self) -> None:
        """From now on, take it that where the hand is holds the tool where it is seen."""
        seen = self.sight.known[-1].view.ee_pose
        self._tool = pose.make(seen[:3] + self._rng.normal(0.0, self._config.sight_m, 3), seen[3:])
        self._hand = self._reach.end

    def _share_within_reach(self, goal: Array) -> float:
        """How much of the way to `goal` (7,) the hand can go, 0 to 1."""
        here = self._reach.at(self.now_s).pose
        shares = np.linspace(1.0, 0.0, 21).tolist()
        return next((share for share in shares if self._reaches(pose.interpolate(here, goal, share))), 0.0)

    def _reaches(self, hand: Array) -> bool:
        offset = np.abs(hand[:3] - self._comfortable[:3])
        turn = pose.rotation_between(self._comfortable[3:], hand[3:])
        return bool((offset <= self._workspace_m).all()) and float(np.linalg.norm(turn)) <= self._config.wrist_rad

    def _begin_reach(self, end: Array) -> None:
        start = self._reach.at(self.now_s)
        habits = self._config
        duration = reach_duration(start.pose, end, habits.speed_m_s, habits.turn_rad_s, habits.shortest_reach_s)
        self._reach = Reach(start, end, self.now_s, duration)

    def _reach_out(self, waypoint: Waypoint) -> Generator[None, None, bool]:
        """Let the hand travel; false when something came between: a fault, a pause, a wish to re-clutch."""
        last_s = self.now_s
        while self.now_s < self._reach.end_s and not self._sees_tool_at(waypoint):
            self._hesitate_in_s -= self.now_s - last_s
            self._reclutch_in_s -= self.now_s - last_s
            last_s = self.now_s
            if self.faulted or self._hesitate_in_s <= 0.0 or self._reclutch_in_s <= 0.0:
                return False
            yield
        return True

    def _settles_elsewhere(self, waypoint: Waypoint) -> Generator[None, None, bool]:
        """Watch until the tool has come to rest, or does not within patience; true when that is off the waypoint."""
        arrived_s = self._reach.end_s
        while self.now_s < arrived_s + _LONGEST_SETTLING_S and not self._sees_rest(arrived_s):
            if self.faulted or self._sees_tool_at(waypoint):
                return False
            yield
        return True

    def _stop(self) -> Doing:
        """Bring the hand to rest a little further on."""
        motion = self._reach.at(self.now_s)
        if self.now_s >= self._reach.end_s:
            return
        coast = 0.4 * _BRAKE_S * motion.velocity
        turned = pose.quat_multiply(pose.quat_from_rotvec(coast[3:]), motion.pose[3:])
        self._reach = Reach(motion, pose.make(motion.pose[:3] + coast[:3], turned), self.now_s, _BRAKE_S)
        yield from self.pause(_BRAKE_S)

    def _hesitate(self) -> Doing:
        yield from self._stop()
        yield from self.pause(float(self._rng.exponential(self._config.hesitation_s)))
        self._hesitate_in_s = self._draw_wait(self._config.hesitation_rate_hz)

    def _sees_tool_at(self, waypoint: Waypoint) -> bool:
        if not self.sight.known:
            return False
        off_m, off_rad = pose.distance(self.sight.known[-1].view.ee_pose, waypoint.pose)
        return off_m <= waypoint.position_tolerance_m and off_rad <= waypoint.rotation_tolerance_rad

    def _sees_rest(self, since_s: float) -> bool:
        """Whether two looks, both taken after `since_s`, show the tool at the same place."""
        if len(self.sight.known) < 2 or self.sight.known[0].taken_s < since_s:
            return False
        before, after = self.sight.known
        off_m, off_rad = pose.distance(before.view.ee_pose, after.view.ee_pose)
        return off_m <= _STILL_M and off_rad <= _STILL_RAD

    def _draw_wait(self, rate_hz: float) -> float:
        """Seconds of moving until the next event of a Poisson process."""
        return float(self._rng.exponential(1.0 / rate_hz)) if rate_hz > 0.0 else float("inf")
