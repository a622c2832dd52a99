"""Building RLDS: teleloom against a TensorFlow Datasets generator fed decoded frames, same episodes, same run.

Both read the same episode files; the generator is the common way of converting robot data: decode each frame, yield
arrays, let TensorFlow Datasets encode and write. TensorFlow's import is left out. CPU seconds of the whole process
are counted, as the generator works with threads. A plain copy of the same images with checksums is the floor.

One process and a pool of two are measured once more in processes of their own: CPU and wall time with interpreter and
imports, and the most memory that the whole tree of processes held at once.

Run: python benchmarks/build.py; with --large, also the memory at 3 GB, which takes 7 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dataset_builder"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import synthetic_episodes

from dataset_builder.build.run import build_dataset
from dataset_builder.engines.contract import Engine
from dataset_builder.engines.here import Here
from dataset_builder.engines.pool import Pool
from dataset_builder.layouts import get_layout
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.tfrecord import write_record
from dataset_builder.source.select import select_episodes
from dataset_builder.source.trajectory import Trajectory, read_trajectory
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

EPISODES = 20
LARGE_EPISODES = 180
SECONDS = 15.0
FRAMES_HZ = 10
SIZE = (240, 320)
MANIFEST = BuildManifest(name="bench")
LAYOUT = get_layout(MANIFEST.preset, MANIFEST.action)
Frames = dict[str, list[Any]]
SAMPLE_S = 0.02
MEGABYTE = 1e6


@cache
def textured_frames(seed: int, camera: str) -> list[bytes]:
    """JPEGs that weigh what a real scene's do at this size, about 50 kB, one for each step of an episode."""
    rng = np.random.default_rng([seed, len(camera)])
    height, width = SIZE
    coarse = rng.uniform(40, 215, (height // 8, width // 8, 3))
    scene = np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(scale=9.0, size=(height, width, 3))
    scene = scene.clip(0, 255).astype(np.uint8)
    count = int(SECONDS * FRAMES_HZ)
    return [simplejpeg.encode_jpeg(np.ascontiguousarray(np.roll(scene, 2 * i, axis=1)), 90) for i in range(count)]


def station(root: Path, episodes: int = EPISODES) -> None:
    """A station folder with so many approved episodes; every tenth shows other frames."""
    root.mkdir()
    with Catalog.open(root) as catalog:
        for seed in range(episodes):
            episode = synthetic_episodes.Episode(seed=seed, seconds=SECONDS, size=SIZE, frames_hz=FRAMES_HZ)
            cameras = {
                f"cameras/{name}": synthetic_episodes.camera_stream(episode, name, textured_frames(seed % 10, name))
                for name in episode.cameras
            }
            identity = synthetic_episodes.write(root, episode, cameras)
            catalog.register(episode_path(root, identity))
            catalog.approve(identity, "bench", 0)


def ours(root: Path, out: Path, engine: Engine | None = None) -> Path:
    """teleloom's builder, selection and statistics included."""
    with Catalog.open(root) as catalog:
        return build_dataset(select_episodes(catalog, root), MANIFEST, out, engine=engine or Here()).path


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


def generator(root: Path, out: Path, dataset: Path, decode: bool) -> None:
    """TensorFlow Datasets' GeneratorBasedBuilder with the features of `dataset`, fed decoded frames or the JPEGs."""
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict.from_config(str(dataset))

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
    flat = LAYOUT.example(trajectory, images)
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


@dataclass
class Usage:
    """What a tree of processes took: CPU seconds and the most memory in all of them at once, in bytes."""

    wall_s: float = 0.0
    peak_bytes: int = 0
    _ticks: dict[int, int] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def sample(self, root: int) -> None:
        """Look at every process of the tree below `root`. Memory that several of them share counts once."""
        parents, ticks = {}, {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    after_name = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
                    pid = int(entry)
                    parents[pid] = int(after_name[1])
                    ticks[pid] = int(after_name[11]) + int(after_name[12])
        tree = {root}
        while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
            tree |= more
        self.peak_bytes = max(self.peak_bytes, sum(map(proportional_bytes, tree)))
        self._ticks |= {pid: ticks[pid] for pid in tree if pid in ticks}


def proportional_bytes(pid: int) -> int:
    """The resident memory of a process, each page shared out among those that have it; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def usage(root: Path, workers: int) -> Usage:
    """A whole build in a process of its own."""
    found = Usage()
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        command = [sys.executable, __file__, "--build", str(root), folder, str(workers)]
        start = time.monotonic()
        with subprocess.Popen(command) as child:
            while child.poll() is None:
                found.sample(child.pid)
                time.sleep(SAMPLE_S)
        found.wall_s = time.monotonic() - start
        assert child.returncode == 0, command
    return found


def show_usage(root: Path) -> None:
    megabytes = sum(file.stat().st_size for file in root.rglob("*.h5")) / MEGABYTE
    for workers in (1, 2):
        found = usage(root, workers)
        print(
            f"{megabytes:5.0f} MB, {workers} process{'es' * (workers > 1)}: "
            f"{found.cpu_s:6.2f} CPU s, {found.wall_s:6.2f} s, at most {found.peak_bytes / MEGABYTE:4.0f} MB of memory"
        )


def compare(root: Path) -> dict[str, float]:
    """CPU seconds of ours, the floor and the generator, in this process."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tf.constant(0)  # Importing is lazy: what it costs must not count against the generator.
    tfds.disable_progress_bar()
    dataset = ours(root, root.parent)
    megabytes = sum(shard.stat().st_size for shard in dataset.glob("*.tfrecord-*")) / MEGABYTE
    seconds = {
        "teleloom": cpu_seconds(ours, root, repeats=3),
        "plain copy with checksums": cpu_seconds(plain_copy, root, repeats=3),
        "tfds generator fed JPEG bytes": cpu_seconds(generator, root, dataset, False, repeats=2),
        "tfds generator fed decoded frames": cpu_seconds(generator, root, dataset, True, repeats=2),
    }
    print(f"{EPISODES} episodes, {megabytes:.0f} MB")
    for name, took in seconds.items():
        print(f"{name:36s} {took:7.3f} CPU s  {megabytes / took:7.1f} MB/s  {took / seconds['teleloom']:5.2f}x ours")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also measure the memory at 3 GB")
    parser.add_argument("--build", nargs=3, metavar=("ROOT", "OUT", "WORKERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        root, out, workers = options.build
        ours(Path(root), Path(out), Pool(int(workers)) if int(workers) > 1 else Here())
        return
    with tempfile.TemporaryDirectory() as folder:
        station(Path(folder) / "station")
        show_usage(Path(folder) / "station")
        seconds = compare(Path(folder) / "station")
    if options.large:
        with tempfile.TemporaryDirectory() as folder:
            station(Path(folder) / "station", LARGE_EPISODES)
            show_usage(Path(folder) / "station")
    build, fed_frames = seconds["teleloom"], seconds["tfds generator fed decoded frames"]
    result = {"name": "build", "figure": build, "unit": "CPU s", "baseline": fed_frames, "ratio": fed_frames / build}
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
