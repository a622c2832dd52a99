from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_rooms import TIMEOUT_S, opened, seated, words
from service_rooms import ANNA, APPROVE, BEN, CARA, LEA, REJECT, Room, open_room
from streamlit.testing.v1 import AppTest

from review_ui.app import demo
from review_ui.app.faults import on_script_error
from review_ui.app.words import ago, count, lasting, percent, plain, short
from teleloom.catalog import EpisodeFilter
from teleloom.clock import NS_PER_S
from teleloom.files import write_json

MAIN = Path(__file__).parents[2] / "review_ui" / "app" / "main.py"
PAGES = ("queue", "review", "segments", "adjudicate", "progress", "episodes", "builds")
HOSTILE = "<script>hacked()</script> **bold** :red[x] `c` [a](javascript:b) $x$"


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest puts the page in the place of `__main__`, where processes that start later would look for theirs."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with open_room(tmp_path) as made:
        yield made


def table(page: AppTest, column: str) -> list[object]:
    cells = page.dataframe[0].value[column]
    return [list(cell) if hasattr(cell, "__len__") and not isinstance(cell, str) else cell for cell in cells]


def two_disagree(room: Room, number: int = 1) -> str:
    (episode_id,) = room.add(number)
    room.say(LEA, episode_id, {"kind": "overlap", "reviewers": 2})
    room.say(ANNA, episode_id, {"kind": "score", "score": 4}, APPROVE)
    room.say(BEN, episode_id, {"kind": "score", "score": 2}, REJECT)
    return episode_id


@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_itself_over_reviewed_episodes(room: Room, name: str) -> None:
    room.add(*range(2, 6))
    two_disagree(room)
    room.say(ANNA, room.add(7)[0], APPROVE)
    with seated(room, LEA):
        page = opened(name)
        assert not page.exception
        assert not page.error


def test_the_app_opens_on_the_queue_and_says_who_is_signed_in(room: Room) -> None:
    room.add(1)
    with seated(room, ANNA):
        page = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT_S).run()
        assert not page.exception
        assert "1 episode waits" in words(page)
        assert "**anna**, annotator" in words(page)


@pytest.mark.parametrize("name", ["queue", "episodes", "progress"])
def test_a_fresh_root_offers_to_record_a_demo(room: Room, name: str) -> None:
    with seated(room, ANNA):
        page = opened(name)
        assert "No episodes yet" in words(page)
        assert "Record a demo of 6 episodes" in words(page)


