"""Which episodes deserve a look first: the risk of each among its like, from the figures in the catalog."""

from __future__ import annotations

from collections import Counter

from review_ui.service.pages import all_rows
from teleloom.catalog import Catalog, EpisodeFilter
from teleloom.config import Config
from teleloom.quality.corpus import features_of, rank


class RankReport(Config):
    """ranked: how many episodes have a risk now. without_quality: how many were not assessed, so they have none.
    reasons: how often each kind of reason was given."""

    ranked: int
    without_quality: int
    reasons: dict[str, int]


def rank_corpus(catalog: Catalog) -> RankReport:
    """Compute the risk of every episode anew and put it into the catalog. Rejects nothing."""
    features = []
    without = 0
    for row in all_rows(catalog, EpisodeFilter()):
        found = features_of(row.model_dump())
        if found is None:
            without += 1
        else:
            features.append(found)
    risks = rank(features)
    catalog.set_risks(
        {
            episode_id: (risk.risk, [reason.model_dump() for reason in risk.reasons])
            for episode_id, risk in risks.items()
        }
    )
    reasons = Counter(reason.kind for risk in risks.values() for reason in risk.reasons)
    return RankReport(ranked=len(risks), without_quality=without, reasons=dict(sorted(reasons.items())))
