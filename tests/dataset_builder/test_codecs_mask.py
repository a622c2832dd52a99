"""Constrained decoding: whatever a model picks under the mask decodes, and every real action passes it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder.codecs import Codec, CodecOptionError, InvalidTokenError, get_codec
from dataset_builder.codecs.fast import FastCodec
from dataset_builder.codecs.mask import ActionMask
from dataset_builder.codecs.symbols import SymbolGrammar, token_bytes

END = 1
HORIZON, WIDTH = 8, 7
PALIGEMMA = {"name": "last", "vocab_size": 3000, "skip": 128}


def moving(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(np.cumsum(rng.normal(0.0, 0.15, (count, HORIZON, WIDTH)), axis=1), -1.0, 1.0)


def lacking_bytes() -> Codec:
    """A FAST codec whose BPE, as one fitted by the stock trainer may, lacks continuation bytes as tokens of their own:
    not every way into a character leads out of it."""
    codec = FastCodec.fit(moving(300, seed=0), scale=60.0, vocabulary=700)
    document = json.loads(codec.options["bpe"])
    table = token_bytes(codec.options["bpe"])
    model = document["model"]
    kept = {t: i for t, i in model["vocab"].items() if not (len(t) == 1 and 0x80 <= (table[i] or b"\0")[0] < 0xC0)}
    model["vocab"] = {token: i for i, token in enumerate(sorted(kept, key=lambda token: kept[token]))}
    model["merges"] = []
    return get_codec("fast", **(codec.options | {"bpe": json.dumps(document), "placement": PALIGEMMA}))


CODECS: dict[str, Codec] = {
    "openvla": get_codec("openvla", vocab_size=3000),
    "rt1": get_codec("rt1"),
    "rt2": get_codec("rt2"),
    "rt2 placed": get_codec("rt2", placement={"name": "last", "vocab_size": 3000}),
    "octo": get_codec("octo", bins=64),
    "openpi": get_codec("openpi", placement={"name": "last", "vocab_size": 2000}),
    "fast": FastCodec.fit(moving(300, seed=0), placement=PALIGEMMA),
    "fast of several bytes": FastCodec.fit(moving(300, seed=0), scale=2000.0, vocabulary=600, placement=PALIGEMMA),
    "fast lacking bytes": lacking_bytes(),
}
STEPS = 3


def shape(codec: Codec) -> tuple[int, int]:
    return (HORIZON if codec.chunked else STEPS), WIDTH


def masked(codec: Codec) -> ActionMask:
    steps = 1 if codec.chunked else STEPS
    # An id of the codec's own, 1, may also end the text: only the place says which it is.
    return ActionMask(codec, WIDTH, 3000, steps=steps, end_id=END)


def rows(codec: Codec, ids: list[int]) -> np.ndarray:
    return np.array(ids) if codec.chunked else np.reshape(ids, (STEPS, -1))


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), greed=st.sampled_from([0.0, 5.0]))
def test_random_logits_under_the_mask_always_decode_to_a_valid_action(name: str, seed: int, greed: float) -> None:
    codec, mask = CODECS[name], masked(CODECS[name])
    rng = np.random.default_rng(seed)
    # A model that prefers some ids throughout walks into corners that an impartial one seldom sees.
    taste = greed * rng.normal(size=3000)
    ids: list[int] = []
    while not mask.complete(ids):
        logits = mask.apply(taste + rng.normal(size=3000).astype(np.float32), ids)
        assert np.isneginf(logits).any()
        ids.append(int(np.argmax(logits)))
        assert len(ids) <= 3 * HORIZON * WIDTH
    actions = codec.decode(rows(codec, ids))
    assert actions.shape == shape(codec)
    assert np.abs(actions).max() <= 1.0
    assert np.flatnonzero(mask.allowed(ids)).tolist() == [END]


@pytest.mark.parametrize("name", [name for name in CODECS if name != "fast lacking bytes"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_encoded_action_passes_the_mask(name: str, seed: int) -> None:
    codec, mask = CODECS[name], masked(CODECS[name])
    ids = codec.encode(np.random.default_rng(seed).uniform(-1.0, 1.0, shape(codec))).reshape(-1).tolist()
    for position, id_ in enumerate(ids):
        assert mask.allowed(ids[:position])[id_]
    assert mask.complete(ids)


@pytest.mark.parametrize("name", ["fast", "fast of several bytes", "fast lacking bytes"])
def test_what_the_mask_forbids_could_not_be_completed(name: str) -> None:
    mask = masked(CODECS[name])
    rng = np.random.default_rng(0)
    ids: list[int] = []
    while not mask.complete(ids):
        allowed = mask.allowed(ids)
        for id_ in rng.choice(np.flatnonzero(~allowed), 20):
            with pytest.raises(InvalidTokenError):
                mask.allowed([*ids, int(id_)])
        ids.append(int(rng.choice(np.flatnonzero(allowed))))


def test_the_grammar_is_exact_where_all_sequences_can_be_tried() -> None:
    """Every token sequence of a small BPE: those that spell 3 characters up to U+0081, and no others, are walked."""
    tokens = [b"a", b"\x7f", b"\xc2", b"\x80", b"\x81\xc2", b"aa", b"\xc2\x80a", b"\x82", None]
    grammar = SymbolGrammar(tokens, highest=0x81, count=3)

    def spelt(sequence: tuple[int, ...]) -> bool:
        if any(tokens[token] is None for token in sequence):
            return False
        try:
            text = b"".join(tokens[token] or b"" for token in sequence).decode()
        except UnicodeDecodeError:
            return False
        return len(text) == 3 and max(map(ord, text)) <= 0x81

    whole = {s for n in range(7) for s in itertools.product(range(len(tokens)), repeat=n) if spelt(s)}
    prefixes = {s[:n] for s in whole for n in range(len(s))}
    assert len(whole) == 46
    for prefix in prefixes | whole:
        state, missing = 0, 3
        for token in prefix:
            state, read = grammar.step(state, token)
            missing -= read
        follow = {token for token in range(len(tokens)) if (*prefix, token) in prefixes | whole}
        assert set(grammar.continuations(state, missing).tolist()) == follow


def test_rt2_may_only_say_whether_it_ends_where_that_is_said() -> None:
    mask = ActionMask(get_codec("rt2"), WIDTH, 300)
    assert np.flatnonzero(mask.allowed([])).tolist() == [0, 1]
    assert mask.allowed([0]).sum() == 256
    with pytest.raises(InvalidTokenError, match=r"token 9 at \(0,\) says neither"):
        mask.allowed([9])
    with pytest.raises(InvalidTokenError, match=r"token 9 at \(8,\) says neither"):
        ActionMask(get_codec("rt2"), WIDTH, 300, steps=3).allowed([0] * 8 + [9])


def test_nothing_may_follow_a_whole_action_without_an_end() -> None:
    mask = ActionMask(get_codec("rt1"), 2, 256)
    assert not mask.complete([3])
    assert mask.complete([3, 4])
    with pytest.raises(InvalidTokenError, match="whole action"):
        mask.allowed([3, 4])
    with pytest.raises(InvalidTokenError, match="3 ids are more than the 2"):
        mask.allowed([3, 4, 5])


def test_a_prefix_that_is_no_action_is_refused_with_its_position() -> None:
    with pytest.raises(InvalidTokenError, match=r"token 7 at \(1,\)"):
        ActionMask(CODECS["openvla"], WIDTH, 3000).allowed([2999, 7])


def test_a_mask_keeps_the_dtype_and_values_of_the_logits() -> None:
    mask = ActionMask(get_codec("octo", bins=4), 1, 6)
    applied = mask.apply(np.arange(6, dtype=np.float32), [])
    assert applied.dtype == np.float32
    assert applied.tolist() == [0.0, 1.0, 2.0, 3.0, -np.inf, -np.inf]


def test_a_mask_that_cannot_be_is_refused() -> None:
    with pytest.raises(CodecOptionError, match="id 31999 is beyond the model's 30000"):
        ActionMask(get_codec("openvla"), WIDTH, 30000)
    with pytest.raises(CodecOptionError, match="end_id 300 is none of the model's 256"):
        ActionMask(get_codec("rt1"), WIDTH, 256, end_id=300)
    with pytest.raises(CodecOptionError, match="end_id -1 is none of the model's 256"):
        ActionMask(get_codec("rt1"), WIDTH, 256, end_id=-1)
    with pytest.raises(CodecOptionError, match="7 dimensions, not 6"):
        ActionMask(get_codec("rt2"), 6, 256)
    with pytest.raises(CodecOptionError, match="7 dimensions, not 6"):
        ActionMask(CODECS["fast"], 6, 3000)
    with pytest.raises(CodecOptionError, match="one chunk, not 2 steps"):
        ActionMask(CODECS["fast"], WIDTH, 3000, steps=2)


def test_a_codec_that_cannot_say_what_may_follow_is_refused() -> None:
    class Bare:
        name, version, chunked = "bare", "1", False
        options: dict[str, object] = {}

        def encode(self, actions: object) -> np.ndarray:
            return np.zeros((1, 1), dtype=np.int32)

        def decode(self, ids: object) -> np.ndarray:
            return np.zeros((1, 1))

    with pytest.raises(CodecOptionError, match="'bare' has no length and allowed"):
        ActionMask(Bare(), WIDTH, 256)
