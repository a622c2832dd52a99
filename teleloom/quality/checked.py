"""What a check gives: figures, the time that shows each, and findings."""

from __future__ import annotations

from dataclasses import dataclass, field

from teleloom.quality.report import Finding, Severity
from teleloom.quality.spans import Span


@dataclass
class Checked:
    """Figures by name, the time that shows each of them most, and findings.

    A check is a function `(recording, config) -> Checked`. It never raises on strange data; what it cannot measure it
    leaves out.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    evidence: dict[str, Span] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def measure(self, name: str, value: float, span: Span | None = None) -> None:
        """Add a figure and, where there is one, the time that shows it."""
        self.metrics[name] = value
        if span is not None:
            self.evidence[name] = span

    def say(self, kind: str, severity: Severity, span: Span, message: str, source: str = "") -> None:
        """Add a finding."""
        self.findings.append(
            Finding(kind=kind, severity=severity, start_ns=span[0], end_ns=span[1], message=message, source=source)
        )
