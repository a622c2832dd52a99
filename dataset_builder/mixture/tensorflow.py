"""A mixture as a tf.data.Dataset: the same batches as everywhere, made by numbered calls in parallel, in order."""

from __future__ import annotations

from typing import Any

from dataset_builder.mixture.stream import Stream
from teleloom.extras import require


def tf_dataset(stream: Stream, batches: int | None = None, parallel_calls: int | None = None) -> Any:
    """The batches of a rank as a tf.data.Dataset of dicts with full shapes; see `Batch` in mixture.py.

    batches: how many; without end by default. parallel_calls: batches made at once; tf.data decides by default. To go
    on later, keep `stream.state(done)` with the number of batches trained on. Raises MissingExtraError.
    """
    tf = require("tensorflow", "tf")
    mixture = stream.mixture
    example = mixture.batch(stream.next + stream.place.rank)
    names = list(example)

    def made(number: Any) -> list[Any]:
        batch: dict[str, Any] = dict(mixture.batch(int(number)))
        return [batch[name] for name in names]

    def shaped(number: Any) -> dict[str, Any]:
        arrays: dict[str, Any] = dict(example)
        tensors = tf.numpy_function(made, [number], [arrays[name].dtype for name in names], stateful=False)
        for name, tensor in zip(names, tensors, strict=True):
            tensor.set_shape(arrays[name].shape)
        return dict(zip(names, tensors, strict=True))

    first, stride = stream.next + stream.place.rank, stream.place.ranks
    numbers = tf.data.Dataset.counter(first, stride)
    numbers = numbers if batches is None else numbers.take(batches)
    calls = tf.data.AUTOTUNE if parallel_calls is None else parallel_calls
    return numbers.map(shaped, num_parallel_calls=calls, deterministic=True).prefetch(1)
