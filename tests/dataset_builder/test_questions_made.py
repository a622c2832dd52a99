"""Questions and plans made from our own episodes: recorded in simulation, and synthetic ones."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import simplejpeg
from conftest import Station
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_episodes import Episode, write

from dataset_builder.manifest import BuildManifest
from dataset_builder.questions.asked import MAX_ALIKE, NO, YES, Asked, draw
from dataset_builder.questions.lens import lens_of
from dataset_builder.questions.make import plans, questions_of, rows
from dataset_builder.questions.question import Plan, Question, read_questions, to_jsonl
from dataset_builder.questions.scene import MARGIN_NS, Scenes
from dataset_builder.rlds.images import CameraChoice, resize_jpeg
from dataset_builder.rules.questions import Kind, QuestionChoice
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.trajectory import Trajectory, read_trajectory
from recorder.config import RecorderConfig
from recorder.recorder import Recorder
from robots.mujoco.station import SimulatedStation
from station.config import kitchen_teleop
from station.lockstep import LocalSink, describe_scene, run_lockstep, simulated_camera
from station.session import Session
from teleloom import pose
from teleloom.catalog.annotations import Flag, Segment
from teleloom.catalog.view import EpisodeView
from teleloom.clock import VirtualClock
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import Event
from teleloom.specs import CameraSpec
from teleop.sources.scripted.operator import ScriptedOperator

KINDS: tuple[Kind, ...] = get_args(Kind)
CHOICE = QuestionChoice(kinds=KINDS, per_episode=200, plans=True)
MANIFEST = BuildManifest(name="kitchen", cameras={"front": CameraChoice(key="image")}, questions=CHOICE)
COLOURS = {"red block": (0.80, 0.16, 0.14), "green block": (0.18, 0.56, 0.28), "yellow block": (0.93, 0.76, 0.14)}


def read(path: Path, manifest: BuildManifest = MANIFEST, segments: Sequence[str] = ()) -> Trajectory:
    """The trajectory of an approved episode; segments: labels that share its length evenly."""
    with EpisodeReader(path) as reader:
        t_ns = reader.steps().t_ns
        ends = np.linspace(t_ns[0], t_ns[-1] + 1, len(segments) + 1).astype(np.int64).tolist()
        parts = tuple(
            Segment(start_ns=start, end_ns=end, label=label)
            for label, (start, end) in zip(segments, pairwise(ends), strict=True)
        )
        view = EpisodeView(status="approved", segments=parts)
        return read_trajectory(reader, Candidate(reader.id, path, path.name, 1, reader.id, view), manifest)


def made(path: Path, manifest: BuildManifest = MANIFEST) -> tuple[list[Question], list[Plan]]:
    trajectory = read(path, manifest, ("reach", "grasp it", "carry it", "let go"))
    with EpisodeReader(path) as reader:
        return questions_of(reader, trajectory, manifest)


def record(root: Path, *takes: tuple[str, int]) -> dict[str, Path]:
    """Tasks, each with its seed, done by the scripted operator in lockstep; the file of each."""
    clock = VirtualClock(wall_ns=1_790_000_000_000_000_000)
    recorder = Recorder(root, RecorderConfig(lockstep=True, quality=False), clock)
    sink = LocalSink(recorder)
    for task, seed in takes:
        sim = SimulatedStation("panda", task, seed, (simulated_camera("panda", "front"),), clock)
        operator = ScriptedOperator(sim.task.plan, sim.look, clock, seed)
        describe = partial(describe_scene, sim, "bench", "scripted", repeatable=True)
        session = Session(sink, describe, sim.task.success, sim.witness)
        run_lockstep(sim, operator, kitchen_teleop(), session, lambda operator=operator: operator.done)
        sim.close()
    recorder.close()
    return {task: path for (task, _), path in zip(takes, sink.episodes, strict=True)}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulated episodes by task, as the scripted operator records them."""
    return record(tmp_path_factory.mktemp("station"), ("put-in-bowl", 0), ("stack", 1), ("open-drawer", 3))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Trajectory:
    """An episode of a station that tells nothing of its scene, with segments."""
    root = tmp_path_factory.mktemp("synthetic")
    identity = write(root, Episode(seed=1, seconds=4.0))
    return read(root / "episodes" / f"{identity}.h5", segments=("reach for the cup", "grasp it", "lift it", "wait"))


