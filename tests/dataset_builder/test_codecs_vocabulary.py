"""Placement in a language model's vocabulary, on tokenizers of the two kinds in use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

from dataset_builder.codecs import CodecOptionError, InvalidTokenError, fit_codec, get_codec
from dataset_builder.codecs.rt2 import Rt2Codec
from dataset_builder.codecs.vocabulary import Placement, integer_tokens, least_frequent, reencoding, retold

WORDS = ["the", "arm", "picks", "up", "a", "red", "cup", "and", "puts", "it", "into", "green", "bowl", "beside", "blue"]


def corpus(lines: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, 9)) for _ in range(lines)]
    # Rare strings: tokens for them are learned, and then hardly used.
    return texts + [f"part {n} of kit {1000 - n} {chr(97 + n % 26) * (n % 7)}{n:x}" for n in range(lines)]


def byte_level() -> tokenizers.Tokenizer:
    """A tokenizer as of GPT-2, Llama 3 or Qwen: every byte a token, words marked by the space before them."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        show_progress=False,
        special_tokens=["<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus(800), trainer=trainer)
    tokenizer.add_tokens([AddedToken("<loc>", special=False)])
    return tokenizer


def sentencepiece_like() -> tokenizers.Tokenizer:
    """A tokenizer as of Llama 2 or PaliGemma: pieces that begin with ▁, byte fallback for all else."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=900, show_progress=False)
    trained.train_from_iterator([f"▁{text}" for text in corpus(800)], trainer=trainer)
    document = json.loads(trained.to_str())
    model = document["model"]
    reserved = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    model["vocab"] = {t: i for i, t in enumerate(reserved)} | {
        token: id_ + len(reserved) for token, id_ in model["vocab"].items()
    }
    model |= {"unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}
    document["normalizer"] = normalizers_json()
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


def normalizers_json() -> dict[str, object]:
    prepend = {"type": "Prepend", "prepend": "▁"}
    return {
        "type": "Sequence",
        "normalizers": [prepend, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}],
    }


TOKENIZERS = {"byte-level": byte_level(), "sentencepiece": sentencepiece_like()}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_least_frequent_ids_are_those_a_corpus_uses_least(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    texts = corpus(300, seed=1)[:300]
    ids = least_frequent(tokenizer, iter(texts), 256)["ids"]
    used = np.zeros(tokenizer.get_vocab_size(), dtype=int)
    for text in texts:
        for id_ in tokenizer.encode(text, add_special_tokens=False).ids:
            used[id_] += 1
    others = set(range(len(used))) - set(ids)
    eligible = [i for i in others if len(tokenizer.id_to_token(i)) > 1 and not tokenizer.id_to_token(i).startswith("<")]
    assert len(set(ids)) == 256
    assert max(used[ids]) <= min(used[eligible])
    assert ids == sorted(ids)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_that_any_text_may_need_are_never_overwritten(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    taken = [tokenizer.id_to_token(id_) for id_ in least_frequent(tokenizer, [], 256)["ids"]]
    assert not {"<s>", "</s>", "<image>", "<unk>", "<loc>"} & set(taken)
    assert not [token for token in taken if token.startswith("<0x") or len(token) == 1]


def test_the_same_corpus_gives_the_same_ids_in_any_order_of_its_lines() -> None:
    texts = corpus(200, seed=2)
    tokenizer = TOKENIZERS["byte-level"]
    assert least_frequent(tokenizer, texts, 256) == least_frequent(tokenizer, reversed(texts), 256)


def test_too_few_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has \d+ ids that may be overwritten; 5000 are needed"):
        least_frequent(TOKENIZERS["byte-level"], [], 5000)


def test_action_strings_that_do_not_come_back_are_found() -> None:
    """The reason why ids, and not their text, go to a model: neighbouring rare tokens merge into others."""
    tokenizer = TOKENIZERS["sentencepiece"]
    placed = get_codec("openvla", vocab_size=tokenizer.get_vocab_size())
    report = reencoding(tokenizer, placed.encode(np.linspace(-1.0, 1.0, 256)).tolist())
    assert report.tried == 1256
    assert 0 < report.changed <= report.tried
    assert report.first is not None
    ids, text, again = report.first
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode(text, add_special_tokens=False).ids == again != ids


def test_tokens_added_whole_come_back() -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken(f"<act{n}>", special=False, normalized=False) for n in range(256)])
    ids = [tokenizer.token_to_id(f"<act{n}>") for n in range(256)]
    report = reencoding(tokenizer, ids)
    assert (report.changed, report.first) == (0, None)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_rt2_texts_come_back_from_either_kind(kind: str) -> None:
    codec = Rt2Codec()
    texts = codec.text(codec.encode_episode(np.random.default_rng(0).uniform(-1.0, 1.0, (200, 7))))
    report = retold(TOKENIZERS[kind], texts)
    assert (report.tried, report.changed) == (200, 0)


def test_a_tokenizer_that_loses_text_is_found() -> None:
    tokenizer = tokenizers.Tokenizer(models.WordLevel({"0": 0, "1": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    report = retold(tokenizer, ["0 1", "0 7"])
    assert (report.changed, report.first) == (1, ("0 7", [0, 2], "0 [UNK]"))


def test_integers_are_placed_on_their_own_tokens() -> None:
    tokenizer = tokenizers.Tokenizer(models.WordLevel({f"▁{n}": 1000 - n for n in range(300)}))
    placement = integer_tokens(tokenizer)
    codec = get_codec("rt2", placement=placement)
    ids = codec.encode([[0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0]])[0]
    assert [tokenizer.id_to_token(id_) for id_ in ids[:4]] == ["▁0", "▁127", "▁0", "▁255"]
    with pytest.raises(ValueError, match=r"no '\d+', no '▁0'"):
        integer_tokens(TOKENIZERS["byte-level"])


@pytest.mark.parametrize("name", ["openvla", "rt1", "rt2", "octo", "openpi", "fast"])
def test_a_placement_is_measured_when_the_codec_is_fitted_and_kept_as_ids(name: str, tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    (tmp_path / "texts.txt").write_text("\n".join(corpus(100)), encoding="utf-8")
    placement = {
        "name": "least-frequent",
        "tokenizer": str(tmp_path / "tokenizer.json"),
        "corpus": str(tmp_path / "texts.txt"),
    }
    options = {"vocabulary": 300} if name == "fast" else {}
    chunks = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 4, 7))
    codec = fit_codec(name, options | {"placement": placement}, chunks)
    again = get_codec(name, **json.loads(json.dumps(codec.options)))
    ids = again.encode(chunks[0])
    assert set(ids.reshape(-1).tolist()) <= set(codec.options["placement"]["ids"])
    assert np.array_equal(again.decode(ids), codec.decode(codec.encode(chunks[0])))
    count = 300 if name == "fast" else 256
    lines = (tmp_path / "texts.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    assert codec.options["placement"] == least_frequent(tokenizer, lines, count)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ({"name": "integers", "tokenizer": "nowhere.json"}, "nowhere.json is no tokenizer"),
        ({"name": "least-frequent", "tokenizer": "t.json"}, "takes corpus, name, tokenizer"),
        ({"name": "least-frequent", "tokenizer": "t.json", "corpus": "nowhere.txt"}, "corpus nowhere.txt"),
        ({"name": "integers", "tokenizer": "t.json"}, r"on t\.json: the tokenizer lacks tokens"),
    ],
)
def test_a_placement_that_cannot_be_measured_is_refused(
    placement: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.json").write_text(TOKENIZERS["byte-level"].to_str(), encoding="utf-8")
    with pytest.raises(CodecOptionError, match=message):
        fit_codec("rt1", {"placement": placement})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_ids_of_any_integer_type_are_read(dtype: type) -> None:
    placement = Placement({"name": "x", "ids": [5, 3, 100]}, 3)
    assert placement.symbols_of(np.array([100, 5, 3], dtype=dtype)).tolist() == [2, 0, 1]
    with pytest.raises(InvalidTokenError, match=rf"token {np.iinfo(dtype).max} at \(1,\)"):
        placement.symbols_of(np.array([3, np.iinfo(dtype).max], dtype=dtype))
