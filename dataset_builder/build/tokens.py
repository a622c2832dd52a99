"""Action tokens in files of their own beside the shards.

They follow from the statistics of the train split, so that one changed annotation changes all of them; in the records
they would have every shard written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_builder.rlds.records import Values, decode_example, encode_example
from dataset_builder.rlds.tfrecord import BadRecordError, read_records, write_record

Ids = list[NDArray[np.int32]]


def tokens_file(split: str) -> str:
    """The name of the file with the tokens of a split: one tf.train.Example for each episode, in the order of the
    records. `episode_id`; `lengths` int64 (T,), how many ids belong to each step; `ids` int64, all of them in a row.
    """
    return f"action_tokens-{split}.tfrecord"


def write_tokens(path: Path, episodes: Iterable[tuple[str, Ids]], done: Callable[[], None]) -> None:
    """Write the ids of each episode, one array for each of its steps."""
    with path.open("wb") as file:
        for episode_id, ids in episodes:
            features: dict[str, Values] = {
                "episode_id": [episode_id.encode()],
                "lengths": np.array([len(step) for step in ids], dtype=np.int64),
                "ids": np.concatenate([*ids, np.empty(0, np.int32)]).astype(np.int64),
            }
            write_record(file, encode_example(features))
            done()


def read_tokens(path: Path) -> Iterator[tuple[str, Ids]]:
    """What write_tokens wrote. Raises BadRecordError or BadExampleError for anything else."""
    for data in read_records(path):
        record = decode_example(data)
        try:
            (episode,), lengths, ids = record["episode_id"], np.asarray(record["lengths"]), np.asarray(record["ids"])
            ends = np.cumsum(lengths)
            if lengths.min(initial=0) < 0 or (ends[-1] if len(ends) else 0) != len(ids):
                raise ValueError("its lengths do not add up to its ids")
            yield bytes(episode).decode(), np.split(ids.astype(np.int32), ends[:-1])
        except (KeyError, ValueError, TypeError) as error:
            raise BadRecordError(f"{path}: not a file of action tokens: {error}") from None