def answers(questions: list[Question], pattern: str) -> list[tuple[int, str]]:
    """Step and answer of every question that the pattern fits."""
    found = [q for q in questions if re.fullmatch(pattern, q.question)]
    return [(q.frame.step, q.answer) for q in found if q.frame is not None]


def scene_times(path: Path) -> tuple[dict[str, list[int]], Trajectory]:
    """When the scene was told of, by reason, ns."""
    times: dict[str, list[int]] = defaultdict(list)
    with EpisodeReader(path) as reader:
        for event in reader.events():
            if event.kind == "scene":
                times[event.reason].append(event.t_ns)
    return times, read(path)


def test_what_is_held_is_what_the_scene_says_at_that_step(recorded: dict[str, Path]) -> None:
    questions, _ = made(recorded["put-in-bowl"])
    times, trajectory = scene_times(recorded["put-in-bowl"])
    assert [len(times[reason]) for reason in ("start", "grasp", "release", "end")] == [1, 1, 1, 1]
    grasped, released = times["grasp"][0], times["release"][0]
    held = answers(questions, r"What (is the robot holding|is in the gripper|does the robot have in its hand)\?")
    assert {answer for _, answer in held} == {"The apple.", "Nothing."}
    for step, answer in held:
        t_ns = trajectory.t_ns[step]
        assert (answer == "The apple.") == (grasped < t_ns < released)
        assert min(abs(t_ns - grasped), abs(t_ns - released)) >= MARGIN_NS
        if answer == "The apple.":
            assert 0.05 < trajectory.gripper[step] < 0.95
    assert {answer for _, answer in answers(questions, r"Is the robot holding the lemon\?")} <= {NO}


def test_a_thing_is_in_the_bowl_after_it_was_let_go_and_not_before(recorded: dict[str, Path]) -> None:
    questions, _ = made(recorded["put-in-bowl"])
    times, trajectory = scene_times(recorded["put-in-bowl"])
    found = answers(questions, r"(Is the apple in the bowl|Does the apple lie in the bowl)\?")
    assert {answer for _, answer in found} == {YES, NO}
    for step, answer in found:
        assert (answer == YES) == bool(trajectory.t_ns[step] > times["release"][0])
    places = {answer for _, answer in answers(questions, r"Where (is|can) the apple( be found)?\?")}
    assert {"In the gripper.", "In the bowl."} <= places


def test_the_drawer_is_open_once_it_was_pulled(recorded: dict[str, Path]) -> None:
    questions, _ = made(recorded["open-drawer"])
    times, trajectory = scene_times(recorded["open-drawer"])
    found = answers(questions, r"Is the drawer open\?")
    assert {answer for _, answer in found} == {YES, NO}
    for step, answer in found:
        assert (answer == YES) == bool(trajectory.t_ns[step] > times["grasp"][0])
    assert "The handle." in {q.answer for q in questions if q.kind == "held"}


def test_the_pixel_that_is_pointed_at_has_the_colour_of_the_thing(recorded: dict[str, Path]) -> None:
    path = recorded["stack"]
    questions, _ = made(path)
    trajectory = read(path)
    pointed = [q for q in questions if q.kind == "point" and "handle" not in q.question]
    assert len(pointed) >= 6
    with EpisodeReader(path) as reader:
        for question in pointed:
            assert question.frame is not None
            name = next(name for name in COLOURS if name in question.question)
            column, row = map(int, re.findall(r"\d+", question.answer))
            jpeg = reader.frame_bytes("front", int(trajectory.frames["image"][question.frame.step]))
            seen = simplejpeg.decode_jpeg(jpeg)[row, column] / 255
            distances = {other: np.linalg.norm(_hue(seen) - _hue(np.array(rgb))) for other, rgb in COLOURS.items()}
            assert min(distances, key=lambda other: distances[other]) == name


def _hue(rgb: np.ndarray) -> np.ndarray:
    return rgb / np.linalg.norm(rgb)


def test_left_and_right_are_as_the_image_shows_them(recorded: dict[str, Path]) -> None:
    questions = [q for path in recorded.values() for q in made(path)[0]]
    pixels = {(_place(q), _named(q.question)): _pixel(q.answer) for q in questions if q.kind == "point"}
    compared = 0
    for question in questions:
        said = re.fullmatch(r"To the (left|right) of the (.*)\.", question.answer)
        if said is None:
            continue
        here, there = pixels.get((_place(question), _named(question.question))), pixels.get((_place(question), said[2]))
        if here is not None and there is not None:
            assert (here[0] < there[0]) == (said[1] == "left")
            compared += 1
    assert compared >= 3


