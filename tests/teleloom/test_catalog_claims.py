from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_crowd import fill_unreviewed
from catalog_episodes import WALL_NS, make_id, write

from dataset_builder.source.select import select_episodes
from teleloom.catalog import (
    BadAnnotationError,
    Catalog,
    EpisodeFilter,
    LeaseHeldError,
    Note,
    Overlap,
    ReviewerDay,
    Score,
    Segment,
    Segmentation,
    StaleRevisionError,
    Tag,
    Undo,
    Verdict,
)
from teleloom.clock import NS_PER_S

APPROVE = Verdict(decision="approve")
LEASE_S = 60.0


class Wall:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.ns = WALL_NS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def catalog(url: str, tmp_path: Path, wall: Wall) -> Iterator[Catalog]:
    with Catalog.open(url, root=tmp_path, now=wall) as catalog:
        yield catalog


@pytest.fixture
def ids(catalog: Catalog, tmp_path: Path) -> list[str]:
    """Three episodes, the riskiest first."""
    ids = [catalog.register(write(tmp_path, number)).id for number in (1, 2, 3)]
    catalog.set_risks({episode: (0.9 - 0.1 * place, []) for place, episode in enumerate(ids)})
    return ids


def take(catalog: Catalog, reviewer: str, *without: str) -> str | None:
    taken = catalog.claim_next(reviewer, LEASE_S, without=without)
    if taken is None:
        return None
    row, lease = taken
    assert lease in catalog.leases.held()
    assert (lease.episode_id, lease.holder) == (row.id, reviewer)
    return row.id


def test_the_riskiest_comes_first_and_never_to_two(catalog: Catalog, ids: list[str]) -> None:
    assert [take(catalog, name) for name in ("ben", "eva", "anna", "otto")] == [*ids, None]


def test_after_a_verdict_elsewhere_a_holders_lease_still_keeps_others_out(catalog: Catalog, ids: list[str]) -> None:
    catalog.annotate(ids[0], APPROVE, "ben", 0)
    assert take(catalog, "ben") == ids[1]
    assert take(catalog, "eva") == ids[2]


def test_a_reviewer_gets_back_what_they_hold_until_they_want_another(catalog: Catalog, ids: list[str]) -> None:
    assert take(catalog, "ben") == ids[0]
    assert take(catalog, "ben") == ids[0]
    assert take(catalog, "ben", ids[0]) == ids[1]
    assert take(catalog, "ben", *ids) is None
    catalog.annotate(ids[0], APPROVE, "ben", 0)
    assert take(catalog, "ben") == ids[1]


def test_a_lease_that_ended_or_was_given_back_is_free_for_all(catalog: Catalog, ids: list[str], wall: Wall) -> None:
    assert take(catalog, "ben") == ids[0]
    wall.ns += round(LEASE_S * NS_PER_S)
    assert take(catalog, "eva") == ids[0]
    taken = catalog.claim_next("anna", LEASE_S)
    assert taken is not None
    catalog.leases.release(taken[1])
    assert take(catalog, "otto") == ids[1]


def test_a_filter_narrows_what_is_taken(catalog: Catalog, ids: list[str]) -> None:
    catalog.annotate(ids[2], Tag(tag="blur"), "lead", 0)
    taken = catalog.claim_next("ben", LEASE_S, EpisodeFilter(tag="blur"))
    assert taken is not None
    assert taken[0].id == ids[2]
    assert catalog.claim_next("ben", LEASE_S, EpisodeFilter(text="elephant")) is None


def test_planned_overlap_lets_so_many_in_and_each_once(catalog: Catalog, ids: list[str]) -> None:
    catalog.annotate(ids[0], Overlap(reviewers=2), "lead", 0)
    assert [take(catalog, name) for name in ("ben", "eva", "anna")] == [ids[0], ids[0], ids[1]]
    with pytest.raises(LeaseHeldError):
        catalog.leases.claim(ids[0], "anna", LEASE_S)
    catalog.annotate(ids[0], APPROVE, "ben", 1)
    assert take(catalog, "ben") == ids[2]
    assert take(catalog, "otto", ids[2]) is None
    assert catalog.episode(ids[0]).status == "unreviewed"
    catalog.annotate(ids[0], Verdict(decision="reject", reason="dark"), "eva", 2)
    row = catalog.episode(ids[0])
    assert (row.status, row.opinions, row.decided_by, row.decided_wall_ns) == ("disputed", 2, None, None)
    catalog.annotate(ids[0], Verdict(decision="approve", final=True), "lead", 3)
    row = catalog.episode(ids[0])
    assert (row.status, row.decided_by, row.decided_wall_ns) == ("approved", "lead", WALL_NS)


