"""Reading the selected episodes, and leaving out those that do not fit with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from dataset_builder.ledger import Rejected
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.candidates import Candidate, UnfitEpisodeError
from dataset_builder.source.trajectory import Trajectory, read_trajectory
from teleloom.episode.reader import BadEpisodeError, EpisodeReader

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Gathered = tuple[list[Trajectory], list[Rejected]]


def gather(candidates: Sequence[Candidate], manifest: BuildManifest, progress: Progress) -> Gathered:
    """The trajectories that can be in one dataset, and why the other candidates cannot."""
    trajectories: list[Trajectory] = []
    rejected: list[Rejected] = []
    for done, candidate in enumerate(candidates):
        progress("reading", done, len(candidates))
        try:
            with EpisodeReader(candidate.path) as reader:
                trajectories.append(read_trajectory(reader, candidate, manifest))
        except BadEpisodeError as error:
            rejected.append(Rejected(candidate.episode_id, "bad-file", error.fault))
        except UnfitEpisodeError as error:
            rejected.append(Rejected(candidate.episode_id, error.reason, str(error)))
    progress("reading", len(candidates), len(candidates))
    alike, different = _alike(trajectories, manifest.select.robot)
    return alike, rejected + different


def _alike(trajectories: Sequence[Trajectory], robot: str | None) -> Gathered:
    """Those of the robot and image sizes that most have: a dataset has one shape for everything."""
    kinds = Counter((t.robot, t.shape) for t in trajectories if robot in (None, t.robot))
    if not kinds:
        return [], [_different(t, f"the manifest wants robot {robot}") for t in trajectories]
    chosen = max(kinds, key=lambda kind: (kinds[kind], repr(kind)))
    shape = f"the dataset has robot {chosen[0]} ({chosen[1]})"
    alike = [t for t in trajectories if (t.robot, t.shape) == chosen]
    return alike, [_different(t, shape) for t in trajectories if (t.robot, t.shape) != chosen]


def _different(trajectory: Trajectory, wanted: str) -> Rejected:
    detail = f"it has robot {trajectory.robot} ({trajectory.shape}); {wanted}; build it as a dataset of its own"
    return Rejected(trajectory.candidate.episode_id, "other-layout", detail)