def _place(question: Question) -> tuple[str, int]:
    assert question.frame is not None
    return question.frame.episode_id, question.frame.step


def _named(text: str) -> str:
    return next(name for name in (*COLOURS, "apple", "lemon", "banana", "bowl", "handle") if f"the {name}" in text)


def _pixel(answer: str) -> tuple[int, int]:
    column, row = map(int, re.findall(r"\d+", answer))
    return column, row


def test_the_same_episode_gives_the_same_bytes_and_another_one_other_steps(recorded: dict[str, Path]) -> None:
    few = MANIFEST.model_copy(update={"questions": QuestionChoice(kinds=KINDS, per_episode=8, plans=True)})
    first, again = (made(recorded["stack"], few) for _ in range(2))
    assert to_jsonl(first[0]) + to_jsonl(first[1]) == to_jsonl(again[0]) + to_jsonl(again[1])
    assert len(first[0]) == 8
    assert {q.kind for q in first[0]} == set(KINDS)
    other = made(recorded["put-in-bowl"], few)[0]
    assert [q.frame.step for q in first[0] if q.frame] != [q.frame.step for q in other if q.frame]


def test_a_station_that_tells_nothing_of_its_scene_is_asked_nothing_about_it(synthetic: Trajectory) -> None:
    questions, _ = rows(synthetic, [], CHOICE)
    assert {q.kind for q in questions} == {"instruction", "outcome", "now", "next", "gripper"}


def test_nothing_is_made_by_default(synthetic: Trajectory) -> None:
    assert rows(synthetic, [], QuestionChoice()) == ([], [])
    assert not QuestionChoice().asked_for


@pytest.mark.parametrize(("outcome", "end"), [("success", "It succeeded."), ("failure", "It failed.")])
def test_the_outcome_is_asked_at_the_end_both_ways(synthetic: Trajectory, outcome: str, end: str) -> None:
    questions, _ = rows(replace(synthetic, outcome=outcome), [], QuestionChoice(kinds=("outcome",), per_episode=50))
    last = [q for q in questions if q.frame and q.frame.step == len(synthetic) - 1]
    assert {q.answer for q in last} == {end, YES, NO}
    did = answers(last, r".* (Did it succeed|Has the task been done|Was this a success)\?")
    assert [answer for _, answer in did] == [YES if outcome == "success" else NO]
    early = [q for q in questions if q not in last]
    assert all(q.answer == NO for q in early)
    assert bool(early) == (outcome == "success")


@pytest.mark.parametrize("marked", ["segments", "flags"])
def test_the_outcome_is_not_asked_where_the_end_of_the_attempt_was_cut_off(synthetic: Trajectory, marked: str) -> None:
    """As after a trim, or a filter of what review marked: the last second is gone."""
    over_ns = int(synthetic.t_ns[-1]) - 1_000_000_000
    kept = synthetic.t_ns < over_ns
    arrays = ("t_ns", "gripper", "target", "is_valid", "weight")
    span = {"start_ns": over_ns + 500_000_000, "end_ns": over_ns + 900_000_000, "label": "wait"}
    marks = {"segments": (Segment.model_validate(span),), "flags": (Flag.model_validate(span),)}
    choice = QuestionChoice(kinds=("outcome",), per_episode=50)
    for view, asked in ((EpisodeView(), True), (EpisodeView.model_validate({marked: marks[marked]}), False)):
        shorter = replace(
            synthetic,
            outcome="success",
            candidate=replace(synthetic.candidate, view=view),
            **{name: getattr(synthetic, name)[kept] for name in arrays},
        )
        assert bool(rows(shorter, [], choice)[0]) == asked


def test_an_unknown_outcome_is_not_asked_and_a_partial_one_is_not_answered_by_yes_or_no(synthetic: Trajectory) -> None:
    choice = QuestionChoice(kinds=("outcome",), per_episode=50)
    assert rows(replace(synthetic, outcome="unknown"), [], choice) == ([], [])
    assert [q.answer for q in rows(replace(synthetic, outcome="partial"), [], choice)[0]] == ["It succeeded in part."]


