"""Statistics, the ways of scaling by them, their files, and what tokens cost in the robot's units."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.codecs import InvalidActionError, fit_codec, get_codec
from dataset_builder.normalisation import files
from dataset_builder.normalisation.choice import NormalisationChoice, Scheme
from dataset_builder.normalisation.files import StatisticsFileError
from dataset_builder.normalisation.roundtrip import quantisation_error
from dataset_builder.normalisation.schemes import normalise, unnormalise
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser, normalised_chunks

Array = np.ndarray
MASK = (True,) * 6 + (False,)
SCHEMES: tuple[Scheme, ...] = ("q99", "bounds", "zscore", "openpi", "none")


def recorded(steps: int = 400, seed: int = 0) -> Array:
    """Raw actions (steps, 7) float32: centimetres, some hundredths of a radian, and the gripper's opening."""
    rng = np.random.default_rng(seed)
    motion = rng.normal(scale=[0.01, 0.01, 0.02, 0.05, 0.05, 0.08], size=(steps, 6))
    return np.concatenate([motion, rng.integers(0, 2, (steps, 1))], axis=1).astype(np.float32)


STATISTICS = Statistics.of(recorded(), MASK)

LITERAL: dict[str, Callable[[Array, Statistics], Array]] = {
    "q99": lambda x, s: np.where(s.mask, np.clip(2 * (x - s.q01) / (s.q99 - s.q01 + 1e-8) - 1, -1, 1), x),
    "bounds": lambda x, s: np.where(
        s.mask, np.clip(2 * (x - s.minimum) / (s.maximum - s.minimum + 1e-8) - 1, -1, 1), x
    ),
    "zscore": lambda x, s: np.where(s.mask, (x - s.mean) / (s.std + 1e-8), x),
    "openpi": lambda x, s: (x - s.q01) / (s.q99 - s.q01 + 1e-6) * 2.0 - 1.0,
    "none": lambda x, s: x,
}


def test_statistics_are_numpys_in_float64() -> None:
    values = recorded()
    wide = values.astype(np.float64)
    statistics = Statistics.of(values, MASK)
    assert np.array_equal(statistics.q01, np.quantile(wide, 0.01, axis=0))
    assert np.array_equal(statistics.q99, np.quantile(wide, 0.99, axis=0))
    assert np.array_equal(statistics.minimum, wide.min(axis=0))
    assert np.array_equal(statistics.maximum, wide.max(axis=0))
    assert statistics.mean == pytest.approx(wide.mean(axis=0), abs=1e-15)
    assert statistics.std == pytest.approx(wide.std(axis=0), abs=1e-15)
    assert tuple(statistics.mask) == MASK


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Statistics.of(np.empty((0, 7)))
    with pytest.raises(ValueError, match=r"7 dimensions .* there are 3"):
        Statistics.of(np.zeros((5, 3)), MASK)


def test_q99_goldens() -> None:
    statistics = Statistics.of(np.linspace(0.0, 100.0, 101)[:, None] * [1.0, 1.0], [True, False])
    assert statistics.q01.tolist() == [1.0, 1.0]
    assert statistics.q99.tolist() == [99.0, 99.0]
    normalised = normalise([[1.0, 1.0], [50.0, 50.0], [99.0, 99.0], [100.0, 100.0]], statistics, "q99")
    assert normalised[:, 0] == pytest.approx([-1.0, 0.0, 1.0, 1.0], abs=1e-9)
    assert normalised[:, 1].tolist() == [1.0, 50.0, 99.0, 100.0]
    assert unnormalise(normalised, statistics, "q99")[:3, 0] == pytest.approx([1.0, 50.0, 99.0], abs=1e-7)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_is_its_formula_bit_for_bit(scheme: Scheme) -> None:
    values = recorded(seed=1).astype(np.float64)
    assert np.array_equal(normalise(values, STATISTICS, scheme), LITERAL[scheme](values, STATISTICS))


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_not_clipped_comes_back(scheme: Scheme, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.uniform(STATISTICS.q01[:6], STATISTICS.q99[:6], (20, 6)), rng.random((20, 1))], axis=1)
    restored = unnormalise(normalise(values, STATISTICS, scheme), STATISTICS, scheme)
    assert restored == pytest.approx(values, abs=2e-8)


