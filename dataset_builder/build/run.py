"""A build: read, part, gather statistics, write the shards that are not there yet, and put the dataset in place.

The dataset appears whole under its name and version, or not at all. An episode whose images turn out to be broken
while its shard is written is rejected, and the rest is parted and counted anew, as if it had never been selected. This
process keeps numbers only; whoever writes a shard reads its episodes again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_builder.build import documents
from dataset_builder.build.beside import write_beside
from dataset_builder.build.parts import finished, parts_of, shard_of
from dataset_builder.build.place import keep, tidy, version_in_place
from dataset_builder.build.plan import Episode, Shard
from dataset_builder.build.reuse import KnownShard, Version, known_shards, read_version
from dataset_builder.build.settle import BuildPlan, NothingToBuildError, settle, sizes_of
from dataset_builder.build.shards import read_episode, write_shard
from dataset_builder.build.work import Broken, ShardResult
from dataset_builder.codecs import CodecOptionError, named_files, needs_fitting
from dataset_builder.engines.choice import default_engine
from dataset_builder.engines.contract import Engine, EngineError
from dataset_builder.layouts import get_layout
from dataset_builder.ledger import Ledger, UnfitEpisodeError
from dataset_builder.location import is_local, is_shared, location, reachable
from dataset_builder.manifest import BuildManifest
from dataset_builder.normalisation.files import StatisticsFileError
from dataset_builder.source.candidates import Selection
from dataset_builder.source.gather import Progress, gather
from teleloom import __version__
from teleloom.files import write_json

__all__ = ["BuildResult", "DatasetExistsError", "NothingToBuildError", "build_dataset", "dry_run"]


class DatasetExistsError(FileExistsError):
    """The version exists already, made of something else. The message names the folder and both ways out."""


@dataclass(frozen=True)
class BuildResult:
    """What came of a build. path: the dataset's folder, which a dry run leaves alone.

    splits: episodes in each. num_bytes: of all records, 0 after a dry run. written, reused: shards that had to be
    written (or would have to be), and those that were there already. up_to_date: nothing had to be done at all.
    warnings: what whoever builds ought to know.
    """

    path: Path
    ledger: Ledger
    splits: dict[str, int]
    num_bytes: int
    written: int
    reused: int
    up_to_date: bool = False
    warnings: tuple[str, ...] = ()


Done = dict[str, KnownShard | ShardResult]
"""The shards that are there, by key: in a version of the dataset, or among the parts of this one."""


def build_dataset(
    selection: Selection,
    manifest: BuildManifest,
    out: Path | str,
    *,
    force: bool = False,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> BuildResult:
    """Write the dataset `out/name/version` from the selected episodes, or find that it is there already.

    out: a folder or any URL that fsspec knows. engine: where shards are written; by default this process for little
    work and a pool of processes for much. Shards that this version or another one of the dataset holds are not written
    again; nor are those that a killed build of this version had finished.

    Raises DatasetExistsError for a version made of something else unless `force`, NothingToBuildError when no episode
    is left, EngineError when the engine fails, PluginError and CodecOptionError for a codec that cannot be built,
    LayoutError, StatisticsFileError, TaskErasedError, and OSError when the disk refuses; what was there before then
    stays as it was.
    """
    report = progress or _silent
    final = reachable(location(out)) / manifest.name / manifest.version
    tidy(final)
    needs_fitting(manifest.codec.name, manifest.codec.options)
    inputs = _inputs(selection, manifest)
    if not force and (present := _present(final, inputs, selection.warnings)) is not None:
        return present
    if engine is not None and engine.is_elsewhere and not is_shared(final):
        raise EngineError(f"{final} lies in the memory of this process, where no worker reaches it; use --workers 1")
    layout = get_layout(manifest.preset, manifest.action)
    gathered = gather(selection.candidates, manifest, report, lambda t: Episode.of(t, layout))
    known = known_shards(final.parent)
    with parts_of(final) as parts:
        done: Done = dict(known)
        written: set[str] = set()

        def make(plan: BuildPlan, missing: list[Shard]) -> list[Broken]:
            return _write(plan, missing, parts, done, written, engine, report)

        plan = settle(gathered, selection, manifest, layout, parts, done, make)
        results = {name: _result(done[work.key]) for name, work in plan.works.items()}
        sources = {name: _source(done[work.key], parts, final) for name, work in plan.works.items()}
        try:
            with version_in_place(final, sources, documents.DATASET_INFO, force) as folder:
                write_beside(folder, plan, manifest, layout, gathered.filtered, results, report)
                source = _way(final, selection.root)
                lock = documents.lock(manifest, __version__, source, inputs, plan.shards, results)
                write_json(folder / documents.LOCK, lock)
        except FileExistsError:  # Another build of this version was quicker.
            if (present := _present(final, inputs, selection.warnings)) is not None:
                return present
            raise
    num_bytes = sum(result.num_bytes for result in results.values())
    count = len(written & {work.key for work in plan.works.values()})
    return BuildResult(
        final, plan.ledger, plan.splits, num_bytes, count, len(plan.shards) - count, warnings=plan.warnings
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
    known: Done = dict(known_shards(final.parent))
    sound: set[str] = set()

    def check(plan: BuildPlan, missing: list[Shard]) -> list[Broken]:
        unseen = [episode for shard in missing for episode in shard.episodes if episode.id not in sound]
        broken = []
        for done, episode in enumerate(unseen):
            report("checking", done, len(unseen))
            try:
                read_episode(episode.candidate, manifest)
                sound.add(episode.id)
            except UnfitEpisodeError as error:
                broken.append(Broken(episode_id=episode.id, reason=error.reason, detail=str(error)))
        report("checking", len(unseen), len(unseen))
        return broken

    plan = settle(gathered, selection, manifest, layout, final, known, check)
    reused = sum(work.key in known for work in plan.works.values())
    refused = () if force or not _is_taken(final, version) else (_taken(final),)
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
    version = read_version(final)
    if version is not None and version.inputs == inputs:
        return _as_it_is(final, version, warnings)
    if _is_taken(final, version):
        raise DatasetExistsError(_taken(final))
    return None


def _is_taken(final: Path, version: Version | None) -> bool:
    """Whether something is in the place of the dataset: a version, or a folder that is none."""
    return version is not None or (is_local(final) and final.exists())


def _taken(final: Path) -> str:
    return f"{final} exists already, made of something else; build a new --version, or replace this one with --force"


def _as_it_is(final: Path, version: Version, warnings: tuple[str, ...]) -> BuildResult:
    ledger = version.ledger
    return BuildResult(final, ledger, sizes_of(ledger), version.num_bytes, 0, version.shards, True, warnings)


def _write(
    plan: BuildPlan,
    missing: Sequence[Shard],
    parts: Path,
    done: Done,
    written: set[str],
    engine: Engine | None,
    report: Progress,
) -> list[Broken]:
    """Have the `missing` shards written that a killed build has not left, and note them in `done` and `written`."""
    keys = [plan.works[shard.name].key for shard in missing]
    done.update({key: result for key, result in finished(parts, keys).items() if not result.broken})
    todo = [shard for shard in missing if plan.works[shard.name].key not in done]
    if not todo:
        return []
    total = len(plan.episodes)
    count = total - sum(len(shard.episodes) for shard in todo)

    def on_done(place: int) -> None:
        nonlocal count
        count += len(todo[place].episodes)
        report("writing", count, total)

    report("writing", count, total)
    num_bytes = sum(episode.candidate.file_bytes for shard in todo for episode in shard.episodes)
    chosen = engine or default_engine(num_bytes, len(todo) if is_shared(parts) else 1)
    chosen.run(write_shard, [plan.works[shard.name].model_dump_json() for shard in todo], on_done)
    results = finished(parts, (plan.works[shard.name].key for shard in todo))
    if len(results) < len(todo):
        raise EngineError(
            f"what the workers of {chosen.name} wrote is not in {parts}; give an --out that this machine and they "
            "share, such as a network folder or s3://bucket/datasets"
        )
    whole: Done = {key: result for key, result in results.items() if not result.broken}
    done.update(whole)
    written.update(whole)
    return [entry for result in results.values() for entry in result.broken]


def _result(done: KnownShard | ShardResult) -> ShardResult:
    return done.result() if isinstance(done, KnownShard) else done


def _source(done: KnownShard | ShardResult, parts: Path, final: Path) -> Path:
    """The file of a shard, out of the way of those that `final` will hold."""
    if isinstance(done, ShardResult):
        return shard_of(parts, done.key)
    if is_local(final) or done.version != final:
        return done.path
    return keep(done.path, shard_of(parts, done.entry["key"]))


def _way(final: Path, root: Path) -> str:
    """The way from the dataset's folder to the station's, where there is one."""
    return Path(os.path.relpath(root.resolve(), final.resolve())).as_posix() if is_local(final) else ""
