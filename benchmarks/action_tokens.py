"""What action tokens cost: values a second of one core, CPU time, each codec beside its source's formula in numpy.

Binned codecs get 7 million values. Their baseline is what their source does, with `np.digitize` but for RT-1 and RT-2,
which need arithmetic alone; it checks nothing, while the codecs refuse what is not finite and ids that are no tokens.
FAST gets 500 chunks of 50 steps; its baseline is the released processor's loop: `scipy.fft.dct`, `chr` and the same
BPE through `tokenizers`, and back. The figure is the default codec's way there and back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from tokenizers import Tokenizer

from dataset_builder.codecs import get_codec
from dataset_builder.codecs.fast import FastCodec
from dataset_builder.codecs.mask import ActionMask

Array = NDArray[np.float64]
Ids = NDArray[np.integer]
Work = Callable[[], object]

LIMIT_PER_S = 20e6
STEPS, WIDTH = 1_000_000, 7
CHUNKS, HORIZON = 500, 50
REPEATS = 7


def by_the_book() -> dict[str, tuple[Callable[[Array], Ids], Callable[[Ids], Array]]]:
    """How each source encodes and decodes, written out."""
    edges = np.linspace(-1.0, 1.0, 256)
    centers = (edges[:-1] + edges[1:]) / 2.0
    more_edges = np.linspace(-1.0, 1.0, 257)
    middles = (more_edges[:-1] + more_edges[1:]) / 2.0
    return {
        "openvla": (
            lambda a: 32000 - np.digitize(np.clip(a, -1.0, 1.0), edges),
            lambda ids: centers[np.clip(32000 - ids - 1, 0, 254)],
        ),
        "octo": (
            lambda a: np.digitize(np.clip(a, -1.0 + 1e-6, 1.0 - 1e-6), more_edges) - 1,
            lambda ids: middles[ids],
        ),
        "openpi": (
            lambda a: np.digitize(a, more_edges[:-1]) - 1,
            lambda ids: more_edges[ids],
        ),
        "rt1": (
            lambda a: ((np.clip(a, -1.0, 1.0) + 1.0) / 2.0 * 255).astype(np.int32),
            lambda ids: ids / 255 * 2.0 - 1.0,
        ),
    }


def moving() -> Array:
    """Chunks (CHUNKS, HORIZON, WIDTH) of an arm that reaches to and fro with some tremor."""
    rng = np.random.default_rng(0)
    shape = (CHUNKS, 1, WIDTH)
    t_s = np.arange(HORIZON)[None, :, None] / 50.0
    swing = rng.uniform(0.05, 0.9, shape) * np.sin(6.3 * rng.uniform(0.2, 1.5, shape) * t_s + rng.uniform(0, 6, shape))
    tremor = rng.normal(0.0, 0.003, (CHUNKS, HORIZON, WIDTH))
    return np.clip(swing + rng.uniform(-0.5, 0.5, shape) + tremor, -1.0, 1.0)


def released_encode(chunks: Array, tokenizer: Tokenizer, min_token: int) -> list[list[int]]:
    """FAST's tokens as the released processor makes them."""
    rounded = np.around(dct(chunks, axis=1, norm="ortho") * 10.0)
    return [
        tokenizer.encode("".join(map(chr, np.maximum(elements.flatten() - min_token, 0).astype(int)))).ids
        for elements in rounded
    ]


def released_decode(tokens: list[list[int]], tokenizer: Tokenizer, min_token: int) -> Array:
    """And as it reads them."""
    chunks = []
    for ids in tokens:
        coefficients = np.array(list(map(ord, tokenizer.decode(ids)))) + min_token
        chunks.append(idct(coefficients.reshape(-1, WIDTH) / 10.0, axis=0, norm="ortho"))
    return np.stack(chunks)


def least_cpu_s(*works: Work) -> list[float]:
    """CPU time of the quickest run of each, turn about."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, times in zip(works, spent, strict=True):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    return [min(times) for times in spent]


def show(name: str, values: int, seconds: list[float]) -> list[float]:
    """Print a line; give back million values a second: encode, its baseline, decode, its baseline."""
    speed = [values / s / 1e6 for s in seconds]
    encode, book_encode, decode, book_decode = speed
    print(
        f"{name:10} encode {encode:8.1f} M/s ({encode / book_encode:5.2f} x {book_encode:7.1f})   "
        f"decode {decode:8.1f} M/s ({decode / book_decode:5.2f} x {book_decode:7.1f})"
    )
    return speed


def binned() -> list[tuple[str, list[float]]]:
    """Each binned codec beside its source; RT-2 beside RT-1, whose levels it takes over."""
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (STEPS, WIDTH))
    books = by_the_book()
    results = []
    for name in ("openvla", "octo", "openpi", "rt1", "rt2"):
        codec = get_codec(name)
        ids = codec.encode(actions)
        encode, decode = books["rt1" if name == "rt2" else name]
        book_ids = encode(actions)
        assert np.array_equal(ids[:, -WIDTH:], book_ids), f"{name} disagrees with its source"
        seconds = least_cpu_s(
            lambda c=codec: c.encode(actions),  # type: ignore[misc]
            lambda e=encode: e(actions),  # type: ignore[misc]
            lambda c=codec, i=ids: c.decode(i),  # type: ignore[misc]
            lambda d=decode, i=book_ids: d(i),  # type: ignore[misc]
        )
        results.append((name, show(name, actions.size, seconds)))
    return results


def fast() -> None:
    """FAST beside the released loop, and its mask."""
    chunks = moving()
    codec = FastCodec.fit(chunks)
    bpe, min_token = codec.options["bpe"], codec.options["min_token"]
    tokenizer = Tokenizer.from_str(bpe)
    ids = [codec.encode(chunk) for chunk in chunks]
    tokens = released_encode(chunks, tokenizer, min_token)
    assert [row.tolist() for row in ids] == tokens, "fast disagrees with its source"
    codec.decode(ids[0])
    seconds = least_cpu_s(
        lambda: [codec.encode(chunk) for chunk in chunks],
        lambda: released_encode(chunks, tokenizer, min_token),
        lambda: [codec.decode(row) for row in ids],
        lambda: released_decode(tokens, tokenizer, min_token),
    )
    show("fast", chunks.size, seconds)
    mask = ActionMask(codec, WIDTH, 2048, end_id=2047)
    row = ids[0].tolist()
    (masked,) = least_cpu_s(lambda: [mask.allowed(row[:n]) for n in range(len(row) + 1)])
    mean = sum(map(len, ids)) / len(ids)
    mask_us = masked / (len(row) + 1) * 1e6
    print(f"fast: {mean:.1f} tokens a chunk of {HORIZON * WIDTH} values; mask {mask_us:.0f} µs a token")


def main() -> None:
    """Every codec, then the figure."""
    results = binned()
    fast()
    slowest, which = min((min(speed[0], speed[2]), name) for name, speed in results)
    print(f"slowest direction of a binned codec: {which}, {slowest:.1f} M/s (at least {LIMIT_PER_S / 1e6:g})")
    encode, book_encode, decode, book_decode = dict(results)["openvla"]
    figure, baseline = 1.0 / (1.0 / encode + 1.0 / decode), 1.0 / (1.0 / book_encode + 1.0 / book_decode)
    print(
        json.dumps(
            {
                "name": "action tokens, openvla there and back, one core (at least 20; baseline: np.digitize)",
                "figure": round(figure, 1),
                "unit": "million values/s",
                "baseline": round(baseline, 1),
                "ratio": round(figure / baseline, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
