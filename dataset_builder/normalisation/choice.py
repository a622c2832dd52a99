"""The normalisation of a build, as its manifest names it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from teleloom.config import Config

Scheme = Literal["q99", "bounds", "zscore", "openpi", "none"]


class NormalisationChoice(Config):
    """How raw actions become the codec's [-1, 1].

    scheme: "q99" (OpenVLA: 1st and 99th percentile to -1 and 1, clipped; Octo calls it bounds), "bounds" (minimum and
    maximum), "zscore", "openpi" (percentiles, not clipped, the gripper too), "none". statistics: a statistics file in
    OpenVLA's, Octo's or openpi's form to use in place of this dataset's own train split, as when a model is fine-tuned.
    statistics_key: which dataset of that file, when it holds several.
    """

    scheme: Scheme = "q99"
    statistics: str | None = None
    statistics_key: str | None = None

    @model_validator(mode="after")
    def _key_of_a_file(self) -> Self:
        if self.statistics_key is not None and self.statistics is None:
            raise ValueError("statistics_key names a dataset of the file `statistics`; give that too, or neither")
        return self