def test_now_and_next_are_the_labels_of_the_segments(synthetic: Trajectory) -> None:
    questions, _ = rows(synthetic, [], QuestionChoice(kinds=("now", "next"), per_episode=50))
    labels = ["Reach for the cup.", "Grasp it.", "Lift it.", "Wait."]
    for question in questions:
        assert question.frame is not None
        at = next(
            number
            for number, segment in enumerate(synthetic.segments)
            if segment.start_ns <= synthetic.t_ns[question.frame.step] < segment.end_ns
        )
        assert question.answer == labels[at + (question.kind == "next")]
    assert {q.answer for q in questions if q.kind == "now"} == set(labels)


def test_plans_tell_the_current_segment_and_those_that_follow(synthetic: Trajectory) -> None:
    made = plans(synthetic)
    assert [plan.plan for plan in made] == [
        "Reach for the cup, then grasp it, then lift it, then wait.",
        "Grasp it, then lift it, then wait.",
        "Lift it, then wait.",
        "Wait.",
    ]
    assert made[0].instruction == synthetic.instruction
    assert (made[0].start_step, made[-1].end_step) == (0, len(synthetic))
    assert all(before.end_step == after.start_step for before, after in pairwise(made))


def test_a_plan_keeps_to_the_steps_that_are_left(synthetic: Trajectory) -> None:
    """As after a trim and a filter: the first segment is gone, the second has lost every other step."""
    second = synthetic.segments[1]
    inside = (synthetic.t_ns >= second.start_ns) & (synthetic.t_ns < second.end_ns)
    kept = np.flatnonzero((synthetic.t_ns >= second.start_ns) & (~inside | (np.arange(len(synthetic)) % 2 == 0)))
    arrays = ("t_ns", "gripper", "target", "is_valid", "weight")
    thinned = replace(synthetic, **{name: getattr(synthetic, name)[kept] for name in arrays})
    made = plans(thinned)
    assert [plan.plan for plan in made] == ["Grasp it, then lift it, then wait.", "Lift it, then wait.", "Wait."]
    assert made[0].start_step == 0
    assert made[0].end_step == int(np.count_nonzero(inside & (np.arange(len(synthetic)) % 2 == 0)))
    assert made[-1].end_step == len(kept)


def test_a_segment_told_twice_running_is_one_step_of_the_plan(synthetic: Trajectory) -> None:
    labels = ("grasp it", "grasp it", "", "lift it.")
    segments = tuple(
        segment.model_copy(update={"label": label}) for segment, label in zip(synthetic.segments, labels, strict=True)
    )
    made = [plan.plan for plan in plans(replace(synthetic, segments=segments))]
    assert made == ["Grasp it, then lift it.", "Grasp it, then lift it.", "Lift it."]


def test_a_gripper_is_asked_about_where_it_rests(synthetic: Trajectory) -> None:
    opening, command = np.ones(len(synthetic)), synthetic.target.copy()
    opening[10:20] = np.linspace(1.0, 0.4, 10)
    opening[20:] = 0.4
    command[:, 7] = np.arange(len(synthetic)) < 10
    choice = QuestionChoice(kinds=("gripper",), per_episode=100)
    questions, _ = rows(replace(synthetic, gripper=opening, target=command), [], choice)
    which = answers(questions, r"(Is the gripper open or closed|In what state is the gripper)\?")
    assert {answer for _, answer in which} == {"Open.", "Closed around something."}
    for step, answer in which:
        assert step < 10 if answer == "Open." else step >= 22


SCENE = {
    "objects": {"cup": [0.5, 0.0, 0.0, 0, 0, 0, 1], "box": [0.5, 0.2, 0.0, 0, 0, 0, 1]},
    "held": None,
    "inside": {},
    "on": {},
}


def told(t_ns: int, **change: object) -> Event:
    return Event(t_ns=t_ns, seq=0, kind="scene", reason="move", data=SCENE | change)


def test_a_scene_is_unknown_before_it_was_told_around_a_change_and_after_nonsense() -> None:
    change, nonsense = 10 * MARGIN_NS, 20 * MARGIN_NS
    scenes = Scenes([told(0), told(change, held="cup"), told(nonsense, objects={"cup": [0.5, float("nan")]})])
    assert scenes.steady(MARGIN_NS - 1) is None
    assert (before := scenes.steady(change - MARGIN_NS - 1)) is not None
    assert before.held is None
    assert scenes.steady(change - 1) is None
    assert scenes.steady(change + MARGIN_NS - 1) is None
    assert (after := scenes.steady(change + MARGIN_NS)) is not None
    assert after.held == "cup"
    assert scenes.steady(nonsense + MARGIN_NS) is None


