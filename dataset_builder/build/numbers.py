"""What follows from the numbers of the train split: its statistics, and the tokeniser made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset_builder.build.plan import Episode
from dataset_builder.codecs import CodecOptionError, InvalidActionError, fit_codec, needs_fitting
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation import files
from dataset_builder.normalisation.schemes import check
from dataset_builder.normalisation.statistics import Statistics
from dataset_builder.normalisation.tokeniser import ActionTokeniser, normalised_chunks

MAX_FITTED_CHUNKS = 20_000
"""A codec is fitted on so many chunks at most, evenly spread over the train split; more would change little."""


@dataclass(frozen=True)
class Numbers:
    """Statistics of the train split. given: those that the manifest names, to be used for tokens in their place."""

    action: Statistics
    proprio: Statistics
    transitions: int
    trajectories: int
    key: str
    given: Statistics | None

    @classmethod
    def of(cls, train: Sequence[Episode], manifest: BuildManifest) -> Numbers:
        """Raises StatisticsFileError when the manifest names a file that cannot be used."""
        joints = train[0].shape.joints
        choice = manifest.normalisation
        given = None
        if choice.statistics is not None:
            given = files.load(choice.statistics, manifest.action.mask(joints), choice.statistics_key)
            try:
                check(given, choice.scheme)
            except ValueError as error:
                raise files.StatisticsFileError(f"{choice.statistics}: {error}") from None
        actions, proprios = [episode.action for episode in train], [episode.proprio for episode in train]
        return cls.of_arrays(actions, proprios, manifest, joints, given)

    @classmethod
    def of_arrays(
        cls,
        actions: Sequence[np.ndarray],
        proprios: Sequence[np.ndarray],
        manifest: BuildManifest,
        joints: int,
        given: Statistics | None = None,
    ) -> Numbers:
        """The same of the arrays alone, one of each for every episode in the order of the records."""
        return cls(
            action=Statistics.of(np.concatenate(actions), manifest.action.mask(joints)),
            proprio=Statistics.of(np.concatenate(proprios)),
            transitions=sum(map(len, actions)),
            trajectories=len(actions),
            key=files.data_key(list(zip(actions, proprios, strict=True))),
            given=given,
        )

    def documents(self, name: str) -> dict[str, Any]:
        """The statistics by file name, each in the form of those who read it."""
        counts = self.transitions, self.trajectories
        return {
            files.OPENVLA_FILE: files.openvla(name, self.action, self.proprio, *counts),
            files.OCTO_FILE: files.octo(self.action, self.proprio, *counts),
            files.OPENPI_FILE: files.openpi(self.action, self.proprio),
        }

    def tokeniser(self, train: Sequence[Episode], manifest: BuildManifest) -> ActionTokeniser:
        """The tokeniser that the manifest asks for, its codec fitted where it is one that is. Raises PluginError, and
        CodecOptionError, also for a codec that cannot encode such actions as the first."""
        statistics, scheme = self.given or self.action, manifest.normalisation.scheme
        name, options = manifest.codec.name, manifest.codec.options
        data = _chunks(train, manifest, statistics) if needs_fitting(name, options) else None
        tokeniser = ActionTokeniser(fit_codec(name, options, data), statistics, scheme, manifest.action)
        try:
            tokeniser.encode(train[0].action[:1])
        except InvalidActionError as error:
            raise CodecOptionError(f"codec '{name}' does not fit the actions: {error}; see `codec.options`") from None
        return tokeniser


def _chunks(train: Sequence[Episode], manifest: BuildManifest, statistics: Statistics) -> np.ndarray:
    """Chunks (N, H, D) of the train split, normalised, N at most MAX_FITTED_CHUNKS."""
    stride = -(-sum(map(len, train)) // MAX_FITTED_CHUNKS)
    scheme, found = manifest.normalisation.scheme, []
    phase = 0
    for episode in train:
        windows = normalised_chunks(episode.action, statistics, scheme, manifest.action)
        found.append(windows[phase::stride])
        phase = (phase - len(episode)) % stride
    return np.concatenate(found)
