"""The verdict on a finished episode, in the moment between this attempt and the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from teleloom.episode.reader import EpisodeReader
from teleloom.quality import checks, motion_checks, timing_checks
from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.frozen import check_frozen
from teleloom.quality.pictures import check_pictures
from teleloom.quality.recording import Recording, motion_of, read_recording
from teleloom.quality.report import QualityReport, conclude
from teleloom.quality.signature import signature

Check = Callable[[Recording, QualityConfig], Checked]

QUICK_CHECKS: tuple[Check, ...] = (
    checks.check_duration,
    checks.check_finite,
    motion_checks.check_motion,
    motion_checks.check_jumps,
    motion_checks.check_saturation,
    motion_checks.check_tracking,
    timing_checks.check_timing,
    timing_checks.check_cameras,
    checks.check_steps,
    checks.check_interventions,
)
ALL_CHECKS: tuple[Check, ...] = (*QUICK_CHECKS, check_frozen, check_pictures)


def assess(reader: EpisodeReader, config: QualityConfig | None = None) -> QualityReport:
    """The verdict on an open episode file. Raises BadEpisodeError where the file is not sound."""
    return judge(read_recording(reader), config)


def judge(
    recording: Recording, config: QualityConfig | None = None, run: tuple[Check, ...] = ALL_CHECKS
) -> QualityReport:
    """The verdict on the arrays of an episode. QUICK_CHECKS leaves out what must read pictures."""
    config = config or QualityConfig()
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers give no figure, and no warning
        motion = motion_of(recording.robot, "q", config.motion_rate_hz, config.motion_cutoff_hz)
        recording = replace(recording, motion=motion)
        results = [check(recording, config) for check in run]
    figures = [item for result in results for item in sorted(result.metrics.items())]
    metrics = {name: float(value) for name, value in figures if np.isfinite(value)}
    shown = {name: span for result in results for name, span in result.evidence.items()}
    evidence = {name: shown[name] for name in metrics if name in shown}
    findings = [finding for result in results for finding in result.findings]
    return conclude(findings, metrics, config.doubtful_below, evidence, signature(recording))
