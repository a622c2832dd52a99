"""Whatever a crash leaves becomes an episode or is set aside with a reason, however often one asks."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from recording import (
    MS,
    assert_balanced,
    assert_nothing_shifted,
    make_meta,
    record,
    recorder_at,
    robot_state,
)

from recorder.commands import recover as recover_command
from recorder.errors import UnusableJournalError
from recorder.finalise import OVERHEAD_BYTES, expected_bytes, finalise
from recorder.intake import read_journal
from recorder.journal import JournalWriter, StreamCounts, journal_path
from recorder.recovery import recover
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal that its recorder never ended."""
    path = journal_path(tmp_path, "episode-1")
    unended(tmp_path, "episode-1")
    return path


def unended(root: Path, episode_id: str) -> None:
    recorder = recorder_at(root / "crashed")
    recorder.start(make_meta(episode_id))
    record(recorder)
    path = journal_path(root, episode_id)
    path.parent.mkdir(exist_ok=True)
    shutil.copy(journal_path(root / "crashed", episode_id), path)
    recorder.discard("its copy is what the test is about")


def test_a_leftover_journal_becomes_an_episode_once(journal: Path, tmp_path: Path) -> None:
    found = recover(tmp_path)
    assert [(item.state, item.rows, item.cut_bytes) for item in found] == [("finalised", 421, 0)]
    assert recover(tmp_path) == []
    assert not journal.exists()
    with EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        reader.verify()
        assert_nothing_shifted(reader)
        assert reader.ledger["journal"]["ended"] is False


def test_a_journal_cut_anywhere_gives_what_lies_before_the_cut(journal: Path, tmp_path: Path) -> None:
    data, rng = journal.read_bytes(), random.Random(3)
    before = -1
    for number, size in enumerate(sorted(rng.sample(range(len(data)), 25))):
        root = tmp_path / f"cut-{number}"
        path = journal_path(root, "episode-1")
        path.parent.mkdir(parents=True)
        path.write_bytes(data[:size])
        (item,) = recover(root)
        if item.state == "discarded":
            assert before == -1
            assert (root / "discarded" / "episode-1.mcap").read_bytes() == data[:size]
            continue
        assert item.state == "finalised"
        assert item.rows >= before
        before = item.rows
        with EpisodeReader(episode_path(root, "episode-1")) as reader:
            reader.verify()
            assert_nothing_shifted(reader)
            assert_balanced(reader)
            assert reader.ledger["journal"]["cut_bytes"] == item.cut_bytes
            assert all(
                entry["missing_seq"] == 0 for name, entry in reader.ledger["streams"].items() if name != "events"
            )
            if item.cut_bytes > 100:
                assert sum(entry["dropped"].get("cut", 0) for entry in reader.ledger["streams"].values()) == 1
    assert before > 300


def test_random_damage_inside_a_journal_never_stops_recovery(journal: Path, tmp_path: Path) -> None:
    data, rng = journal.read_bytes(), random.Random(5)
    states = set()
    for number in range(40):
        damaged = bytearray(data)
        for _ in range(5):
            start = rng.randrange(len(damaged))
            damaged[start : start + 4] = rng.randbytes(4)
        root = tmp_path / f"damaged-{number}"
        path = journal_path(root, "episode-1")
        path.parent.mkdir(parents=True)
        path.write_bytes(damaged)
        (item,) = recover(root)
        states.add(item.state)
        if item.state == "finalised":
            assert item.episode is not None
            with EpisodeReader(item.episode) as reader:
                reader.verify()
                assert_balanced(reader)
        else:
            assert item.message
    assert "finalised" in states