def test_a_disputed_episode_is_in_no_dataset_and_says_who_differs(
    catalog: Catalog, ids: list[str], tmp_path: Path
) -> None:
    catalog.annotate(ids[0], Overlap(reviewers=2), "lead", 0)
    catalog.annotate(ids[0], APPROVE, "ben", 1)
    catalog.annotate(ids[0], Verdict(decision="reject", reason="dark"), "eva", 2)
    rejected = {each.episode_id: each for each in select_episodes(catalog, tmp_path).rejected}
    assert rejected[ids[0]].reason == "disputed"
    assert "(ben: approve, eva: reject)" in rejected[ids[0]].detail


def test_somebody_who_spoke_leaves_one_place_whether_or_not_they_still_hold_it(
    catalog: Catalog, ids: list[str]
) -> None:
    catalog.annotate(ids[0], Overlap(reviewers=2), "lead", 0)
    lease = catalog.leases.claim(ids[0], "ben", LEASE_S)
    catalog.annotate(ids[0], APPROVE, "ben", 1)
    assert take(catalog, "eva") == ids[0]
    assert take(catalog, "anna") == ids[1]
    catalog.leases.release(lease)
    with pytest.raises(LeaseHeldError, match="'eva'"):
        catalog.leases.claim(ids[0], "anna", LEASE_S)


def test_the_queue_for_segments_holds_approved_episodes_without(catalog: Catalog, ids: list[str]) -> None:
    def to_segment(reviewer: str) -> str | None:
        taken = catalog.claim_next(reviewer, LEASE_S, queue="segments")
        return taken[0].id if taken else None

    assert to_segment("ben") is None
    catalog.annotate(ids[0], APPROVE, "ben", 0)
    catalog.annotate(ids[1], APPROVE, "ben", 0)
    assert [to_segment(name) for name in ("ben", "eva", "anna")] == [ids[0], ids[1], None]
    catalog.annotate(ids[0], Segmentation(segments=(Segment(start_ns=1, end_ns=2, label="reach"),)), "ben", 1)
    assert catalog.episode(ids[0]).segments == 1
    assert to_segment("ben") is None


def test_of_several_annotations_all_are_kept_or_none(catalog: Catalog, ids: list[str]) -> None:
    assert catalog.annotate_all(ids[0], [Score(score=4), Tag(tag="slip"), APPROVE], "ben", 0) == 3
    row = catalog.episode(ids[0])
    assert (row.revision, row.score, row.tags, row.status, row.decided_by) == (3, 4, ("slip",), "approved", "ben")
    with pytest.raises(BadAnnotationError, match="no revision 9"):
        catalog.annotate_all(ids[0], [Note(text="hm"), Undo(revision=9)], "ben", 3)
    with pytest.raises(BadAnnotationError, match="taken back already"):
        catalog.annotate_all(ids[0], [Undo(revision=1), Undo(revision=1)], "ben", 3)
    with pytest.raises(BadAnnotationError, match="at least one annotation"):
        catalog.annotate_all(ids[0], [], "ben", 3)
    with pytest.raises(StaleRevisionError, match="'ben' tagged it 'slip', 'ben' approved it"):
        catalog.annotate_all(ids[0], [Note(text="hm"), Note(text="so")], "eva", 1)
    assert catalog.episode(ids[0]) == row
    assert len(catalog.history(ids[0])) == 3


