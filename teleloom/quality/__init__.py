"""The instant verdict on an episode: what is wrong with it, when, and by how much."""

from teleloom.quality.assess import assess, judge
from teleloom.quality.config import QualityConfig
from teleloom.quality.report import Finding, QualityReport

__all__ = ["Finding", "QualityConfig", "QualityReport", "assess", "judge"]
