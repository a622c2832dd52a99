"""Questions and plans from an episode of our own. What its data does not say is not asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dataset_builder.manifest import BuildManifest
from dataset_builder.questions.about_scene import Sight, about_gripper, about_held, about_point, about_where
from dataset_builder.questions.about_task import about_instruction, about_next, about_now, about_outcome, sentence
from dataset_builder.questions.asked import Asked, draw
from dataset_builder.questions.lens import Lens, lens_of
from dataset_builder.questions.question import Frame, Plan, Question
from dataset_builder.questions.scene import Scenes
from dataset_builder.rules.questions import Kind, QuestionChoice
from dataset_builder.source.trajectory import Trajectory
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import Event

MAX_AHEAD = 32
"""Segments that a plan tells at most."""
_DIGITS = 6

_OF_TASK: dict[Kind, Callable[[Trajectory, Sequence[int]], list[Asked]]] = {
    "instruction": about_instruction,
    "outcome": about_outcome,
    "now": about_now,
    "next": about_next,
    "gripper": about_gripper,
}
_OF_SCENE: dict[Kind, Callable[[Trajectory, Sequence[int], Sight], list[Asked]]] = {
    "held": about_held,
    "where": about_where,
    "point": about_point,
}


def questions_of(
    reader: EpisodeReader, trajectory: Trajectory, manifest: BuildManifest
) -> tuple[list[Question], list[Plan]]:
    """What the manifest asks for from the open episode of the trajectory. Raises BadEpisodeError."""
    choice = manifest.questions
    key = shown(trajectory, choice)
    camera = trajectory.cameras[key]
    spec = next(spec for spec in reader.meta.cameras if spec.name == camera)
    return rows(trajectory, reader.events(), choice, lens_of(spec, manifest.cameras[camera]))


def rows(
    trajectory: Trajectory, events: Sequence[Event], choice: QuestionChoice, lens: Lens | None = None
) -> tuple[list[Question], list[Plan]]:
    """The questions and the plans that the choice asks for. The same arguments give the same, in the same order.

    events: of the episode; those of kind "scene" count. lens: of the camera that the questions show, where known.
    """
    key = shown(trajectory, choice)
    sight = Sight(Scenes(events), trajectory.cameras[key], lens)
    steps = np.flatnonzero(trajectory.is_valid).tolist()
    asked = {
        kind: _OF_TASK[kind](trajectory, steps) if kind in _OF_TASK else _OF_SCENE[kind](trajectory, steps, sight)
        for kind in choice.kinds
    }
    episode = trajectory.candidate.episode_id
    questions = [
        Question(
            id=f"{episode}-q{number:03d}",
            kind=one.kind,
            question=one.question,
            answer=one.answer,
            frame=Frame(episode_id=episode, step=one.step, image=key),
            weight=_weight(trajectory, one.step, one.step + 1),
        )
        for number, one in enumerate(draw(asked, choice.per_episode, episode))
    ]
    return questions, plans(trajectory) if choice.plans else []


def plans(trajectory: Trajectory) -> list[Plan]:
    """One plan for each labelled segment that has steps: its label and those that follow, each change told once."""
    labelled = [segment for segment in trajectory.segments if segment.label.strip(" .")]
    if not trajectory.instruction.strip():
        return []
    made = []
    for number, segment in enumerate(labelled):
        start, end = np.searchsorted(trajectory.t_ns, (segment.start_ns, segment.end_ns)).tolist()
        ahead = [following.label.strip(" .") for following in labelled[number : number + MAX_AHEAD]]
        told = [label for place, label in enumerate(ahead) if place == 0 or label != ahead[place - 1]]
        if start < end:
            made.append(
                Plan(
                    episode_id=trajectory.candidate.episode_id,
                    start_step=start,
                    end_step=end,
                    instruction=trajectory.instruction,
                    plan=sentence(", then ".join(told)),
                    weight=_weight(trajectory, start, end),
                )
            )
    return made


def shown(trajectory: Trajectory, choice: QuestionChoice) -> str:
    """The image key that the questions show."""
    return choice.image if choice.image is not None else min(trajectory.cameras)


def _weight(trajectory: Trajectory, start: int, end: int) -> float:
    return round(float(np.mean(trajectory.weight[start:end])), _DIGITS)
