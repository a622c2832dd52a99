"""What all exporters share: a folder that appears whole or not at all, its ledger and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dataset_builder.build.place import folder_in_place, tidy
from dataset_builder.build.run import DatasetExistsError, NothingToBuildError
from dataset_builder.exchange.exporting.episodes import Berth, Departure, Departures, Known, berth
from dataset_builder.exchange.report import NotCarried
from dataset_builder.ledger import Ledger, Rejected, UnfitEpisodeError, why_none
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.candidates import Selection
from dataset_builder.source.gather import Progress, gather
from teleloom.files import write_json

LEDGER = "ledger.json"
REPORT = "export.json"


class ExportOptionError(ValueError):
    """An option that the format does not have, or a value that it does not take. The message lists what there is."""


class UnexportableError(ValueError):
    """A dataset that the format cannot hold. The message names what is in the way, and what would help."""


@dataclass(frozen=True)
class ExportReport:
    """What an export did, or would do. splits: episodes in each. not_carried: what the format has no place for.

    warnings: what whoever exports ought to know of this one; notes: of the format.
    """

    format: str
    path: Path
    ledger: Ledger
    splits: dict[str, int]
    not_carried: tuple[NotCarried, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    episode_notes: dict[str, tuple[str, ...]]
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "path": str(self.path),
            "dry_run": self.dry_run,
            "splits": self.splits,
            "not_carried": [asdict(entry) for entry in self.not_carried],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "episode_notes": {episode: list(notes) for episode, notes in self.episode_notes.items()},
            "ledger": self.ledger.to_json(),
        }


@dataclass(frozen=True)
class Writing:
    """How a format writes a dataset. write: the episodes into an empty folder, each counted with `departures.wrote`.

    check: raises UnexportableError for an episode that the format cannot hold. needs_joints: an episode of which no
    joints are known cannot be in. whole_rate: all episodes must have one rate, a whole number.
    """

    write: Callable[[Path, Departures], None]
    check: Callable[[Departure], None] | None = None
    needs_joints: bool = False
    whole_rate: bool = False
    not_carried: tuple[NotCarried, ...] = ()
    notes: tuple[str, ...] = ()


class Exporter(Protocol):
    """A module that writes a format. EXPORT_OPTIONS: its own options, and what each can be, the default first."""

    FORMAT: str
    EXPORT_OPTIONS: Mapping[str, tuple[str, ...]]

    def writing(self, choice: Mapping[str, str]) -> Writing:
        """How to write it with these options, every one of EXPORT_OPTIONS. Raises MissingExtraError."""
        ...


def export_dataset(
    exporter: Exporter,
    selection: Selection,
    manifest: BuildManifest,
    out: Path,
    options: Mapping[str, str],
    *,
    force: bool,
    dry_run: bool,
    progress: Progress,
) -> ExportReport:
    """Export the selected episodes to the folder `out`, with the ledger and the report beside what the format has.

    dry_run: read, decode and check every episode instead, and write nothing; an `out` that would be refused is a
    warning then.

    Raises ExportOptionError, DatasetExistsError unless `force`, NothingToBuildError when no episode of the train split
    is left, UnexportableError, TaskErasedError, MissingExtraError, and OSError when the disk refuses; `out` then stays
    as it was.
    """
    writing = exporter.writing(_chosen(options, exporter.EXPORT_OPTIONS))
    taken = f"{out} exists already; export to another folder, or replace this one with --force"
    if not dry_run:
        tidy(out)
    is_refused = out.exists() and not force
    if is_refused and not dry_run:
        raise DatasetExistsError(taken)
    gathered = gather(selection.candidates, manifest, progress, berth)
    berths, rejected = _of_known_arms(gathered.kept, writing.needs_joints)
    if writing.whole_rate:
        berths, others = _of_one_rate(exporter.FORMAT, berths)
        rejected += others
    rejected = [*selection.rejected, *gathered.rejected, *rejected]
    departures = Departures(berths, manifest, progress, rejected)
    warnings = (*selection.warnings, *gathered.warnings)

    def report() -> ExportReport:
        if not departures.train_ids:
            raise NothingToBuildError(f"no episode is left to train on:{why_none(departures.rejected)}")
        return ExportReport(
            exporter.FORMAT,
            out,
            Ledger(selection.inputs, tuple(departures.emitted), tuple(departures.rejected)),
            departures.splits(),
            (*_never_carried(manifest), *writing.not_carried),
            (*warnings, taken) if is_refused else warnings,
            writing.notes,
            {episode: said for episode, said in departures.episode_notes.items() if said},
            dry_run,
        )

    if dry_run:
        for departure in departures:
            if writing.check is not None:
                writing.check(departure)
            departures.wrote(departure, "")
        return report()
    with folder_in_place(out, may_replace=force) as folder:
        writing.write(folder, departures)
        done = report()
        write_json(folder / LEDGER, done.ledger.to_json())
        write_json(folder / REPORT, {key: value for key, value in done.to_json().items() if key not in _OF_THE_RUN})
    return done


_OF_THE_RUN = ("path", "dry_run")


def _chosen(options: Mapping[str, str], allowed: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The options with their defaults, the first of the values allowed. Raises ExportOptionError."""
    for name, value in options.items():
        if name not in allowed:
            raise ExportOptionError(f"no option '{name}'; there is: {', '.join(sorted(allowed)) or 'none'}")
        if value not in allowed[name]:
            raise ExportOptionError(f"option {name} cannot be '{value}'; it can be {', '.join(allowed[name])}")
    return {name: options.get(name, values[0]) for name, values in allowed.items()}


def _never_carried(manifest: BuildManifest) -> Iterator[NotCarried]:
    yield NotCarried("streams at their own rates", "only the steps go out; the episode file keeps the rest")
    yield NotCarried("events", "presses, faults and takeovers have no place there; steps carry mode and intervention")
    yield NotCarried("review", "opinions, flags and segments; trim, instructions, outcome and weight are in effect")
    if manifest.questions.asked_for:
        yield NotCarried("questions and plans", "`teleloom build` writes them beside its records")


def _of_known_arms(berths: Sequence[Berth], needs_joints: bool) -> tuple[list[Berth], list[Rejected]]:
    """Those that all have joints, or all have tool poses: a dataset has one kind of state."""
    wanted: Known = "joints"
    if not needs_joints and sum("tool_pose" in b.known for b in berths) > sum("joints" in b.known for b in berths):
        wanted = "tool_pose"
    said = wanted.replace("_", " ")
    error = UnfitEpisodeError(f"no-{said.replace(' ', '-')}", f"its {said} is not known, and the export has it")
    kept = [each for each in berths if wanted in each.known]
    return kept, [each.candidate.rejected(error) for each in berths if wanted not in each.known]


def _of_one_rate(format: str, berths: Sequence[Berth]) -> tuple[list[Berth], list[Rejected]]:
    rates = Counter(each.rate_hz for each in berths)
    if not rates:
        return [], []
    rate = max(rates, key=lambda each: (rates[each], each))
    if rate != round(rate):
        raise UnexportableError(
            f"{format} counts whole frames a second, and the episodes have {rate:g} steps a second; "
            "set step_rate_hz in the manifest"
        )
    others = []
    for each in berths:
        if each.rate_hz != rate:
            detail = f"{each.rate_hz:g} steps a second, and most have {rate:g}; set step_rate_hz in the manifest"
            others.append(each.candidate.rejected(UnfitEpisodeError("other-rate", detail)))
    return [each for each in berths if each.rate_hz == rate], others
