"""A station with everything that an export has to carry, and whether an episode came back from one as it went out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from conftest import Station
from synthetic_episodes import Episode, camera_stream, frames_of

from dataset_builder.build.shards import read_episode
from dataset_builder.exchange.exporting.run import ExportReport, export_dataset
from dataset_builder.exchange.formats import exporter, open_dataset
from dataset_builder.exchange.importing.dataset import ImportOptions
from dataset_builder.exchange.importing.episode import ImportedEpisode, unknown_robot
from dataset_builder.layouts.shared import actions
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.splits import Splits
from dataset_builder.source.trajectory import Trajectory
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader

MANIFEST = BuildManifest(name="kitchen", splits=Splits(val_fraction=0.3, test_fraction=0.2))
UNICODE = "Häng die Tasse an den Haken – 杯子 ☕"


def furnished_station(folder: Path) -> Station:
    """The furnished station of a test session, which no test changes: made by the module that asks for it first."""
    root = folder / "furnished"
    return Station(root) if root.is_dir() else furnish(root)


def furnish(root: Path) -> Station:
    """Ten approved episodes: three tasks, a text in three scripts, a single step, corrections; and two that stay."""
    root.mkdir()
    station = Station(root)
    spoken = {"kind": "instruction", "action": "replace", "text": UNICODE}
    for seed in range(7):
        station.add(Episode(seed=seed, task=("put_in_bowl", "stack", "hang")[seed % 3], seconds=0.9 + seed * 0.1))
    station.add(Episode(seed=7, task="hang", seconds=1.0), spoken, {"kind": "weight", "weight": 2.5})
    station.add(Episode(seed=8, policy="v7", corrections=((0.5, 0.9),), seconds=1.5, outcome="failure"))
    one_step(station, station.add(Episode(seed=9, seconds=1.0, real=True)))
    station.add(Episode(seed=20), approve=False)
    return station


def one_step(station: Station, identity: str) -> None:
    """Trim an episode to its third step."""
    with EpisodeReader(episode_path(station.root, identity)) as reader:
        t_ns = reader.steps().t_ns
    station.annotate(identity, {"kind": "trim", "start_ns": int(t_ns[2]), "end_ns": int(t_ns[2]) + 1})


def broken_episode(station: Station) -> str:
    """Add an approved episode with an image that has a sound header and nothing after it."""
    episode = Episode(seed=30, seconds=1.0)
    frames = frames_of(episode, "front")
    frames[len(frames) // 2] = frames[0][: frames[0].index(b"\xff\xda")] + b"\xff\xd9"
    return station.add(episode, spoil={"cameras/front": camera_stream(episode, "front", frames)})


def exported(
    station: Station,
    target: str,
    out: Path,
    manifest: BuildManifest = MANIFEST,
    *,
    force: bool = False,
    **options: str,
) -> ExportReport:
    return export_dataset(
        exporter(target),
        station.select(manifest.select),
        manifest,
        out,
        options,
        force=force,
        dry_run=False,
        progress=lambda *_: None,
    )


def imported(path: Path, **options: Any) -> list[ImportedEpisode]:
    """Every episode of a dataset, in a format that is recognised by itself."""
    dataset = open_dataset(path, ImportOptions(**options))
    episodes = [source.read() for source in dataset.sources]
    assert dataset.count == len(episodes)
    return episodes


def trajectories(station: Station, manifest: BuildManifest = MANIFEST) -> dict[str, Trajectory]:
    return {t.candidate.episode_id: t for t in station.gather(manifest).kept}


def assert_came_back(
    report: ExportReport,
    episodes: list[ImportedEpisode],
    station: Station,
    manifest: BuildManifest = MANIFEST,
    *,
    jpegs: bool,
) -> None:
    """Numbers bit for bit, texts, frame counts and, where the format keeps them, the very bytes of every image."""
    went = [entry.episode_id for entry in report.ledger.emitted]
    there = trajectories(station, manifest)
    assert set(went) == set(there)
    assert len(episodes) == len(went)
    for identity, back in zip(went, episodes, strict=True):
        trajectory = there[identity]
        assert len(back) == len(trajectory)
        assert back.instructions[0] == trajectory.instruction
        assert set(back.instructions) == set(trajectory.instructions)
        assert (back.task, back.robot.name, back.rate_hz) == (trajectory.task, trajectory.robot, trajectory.rate_hz)
        assert back.meta is not None
        assert (back.meta.outcome, back.meta.operator) == (trajectory.outcome, trajectory.operator)
        assert back.meta.policy_version == trajectory.policy_version
        for name, expected in _numbers(trajectory, manifest).items():
            value = back.raw[name].values if name.startswith("teleloom.") else getattr(back, name)
            np.testing.assert_array_equal(value, expected, err_msg=name, strict=True)
        images = read_episode(trajectory.candidate, manifest).images
        assert set(back.cameras) == set(trajectory.cameras.values())
        for key, frames in images.items():
            camera = back.cameras[trajectory.cameras[key]]
            assert len(camera.frames) == len(trajectory)
            if jpegs:
                assert camera.quality is None
                assert list(camera.frames) == list(frames)


def _numbers(trajectory: Trajectory, manifest: BuildManifest) -> Mapping[str, np.ndarray]:
    return {
        "t_ns": trajectory.t_ns,
        "joints": trajectory.joints,
        "gripper": trajectory.gripper,
        "pose": trajectory.ee_pose,
        "joint_target": trajectory.joint_target[:, :-1],
        "pose_target": trajectory.target[:, :7],
        "gripper_target": trajectory.target[:, 7],
        "human_target": trajectory.human_target,
        "policy_target": trajectory.policy_target,
        "mode": trajectory.control_mode,
        "is_intervention": trajectory.is_intervention,
        "teleloom.action": actions(trajectory, manifest.action),
        "teleloom.action_mode": trajectory.action_mode,
        "teleloom.weight": trajectory.weight,
        "teleloom.is_valid": trajectory.is_valid,
    }


def sized(height: int, width: int) -> BuildManifest:
    """The manifest with another image size."""
    cameras = {name: choice.model_copy(update={"size": (height, width)}) for name, choice in MANIFEST.cameras.items()}
    return MANIFEST.model_copy(update={"cameras": cameras})


def at_rate(rate_hz: float) -> BuildManifest:
    """The manifest at another step rate."""
    return MANIFEST.model_copy(update={"step_rate_hz": rate_hz})


def without_joints(episode: ImportedEpisode) -> ImportedEpisode:
    """The same of an arm of which only the tool is known."""
    return dataclasses.replace(
        episode,
        robot=unknown_robot("widow"),
        joints=None,
        joint_velocity=None,
        effort=None,
        joint_target=None,
        meta=None,
    )