@pytest.mark.parametrize(("scheme", "unnormalised"), [("q99", "q01"), ("bounds", "minimum")])
def test_what_is_clipped_comes_back_as_the_end_of_the_range(scheme: Scheme, unnormalised: str) -> None:
    far = np.full((1, 7), -100.0)
    assert np.array_equal(normalise(far, STATISTICS, scheme)[0, :6], np.full(6, -1.0))
    restored = unnormalise(normalise(far, STATISTICS, scheme), STATISTICS, scheme)
    assert np.array_equal(restored[0, :6], getattr(STATISTICS, unnormalised)[:6])
    assert restored[0, 6] == -100.0


def test_zscore_and_openpi_do_not_clip_and_openpi_scales_the_gripper_too() -> None:
    far = np.full((1, 7), 5.0)
    assert (normalise(far, STATISTICS, "zscore")[0, :6] > 40.0).all()
    assert (normalise(far, STATISTICS, "openpi") > 8.0).all()
    assert normalise([[0.0] * 7, [1.0] * 7], STATISTICS, "openpi")[:, 6] == pytest.approx([-1.0, 1.0], abs=3e-6)


@pytest.mark.parametrize("scheme", ["q99", "bounds"])
def test_a_dimension_that_never_moved_becomes_zero_and_comes_back(scheme: Scheme) -> None:
    statistics = Statistics.of([[0.25, 1.0]] * 5, [True, False])
    assert normalise([[0.25, 1.0], [0.5, 0.0]], statistics, scheme).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert unnormalise([[0.0, 0.0]], statistics, scheme).tolist() == [[0.25, 1.0]]


@pytest.mark.parametrize("scheme", ["zscore", "openpi", "none"])
def test_one_that_never_moved_comes_back_with_the_other_schemes_too(scheme: Scheme) -> None:
    statistics = Statistics.of([[0.25, 1.0]] * 5, [True, False])
    assert unnormalise(normalise([[0.25, 1.0]], statistics, scheme), statistics, scheme).tolist() == [[0.25, 1.0]]


# The files ---------------------------------------------------------------------------------------------------------

PROPRIO = Statistics.of(np.random.default_rng(5).normal(size=(60, 8)))
DOCUMENTS = {
    "openvla": files.openvla("kitchen", STATISTICS, PROPRIO, 400, 3),
    "octo": files.octo(STATISTICS, PROPRIO, 400, 3),
    "openpi": files.openpi(STATISTICS, PROPRIO),
}


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_files_have_the_names_that_their_loaders_read() -> None:
    entry = DOCUMENTS["openvla"]["kitchen"]
    assert set(entry) == {"action", "proprio", "num_transitions", "num_trajectories"}
    assert set(entry["action"]) == {"mean", "std", "min", "max", "q01", "q99", "mask"}
    assert (entry["num_transitions"], entry["num_trajectories"]) == (400, 3)
    assert entry["action"]["mask"] == list(MASK)
    octo = DOCUMENTS["octo"]
    assert set(octo) == {"action", "proprio", "num_transitions", "num_trajectories"}
    assert set(octo["proprio"]) == {"mean", "std", "min", "max", "p01", "p99", "mask"}
    assert octo["action"]["p01"] == STATISTICS.q01.tolist()
    stats = DOCUMENTS["openpi"]["norm_stats"]
    assert set(stats) == {"state", "actions"}
    assert set(stats["state"]) == set(stats["actions"]) == {"mean", "std", "q01", "q99"}
    assert len(stats["state"]["mean"]) == 8


