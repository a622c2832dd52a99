"""Spoiled inputs: each is named with its reason and what helps, the rest is built, and the exit code says so."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Station
from hypothesis import given
from hypothesis import strategies as st
from synthetic_episodes import Episode, camera_stream, frames_of, streams_of, write

from dataset_builder.commands import build
from dataset_builder.ledger import BROKEN, Emitted, Ledger, LedgerImbalanceError, Rejected
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.streams import Stream

SMALL = Episode(seed=0, seconds=0.6, size=(32, 48))
SOUND = 3
MANIFEST = """
name: kitchen
select: {without_tags: [practice]}
splits: {val_fraction: 0.3, fill_empty: true}
lineage: {rounds: [{round: 1, policy_version: bc-1}]}
filters: {no_ops: libero, drop_flags: [blocked]}
"""
REMEDIES = {
    "bad-file": r"restore it from a copy|check the path",
    "broken-image": r"camera 'wrist', step \d+: .*; restore the episode from a copy",
    "duplicate": "which is in; nothing is to be done",
    "empty": "restore it from a copy",
    "disputed": "settles it with `teleloom review adjudicate`",
    "missing-camera": "change `cameras` in the manifest",
    "missing-file": "restore it from a copy",
    "missing-frames": "trim its beginning off, or change `cameras`",
    "not-approved": "review it with `teleloom review`",
    "not-finite": "look at the robot driver",
    "not-in-catalog": "run `teleloom review rescan ROOT`, then review it",
    "not-selected": r"select.without_tags: it is tagged practice; change `select`",
    "only-flagged": r"none of its \d+ steps \(flag:blocked \d+\); change `filters`",
    "other-layout": "build it as a dataset of its own",
    "outside-root": "put the file itself into episodes/",
    "rejected-in-review": "tester rejected it: slipped; .* `teleloom review undo`",
    "unknown-policy": "add it to `lineage.rounds`",
    "unknown-version": "version 99 of teleloom.episode; this reads 1; update teleloom",
    "zero-steps": "undo or widen the trim",
}


class Spoiler:
    """Adds episodes to a station and spoils them. expected: the reason by the id that the ledger has to name."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.expected: dict[str, str] = {}
        self._seed = 0

    def add(self, reason: str, *said: dict[str, object], approve: bool = True, **what: object) -> Path:
        """An episode that is to be rejected for this reason; its file, to be spoiled."""
        return self.spoil(reason, lambda _: {}, *said, approve=approve, **what)

    def spoil(
        self,
        reason: str,
        streams: Callable[[Episode], dict[str, Stream]],
        *said: dict[str, object],
        approve: bool = True,
        **what: object,
    ) -> Path:
        """The same with other streams from the start."""
        episode = self.next(**what)
        identity = self.station.add(episode, *said, approve=approve, spoil=streams(episode))
        self.expected[identity] = reason
        return episode_path(self.station.root, identity)

    def next(self, **what: object) -> Episode:
        self._seed += 1
        return dataclasses.replace(SMALL, seed=self._seed, **what)


def wrist(change: Callable[[list[bytes]], None], size: tuple[int, int] = SMALL.size) -> Callable:
    """Wrist frames of this size that `change` was at, in an episode that says they have the usual size."""

    def streams(episode: Episode) -> dict[str, Stream]:
        frames = frames_of(dataclasses.replace(episode, size=size), "wrist")
        change(frames)
        return {"cameras/wrist": camera_stream(episode, "wrist", frames)}

    return streams