@pytest.mark.parametrize("name", ["", " ", "x" * 30_000])
def test_a_scene_with_a_name_that_nobody_could_say_is_not_asked_about(synthetic: Trajectory, name: str) -> None:
    event = told(int(synthetic.t_ns[0]), objects={name: SCENE["objects"]["cup"]}, held=name)  # type: ignore[index]
    assert rows(synthetic, [event], QuestionChoice(kinds=("held", "where", "point"))) == ([], [])


def test_the_longest_labels_and_a_blank_instruction_are_no_fault(synthetic: Trajectory) -> None:
    bounds = np.linspace(synthetic.t_ns[0], synthetic.t_ns[-1], 1001).astype(np.int64).tolist()
    segments = tuple(
        Segment(start_ns=start, end_ns=end, label=f"{number:04d}" * 125)
        for number, (start, end) in enumerate(pairwise(bounds))
    )
    choice = QuestionChoice(kinds=KINDS, per_episode=100, plans=True)
    questions, made = rows(replace(synthetic, segments=segments), [], choice)
    assert {q.kind for q in questions} == {"instruction", "outcome", "now", "next", "gripper"}
    assert len(made) == len(synthetic) - 1
    questions, made = rows(replace(synthetic, segments=segments, instruction="  "), [], choice)
    assert {q.kind for q in questions} == {"outcome", "now", "next", "gripper"}
    assert made == []


def test_a_thing_that_moves_is_not_pointed_at() -> None:
    moved = {"cup": [0.6, 0.0, 0.0, 0, 0, 0, 1], "box": SCENE["objects"]["box"]}  # type: ignore[index]
    scenes = Scenes([told(0), told(10 * MARGIN_NS, objects=moved)])
    state = scenes.steady(10 * MARGIN_NS + 1)
    assert state is not None
    assert set(state.objects) == {"box"}


def test_what_is_held_is_not_asked_where_it_is_not_told(synthetic: Trajectory) -> None:
    without = {key: value for key, value in SCENE.items() if key != "held"}
    start = int(synthetic.t_ns[0])
    event = Event(t_ns=start, seq=0, kind="scene", data=without)
    assert rows(synthetic, [event], QuestionChoice(kinds=("held",))) == ([], [])
    assert rows(synthetic, [told(start)], QuestionChoice(kinds=("held",)))[0]


CAMERA = CameraSpec(
    name="front",
    width=64,
    height=48,
    rate_hz=10,
    intrinsics=(60.0, 60.0, 31.5, 23.5),
    T_base_camera=tuple(pose.make((0.0, 0.0, 1.0), pose.quat_from_rotvec((np.pi, 0.0, 0.0))).tolist()),
)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(96, 96), (50, 120), (24, 32)])
def test_a_point_is_where_the_resized_image_shows_it(fit: str, size: tuple[int, int]) -> None:
    pixels = np.zeros((48, 64, 3), dtype=np.uint8)
    pixels[27:32, 37:42] = 255
    choice = CameraChoice(key="image", size=size, fit=fit, quality=95)  # type: ignore[arg-type]
    shown = simplejpeg.decode_jpeg(resize_jpeg(simplejpeg.encode_jpeg(pixels, 95), choice)).astype(float).sum(axis=2)
    shown[shown < 200] = 0
    centre = [float((shown * grid).sum() / shown.sum()) for grid in np.indices(shown.shape)]
    lens = lens_of(CAMERA, choice)
    assert lens is not None
    # The camera looks straight down from 1 m: column 39, row 29 is (39 - 31.5) / 60 to its right and so on.
    pixel = lens.pixel((7.5 / 60, -5.5 / 60, 0.0))
    assert pixel is not None
    assert abs(pixel[0] - centre[1]) < 1.0
    assert abs(pixel[1] - centre[0]) < 1.0


