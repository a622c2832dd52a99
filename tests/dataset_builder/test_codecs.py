"""The binned codecs: published figures hold bit for bit, formulas match their sources, nothing invalid passes."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataset_builder.codecs import (
    Codec,
    CodecOptionError,
    InvalidActionError,
    InvalidTokenError,
    fit_codec,
    get_codec,
)
from dataset_builder.codecs.contract import BoundedCodec, EpisodeCodec, GrammaticalCodec
from dataset_builder.codecs.openpi import OpenPiCodec
from dataset_builder.codecs.rt2 import Rt2Codec
from teleloom import plugins
from teleloom.plugins import PluginError

Array = np.ndarray

OPENVLA = get_codec("openvla", vocab_size=32000)
LAST = {"name": "last", "vocab_size": 257152, "skip": 128}
CODECS = {
    "openvla": OPENVLA,
    "openvla placed": get_codec("openvla", placement={"name": "least-frequent", "ids": list(range(900, 388, -2))}),
    "rt1": get_codec("rt1"),
    "rt1 of 1024": get_codec("rt1", bins=1024, placement=LAST),
    "octo": get_codec("octo"),
    "octo of 100": get_codec("octo", bins=100, placement=LAST),
    "openpi": get_codec("openpi"),
    "rt2": get_codec("rt2"),
    "rt2 placed": get_codec("rt2", placement={"name": "last", "vocab_size": 32000}),
}


def literal_openvla(a: Array) -> tuple[Array, Array]:
    edges = np.linspace(-1, 1, 256)
    centers = (edges[:-1] + edges[1:]) / 2
    ids = 32000 - np.digitize(np.clip(a, -1, 1), edges)
    return ids, centers[np.clip(32000 - ids - 1, 0, 254)]


def literal_rt1(a: Array) -> tuple[Array, Array]:
    tokens = ((np.clip(a, -1, 1) - -1) / (1 - -1) * (256 - 1)).astype(np.int32)
    return tokens, tokens / (256 - 1) * (1 - -1) + -1


def literal_octo(a: Array) -> tuple[Array, Array]:
    thresholds = np.linspace(-1, 1, 257)
    inside = np.clip(a, -1 + 1e-6, 1 - 1e-6)[..., None]
    tokens = np.argmax((inside < thresholds[1:]) & (inside >= thresholds[:-1]), axis=-1)
    return tokens, ((thresholds[1:] + thresholds[:-1]) / 2)[tokens]


def literal_openpi(a: Array) -> tuple[Array, Array]:
    edges = np.linspace(-1, 1, 257)[:-1]
    tokens = np.digitize(a, edges) - 1
    return tokens, edges[tokens]


LITERAL: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "openvla": literal_openvla,
    "rt1": literal_rt1,
    "octo": literal_octo,
    "openpi": literal_openpi,
}
# Mean absolute error on U[-1, 1] with 256 bins, as measured on the projects' own code.
MEAN_ERRORS = {"openvla": 0.00196, "octo": 0.00195, "rt1": 0.00392, "openpi": 0.00391}


@pytest.mark.parametrize(
    ("action", "token", "decoded"),
    [(-1.0, 31999, -0.99607843), (0.0, 31872, 0.0), (0.5, 31808, 0.50196078), (1.0, 31744, 0.99607843)],
)
def test_openvla_goldens(action: float, token: int, decoded: float) -> None:
    assert OPENVLA.encode([[action]]).tolist() == [[token]]
    assert OPENVLA.decode([[token]])[0, 0] == pytest.approx(decoded, abs=1e-8)


@pytest.mark.parametrize("name", LITERAL)
def test_the_formula_holds_bit_for_bit_at_and_beside_every_edge_and_between(name: str) -> None:
    edges = np.concatenate([np.linspace(-1.0, 1.0, n) for n in (255, 256, 257, 511)])
    beside = np.concatenate([edges, np.nextafter(edges, -2.0), np.nextafter(edges, 2.0)])
    between = np.random.default_rng(0).uniform(-1.0, 1.0, 200_000)
    values = np.clip(np.concatenate([beside, between]), -1.0, 1.0)
    ids, decoded = LITERAL[name](values)
    codec = get_codec(name)
    assert np.array_equal(codec.encode(values[None]), ids[None])
    assert np.array_equal(codec.decode(ids[None]), decoded[None])


@pytest.mark.parametrize("name", MEAN_ERRORS)
def test_mean_absolute_errors_are_those_measured_on_the_originals(name: str) -> None:
    values = np.random.default_rng(1).uniform(-1.0, 1.0, (50_000, 7))
    codec = get_codec(name)
    error = codec.decode(codec.encode(values)) - values
    assert np.abs(error).mean() == pytest.approx(MEAN_ERRORS[name], abs=1.5e-5)
    if name == "rt1":
        assert error.mean() == pytest.approx(-0.0039, abs=5e-5)


def test_float32_moves_127_of_the_256_edges_into_the_neighbouring_bin() -> None:
    edges = np.linspace(-1.0, 1.0, 256)
    exact = OPENVLA.encode(edges)
    assert np.array_equal(exact, literal_openvla(edges)[0])
    assert np.count_nonzero(OPENVLA.encode(edges.astype(np.float32)) != exact) == 127


@pytest.mark.parametrize("name", CODECS)
@given(actions=hnp.arrays(np.float64, (3, 7), elements=st.floats(-1.0, 1.0)))
def test_a_round_trip_errs_by_no_more_than_the_bound(name: str, actions: Array) -> None:
    codec = CODECS[name]
    ids = codec.encode(actions)
    assert ids.dtype == np.int32
    decoded = codec.decode(ids)
    assert decoded.shape == actions.shape
    assert decoded.dtype == np.float64
    assert isinstance(codec, BoundedCodec)
    assert np.abs(decoded - actions).max() <= codec.bound + 1e-12
    assert np.abs(codec.decode(codec.encode(decoded)) - decoded).max() <= codec.bound + 1e-12


@pytest.mark.parametrize("name", CODECS)
def test_the_bound_is_reached_and_no_larger(name: str) -> None:
    codec = CODECS[name]
    values = np.repeat(np.linspace(-1.0, 1.0, 100_001)[:, None], 7, axis=1)
    assert isinstance(codec, BoundedCodec)
    assert np.abs(codec.decode(codec.encode(values)) - values).max() > 0.98 * codec.bound


@pytest.mark.parametrize("name", CODECS)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_lies_beyond_the_range_is_encoded_as_its_end(name: str, seed: int) -> None:
    codec = CODECS[name]
    values = np.random.default_rng(seed).normal(scale=3.0, size=(4, 7))
    assert np.array_equal(codec.encode(values), codec.encode(np.clip(values, -1.0, 1.0)))


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_is_built_again_from_its_options_as_json(name: str) -> None:
    codec = CODECS[name]
    again = get_codec(codec.name, **json.loads(json.dumps(codec.options)))
    values = np.random.default_rng(2).uniform(-1.0, 1.0, (100, 7))
    assert np.array_equal(again.encode(values), codec.encode(values))
    assert again.options == codec.options
    assert (again.version, again.chunked) == ("1", False)


@pytest.mark.parametrize("name", CODECS)
def test_foreign_tokens_are_refused_with_their_position(name: str) -> None:
    codec = CODECS[name]
    ids = codec.encode(np.zeros((3, 7)))
    for foreign in (-1, 2**31 - 1, -(2**31), 300_000):
        wrong = ids.copy()
        wrong[1, 2] = foreign
        with pytest.raises(InvalidTokenError, match=rf"token {foreign} at \(1, 2\)"):
            codec.decode(wrong)
    with pytest.raises(InvalidTokenError, match="integers"):
        codec.decode(ids.astype(np.float64))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_actions_that_are_not_numbers_are_refused_with_their_position(name: str, bad: float) -> None:
    actions = np.zeros((3, 7))
    actions[2, 1] = bad
    with pytest.raises(InvalidActionError, match=rf"\(2, 1\) is {bad}"):
        CODECS[name].encode(actions)


@pytest.mark.parametrize("name", CODECS)
def test_no_steps_give_no_ids(name: str) -> None:
    codec = CODECS[name]
    ids = codec.encode(np.empty((0, 7)))
    assert len(ids) == 0
    assert codec.decode(ids).shape == (0, 7)


@pytest.mark.parametrize("bad", [["a"], [[1.0], [1.0, 2.0]], [10**400], {"x": 1.0}])
def test_what_is_no_array_of_numbers_is_refused(bad: object) -> None:
    with pytest.raises(InvalidActionError, match="an array of numbers"):
        get_codec("openvla").encode(bad)


def test_ids_that_are_no_array_are_refused_and_none_at_all_are_no_actions() -> None:
    with pytest.raises(InvalidTokenError, match="an array of integers"):
        get_codec("openvla").decode([[31_900], [31_900, 31_901]])
    assert get_codec("openvla").decode([]).size == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("openvla", {"placement": {}}),
        ("rt1", {"bins": 256.5}),
        ("rt1", {"low": -np.inf}),
        ("octo", {"low": -np.inf, "high": np.inf}),
        ("octo", {"high": np.nan}),
    ],
)
def test_options_that_make_no_codec_are_refused(name: str, options: dict) -> None:
    with pytest.raises(CodecOptionError, match=f"codec '{name}' cannot be built with the options"):
        get_codec(name, **options)


def test_openvla_without_a_place_in_a_vocabulary_says_so_in_its_options() -> None:
    bare = get_codec("openvla").placed(None)
    again = get_codec("openvla", **json.loads(json.dumps(bare.options)))
    assert again.encode([0.0]).tolist() == bare.encode([0.0]).tolist() == [127]
    assert again.options == bare.options


def test_a_gap_between_placed_ids_is_no_action_token() -> None:
    with pytest.raises(InvalidTokenError, match=r"token 401 at \(0, 6\)"):
        CODECS["openvla placed"].decode([[400] * 6 + [401]])


def test_large_arrays_are_worked_on_in_blocks_and_come_out_the_same() -> None:
    values = np.random.default_rng(3).uniform(-1.0, 1.0, (40_000, 7))
    assert np.array_equal(OPENVLA.encode(values), literal_openvla(values)[0])


def test_openvla_refuses_the_neighbours_of_its_ids() -> None:
    with pytest.raises(InvalidTokenError, match=r"token 31743 at \(1, 2\) is no action token \(31744 to 31999\)"):
        OPENVLA.decode([[31872] * 7, [31872, 31872, 31743, 31872, 31872, 31872, 31872]])
    with pytest.raises(InvalidTokenError, match="32000"):
        OPENVLA.decode([[32000]])


def test_rt1_takes_a_range_and_a_vocabulary() -> None:
    codec = get_codec("rt1", bins=512, low=-1.5708, high=1.5708)
    values = np.linspace(-1.6, 1.6, 1001)
    tokens = ((np.clip(values, -1.5708, 1.5708) - -1.5708) / (1.5708 - -1.5708) * 511).astype(np.int32)
    assert np.array_equal(codec.encode(values), tokens)
    assert np.array_equal(codec.decode(tokens), tokens / 511 * (1.5708 - -1.5708) + -1.5708)


def test_octo_takes_a_range() -> None:
    codec = get_codec("octo", bins=64, low=0.0, high=2.0)
    assert codec.encode([0.0, 1.0, 2.0, 5.0]).tolist() == [0, 32, 63, 63]
    assert codec.decode([0, 63]).tolist() == [1 / 64, 2 - 1 / 64]


RT2 = Rt2Codec()


def test_rt2_writes_eight_integers_and_the_last_step_of_an_episode_ends_it() -> None:
    actions = np.array([[-1.0, 0.0, 0.1, -0.1, 0.5, -0.5, 1.0]] * 3)
    ids = RT2.encode_episode(actions)
    levels = ((actions + 1) / 2 * 255).astype(np.int32)
    assert np.array_equal(ids[:, 1:], levels)
    assert ids[:, 0].tolist() == [0, 0, 1]
    assert RT2.encode(actions)[:, 0].tolist() == [0, 0, 0]
    assert RT2.ends(ids).tolist() == [False, False, True]
    assert RT2.text(ids)[2] == "1 0 127 140 114 191 63 255"
    assert np.array_equal(RT2.decode(ids), levels / 255 * 2 - 1)
    assert isinstance(RT2, EpisodeCodec)


@given(hnp.arrays(np.int32, (4, 8), elements=st.integers(0, 255)), st.lists(st.booleans(), min_size=4, max_size=4))
def test_rt2_text_reads_back_as_the_same_ids(ids: Array, ends: list[bool]) -> None:
    ids[:, 0] = ends
    for codec in (RT2, RT2.placed({"name": "last", "vocab_size": 32000})):
        placed = codec.placement.ids[ids]
        assert np.array_equal([codec.parse(text) for text in codec.text(placed)], placed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 128 91 241 5 101 127", "has 7 integers.*has 8"),
        ("0 128 91 241 5 101 127 3 4", "has 9 integers"),
        ("0 128 256 241 5 101 127 3", "'256' at 2 .*from 0 to 255"),
        ("0 128 -1 241 5 101 127 3", "'-1' at 2"),
        ("0 128 9x 241 5 101 127 3", "'9x' at 2"),
        ("0 128 ² 241 5 101 127 3", "'²' at 2"),
        ("2 128 91 241 5 101 127 3", "'2' at 0 .*from 0 to 1"),
        ("", "has 0 integers"),
        ("0 " + "9" * 5000, "at 1"),
    ],
)
def test_rt2_text_that_is_no_action_is_refused_with_the_position(text: str, message: str) -> None:
    with pytest.raises(InvalidTokenError, match=message):
        RT2.parse(text)


def test_rt2_refuses_rows_that_are_no_step() -> None:
    with pytest.raises(InvalidTokenError, match=r"token 7 at \(1, 0\) says neither"):
        RT2.decode([[0] * 8, [7] + [0] * 7])
    with pytest.raises(InvalidTokenError, match="8 tokens a step"):
        RT2.decode([[0] * 7])
    with pytest.raises(InvalidActionError, match="7 dimensions"):
        RT2.encode(np.zeros((2, 8)))


def test_openpi_writes_the_state_into_the_prompt() -> None:
    prompt = OpenPiCodec().prompt(" Pick_up the Cup ", [-1.0, 0.0, 0.5, 1.0])
    assert prompt == "Task: pick up the cup, State: 0 128 192 255;\nAction: "


def test_the_codecs_are_found_by_name_and_know_their_bound_and_grammar() -> None:
    assert set(plugins.names("teleloom.codecs")) >= {"rt1", "rt2", "openvla", "octo", "openpi", "fast"}
    for codec in CODECS.values():
        assert isinstance(codec, BoundedCodec)
        assert isinstance(codec, GrammaticalCodec)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("openvla", {"vocab_size": 255}, "no room for 256"),
        ("openvla", {"vocab_size": 32000, "placement": LAST}, "give one"),
        ("openvla", {"bins": 5}, "has no option 'bins'; there is: placement, vocab_size"),
        ("octo", {"bin": 3}, "has no option 'bin'; there is: bins, high, low, placement"),
        ("openvla", {"vocab_size": 32000.5}, "float"),
        ("rt1", {"bins": 1}, "at least 2 bins"),
        ("rt1", {"low": 1.0, "high": -1.0}, "low < high"),
        ("octo", {"bins": 0}, "at least 1 bin"),
        ("rt2", {"dimensions": 0}, "at least one dimension"),
        ("rt1", {"placement": {"name": "last", "vocab_size": 300, "skip": 128}}, "no room"),
        ("rt1", {"placement": {"name": "x", "ids": [1, 2]}}, "256 integer ids"),
        ("rt1", {"placement": {"name": "x", "ids": [1] * 256}}, "twice"),
        ("rt1", {"placement": {"name": "x", "ids": [*range(255), 2**31]}}, "not from 0 to 16777215"),
        ("rt1", {"placement": {"name": "last", "vocab_size": 2**31}}, "no room"),
        ("rt1", {"placement": {"name": "integers", "tokenizer": "t.json"}}, "fit_codec"),
        ("fast", {}, "fitted on data"),
    ],
)
def test_options_that_a_codec_does_not_take_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(CodecOptionError, match=f"'{name}'.*{message}"):
        get_codec(name, **options)


def test_an_unknown_codec_names_the_known_ones() -> None:
    with pytest.raises(PluginError, match="openvla"):
        get_codec("no_such_codec")


def test_a_codec_without_what_the_contract_asks_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        name, version = "half", "1"

    monkeypatch.setattr(plugins, "load", lambda group, name: Half)
    with pytest.raises(CodecOptionError, match="has no chunked, no options"):
        get_codec("half")


def test_a_codec_with_nothing_to_fit_is_the_one_its_options_say() -> None:
    fitted: Codec = fit_codec("octo", {"bins": 64}, np.zeros((1, 2, 3)))
    assert fitted.options == get_codec("octo", bins=64).options


def test_the_page_on_codecs_says_what_they_do() -> None:
    page = Path(__file__).parents[2] / "docs" / "codecs.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 15
    assert result.failed == 0
