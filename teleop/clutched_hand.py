"""One hand on the clutch: what the operator asks for, from an admitted frame to a filtered target."""

from __future__ import annotations

from teleloom.messages import Pose
from teleop.config import FilterConfig, MappingConfig
from teleop.filters import FilterState, predict, smooth
from teleop.mapping import Anchor, map_hand, rebase
from teleop.pilot import Target
from teleop.supervisor import Admission


class ClutchedHand:
    """Mapping and filter of one hand, with what they remember. raw: the newest target before the filter."""

    def __init__(self, mapping: MappingConfig, filtering: FilterConfig) -> None:
        self.raw: Pose | None = None
        self._mapping = mapping
        self._filtering = filtering
        self._anchor: Anchor | None = None
        self._filter: FilterState | None = None
        self._hand: Pose | None = None

    @property
    def anchored(self) -> bool:
        """Whether the hand is latched to the tool."""
        return self._anchor is not None

    def map(self, admission: Admission, home: Pose) -> None:
        """Take this tick's admitted hand. home: the tool's measured pose, to which a new engagement latches."""
        hand = admission.hand.pose if admission.engaged and admission.hand is not None else None
        if hand is None or hand is not self._hand:
            self._hand = hand
            self.raw, self._anchor = map_hand(hand, home, self._anchor, self._mapping)

    def smooth(self, now_ns: int, admission: Admission) -> Target | None:
        """The filtered target at `now_ns`, None while not engaged."""
        if self.raw is None or admission.frame is None or admission.hand is None:
            self._filter = None
            return None
        self._filter = smooth(admission.frame.t_ns, self.raw, self._filter, self._filtering)
        pose, velocity, spin = predict(now_ns, self._filter, self._filtering)
        return Target(pose, 1.0 - min(max(admission.hand.trigger, 0.0), 1.0), velocity, spin)

    def rescale(self, mapping: MappingConfig) -> None:
        """Change scales or axis locks; an engaged hand is rebased, so that the target does not jump."""
        self._mapping = mapping
        if self._hand is not None and self.raw is not None:
            self._anchor = rebase(self._hand, self.raw)
