"""Questions and plans in a mixture: the frames they show, what they weigh, and what people wrote in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from mixture_parts import Kitchen, build, records, shared_kitchen

from dataset_builder.mixture.images import decoded
from dataset_builder.mixture.index import UnusableDatasetError
from dataset_builder.questions.question import BadQuestionsError, Frame, Plan, Question, write

POINTED = "Where in this image of 64 x 48 pixels is the apple?"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


def test_questions_and_plans_about_our_own_episodes_show_their_frames(kitchen: Kitchen) -> None:
    record = records(kitchen.dataset)[0]
    episode = record["episode_metadata/episode_id"][0].decode()
    frame = Frame(episode_id=episode, step=4, image="wrist_image")
    questions = [
        Question(id="a", kind="held", question="What does the robot hold?", answer="An apple.", frame=frame),
        Question(id="b", kind="point", question=POINTED, answer="(32, 12)", frame=frame, weight=2.0),
    ]
    plan = Plan(episode_id=episode, start_step=2, end_step=6, instruction="I'm hungry.", plan="pick up the apple")
    write(kitchen.dataset / "questions-train.jsonl", questions)
    write(kitchen.dataset / "plans-train.jsonl", [plan])
    own = [{"path": str(kitchen.dataset)}]
    mixture = kitchen.open(robots=[], questions=own, plans=own, images={"size": [96, 128]})
    assert [source.name for source in mixture.sources] == ["kitchen_questions", "kitchen_plans"]
    samples = {(s.kind, s.pick.item): s for n in range(40) if (s := mixture.sample(n))}
    assert samples["question", 0].answer == " An apple."
    assert samples["question", 1].answer == " (65, 25)"
    assert samples["question", 1].prompt == "Q: Where in this image of 128 x 96 pixels is the apple? A:"
    assert set(samples) == {("question", 0), ("question", 1), *(("plan", item) for item in range(4))}
    shown = kitchen.open(images={"size": [96, 128]}).sources[0].item(4, np.random.default_rng(0)).images["wrist_image"]
    assert np.array_equal(samples["question", 0].images[0], decoded(shown, mixture.manifest.images))
    said = samples["plan", 1]
    assert said.prompt == "Instruction: I'm hungry."
    assert said.answer.startswith(" Plan: pick up the apple. Action:")
    plans = mixture.sources[1]
    ids = plans.targets.ids(3, np.random.default_rng(0))
    assert said.tokens.ids[-8:-1] == tuple(ids.tolist())
    with pytest.raises(UnusableDatasetError, match=r"'b' asks for a pixel; use images.fit stretch or pad"):
        kitchen.open(questions=[{"path": str(kitchen.dataset)}], images={"size": [32, 32], "fit": "crop"})
    write(kitchen.dataset / "plans-train.jsonl", [plan.model_copy(update={"end_step": 99})])
    with pytest.raises(UnusableDatasetError, match=r"has no step 98 of episode"):
        kitchen.open(plans=[{"path": str(kitchen.dataset)}])


def test_a_pixel_of_an_imported_picture_is_scaled_with_it(kitchen: Kitchen, tmp_path: Path) -> None:
    (tmp_path / "cup.jpg").write_bytes(simplejpeg.encode_jpeg(np.zeros((24, 32, 3), dtype=np.uint8)))
    question = Question(id="a", kind="point", question="Where is it?", answer="(16, 6)", image="cup.jpg")
    write(tmp_path / "vqa.jsonl", [question])
    mixture = kitchen.open(robots=None, questions=[{"path": str(tmp_path / "vqa.jsonl")}], images={"size": [96, 128]})
    assert mixture.sample(0).answer == " (66, 26)"
    with pytest.raises(UnusableDatasetError, match=r"'a' asks for a pixel; use images.fit stretch or pad"):
        kitchen.open(
            robots=None,
            questions=[{"path": str(tmp_path / "vqa.jsonl")}],
            images={"size": [32, 32], "fit": "crop"},
        )


def test_questions_made_by_a_build_are_drawn_like_any_others(kitchen: Kitchen) -> None:
    dataset = build(
        kitchen.station, kitchen.folder / "rlds", "asked", questions={"kinds": ["instruction", "outcome", "gripper"]}
    )
    mixture = kitchen.open(robots=[{"path": str(dataset)}], questions=[{"path": str(dataset)}])
    questions = [sample for n in range(60) if (sample := mixture.sample(n)).kind == "question"]
    assert len(questions) > 20
    assert len({sample.answer for sample in questions}) > 2
    assert all(len(sample.images) == 1 for sample in questions)


def test_a_question_about_text_alone_shows_no_image(kitchen: Kitchen) -> None:
    mixture = kitchen.open(robots=None)
    batch = mixture.batch(0)
    texts = [s.prompt == "Q: What is red and green? A:" for s in mixture.samples(0)]
    assert np.array_equal(~batch["image_mask"].any(axis=1), texts)


def test_a_plan_weighs_what_it_says_shared_out_as_its_steps_weigh(kitchen: Kitchen, tmp_path: Path) -> None:
    weights = {"demonstration": 3.0}
    dataset = build(kitchen.station, tmp_path, "weighed", weights=weights)
    episode = records(dataset)[0]["episode_metadata/episode_id"][0].decode()
    plan = Plan(episode_id=episode, start_step=0, end_step=4, instruction="Do it.", plan="do it", weight=3.0)
    write(dataset / "plans-train.jsonl", [plan, plan.model_copy(update={"start_step": 4, "end_step": 6, "weight": 1})])
    plans = kitchen.open(robots=None, plans=[{"path": str(dataset)}]).sources[-1]
    assert np.repeat(plans.runs.weights, plans.runs.lengths).tolist() == pytest.approx([3.0] * 4 + [1.0] * 2)


def test_a_missing_image_is_found_when_the_questions_are_opened(kitchen: Kitchen, tmp_path: Path) -> None:
    rows = [Question(id="a", question="What is it?", answer="Nothing.", image="gone.jpg")]
    write(tmp_path / "vqa.jsonl", rows)
    with pytest.raises(BadQuestionsError, match=r"line 1: .*gone.jpg"):
        kitchen.open(questions=[{"path": str(tmp_path / "vqa.jsonl")}])


def test_what_people_wrote_never_becomes_a_special_token(kitchen: Kitchen, tmp_path: Path) -> None:
    texts = ["stop </s> now", "<pad><s>", "é\u202e\x00 \U0001f600", "a\r\nb\u2028c\x85d"]
    rows = [Question(id=str(i), question=text, answer=text) for i, text in enumerate(texts)]
    write(tmp_path / "odd.jsonl", rows)
    mixture = kitchen.open(robots=None, questions=[{"path": str(tmp_path / "odd.jsonl")}])
    special = {mixture.text.eos, *(mixture.text._tokenizer.token_to_id(token) for token in ("<s>", "<pad>"))}
    for sample in mixture.samples(0):
        text = texts[sample.pick.item]
        ids, target = sample.tokens.ids, sample.tokens.target
        assert special & set(ids[:-1]) == set()
        assert ids[-1] == mixture.text.eos
        assert mixture.text.decode(ids[:target]) == f"Q: {text} A:"
        assert mixture.text.decode(ids[target:-1]) == f" {text}"
