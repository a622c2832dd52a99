"""What a ranking knows of an episode: its quality report, as the catalog keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from teleloom.quality.report import Finding, QualityReport

Span = tuple[int, int]


@dataclass(frozen=True)
class EpisodeFeatures:
    """One episode to be ranked: the figures of its report, and what they are compared within.

    start_ns, end_ns: the whole episode, ns of its clock; both 0 where an old report does not say.
    """

    episode_id: str
    task: str
    robot: str
    start_ns: int
    end_ns: int
    findings: tuple[Finding, ...]
    metrics: Mapping[str, float]
    evidence: Mapping[str, Span]
    signature: tuple[float, ...]

    @property
    def group(self) -> tuple[str, str]:
        """Within what it is compared: (task, robot)."""
        return self.task, self.robot


def features_of(row: Mapping[str, Any]) -> EpisodeFeatures | None:
    """The features in a row of the catalog as plain JSON: `id`, `task`, `robot` and `quality`, the report.

    None where the episode was not judged, or its report cannot be read.
    """
    if row.get("quality") is None:
        return None
    try:
        report = QualityReport.model_validate(row["quality"])
    except ValidationError:
        return None
    start_ns, end_ns = _whole(report)
    return EpisodeFeatures(
        episode_id=row["id"],
        task=row["task"],
        robot=row["robot"],
        start_ns=start_ns,
        end_ns=end_ns,
        findings=report.findings,
        metrics=report.metrics,
        evidence=report.evidence,
        signature=report.signature,
    )


def _whole(report: QualityReport) -> Span:
    """The span of the episode: the evidence of its duration, else as far as the findings reach."""
    if "duration_s" in report.evidence:
        return report.evidence["duration_s"]
    starts = [finding.start_ns for finding in report.findings]
    return (min(starts), max(finding.end_ns for finding in report.findings)) if starts else (0, 0)
