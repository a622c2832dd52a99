"""Progress, each reviewer's figures, agreement of independent judgements, and the ranking of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from service_rooms import ANNA, APPROVE, BEN, CARA, LEA, REJECT, START_NS, WALL_NS, Room, open_room, write

from review_ui.service import Coefficient
from review_ui.service.progress import day
from teleloom.catalog import EpisodeFilter
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess

DAY_S = 86_400
OVERLAP = {"kind": "overlap", "reviewers": 2}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with open_room(tmp_path) as room:
        yield room


def timed(verdict: dict[str, Any], spent_s: float) -> dict[str, Any]:
    return verdict | {"spent_s": spent_s}


def scored(score: int) -> dict[str, Any]:
    return {"kind": "score", "score": score}


def cut(*times_s: float) -> dict[str, Any]:
    """Segments that touch, between these times."""
    at = [START_NS + round(time * 1e9) for time in times_s]
    parts = [{"start_ns": a, "end_ns": b, "label": "part"} for a, b in pairwise(at)]
    return {"kind": "segments", "segments": parts}


def test_progress_counts_by_status_task_day_and_person_and_says_what_is_left(room: Room) -> None:
    first, second, third, _ = room.add(1, 2, 3, 4)
    (bowl,) = room.add(5, task="put_in_bowl")
    empty = room.service.progress()
    assert (empty.total, empty.waiting, empty.seconds_per_verdict, empty.left_s) == (5, 5, None, None)
    room.say(ANNA, first, timed(APPROVE, 10))
    room.say(ANNA, second, timed(REJECT, 30))
    room.wall.forward(DAY_S)
    room.say(ANNA, bowl, timed(APPROVE, 50))
    room.say(BEN, third, APPROVE)
    room.say(BEN, third, {"kind": "verdict", "decision": "reset"})
    state = room.service.progress()
    assert state.by_status == {"approved": 2, "rejected": 1, "unreviewed": 2, "disputed": 0}
    assert state.by_task["stack"]["unreviewed"] == 2
    assert state.by_task["put_in_bowl"] == {"approved": 1, "rejected": 0, "unreviewed": 0, "disputed": 0}
    assert state.days == {day(WALL_NS): 2, day(WALL_NS + DAY_S * 10**9): 2}
    assert state.today == {"anna": 1, "ben": 1}
    assert (state.seconds_per_verdict, state.waiting, state.left_s) == (30.0, 2, 60.0)


def test_each_reviewers_pace_is_told_and_what_others_overturned(room: Room) -> None:
    ids = room.add(*range(1, 11))
    for number, episode in enumerate(ids):
        room.say(ANNA, episode, timed(APPROVE, 10.0 + number))
    room.say(BEN, ids[0], REJECT)
    room.service.undo(LEA, ids[1], 1, revision=1)
    room.say(CARA, ids[2], timed(APPROVE, 5))
    anna, ben, cara = room.service.reviewers()
    assert (anna.name, anna.verdicts, anna.approved, anna.rejected) == ("anna", 10, 10, 0)
    assert anna.seconds_median == pytest.approx(14.5)
    assert anna.seconds_p90 == pytest.approx(18.1)
    assert (anna.overturned, anna.overturn_rate) == (2, 0.2)
    assert (anna.agreement, anna.compared) == (None, 0)
    assert (ben.verdicts, ben.rejected, ben.overturned, ben.seconds_median) == (1, 1, 0, None)
    assert (cara.overturned, cara.seconds_p90) == (0, 5.0)


def judge(room: Room, number: int, *opinions: tuple[Any, ...]) -> str:
    (episode,) = room.add(number)
    room.say(LEA, episode, OVERLAP | {"reviewers": len(opinions)})
    for reviewer, *said in opinions:
        room.say(reviewer, episode, *said)
    return episode


def test_agreement_is_none_with_a_reason_while_there_is_too_little(room: Room) -> None:
    found = room.service.agreement()
    nothing = "nothing was rated by two people"
    assert found.verdict == found.score == Coefficient(value=None, reason=nothing, episodes=0, raters=0)
    assert found.boundaries.reason == "no episode was cut into segments by two people"
    judge(room, 1, (ANNA, scored(4), APPROVE), (BEN, scored(4), APPROVE))
    found = room.service.agreement()
    assert (found.verdict.value, found.verdict.episodes, found.verdict.raters) == (None, 1, 2)
    assert found.verdict.reason == "all ratings are 1, so chance alone would agree as often"
    assert found.score.reason == "all ratings are 4, so chance alone would agree as often"


def test_agreement_is_that_of_the_ten_binary_verdicts_that_krippendorff_published(room: Room) -> None:
    pairs = zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)
    for number, (mine, other) in enumerate(pairs):
        judge(room, number, (ANNA, (REJECT, APPROVE)[mine]), (BEN, (REJECT, APPROVE)[other]))
    found = room.service.agreement()
    assert found.verdict.value == pytest.approx(0.095238, abs=1e-6)
    assert (found.verdict.episodes, found.verdict.raters) == (10, 2)
    assert [(each.name, each.agreement, each.compared) for each in room.service.reviewers()] == [
        ("anna", 0.6, 10),
        ("ben", 0.6, 10),
    ]


def test_scores_and_boundaries_of_independent_reviewers_are_compared(room: Room) -> None:
    judge(room, 1, (ANNA, scored(1), cut(0, 0.2, 0.4), APPROVE), (BEN, scored(2), cut(0, 0.9), APPROVE))
    judge(room, 2, (ANNA, scored(5), APPROVE), (CARA, scored(5), cut(0, 0.3), APPROVE))
    found = room.service.agreement()
    # Ratings 1 2 | 5 5: observed 1/2·2/4, expected (1 + 2·16 + 2·9)·2/(4·3).
    assert found.score.value == pytest.approx(1 - 0.5 / (51 * 2 / 12))
    assert (found.score.episodes, found.score.raters) == (2, 3)
    # 0, 0.2, 0.4 against 0, 0.9: two pairs within half a second.
    assert found.boundaries.value == pytest.approx(2 * 2 / 5)
    assert (found.boundaries.episodes, found.boundaries.raters, found.tolerance_s) == (1, 2, 0.5)


def test_what_somebody_says_after_they_saw_the_others_is_no_independent_opinion(room: Room) -> None:
    episode = judge(room, 1, (ANNA, scored(1), REJECT), (BEN, scored(5), APPROVE))
    judge(room, 2, (ANNA, scored(3), APPROVE), (BEN, scored(4), APPROVE))
    before = room.service.agreement()
    room.say(ANNA, episode, scored(5), APPROVE)
    room.service.adjudicate(LEA, episode, "approve", "", room.catalog.view(episode).revision, adopt="ben")
    assert room.service.agreement() == before
    assert before.verdict.value is not None
    assert room.service.reviewers()[0].agreement == 0.5


def test_what_is_corrected_before_the_other_speaks_still_counts_as_independent(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(LEA, episode, OVERLAP)
    room.say(ANNA, episode, scored(2), APPROVE)
    room.service.undo_last(ANNA)
    room.say(ANNA, episode, scored(1), REJECT)
    room.say(BEN, episode, scored(1), REJECT)
    judge(room, 2, (ANNA, scored(5), APPROVE), (BEN, scored(5), APPROVE))
    found = room.service.agreement()
    assert found.verdict.value == found.score.value == 1.0


def test_the_ranking_orders_the_queue_and_names_who_has_no_verdict(room: Room) -> None:
    for number in range(1, 13):
        path = write(room.root, number, shift=0.9 if number == 7 else 0.0)
        with EpisodeReader(path) as reader:
            room.catalog.register(path, assess(reader).model_dump(mode="json"))
    room.add(20, risk=0.0)
    report = room.service.rank()
    assert (report.ranked, report.without_quality) == (12, 1)
    rows = room.catalog.search(EpisodeFilter(min_risk=0.01), sort="risk").rows
    assert rows
    assert sum(report.reasons.values()) == sum(len(row.risks) for row in rows)
    assert {"kind", "weight", "message", "start_ns", "end_ns", "source", "other"} == set(rows[0].risks[0])
    assert room.service.next(ANNA).row.id == rows[0].id
    assert room.service.rank() == report
