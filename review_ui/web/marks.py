"""What lies on the timeline: what happened while it was recorded, and what was found. Times from the start, in ns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from teleloom.clock import NS_PER_S
from teleloom.messages import ControlMode, Event
from teleloom.quality.recording import Recording
from teleloom.quality.spans import time_spans

MAX_MARKS = 2000
"""Of events, and of spans of one kind, that a timeline can show."""

MAX_TEXT = 200
CORRECTION = "correction"
UNKNOWN_MODE = "unknown"
MODES = {int(mode): mode.name.lower() for mode in ControlMode}

Mark = dict[str, Any]


def events_of(recording: Recording, recorded: Iterable[Event]) -> list[Mark]:
    """The recorded events and each correction of a policy by a person, in time order: {t_ns, kind, reason}."""
    events = sorted([*recorded, *_corrections(recording)], key=lambda event: event.t_ns)
    duration_ns = recording.end_ns - recording.start_ns
    marks = [
        {
            "t_ns": clamp(event.t_ns - recording.start_ns, duration_ns),
            "kind": event.kind[:MAX_TEXT],
            "reason": event.reason[:MAX_TEXT],
        }
        for event in events[:MAX_MARKS]
    ]
    if len(events) > MAX_MARKS:
        hidden = f"{len(events) - MAX_MARKS} later events are not shown"
        marks.append({"t_ns": marks[-1]["t_ns"], "kind": "hidden", "reason": hidden})
    return marks


def interventions_of(recording: Recording) -> list[Mark]:
    """Each time that a named intervention was active, the longest ones: {name, start_ns, end_ns}."""
    t_ns = recording.tick.get("t_ns")
    spans = [
        (name[:MAX_TEXT], *span)
        for name, active in recording.interventions.items()
        if t_ns is not None and active.shape == t_ns.shape
        for span in time_spans(active, t_ns)
    ]
    longest = sorted(spans, key=lambda span: span[1] - span[2])[:MAX_MARKS]
    return [
        {"name": name, "start_ns": start_ns - recording.start_ns, "end_ns": end_ns - recording.start_ns}
        for name, start_ns, end_ns in sorted(longest, key=lambda span: (span[1], span[0]))
    ]


def modes_of(recording: Recording) -> list[Mark]:
    """Who moved the arm, from when to when, without gaps between them: {mode, start_ns, end_ns}."""
    tick = recording.tick
    if not tick or not len(tick["t_ns"]):
        return []
    mode, t_ns = tick["mode"], tick["t_ns"] - recording.start_ns
    first = np.concatenate(([0], np.flatnonzero(np.diff(mode)) + 1))
    ends_ns = np.append(t_ns[first[1:]], t_ns[-1])
    return [
        {"mode": MODES.get(int(mode[i]), UNKNOWN_MODE), "start_ns": int(t_ns[i]), "end_ns": int(end_ns)}
        for i, end_ns in zip(first[:MAX_MARKS], ends_ns, strict=False)
    ]


def within(mark: Mark, start_ns: int, duration_ns: int) -> Mark:
    """A mark whose times are absolute as one whose times count from `start_ns` and lie inside the episode.

    A time that it does not say is the episode's start or end.
    """
    first, last = (mark.get(end) for end in ("start_ns", "end_ns"))
    return mark | {
        "start_ns": clamp(first - start_ns, duration_ns) if isinstance(first, int) else 0,
        "end_ns": clamp(last - start_ns, duration_ns) if isinstance(last, int) else duration_ns,
    }


def clamp(t_ns: int, duration_ns: int) -> int:
    """The time of the episode that is nearest to `t_ns`."""
    return max(0, min(t_ns, duration_ns))


def _corrections(recording: Recording) -> list[Event]:
    if not recording.tick:
        return []
    spans = time_spans(recording.tick["is_intervention"], recording.tick["t_ns"])
    said = "a person corrected the policy for {:.1f} s"
    return [
        Event(t_ns=start_ns, seq=0, kind=CORRECTION, reason=said.format((end_ns - start_ns) / NS_PER_S))
        for start_ns, end_ns in spans
    ]