def test_a_damaged_journal_is_kept_beside_the_episode_made_of_it(journal: Path, tmp_path: Path) -> None:
    data = journal.read_bytes()
    middle = data.index(b"RobotState", len(data) // 2) - 60
    damaged = data[:middle] + bytes(200) + data[middle + 200 :]
    journal.write_bytes(damaged)
    (item,) = recover(tmp_path)
    assert (item.state, 100 < item.rows < 400) == ("finalised", True)
    assert (tmp_path / "discarded" / "episode-1.mcap").read_bytes() == damaged
    with EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        assert_balanced(reader)
        assert reader.ledger["journal"]["damaged"] is True
        assert reader.ledger["journal"]["cut_bytes"] == item.cut_bytes > len(data) // 3


def test_a_journal_with_nothing_usable_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    contents = {"empty": b"", "zeros": bytes(4096), "text": b"not a journal at all", "magic": b"\x89MCAP0\r\n"}
    for name, data in contents.items():
        path = journal_path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert {item.journal.stem: item.state for item in recover(tmp_path)} == dict.fromkeys(contents, "discarded")
    for name, data in contents.items():
        assert (tmp_path / "discarded" / f"{name}.mcap").read_bytes() == data
        assert json.loads((tmp_path / "discarded" / f"{name}.mcap.json").read_text())["reason"]
    assert recover(tmp_path) == []


def test_a_journal_whose_episode_is_finished_is_removed_only_when_that_is_sound(journal: Path, tmp_path: Path) -> None:
    kept = journal.read_bytes()
    recover(tmp_path)
    episode = episode_path(tmp_path, "episode-1")
    sound = episode.read_bytes()
    journal.write_bytes(kept)
    assert [(item.state, item.rows) for item in recover(tmp_path)] == [("already finalised", 421)]
    assert not journal.exists()
    journal.write_bytes(kept)
    episode.write_bytes(sound[: len(sound) // 2])
    assert [item.state for item in recover(tmp_path)] == ["finalised"]
    assert episode.read_bytes() == sound
    assert (tmp_path / "discarded" / "episode-1.h5").read_bytes() == sound[: len(sound) // 2]


def test_a_journal_that_differs_from_its_finished_episode_is_left_with_it(journal: Path, tmp_path: Path) -> None:
    recover(tmp_path)
    writer = JournalWriter(journal, make_meta())
    writer.append("robot", robot_state(0, 0))
    writer.close()
    (item,) = recover(tmp_path)
    assert item.state == "failed"
    assert "differ; move one of them away" in item.message
    assert journal.exists()
    assert episode_path(tmp_path, "episode-1").exists()


def test_room_asked_for_is_enough_for_the_file(journal: Path, tmp_path: Path) -> None:
    expected = expected_bytes(read_journal(journal))
    finished = finalise(journal, tmp_path, quality=False)
    assert finished.path.stat().st_size < expected < 5 * finished.path.stat().st_size + OVERHEAD_BYTES


def test_a_journal_in_use_is_left_alone(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    recorder.start(make_meta())
    record(recorder)
    assert [item.state for item in recover(tmp_path)] == ["in use"]
    path = recorder.stop("success").result()
    assert recover(tmp_path) == []
    with EpisodeReader(path) as reader:
        assert len(reader.stream("robot")["t_ns"]) == 200


def test_two_recoveries_at_once_make_each_episode_once(tmp_path: Path) -> None:
    for number in range(6):
        unended(tmp_path, f"episode-{number}")
    found = []
    threads = [threading.Thread(target=lambda: found.extend(recover(tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [item.state for item in found]
    assert states.count("finalised") == 6
    assert set(states) <= {"finalised", "in use"}
    assert len(list((tmp_path / "episodes").iterdir())) == 6
    assert list((tmp_path / "journal").iterdir()) == []


def test_what_a_killed_finalisation_left_is_cleared_away(journal: Path, tmp_path: Path) -> None:
    episodes = tmp_path / "episodes"
    episodes.mkdir()
    (episodes / ".episode-1.h5.0badcafe.tmp").write_bytes(b"half")
    (episodes / ".episode-1.h5.room.tmp").write_bytes(bytes(1000))
    unborn = journal.parent / ".episode-2.mcap.tmp"
    unborn.write_bytes(b"\x89MCAP")
    recover(tmp_path)
    assert unborn.exists()
    os.utime(unborn, (0, 0))
    recover(tmp_path)
    assert [path.name for path in episodes.iterdir()] == ["episode-1.h5"]
    assert list(journal.parent.iterdir()) == []


def test_what_was_dropped_before_a_crash_is_in_the_ledger_after_it(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "episode-1")
    path.parent.mkdir()
    writer = JournalWriter(path, make_meta())
    for i in range(10):
        writer.append("robot", robot_state(i * 5 * MS, 3 * i))
    writer.note_counts({"robot": StreamCounts(25, {"queue_full": 12}), "tick": StreamCounts(4, {"queue_full": 4})})
    writer.close()
    (item,) = recover(tmp_path)
    assert item.episode is not None
    with EpisodeReader(item.episode) as reader:
        assert_balanced(reader)
        robot, tick = reader.ledger["streams"]["robot"], reader.ledger["streams"]["tick"]
        assert (robot["received"], robot["written"], robot["missing_seq"]) == (25, 10, 18)
        assert robot["dropped"] == {"not_written": 3, "queue_full": 12}
        assert (tick["received"], tick["written"], tick["dropped"]) == (4, 0, {"queue_full": 4})


def test_an_id_in_a_journal_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "evil")
    path.parent.mkdir()
    writer = JournalWriter(path, make_meta("../../evil"))
    writer.append("robot", robot_state(0, 0))
    writer.close()
    (item,) = recover(tmp_path)
    assert (item.state, path.exists()) == ("failed", True)
    assert "episode id" in item.message


def test_finalising_an_empty_journal_leaves_it(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "empty")
    path.parent.mkdir()
    path.write_bytes(b"")
    with pytest.raises(UnusableJournalError):
        finalise(path, tmp_path)
    assert path.exists()


def test_the_command_prints_one_json_document_and_fails_when_a_journal_stays(journal: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(recover_command, [str(tmp_path), "--json"])
    assert result.exit_code == 0
    (item,) = json.loads(result.stdout)["journals"]
    assert (item["state"], item["rows"]) == ("finalised", 421)
    assert item["quality"]["verdict"] in ("good", "doubtful", "bad")
    assert CliRunner().invoke(recover_command, [str(tmp_path)]).output.startswith("nothing to recover")
    writer = JournalWriter(journal_path(tmp_path, "evil"), make_meta("../../evil"))
    writer.append("robot", robot_state(0, 0))
    writer.close()
    failed = CliRunner().invoke(recover_command, [str(tmp_path)])
    assert failed.exit_code == 1
    assert "episode id" in failed.stderr


def test_the_command_enters_what_it_recovered_into_the_catalog_with_its_verdict(journal: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(recover_command, [str(tmp_path)]).exit_code == 0
    with Catalog.open(tmp_path) as catalog, EpisodeReader(episode_path(tmp_path, "episode-1")) as reader:
        row = catalog.episode("episode-1")
        assert row.content_hash == reader.content_hash()
        assert row.quality == assess(reader).model_dump(mode="json")


def test_an_episode_whose_finaliser_was_killed_before_it_told_anyone_is_entered_too(
    journal: Path, tmp_path: Path
) -> None:
    kept = journal.read_bytes()
    recover(tmp_path)
    journal.write_bytes(kept)
    result = CliRunner().invoke(recover_command, [str(tmp_path), "--json"])
    (item,) = json.loads(result.stdout)["journals"]
    with Catalog.open(tmp_path) as catalog:
        assert (item["state"], catalog.episode("episode-1").quality) == ("already finalised", item["quality"])


def test_a_catalog_that_cannot_be_opened_keeps_nobody_from_the_episodes(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").mkdir()
    result = CliRunner().invoke(recover_command, [str(tmp_path)])
    assert result.exit_code == 1
    assert episode_path(tmp_path, "episode-1").exists()
    assert "1 recovered episodes are not in the catalog" in result.stderr
    assert f"teleloom review rescan {tmp_path}" in result.stderr


def test_an_episode_that_the_catalog_refuses_is_named(journal: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    recorder = recorder_at(other)
    recorder.start(make_meta("episode-1"))
    record(recorder, seconds=0.5)
    with Catalog.open(tmp_path) as catalog:
        catalog.register(recorder.stop("success").result())
    result = CliRunner().invoke(recover_command, [str(tmp_path)])
    assert result.exit_code == 1
    assert "episode-1.h5 is not in the catalog: episode episode-1 is known from" in result.stderr


def test_recovery_tells_of_each_file_and_judges_it_when_asked(tmp_path: Path) -> None:
    unended(tmp_path, "episode-1")
    unended(tmp_path, "episode-2")
    (tmp_path / "journal" / "episode-0.mcap").write_bytes(b"")
    told: list[tuple[str, bool]] = []
    recover(tmp_path, quality=True, on_finished=lambda path, quality: told.append((path.stem, quality is not None)))
    assert told == [("episode-1", True), ("episode-2", True)]