@pytest.mark.parametrize("form", DOCUMENTS)
def test_a_file_in_any_form_reads_back_exactly(form: str, tmp_path: Path) -> None:
    again = files.load(written(tmp_path / "s.json", DOCUMENTS[form]), MASK)
    for name in ("mean", "std", "q01", "q99", "mask"):
        assert np.array_equal(getattr(again, name), getattr(STATISTICS, name))
    for name in ("minimum", "maximum"):
        expected = np.full(7, np.nan) if form == "openpi" else getattr(STATISTICS, name)
        assert np.array_equal(getattr(again, name), expected, equal_nan=True)


def test_the_zeros_that_openpi_pads_with_are_left_out(tmp_path: Path) -> None:
    stats = DOCUMENTS["openpi"]["norm_stats"]["actions"]
    zeros = {"mean": 0.0, "std": 0.0, "q01": -1e-10, "q99": 1e-10}
    padded = {name: [*values, *[zeros[name]] * 25] for name, values in stats.items()}
    found = files.load(written(tmp_path / "s.json", {"norm_stats": {"actions": padded}}), MASK)
    assert found.mean.tolist() == stats["mean"]
    assert found.q99.tolist() == stats["q99"]
    moved = padded | {"std": [*stats["std"], *[0.1] * 25]}
    with pytest.raises(StatisticsFileError, match="of 7 or 32 dimensions, and this dataset's actions have 7"):
        files.load(written(tmp_path / "s.json", {"norm_stats": {"actions": moved}}), MASK)


def test_a_file_of_several_datasets_is_asked_by_key(tmp_path: Path) -> None:
    other = Statistics.of(recorded(seed=9), MASK)
    both = DOCUMENTS["openvla"] | files.openvla("garage", other, PROPRIO, 400, 3)
    path = written(tmp_path / "s.json", both)
    assert np.array_equal(files.load(path, MASK, "garage").q01, other.q01)
    with pytest.raises(StatisticsFileError, match="several datasets: garage, kitchen; say which in statistics_key"):
        files.load(path, MASK)
    with pytest.raises(StatisticsFileError, match="no dataset 'attic'; there is: garage, kitchen"):
        files.load(path, MASK, "attic")


def test_a_file_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    def refused(document: object, message: str) -> None:
        with pytest.raises(StatisticsFileError, match=message):
            files.load(written(tmp_path / "s.json", document), MASK)

    refused([1, 2], "no action statistics")
    refused({"kitchen": {"state": {}}}, "no action statistics")
    refused({"norm_stats": {"state": {}}}, "no action statistics")
    entry = DOCUMENTS["octo"]["action"]
    refused({"action": {name: entry[name] for name in entry if name != "std"}}, "lack 'std'")
    refused({"action": entry | {"mean": "x"}}, "'mean' .* no list of numbers")
    refused({"action": entry | {"mean": [None] * 7}}, "finite numbers")
    refused({"action": entry | {"mean": [0.0] * 6}}, "6 or 7 dimensions")
    refused({"action": entry | {"mask": None}}, "'mask' .* no list of true and false")
    refused({"action": entry | {"mask": ["yes"] * 7}}, "'mask' .* no list of true and false")
    refused({"action": entry | {"p01": entry["p99"], "p99": entry["p01"]}}, "'q01' .* lies above 'q99'")
    refused({"action": entry | {"std": [-1.0] * 7}}, "'std' .* negative")
    with pytest.raises(StatisticsFileError, match="of one dataset without a name; leave out statistics_key"):
        files.load(written(tmp_path / "s.json", DOCUMENTS["octo"]), MASK, "kitchen")
    with pytest.raises(StatisticsFileError, match="of 7 dimensions, and this dataset's actions have 8"):
        files.load(written(tmp_path / "s.json", DOCUMENTS["octo"]), (*MASK, False))
    (tmp_path / "s.json").write_text("{", encoding="utf-8")
    with pytest.raises(StatisticsFileError, match="not JSON"):
        files.load(tmp_path / "s.json", MASK)
    with pytest.raises(StatisticsFileError, match="cannot be read: No such file"):
        files.load(tmp_path / "nowhere.json", MASK)


