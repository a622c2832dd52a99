"""A mixture of a real dataset, questions and plans: shares, prompts, targets, masks, weights and refusals."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Station
from mixture_parts import ONLY_ROBOTS, Kitchen, build, llama_like_tokenizer, make_kitchen, records, shared_kitchen
from synthetic_episodes import Episode
from tokenizers import Tokenizer

from dataset_builder.codecs.contract import CodecOptionError, InvalidTokenError
from dataset_builder.codecs.mask import ActionMask
from dataset_builder.mixture.index import UnusableDatasetError
from dataset_builder.mixture.mixture import BadMixtureError, Mixture
from dataset_builder.mixture.sources import RobotSteps
from dataset_builder.mixture.tokens import TokenizationError
from teleloom.config import ConfigError


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


def robots(mixture: Mixture) -> RobotSteps:
    source = mixture.sources[0]
    assert isinstance(source, RobotSteps)
    return source


def test_shares_hold_within_one_per_cent_over_ten_thousand_samples(kitchen: Kitchen) -> None:
    mixture = kitchen.open(robot_share=0.66)
    kinds = Counter(mixture.pick(n).source for n in range(10_000))
    assert kinds[0] / 10_000 == pytest.approx(0.66, abs=0.01)
    assert mixture.shares() == pytest.approx({"kitchen": 0.66, "vqa": 0.34})


@pytest.mark.parametrize(("share", "counts"), [(0.5, {4}), (0.66, {5, 6})])
def test_the_share_is_exact_in_every_batch_where_asked(kitchen: Kitchen, share: float, counts: set[int]) -> None:
    mixture = kitchen.open(robot_share=share, exact_share=True)
    robots = [int((mixture.batch(number)["source"] == 0).sum()) for number in range(40)]
    assert set(robots) == counts
    assert sum(robots) == round(40 * 8 * share)


def test_datasets_share_by_weight_times_steps_or_as_given(kitchen: Kitchen) -> None:
    small = {"path": str(kitchen.dataset), "name": "small", "split": "val", "weight": 3.0}
    both = [{"path": str(kitchen.dataset)}, small]
    steps = [len(source) for source in kitchen.open(robots=both, **ONLY_ROBOTS).sources]
    by_steps = kitchen.open(robots=both, **ONLY_ROBOTS).shares()
    assert by_steps == pytest.approx(
        {"kitchen": steps[0] / (steps[0] + 3 * steps[1]), "small": 3 * steps[1] / (steps[0] + 3 * steps[1])}
    )
    given = kitchen.open(robots=both, proportions="given", **ONLY_ROBOTS).shares()
    assert given == pytest.approx({"kitchen": 0.25, "small": 0.75})


def test_the_same_sample_is_the_same_whenever_and_in_whatever_order_it_is_asked_for(kitchen: Kitchen) -> None:
    keys = {"augmentation": {"rotation_deg": 5}, "action_noise": 0.1}
    first, second = kitchen.open(**keys), kitchen.open(**keys)
    batches = [first.batch(number) for number in range(4)]
    for number in (3, 0, 2, 1):
        again = second.batch(number)
        assert all(np.array_equal(again[name], batches[number][name]) for name in again)
    assert not np.array_equal(kitchen.open(seed=1, **keys).batch(0)["item"], batches[0]["item"])


def test_rt2_prompts_targets_and_masks(kitchen: Kitchen) -> None:
    mixture = kitchen.open()
    robot, question = (next(s for s in mixture.samples(0) if s.kind == kind) for kind in ("robot", "question"))
    assert robot.prompt in {
        "Q: what action should the robot take to Do it? A:",
        "Q: what action should the robot take to Please do it? A:",
    }
    assert question.prompt.startswith("Q: How bright is it, ")
    assert question.prompt.endswith("? A:")
    assert question.answer.startswith(" ")


def vocabulary_size(path: Path) -> int:
    return int(Tokenizer.from_file(str(path)).get_vocab_size())


def test_openvla_prompts_are_those_of_the_stock_code(kitchen: Kitchen, tmp_path: Path) -> None:
    tokenizer = llama_like_tokenizer(tmp_path / "llama.json")
    choice = {"path": str(tokenizer), "bos": "<s>"}
    vocabulary = vocabulary_size(tokenizer)
    mixture = kitchen.open(
        prompt="openvla", tokenizer=choice, placement={"name": "last", "vocab_size": vocabulary}, paraphrases=False
    )
    sample = next(s for s in mixture.samples(0) if s.kind == "robot")
    assert sample.prompt == "In: What action should the robot take to do it?\nOut: "
    ids = list(sample.tokens.ids)
    stock_training = mixture.text._tokenizer.encode(sample.prompt).ids
    assert ids[0] == mixture.text.bos
    assert ids[1 : sample.tokens.target] == stock_training
    assert mixture.text.decode(ids[sample.tokens.target - 1 : sample.tokens.target]).strip() == ""
    assert len(ids) - sample.tokens.target == 7 + 1
    question = next(s for s in mixture.samples(0) if s.kind == "question")
    assert question.prompt.startswith("In: How bright is it")
    assert question.prompt.endswith("?\nOut:")


def test_the_loss_mask_covers_exactly_the_target_and_its_end(kitchen: Kitchen) -> None:
    mixture = kitchen.open()
    source = robots(mixture)
    for number in range(10):
        batch = mixture.batch(number)
        for row, sample in enumerate(mixture.samples(number)):
            learnt = batch["input_ids"][row][batch["loss_mask"][row]]
            read = batch["input_ids"][row][batch["attention_mask"][row] & ~batch["loss_mask"][row]]
            assert learnt[-1] == mixture.text.eos
            assert mixture.text.decode(read.tolist()) == sample.prompt
            if sample.kind == "robot":
                step = sample.pick.item
                expected = source.index.dataset.tokeniser.codec.placed({"name": "last", "vocab_size": 800}).encode(
                    source.targets.normalised(source.index.ahead(step, 1))
                )
                assert np.array_equal(learnt[:-1], expected.ravel())
            else:
                assert mixture.text.decode(learnt[:-1].tolist()) == sample.answer
            assert not batch["attention_mask"][row, len(learnt) + len(read) :].any()
            assert (batch["input_ids"][row, len(learnt) + len(read) :] == mixture.text.pad).all()


def test_targets_decode_to_the_recorded_actions(kitchen: Kitchen) -> None:
    source = robots(kitchen.open())
    statistics = source.index.dataset.tokeniser.statistics
    rng = np.random.default_rng(0)
    for step in range(len(source)):
        decoded = source.targets.decode(source.targets.ids(step, rng))[0]
        recorded = np.clip(source.index.actions[step], statistics.q01, statistics.q99)
        bound = np.where(statistics.mask, (statistics.q99 - statistics.q01) / 2, 1.0) / 255 + 1e-7
        compared = np.where(statistics.mask, recorded, source.index.actions[step])
        assert (np.abs(decoded - compared) <= bound).all()


def test_tokens_are_those_that_the_dataset_holds(kitchen: Kitchen) -> None:
    source = robots(kitchen.open())
    placed, built = source.targets.codec, source.index.dataset.tokeniser.codec
    step = 0
    for _, rows in source.index.dataset.tokens("train"):
        for row in rows:
            ids = source.targets.ids(step, np.random.default_rng(0))
            assert np.array_equal(placed.placement.symbols_of(ids), built.placement.symbols_of(row))
            step += 1
    assert step == len(source)


def test_rt2_as_text_ends_the_episode_in_its_last_step(kitchen: Kitchen) -> None:
    dataset = build(kitchen.station, kitchen.folder / "rlds", "as_text", codec={"name": "rt2", "options": {}})
    mixture = kitchen.open(robots=[{"path": str(dataset)}], actions="text", placement=None, **ONLY_ROBOTS)
    source = robots(mixture)
    for step in (0, 5, int(source.index.firsts[1]) - 1):
        item = source.item(step, np.random.default_rng(0))
        words = item.text.split()
        assert item.text == " " + " ".join(words)
        assert len(words) == 8
        assert words[0] == ("1" if source.index.ends[step] else "0")
        assert np.array_equal(source.targets.codec.parse(item.text), [int(word) for word in words])
    sample = mixture.sample(0)
    assert mixture.text.decode(sample.tokens.ids[sample.tokens.target : -1]) == sample.answer


def test_chunks_hold_still_past_the_end_and_rt2_says_so(kitchen: Kitchen) -> None:
    dataset = kitchen.folder / "rlds" / "as_text" / "1.0.0"
    if not dataset.exists():
        dataset = build(kitchen.station, kitchen.folder / "rlds", "as_text", codec={"name": "rt2", "options": {}})
    mixture = kitchen.open(robots=[{"path": str(dataset)}], chunk_length=4, **ONLY_ROBOTS)
    source = robots(mixture)
    last = int(source.index.firsts[1]) - 1
    rows = source.targets.ids(last - 1, np.random.default_rng(0)).reshape(4, 8)
    assert source.targets.codec.ends(rows).tolist() == [False, True, True, True]
    decoded = source.targets.decode(rows.ravel())
    still = source.targets.decode(source.targets.ids(last, np.random.default_rng(0)))[1:]
    assert np.array_equal(decoded[2:], still[:2])
    assert decoded[2, 6] == pytest.approx(source.index.actions[last, 6], abs=1 / 255)


def test_fast_chunks_decode_within_their_quantisation(kitchen: Kitchen) -> None:
    dataset = build(
        kitchen.station,
        kitchen.folder / "rlds",
        "fast",
        action={"chunk_length": 8},
        codec={"name": "fast", "options": {"vocabulary": 300}},
    )
    mixture = kitchen.open(robots=[{"path": str(dataset)}], placement={"name": "last", "vocab_size": 800, "skip": 10})
    source = robots(mixture)
    step = 0
    for _, chunks in source.index.dataset.tokens("train"):
        for chunk in chunks:
            ids = source.targets.ids(step, np.random.default_rng(0))
            assert ids.max() <= 789
            assert np.array_equal(source.targets.decode(ids), source.index.dataset.tokeniser.decode(chunk))
            step += 1
    assert step == len(source)
    with pytest.raises(Exception, match=r"chunks of 8 steps.*leave out chunk_length"):
        kitchen.open(robots=[{"path": str(dataset)}], chunk_length=4)


@pytest.mark.parametrize("name", ["openvla", "rt2", "fast"])
def test_random_logits_under_the_mask_always_decode_to_an_action(kitchen: Kitchen, name: str) -> None:
    keys = {"action": {"chunk_length": 8}, "codec": {"name": "fast", "options": {"vocabulary": 300}}}
    keys = keys if name == "fast" else {"codec": {"name": name, "options": {}}}
    dataset = build(kitchen.station, kitchen.folder / "rlds", f"masked_{name}", **keys)
    mixture = kitchen.open(robots=[{"path": str(dataset)}])
    targets = robots(mixture).targets
    mask = ActionMask(targets.codec, 7, mixture.text.vocab_size, end_id=mixture.text.eos)
    rng = np.random.default_rng(0)
    for _ in range(100):
        written: list[int] = []
        while True:
            chosen = int(np.argmax(mask.apply(rng.normal(scale=5, size=mixture.text.vocab_size), written)))
            if chosen == mixture.text.eos:
                break
            written.append(chosen)
        actions = targets.decode(np.array(written, dtype=np.int32))
        assert actions.shape == (8 if name == "fast" else 1, 7)
        assert np.isfinite(actions).all()
    with pytest.raises(InvalidTokenError):
        targets.decode(np.full(len(written), 3, dtype=np.int32))


def test_action_noise_moves_all_but_the_gripper_by_what_was_asked(kitchen: Kitchen) -> None:
    quiet, noisy = (robots(kitchen.open(action_noise=sigma)) for sigma in (0.0, 0.1))
    differences = np.array(
        [
            noisy.targets.noisy(actions := quiet.targets.normalised(quiet.index.ahead(step, 1)), rng) - actions
            for step, rng in ((step, np.random.default_rng(step)) for step in range(len(quiet)))
        ]
    )[:, 0]
    assert differences[:, :6].std() == pytest.approx(0.1, rel=0.15)
    assert not differences[:, 6].any()


def test_weights_of_steps_decide_how_often_they_occur(tmp_path: Path) -> None:
    corrected = Episode(seed=1, seconds=4.0, policy="p1", corrections=((1.0, 2.0),))
    station = Station(tmp_path / "station")
    station.root.mkdir()
    station.add(corrected)
    station.add(Episode(seed=2))
    keys = {"weights": {"intervention": 3.0, "pre_intervention": 0.0, "pre_intervention_steps": 5}}
    path = build(station, tmp_path, "dagger", splits={"val_fraction": 0}, **keys)
    kitchen = make_kitchen(tmp_path / "other", episodes=2)
    mixture = kitchen.open(robots=[{"path": str(path)}], **ONLY_ROBOTS)
    source = robots(mixture)
    led_to = np.concatenate([record["steps/intv_label"] for record in records(path)]) == -10
    is_intervention = np.concatenate([record["steps/is_intervention"] for record in records(path)]).astype(bool)
    assert is_intervention.sum() >= 8
    counts = Counter()
    number = 0
    while (pick := mixture.pick(number)).epoch == 0:
        counts[pick.item] += 1
        number += 1
    times = np.array([counts[step] for step in range(len(source))])
    assert set(times[is_intervention]) == {3}
    assert led_to.sum() == 5
    assert set(times[led_to]) == {0}
    assert set(times[~is_intervention & ~led_to]) == {1}


def test_balance_by_task_gives_each_task_the_same_share(kitchen: Kitchen) -> None:
    choice = {"path": str(kitchen.dataset), "balance_by_task": True}
    mixture = kitchen.open(robots=[choice], **ONLY_ROBOTS)
    index = robots(mixture).index
    tasks = Counter(int(index.tasks[index.episode(mixture.pick(n).item)]) for n in range(2000))
    plain = Counter(int(index.tasks[episode]) for episode in range(len(index.tasks)))
    assert len(set(plain.values())) > 1
    assert all(count / 2000 == pytest.approx(1 / len(tasks), abs=0.02) for count in tasks.values())


def test_paraphrases_are_drawn_evenly_or_the_spoken_one_is_kept(kitchen: Kitchen) -> None:
    mixture = kitchen.open(**ONLY_ROBOTS)
    prompts = Counter(mixture.sample(n).prompt for n in range(300))
    assert len(prompts) == 2
    assert min(prompts.values()) > 110
    kept = kitchen.open(paraphrases=False, **ONLY_ROBOTS)
    assert {kept.sample(n).prompt for n in range(40)} == {"Q: what action should the robot take to Do it? A:"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"placement": None}, r"action ids up to 31999, and the tokenizer has 800 tokens; set placement"),
        ({"tokenizer": {"path": "tokenizer.json", "eos": "<end>"}}, r"no token '<end>'; set tokenizer.eos"),
        ({"robots": [{"path": "rlds/kitchen/1.0.0", "split": "test"}]}, r"no split 'test'; it has train, val"),
        ({"robots": [{"path": "rlds/kitchen/1.0.0", "cameras": ["left"]}]}, r"no images 'left'; it has image, wrist"),
        ({"robots": [{"path": "rlds/kitchen/1.0.0"}] * 2}, r"two sources are called kitchen"),
        ({"plans": [{"path": "rlds/none"}]}, r"rlds/none does not exist; a relative path starts at"),
        ({"plans": [{"path": "vqa"}]}, r"vqa/plans-train.jsonl does not exist; .* has `questions.plans`"),
        ({"questions": [{"path": "vqa/empty.jsonl"}]}, r"'empty' has nothing to draw: its file has no questions"),
        ({"augmentation": {"still": ["wrst"]}}, r"still: no dataset has images wrst; there are image, wrist"),
        ({"tokenizer": {"path": "none.json"}}, r"none.json is no tokenizer.json that can be read: No such file"),
        ({"placement": {"name": "last", "vocab_size": 100}}, r"no room for 256 action tokens"),
        ({"placement": {"name": "last", "vocab_size": 257}}, r"actions on id 1, which is '</s>' to the tokenizer"),
        ({"robot_share": 1e-12}, r"leaves one of them without samples: set robot_share"),
    ],
)
def test_what_cannot_be_mixed_is_refused_with_a_remedy(kitchen: Kitchen, keys: dict, message: str) -> None:
    (kitchen.folder / "vqa" / "empty.jsonl").touch()
    with pytest.raises((BadMixtureError, CodecOptionError, TokenizationError, UnusableDatasetError), match=message):
        kitchen.open(**keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"robots": None, "questions": None}, "name at least one source"),
        ({"actions": "text"}, "no place in the vocabulary"),
        ({"questions": [{"path": "vqa/vqa.jsonl", "camera": "image"}]}, "questions: camera is for plans"),
        ({"robots": [{"path": "rlds", "weight": float("inf")}]}, "finite"),
        ({"action_noise": float("inf")}, "finite"),
        ({"images": {"size": [0, 32]}}, "greater than or equal to 1"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(kitchen: Kitchen, keys: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Mixture.open(kitchen.write("refused.yaml", **keys))


def test_a_number_is_the_same_sample_whatever_its_type(kitchen: Kitchen) -> None:
    mixture = kitchen.open(action_noise=0.2)
    for number in range(8):
        assert mixture.sample(number).prompt == mixture.sample(np.int64(number)).prompt
        assert mixture.sample(number).tokens == mixture.sample(np.int64(number)).tokens


def test_a_sample_that_is_too_long_is_an_error_or_its_prompt_is_cut_and_counted(kitchen: Kitchen) -> None:
    full = kitchen.open(**ONLY_ROBOTS)
    longest = max(len(full.sample(n).tokens.ids) for n in range(40))
    with pytest.raises(TokenizationError, match=r"of 'kitchen': a sample of .* raise max_length, or set too_long"):
        kitchen.open(max_length=20, **ONLY_ROBOTS).batch(0)
    cut = kitchen.open(max_length=20, too_long="cut", **ONLY_ROBOTS)
    for number in range(5):
        short, whole = cut.batch(number), full.batch(number)
        assert (short["cut"] > 0).all()
        assert np.array_equal(short["cut"], whole["attention_mask"].sum(axis=1) - 20)
        for row in range(8):
            assert np.array_equal(
                short["input_ids"][row][short["loss_mask"][row]], whole["input_ids"][row][whole["loss_mask"][row]]
            )
    assert not full.batch(0)["cut"].any()
    assert longest > 20
    with pytest.raises(TokenizationError, match=r"a target of .* tokens does not fit"):
        kitchen.open(max_length=8, too_long="cut", chunk_length=4, **ONLY_ROBOTS).batch(0)


def test_the_fingerprint_tells_mixtures_apart_but_not_folders(kitchen: Kitchen) -> None:
    base = kitchen.open()
    assert base.fingerprint == kitchen.open(cache="elsewhere").fingerprint
    others = [
        kitchen.open(seed=1),
        kitchen.open(robot_share=0.6),
        kitchen.open(questions=None),
        kitchen.open(robots=[{"path": str(kitchen.dataset), "split": "val"}]),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert base.resume(base.state(17)) == 17
    with pytest.raises(BadMixtureError, match="state is that of another mixture"):
        others[0].resume(base.state(17))


def test_the_fingerprint_tells_codecs_and_chunks_apart_where_the_shards_are_the_same(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    choices: list[dict[str, Any]] = [
        {"codec": {"name": "rt1", "options": {"bins": 128}}},
        {"codec": {"name": "rt1", "options": {"bins": 64}}},
        {"codec": {"name": "rt1", "options": {"bins": 128}}, "action": {"chunk_length": 2}},
    ]
    mixtures = [
        kitchen.open(robots=[{"path": str(build(kitchen.station, tmp_path / str(i), "kitchen", **choice))}])
        for i, choice in enumerate(choices)
    ]
    assert mixtures[0].sources[0].content == mixtures[1].sources[0].content == mixtures[2].sources[0].content
    assert len({mixture.fingerprint for mixture in mixtures}) == 3


def test_a_copy_of_the_dataset_elsewhere_is_the_same_mixture(kitchen: Kitchen, tmp_path: Path) -> None:
    copy = tmp_path / "kitchen" / "1.0.0"
    shutil.copytree(kitchen.dataset, copy, copy_function=shutil.copyfile)
    here, there = kitchen.open(), kitchen.open(robots=[{"path": str(copy)}])
    assert here.fingerprint == there.fingerprint
    assert here.sources[0].index.digest != there.sources[0].index.digest
    assert all(np.array_equal(here.batch(1)[name], values) for name, values in there.batch(1).items())


@pytest.mark.parametrize("preset", ["openvla", "openvla-bridge", "octo", "openpi-droid"])
def test_any_preset_can_be_mixed(kitchen: Kitchen, preset: str) -> None:
    name = preset.replace("-", "_")
    dataset = build(kitchen.station, kitchen.folder / "rlds", f"preset_{name}", preset=preset)
    mixture = kitchen.open(robots=[{"path": str(dataset)}], placement=None, actions="text", **ONLY_ROBOTS)
    source = robots(mixture)
    built = source.index.dataset.tokeniser.codec
    kept = [row for _, rows in source.index.dataset.tokens("train") for row in rows]
    assert len(kept) == len(source)
    for step, row in enumerate(kept):
        symbols = built.placement.symbols_of(row)
        ids = source.targets.ids(step, np.random.default_rng(0))
        assert np.array_equal(ids if built.chunked else ids[: len(symbols)], symbols)
    assert all(sample.images.shape[1:] == (32, 40, 3) for sample in mixture.samples(0))
