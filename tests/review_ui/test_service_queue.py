"""Who works on what: leases that end by themselves, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import service_rooms
from service_rooms import ANNA, APPROVE, BEN, CARA, LEA, REJECT, Room, open_room, said_as

from review_ui.service import ReviewConfig, Reviewer, ReviewService, StaleError
from teleloom.catalog import EpisodeFilter, LeaseHeldError, LeaseLostError, UnknownEpisodeError

postgresql = service_rooms.postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with open_room(tmp_path, server) as room:
        yield room


def held(room: Room, reviewer: Reviewer, **options: object) -> str | None:
    assignment = room.service.next(reviewer, **options)
    return assignment.row.id if assignment else None


def test_each_reviewer_is_given_the_riskiest_that_is_free_and_keeps_it(room: Room) -> None:
    first, second, third = room.add(1, 2, 3)
    assert held(room, ANNA) == first
    assert held(room, BEN) == second
    assert held(room, ANNA) == first
    assert held(room, ANNA, without=[first]) == third
    assert held(room, CARA) is None
    room.service.release(BEN, second)
    assert held(room, CARA) == second


def test_a_lease_ends_after_ten_minutes_without_a_sign_of_life(room: Room) -> None:
    (first,) = room.add(1)
    lease = room.service.next(ANNA).lease
    assert lease.expires_wall_ns == pytest.approx(room.wall.ns + 600e9, abs=1e6)
    room.wall.forward(599)
    assert held(room, BEN) is None
    assert room.service.renew(ANNA, first).holder == "anna"
    room.wall.forward(599)
    assert held(room, BEN) is None
    room.wall.forward(2)
    assert held(room, BEN) == first
    with pytest.raises(LeaseLostError, match="'anna' has ended; claim it again"):
        room.service.renew(ANNA, first)
    with pytest.raises(LeaseHeldError, match="'ben' is at work on it, for 6"):
        room.service.claim(ANNA, first)
    assert room.service.open(ANNA, first).lease is None
    assert room.service.open(BEN, first).lease.holder == "ben"


def test_a_verdict_gives_the_episode_back_and_a_note_does_not(room: Room) -> None:
    first, second = room.add(1, 2)
    assert held(room, ANNA) == first
    assert room.say(ANNA, first, {"kind": "note", "text": "look"}).lease.holder == "anna"
    assert room.say(ANNA, first, APPROVE).lease is None
    assert held(room, ANNA) == second


def test_the_queue_is_narrowed_by_a_filter_and_segments_have_their_own(room: Room) -> None:
    (stacked,) = room.add(1)
    (bowl,) = room.add(2, task="put_in_bowl")
    assert held(room, ANNA, filter=EpisodeFilter(tasks=("put_in_bowl",))) == bowl
    assert held(room, ANNA, queue="segments") is None
    room.say(LEA, stacked, APPROVE)
    assert held(room, BEN, queue="segments") == stacked
    assert held(room, CARA, queue="segments") is None
    part = {"start_ns": service_rooms.START_NS, "end_ns": service_rooms.START_NS + 10**8, "label": "reach"}
    room.say(BEN, stacked, {"kind": "segments", "segments": [part]})
    room.service.release(BEN, stacked)
    assert held(room, CARA, queue="segments") is None


def test_an_episode_that_is_not_there_is_named(room: Room) -> None:
    for call in (room.service.open, room.service.claim):
        with pytest.raises(UnknownEpisodeError, match="no episode nowhere"):
            call(ANNA, "nowhere")
    with pytest.raises(UnknownEpisodeError, match="no episode nowhere"):
        room.service.commit(ANNA, "nowhere", said_as(APPROVE), 0)


def test_reviewers_at_once_never_share_an_episode_and_lose_no_verdict(room: Room) -> None:
    ids = room.add(*range(24))

    def work(name: str) -> list[str]:
        done = []
        reviewer = Reviewer(name, "annotator")
        while (assignment := room.service.next(reviewer)) is not None:
            room.service.commit(reviewer, assignment.row.id, said_as(APPROVE), assignment.view.revision)
            with pytest.raises(StaleError, match=f"you saw revision 0; since then '{name}' approved it"):
                room.service.commit(LEA, assignment.row.id, said_as(REJECT), assignment.view.revision)
            done.append(assignment.row.id)
        return done

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, ("a", "b", "c", "d")))
    assert sorted(each for share in shares for each in share) == sorted(ids)
    assert room.catalog.counts()["approved"] == 24
    assert all(row.revision == 1 for row in room.catalog.episodes())


def test_a_commit_is_written_once_and_taken_back_once_however_often_it_is_sent(room: Room) -> None:
    first, second = room.add(1, 2)
    room.say(ANNA, first, APPROVE)
    for _ in range(2):
        assert room.service.commit(ANNA, second, said_as(REJECT), 0, operation="c1").view.revision == 1
    for _ in range(2):
        again = room.service.undo_last(ANNA, operation="u1")
        assert (again.row.id, again.view.status, again.view.revision) == (second, "unreviewed", 2)
    assert room.service.undo_last(ANNA).row.id == first


def test_the_length_of_a_lease_is_the_teams_choice(room: Room) -> None:
    room.add(1)
    lease = ReviewService(room.catalog, ReviewConfig(lease_s=60)).next(ANNA).lease
    assert lease.expires_wall_ns == pytest.approx(room.wall.ns + 60e9, abs=1e6)
