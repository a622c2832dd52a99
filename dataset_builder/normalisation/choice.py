"""The normalisation of a build, as its manifest names it."""

from __future__ import annotations

from typing import Literal

from teleloom.config import Config

Scheme = Literal["q99", "bounds", "zscore", "openpi", "none"]


class NormalisationChoice(Config):
    """How raw actions become the codec's [-1, 1].

    scheme: "q99" (OpenVLA: 1st and 99th percentile to -1 and 1, clipped; Octo calls it bounds), "bounds" (minimum and
    maximum), "zscore", "openpi" (percentiles, not clipped), "none". statistics: a dataset_statistics.json to use in
    place of this dataset's own train split, as when a model is fine-tuned on.
    """

    scheme: Scheme = "q99"
    statistics: str | None = None
