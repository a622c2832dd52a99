"""What can be asked of what was measured: the gripper, and in simulation the things on the counter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_builder.questions.asked import Asked, yes_or_no
from dataset_builder.questions.lens import Lens
from dataset_builder.questions.points import answer_of, image_of
from dataset_builder.questions.scene import Pose, Scenes, SceneState
from dataset_builder.source.trajectory import Trajectory

OPEN, SHUT, COMMANDED = 0.85, 0.05, 0.1
"""Opening from which a gripper is open; to which it is shut on nothing; how near to 0 or 1 the command must be."""
STILL = 0.02
"""What the opening may differ by between three steps for the gripper to be at rest."""
SETTLED_STEPS = 3
DOMINANT = 1.5
"""So much more to one side than to the other must a thing lie for the side to be named."""
APART = 0.04
"""And so far apart in the image, as a part of its width or height."""
REACH_M = 0.35


@dataclass(frozen=True, eq=False)
class Sight:
    """What the questions look at: the scenes told, and the lens of the camera that they show, None if not known."""

    scenes: Scenes
    camera: str
    lens: Lens | None

    def visible(self, state: SceneState, t_ns: int) -> dict[str, tuple[Pose, tuple[int, int]]]:
        """Pose and pixel of every thing that lies still, in the image and with nothing before it."""
        if self.lens is None:
            return {}
        pixels = {name: self.lens.pixel(state.objects[name][:3]) for name in self._open_to_view(state, t_ns)}
        return {name: (state.objects[name], pixel) for name, pixel in pixels.items() if pixel is not None}

    def _open_to_view(self, state: SceneState, t_ns: int) -> list[str]:
        uncovered = self.scenes.uncovered(t_ns, self.camera)
        return [name for name in sorted(state.objects) if name in uncovered and name != state.held]


def about_gripper(trajectory: Trajectory, steps: Sequence[int]) -> list[Asked]:
    """Whether it is open, where command and measurement agree and it rests; also when it is closed on something."""
    asked = []
    for step in steps:
        stance = _stance(trajectory, step)
        if stance:
            which = ("Is the gripper open or closed?", "In what state is the gripper?")
            asked.append(Asked(step, "gripper", which, stance))
            opened = ("Is the gripper open?", "Are the robot's fingers open?")
            closed = ("Is the gripper closed?", "Are the robot's fingers closed?")
            asked += yes_or_no(step, "open", stance == "Open.", opened, closed)
    return asked


def about_held(trajectory: Trajectory, steps: Sequence[int], sight: Sight) -> list[Asked]:
    """What the robot holds."""
    asked = []
    what = ("What is the robot holding?", "What is in the gripper?", "What does the robot have in its hand?")
    anything = ("Is the robot holding anything?", "Is there anything in the gripper?")
    nothing = ("Is the robot's hand empty?", "Is the gripper empty?")
    for step in steps:
        state = sight.scenes.steady(int(trajectory.t_ns[step]))
        if state is None or not state.tells_held:
            continue
        asked.append(Asked(step, "held", what, f"The {state.held}." if state.held else "Nothing."))
        asked += yes_or_no(step, "anything", bool(state.held), anything, nothing)
        for name in sorted({*state.objects, *filter(None, [state.held])}):
            wordings = (f"Is the robot holding the {name}?", f"Does the robot have the {name} in its hand?")
            asked += yes_or_no(step, f"holds {name}", name == state.held, wordings)
    return asked


def about_where(trajectory: Trajectory, steps: Sequence[int], sight: Sight) -> list[Asked]:
    """Where things are in words: in the gripper, in or on something, beside something as the image shows it."""
    asked = []
    containers = {below for state in sight.scenes.states for below in (state.inside or {}).values()}
    supports = {below for state in sight.scenes.states for below in (state.on or {}).values()}
    for step in steps:
        state = sight.scenes.steady(int(trajectory.t_ns[step]))
        if state is None:
            continue
        for name, place in sorted(_places(state, sight, int(trajectory.t_ns[step])).items()):
            wordings = (f"Where is the {name}?", f"Where can the {name} be found?")
            asked.append(Asked(step, f"where {name}", wordings, place))
        for told, belows, word in ((state.inside, containers, "in"), (state.on, supports, "on")):
            for name in sorted(set(state.objects) - belows - {state.held or ""}) if told is not None else ():
                for below in sorted(belows):
                    wordings = (f"Is the {name} {word} the {below}?", f"Does the {name} lie {word} the {below}?")
                    asked += yes_or_no(step, f"{name} {word} {below}", (told or {}).get(name) == below, wordings)
        for name, is_open in sorted(state.open.items()):
            opened, closed = (f"Is the {name} open?",), (f"Is the {name} closed?",)
            asked += yes_or_no(step, f"{name} open", is_open, opened, closed)
    return asked


def about_point(trajectory: Trajectory, steps: Sequence[int], sight: Sight) -> list[Asked]:
    """Where things are in the image: the pixel (x, y) of the centre, from the upper left."""
    if sight.lens is None:
        return []
    asked = []
    image = f"this {image_of((sight.lens.height, sight.lens.width))}"
    for step in steps:
        state = sight.scenes.steady(int(trajectory.t_ns[step]))
        if state is None:
            continue
        for name, (_, pixel) in sight.visible(state, int(trajectory.t_ns[step])).items():
            wordings = (
                f"At which pixel (x, y) of {image} is the {name}?",
                f"Point at the {name} in {image}: give (x, y).",
                f"Where in {image} is the {name}? Answer with (x, y).",
            )
            asked.append(Asked(step, f"point {name}", wordings, answer_of(*pixel)))
    return asked


def _stance(trajectory: Trajectory, step: int) -> str:
    recent = slice(max(0, step - SETTLED_STEPS + 1), step + 1)
    measured, command = trajectory.gripper[recent], trajectory.target[recent, 7]
    if len(measured) < SETTLED_STEPS or np.ptp(measured) > STILL:
        return ""
    if (command >= 1.0 - COMMANDED).all() and measured[-1] >= OPEN:
        return "Open."
    if (command <= COMMANDED).all():
        return "Closed." if measured[-1] <= SHUT else "Closed around something."
    return ""


def _places(state: SceneState, sight: Sight, t_ns: int) -> dict[str, str]:
    """Where each thing is of which it can be said; the nearest thing that lies by itself serves to say so."""
    places = {} if not state.held else {state.held: "In the gripper."}
    places |= {name: f"In the {below}." for name, below in (state.inside or {}).items()}
    places |= {name: f"On the {below}." for name, below in (state.on or {}).items()}
    if not state.tells_held or state.inside is None or state.on is None:
        return places
    seen = sight.visible(state, t_ns)
    alone = {name: seen[name] for name in seen if name not in places}
    for name, (at, pixel) in alone.items():
        others = {other: np.hypot(*np.subtract(at, alone[other][0])[:2]) for other in alone if other != name}
        nearest = min(others, key=lambda other: (others[other], other), default=None)
        if nearest is not None and others[nearest] < REACH_M:
            side = _side(sight, (at, pixel), alone[nearest])
            if side:
                places[name] = side.format(nearest)
    return places


def _side(sight: Sight, thing: tuple[Pose, tuple[int, int]], other: tuple[Pose, tuple[int, int]]) -> str:
    """In words, where the scene and the image agree on it."""
    if sight.lens is None:
        return ""
    right, farther = sight.lens.beside(thing[0][:3], other[0][:3])
    across = (thing[1][0] - other[1][0]) / sight.lens.width
    down = (thing[1][1] - other[1][1]) / sight.lens.height
    if abs(right) > DOMINANT * abs(farther) and abs(across) > APART and across * right > 0:
        return "To the right of the {}." if right > 0 else "To the left of the {}."
    if abs(farther) > DOMINANT * abs(right) and abs(down) > APART and down * farther < 0:
        return "Behind the {}." if farther > 0 else "In front of the {}."
    return ""
