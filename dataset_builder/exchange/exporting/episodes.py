"""The episodes of an export: chosen as for a build, read one at a time, train first.

An exported episode is what the build's manifest makes of a recording: the same selection, trim, filters, step rate,
images and actions. Beside what its format asks for, every export keeps two things, so that nothing is lost on the way
to another project and back: our step columns in double precision, and a JSON document about the episode.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from dataset_builder.build.shards import read_episode, resized
from dataset_builder.layouts.shared import actions
from dataset_builder.ledger import Emitted, Rejected, UnfitEpisodeError
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.splits import TEST, TRAIN, VAL, assign, position
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.gather import Progress
from dataset_builder.source.trajectory import Trajectory
from teleloom.episode.meta import EpisodeMeta, Instruction
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.steps import GRIPPER_NAME, POSE_NAMES, align, default_max_age_ns, is_required
from teleloom.episode.streams import CAMERA_PREFIX

Floats = NDArray[np.float64]
Known = Literal["joints", "tool_pose"]

ABOUT_FORMAT, ABOUT_VERSION = "teleloom.exchange", 1


@dataclass(frozen=True, eq=False)
class Departure:
    """One episode of T steps and J joints on its way out, whole in memory.

    known: what of the arm is measured and commanded in every episode of the export, `joints` or `tool_pose` or both.
    action: (T, D) float64, as the manifest says. joint_velocity, effort: (T, J), NaN where the robot measures neither.
    images: T JPEGs by image key. meta: of the recording, with what review said in place of what was recorded.
    """

    trajectory: Trajectory
    split: str
    known: frozenset[Known]
    meta: EpisodeMeta
    action: Floats
    joint_velocity: Floats
    effort: Floats
    images: Mapping[str, Sequence[bytes]]

    def __len__(self) -> int:
        return len(self.trajectory)

    @property
    def episode_id(self) -> str:
        return self.trajectory.candidate.episode_id

    @property
    def state(self) -> Floats:
        """(T, S) joints in rad, or the tool pose where joints are not known, and gripper opening; measured."""
        arm = self.trajectory.joints if "joints" in self.known else self.trajectory.ee_pose
        return np.column_stack([arm, self.trajectory.gripper])

    @property
    def state_names(self) -> tuple[str, ...]:
        return (*(self.meta.robot.joint_names if "joints" in self.known else POSE_NAMES), GRIPPER_NAME)

    @property
    def reward(self) -> NDArray[np.float32]:
        """(T,) 1 at the last step of a success, else 0."""
        reward = np.zeros(len(self), dtype=np.float32)
        reward[-1] = self.trajectory.outcome == "success"
        return reward

    @property
    def done(self) -> NDArray[np.bool_]:
        """(T,) the last step alone."""
        done = np.zeros(len(self), dtype=np.bool_)
        done[-1] = True
        return done

    def columns(self) -> dict[str, NDArray[Any]]:
        """Our step columns by name, each (T,) or (T, width), as `importing.own_exports` takes them back."""
        t = self.trajectory
        return {
            "t_ns": t.t_ns,
            "action": self.action,
            "joints": t.joints,
            "gripper": t.gripper,
            "tool_pose": t.ee_pose,
            "joint_velocity": self.joint_velocity,
            "effort": self.effort,
            "target": t.target,
            "joint_target": t.joint_target,
            "human_target": t.human_target,
            "policy_target": t.policy_target,
            "control_mode": t.control_mode,
            "action_mode": t.action_mode,
            "is_intervention": t.is_intervention,
            "is_valid": t.is_valid,
            "weight": t.weight,
        }

    def about(self, manifest: BuildManifest) -> str:
        """What no step column holds, as one JSON document."""
        names = manifest.action.names(len(self.meta.robot.joint_names))
        document = {
            "format": ABOUT_FORMAT,
            "version": ABOUT_VERSION,
            "meta": self.meta.model_dump(mode="json"),
            "rate_hz": self.trajectory.rate_hz,
            "split": self.split,
            "cameras": self.trajectory.cameras,
            "action": manifest.action.model_dump(mode="json"),
            "action_names": names,
        }
        return json.dumps(document, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Berth:
    """What of an episode is kept until it leaves."""

    candidate: Candidate
    group: str
    rate_hz: float
    known: frozenset[Known]


@dataclass
class Departures:
    """The episodes of an export, train first, val and test after it; each is read when it is asked for.

    An episode that turns out to be broken is left out and lands in `rejected`. Writers report with `wrote`.
    rates: of the episodes, steps a second.
    """

    berths: Sequence[Berth]
    manifest: BuildManifest
    progress: Progress
    rejected: list[Rejected]
    emitted: list[Emitted] = field(default_factory=list)
    episode_notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[Known]:
        """What of the arm is known in every episode."""
        return frozenset.intersection(*(berth.known for berth in self.berths)) if self.berths else frozenset()

    @property
    def rates(self) -> tuple[float, ...]:
        return tuple(sorted({berth.rate_hz for berth in self.berths}))

    def __iter__(self) -> Iterator[Departure]:
        sides = assign({berth.candidate.episode_id: berth.group for berth in self.berths}, self.manifest.splits)
        order = (TRAIN, VAL, TEST)
        ordered = sorted(self.berths, key=lambda berth: position(berth.candidate.episode_id))
        ordered.sort(key=lambda berth: order.index(sides[berth.candidate.episode_id]))
        for done, berth in enumerate(ordered):
            self.progress("exporting", done, len(ordered))
            episode = berth.candidate.episode_id
            try:
                departure, self.episode_notes[episode] = self._read(berth.candidate, sides[episode])
                _check_pixels(departure)
            except UnfitEpisodeError as error:
                self.rejected.append(berth.candidate.rejected(error))
            else:
                yield departure
        self.progress("exporting", len(ordered), len(ordered))

    def wrote(self, departure: Departure, file: str) -> None:
        """Count an episode that is in `file` of the export now."""
        task = departure.meta.task.name
        self.emitted.append(Emitted(departure.episode_id, departure.split, file, len(departure), task))

    @property
    def train_ids(self) -> tuple[str, ...]:
        """The episodes of the train split that were written, in their order."""
        return tuple(entry.episode_id for entry in self.emitted if entry.split == TRAIN)

    def splits(self) -> dict[str, int]:
        """How many episodes were written of each split, in their order in the dataset."""
        return dict(Counter(entry.split for entry in self.emitted))

    def _read(self, candidate: Candidate, split: str) -> tuple[Departure, tuple[str, ...]]:
        """An episode, and what of it no export takes along. Raises UnfitEpisodeError."""
        reading = read_episode(candidate, self.manifest)
        trajectory = reading.trajectory
        try:
            with EpisodeReader(candidate.path) as reader:
                robot = reader.stream("robot")
                shown = align(robot["t_ns"], trajectory.t_ns, default_max_age_ns(robot["t_ns"])).index
                departure = Departure(
                    trajectory=trajectory,
                    split=split,
                    known=self.known,
                    meta=_reviewed(reader.meta, trajectory),
                    action=actions(trajectory, self.manifest.action),
                    joint_velocity=robot["dq"][shown],
                    effort=robot["effort"][shown],
                    images=resized(reading.images, self.manifest),
                )
                return departure, tuple(_left_behind(reader, trajectory))
        except BadEpisodeError as error:
            raise UnfitEpisodeError.unreadable(error) from None


def _left_behind(reader: EpisodeReader, trajectory: Trajectory) -> Iterator[str]:
    cameras = {f"{CAMERA_PREFIX}{camera}" for camera in trajectory.cameras.values()}
    for stream in reader.stream_names:
        if stream.startswith(CAMERA_PREFIX) and stream not in cameras:
            yield f"camera '{stream.removeprefix(CAMERA_PREFIX)}' is not among the manifest's cameras"
        elif not is_required(stream):
            yield f"stream '{stream}' is not in the steps"


def _reviewed(meta: EpisodeMeta, trajectory: Trajectory) -> EpisodeMeta:
    texts = tuple(dict.fromkeys((trajectory.instruction, *trajectory.instructions)))
    known = {instruction.text: instruction for instruction in meta.task.instructions}
    instructions = tuple(
        known.get(text, Instruction(text=text)).model_copy(update={"spoken": text == trajectory.instruction})
        for text in texts
    )
    task = meta.task.model_copy(update={"name": trajectory.task, "instructions": instructions})
    return meta.model_copy(update={"task": task, "outcome": trajectory.outcome})


def berth(trajectory: Trajectory) -> Berth:
    arms: dict[Known, tuple[Floats, Floats]] = {
        "joints": (trajectory.joints, trajectory.joint_target),
        "tool_pose": (trajectory.ee_pose, trajectory.target),
    }
    known = {name for name, (measured, commanded) in arms.items() if _is_known(measured) and _is_known(commanded)}
    return Berth(trajectory.candidate, trajectory.group, trajectory.rate_hz, frozenset(known))


def _is_known(values: Floats) -> bool:
    return values.shape[1] > 0 and bool(np.isfinite(values).all())


def _check_pixels(departure: Departure) -> None:
    """Raise UnfitEpisodeError for a JPEG that has a sound header but cannot be decoded."""
    for key, frames in departure.images.items():
        for step, data in enumerate(frames):
            try:
                simplejpeg.decode_jpeg(data)
            except ValueError as error:
                detail = f"camera '{departure.trajectory.cameras[key]}', step {step}: cannot be decoded ({error})"
                raise UnfitEpisodeError("broken-image", detail) from None
