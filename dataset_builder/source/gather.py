"""Reading the selected episodes, and leaving out those that do not fit with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dataset_builder.ledger import Rejected, UnfitEpisodeError
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.filters import ErasedEpisodeError, FilterCounts, TaskErasedError
from dataset_builder.source.candidates import Candidate
from dataset_builder.source.shape import Shape
from dataset_builder.source.trajectory import Trajectory, read_trajectory
from teleloom.episode.reader import BadEpisodeError, EpisodeReader

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Summary = TypeVar("Summary")


@dataclass(frozen=True)
class Gathered(Generic[Summary]):
    """What came of the candidates. kept: a summary of each that can be in the dataset, in their order.

    filtered: how many steps the filters took from each task. warnings: what whoever builds ought to know.
    """

    kept: list[Summary]
    rejected: list[Rejected]
    filtered: FilterCounts
    warnings: tuple[str, ...]


def gather(
    candidates: Sequence[Candidate],
    manifest: BuildManifest,
    progress: Progress,
    summarise: Callable[[Trajectory], Summary],
) -> Gathered[Summary]:
    """What can be in one dataset, and why the other candidates cannot.

    Each episode is read by itself and let go as soon as `summarise` has taken from it what is to be kept; what raises
    UnfitEpisodeError there is rejected too. Raises TaskErasedError when filters erase a task and may not.
    """
    read: list[_Read[Summary]] = []
    rejected: list[Rejected] = []
    filtered = FilterCounts()
    scenes: set[str] = set()
    versions: set[str | None] = set()
    rates: dict[str, float] = {}
    for done, candidate in enumerate(candidates):
        progress("reading", done, len(candidates))
        try:
            trajectory = read_candidate(candidate, manifest)
            kind = _Kind(trajectory.robot, trajectory.shape)
            counts = trajectory.task, len(trajectory), trajectory.left_out
            read.append(_Read(candidate, kind, counts, summarise(trajectory)))
            scenes.add(trajectory.scene)
            versions.add(trajectory.policy_version)
            for camera, rate_hz in trajectory.camera_rates.items():
                rates[camera] = min(rate_hz, rates.get(camera, rate_hz))
        except ErasedEpisodeError as error:
            filtered.add(candidate.task, 0, error.left_out)
            rejected.append(candidate.rejected(error))
        except UnfitEpisodeError as error:
            rejected.append(candidate.rejected(error))
    progress("reading", len(candidates), len(candidates))
    kinds = Counter(each.kind for each in read)
    chosen = max(kinds, key=lambda kind: (kinds[kind], repr(kind)), default=None)
    kept = [each for each in read if each.kind == chosen]
    # Episodes of another kind are no part of what the filters leave of a task.
    for each in kept:
        filtered.add(*each.counts)
    warnings = (
        *_erased(filtered, manifest.filters.may_erase_tasks),
        *manifest.select.warnings_of_files(scenes, versions),
        *manifest.lineage.warnings(versions),
        *_repeating(manifest.step_rate_hz, rates),
    )
    if chosen is not None:
        rejected += [each.candidate.rejected(chosen.other(each.kind)) for each in read if each.kind != chosen]
    return Gathered([each.summary for each in kept], rejected, filtered, warnings)


def read_candidate(candidate: Candidate, manifest: BuildManifest) -> Trajectory:
    """The trajectory of a candidate. Raises UnfitEpisodeError when it cannot be in the dataset."""
    try:
        with EpisodeReader(candidate.path) as reader:
            if (misfit := manifest.select.misfit_of_file(reader.meta)) is not None:
                raise UnfitEpisodeError("not-selected", f"{misfit}; change `select` in the manifest if you want it")
            version = reader.meta.policy_version
            if not manifest.lineage.knows(version):
                detail = (
                    f"its policy '{version}' is in no round; add it to `lineage.rounds`, or leave it out by `select`"
                )
                raise UnfitEpisodeError("unknown-policy", detail)
            return read_trajectory(reader, candidate, manifest)
    except BadEpisodeError as error:
        raise UnfitEpisodeError.unreadable(error) from None


def _erased(filtered: FilterCounts, allowed: bool) -> tuple[str, ...]:
    if not filtered.erased:
        return ()
    if not allowed:
        raise TaskErasedError(
            f"{filtered.describe_erased()}\n"
            "change `filters`, leave the task out by `select.tasks`, or set `filters.may_erase_tasks: true`"
        )
    return tuple(filtered.describe_erased().splitlines())


def _repeating(step_rate_hz: float | None, rates: Mapping[str, float]) -> Iterator[str]:
    """The cameras that have fewer frames a second than the dataset is to have steps."""
    for camera, rate_hz in sorted(rates.items()):
        if step_rate_hz is not None and step_rate_hz > rate_hz:
            yield (
                f"step_rate_hz is {step_rate_hz:g}, and camera '{camera}' has {rate_hz:g} frames a second: steps "
                "repeat frames; lower step_rate_hz, or leave the camera out"
            )


@dataclass(frozen=True)
class _Kind:
    """What all episodes of a dataset share: it has one shape for everything."""

    robot: str
    shape: Shape

    def other(self, kind: _Kind) -> UnfitEpisodeError:
        """Why an episode of another kind is not in a dataset of this one."""
        detail = f"it has robot {kind.robot} ({kind.shape}); the dataset has robot {self.robot} ({self.shape})"
        return UnfitEpisodeError("other-layout", f"{detail}; build it as a dataset of its own")


@dataclass(frozen=True)
class _Read(Generic[Summary]):
    """An episode that could be in a dataset of its kind. counts: its task, its steps, and what each filter took."""

    candidate: Candidate
    kind: _Kind
    counts: tuple[str, int, dict[str, int]]
    summary: Summary
