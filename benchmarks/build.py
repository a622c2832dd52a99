"""Building RLDS: teleloom against a TensorFlow Datasets generator fed decoded frames, same episodes, same run.

Both read the same episode files; the generator is the common way of converting robot data: decode each frame, yield
arrays, let TensorFlow Datasets encode and write. TensorFlow's import is left out. CPU seconds of the whole process
are counted, as the generator works with threads. A plain copy of the same images with checksums is the floor.

Run: python benchmarks/build.py
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dataset_builder"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import synthetic_episodes
import tensorflow as tf
import tensorflow_datasets as tfds

from dataset_builder.build.run import build_dataset
from dataset_builder.layouts import get_layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.tfrecord import write_record
from dataset_builder.source.select import select_episodes
from dataset_builder.source.trajectory import Trajectory, read_trajectory
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

EPISODES = 20
SECONDS = 15.0
SIZE = (240, 320)
MANIFEST = BuildManifest(name="bench")
LAYOUT = get_layout(MANIFEST.preset, MANIFEST.action)
Frames = dict[str, list[Any]]


def textured_frames(episode: synthetic_episodes.Episode, camera: str) -> list[bytes]:
    """JPEGs that weigh what a real scene's do at this size, about 30 kB."""
    rng = np.random.default_rng([episode.seed, len(camera)])
    height, width = episode.size
    coarse = rng.uniform(40, 215, (height // 8, width // 8, 3))
    scene = np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(scale=9.0, size=(height, width, 3))
    scene = scene.clip(0, 255).astype(np.uint8)
    count = int(episode.seconds * episode.frames_hz)
    return [simplejpeg.encode_jpeg(np.ascontiguousarray(np.roll(scene, 2 * i, axis=1)), 90) for i in range(count)]


def station(root: Path) -> None:
    """A station folder with EPISODES approved episodes."""
    with Catalog.open(root) as catalog:
        for seed in range(EPISODES):
            episode = synthetic_episodes.Episode(seed=seed, seconds=SECONDS, size=SIZE, frames_hz=10)
            cameras = {
                f"cameras/{name}": synthetic_episodes.camera_stream(episode, name, textured_frames(episode, name))
                for name in episode.cameras
            }
            identity = synthetic_episodes.write(root, episode, cameras)
            catalog.register(episode_path(root, identity))
            catalog.approve(identity, "bench", 0)


def ours(root: Path, out: Path) -> Path:
    """teleloom's builder, selection and statistics included."""
    with Catalog.open(root) as catalog:
        return build_dataset(select_episodes(catalog, root), MANIFEST, out).path


def trajectories(root: Path) -> Iterator[tuple[Trajectory, Frames]]:
    """Every episode with its JPEGs, as both baselines read them."""
    with Catalog.open(root) as catalog:
        candidates = select_episodes(catalog, root).candidates
    for candidate in candidates:
        with EpisodeReader(candidate.path) as reader:
            trajectory = read_trajectory(reader, candidate, MANIFEST)
            frames = {
                key: list(reader.frames(trajectory.cameras[key], rows)) for key, rows in trajectory.frames.items()
            }
        yield trajectory, frames


def generator(root: Path, out: Path, features: Any, decode: bool) -> None:
    """TensorFlow Datasets' GeneratorBasedBuilder, fed decoded frames or the JPEGs themselves."""

    class Bench(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[str, Any]]:
            for trajectory, frames in trajectories(root):
                if decode:
                    frames = {key: list(map(simplejpeg.decode_jpeg, jpegs)) for key, jpegs in frames.items()}
                yield trajectory.candidate.episode_id, nested(trajectory, frames)

    with contextlib.redirect_stdout(None):
        Bench(data_dir=str(out)).download_and_prepare()


def nested(trajectory: Trajectory, images: Frames) -> dict[str, Any]:
    """An episode as a list of steps, the form in which a generator hands it over."""
    flat = LAYOUT.example(trajectory, images) | {"steps/action_tokens": np.zeros((len(trajectory), 7), dtype=np.int64)}
    steps: list[dict[str, Any]] = [{"observation": {}} for _ in range(len(trajectory))]
    metadata: dict[str, Any] = {}
    for key, values in flat.items():
        *parents, name = key.split("/")
        for i, value in enumerate(values):
            place = metadata if parents[0] == "episode_metadata" else steps[i]
            (place["observation"] if "observation" in parents else place)[name] = value
    return {"steps": steps, "episode_metadata": metadata}


def plain_copy(root: Path, out: Path) -> None:
    """The images alone, one record of bytes per episode with its checksum."""
    with (out / "copy").open("wb") as file:
        for _, frames in trajectories(root):
            write_record(file, b"".join(jpeg for jpegs in frames.values() for jpeg in jpegs))


def cpu_seconds(work: Callable[..., Any], root: Path, *options: Any, repeats: int = 1) -> float:
    """CPU seconds of all threads of this process, the least of `repeats`; what was written is removed each time."""
    seconds = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=root.parent) as folder:
            start = time.process_time()
            work(root, Path(folder), *options)
            seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    tf.constant(0)  # Importing is lazy: what it costs must not count against the generator.
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "station"
        root.mkdir()
        station(root)
        dataset = ours(root, Path(folder))
        megabytes = sum(shard.stat().st_size for shard in dataset.glob("*.tfrecord*")) / 1e6
        features = tfds.features.FeaturesDict.from_config(str(dataset))
        build = cpu_seconds(ours, root, repeats=3)
        copy = cpu_seconds(plain_copy, root, repeats=3)
        fed_bytes = cpu_seconds(generator, root, features, False, repeats=2)
        fed_frames = cpu_seconds(generator, root, features, True, repeats=2)
    print(f"{EPISODES} episodes, {megabytes:.0f} MB")
    for name, seconds in (
        ("teleloom", build),
        ("plain copy with checksums", copy),
        ("tfds generator fed JPEG bytes", fed_bytes),
        ("tfds generator fed decoded frames", fed_frames),
    ):
        print(f"{name:36s} {seconds:7.3f} CPU s  {megabytes / seconds:7.1f} MB/s  {seconds / build:5.2f}x ours")
    result = {"name": "build", "figure": build, "unit": "CPU s", "baseline": fed_frames, "ratio": fed_frames / build}
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