def test_a_point_behind_the_camera_or_outside_of_the_image_has_no_pixel() -> None:
    lens = lens_of(CAMERA, CameraChoice(key="image"))
    assert lens is not None
    assert lens.pixel((0.0, 0.0, 2.0)) is None
    assert lens.pixel((1.0, 0.0, 0.0)) is None
    assert lens.beside((0.1, 0.0, 0.0), (0.0, 0.2, 0.0)) == pytest.approx((0.1, -0.2))


def test_a_camera_that_moves_or_is_not_calibrated_has_no_lens() -> None:
    choice = CameraChoice(key="image")
    assert lens_of(CAMERA.model_copy(update={"mount": "hand"}), choice) is None
    assert lens_of(CAMERA.model_copy(update={"intrinsics": None}), choice) is None
    assert lens_of(CAMERA.model_copy(update={"T_base_camera": None}), choice) is None


ASKED = st.builds(
    Asked,
    step=st.integers(0, 9),
    subject=st.sampled_from("abc"),
    wordings=st.sampled_from([("q1", "q2"), ("q3",)]),
    answer=st.sampled_from([YES, NO, "Red.", "Blue."]),
)


@given(
    options=st.dictionaries(st.sampled_from(KINDS), st.lists(ASKED, max_size=30), max_size=3), count=st.integers(1, 40)
)
def test_yes_and_no_are_even_and_nothing_is_asked_over_and_over(options: dict[Kind, list[Asked]], count: int) -> None:
    drawn = draw(options, count, "seed")
    assert drawn == draw(options, count, "seed")
    assert len(drawn) <= count
    for kind, asked in options.items():
        mine = [one for one in drawn if one.kind == kind]
        said = Counter(one.answer for one in mine)
        assert abs(said[YES] - said[NO]) <= 1
        assert all(n <= 3 * MAX_ALIKE for n in said.values())
        for one in mine:
            assert any(one.step == o.step and one.answer == o.answer and one.question in o.wordings for o in asked), (
                "drawn from nowhere"
            )


@settings(max_examples=30)
@given(data=st.data())
def test_every_question_shows_a_valid_step_and_no_step_is_answered_in_two_ways(
    data: st.DataObject, synthetic: Trajectory
) -> None:
    count = len(synthetic)
    valid = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    span = (int(synthetic.t_ns[0]) - 10**9, int(synthetic.t_ns[-1]) + 10**9)
    cuts = sorted(data.draw(st.lists(st.integers(0, span[1]), max_size=6, unique=True)))
    labels = st.sampled_from(["", "reach", "grasp it", "lift it"])
    segments = tuple(Segment(start_ns=a, end_ns=b, label=data.draw(labels)) for a, b in pairwise(cuts))
    held = st.sampled_from([None, "cup"])
    events = [told(t_ns, held=data.draw(held)) for t_ns in data.draw(st.lists(st.integers(0, span[1]), max_size=5))]
    outcome = data.draw(st.sampled_from(["success", "partial", "failure", "unknown"]))
    per_episode = data.draw(st.integers(1, 60))
    trajectory = replace(synthetic, is_valid=valid, segments=segments, outcome=outcome)
    choice = QuestionChoice(kinds=KINDS, per_episode=per_episode, plans=True)
    questions, made = rows(trajectory, events, choice)
    assert len(questions) <= per_episode
    assert len({q.id for q in questions}) == len(questions)
    said: dict[tuple[int, str], str] = {}
    for question in questions:
        assert question.frame is not None
        assert question.frame.episode_id == synthetic.candidate.episode_id
        assert question.frame.image == "image"
        assert valid[question.frame.step]
        assert said.setdefault((question.frame.step, question.question), question.answer) == question.answer
    for plan in made:
        assert 0 <= plan.start_step < plan.end_step <= count
    assert all(before.end_step <= after.start_step for before, after in pairwise(made))


def test_a_build_writes_what_was_asked_for_beside_the_records(station: Station, tmp_path: Path) -> None:
    for seed in range(3):
        station.add(Episode(seed=seed, seconds=3.0))
    asked = QuestionChoice(kinds=("instruction", "outcome"), per_episode=4)
    built = station.build(tmp_path / "rlds", BuildManifest(name="kitchen", questions=asked))
    questions = [q for path in sorted(built.path.glob("questions-*.jsonl")) for q in read_questions(path)]
    counts = Counter(q.frame.episode_id for q in questions if q.frame is not None)
    assert sorted(counts.values()) == [4, 4, 4]
    assert not list(built.path.glob("plans-*"))
