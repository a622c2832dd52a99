"""Newest frame wins, but a fault is never overwritten unseen."""

from __future__ import annotations

import msgspec

from teleloom.messages import XrFrame

HANDS = ("left", "right")


def carry_faults(unread: XrFrame | None, newest: XrFrame) -> XrFrame:
    """`newest`, with each hand that was inactive or untracked in the `unread` frame it replaces untracked here too.

    A break in tracking that lasted a single frame must reach the control loop, or the arm would be asked to jump
    over it.
    """
    if unread is None:
        return newest
    broken = {}
    for hand in HANDS:
        before, now = getattr(unread, hand), getattr(newest, hand)
        if before is not None and now is not None and not (before.active and before.tracked):
            broken[hand] = msgspec.structs.replace(now, tracked=False)
    return msgspec.structs.replace(newest, **broken) if broken else newest