def test_statistics_that_lack_what_a_scheme_needs_are_refused_with_the_schemes_they_suffice_for(tmp_path: Path) -> None:
    openpi = files.load(written(tmp_path / "s.json", DOCUMENTS["openpi"]), MASK)
    codec = get_codec("openvla")
    for scheme in ("q99", "bounds"):
        with pytest.raises(
            ValueError, match=rf"'{scheme}' needs minimum and maximum.*suffice for: zscore, openpi, none"
        ):
            ActionTokeniser(codec, openpi, scheme)
    assert ActionTokeniser(codec, openpi, "openpi").encode_steps(recorded()).shape == (400, 7)


def test_what_is_not_known_is_not_written_and_still_not_known_when_read(tmp_path: Path) -> None:
    openpi = files.load(written(tmp_path / "s.json", DOCUMENTS["openpi"]), MASK)
    document = openpi.to_json()
    assert set(document) == {"mean", "std", "q01", "q99", "mask"}
    again = Statistics.from_json(json.loads(json.dumps(document, allow_nan=False)))
    assert np.isnan(again.minimum).all()
    assert np.array_equal(again.q99, STATISTICS.q99)
    with pytest.raises(KeyError, match="q01"):
        Statistics.from_json({name: document[name] for name in document if name != "q01"})


def test_a_key_of_no_file_is_refused() -> None:
    with pytest.raises(ValidationError, match="statistics_key names a dataset of the file"):
        NormalisationChoice(statistics_key="kitchen")


def test_the_data_key_follows_the_data_and_nothing_else() -> None:
    episodes = [(recorded(30, seed), np.ones((30, 8), dtype=np.float32) * seed) for seed in range(3)]
    key = files.data_key(episodes)
    assert len(key) == 64
    assert files.data_key(reversed(episodes)) == key
    assert files.data_key([(action.astype(np.float64), proprio) for action, proprio in episodes]) == key
    assert files.data_key(episodes[:2]) != key
    changed = episodes[2][0].copy()
    changed[17, 3] = np.nextafter(changed[17, 3], np.float32(1.0))
    assert files.data_key([*episodes[:2], (changed, episodes[2][1])]) != key
    whole = np.concatenate([episodes[0][0], episodes[1][0]]), np.concatenate([episodes[0][1], episodes[1][1]])
    assert files.data_key([whole, episodes[2]]) != key


# The tokeniser -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openvla", "rt1", "rt2", "octo", "openpi"])
@pytest.mark.parametrize("scheme", ["q99", "bounds", "openpi"])
def test_tokens_bring_actions_back_within_the_bound_in_the_robots_units(name: str, scheme: Scheme) -> None:
    tokeniser = ActionTokeniser(get_codec(name), STATISTICS, scheme)
    actions = recorded(seed=3)
    low, high = (STATISTICS.minimum, STATISTICS.maximum) if scheme == "bounds" else (STATISTICS.q01, STATISTICS.q99)
    actions[:, :6] = np.clip(actions[:, :6], low[:6], high[:6])
    ids = tokeniser.encode_steps(actions)
    assert ids.shape == (400, tokeniser.width)
    assert tokeniser.width == (8 if name == "rt2" else 7)
    rows = tokeniser.encode(actions)
    assert len(rows) == 400
    assert np.array_equal(np.stack(rows), ids)
    span = np.where(STATISTICS.mask, (high - low) / 2.0, 0.5 if scheme == "openpi" else 1.0)
    assert (np.abs(tokeniser.decode(ids) - actions).max(axis=0) <= get_codec(name).bound * span + 1e-6).all()


