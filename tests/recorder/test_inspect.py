"""`teleloom inspect`: what a person and a program see of an episode, and what a hostile file cannot do."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspected import EPISODE_ID, START_NS, make_meta, write_sample

from recorder.commands import inspect
from recorder.inspection.episode_page import episode_page
from recorder.inspection.summary import summarise
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("station") / "episodes" / f"{EPISODE_ID}.h5", frozen_from_s=3.5)


class Tags(HTMLParser):
    """Every element and attribute of a page; and the text that is outside of the style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def sources(self) -> list[str]:
        return [attributes["src"] or "" for name, attributes in self.elements if name == "img"]


def page_of(path: Path) -> str:
    with EpisodeReader(path) as reader:
        return episode_page(reader, summarise(reader))


def test_the_text_names_task_streams_events_interventions_and_findings(episode: Path) -> None:
    result = CliRunner().invoke(inspect, [str(episode)], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    for expected in (
        "put the pear into the bowl",
        "put_in_bowl",
        "5.99 s, 60 steps at 10 Hz",
        "cameras/wrist",
        "5 queue_full",
        "160x120 jpeg",
        "workspace",
        "button",
        "bad (0.30)",
        "camera 'wrist' is frozen for 2.4 s while the arm moves",
    ):
        assert expected in result.output, expected


def test_gaps_and_alignment_have_their_unit_and_what_means_nothing_is_left_out(episode: Path) -> None:
    result = CliRunner().invoke(inspect, [str(episode)], env={"COLUMNS": "160"})
    rows = [line.split() for line in result.output.splitlines() if len(line.split()) > 3]
    lines = {row[0]: " ".join(row) for row in rows}
    assert lines["stream"] == "stream samples Hz received dropped never came gap [ms] at [s]"
    assert lines["camera"] == "camera format frames from state p50 [ms] p99 [ms] max [ms]"
    assert lines["robot"] == "robot 600 100.0 600 0 0 10.0 0.00"
    assert lines["events"] == "events 2 – 2 0 0 – –"
    assert lines["front"] == "front 160x120 jpeg 60 0.00 0.00 0.00"


def test_overtaken_frames_of_the_hand_are_called_superseded(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5", duration_s=2.0, xr_numbers=[0, 1, 4, 5, 9])
    output = CliRunner().invoke(inspect, [str(path)], env={"COLUMNS": "160"}).output
    (line,) = [line for line in output.splitlines() if line.split()[:1] == ["xr"]]
    assert "5 superseded" in line
    assert "<td>5 superseded</td>" in re.sub(r"<td[^>]*>", "<td>", page_of(path))
    with EpisodeReader(path) as reader:
        (row,) = [row for row in summarise(reader).streams if row.name == "xr"]
    assert (row.missing_seq, row.superseded) == (0, 5)


def test_json_is_one_document_with_the_figures(episode: Path) -> None:
    result = CliRunner().invoke(inspect, [str(episode), "--json"])
    document = json.loads(result.stdout)
    streams = {row["name"]: row for row in document["streams"]}
    assert streams["robot"]["samples"] == 600
    assert streams["robot"]["rate_hz"] == pytest.approx(100.0)
    assert streams["robot"]["worst_gap_s"] == pytest.approx(0.01)
    assert (streams["xr"]["received"], streams["xr"]["dropped"]) == (5, {"queue_full": 5})
    assert (streams["events"]["samples"], streams["events"]["received"]) == (2, 2)
    assert (streams["events"]["missing_seq"], streams["events"]["rate_hz"]) == (0, 0.0)
    assert document["interventions"] == [{"name": "workspace", "count": 1, "seconds": 0.39}]
    assert [event["t_s"] for event in document["events"]] == [0.5, 3.0]
    assert document["quality"]["verdict"] == "bad"
    assert document["cameras"][0]["alignment_max_ms"] == 0.0


def test_the_verdict_on_a_file_names_the_frozen_camera_and_when(episode: Path) -> None:
    with EpisodeReader(episode) as reader:
        report = assess(reader)
    (fault,) = [finding for finding in report.findings if finding.severity == "fault"]
    assert (fault.kind, fault.source) == ("frozen", "cameras/wrist")
    assert ((fault.start_ns - START_NS) / 1e9, (fault.end_ns - START_NS) / 1e9) == (3.5, 5.9)


def test_a_whole_episode_is_good(tmp_path: Path) -> None:
    with EpisodeReader(write_sample(tmp_path / "a.h5")) as reader:
        assert assess(reader).verdict == "good"


def test_the_page_shows_the_recorded_bytes_of_every_camera(episode: Path) -> None:
    sources = Tags(page_of(episode)).sources()
    assert len(sources) == 16
    shown = [b64decode(source.removeprefix("data:image/jpeg;base64,")) for source in sources]
    with EpisodeReader(episode) as reader:
        recorded = {reader.frame_bytes(camera, i) for camera in reader.cameras for i in range(60)}
        assert shown[0] == reader.frame_bytes("front", 0)
        assert shown[7] == reader.frame_bytes("front", 59)
    assert set(shown) <= recorded


def test_pictures_in_a_fault_are_marked(episode: Path) -> None:
    page = page_of(episode)
    assert page.count('<figure class="marked">') == 3
    assert 'class="span-fault"' in page
    assert 'class="span-intervention"' in page


def test_the_page_needs_nothing_else_and_runs_nothing(episode: Path) -> None:
    page = page_of(episode)
    elements = Tags(page).elements
    assert not {"script", "link", "iframe", "object"} & {name for name, _ in elements}
    assert all(source.startswith("data:image/jpeg;base64,") for source in Tags(page).sources())
    assert not re.search(r"https?://", page)
    assert "default-src &#x27;none&#x27;" in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_is_the_same_every_time(episode: Path) -> None:
    assert page_of(episode) == page_of(episode)


def test_hostile_words_in_a_file_stay_words(tmp_path: Path) -> None:
    meta = make_meta(HOSTILE, operator=HOSTILE, station=HOSTILE, notes=HOSTILE)
    path = write_sample(tmp_path / "a.h5", meta, duration_s=2.0)
    page = page_of(path)
    elements = Tags(page).elements
    assert "script" not in {name for name, _ in elements}
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_hostile_words_do_not_steer_the_terminal(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5", make_meta("\x1b[2Jgone [red]not markup[/red]"), duration_s=2.0)
    result = CliRunner().invoke(inspect, [str(path)], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    assert "\x1b[2J" not in result.output
    assert "[red]not markup[/red]" in result.output


def test_a_ledger_of_nonsense_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    ledger = {"streams": {"robot": 7, "\ud800": {"received": "many", "dropped": {"\udfff": 2}}}, "alignment": []}
    path = write_sample(tmp_path / "a.h5", duration_s=2.0)
    with EpisodeReader(path) as reader, pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpisodeReader, "ledger", ledger)
        summary = summarise(reader)
        assert episode_page(reader, summary).encode()
    assert {row.name: row.dropped for row in summary.streams}["?"] == {"?": 2}


def test_html_is_written_beside_the_text(episode: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    result = CliRunner().invoke(inspect, [str(episode), "--html", str(target)])
    assert result.exit_code == 0
    assert target.read_text(encoding="utf-8") == page_of(episode)


def test_a_station_is_a_table_of_its_episodes(episode: Path) -> None:
    root = episode.parent.parent
    result = CliRunner().invoke(inspect, [str(root)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "put_in_bowl" in result.output
    document = json.loads(CliRunner().invoke(inspect, [str(root), "--json"]).stdout)
    assert [one["episode_id"] for one in document["episodes"]] == [EPISODE_ID]


def test_a_broken_file_among_others_is_named_and_the_exit_says_so(tmp_path: Path) -> None:
    whole = write_sample(tmp_path / "episodes" / "a.h5", duration_s=2.0)
    (tmp_path / "episodes" / "b.h5").write_bytes(whole.read_bytes()[:20_000])
    result = CliRunner().invoke(inspect, [str(tmp_path), "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert len(document["episodes"]) == 1
    assert "b.h5" in document["broken"][0]
    assert "1 of 2" in result.stderr


@pytest.mark.parametrize("content", [b"", b"not an episode", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_a_file_that_is_no_episode_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strange.h5"
    path.write_bytes(content)
    result = CliRunner().invoke(inspect, [str(path)])
    assert result.exit_code == 1
    assert "strange.h5" in result.stderr


def test_an_empty_station_says_where_it_looked(tmp_path: Path) -> None:
    result = CliRunner().invoke(inspect, [str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path / "episodes") in result.stderr


def test_a_page_is_of_one_episode(episode: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(inspect, [str(episode.parent.parent), "--html", str(tmp_path / "p.html")])
    assert result.exit_code == 1
    assert "one episode" in result.stderr
