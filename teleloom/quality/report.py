"""What the verdict says: findings that each name the time that shows them, a score, and a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from teleloom.config import Config

Severity = Literal["note", "warning", "fault"]
Verdict = Literal["good", "doubtful", "bad"]

SCORE_FACTOR: dict[Severity, float] = {"note": 1.0, "warning": 0.85, "fault": 0.3}


class Finding(Config):
    """One thing worth knowing. start_ns, end_ns: the time that shows it, ns of the episode's clock.

    source: the stream it was seen in ("robot", "cameras/front"), "" where it is about the episode as a whole.
    """

    kind: str
    severity: Severity
    start_ns: int
    end_ns: int
    message: str
    source: str = ""


class QualityReport(Config):
    """The instant verdict on an episode. It rejects nothing by itself: people, or who stands in for them, act on it.

    score: 0 (spoiled) to 1 (nothing to say). metrics: SI units, named with them; a value that the streams cannot give
    is left out. evidence: by metric, the time [start_ns, end_ns] that shows it most, on the episode's clock.
    signature: the way of the tool, see teleloom.quality.signature; () without a tool pose, and in reports of old.
    """

    score: float
    verdict: Verdict
    findings: tuple[Finding, ...]
    metrics: dict[str, float]
    evidence: dict[str, tuple[int, int]] = {}
    signature: tuple[float, ...] = ()

    @property
    def reason(self) -> str:
        """The gravest findings in one line, "" where there is nothing to say."""
        for severity in ("fault", "warning"):
            messages = [finding.message for finding in self.findings if finding.severity == severity]
            if messages:
                return "; ".join(dict.fromkeys(messages))
        return ""


def conclude(
    findings: Iterable[Finding],
    metrics: dict[str, float],
    doubtful_below: float,
    evidence: dict[str, tuple[int, int]] | None = None,
    signature: tuple[float, ...] = (),
) -> QualityReport:
    """The verdict that follows from the findings: bad with any fault, doubtful below the score, else good.

    The score is the product of one factor per kind of finding, the gravest of its kind: ten gaps are one bad cable.
    """
    ordered = tuple(sorted(findings, key=lambda finding: (finding.start_ns, finding.end_ns, finding.kind)))
    factors: dict[str, float] = {}
    for finding in ordered:
        factor = SCORE_FACTOR[finding.severity]
        factors[finding.kind] = min(factors.get(finding.kind, 1.0), factor)
    score = 1.0
    for factor in factors.values():
        score *= factor
    if any(finding.severity == "fault" for finding in ordered):
        verdict: Verdict = "bad"
    else:
        verdict = "doubtful" if score < doubtful_below else "good"
    return QualityReport(
        score=round(score, 4),
        verdict=verdict,
        findings=ordered,
        metrics=metrics,
        evidence=evidence or {},
        signature=signature,
    )
