"""Statistics as files: in the forms of OpenVLA, Octo and openpi, and read back from any of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset_builder.normalisation.statistics import Statistics

OPENVLA_FILE = "dataset_statistics.json"
OCTO_FILE = "octo_statistics.json"
OPENPI_FILE = "norm_stats.json"
_OPENPI_ZERO = 1e-6


class StatisticsFileError(ValueError):
    """A statistics file that cannot be used. The message names the file, what is wrong and what would be right."""


def openvla(name: str, action: Statistics, proprio: Statistics, transitions: int, trajectories: int) -> dict[str, Any]:
    """OpenVLA's `dataset_statistics.json` of the dataset `name`, which is also its `unnorm_key`."""
    entry = {"action": action.to_json(), "proprio": proprio.to_json()}
    return {name: entry | {"num_transitions": transitions, "num_trajectories": trajectories}}


def octo(action: Statistics, proprio: Statistics, transitions: int, trajectories: int) -> dict[str, Any]:
    """What Octo's `make_dataset_from_rlds(dataset_statistics=...)` takes: one dataset, percentiles called p01, p99."""
    named = {"action": action.to_json(), "proprio": proprio.to_json()}
    renamed = {
        what: {{"q01": "p01", "q99": "p99"}.get(name, name): values for name, values in figures.items()}
        for what, figures in named.items()
    }
    return renamed | {"num_transitions": transitions, "num_trajectories": trajectories}


def openpi(action: Statistics, proprio: Statistics) -> dict[str, Any]:
    """openpi's `norm_stats.json`."""
    names = ("mean", "std", "q01", "q99")
    of = {"state": proprio.to_json(), "actions": action.to_json()}
    return {"norm_stats": {what: {name: figures[name] for name in names} for what, figures in of.items()}}


def load(path: str | Path, mask: Sequence[bool], key: str | None = None) -> Statistics:
    """The action statistics of a file in any of the three forms.

    mask: (D,) of this dataset's actions: the file must have as many dimensions, and one without a mask gets it.
    key: the dataset, when the file holds several. Raises StatisticsFileError.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise StatisticsFileError(f"statistics {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StatisticsFileError(f"statistics {path} are not JSON: {error}") from None
    entry = _entry(path, document, key)
    names = {"q01": "p01", "q99": "p99"} if "p01" in entry else {}
    figures = {name: _figure(path, entry, names.get(name, name)) for name in ("mean", "std", "q01", "q99")}
    if "norm_stats" in document:
        figures = _unpadded(figures, len(mask))
    unknown = np.full(figures["mean"].shape, np.nan)
    figures |= {name: _figure(path, entry, name) if name in entry else unknown for name in ("min", "max")}
    given = np.asarray(entry.get("mask", mask))
    if given.ndim != 1 or given.dtype.kind not in "bi":
        raise StatisticsFileError(f"statistics {path}: 'mask' of the action is no list of true and false")
    widths = {len(values) for values in figures.values()} | {len(given)}
    if widths != {len(mask)}:
        raise StatisticsFileError(
            f"statistics {path} are of {' or '.join(map(str, sorted(widths)))} dimensions, and this dataset's actions "
            f"have {len(mask)}: they are of other actions"
        )
    for lower, upper in (("q01", "q99"), ("min", "max")):
        if (figures[lower] > figures[upper]).any():
            raise StatisticsFileError(f"statistics {path}: '{lower}' of the action lies above '{upper}'")
    mean, std, minimum, maximum, q01, q99 = (figures[name] for name in ("mean", "std", "min", "max", "q01", "q99"))
    if (std < 0.0).any():
        raise StatisticsFileError(f"statistics {path}: 'std' of the action is negative")
    return Statistics(mean, std, minimum, maximum, q01, q99, given.astype(bool))


def _entry(path: str | Path, document: Any, key: str | None) -> Mapping[str, Any]:
    """The action's part of the document."""
    if isinstance(document, dict) and isinstance(document.get("norm_stats"), dict):
        keyed = {"norm_stats": {"action": document["norm_stats"].get("actions")}}
    elif isinstance(document, dict) and "action" in document:
        keyed = {"": document}
    else:
        keyed = {k: v for k, v in document.items() if isinstance(v, dict)} if isinstance(document, dict) else {}
        if key is None and len(keyed) > 1:
            raise StatisticsFileError(
                f"statistics {path} are of several datasets: {', '.join(sorted(keyed))}; say which in statistics_key"
            )
        if key is not None and key not in keyed:
            there = ", ".join(sorted(keyed)) or "(nothing)"
            raise StatisticsFileError(f"statistics {path} have no dataset '{key}'; there is: {there}")
        keyed = {key: keyed[key]} if key is not None else keyed
    if key is not None and key not in keyed:
        raise StatisticsFileError(f"statistics {path} are of one dataset without a name; leave out statistics_key")
    entry = next(iter(keyed.values()), {}).get("action")
    if not isinstance(entry, dict):
        raise StatisticsFileError(f"statistics {path} have no action statistics in OpenVLA's, Octo's or openpi's form")
    return entry


def _unpadded(figures: dict[str, NDArray[np.float64]], width: int) -> dict[str, NDArray[np.float64]]:
    """Without the dimensions beyond `width` where those never were anything but 0: openpi's pi0 pads its actions to 32,
    and its loader leaves the rest of the statistics out. Its percentiles, of a histogram, are 0 within 1e-10."""
    rest = np.concatenate([values[width:] for values in figures.values()])
    if (np.abs(rest) >= _OPENPI_ZERO).any():
        return figures
    return {name: values[:width] for name, values in figures.items()}


def _figure(path: str | Path, entry: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    try:
        values = np.asarray(entry[name], dtype=np.float64)
    except KeyError:
        raise StatisticsFileError(f"statistics {path} lack '{name}' of the action") from None
    except (TypeError, ValueError):
        raise StatisticsFileError(f"statistics {path}: '{name}' of the action is no list of numbers") from None
    if values.ndim != 1 or not np.isfinite(values).all():
        raise StatisticsFileError(f"statistics {path}: '{name}' of the action is no list of finite numbers")
    return values


def data_key(episodes: Iterable[tuple[ArrayLike, ArrayLike]]) -> str:
    """What statistics are keyed on: a SHA-256 of the data, action (T, D) and proprioception (T, P) of each train
    episode as float32, in whatever order the episodes come."""
    digests = sorted(_episode_digest(*episode) for episode in episodes)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _episode_digest(*arrays: ArrayLike) -> bytes:
    digest = hashlib.sha256()
    for values in arrays:
        rows = np.ascontiguousarray(values, dtype="<f4")
        digest.update(repr(rows.shape).encode())
        digest.update(rows.tobytes())
    return digest.digest()
