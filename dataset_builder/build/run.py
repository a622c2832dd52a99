"""A build: read, part, gather statistics, write the shards that are not there yet, and put the dataset in place.

The dataset appears whole under its name and version, or not at all. An episode whose images turn out to be broken
while its shard is written is rejected, and the rest is parted and counted anew, as if it had never been selected. This
process keeps numbers only; whoever writes a shard reads its episodes again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset_builder.build import documents
from dataset_builder.build.beside import write_beside
from dataset_builder.build.missing import MissingShards
from dataset_builder.build.parts import clear, parts_of, shard_of
from dataset_builder.build.place import CollisionError, ShardsGoneError, tidy, version_in_place
from dataset_builder.build.plan import Episode, Shard
from dataset_builder.build.reuse import Version, known_shards, read_version
from dataset_builder.build.settle import BuildPlan, NothingToBuildError, settle, split_sizes
from dataset_builder.build.shards import read_episode
from dataset_builder.build.work import Broken
from dataset_builder.codecs import CodecOptionError, named_files, needs_fitting
from dataset_builder.engines.contract import Engine, EngineError
from dataset_builder.layouts import get_layout
from dataset_builder.ledger import Ledger, UnfitEpisodeError
from dataset_builder.location import is_local, is_shared, location, reachable
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.files import StatisticsFileError
from dataset_builder.source.candidates import Selection
from dataset_builder.source.gather import Progress, gather
from teleloom import __version__

__all__ = [
    "BuildResult",
    "CollisionError",
    "DatasetExistsError",
    "NothingToBuildError",
    "ShardsGoneError",
    "build_dataset",
    "dry_run",
]

TRIES = 3
"""So often the shards are seen to, where other builds of the same version keep coming in between."""


class DatasetExistsError(FileExistsError):
    """The version exists already, made of something else. The message names the folder and both ways out."""


@dataclass(frozen=True)
class BuildResult:
    """What came of a build. path: the dataset's folder, which a dry run leaves alone.

    splits: episodes in each. num_bytes: of all records, 0 after a dry run. written, reused: shards that had to be
    written (or would have to be), and those that were there already. up_to_date: nothing had to be done at all.
    warnings: what whoever builds ought to know. lock: the document of that name, empty where a dry run would make it.
    """

    path: Path
    ledger: Ledger
    splits: dict[str, int]
    num_bytes: int
    written: int
    reused: int
    up_to_date: bool = False
    warnings: tuple[str, ...] = ()
    lock: dict[str, Any] = field(default_factory=dict)


def build_dataset(
    selection: Selection,
    manifest: BuildManifest,
    out: Path | str,
    *,
    force: bool = False,
    progress: Progress | None = None,
    engine: Engine | None = None,
    trust_reused: bool = False,
) -> BuildResult:
    """Write the dataset `out/name/version` from the selected episodes, or find that it is there already.

    out: a folder or any URL that fsspec knows. engine: where shards are written; by default this process for little
    work and a pool of processes for much. Shards that this version or another one of the dataset holds are not written
    again; nor are those that a killed build of this version had finished. trust_reused: of such shards the size is
    checked alone, not what is in them.

    Raises DatasetExistsError for a version made of something else unless `force`, NothingToBuildError when no episode
    is left, EngineError when the engine fails, PluginError and CodecOptionError for a codec that cannot be built,
    LayoutError, StatisticsFileError, TaskErasedError, and OSError when the disk refuses; what was there before then
    stays as it was. In a store ShardsGoneError and CollisionError too, where several builds of a version are at work.
    """
    report = progress or _silent
    final = reachable(location(out)) / manifest.name / manifest.version
    tidy(final)
    needs_fitting(manifest.codec.name, manifest.codec.options)
    inputs = _inputs(selection, manifest)
    if not force and (present := _present(final, inputs, selection.warnings)) is not None:
        clear(final)
        return present
    if engine is not None and engine.is_elsewhere and not is_shared(final):
        raise EngineError(f"{final} lies in the memory of this process, where no worker reaches it; use --workers 1")
    layout = get_layout(manifest.preset, manifest.action)
    gathered = gather(selection.candidates, manifest, report, lambda t: Episode.of(t, layout))
    with parts_of(final) as parts:
        for tries in range(TRIES, 0, -1):
            shards = MissingShards(final, parts, engine, trust_reused, report)
            try:
                plan = settle(gathered, selection, manifest, layout, parts, shards.done, shards.see_to)
                results = {name: shards.done[work.key] for name, work in plan.works.items()}
                sources = {name: shard_of(parts, work.key) for name, work in plan.works.items()}
                lock = documents.lock(manifest, __version__, _way(final, selection.root), inputs, plan.shards, results)
                with version_in_place(final, sources, documents.DATASET_INFO, force) as folder:
                    write_beside(folder, plan, manifest, layout, gathered.filtered, results, lock, report)
                break
            except (FileExistsError, ShardsGoneError):  # Another build of this version was quicker.
                version = read_version(final)
                if version is not None and version.inputs == inputs:
                    return _as_it_is(final, version, selection.warnings)
                if version is not None and not force:
                    raise DatasetExistsError(_taken(final)) from None
                if tries == 1:
                    raise
    num_bytes = sum(result.num_bytes for result in results.values())
    count = len(shards.written & {work.key for work in plan.works.values()})
    warnings = (*plan.warnings, *shards.warnings)
    return BuildResult(
        final, plan.ledger, plan.splits, num_bytes, count, len(plan.shards) - count, warnings=warnings, lock=lock
    )


def dry_run(
    selection: Selection,
    manifest: BuildManifest,
    out: Path | str,
    progress: Progress | None = None,
    *,
    force: bool = False,
) -> BuildResult:
    """What `build_dataset` would emit, reject and write, the images of all that is new checked; nothing is written.

    A version that is there and would be refused is a warning, so that the counts can be seen all the same.
    """
    report = progress or _silent
    final = reachable(location(out)) / manifest.name / manifest.version
    needs_fitting(manifest.codec.name, manifest.codec.options)
    version = read_version(final)
    if version is not None and version.inputs == _inputs(selection, manifest):
        return _as_it_is(final, version, selection.warnings)
    layout = get_layout(manifest.preset, manifest.action)
    gathered = gather(selection.candidates, manifest, report, lambda t: Episode.of(t, layout))
    known = known_shards(final.parent)
    seen: set[str] = set()

    def check(plan: BuildPlan, missing: list[Shard]) -> list[Broken]:
        unseen = [episode for shard in missing for episode in shard.episodes if episode.id not in seen]
        broken = []
        for done, episode in enumerate(unseen):
            report("checking", done, len(unseen))
            try:
                read_episode(episode.candidate, manifest)
                seen.add(episode.id)
            except UnfitEpisodeError as error:
                broken.append(Broken(episode_id=episode.id, reason=error.reason, detail=str(error)))
        report("checking", len(unseen), len(unseen))
        return broken

    plan = settle(gathered, selection, manifest, layout, final, known, check)
    reused = sum(work.key in known for work in plan.works.values())
    refused = () if force or not (version or _is_there(final)) else (_taken(final),)
    warnings = (*plan.warnings, *refused)
    return BuildResult(final, plan.ledger, plan.splits, 0, len(plan.shards) - reused, reused, warnings=warnings)


def _silent(what: str, done: int, total: int) -> None:
    pass


def _inputs(selection: Selection, manifest: BuildManifest) -> str:
    """The digest of all that the build starts from."""
    named = manifest.normalisation.statistics
    files = []
    try:
        if named is not None:
            files.append(Path(named).read_bytes())
    except OSError as error:
        raise StatisticsFileError(f"{named} cannot be read: {error.strerror}; see `normalisation.statistics`") from None
    for name in named_files(manifest.codec.options):
        try:
            files.append(Path(name).read_bytes())
        except OSError as error:
            raise CodecOptionError(f"{name} cannot be read: {error.strerror}; see `codec.options`") from None
    return documents.inputs_digest(manifest, selection, files)


def _present(final: Path, inputs: str, warnings: tuple[str, ...]) -> BuildResult | None:
    """What there is to say when the version is there and made of the same; None when it is not there."""
    there = _is_there(final)
    version = read_version(final)
    if version is not None and version.inputs == inputs:
        return _as_it_is(final, version, warnings)
    if there or version is not None:
        raise DatasetExistsError(_taken(final))
    return None


def _is_there(final: Path) -> bool:
    """Whether something is in the place of the dataset, whole or not; in a store, where there are no folders, what says
    that it is a dataset."""
    return (final if is_local(final) else final / documents.DATASET_INFO).exists()


def _taken(final: Path) -> str:
    return f"{final} exists already, made of something else; build a new --version, or replace this one with --force"


def _as_it_is(final: Path, version: Version, warnings: tuple[str, ...]) -> BuildResult:
    ledger = version.ledger
    return BuildResult(
        final, ledger, split_sizes(ledger), version.num_bytes, 0, version.shards, True, warnings, version.lock
    )


def _way(final: Path, root: Path) -> str:
    """The way from the dataset's folder to the station's, where there is one."""
    return Path(os.path.relpath(root.resolve(), final.resolve())).as_posix() if is_local(final) else ""