def cut_frames(frames: list[bytes]) -> None:
    """Three in a row, of which a step shows one."""
    frames[6:9] = [frame[: len(frame) // 2] for frame in frames[6:9]]


def flip_bit(frames: list[bytes]) -> None:
    """One bit of each frame's start-of-frame marker."""
    for i, frame in enumerate(frames):
        header = frame.index(b"\xff\xc0")
        frames[i] = frame[: header + 1] + bytes([frame[header + 1] ^ 0x10]) + frame[header + 2 :]


def leave(frames: list[bytes]) -> None:
    pass


def not_a_number(stream: str, column: str) -> Callable[[Episode], dict[str, Stream]]:
    def streams(episode: Episode) -> dict[str, Stream]:
        spoiled = streams_of(episode)[stream]
        spoiled.columns[column][60:90] = np.nan
        return {stream: spoiled}

    return streams


def without_rows(stream: str) -> Callable[[Episode], dict[str, Stream]]:
    return lambda episode: {stream: streams_of(episode)[stream].rows(np.empty(0, dtype=np.int64))}


def much_later(stream: str) -> Callable[[Episode], dict[str, Stream]]:
    def streams(episode: Episode) -> dict[str, Stream]:
        spoiled = streams_of(episode)[stream]
        spoiled.columns["t_ns"] += 60_000_000_000
        return {stream: spoiled}

    return streams


def all_of_it(label: str) -> dict[str, object]:
    return {"kind": "flag", "label": label, "start_ns": 0, "end_ns": 5_000_000_000}


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Spoiler:
    """Three sound episodes among every kind of spoiled input."""
    folder = tmp_path_factory.mktemp("spoiled")
    station = Station(folder / "station")
    station.root.mkdir()
    spoiler = Spoiler(station)
    sound = [station.add(spoiler.next()) for _ in range(SOUND)]

    whole = spoiler.add("bad-file")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    stump = spoiler.add("bad-file")
    stump.write_bytes(stump.read_bytes()[:100])
    spoiler.add("bad-file").write_bytes(b"")
    spoiler.add("bad-file").write_text("an episode, honestly\n")
    with h5py.File(spoiler.add("unknown-version"), "r+") as file:
        file.attrs["version"] = 99

    spoiler.spoil("broken-image", wrist(cut_frames))
    spoiler.spoil("broken-image", wrist(flip_bit))
    spoiler.spoil("broken-image", wrist(leave, size=(16, 16)))
    spoiler.spoil("not-finite", not_a_number("robot", "q"))
    spoiler.spoil("not-finite", not_a_number("tick", "target_executed"))
    spoiler.add("missing-camera", cameras=("front",))
    spoiler.spoil("missing-frames", without_rows("cameras/wrist"))
    spoiler.spoil("empty", much_later("tick"))
    spoiler.add("other-layout", size=(64, 64))
    spoiler.add("other-layout", robot="ur5e", joints=6)
    spoiler.add("unknown-policy", policy="bc-7")

    spoiler.add("zero-steps", {"kind": "trim", "start_ns": 0, "end_ns": 1})
    spoiler.add("only-flagged", all_of_it("blocked"))
    spoiler.add("not-selected", {"kind": "tag", "tag": "practice"})
    spoiler.add("not-approved", approve=False)
    spoiler.add("rejected-in-review", {"kind": "verdict", "decision": "reject", "reason": "slipped"}, approve=False)
    dispute(spoiler)

    twins = sorted(station.add(dataclasses.replace(SMALL, seed=90, copy=copy)) for copy in (0, 1))
    spoiler.expected[twins[1]] = "duplicate"
    spoiler.add("missing-file").unlink()
    folder_in_its_place = spoiler.add("missing-file")
    folder_in_its_place.unlink()
    folder_in_its_place.mkdir()
    linked = spoiler.add("outside-root")
    linked.rename(folder / "elsewhere.h5")
    linked.symlink_to(folder / "elsewhere.h5")
    dangling = spoiler.add("outside-root")
    dangling.unlink()
    dangling.symlink_to(folder / "nowhere.h5")

    spoiler.expected[write(station.root, spoiler.next())] = "not-in-catalog"
    (station.root / "episodes" / "junk.h5").write_bytes(b"nothing of the kind")
    (station.root / "episodes" / "folder.h5").mkdir()
    spoiler.expected |= {"junk": "bad-file", "folder": "bad-file"}
    assert not {*sound, twins[0]} & spoiler.expected.keys()
    return spoiler


def dispute(spoiler: Spoiler) -> None:
    identity = spoiler.station.add(spoiler.next(), {"kind": "overlap", "reviewers": 2}, approve=False)
    spoiler.station.annotate(identity, {"kind": "verdict", "decision": "approve"}, author="anna")
    spoiler.station.annotate(identity, {"kind": "verdict", "decision": "reject", "reason": "slow"}, author="ben")
    spoiler.expected[identity] = "disputed"


def teleloom(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "station", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(spoiled: Spoiler, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """What the command line made of it: the dataset's folder, and what it said."""
    out = tmp_path_factory.mktemp("out")
    (out / "build.yaml").write_text(MANIFEST)
    done = teleloom("build", spoiled.station.root, "-c", out / "build.yaml", "--out", out)
    return out / "kitchen" / "1.0.0", done


def test_each_is_named_with_its_reason_and_what_helps(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    ledger = Ledger.from_json(json.loads((built[0] / "ledger.json").read_text()))
    assert {entry.episode_id: entry.reason for entry in ledger.rejected} == spoiled.expected
    for entry in ledger.rejected:
        assert re.search(REMEDIES[entry.reason], entry.detail), entry
    assert set(spoiled.expected.values()) == set(REMEDIES)


def test_the_rest_is_built_and_the_counts_balance(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    document = json.loads((built[0] / "ledger.json").read_text())
    Ledger.from_json(document).check()
    counts = document["counts"]
    assert (counts["inputs"], counts["emitted"]) == (len(spoiled.expected) + SOUND + 1, SOUND + 1)
    assert counts["rejected"] == len(spoiled.expected)
    assert counts["rejected_by_reason"] == dict(sorted(Counter(spoiled.expected.values()).items()))
    assert counts["broken"] == sum(reason in BROKEN for reason in spoiled.expected.values())
    assert sum(each["emitted"] for each in counts["by_task"].values()) == SOUND + 1
    assert sum(each["rejected"] for each in counts["by_task"].values()) == len(spoiled.expected)


def test_the_exit_code_says_that_inputs_are_broken(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    done = built[1]
    assert done.returncode == 3, done.stderr
    broken = sum(reason in BROKEN for reason in spoiled.expected.values())
    assert f"Warning: {broken} of {len(spoiled.expected) + SOUND + 1} episodes are broken" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_written_names_this_machine(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    assert str(spoiled.station.root.parent) not in (built[0] / "ledger.json").read_text()


def test_the_rest_is_as_if_the_spoiled_had_never_been(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    clean = Station(tmp_path / "station")
    (clean.root / "episodes").mkdir(parents=True)
    for entry in json.loads((built[0] / "ledger.json").read_text())["emitted"]:
        identity = entry["episode_id"]
        shutil.copy(episode_path(spoiled.station.root, identity), clean.root / "episodes")
        with Catalog.open(clean.root) as catalog:
            catalog.register(episode_path(clean.root, identity))
            catalog.approve(identity, "tester", 0)
    (tmp_path / "build.yaml").write_text(MANIFEST)
    command = (clean.root, "-c", tmp_path / "build.yaml", "--out", tmp_path, "--json")
    done = CliRunner().invoke(build, [str(argument) for argument in command])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["ledger"]["counts"]["emitted"] == SOUND + 1
    names = {path.name for path in built[0].glob("*.tfrecord*")}
    assert names == {path.name for path in (tmp_path / "kitchen" / "1.0.0").glob("*.tfrecord*")}
    for name in names:
        assert (built[0] / name).read_bytes() == (tmp_path / "kitchen" / "1.0.0" / name).read_bytes()


def test_a_dry_run_says_the_same(
    spoiled: Spoiler, built: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "build.yaml").write_text(MANIFEST)
    command = (spoiled.station.root, "-c", tmp_path / "build.yaml", "--out", tmp_path, "--dry-run", "--json")
    done = CliRunner().invoke(build, [str(argument) for argument in command])
    assert done.exit_code == 3
    entries = json.loads(done.stdout)["ledger"]["rejected"]
    assert {entry["episode_id"]: entry["reason"] for entry in entries} == spoiled.expected
    assert not list(tmp_path.glob("kitchen/*"))


def test_the_dataset_is_sound(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = teleloom("verify", built[0], "--no-tfds", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["records"] == SOUND + 1


def test_where_nothing_is_left_the_exit_code_is_another(station: Station, tmp_path: Path) -> None:
    identity = station.add(SMALL)
    shutil.copyfile("/dev/null", episode_path(station.root, identity))
    command = (station.root, "--name", "kitchen", "--out", tmp_path)
    done = CliRunner().invoke(build, [str(argument) for argument in command])
    assert done.exit_code == 1
    assert "bad-file (1)" in done.stderr


@given(st.lists(st.sampled_from("eruEU"), max_size=20))
def test_a_ledger_is_written_only_where_every_input_has_one_outcome(fates: list[str]) -> None:
    """e emitted, r rejected, u neither, E emitted twice, U an outcome that was no input."""
    inputs = tuple(str(i) for i, fate in enumerate(fates) if fate != "U")
    emitted = tuple(
        Emitted(str(i), "train", "s", 5, "stack") for i, f in enumerate(fates) for _ in range("eE".find(f) + 1)
    )
    rejected = tuple(Rejected(str(i), "empty", "no step", "pour") for i, fate in enumerate(fates) if fate in "rU")
    ledger = Ledger(inputs, emitted, rejected)
    if odd := [str(i) for i, fate in enumerate(fates) if fate in "uEU"]:
        with pytest.raises(LedgerImbalanceError) as error:
            ledger.to_json()
        assert set(str(error.value).split("unaccounted: ")[1].split(", ")) == set(odd)
    else:
        document = ledger.to_json()
        assert document["counts"]["steps"] == 5 * len(emitted)
        assert document["counts"]["broken"] == len(rejected)
        assert Ledger.from_json(json.loads(json.dumps(document))).to_json() == document
