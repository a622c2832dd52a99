"""Trials of the ranking: a clean corpus, a few faulty episodes among it, and whether they are found and shown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from station.faults.kinds import AGAIN, Fault
from station.faults.operators import Span
from station.faults.recording import Attempt, record_attempt, steady
from teleloom.episode.reader import EpisodeReader
from teleloom.files import write_json
from teleloom.quality import judge
from teleloom.quality.corpus import EpisodeFeatures, Risk, RiskReason, rank
from teleloom.quality.recording import Recording, read_recording

RISKIEST = 0.1
TRIES, OTHER_SCENE = 5, 100_000
HELD_OUT = 1000
"""Scenes from this seed on are not in the clean corpus."""


@dataclass(frozen=True)
class Faulty:
    """A faulty episode. span: when its fault was. twin: the clean episode that it repeats, if it does."""

    features: EpisodeFeatures
    span: Span
    twin: str | None = None


@dataclass(frozen=True)
class Found:
    """What became of a faulty episode. position: among the riskiest, from 1. shown: by which reason, if by any."""

    position: int
    count: int
    shown: RiskReason | None

    @property
    def among_riskiest(self) -> bool:
        return self.position <= math.floor(RISKIEST * self.count)

    @property
    def detected(self) -> bool:
        return self.among_riskiest and self.shown is not None


def clean_episode(root: Path, task: str, seed: int) -> EpisodeFeatures:
    """An able operator's attempt at the scene of this seed, judged."""
    return features(_recording(_attempt(root, task, seed)), f"{task} clean {seed:05d}")


def faulty_episode(root: Path, task: str, seed: int, fault: Fault) -> Faulty:
    """An episode with the fault, judged. seed: of the scene, which the clean corpus has too only for `again`."""
    name = f"{task} faulty {seed:05d}"
    if fault.again:
        attempt = _attempt(root, task, seed, fault, operator_seed=seed + AGAIN)
        recording = _recording(attempt)
        return Faulty(features(recording, name), (recording.start_ns, recording.end_ns), f"{task} clean {seed:05d}")
    attempt = _attempt(root, task, HELD_OUT + seed, fault)
    recording = _recording(attempt)
    span = attempt.span or (recording.start_ns, recording.end_ns)
    if fault.spoiling is not None:
        recording, span = fault.spoiling(recording, np.random.default_rng(seed))
    return Faulty(features(recording, name), span)


def features(recording: Recording, episode_id: str) -> EpisodeFeatures:
    """What a ranking knows of a recording."""
    report = judge(recording)
    return EpisodeFeatures(
        episode_id=episode_id,
        task=recording.meta.task.name,
        robot=recording.meta.robot.name,
        start_ns=recording.start_ns,
        end_ns=recording.end_ns,
        findings=report.findings,
        metrics=report.metrics,
        evidence=report.evidence,
        signature=report.signature,
    )


def trial(clean: Sequence[EpisodeFeatures], faulty: Sequence[Faulty], fault: Fault) -> list[Found]:
    """Rank the clean episodes with the few faulty ones among them; what became of each faulty one."""
    risks = rank([*clean, *(one.features for one in faulty)])
    twins = {one.twin for one in faulty}
    order = sorted(risks, key=lambda episode_id: -risks[episode_id].risk)
    order = [episode_id for episode_id in order if episode_id not in twins]
    return [
        Found(
            position=order.index(one.features.episode_id) + 1,
            count=len(order),
            shown=_shown(risks[one.features.episode_id], fault, one.span),
        )
        for one in faulty
    ]


def false_alarms(clean: Sequence[EpisodeFeatures], fault: Fault) -> list[str]:
    """The clean episodes that a ranking of nothing but clean ones suspects of the fault."""
    risks = rank(clean)
    return [name for name, risk in risks.items() if any(_names(reason, fault) for reason in risk.reasons)]


def _shown(risk: Risk, fault: Fault, span: Span) -> RiskReason | None:
    """The gravest reason that names the fault and seeks to a time within it."""
    fitting = (reason for reason in risk.reasons if _names(reason, fault))
    return next((reason for reason in fitting if reason.start_ns <= span[1] and span[0] <= reason.end_ns), None)


def _names(reason: RiskReason, fault: Fault) -> bool:
    return reason.kind in fault.reasons and (not fault.source or reason.source == fault.source)


def _attempt(root: Path, task: str, seed: int, fault: Fault | None = None, operator_seed: int | None = None) -> Attempt:
    """The first attempt from this seed on that the operator kept, recorded anew where `root` does not have it."""
    driven = fault is not None and fault.spoiling is None
    folder = root / f"{task}-{fault.slug if fault and driven else 'able'}" / f"{seed:05d}"
    note = folder / "attempt.json"
    if note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        return Attempt(folder / known["path"], task, seed, tuple(known["span"]) if known["span"] else None)
    for scene in range(seed, seed + TRIES * OTHER_SCENE, OTHER_SCENE):
        attempt = record_attempt(folder, task, scene, fault.driving if fault else steady, operator_seed)
        if attempt is not None:
            write_json(note, {"path": attempt.path.relative_to(folder).as_posix(), "span": attempt.span})
            return attempt
    raise RuntimeError(f"{task}, seed {seed}: not kept in {TRIES} attempts")


def _recording(attempt: Attempt) -> Recording:
    """The arrays of the attempt with its frames, which outlive the open file."""
    with EpisodeReader(attempt.path) as reader:
        recording = read_recording(reader)
        frames = {
            name: [reader.frame_bytes(name, i) for i in range(len(t_ns))] for name, t_ns in recording.cameras.items()
        }
    return replace(recording, frames=lambda name, indices: (frames[name][i] for i in indices))
