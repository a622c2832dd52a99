from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from catalog_episodes import WALL_NS, make_id, write
from sqlalchemy import create_engine, make_url, text

import teleloom.catalog.database
from teleloom.catalog import (
    Annotation,
    Catalog,
    EpisodeFilter,
    InstructionEdit,
    Lease,
    OutcomeEdit,
    Tag,
    Trim,
    Undo,
    Verdict,
    derive,
)

SAID: dict[int, Sequence[tuple[str, Annotation]]] = {
    1: [
        ("ben", Tag(tag="slip")),
        ("ben", Verdict(decision="approve")),
        ("eva", Verdict(decision="reject", reason="dark")),
        ("anna", Trim(start_ns=5, end_ns=9)),
    ],
    2: [("ben", Verdict(decision="approve")), ("ben", Undo(revision=1)), ("eva", OutcomeEdit(outcome="partial"))],
    3: [],
    4: [("eva", InstructionEdit(action="replace", text="build a tower"))],
}


def first_catalog(url: str) -> None:
    """A catalog as the first schema had it, with SAID about three episodes and one whose file is gone."""
    parsed = make_url(url)
    on_postgresql = parsed.get_backend_name() == "postgresql"
    engine = create_engine(parsed.set(drivername="postgresql+psycopg") if on_postgresql else parsed)
    config = Config()
    config.set_main_option("script_location", str(Path(teleloom.catalog.database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number in (1, 2, 3):
            values = {"id": make_id(number), "path": f"episodes/{make_id(number)}.h5", "content_hash": f"{number}" * 64}
            values |= {"instruction": "stack the cubes", "outcome": "success", "status": "unreviewed"}
            values |= {"quality": json.dumps({"verdict": "good", "score": 0.9}) if number == 1 else None}
            values |= {"wall": WALL_NS + number, "revision": len(SAID[number])}
            connection.execute(
                text(
                    "INSERT INTO episodes VALUES (:id, :path, :content_hash, 'bench', 'anna', 'stack', 'one-joint', "
                    ":instruction, :wall, 500000000, 6, :outcome, NULL, :quality, 1000, :status, :revision)"
                ),
                values,
            )
        for number, said in SAID.items():
            for revision, (author, annotation) in enumerate(said, start=1):
                connection.execute(
                    text("INSERT INTO annotation_events VALUES (:id, :revision, :author, :wall, :annotation)"),
                    {
                        "id": make_id(number),
                        "revision": revision,
                        "author": author,
                        "wall": WALL_NS + revision,
                        "annotation": annotation.model_dump_json(exclude={"spent_s", "final"}),
                    },
                )
        connection.execute(text(f"INSERT INTO leases VALUES ('{make_id(3)}', 'otto', {WALL_NS + 10})"))
    engine.dispose()


def test_a_catalog_of_the_first_schema_keeps_all_it_held_and_gains_what_follows_from_it(url: str) -> None:
    first_catalog(url)
    with Catalog.open(url, now=lambda: WALL_NS) as catalog:
        first, second, third = catalog.episodes()
        assert (first.quality, second.quality) == ({"verdict": "good", "score": 0.9}, None)
        assert (first.status, first.decided_by, first.decided_wall_ns) == ("rejected", "eva", WALL_NS + 3)
        assert (first.tags, first.trim_start_ns, first.trim_end_ns, first.opinions) == (("slip",), 5, 9, 2)
        assert (second.status, second.outcome, second.outcome_now) == ("unreviewed", "success", "partial")
        assert (third.status, third.risk, third.risks) == ("unreviewed", None, ())
        assert third.instruction_now == "stack the cubes"
        for number, said in SAID.items():
            history = catalog.history(make_id(number))
            assert [(event.author, event.annotation) for event in history] == list(said)
            assert catalog.view(make_id(number)) == derive(history)
        assert catalog.leases.held() == [Lease(episode_id=third.id, holder="otto", expires_wall_ns=WALL_NS + 10)]
        assert [(row.author, row.decision, row.standing, row.overturned) for row in catalog.verdicts()] == [
            ("ben", "approve", False, False),
            ("ben", "approve", True, True),
            ("eva", "reject", True, False),
        ]
        assert catalog.search(EpisodeFilter(quality="good", text="slip cubes")).rows == (first,)
        assert catalog.facets().tags == {"slip": 1}
        taken = catalog.claim_next("ben", 60)
        assert taken is not None
        assert taken[0].id == second.id
        assert catalog.annotate_all(second.id, [Verdict(decision="approve")], "ben", 3, operation="a") == 4


def test_what_is_known_of_an_upgraded_catalog_is_completed_by_a_rescan(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    path = write(tmp_path, 9)
    first_catalog(url)
    with Catalog.open(url, root=tmp_path) as catalog:
        assert catalog.episode(make_id(1)).instructions == ()
        report = catalog.rebuild()
        assert report.removed == [make_id(1), make_id(2), make_id(3)]
        assert catalog.find(path.stem).instructions == ("pile them up", "stack the cubes")
        assert [row.author for row in catalog.verdicts()] == ["ben", "ben", "eva"]