def test_without_the_simulator_a_fresh_root_says_what_to_install(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SIMULATOR", "no_such_simulator")
    with seated(room, ANNA):
        page = opened("queue")
        assert "pip install 'teleloom[sim]'" in words(page)
        assert "Record a demo" not in words(page)


def test_a_demo_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('no room on the disk')"]
    monkeypatch.setattr(demo, "command", lambda root, task: failing)
    recording = demo.start(tmp_path)
    recording.join(TIMEOUT_S)
    assert not recording.running
    assert recording.fault == "no room on the disk"


def test_the_queue_counts_what_waits_and_what_i_did_today(room: Room) -> None:
    ids = room.add(*range(1, 8))
    for each, spent_s in zip(ids[:3], (30.0, 40.0, 80.0), strict=True):
        room.say(ANNA, each, {**APPROVE, "spent_s": spent_s})
    room.say(BEN, ids[3], {**APPROVE, "spent_s": 5.0})
    with seated(room, ANNA):
        said = words(opened("queue"))
        assert "3 episodes wait" in said
        assert "Seconds a verdict: 40" in said
        assert "My verdicts today: 3" in said


def test_the_queue_shows_the_riskiest_first_and_why(room: Room) -> None:
    calm, risky = room.add(1, 2)
    reason = {"kind": "long", "weight": 1.0, "message": HOSTILE, "start_ns": 0, "end_ns": 1, "source": "z"}
    room.catalog.set_risks({calm: (0.1, []), risky: (0.9, [reason])})
    with seated(room, ANNA):
        page = opened("queue")
        assert table(page, "risk") == [0.9, 0.1]
        assert table(page, "why") == [HOSTILE, "nothing unusual"]


def test_the_queue_is_narrowed_by_its_filter_and_says_when_nothing_matches(room: Room) -> None:
    room.add(1, 2, 3, task="stack")
    room.add(4, task="pour")
    with seated(room, ANNA):
        page = opened("queue")
        page.multiselect(key="queue-tasks").set_value(["pour"]).run()
        assert "1 episode waits" in words(page)
        page.text_input(key="queue-text").set_value("no such words").run()
        assert "Nothing waits that matches" in words(page)


def test_a_finished_queue_says_so(room: Room) -> None:
    room.say(ANNA, room.add(1)[0], APPROVE)
    with seated(room, ANNA):
        assert "The queue is empty" in words(opened("queue"))


def test_the_queue_shows_who_else_is_at_work_and_what_i_hold(room: Room) -> None:
    first, second, _ = room.add(1, 2, 3)
    room.service.claim(ANNA, first)
    room.service.claim(BEN, second)
    with seated(room, ANNA):
        said = words(opened("queue"))
        assert f"Go on with {short(first)}" in said
        assert "ben" in said
        assert short(second) not in said


def test_episodes_are_paged_on_the_server(room: Room) -> None:
    room.add(*range(1, 31))
    with seated(room, ANNA):
        page = opened("episodes")
        assert len(table(page, "status")) == 30
        assert "**30 episodes**" in words(page)
        page.selectbox(key="page-size").set_value(25).run()
        assert len(table(page, "status")) == 25


def test_episodes_are_found_by_status_and_by_words_of_notes_and_tags(room: Room) -> None:
    ids = room.add(*range(1, 6))
    room.say(ANNA, ids[0], APPROVE)
    room.say(ANNA, ids[1], {"kind": "note", "text": "a spilled cup"})
    with seated(room, ANNA):
        page = opened("episodes")
        page.text_input(key="q").set_value("spilled").run()
        assert table(page, "episode") == [short(ids[1])]
        page.text_input(key="q").set_value("").run()
        page.button_group(key="status").set_value(["approved"]).run()
        assert table(page, "episode") == [short(ids[0])]
        page.text_input(key="q").set_value("nothing like it").run()
        assert "Nothing matches" in words(page)


def test_what_others_said_stays_hidden_while_one_is_to_judge_blind(room: Room) -> None:
    (episode_id,) = room.add(1)
    room.say(LEA, episode_id, {"kind": "overlap", "reviewers": 2})
    room.say(ANNA, episode_id, {"kind": "score", "score": 5}, {"kind": "tag", "tag": "lovely"}, APPROVE)
    with seated(room, BEN):
        page = opened("episodes")
        assert table(page, "tags") == [[]]
        assert [value for value in table(page, "score") if value == 5] == []


def test_labels_are_shown_as_they_were_written(room: Room) -> None:
    (episode_id,) = room.add(1)
    room.say(
        ANNA, episode_id, {"kind": "tag", "tag": HOSTILE}, {"kind": "instruction", "action": "replace", "text": HOSTILE}
    )
    room.say(LEA, episode_id, {"kind": "overlap", "reviewers": 2})
    room.say(ANNA, episode_id, APPROVE)
    room.say(BEN, episode_id, {**REJECT, "reason": HOSTILE})
    with seated(room, LEA):
        page = opened("episodes")
        assert table(page, "instruction") == [HOSTILE]
        assert table(page, "tags") == [[HOSTILE]]
        assert [text.value for text in opened("adjudicate").text] == [f"“{HOSTILE}”"]


def test_adjudicate_shows_both_opinions_to_a_lead(room: Room) -> None:
    two_disagree(room)
    with seated(room, LEA):
        said = words(opened("adjudicate"))
        assert "1 episode to settle" in said
        assert ":green-badge[:material/check: approved]" in said
        assert ":red-badge[:material/close: rejected]" in said
        assert "quality **4** of 5" in said
        assert "quality **2** of 5" in said
        assert "“cube fell”" in said


def test_adjudicate_tells_others_whom_it_is_for(room: Room) -> None:
    two_disagree(room)
    with seated(room, CARA):
        said = words(opened("adjudicate"))
        assert "For leads" in said
        assert "cube fell" not in said


def test_a_lead_asks_for_overlap_where_none_is_planned(room: Room) -> None:
    room.add(*range(1, 21))
    with seated(room, LEA):
        page = opened("adjudicate")
        assert "No episode has been given to more than one person" in words(page)
        page.select_slider(key="share").set_value(1.0)
        page.button(key="ask-overlap").click().run()
        assert not page.exception
        assert room.catalog.search(EpisodeFilter(overlap=True)).total == 20
        assert "20 episodes are judged by more than one person" in words(page.run())


def test_progress_counts_and_says_how_far_people_agree(room: Room) -> None:
    room.add(*range(10, 14))
    two_disagree(room)
    with seated(room, ANNA):
        said = words(opened("progress"))
        assert "Disputed: 1" in said
        assert "Unreviewed: 4" in said
        assert "Not known yet" in said
        assert "Krippendorff" in said


def test_builds_say_what_went_in_and_what_is_new_since(room: Room) -> None:
    first, second = room.add(1, 2)
    room.say(ANNA, first, APPROVE)
    folder = room.root / "datasets" / "kitchen" / "1.0.0"
    folder.mkdir(parents=True)
    write_json(folder / "ledger.json", {"emitted": [first], "rejected": [second]})
    room.catalog.record_build("kitchen", "1.0.0", folder, {"episodes": [{"episode_id": first}]})
    room.say(ANNA, second, APPROVE)
    with seated(room, ANNA):
        page = opened("builds")
        said = words(page)
        assert "**2 approved episodes**" in said
        assert "1 of them is not in kitchen 1\\.0\\.0" in said
        assert page.code[0].value == f"teleloom build {room.root} --name kitchen --version 1.1.0 --out datasets"
        built = page.dataframe[1].value
        assert list(built["in"]) == [1]
        assert list(built["out"]) == [1]


def test_without_approved_episodes_there_is_nothing_to_build(room: Room) -> None:
    room.add(1)
    with seated(room, ANNA):
        assert "Nothing to build yet" in words(opened("builds"))


def test_files_that_cannot_be_read_are_named(room: Room) -> None:
    room.add(1)
    with seated(room, ANNA, {"cut.h5": f"it ends too early {HOSTILE}"}):
        page = opened("episodes")
        assert list(page.dataframe[1].value["file"]) == ["cut.h5"]
        assert list(page.dataframe[1].value["why"]) == [f"it ends too early {HOSTILE}"]


def test_a_time_in_the_address_that_is_none_is_passed_over(room: Room) -> None:
    room.add(1)
    with seated(room, ANNA):
        for nonsense in ("", "x", "nan", "inf", "-1e400"):
            assert not opened("review", t=nonsense, episode="nothing", quality="<b>").exception


def test_outside_of_a_server_the_page_says_how_to_start_one() -> None:
    page = opened("queue")
    assert not page.exception
    assert "start one with" in page.error[0].value


def test_an_unforeseen_error_shows_its_name_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        from review_ui.app.faults import on_script_error

        on_script_error(ZeroDivisionError("secret /path"))

    page = AppTest.from_function(fails).run()
    assert "ZeroDivisionError" in page.error[0].value
    assert "secret" not in page.error[0].value
    assert "secret /path" in caplog.text
    assert on_script_error.__doc__


def test_plain_text_survives_markdown() -> None:
    assert plain("a\n b") == "a b"
    assert plain("<b>*x*</b>") == "\\<b\\>\\*x\\*\\<\\/b\\>"
    assert ":material" not in plain(":material/star:").replace("\\", "")
    assert plain("10:30") == "10\\:30"


def test_words_for_times_and_numbers() -> None:
    assert [lasting(s) for s in (7.14, 42.0, 750.0, 6360.0, 7200.0, 187_200.0)] == [
        "7.1 s", "42 s", "12 min", "1 h 46 min", "2 h", "2 days 4 h",
    ]  # fmt: skip
    assert [ago(0, s * NS_PER_S) for s in (5, 180, 7200, 90_000, 500_000)] == [
        "just now", "3 min ago", "2 h ago", "yesterday", "5 days ago",
    ]  # fmt: skip
    assert [count(1, "episode"), count(1204, "episode"), count(2, "person", "people")] == [
        "1 episode", "1,204 episodes", "2 people",
    ]  # fmt: skip
    assert [percent(s) for s in (0.07, 0.004, 0.0, 1.0)] == ["7%", "0.4%", "0%", "100%"]
