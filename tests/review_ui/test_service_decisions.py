"""What reviewers say and take back: answering what they saw, once, and within what they may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_rooms import ANNA, APPROVE, BEN, LEA, REJECT, START_NS, Room, open_room, said_as

from review_ui.service import NotAllowedError, NothingToUndoError, StaleError
from teleloom.catalog import BadAnnotationError, CatalogError

TRIM = {"kind": "trim", "start_ns": START_NS, "end_ns": START_NS + 10**8}
NOTE = {"kind": "note", "text": "look"}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with open_room(tmp_path) as room:
        yield room


def test_a_commit_is_written_whole_and_once_however_often_it_is_sent(room: Room) -> None:
    (episode,) = room.add(1)
    said = said_as(TRIM, {"kind": "score", "score": 4}, APPROVE)
    for _ in range(3):
        seen = room.service.commit(ANNA, episode, said, 0, operation="op-1")
        assert (seen.view.revision, seen.view.status, seen.view.score) == (3, "approved", 4)
        assert [line.what for line in seen.history] == ["trimmed it to 0.10 s", "scored it 4", "approved it"]
        assert all(line.mine and not line.undone for line in seen.history)
    broken = said_as(NOTE, {"kind": "undo", "revision": 99})
    with pytest.raises(BadAnnotationError, match="no revision 99"):
        room.service.commit(ANNA, episode, broken, 3, operation="op-2")
    assert room.catalog.view(episode).revision == 3


def test_a_stale_write_is_refused_with_who_said_what(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(ANNA, episode, REJECT)
    room.say(ANNA, episode, NOTE)
    with pytest.raises(StaleError) as refused:
        room.service.commit(BEN, episode, said_as(APPROVE), 0)
    assert str(refused.value) == (
        f"episode {episode}: you saw revision 0; since then 'anna' rejected it ('cube fell'), 'anna' noted 'look'; "
        "look again and repeat"
    )
    assert refused.value.revision == 2
    assert [(line.author, line.what) for line in refused.value.changed] == [
        ("anna", "rejected it ('cube fell')"),
        ("anna", "noted 'look'"),
    ]
    for refuse in (room.service.undo, lambda *a: room.service.adjudicate(a[0], a[1], "approve", "", a[2])):
        with pytest.raises(StaleError, match="you saw revision 1; since then 'anna' noted 'look'"):
            refuse(LEA if refuse != room.service.undo else ANNA, episode, 1)
    with pytest.raises(StaleError, match="you saw revision 7; it has not come so far"):
        room.service.commit(BEN, episode, said_as(APPROVE), 7)
    assert room.catalog.view(episode).revision == 2


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"kind": "verdict", "decision": "approve", "final": True}, "only a lead may settle an episode"),
        ({"kind": "overlap", "reviewers": 2}, "only a lead may say how many people judge an episode"),
        ({"kind": "undo", "revision": 1}, "revision 1 is the word of 'ben': only they or a lead may take it back"),
    ],
)
def test_what_only_a_lead_may_say_an_annotator_may_not(room: Room, said: dict[str, Any], message: str) -> None:
    (episode,) = room.add(1)
    room.say(BEN, episode, NOTE)
    with pytest.raises(NotAllowedError, match=message):
        room.say(ANNA, episode, said)
    assert room.catalog.view(episode).revision == 1
    room.say(LEA, episode, said)
    assert room.catalog.view(episode).revision == 2


def test_leads_alone_settle_plan_and_decide_in_bulk(room: Room) -> None:
    (episode,) = room.add(1)
    with pytest.raises(NotAllowedError, match="'anna' is an annotator; only a lead may decide on many episodes"):
        room.service.bulk(ANNA, {episode: 0}, said_as(APPROVE))
    with pytest.raises(NotAllowedError, match="only a lead may plan the overlap"):
        room.service.plan_overlap(ANNA, 1.0)
    with pytest.raises(NotAllowedError, match="only a lead may settle an episode"):
        room.service.adjudicate(ANNA, episode, "approve", "", 0)
    assert isinstance(NotAllowedError(""), CatalogError)
    assert room.service.adjudicate(LEA, episode, "approve", "", 0).view.status == "approved"


def test_an_undo_takes_back_ones_own_newest_word_and_once(room: Room) -> None:
    (episode,) = room.add(1)
    room.say(ANNA, episode, TRIM, APPROVE)
    room.say(BEN, episode, NOTE)
    for _ in range(2):
        seen = room.service.undo(ANNA, episode, 3, operation="u1")
        assert (seen.view.status, seen.view.revision) == ("unreviewed", 4)
    assert [line.undone for line in seen.history] == [False, True, False, False]
    assert room.service.undo(ANNA, episode, 4).view.trim is None
    with pytest.raises(NothingToUndoError, match="'anna' has said nothing that could be undone"):
        room.service.undo(ANNA, episode, 5)
    with pytest.raises(NotAllowedError, match="the word of 'ben'"):
        room.service.undo(ANNA, episode, 5, revision=3)
    assert room.service.undo(LEA, episode, 5, revision=3).view.notes == ()
    assert room.service.undo(ANNA, episode, 6, revision=4).view.status == "approved"


def test_the_last_word_is_taken_back_on_whichever_episode_it_was(room: Room) -> None:
    first, second = room.add(1, 2)
    with pytest.raises(NothingToUndoError, match="'anna' has said nothing"):
        room.service.undo_last(ANNA)
    room.say(ANNA, first, APPROVE)
    room.say(ANNA, second, REJECT)
    room.say(BEN, second, NOTE)
    for _ in range(2):
        again = room.service.undo_last(ANNA, operation="u1")
        assert (again.row.id, again.view.status, again.view.revision) == (second, "unreviewed", 3)
        assert again.lease is not None
    assert room.service.undo_last(ANNA, operation="u2").row.id == first
    with pytest.raises(NothingToUndoError):
        room.service.undo_last(ANNA)
    assert room.catalog.view(second).notes == ("look",)


def test_many_steps_can_be_taken_back_one_after_another(room: Room) -> None:
    (episode,) = room.add(1)
    for number in range(12):
        room.say(ANNA, episode, {"kind": "tag", "tag": f"tag-{number}"})
    for number in range(12, 0, -1):
        assert len(room.service.undo_last(ANNA).view.tags) == number - 1


def test_in_bulk_what_one_episode_refuses_stops_no_other(room: Room) -> None:
    first, second, third = room.add(1, 2, 3)
    room.say(BEN, second, NOTE)
    result = room.service.bulk(LEA, {first: 0, second: 0, "nowhere": 0, third: 0}, said_as(APPROVE))
    assert result.done == (first, third)
    assert result.refused == {
        second: f"episode {second}: you saw revision 0; since then 'ben' noted 'look'; look again and repeat",
        "nowhere": "no episode nowhere in the catalog",
    }
    assert room.service.bulk(ANNA, {first: 1}, said_as({"kind": "tag", "tag": "x"})).done == (first,)
