"""FAST: everything it encodes comes back within its quantisation, and nothing that is no chunk decodes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.fft import dct, idct
from tokenizers import Tokenizer

from dataset_builder.codecs import CodecOptionError, InvalidActionError, InvalidTokenError, fit_codec, get_codec
from dataset_builder.codecs.fast import FastCodec, Transform, dct_matrix
from dataset_builder.codecs.symbols import token_bytes

HORIZON, WIDTH = 50, 7
PALIGEMMA = {"name": "last", "vocab_size": 257152, "skip": 128}


def smooth(count: int, seed: int, horizon: int = HORIZON, width: int = WIDTH) -> np.ndarray:
    """Chunks (count, horizon, width) as of a moving arm, with some tremor, the gripper open or closed."""
    rng = np.random.default_rng(seed)
    shape = (count, 1, width)
    t_s = np.arange(horizon)[None, :, None] / 50.0
    swing = rng.uniform(0.05, 0.9, shape) * np.sin(
        2.0 * np.pi * rng.uniform(0.2, 1.5, shape) * t_s + rng.uniform(0.0, 6.3, shape)
    )
    chunks = swing + rng.uniform(-0.5, 0.5, shape) + rng.normal(0.0, 0.003, (count, horizon, width))
    chunks[..., -1] = rng.integers(0, 2, (count, 1))
    return np.clip(chunks, -1.0, 1.0)


@pytest.fixture(scope="module")
def fitted() -> FastCodec:
    return FastCodec.fit(smooth(400, seed=0))


@pytest.fixture(scope="module")
def small() -> FastCodec:
    """Short chunks at a fine scale: its characters are two and three bytes long."""
    return FastCodec.fit(smooth(400, seed=0, horizon=4, width=3), scale=1000.0, vocabulary=400)


def literal(chunk: np.ndarray, min_token: int, scale: float = 10.0) -> str:
    """The text of a chunk, as the released processor writes it."""
    rounded = np.around(dct(chunk, axis=0, norm="ortho") * scale)
    return "".join(map(chr, np.maximum(rounded.flatten() - min_token, 0).astype(int)))


def test_the_text_is_that_of_the_released_formula(fitted: FastCodec) -> None:
    table = token_bytes(fitted.options["bpe"])
    for chunk in smooth(50, seed=1):
        text = b"".join(table[id_] or b"" for id_ in fitted.encode(chunk)).decode()
        assert text == literal(chunk, fitted.options["min_token"])


def test_the_released_decoder_reads_the_ids(fitted: FastCodec) -> None:
    tokenizer = Tokenizer.from_str(fitted.options["bpe"])
    for chunk in smooth(50, seed=1):
        ids = fitted.encode(chunk)
        coefficients = np.array([ord(character) for character in tokenizer.decode(ids.tolist())])
        coefficients = (coefficients + fitted.options["min_token"]).reshape(HORIZON, WIDTH)
        released = idct(coefficients / 10.0, axis=0, norm="ortho")
        assert np.allclose(fitted.decode(ids), np.clip(released, -1.0, 1.0), atol=1e-12)


def test_the_transform_is_scipys_orthonormal_one() -> None:
    for horizon in (1, 2, 10, 50):
        signal = np.random.default_rng(horizon).uniform(-1.0, 1.0, (horizon, 3))
        assert np.allclose(dct_matrix(horizon) @ signal, dct(signal, axis=0, norm="ortho"), atol=1e-13)
        assert np.allclose(dct_matrix(horizon).T @ signal, idct(signal, axis=0, norm="ortho"), atol=1e-13)


def test_smooth_chunks_come_back_with_the_error_measured_on_the_original(fitted: FastCodec) -> None:
    chunks = smooth(100, seed=2)
    errors = np.stack([fitted.decode(fitted.encode(chunk)) for chunk in chunks]) - chunks
    assert 0.008 < np.sqrt((errors**2).mean()) < 0.016
    fine = FastCodec.fit(chunks, scale=100.0)
    errors = np.stack([fine.decode(fine.encode(chunk)) for chunk in chunks]) - chunks
    assert 0.001 < np.sqrt((errors**2).mean()) < 0.003


def test_a_smooth_chunk_takes_a_tenth_of_the_tokens_of_bins(fitted: FastCodec) -> None:
    lengths = [len(fitted.encode(chunk)) for chunk in smooth(100, seed=3)]
    assert np.mean(lengths) < HORIZON * WIDTH / 8


def assert_returns(codec: FastCodec, chunk: np.ndarray) -> None:
    """The chunk comes back, every coefficient within half a step."""
    restored = codec.decode(codec.encode(chunk))
    assert np.abs(restored - chunk).max() <= codec.bound
    scale = codec.options["scale"]
    # Clipping to [-1, 1] only brings the chunk nearer as a whole, so this is asked of the norm.
    assert np.linalg.norm(restored - chunk) <= np.sqrt(chunk.size) * (0.5 + 1e-8) / scale


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, (HORIZON, WIDTH), elements=st.floats(-1.0, 1.0)))
@example(np.ones((HORIZON, WIDTH)))
@example(-np.ones((HORIZON, WIDTH)))
def test_whatever_is_encoded_decodes_within_its_quantisation(fitted: FastCodec, chunk: np.ndarray) -> None:
    assert_returns(fitted, chunk)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, (4, 3), elements=st.floats(-1.0, 1.0)))
def test_so_it_does_where_characters_take_several_bytes(small: FastCodec, chunk: np.ndarray) -> None:
    assert Transform(4, 1000.0, None).highest_symbol > 0x800
    assert_returns(small, chunk)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 10, 25, 49])
def test_the_most_extreme_signals_come_back_though_nothing_like_them_was_fitted_on(period: int) -> None:
    codec = FastCodec.fit(np.zeros((3, HORIZON, WIDTH)))
    square = np.where((np.arange(HORIZON) // period) % 2 == 0, 1.0, -1.0)
    assert_returns(codec, np.repeat(square[:, None], WIDTH, axis=1))
    assert_returns(codec, np.repeat(-square[:, None], WIDTH, axis=1))
    assert_returns(codec, np.random.default_rng(period).choice([-1.0, 1.0], (HORIZON, WIDTH)))


@pytest.mark.parametrize("horizon", [1, 2, 3, 7, 10, 16, 50, 100])
def test_each_coefficient_at_its_largest_has_a_symbol(horizon: int) -> None:
    codec = FastCodec.fit(np.zeros((1, horizon, 1)))
    for row in dct_matrix(horizon):
        for signal in (np.sign(row), -np.sign(row)):
            assert_returns(codec, signal[:, None])
    assert codec.options["min_token"] == -int(np.around(10.0 * np.sqrt(horizon)))


def test_every_order_of_ids_that_is_no_chunk_is_refused_with_its_position(fitted: FastCodec) -> None:
    ids = fitted.encode(smooth(1, seed=4)[0])
    with pytest.raises(InvalidTokenError, match=rf"end at {len(ids) - 1}, after \d+ of 350"):
        fitted.decode(ids[:-1])
    with pytest.raises(InvalidTokenError, match="end at 0, after 0 of 350"):
        fitted.decode(np.array([], dtype=np.int32))
    with pytest.raises(InvalidTokenError, match=rf"at \({len(ids)},\) gives more"):
        fitted.decode(np.append(ids, ids[-1]))
    continuation = token_bytes(fitted.options["bpe"]).index(b"\x80")
    with pytest.raises(InvalidTokenError, match=rf"token {continuation} at \(3,\) is no coefficient"):
        fitted.decode(np.insert(ids, 3, continuation))
    with pytest.raises(InvalidTokenError, match=r"token 5000 at \(2,\)"):
        fitted.decode(np.insert(ids, 2, 5000))
    with pytest.raises(InvalidTokenError, match="one chunk at a time"):
        fitted.decode([ids])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 1023), max_size=60))
def test_random_ids_decode_to_a_whole_chunk_or_are_refused(fitted: FastCodec, ids: list[int]) -> None:
    table = token_bytes(fitted.options["bpe"])
    try:
        text = b"".join(table[id_] or b"" for id_ in ids).decode()
        whole = len(text) == HORIZON * WIDTH and max(map(ord, text)) <= -2 * fitted.options["min_token"]
    except UnicodeDecodeError:
        whole = False
    if whole:
        assert fitted.decode(ids).shape == (HORIZON, WIDTH)
    else:
        with pytest.raises(InvalidTokenError):
            fitted.decode(ids)


def test_chunks_of_another_shape_or_not_finite_are_refused(fitted: FastCodec) -> None:
    with pytest.raises(InvalidActionError, match=r"shape \(50, 7\), got \(49, 7\)"):
        fitted.encode(np.zeros((49, 7)))
    chunk = np.zeros((HORIZON, WIDTH))
    chunk[4, 2] = np.nan
    with pytest.raises(InvalidActionError, match=r"\(4, 2\) is nan"):
        fitted.encode(chunk)


def test_values_beyond_the_range_are_encoded_as_its_ends(fitted: FastCodec) -> None:
    chunk = smooth(1, seed=5)[0] * 3.0
    assert np.array_equal(fitted.encode(chunk), fitted.encode(np.clip(chunk, -1.0, 1.0)))


def test_a_fitted_codec_is_built_again_from_its_options_as_json(fitted: FastCodec) -> None:
    again = get_codec("fast", **json.loads(json.dumps(fitted.options)))
    for chunk in smooth(20, seed=6):
        assert np.array_equal(again.encode(chunk), fitted.encode(chunk))
    assert again.options == fitted.options
    assert (again.name, again.version, again.chunked) == ("fast", "1", True)


def test_openpi_counts_fast_tokens_down_from_paligemmas_vocabulary(fitted: FastCodec) -> None:
    placed = fit_codec("fast", fitted.options | {"placement": PALIGEMMA})
    chunk = smooth(1, seed=7)[0]
    assert np.array_equal(placed.encode(chunk), 257152 - 1 - 128 - fitted.encode(chunk))
    assert np.array_equal(placed.decode(placed.encode(chunk)), fitted.decode(fitted.encode(chunk)))


def test_ties_fall_the_same_way_whatever_the_last_bits(fitted: FastCodec) -> None:
    """A constant at which the first coefficient is half a step: its neighbours in float64 get the same ids."""
    level = 4.5 / (10.0 * np.sqrt(HORIZON))
    ids = [fitted.encode(np.full((HORIZON, WIDTH), value)) for value in (level, np.nextafter(level, 1.0))]
    assert np.array_equal(ids[0], ids[1])


def test_fitting_again_in_another_process_gives_the_same_bytes(fitted: FastCodec) -> None:
    again = subprocess.run(
        [sys.executable, "-c", "import sys, test_codecs_fast as t; t.print_bpe()"],
        cwd=__file__.rsplit("/", 1)[0],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "77", "RAYON_NUM_THREADS": "1", "PYTHONPATH": sys.path[0] + ":" + ":".join(sys.path)},
    ).stdout
    assert again.strip() == fitted.options["bpe"]


def print_bpe() -> None:
    print(FastCodec.fit(smooth(400, seed=0)).options["bpe"])


def test_fitting_makes_the_vocabulary_asked_for(fitted: FastCodec) -> None:
    assert len(fitted.placement) == 1024
    assert len(FastCodec.fit(smooth(200, seed=0), vocabulary=512).placement) == 512
    rare = FastCodec.fit(smooth(5, seed=0), min_frequency=100_000)
    assert len(rare.placement) == 256


def test_a_bpe_that_lacks_bytes_is_refused_when_it_would_drop_one(fitted: FastCodec) -> None:
    """As a BPE fitted with the stock trainer does, whose alphabet is what it has seen."""
    document = json.loads(fitted.options["bpe"])
    model = document["model"]
    kept = {token: id_ for token, id_ in model["vocab"].items() if "Â" not in token and "Ã" not in token}
    order = sorted(kept, key=lambda token: kept[token])
    model["vocab"] = {token: id_ for id_, token in enumerate(order)}
    model["merges"] = [m for m in model["merges"] if all(p in kept for p in (*m, "".join(m)))]
    lacking = get_codec("fast", **(fitted.options | {"bpe": json.dumps(document)}))
    calm = np.zeros((HORIZON, WIDTH))
    assert np.abs(lacking.decode(lacking.encode(calm))).max() <= FastCodec.fit(calm[None]).bound
    with pytest.raises(InvalidActionError, match="no token"):
        lacking.encode(np.ones((HORIZON, WIDTH)))


def test_a_min_token_that_cuts_coefficients_off_is_refused_where_it_would(fitted: FastCodec) -> None:
    cut = FastCodec.fit(np.zeros((1, HORIZON, WIDTH)), min_token=-30)
    with pytest.raises(InvalidActionError, match="coefficient 0 of dimension 0 is -71, below min_token -30"):
        cut.encode(-np.ones((HORIZON, WIDTH)))


def test_a_tokenizer_fitted_before_is_taken_as_it_is(tmp_path, fitted: FastCodec) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "tokenizer.json"
    path.write_text(fitted.options["bpe"], encoding="utf-8")
    wide = fit_codec("fast", {"tokenizer": str(path), "min_token": -354}, smooth(2, seed=1))
    table = token_bytes(fitted.options["bpe"])
    for chunk in smooth(20, seed=1):
        text = b"".join(table[id_] or b"" for id_ in wide.encode(chunk)).decode()
        assert text == literal(chunk, -354)
        assert np.abs(wide.decode(wide.encode(chunk)) - chunk).max() <= fitted.bound


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": 200}, "256 bytes"),
        ({"scale": 0.0}, "positive"),
        ({"scale": 1e6}, "14142137 characters; there are 55296"),
        ({"placement": {"name": "last", "vocab_size": 200}}, "no room"),
        ({"min_token": -1}, "below min_token -1"),
        ({"min_token": 80}, "min_token 80 is above"),
        ({"colour": 1}, "colour"),
    ],
)
def test_options_that_cannot_be_fitted_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(CodecOptionError, match=f"'fast'.*{message}"):
        fit_codec("fast", options, smooth(20, seed=0))


def test_fitting_needs_chunks() -> None:
    with pytest.raises(CodecOptionError, match="there are none"):
        fit_codec("fast", {})
    with pytest.raises(CodecOptionError, match=r"got shape \(0, 5, 2\)"):
        fit_codec("fast", {}, np.empty((0, 5, 2)))


@pytest.mark.parametrize(
    ("bpe", "message"),
    [("{", "JSONDecodeError"), ("{}", "KeyError"), ("[]", "TypeError"), ('{"model": 3}', "tokenizer.json")],
)
def test_a_bpe_that_is_none_is_refused(bpe: str, message: str) -> None:
    with pytest.raises(CodecOptionError, match=message):
        get_codec("fast", horizon=5, dimensions=2, bpe=bpe)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("normalizer", {"normalizer": {"type": "Lowercase"}}),
        ("no byte-level", {"pre_tokenizer": {"type": "Whitespace"}}),
        ("prefix space", {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}),
        ("truncation", {"truncation": {"max_length": 5}}),
        ("added_tokens", {"added_tokens": [{"id": 1024, "content": "GG"}]}),
        ("dropout", {"model": {"dropout": 0.1}}),
        ("end_of_word_suffix", {"model": {"end_of_word_suffix": "</w>"}}),
        ("ids of bpe's vocabulary", {"model": {"vocab": {"a": 0, "b": 2}}}),
    ],
)
def test_a_tokenizer_that_would_change_the_text_is_refused(part: str, change: dict, fitted: FastCodec) -> None:
    document = json.loads(fitted.options["bpe"])
    changed = document | change | {"model": document["model"] | change.get("model", {})}
    with pytest.raises(CodecOptionError, match=part):
        get_codec("fast", **(fitted.options | {"bpe": json.dumps(changed)}))


def test_a_refusal_does_not_print_the_whole_bpe(fitted: FastCodec) -> None:
    with pytest.raises(CodecOptionError) as refused:
        get_codec("fast", **(fitted.options | {"horizon": 0}))
    assert "horizon" in str(refused.value)
    assert len(str(refused.value)) < 400


def test_long_chunks_and_short_ones_have_their_own_codec() -> None:
    codec = FastCodec.fit(smooth(20, seed=0, horizon=1, width=2))
    assert_returns(codec, np.array([[0.3, 1.0]]))
    assert codec.options["min_token"] == -10
