"""Batches for training: teleloom's mixture against tf.data with a shuffle buffer, same dataset, same run, one core.

Both give batches of 32 samples with two images each, decoded from 240x320 JPEG and resized to 224x224 with the same
antialiased bilinear filter. The baseline is how the loaders of Octo and OpenVLA read RLDS: tfds.builder_from_directory,
steps left encoded, flattened, shuffled in a buffer, then decoded. It makes no text and no tokens; ours makes prompt,
target, ids and masks too. Each runs in a process of its own, held to one core; memory is what the process had at most,
beyond what it had once its packages were imported.

Run: python benchmarks/mixture.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dataset_builder"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EPISODES, SECONDS, SIZE = 20, 15.0, (240, 320)
BATCH, BATCHES, WARM_UP = 32, 60, 5
SHUFFLE_BUFFER = 2000
IMAGE_SIZE = (224, 224)


def make(folder: Path) -> None:
    """A dataset of EPISODES episodes with images that weigh what a real scene's do, and a mixture of it."""
    import mixture_parts
    import numpy as np
    import simplejpeg
    import synthetic_episodes
    import yaml
    from conftest import Station

    from teleloom.catalog import Catalog
    from teleloom.episode.layout import episode_path

    station = Station(folder / "station")
    station.root.mkdir()
    height, width = SIZE
    with Catalog.open(station.root) as catalog:
        for seed in range(EPISODES):
            episode = synthetic_episodes.Episode(seed=seed, seconds=SECONDS, size=SIZE, frames_hz=10)
            streams = {}
            for camera in episode.cameras:
                rng = np.random.default_rng([seed, len(camera)])
                coarse = rng.uniform(40, 215, (height // 8, width // 8, 3))
                scene = np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(scale=9.0, size=(height, width, 3))
                scene = scene.clip(0, 255).astype(np.uint8)
                rolled = (np.ascontiguousarray(np.roll(scene, 2 * i, axis=1)) for i in range(int(SECONDS * 10)))
                frames = [simplejpeg.encode_jpeg(image, 90) for image in rolled]
                streams[f"cameras/{camera}"] = synthetic_episodes.camera_stream(episode, camera, frames)
            identity = synthetic_episodes.write(station.root, episode, streams)
            catalog.register(episode_path(station.root, identity))
            catalog.approve(identity, "bench", 0)
    dataset = mixture_parts.build(station, folder / "rlds", "bench", splits={"val_fraction": 0})
    mixture_parts.byte_level_tokenizer(folder / "tokenizer.json")
    document = {
        "robots": [{"path": str(dataset)}],
        "tokenizer": {"path": "tokenizer.json"},
        "placement": {"name": "last", "vocab_size": 800},
        "images": {"size": list(IMAGE_SIZE)},
        "batch_size": BATCH,
        "cache": "cache",
    }
    (folder / "mixture.yaml").write_text(yaml.safe_dump(document))


def ours(folder: Path) -> Iterator[Any]:
    """teleloom's batches; the first call also makes the index."""
    from dataset_builder.mixture.mixture import Mixture

    return Mixture.open(folder / "mixture.yaml").batches()


def tf_data(folder: Path) -> Iterator[Any]:
    """tf.data's batches."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def decoded(step: Any) -> dict[str, Any]:
        images = [
            tf.image.resize(tf.io.decode_jpeg(step["observation"][key]), IMAGE_SIZE, antialias=True)
            for key in ("image", "wrist_image")
        ]
        images = [tf.cast(tf.round(image), tf.uint8) for image in images]
        return {"images": tf.stack(images), "action": step["action"], "text": step["language_instruction"]}

    builder = tfds.builder_from_directory(str(folder / "rlds" / "bench" / "1.0.0"))
    read = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    episodes = builder.as_dataset(
        split="train", decoders={"steps": tfds.decode.SkipDecoding()}, shuffle_files=True, read_config=read
    )
    steps = episodes.repeat().flat_map(lambda episode: tf.data.Dataset.from_tensor_slices(episode["steps"]))
    return iter(steps.shuffle(SHUFFLE_BUFFER).map(decoded).batch(BATCH))


def imported(kind: str) -> None:
    """Import what `kind` needs, so that its memory is not counted."""
    if kind == "tf_data":
        import tensorflow as tf
        import tensorflow_datasets as tfds

        tf.constant(0)
        tfds.ReadConfig()
    else:
        import PIL.Image
        import tokenizers

        import dataset_builder.mixture.mixture

        for module in (PIL.Image, tokenizers, dataset_builder.mixture.mixture):
            assert module.__name__ in sys.modules


def most_memory_kb() -> int:
    """The most memory that this process had, since it began."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def measured(kind: str, folder: Path) -> dict[str, float]:
    """Seconds to the first batch, samples a second after a warm-up, and memory, MB, in this process."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    imported(kind)
    at_start = most_memory_kb()
    begun = time.perf_counter()
    batches = {"ours": ours, "tf_data": tf_data}[kind](folder)
    next(batches)
    first = time.perf_counter() - begun
    for _ in range(WARM_UP):
        next(batches)
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(BATCHES):
        next(batches)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    samples = BATCH * BATCHES
    return {
        "first_s": first,
        "rate": samples / seconds,
        "cpu_rate": samples / cpu,
        "mb": (most_memory_kb() - at_start) / 1024,
    }


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        found = {}
        for kind in ("ours", "tf_data", "ours", "tf_data"):
            command = [sys.executable, __file__, kind, name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            if kind not in found or figures["cpu_rate"] > found[kind]["cpu_rate"]:
                found[kind] = figures
    for kind, label in (("ours", "teleloom"), ("tf_data", f"tf.data, shuffle buffer of {SHUFFLE_BUFFER}")):
        figures = found[kind]
        print(
            f"{label:36s} {figures['cpu_rate']:7.0f} samples/CPU s  {figures['rate']:7.0f} samples/s  "
            f"first batch after {figures['first_s']:5.2f} s  {figures['mb']:6.0f} MB"
        )
    figure, baseline = found["ours"]["cpu_rate"], found["tf_data"]["cpu_rate"]
    result = {"name": "mixture", "figure": figure, "unit": "samples/CPU s", "baseline": baseline}
    result["ratio"] = figure / baseline
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
