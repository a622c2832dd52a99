from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog_episodes import WALL_NS, make_id, write
from episode_samples import make_meta, make_streams
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from teleloom.catalog import (
    BadAnnotationError,
    BadQualityError,
    BuildConflictError,
    Catalog,
    CatalogError,
    EpisodeConflictError,
    LeaseHeldError,
    LeaseLostError,
    Note,
    StaleRevisionError,
    Tag,
    Trim,
    Undo,
    UnknownEpisodeError,
    Verdict,
)
from teleloom.clock import NS_PER_S
from teleloom.episode.reader import BadEpisodeError, EpisodeReader
from teleloom.episode.writer import write_episode
from teleloom.quality import assess

PROCESSES = 8
ROUNDS = 5


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


def test_registering_reads_the_file_and_again_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    quality = {"verdict": "good", "figures": {"lost": 0}}
    row = catalog.register(path, quality=quality)
    assert row.id == make_id(1)
    assert row.path == f"episodes/{row.id}.h5"
    with EpisodeReader(path) as reader:
        assert row.content_hash == reader.content_hash()
    assert (row.station, row.operator, row.task, row.robot) == ("bench", "anna", "stack", "one-joint")
    assert row.instruction == "stack the cubes"
    assert row.created_wall_ns == WALL_NS + 60 * NS_PER_S
    assert (row.steps, row.duration_ns) == (6, 500_000_000)
    assert (row.outcome, row.success_check) == ("success", True)
    assert row.size_bytes == path.stat().st_size
    assert catalog.register(path) == row
    assert catalog.episodes() == [row]
    assert catalog.episode(row.id).quality == quality
    assert catalog.path_of(row) == path


def test_other_content_under_a_known_id_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    catalog.register(write(tmp_path, 1))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(EpisodeConflictError, match="with other content than other/episodes/"):
        catalog.register(write(other, 1, shift=0.5))
    assert len(catalog.episodes()) == 1


def test_a_file_that_is_no_episode_is_refused_by_name(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"no episode")
    with pytest.raises(BadEpisodeError, match=r"x\.h5"):
        catalog.register(tmp_path / "x.h5")


def test_a_file_outside_the_root_keeps_its_whole_path(
    catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.mktemp("elsewhere"), 1)
    row = catalog.register(path)
    assert row.path == str(path)
    assert catalog.path_of(row) == path


def test_episodes_are_listed_by_what_they_are(catalog: Catalog, tmp_path: Path) -> None:
    for number in (3, 1, 2):
        catalog.register(write(tmp_path, number, task="pour" if number == 2 else "stack"))
    catalog.reject(make_id(3), "ben", "dark", seen_revision=0)
    assert [row.id for row in catalog.episodes()] == [make_id(1), make_id(2), make_id(3)]
    assert [row.id for row in catalog.episodes(task="pour")] == [make_id(2)]
    assert [row.id for row in catalog.episodes(status="rejected")] == [make_id(3)]
    assert [row.id for row in catalog.episodes(status="unreviewed", station="bench", operator="anna", limit=1)] == [
        make_id(1)
    ]
    assert catalog.episodes(outcome="failure") == []


def test_outlines_say_the_same_as_the_rows(catalog: Catalog, tmp_path: Path) -> None:
    for number in (2, 1):
        catalog.register(write(tmp_path, number), quality={"verdict": "good"})
    catalog.annotate(make_id(1), Tag(tag="kitchen"), "ben", seen_revision=0)
    catalog.reject(make_id(2), "ben", "dark", seen_revision=0)
    outlines = catalog.outlines()
    assert [outline.id for outline in outlines] == [make_id(1), make_id(2)]
    for outline, row in zip(outlines, catalog.episodes(), strict=True):
        assert outline.model_dump() == row.model_dump(include=set(type(outline).model_fields))
        assert catalog.path_of(outline) == catalog.path_of(row)
    assert (outlines[0].tags, outlines[1].status) == (("kitchen",), "rejected")


def test_a_short_id_finds_its_episode_if_it_is_the_only_one(catalog: Catalog, tmp_path: Path) -> None:
    for number in (1, 200):
        catalog.register(write(tmp_path, number))
    first, second = make_id(1), make_id(200)
    common = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    assert catalog.find(first[: common + 1]).id == first
    assert catalog.find(second).id == second
    with pytest.raises(UnknownEpisodeError, match="short for several episodes"):
        catalog.find(first[:common])
    for nothing in ("", "%", "ffff"):
        with pytest.raises(UnknownEpisodeError, match="begins with"):
            catalog.find(nothing)