def test_an_operation_sent_again_is_done_once(catalog: Catalog, ids: list[str]) -> None:
    said = [Score(score=4), APPROVE]
    assert catalog.annotate_all(ids[0], said, "ben", 0, operation="a1") == 2
    catalog.annotate(ids[0], Note(text="hm"), "eva", 2)
    assert catalog.annotate_all(ids[0], said, "ben", 0, operation="a1") == 2
    assert [event.operation for event in catalog.history(ids[0])] == [None, "a1", None]
    for episode, author in ((ids[1], "ben"), (ids[0], "eva")):
        with pytest.raises(BadAnnotationError, match=rf"operation 'a1' was 'ben' on episode {ids[0]}"):
            catalog.annotate_all(episode, said, author, 0, operation="a1")
    assert catalog.episode(ids[1]).revision == 0


def test_what_became_of_a_verdict_is_kept(catalog: Catalog, ids: list[str], wall: Wall) -> None:
    reject = Verdict(decision="reject", reason="dark", spent_s=30.0)
    catalog.annotate_all(ids[0], [Score(score=2), Verdict(decision="approve", spent_s=12.5)], "ben", 0)
    catalog.annotate(ids[1], APPROVE, "ben", 0)
    wall.ns += 86_400 * NS_PER_S
    catalog.annotate(ids[0], reject, "eva", 2)
    wall.ns += 1
    catalog.undo(ids[1], "eva", revision=1, seen_revision=1)
    catalog.annotate(ids[2], reject, "ben", 0)
    catalog.undo(ids[2], "ben", revision=1, seen_revision=1)
    told = [
        (ids.index(row.episode_id), row.author, row.decision, row.spent_s, row.score, row.standing, row.overturned)
        for row in catalog.verdicts()
    ]
    assert told == [
        (0, "ben", "approve", 12.5, 2, True, True),
        (1, "ben", "approve", None, None, False, True),
        (0, "eva", "reject", 30.0, None, True, False),
        (2, "ben", "reject", 30.0, None, False, False),
    ]
    assert [row.author for row in catalog.verdicts(since_ns=wall.ns - 1)] == ["eva", "ben"]
    assert len(catalog.verdicts(author="ben")) == 3
    midnight = WALL_NS - WALL_NS % (86_400 * NS_PER_S)
    next_day = midnight + 86_400 * NS_PER_S
    assert catalog.reviewer_figures() == [
        _day("ben", midnight, verdicts=2, approved=2, overturned=2, timed=1, spent_s=12.5),
        _day("ben", next_day, verdicts=1, rejected=1, timed=1, spent_s=30.0),
        _day("eva", next_day, verdicts=1, rejected=1, timed=1, spent_s=30.0),
    ]
    assert [event.episode_id for event in catalog.recent("eva", limit=1)] == [ids[1]]


def _day(author: str, day_start_ns: int, verdicts: int, timed: int, spent_s: float, **counts: int) -> ReviewerDay:
    filled = {"approved": 0, "rejected": 0, "overturned": 0} | counts
    return ReviewerDay(
        author=author, day_start_ns=day_start_ns, verdicts=verdicts, timed=timed, spent_s=spent_s, **filled
    )


def test_verdicts_outlive_a_file_that_was_moved_away(catalog: Catalog, ids: list[str], tmp_path: Path) -> None:
    catalog.annotate(ids[0], APPROVE, "ben", 0)
    (tmp_path / "episodes" / f"{ids[0]}.h5").unlink()
    assert catalog.rebuild().removed == [ids[0]]
    assert [row.episode_id for row in catalog.verdicts()] == [ids[0]]
    write(tmp_path, 1)
    catalog.rebuild()
    assert catalog.episode(make_id(1)).status == "approved"


def test_a_queue_of_many_is_taken_without_a_gap(catalog: Catalog) -> None:
    ids = fill_unreviewed(catalog, 30, overlapped=10)
    taken = [take(catalog, name) for name in ("ben", "eva") for _ in range(3)]
    assert len(set(taken)) <= 2
    given = []
    for name in ("ben", "eva"):
        while (episode := take(catalog, name)) is not None:
            catalog.annotate(episode, APPROVE, name, catalog.episode(episode).revision)
            given.append((episode, name))
    assert len(given) == len(set(given)) == 40
    assert catalog.counts()["approved"] == len(ids)
