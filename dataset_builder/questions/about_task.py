"""What can be asked of what people said: the instruction, the outcome, the segments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dataset_builder.questions.asked import Asked, yes_or_no
from dataset_builder.source.trajectory import Trajectory
from teleloom.catalog.annotations import Segment
from teleloom.clock import NS_PER_S

END_NS = NS_PER_S
"""The outcome is asked for in a picture from the episode's last second."""
_EDGE = 0.2
_ENDS = {"success": "It succeeded.", "failure": "It failed.", "partial": "It succeeded in part."}


def about_instruction(trajectory: Trajectory, steps: Sequence[int]) -> list[Asked]:
    """What the robot was told, in the words that the operator was given."""
    if not trajectory.instruction.strip():
        return []
    wordings = (
        "What is the robot asked to do?",
        "What is the robot's task?",
        "Which instruction is the robot following?",
        "What has the robot been told to do here?",
    )
    return [Asked(step, "instruction", wordings, sentence(trajectory.instruction)) for step in steps]


def about_outcome(trajectory: Trajectory, steps: Sequence[int]) -> list[Asked]:
    """How it ended, asked at the end; and, of a success with segments, that it was not done before the last one."""
    if trajectory.outcome not in _ENDS or _ends_early(trajectory):
        return []
    told = _told(trajectory)
    asked = []
    final = [step for step in steps if trajectory.t_ns[-1] - trajectory.t_ns[step] <= END_NS]
    if final:
        ends = (f"{told}How did it end?", f"{told}This is the end of the attempt. What came of it?")
        asked.append(Asked(final[-1], "end", ends, _ENDS[trajectory.outcome]))
    if trajectory.outcome == "partial":
        return asked
    succeeded = trajectory.outcome == "success"
    if final:
        did = (f"{told}Did it succeed?", f"{told}Has the task been done?", f"{told}Was this a success?")
        failed = (f"{told}Did it fail?", f"{told}Is this a failure?", f"{told}Is the task still undone?")
        asked += yes_or_no(final[-1], "success", succeeded, did, failed)
    labelled = [segment for segment in trajectory.segments if segment.label]
    if succeeded and len(labelled) > 1:
        done = (f"{told}Is it done yet?", f"{told}Is the task finished?")
        before = [step for step in steps if trajectory.t_ns[step] < labelled[-1].start_ns]
        asked += [one for step in before for one in yes_or_no(step, "done", False, done)]
        asked += [one for step in final[-1:] for one in yes_or_no(step, "done", True, done)]
    return asked


def about_now(trajectory: Trajectory, steps: Sequence[int]) -> list[Asked]:
    """The label of the segment that runs, asked away from its edges."""
    wordings = (
        "Which step of the task is the robot at?",
        "What is the robot doing now? Name the step.",
        "What is the robot's current step?",
    )
    return [
        Asked(step, "now", wordings, sentence(segment.label))
        for segment in trajectory.segments
        if segment.label
        for step in _amid(trajectory, segment, steps)
    ]


def about_next(trajectory: Trajectory, steps: Sequence[int]) -> list[Asked]:
    """The label of the segment after the one that runs, where that is another one."""
    told = _told(trajectory)
    wordings = (
        f"{told}What comes next?",
        f"{told}What should it do after the current step?",
        f"{told}Which step follows this one?",
    )
    labelled = [segment for segment in trajectory.segments if segment.label]
    return [
        Asked(step, "next", wordings, sentence(after.label))
        for segment, after in pairwise(labelled)
        if after.label != segment.label
        for step in _amid(trajectory, segment, steps)
    ]


def sentence(text: str) -> str:
    """The text with a capital letter and an end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _ends_early(trajectory: Trajectory) -> bool:
    """Whether something that review marked comes after the last step: trims or filters cut the end of the attempt off,
    and how it ended does not show."""
    over_ns = int(trajectory.t_ns[-1]) + trajectory.period_ns
    view = trajectory.candidate.view
    starts = [*(segment.start_ns for segment in view.segments), *(flag.start_ns for flag in view.flags)]
    return max(starts, default=0) >= over_ns


def _told(trajectory: Trajectory) -> str:
    """The instruction as a question begins with it; empty where there is none."""
    return f"The robot was told: {sentence(trajectory.instruction)} " if trajectory.instruction.strip() else ""


def _amid(trajectory: Trajectory, segment: Segment, steps: Sequence[int]) -> list[int]:
    edge = round(_EDGE * (segment.end_ns - segment.start_ns))
    low, high = np.searchsorted(trajectory.t_ns, (segment.start_ns + edge, segment.end_ns - edge))
    return [step for step in steps if low <= step < high]
