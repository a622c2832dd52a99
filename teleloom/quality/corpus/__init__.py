"""Which episodes deserve a look first: each one compared with all others of its task on its robot."""

from teleloom.quality.corpus.features import EpisodeFeatures, features_of
from teleloom.quality.corpus.rank import rank
from teleloom.quality.corpus.risk import Risk, RiskReason

__all__ = ["EpisodeFeatures", "Risk", "RiskReason", "features_of", "rank"]
