"""Where a codec's symbols lie in the vocabulary of a language model, as data.

A codec counts its symbols from 0: bins, or the tokens of its own BPE. Alone it gives them as they are. Trained into a
language model they take the place of ids that the model has; three ways are in use: the last ids of the vocabulary,
counted downwards (OpenVLA; openpi leaves out PaliGemma's last 128), the ids that a corpus uses least (RT-2 on PaLM-E),
and the tokens that are the integers themselves (RT-2 on PaLI-X).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.codecs.contract import CodecOptionError, InvalidTokenError, integers
from teleloom.extras import require

BATCH = 1000
HIGHEST_ID = (1 << 24) - 1
"""Far above any vocabulary: a table as long as the ids reach is kept."""
BYTE_FALLBACK = re.compile(r"<0x[0-9A-Fa-f]{2}>")


class Placement:
    """The id of each symbol.

    data: the placement as a codec's options hold it: None for the symbols themselves, `{"name": "last", "vocab_size":
    32000, "skip": 0}` for vocab_size - 1 - skip - symbol, or `{"name": ..., "ids": [...]}` with the id of each symbol.
    symbols: how many there are; `ids` may name more. Raises ValueError for data that place them nowhere or twice.
    """

    def __init__(self, data: Mapping[str, Any] | None, symbols: int) -> None:
        self.data = None if data is None else dict(data)
        self.ids: NDArray[np.int32] = _ids(self.data, symbols)
        self._first = np.int32(self.ids.min())
        self._symbols = np.full(int(self.ids.max()) - int(self._first) + 1, -1, dtype=np.int32)
        self._symbols[self.ids - self._first] = np.arange(symbols, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def symbols_of(self, ids: ArrayLike) -> NDArray[np.int32]:
        """The symbols that `ids` stand for. Raises InvalidTokenError naming the first that is none."""
        tokens = integers(ids)
        offset = tokens.astype(np.int64, copy=False) - int(self._first)
        last = len(self._symbols) - 1
        symbols: NDArray[np.int32] = self._symbols.take(offset, mode="clip")
        if tokens.size and (offset.min() < 0 or offset.max() > last or symbols.min() < 0):
            foreign = (offset < 0) | (offset > last) | (symbols < 0)
            position = tuple(int(i) for i in np.argwhere(foreign)[0])
            where = f"({self._first} to {int(self._first) + last})"
            raise InvalidTokenError(f"token {tokens[position]} at {position} is no action token {where}")
        return symbols


def _ids(data: Mapping[str, Any] | None, symbols: int) -> NDArray[np.int32]:
    if data is None:
        return np.arange(symbols, dtype=np.int32)
    if data.get("name") == "last" and set(data) <= {"name", "vocab_size", "skip"} and "vocab_size" in data:
        skip = index(data.get("skip", 0))
        last = index(data["vocab_size"]) - 1 - skip
        if last - symbols + 1 < 0 or last > HIGHEST_ID or skip < 0:
            raise ValueError(f"placement {dict(data)} has no room for {symbols} action tokens")
        return np.arange(last, last - symbols, -1, dtype=np.int32)
    if set(data) != {"name", "ids"}:
        raise ValueError(
            f"placement {dict(data)} must be {{name: last, vocab_size, skip}} or {{name, ids}}; one measured on a "
            f"tokenizer ({{name: {' or '.join(MEASURED)}, tokenizer}}) is made into ids by fit_codec"
        )
    ids = np.asarray(data["ids"])
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer) or len(ids) < symbols:
        raise ValueError(f"placement '{data['name']}' must name {symbols} integer ids, one for each symbol")
    ids = ids[:symbols]
    if ids.min() < 0 or ids.max() > HIGHEST_ID or len(np.unique(ids)) != symbols:
        raise ValueError(f"placement '{data['name']}' names an id twice, or one that is not from 0 to {HIGHEST_ID}")
    return ids.astype(np.int32)


def load_tokenizer(path: str | Path) -> Any:
    """The `tokenizers.Tokenizer` of a tokenizer.json. Raises CodecOptionError when there is none to read."""
    tokenizers = require("tokenizers", "build")
    try:
        return tokenizers.Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CodecOptionError(f"{path} is no tokenizer.json that can be read: {error.strerror}") from None
    # The package raises bare Exceptions.
    except Exception as error:
        raise CodecOptionError(f"{path} is no tokenizer.json that can be read: {error}") from None


def least_frequent(tokenizer: Any, texts: Iterable[str], count: int = 256) -> dict[str, Any]:
    """The placement on the `count` ids that `texts` use least, in the order of the ids.

    Of ids used equally often the highest are taken. Never taken are added and special tokens, the unknown token, and
    those any text may need: byte fallbacks and single characters. Raises ValueError when too few are left.
    """
    used = np.zeros(tokenizer.get_vocab_size(with_added_tokens=True), dtype=np.int64)
    for batch in _batches(texts):
        for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
            np.add.at(used, encoding.ids, 1)
    added = set(tokenizer.get_added_tokens_decoder())
    unknown = getattr(tokenizer.model, "unk_token", None)
    candidates = [
        id_
        for token, id_ in tokenizer.get_vocab(with_added_tokens=True).items()
        if id_ not in added and token != unknown and len(token) > 1 and not BYTE_FALLBACK.fullmatch(token)
    ]
    if len(candidates) < count:
        raise ValueError(f"the tokenizer has {len(candidates)} ids that may be overwritten; {count} are needed")
    chosen = sorted(candidates, key=lambda id_: (used[id_], -id_))[:count]
    return {"name": "least-frequent", "ids": sorted(chosen)}


def integer_tokens(tokenizer: Any, count: int = 256) -> dict[str, Any]:
    """The placement on the tokens "0", "1", … of a tokenizer that has one for each. Raises ValueError naming the first
    that it lacks."""
    tried = []
    for marker in ("", "▁", "Ġ"):
        ids = [tokenizer.token_to_id(f"{marker}{number}") for number in range(count)]
        if None not in ids:
            return {"name": "integers", "ids": ids}
        tried.append(f"'{marker}{ids.index(None)}'")
    raise ValueError(f"the tokenizer lacks tokens for the integers below {count}: there is no {', no '.join(tried)}")


MEASURED = ("least-frequent", "integers")


def measured(data: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The placement that `{"name": "least-frequent", "tokenizer": PATH, "corpus": PATH}` (a text a line) or
    `{"name": "integers", "tokenizer": PATH}` asks for, measured. Raises CodecOptionError."""
    wanted = {"least-frequent": {"name", "tokenizer", "corpus"}, "integers": {"name", "tokenizer"}}[data["name"]]
    if set(data) != wanted:
        raise CodecOptionError(f"placement '{data['name']}' takes {', '.join(sorted(wanted))}, not {dict(data)}")
    tokenizer = load_tokenizer(data["tokenizer"])
    try:
        if data["name"] == "integers":
            return integer_tokens(tokenizer, count)
        with Path(data["corpus"]).open(encoding="utf-8") as lines:
            return least_frequent(tokenizer, lines, count)
    except OSError as error:
        raise CodecOptionError(f"corpus {data['corpus']} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CodecOptionError(f"placement '{data['name']}' on {data['tokenizer']}: {error}") from None


@dataclass(frozen=True)
class Reencoding:
    """What became of sequences of ids, or of texts, on their way through a base tokenizer and back.

    first: the first that came back changed, as it was, as it was written and as it came back; None when all did well.
    """

    tried: int
    changed: int
    first: tuple[Any, Any, Any] | None


def reencoding(tokenizer: Any, ids: Sequence[int], width: int = 7, rows: int = 1000, seed: int = 0) -> Reencoding:
    """Whether action tokens survive as text: each id alone, then random rows of `width`, written by the tokenizer and
    read by it again. Where some do not, pass ids to the model, never the text."""
    rng = random.Random(seed)
    tried = [[int(id_)] for id_ in ids] + [[int(rng.choice(ids)) for _ in range(width)] for _ in range(rows)]
    texts = [tokenizer.decode(row, skip_special_tokens=False) for row in tried]
    again = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    changed = [bad for bad in zip(tried, texts, again, strict=True) if bad[0] != bad[2]]
    return Reencoding(len(tried), len(changed), changed[0] if changed else None)


def retold(tokenizer: Any, texts: Sequence[str]) -> Reencoding:
    """Whether action texts, as RT-2 writes them, come back from the tokenizer's ids as they were."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    again = [tokenizer.decode(row, skip_special_tokens=False) for row in ids]
    changed = [bad for bad in zip(texts, ids, again, strict=True) if bad[0] != bad[2]]
    return Reencoding(len(texts), len(changed), changed[0] if changed else None)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while batch := list(islice(remaining, BATCH)):
        yield batch
