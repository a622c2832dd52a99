"""`teleloom import` of RLDS directories: of this builder, of Open X-Embodiment, and whatever TFDS wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, ImportOptions, Source
from dataset_builder.exchange.importing.documents import read_document
from dataset_builder.exchange.importing.episode import ImportedEpisode, UnimportableError
from dataset_builder.exchange.rlds import folder as folders
from dataset_builder.exchange.rlds.episode import FORMAT, episode_of
from dataset_builder.exchange.rlds.plan import Plan, not_carried, plan_of, profile_of
from dataset_builder.exchange.rlds.schema import fields_of
from dataset_builder.rlds.records import BadExampleError, decode_example

LOOKS_FOR = "a folder with features.json and dataset_info.json, or with such folders in it"


def recognises(path: Path) -> bool:
    """Whether `path` holds the two documents of an RLDS dataset, or of several."""
    try:
        return bool(folders.dataset_folders(path))
    except OSError:
        return False


def open_dataset(path: Path, options: ImportOptions) -> ForeignDataset:
    """The RLDS dataset in the folder `path`. Raises ForeignDatasetError."""
    found = folders.dataset_folders(path)
    if not found:
        raise ForeignDatasetError(f"{path} has no {folders.FEATURES} with a {folders.DATASET_INFO}")
    if len(found) > 1:
        raise ForeignDatasetError(f"{path} holds several datasets or versions; name one: {', '.join(map(str, found))}")
    folder = found[0]
    fields = fields_of(read_document(folder / folders.FEATURES))
    info = read_document(folder / folders.DATASET_INFO)
    metadata = read_document(folder / folders.METADATA) if (folder / folders.METADATA).is_file() else {}
    profile = profile_of(options.profile, metadata, fields)
    entries = {**dict(profile.entries), **dict(options.map)}
    plan = plan_of(
        f"{info.get('name', folder.name)}/{info.get('version', '')}".rstrip("/"), profile, fields, entries, options
    )
    shards = folders.shards_of(folder, info)
    return ForeignDataset(
        format=FORMAT,
        name=plan.dataset,
        count=sum(shard.records for shard in shards),
        sources=_sources(shards, plan),
        not_carried=tuple(not_carried(plan)),
        notes=(f"Read with the map '{profile.name}'.", *profile.notes),
    )


def _sources(shards: Iterable[folders.Shard], plan: Plan) -> Iterator[Source]:
    for shard in shards:
        for record in folders.records_of(shard):
            yield Source(record.name, _reader(record, plan))


def _reader(record: folders.Record, plan: Plan) -> Callable[[], ImportedEpisode]:
    def read() -> ImportedEpisode:
        if isinstance(record.data, UnimportableError):
            raise record.data
        try:
            return episode_of(record.name, decode_example(record.data), plan)
        except (UnimportableError, ForeignDatasetError):
            raise
        except BadExampleError as error:
            raise UnimportableError("bad-record", str(error)) from None
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            # numpy's, of a record whose values are of another kind than features.json says.
            raise UnimportableError("features-mismatch", f"its values are not what was declared: {error}") from None

    return read
