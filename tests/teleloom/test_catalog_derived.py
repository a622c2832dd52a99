from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest
from catalog_crowd import fill_unreviewed
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom.catalog import (
    Annotation,
    BadAnnotationError,
    Catalog,
    EpisodeFilter,
    Flag,
    InstructionEdit,
    OutcomeEdit,
    Overlap,
    Score,
    Segment,
    Segmentation,
    Tag,
    Trim,
    Undo,
    Verdict,
)
from teleloom.catalog.entries import derive_all
from teleloom.catalog.verdicts import verdict_rows

VERDICTS = [
    Verdict(decision=decision, reason="so" if decision == "reject" else "", final=final)
    for decision in ("approve", "reject", "reset")
    for final in (False, True)
]
ANNOTATIONS: list[Annotation] = [
    *VERDICTS,
    *VERDICTS[::2],
    *(Overlap(reviewers=wanted) for wanted in (1, 2, 3)),
    *(Score(score=score) for score in (1, 5)),
    *(Tag(tag=tag, action=action) for tag in "ab" for action in ("add", "remove")),
    *(Flag(label="mistake", start_ns=0, end_ns=5, action=action) for action in ("add", "remove")),
    Segmentation(segments=(Segment(start_ns=0, end_ns=5),)),
    Segmentation(segments=()),
    Trim(start_ns=1, end_ns=2),
    OutcomeEdit(outcome="failure"),
    InstructionEdit(action="replace", text="Wipe it"),
    *(Undo(revision=revision) for revision in range(1, 9)),
]
COMMITS = st.lists(
    st.tuples(st.sampled_from(["ben", "eva", "lead"]), st.lists(st.sampled_from(ANNOTATIONS), min_size=1, max_size=3)),
    max_size=8,
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog.open(tmp_path_factory.mktemp("derived")) as catalog:
        yield catalog


SEEDS = count()


@settings(max_examples=40, deadline=None)
@given(COMMITS)
def test_what_is_kept_for_searching_always_is_what_the_history_comes_to(
    catalog: Catalog, commits: list[tuple[str, list[Annotation]]]
) -> None:
    (episode,) = fill_unreviewed(catalog, 1, overlapped=0, seed=next(SEEDS))
    for author, said in commits:
        with suppress(BadAnnotationError):  # An undo of what is not there, or not in force.
            catalog.annotate_all(episode, said, author, catalog.episode(episode).revision)
    check(catalog, episode)
    kept = catalog.episode(episode)
    with catalog._database.write() as connection:
        derive_all(connection)
    assert catalog.episode(episode) == kept
    check(catalog, episode)


def check(catalog: Catalog, episode: str) -> None:
    row, view, history = catalog.episode(episode), catalog.view(episode), catalog.history(episode)
    assert (row.status, row.revision, row.score, row.tags) == (view.status, view.revision, view.score, view.tags)
    assert row.outcome_now == (view.outcome or row.outcome)
    assert row.instruction_now == (view.instruction.text if view.instruction else row.instruction)
    assert (row.decided_by, row.decided_wall_ns) == (view.decided_by, view.decided_wall_ns)
    assert (row.reviewers_wanted, row.opinions) == (view.reviewers_wanted, len(view.opinions))
    assert (row.segments, row.flags) == (len(view.segments), len(view.flags))
    assert (row.trim_start_ns, row.trim_end_ns) == (view.trim or (None, None))
    given = sorted((each for each in catalog.verdicts() if each.episode_id == episode), key=lambda each: each.revision)
    assert given == verdict_rows(history)
    assert {each.author for each in given if each.standing} == {each.author for each in view.opinions}
    for tag in "ab":
        found = catalog.search(EpisodeFilter(tag=tag), limit=1000).rows
        assert (episode in {each.id for each in found}) == (tag in view.tags)