def test_the_last_step_of_an_episode_is_the_one_that_terminates() -> None:
    codec = get_codec("rt2")
    ids = ActionTokeniser(codec, STATISTICS).encode_steps(recorded(5))
    assert ids[:, 0].tolist() == [0, 0, 0, 0, 1]


def fast_tokeniser(length: int = 10) -> ActionTokeniser:
    semantics = ActionSemantics(chunk_length=length)
    chunks = normalised_chunks(recorded(), STATISTICS, "q99", semantics)
    return ActionTokeniser(fit_codec("fast", {"scale": 20}, chunks), STATISTICS, "q99", semantics)


def test_a_codec_of_chunks_gives_the_ids_of_the_chunk_that_begins_at_each_step() -> None:
    tokeniser = fast_tokeniser()
    actions = recorded(40, seed=4)
    actions[:, :6] = np.clip(actions[:, :6], STATISTICS.q01[:6], STATISTICS.q99[:6])
    ids = tokeniser.encode(actions)
    assert len(ids) == 40
    span = np.where(STATISTICS.mask, (STATISTICS.q99 - STATISTICS.q01) / 2.0, 1.0)
    for start in (0, 7, 30):
        error = tokeniser.decode(ids[start]) - actions[start : start + 10]
        assert (np.abs(error).max(axis=0) <= tokeniser.codec.bound * span + 1e-6).all()  # type: ignore[attr-defined]
    # Past the end nothing moves, and the gripper stays as it was.
    last = tokeniser.decode(ids[39])
    held = np.concatenate([np.zeros((9, 6)), np.full((9, 1), actions[39, 6])], axis=1)
    assert (np.abs(last[1:] - held).max(axis=0) <= tokeniser.codec.bound * span + 1e-6).all()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="'fast' has no ids per step"):
        tokeniser.encode_steps(actions)


def test_chunks_of_another_length_than_the_codecs_are_refused() -> None:
    short = ActionTokeniser(fast_tokeniser().codec, STATISTICS, "q99", ActionSemantics(chunk_length=4))
    with pytest.raises(InvalidActionError, match=r"shape \(10, 7\), got \(4, 7\)"):
        short.encode(recorded(20))


# What tokens cost --------------------------------------------------------------------------------------------------


def test_the_error_of_tokens_is_reported_in_the_robots_units() -> None:
    tokeniser = ActionTokeniser(get_codec("openvla"), STATISTICS)
    episodes = [recorded(300, seed=6), recorded(200, seed=7)]
    report = quantisation_error(tokeniser, episodes)
    raw = np.concatenate(episodes).astype(np.float64)
    error = np.abs(tokeniser.decode(get_codec("openvla").encode(normalise(raw, STATISTICS, "q99"))) - raw)
    outside = (raw < STATISTICS.q01) | (raw > STATISTICS.q99)
    outside[:, 6] = False
    half_bin = (STATISTICS.q99 - STATISTICS.q01)[:6] / 2.0 / 255.0
    assert report.clipped == pytest.approx(outside.mean(axis=0))
    assert 0.005 < report.clipped[:6].mean() < 0.06
    assert (report.maximum[:6] <= half_bin * (1.0 + 1e-6) + 1e-8).all()
    assert report.mean == pytest.approx([error[~outside[:, d], d].mean() for d in range(7)])
    assert report.worst == pytest.approx(error.max(axis=0))
    assert (report.worst[:6] > 5.0 * report.maximum[:6]).all()


def test_the_error_of_chunks_counts_every_step_once() -> None:
    tokeniser = fast_tokeniser()
    actions = recorded(43, seed=8)
    report = quantisation_error(tokeniser, [actions])
    ids = tokeniser.encode(actions)
    whole = np.concatenate([tokeniser.decode(ids[start]) for start in range(0, 43, 10)])[:43]
    assert report.worst == pytest.approx(np.abs(whole - actions).max(axis=0))


def test_without_steps_there_is_no_error_to_report() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        quantisation_error(ActionTokeniser(get_codec("rt1"), STATISTICS), [])