def test_verdicts_are_events_with_revisions_and_undo_is_one_too(catalog: Catalog, tmp_path: Path, wall: Wall) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    assert catalog.view(episode).status == "unreviewed"
    assert catalog.approve(episode, "ben", seen_revision=0) == 1
    wall.ns += 5
    assert catalog.reject(episode, "eva", "gripper slipped", seen_revision=1) == 2
    view = catalog.view(episode)
    assert (view.status, view.reason, view.decided_by, view.revision) == ("rejected", "gripper slipped", "eva", 2)
    assert catalog.undo(episode, "eva", revision=2, seen_revision=2) == 3
    assert catalog.view(episode).status == catalog.episode(episode).status == "approved"
    assert catalog.episode(episode).revision == 3
    history = catalog.history(episode)
    assert [event.annotation for event in history] == [
        Verdict(decision="approve"),
        Verdict(decision="reject", reason="gripper slipped"),
        Undo(revision=2),
    ]
    assert [(event.revision, event.author, event.wall_ns - WALL_NS) for event in history] == [
        (1, "ben", 0),
        (2, "eva", 5),
        (3, "eva", 5),
    ]


def test_a_stale_write_is_refused_and_told_who_did_what(catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    catalog.reject(episode, "eva", "gripper slipped", seen_revision=0)
    catalog.annotate(episode, Tag(tag="slip"), "ben", seen_revision=1)
    with pytest.raises(StaleRevisionError) as caught:
        catalog.approve(episode, "anna", seen_revision=0)
    assert "you saw revision 0; since then 'eva' rejected it ('gripper slipped'), 'ben' tagged it 'slip'" in str(
        caught.value
    )
    assert [event.revision for event in caught.value.events] == [1, 2]
    with pytest.raises(StaleRevisionError, match="it has not come so far"):
        catalog.approve(episode, "anna", seen_revision=7)
    assert catalog.view(episode).revision == 2


def test_what_cannot_be_annotated_is_refused_and_leaves_no_trace(catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    catalog.annotate(episode, Note(text="hm"), "ben", 0)
    with pytest.raises(UnknownEpisodeError, match="no episode nobody"):
        catalog.approve("nobody", "ben", 0)
    with pytest.raises(BadAnnotationError, match="no revision 2 to take back"):
        catalog.undo(episode, "ben", revision=2, seen_revision=1)
    with pytest.raises(BadAnnotationError, match="give a reason"):
        catalog.reject(episode, "ben", "  ", seen_revision=1)
    with pytest.raises(BadAnnotationError, match="author"):
        catalog.approve(episode, " ", seen_revision=1)
    catalog.undo(episode, "ben", revision=1, seen_revision=1)
    with pytest.raises(BadAnnotationError, match="revision 1 has been taken back already"):
        catalog.undo(episode, "ben", revision=1, seen_revision=2)
    assert catalog.view(episode).revision == catalog.episode(episode).revision == 2


def test_the_database_itself_refuses_to_change_or_delete_an_event(url: str, catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    catalog.annotate_all(episode, [Verdict(decision="approve")], "ben", seen_revision=0, operation="once")
    parsed = make_url(url)
    on_postgresql = parsed.get_backend_name() == "postgresql"
    engine = create_engine(parsed.set(drivername="postgresql+psycopg") if on_postgresql else parsed)
    put = "INSERT OR REPLACE INTO annotation_events SELECT episode_id"
    statements = [
        "UPDATE annotation_events SET author = 'eva'",
        "UPDATE annotation_events SET operation = NULL",
        "DELETE FROM annotation_events",
        *(
            ["TRUNCATE annotation_events"]
            if on_postgresql
            else [
                f"{put}, revision, 'eva', wall_ns, annotation, NULL FROM annotation_events",
                f"{put}, revision + 1, 'eva', wall_ns, annotation, operation FROM annotation_events",
            ]
        ),
    ]
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
    assert [(event.author, event.operation) for event in catalog.history(episode)] == [("ben", "once")]


def test_rebuilding_restores_the_episodes_from_files_and_events(catalog: Catalog, tmp_path: Path) -> None:
    kept, lost = write(tmp_path, 1), write(tmp_path, 2)
    rows = [catalog.register(kept, quality={"verdict": "good"}), catalog.register(lost)]
    catalog.approve(rows[0].id, "ben", 0)
    catalog.reject(rows[1].id, "ben", "dark", 0)
    before = catalog.episode(rows[0].id)
    aside = tmp_path / "aside.h5"
    shutil.move(lost, aside)
    (tmp_path / "episodes" / "broken.h5").write_bytes(b"\x89HDF")
    report = catalog.rebuild()
    assert (report.registered, report.removed) == (1, [rows[1].id])
    assert list(report.unreadable) == ["episodes/broken.h5"]
    assert catalog.episodes() == [before]
    assert catalog.view(rows[1].id).status == "rejected"
    shutil.move(aside, lost)
    catalog.rebuild()
    assert catalog.episode(rows[1].id).status == "rejected"
    assert catalog.episode(rows[1].id).revision == 1


def test_rebuilding_one_root_leaves_the_others_alone(
    catalog: Catalog, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = catalog.register(write(tmp_path_factory.mktemp("elsewhere"), 1))
    write(tmp_path, 2)
    assert catalog.rebuild(tmp_path).removed == []
    assert [row.id for row in catalog.episodes()] == [elsewhere.id, make_id(2)]


def test_views_of_many_episodes_are_those_of_each(catalog: Catalog, tmp_path: Path) -> None:
    ids = [catalog.register(write(tmp_path, number)).id for number in (1, 2, 3)]
    catalog.annotate(ids[1], Trim(start_ns=5, end_ns=9), "ben", 0)
    views = catalog.views(ids)
    assert views == {episode: catalog.view(episode) for episode in ids}
    assert views[ids[1]].trim == (5, 9)


def test_a_lease_keeps_others_out_until_it_ends(catalog: Catalog, tmp_path: Path, wall: Wall) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    lease = catalog.leases.claim(episode, "ben", seconds=60)
    assert lease.expires_wall_ns == WALL_NS + 60 * NS_PER_S
    with pytest.raises(LeaseHeldError, match="'ben' is at work on it, for 60 s more"):
        catalog.leases.claim(episode, "eva", seconds=60)
    wall.ns += 30 * NS_PER_S
    lease = catalog.leases.renew(lease, seconds=60)
    assert catalog.leases.held() == [lease]
    wall.ns += 60 * NS_PER_S
    assert catalog.leases.held() == []
    with pytest.raises(LeaseLostError, match="the lease of 'ben' has ended"):
        catalog.leases.renew(lease, seconds=60)
    catalog.leases.claim(episode, "eva", seconds=60)
    catalog.leases.release(lease)
    with pytest.raises(LeaseHeldError, match="'eva'"):
        catalog.leases.claim(episode, "ben", seconds=60)


def test_a_lease_is_prolonged_by_its_holder_and_free_after_release(catalog: Catalog, tmp_path: Path) -> None:
    episode = catalog.register(write(tmp_path, 1)).id
    catalog.leases.claim(episode, "ben", seconds=60)
    lease = catalog.leases.claim(episode, "ben", seconds=90)
    assert catalog.leases.held() == [lease]
    catalog.leases.release(lease)
    assert catalog.leases.claim(episode, "eva", seconds=1).holder == "eva"
    with pytest.raises(UnknownEpisodeError):
        catalog.leases.claim("nobody", "ben", seconds=60)


def test_a_build_is_recorded_once(catalog: Catalog, tmp_path: Path) -> None:
    row = catalog.record_build("stack", "1.0.0", tmp_path / "out" / "stack" / "1.0.0", {"episodes": ["a"]})
    assert row.path == "out/stack/1.0.0"
    assert catalog.record_build("stack", "1.0.0", tmp_path / "out" / "stack" / "1.0.0", {"episodes": ["a"]}) == row
    with pytest.raises(BuildConflictError, match=r"stack 1\.0\.0 was built already"):
        catalog.record_build("stack", "1.0.0", tmp_path, {"episodes": ["b"]})
    assert catalog.builds() == [row]


def test_a_build_whose_folder_lies_elsewhere_is_the_same_build(catalog: Catalog, tmp_path: Path) -> None:
    row = catalog.record_build("stack", "1.0.0", tmp_path / "a", {"episodes": ["a"], "source": "../station"})
    assert catalog.record_build("stack", "1.0.0", tmp_path / "b" / "c", {"episodes": ["a"], "source": "../.."}) == row


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_verdict_with_a_figure_that_is_no_number_is_refused_by_its_name(
    catalog: Catalog, tmp_path: Path, wrong: float
) -> None:
    path = write(tmp_path, 1)
    quality = {"verdict": "good", "metrics": {"sparc": -1.4, "ldlj": wrong}, "findings": [{"share": wrong}]}
    with pytest.raises(
        BadQualityError, match=rf"metrics\.ldlj = {wrong}, findings\[0\]\.share = {wrong}; leave"
    ) as error:
        catalog.register(path, quality)
    assert str(path) in str(error.value)
    assert catalog.episodes() == []


def test_the_catalog_and_inspect_mean_the_same_by_duration(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_episode(path, make_meta(), make_streams())
    with EpisodeReader(path) as reader:
        steps = reader.steps().t_ns
        assert assess(reader).metrics["duration_s"] == 0.996 > (steps[-1] - steps[0]) / NS_PER_S
    assert catalog.register(path).duration_ns == 996_000_000


def _processes() -> Any:
    """Fresh processes, forked from one that has done the slow imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "psycopg", "teleloom.catalog", "teleloom.episode.writer"])
    return context


def _verdicts(url: str, root: Path, worker: int, start: Any) -> tuple[int, int]:
    """Open the catalog and give ROUNDS verdicts on one episode, looking again whenever refused."""
    with Catalog.open(url, root=root) as catalog:
        start.wait(60)
        given = refused = 0
        seen = 0
        while given < ROUNDS:
            try:
                catalog.reject(make_id(1), f"worker {worker}", f"reason {given}", seen)
                given += 1
            except StaleRevisionError:
                refused += 1
            seen = catalog.view(make_id(1)).revision
        return given, refused


def test_of_verdicts_given_by_8_processes_at_once_none_is_lost_and_every_stale_one_is_refused(
    url: str, tmp_path: Path
) -> None:
    with Catalog.open(url, root=tmp_path) as catalog:
        catalog.register(write(tmp_path, 1))
    context = _processes()
    with context.Manager() as manager, context.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        results = pool.starmap_async(_verdicts, [(url, tmp_path, worker, start) for worker in range(PROCESSES)])
        counts = results.get(timeout=120)
    with Catalog.open(url, root=tmp_path) as catalog:
        history = catalog.history(make_id(1))
    assert [event.revision for event in history] == list(range(1, PROCESSES * ROUNDS + 1))
    said = {(event.author, event.annotation.reason) for event in history if isinstance(event.annotation, Verdict)}
    assert said == {(f"worker {w}", f"reason {r}") for w in range(PROCESSES) for r in range(ROUNDS)}
    # All start from revision 0: of the first verdicts one stands and seven are refused.
    assert sum(refused for _, refused in counts) >= PROCESSES - 1


def _open(url: str, start: Any) -> int:
    start.wait(60)
    with Catalog.open(url) as catalog:
        return len(catalog.episodes())


def test_a_new_catalog_may_be_opened_by_several_processes_at_once(url: str) -> None:
    context = _processes()
    with context.Manager() as manager, context.Pool(4) as pool:
        start = manager.Barrier(4)
        assert pool.starmap_async(_open, [(url, start)] * 4).get(timeout=120) == [0, 0, 0, 0]


def test_sqlite_is_durable_and_shared(tmp_path: Path) -> None:
    with Catalog.open(tmp_path) as catalog, catalog._database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_the_migrations_make_the_tables_that_the_code_uses(catalog: Catalog) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from teleloom.catalog.tables import metadata

    with catalog._database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_catalog_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    for where, why in [
        (tmp_path / "nowhere", "is not a folder"),
        ("mysql://host/x", "SQLite and PostgreSQL, not mysql"),
        ("://", "neither a folder nor a database URL"),
        ("postgresql://user:secret@127.0.0.1:9/x", r"cannot open the catalog postgresql\+psycopg://user:\*\*\*@"),
        (f"sqlite:///{tmp_path}/nowhere/c.sqlite", "cannot open the catalog"),
    ]:
        with pytest.raises(CatalogError, match=why):
            Catalog.open(where)


def test_a_catalog_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    Catalog.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CatalogError, match="schema 9999, made by a newer version"):
        Catalog.open(tmp_path)
