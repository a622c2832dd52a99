from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from catalog_crowd import FIRST_WALL_NS, NOTES, PEOPLE, ROBOTS, STATIONS, TAGS, TASKS, fill
from catalog_episodes import make_id, write
from sqlalchemy import insert

from teleloom.catalog import (
    Catalog,
    EpisodeFilter,
    EpisodeRow,
    EpisodeView,
    InstructionEdit,
    Note,
    Sort,
    Status,
    Tag,
    Undo,
    UnknownEpisodeError,
)
from teleloom.catalog.tables import labels
from teleloom.clock import NS_PER_S

EPISODES = 400
FILTERS = 120

KEYS: dict[Sort, Callable[[EpisodeRow], Any]] = {
    "risk": lambda row: (-(-1.0 if row.risk is None else row.risk), row.id),
    "newest": lambda row: (-row.created_wall_ns, _downwards(row.id)),
    "oldest": lambda row: (row.created_wall_ns, row.id),
    "longest": lambda row: (-row.duration_ns, _downwards(row.id)),
    "shortest": lambda row: (row.duration_ns, row.id),
    "task": lambda row: (row.task, row.created_wall_ns, row.id),
    "decided": lambda row: (-(row.decided_wall_ns or -1), _downwards(row.id)),
}


def _downwards(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog.open(url) as catalog:
        yield catalog


def matches(row: EpisodeRow, view: EpisodeView, described: str, wanted: EpisodeFilter) -> bool:
    """The filter, said again in plain Python over the row and the view."""
    equal = {
        "robot": row.robot,
        "station": row.station,
        "operator": row.operator,
        "outcome": view.outcome or row.outcome,
        "quality": (row.quality or {}).get("verdict"),
        "decided_by": view.decided_by,
        "segmented": bool(view.segments),
        "overlap": view.reviewers_wanted > 1,
    }
    values = wanted.model_dump()
    return (
        all(values[name] is None or values[name] == value for name, value in equal.items())
        and (not wanted.statuses or view.status in wanted.statuses)
        and (not wanted.tasks or row.task in wanted.tasks)
        and (wanted.tag is None or wanted.tag in view.tags)
        and (wanted.flag is None or wanted.flag in {flag.label for flag in view.flags})
        and (wanted.min_risk is None or (row.risk is not None and row.risk >= wanted.min_risk))
        and (wanted.recorded_from_ns is None or row.created_wall_ns >= wanted.recorded_from_ns)
        and (wanted.recorded_to_ns is None or row.created_wall_ns < wanted.recorded_to_ns)
        and all(word.casefold() in described or row.id.startswith(word) for word in wanted.text.split())
    )


def random_filter(rng: random.Random, ids: list[str]) -> EpisodeFilter:
    choices: dict[str, Callable[[], Any]] = {
        "statuses": lambda: tuple(rng.sample(get_args(Status), rng.randint(1, 2))),
        "tasks": lambda: tuple(rng.sample(TASKS, rng.randint(1, 4))),
        "robot": lambda: rng.choice(ROBOTS),
        "station": lambda: rng.choice(STATIONS),
        "operator": lambda: rng.choice(PEOPLE),
        "outcome": lambda: rng.choice(("success", "partial", "failure")),
        "quality": lambda: rng.choice(("good", "doubtful")),
        "text": lambda: rng.choice(("CUP", "red gripper", "früh ÜBERGABE", "slip", "no such", "%", "_", ids[7][:20])),
        "tag": lambda: rng.choice(TAGS),
        "flag": lambda: rng.choice(("mistake", "intervention", "other")),
        "decided_by": lambda: rng.choice(PEOPLE),
        "min_risk": lambda: rng.random() / 2,
        "recorded_from_ns": lambda: FIRST_WALL_NS + rng.randint(0, EPISODES) * 60 * NS_PER_S,
        "recorded_to_ns": lambda: FIRST_WALL_NS + rng.randint(0, EPISODES) * 60 * NS_PER_S,
        "segmented": lambda: rng.random() < 0.5,
        "overlap": lambda: rng.random() < 0.5,
    }
    names = rng.sample(sorted(choices), rng.choice((0, 1, 1, 1, 2, 3)))
    return EpisodeFilter(**{name: choices[name]() for name in names})


def test_a_search_finds_what_a_plain_scan_finds_in_the_same_order(catalog: Catalog) -> None:
    ids = fill(catalog, EPISODES, seed=4, report_floats=2)
    rows, views = catalog.episodes(), catalog.views(ids)
    described = {
        row.id: "\n".join(
            [row.instruction, *row.instructions, *views[row.id].notes, *views[row.id].tags, *_edits(catalog, row.id)]
        ).casefold()
        for row in rows
    }
    rng = random.Random(5)
    found_any = 0
    for _ in range(FILTERS):
        wanted, sort = random_filter(rng, ids), rng.choice(get_args(Sort))
        expected = sorted(
            (row for row in rows if matches(row, views[row.id], described[row.id], wanted)), key=KEYS[sort]
        )
        offset = rng.choice((0, 0, 3, 50, 1000))
        page = catalog.search(wanted, sort=sort, offset=offset, limit=20)
        assert page.total == len(expected), wanted
        assert page.rows == tuple(expected[offset : offset + 20]), (wanted, sort)
        by_status = Counter(
            row.status
            for row in rows
            if matches(row, views[row.id], described[row.id], wanted.model_copy(update={"statuses": ()}))
        )
        assert catalog.counts(wanted) == {status: by_status[status] for status in get_args(Status)}
        found_any += bool(page.rows)
    assert found_any > FILTERS / 3
    check_facets(catalog, rows)


def check_facets(catalog: Catalog, rows: list[EpisodeRow]) -> None:
    facets = catalog.facets()
    assert facets.tasks == Counter(row.task for row in rows)
    assert facets.robots == Counter(row.robot for row in rows)
    assert facets.stations == Counter(row.station for row in rows)
    assert facets.operators == Counter(row.operator for row in rows)
    assert facets.tags == Counter(tag for row in rows for tag in row.tags)
    assert list(facets.tasks) == sorted(facets.tasks)


def _edits(catalog: Catalog, episode_id: str) -> list[str]:
    return [
        event.annotation.text for event in catalog.history(episode_id) if isinstance(event.annotation, InstructionEdit)
    ]


@pytest.mark.parametrize("sort", get_args(Sort))
def test_pages_neither_overlap_nor_leave_anything_out(catalog: Catalog, sort: Sort) -> None:
    fill(catalog, 60, report_floats=1)
    pages = [catalog.search(sort=sort, offset=offset, limit=7).rows for offset in range(0, 70, 7)]
    ids = [row.id for page in pages for row in page]
    assert len(ids) == len(set(ids)) == 60
    everything = [row for page in pages for row in page]
    assert all(KEYS[sort](before) < KEYS[sort](after) for before, after in pairwise(everything))


def test_an_episode_is_found_by_what_it_was_and_is_called(catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    catalog.register(write(tmp_path, 2, task="pour"))

    def found(text: str) -> bool:
        page = catalog.search(EpisodeFilter(text=text, tasks=("stack",)))
        return [row.id for row in page.rows] == [episode]

    assert found("Pile them")
    assert found("stack cubes")
    assert not found("heap")
    said = (
        InstructionEdit(action="replace", text="Build a TOWER of 100%"),
        InstructionEdit(action="add", text="empile les cubes", language="fr"),
        Note(text="Straße in the way"),
        Tag(tag="best_of"),
    )
    catalog.annotate_all(episode, said, "ben", 0)
    for text in (
        "tower",
        "100%",
        "stack the cubes",
        "EMPILE",
        "STRASSE",
        "best_of",
        episode[:9],
        episode[:4] + " tower",
    ):
        assert found(text), text
    for text in ("bestxof", "100_", episode[3:9], "tower heap"):
        assert not found(text), text
    catalog.annotate(episode, Undo(revision=3), "ben", 4)
    assert not found("strasse")


def test_ranking_replaces_what_was_there_and_passes_over_what_is_gone(catalog: Catalog, tmp_path: Path) -> None:
    ids = [catalog.register(write(tmp_path, number)).id for number in (1, 2, 3)]
    assert [row.id for row in catalog.search().rows] == ids
    reason = {"kind": "jump", "weight": 0.5, "message": "a step", "start_ns": 1, "end_ns": 2}
    catalog.set_risks({ids[1]: (0.25, [reason]), ids[2]: (0.75, []), "gone": (1.0, [])})
    catalog.set_risks({ids[1]: (0.5, [reason, reason])})
    rows = catalog.search().rows
    assert [(row.id, row.risk) for row in rows] == [(ids[2], 0.75), (ids[1], 0.5), (ids[0], None)]
    assert rows[1].risks == (reason, reason)
    catalog.rebuild(tmp_path)
    assert catalog.search().rows == rows


def test_a_new_quality_verdict_takes_the_place_of_the_old(catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1), quality={"verdict": "good"}).id
    catalog.set_quality(episode, {"verdict": "doubtful", "metrics": {"duration_s": 1.0}})
    assert catalog.episode(episode).quality == {"verdict": "doubtful", "metrics": {"duration_s": 1.0}}
    assert catalog.search(EpisodeFilter(quality="good")).total == 0
    assert catalog.search(EpisodeFilter(quality="doubtful")).total == 1
    with pytest.raises(UnknownEpisodeError):
        catalog.set_quality(make_id(2), {"verdict": "good"})


def test_rebuilding_derives_everything_anew(catalog: Catalog) -> None:
    ids = fill(catalog, 50, seed=9, report_floats=1)
    before, verdicts, facets = catalog.episodes(), catalog.verdicts(), catalog.facets()
    assert verdicts
    with catalog._database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE episodes SET status = 'rejected', revision = 99, search_text = '', tags = '[]'"
        )
        connection.exec_driver_sql("DELETE FROM verdicts")
        connection.exec_driver_sql("DELETE FROM labels")
        connection.execute(insert(labels).values(episode_id=ids[0], kind="tag", label="wrong"))
    catalog.rebuild(Path("/nowhere"))
    assert catalog.episodes() == before
    assert catalog.verdicts() == verdicts
    assert catalog.facets() == facets
    assert catalog.search(EpisodeFilter(text=NOTES[0])).total > 0
