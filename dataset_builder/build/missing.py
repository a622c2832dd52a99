"""Seeing to the shards that a plan lacks: left by a killed build, taken over from another version, or written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dataset_builder.build.parts import finished
from dataset_builder.build.place import ShardsGoneError
from dataset_builder.build.plan import Shard
from dataset_builder.build.reuse import is_sound, known_shards, sound, take_over
from dataset_builder.build.settle import BuildPlan
from dataset_builder.build.shards import write_shard
from dataset_builder.build.work import Broken, ShardResult
from dataset_builder.engines.choice import default_engine
from dataset_builder.engines.contract import Engine, EngineError
from dataset_builder.location import is_local, is_shared
from dataset_builder.source.gather import Progress


class MissingShards:
    """The shards of a version on their way. done: what is said of each that is in `parts`, by key. written: the keys of
    those that had to be written. warnings: of shards that were there, and could not be used."""

    def __init__(self, final: Path, parts: Path, engine: Engine | None, trust_reused: bool, report: Progress) -> None:
        self.done: dict[str, ShardResult] = {}
        self.written: set[str] = set()
        self.warnings: list[str] = []
        self._known = known_shards(final.parent)
        self._parts = parts
        self._engine = engine
        self._is_trusted = trust_reused
        self._report = report

    def see_to(self, plan: BuildPlan, missing: Sequence[Shard]) -> list[Broken]:
        """Have these shards in `parts`: left there by a killed build, taken over from another version, or written."""
        keys = [plan.works[shard.name].key for shard in missing]
        total = len(plan.episodes)
        self._report("checking", 0, total)
        left = {key: result for key, result in finished(self._parts, keys).items() if not result.broken}
        self.done |= sound(self._parts, left, self._is_trusted)
        self._take_over([key for key in keys if key in self._known and key not in self.done])
        self._report("checking", total, total)
        todo = [shard for shard in missing if plan.works[shard.name].key not in self.done]
        return self._write(plan, todo) if todo else []

    def _take_over(self, keys: Sequence[str]) -> None:
        taken = take_over([self._known[key] for key in keys], self._parts)
        whole = sound(self._parts, taken, self._is_trusted)
        self.done |= whole
        for key in sorted(taken.keys() - whole.keys()):
            shard = self._known.pop(key)
            if is_sound(shard.path, taken[key]):
                continue  # What a killed build left of it in `parts` is not, and is written anew.
            self.warnings.append(
                f"{shard.path} is no longer what was built (its SHA-256 differs, or it cannot be read), so this shard "
                f"is written anew; `teleloom verify {shard.version}` tells more, and --force builds that version again"
            )

    def _write(self, plan: BuildPlan, todo: Sequence[Shard]) -> list[Broken]:
        total = len(plan.episodes)
        count = total - sum(len(shard.episodes) for shard in todo)

        def on_done(place: int) -> None:
            nonlocal count
            count += len(todo[place].episodes)
            self._report("writing", count, total)

        self._report("writing", count, total)
        num_bytes = sum(episode.candidate.file_bytes for shard in todo for episode in shard.episodes)
        engine = self._engine or default_engine(num_bytes, len(todo) if is_shared(self._parts) else 1)
        engine.run(write_shard, [plan.works[shard.name].model_dump_json() for shard in todo], on_done)
        results = finished(self._parts, (plan.works[shard.name].key for shard in todo))
        if len(results) < len(todo) and is_local(self._parts):
            raise EngineError(
                f"what the workers of {engine.name} wrote is not in {self._parts}; give an --out that this machine and "
                "they share, such as a network folder or s3://bucket/datasets"
            )
        if len(results) < len(todo):
            raise ShardsGoneError(
                f"what the workers of {engine.name} wrote is not in {self._parts}: another build of this version took "
                "it away, or they write elsewhere; build it again"
            )
        whole = {key: result for key, result in results.items() if not result.broken}
        self.done |= whole
        self.written |= whole.keys()
        return [entry for result in results.values() for entry in result.broken]
