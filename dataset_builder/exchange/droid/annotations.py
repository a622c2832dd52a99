"""DROID's language annotations: what was to be done, by the uuid of the episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builder.exchange.importing.dataset import ForeignDatasetError
from dataset_builder.exchange.importing.documents import read_document

FILES = "*annotations*.json"
LEVELS_ABOVE = 6
_TEXT = "language_instruction"


@dataclass(frozen=True)
class Annotations:
    """texts: of each episode, in their order. notes: of files that look like annotations and are none of DROID's."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def annotations_for(path: Path) -> Annotations:
    """What lies in the folder, or in those above it; the nearest file says it where several do.

    Above it lies whatever its owner keeps there, so a file that is not DROID's costs a note and no more.
    """
    folder = path if path.is_dir() else path.parent
    texts: dict[str, tuple[str, ...]] = {}
    notes = []
    for place in (folder, *folder.resolve().parents[:LEVELS_ABOVE]):
        for file in sorted(place.glob(FILES)):
            try:
                found = {uuid: said for uuid, entry in read_document(file).items() if (said := _texts(entry))}
            except ForeignDatasetError as error:
                notes.append(f"Annotations were not taken: {error}.")
                continue
            if not found:
                notes.append(f"Annotations were not taken: {file} has no {_TEXT}1 of any episode.")
            texts = found | texts
    return Annotations(texts, tuple(notes))


def _texts(entry: object) -> tuple[str, ...]:
    if not isinstance(entry, Mapping):
        return ()
    return tuple(text for key, text in sorted(entry.items()) if key.startswith(_TEXT) and isinstance(text, str))
