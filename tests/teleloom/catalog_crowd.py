"""A catalog of many episodes without files, put straight into the database: what years of recording would leave."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert

from teleloom.catalog import (
    Annotation,
    AnnotationEvent,
    Catalog,
    Flag,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Overlap,
    Score,
    Segment,
    Segmentation,
    Tag,
    Trim,
    Verdict,
)
from teleloom.catalog.entries import derive_all
from teleloom.catalog.tables import annotation_events, episodes, reports
from teleloom.clock import NS_PER_S
from teleloom.episode.ids import episode_id

FIRST_WALL_NS = 1_760_000_000 * NS_PER_S
ROWS_PER_INSERT = 2000
PEOPLE = ("anna", "ben", "carla", "deniz", "eva", "farid", "grace", "hugo", "ines", "jonas")
ROBOTS = ("panda", "ur5e", "xarm7")
STATIONS = ("bench-1", "bench-2", "kitchen", "lab-east", "lab-west", "workshop")
OBJECTS = ("cup", "bottle", "drawer", "towel", "block", "plate", "spoon", "box", "lid", "sponge", "bowl", "tray")
VERBS = ("stack", "pour", "open", "fold", "wipe", "sort")
TASKS = tuple(f"{verb}-{thing}" for verb, thing in zip(VERBS * 2, OBJECTS, strict=True))
WAYS = ("{} the {}", "please {} the {} carefully", "{} the red {} with the left gripper", "take the {1} and {0} it")
TAGS = ("slip", "blur", "retry", "two-handed", "best-of-day", "lighting", "occluded")
NOTES = ("the gripper slipped", "camera was dark", "Übergabe zu früh", "look at the end", "good grasp, clean path")
REASONS = ("task failed", "collision", "camera fault", "near-duplicate")


def fill(catalog: Catalog, count: int, seed: int = 0, report_floats: int = 64) -> list[str]:
    """Put `count` episodes into the catalog with what people said about them; returns their ids, oldest first.

    report_floats: how many figures lie in each quality report, besides the findings.
    """
    rng = random.Random(seed)
    made = (_episode(rng, number, report_floats) for number in range(count))
    return _put(catalog, ((row, report, list(_events(rng, row))) for row, report in made))


def fill_unreviewed(catalog: Catalog, count: int, overlapped: int, seed: int = 0) -> list[str]:
    """The same without a word said, but that two people are to judge each of the first `overlapped`."""
    rng = random.Random(seed)
    made = (_episode(rng, number, 4) for number in range(count))
    planned = ((row, report, [_plan(row)] if number < overlapped else []) for number, (row, report) in enumerate(made))
    return _put(catalog, planned)


def _put(catalog: Catalog, made: Iterator[tuple[dict[str, Any], dict[str, Any], list[AnnotationEvent]]]) -> list[str]:
    ids: list[str] = []
    with catalog._database.write() as connection:
        while batch := list(islice(made, ROWS_PER_INSERT)):
            connection.execute(insert(episodes), [row for row, _, _ in batch])
            connection.execute(insert(reports), [report for _, report, _ in batch])
            _say(connection, [event for _, _, events in batch for event in events])
            ids += [row["id"] for row, _, _ in batch]
        derive_all(connection)
    return ids


def _say(connection: Connection, events: Sequence[AnnotationEvent]) -> None:
    if events:
        connection.execute(insert(annotation_events), [event.model_dump(mode="json") for event in events])


def _plan(row: dict[str, Any]) -> AnnotationEvent:
    return AnnotationEvent(
        episode_id=row["id"], revision=1, author="lead", wall_ns=row["created_wall_ns"], annotation=Overlap(reviewers=2)
    )


def _episode(rng: random.Random, number: int, report_floats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    wall_ns = FIRST_WALL_NS + number * 60 * NS_PER_S
    identity = episode_id(wall_ns, rng.randbytes(10))
    task = rng.choice(TASKS)
    verb, thing = task.split("-")
    said = rng.sample([way.format(verb, thing) for way in WAYS], rng.randint(1, 3))
    outcome = rng.choices(("success", "partial", "failure", "unknown"), (70, 10, 15, 5))[0]
    row = {
        "id": identity,
        "path": f"episodes/{identity}.h5",
        "content_hash": rng.randbytes(32).hex(),
        "station": rng.choice(STATIONS),
        "operator": rng.choice(PEOPLE),
        "task": task,
        "robot": rng.choices(ROBOTS, (6, 3, 1))[0],
        "instruction": said[0],
        "instructions": said,
        "created_wall_ns": wall_ns,
        "duration_ns": round(rng.lognormvariate(3.0, 0.5) * NS_PER_S),
        "steps": rng.randint(50, 600),
        "outcome": outcome,
        "success_check": None if rng.random() < 0.5 else outcome == "success",
        "size_bytes": rng.randint(10**6, 10**8),
        "risk": round(rng.betavariate(1, 4), 6) if rng.random() < 0.9 else None,
        # The rest is derived once all is in.
        "status": "unreviewed",
        "revision": 0,
        "outcome_now": outcome,
        "instruction_now": "",
        "search_text": "",
        "reviewers_wanted": 1,
        "opinions": 0,
        "segments": 0,
        "flags": 0,
        "tags": [],
        "decided_wall_ns": None,
    }
    quality = {
        "verdict": rng.choices(("good", "doubtful", "bad"), (80, 15, 5))[0],
        "findings": [{"kind": kind, "severity": "warning", "message": "x" * 60} for kind in rng.sample(TAGS, 2)],
        "signature": [round(rng.random(), 6) for _ in range(report_floats)],
    }
    risks = [{"kind": "jump", "weight": 0.5, "message": "a step that no joint can make"}]
    return row, {"episode_id": identity, "quality": quality, "risks": risks}


def _events(rng: random.Random, row: dict[str, Any]) -> Iterator[AnnotationEvent]:
    at_ns = row["created_wall_ns"] + rng.randint(1, 10**6) * NS_PER_S
    overlap = rng.random() < 0.08
    planned: list[tuple[str, Annotation]] = [("lead", Overlap(reviewers=2))] if overlap else []
    for person in rng.sample(PEOPLE, rng.choice((0, 1, 2)) if overlap else int(rng.random() < 0.6)):
        planned += [(person, annotation) for annotation in _one_review(rng, row["duration_ns"])]
    for revision, (author, annotation) in enumerate(planned, start=1):
        yield AnnotationEvent(
            episode_id=row["id"], revision=revision, author=author, wall_ns=at_ns + revision, annotation=annotation
        )


def _one_review(rng: random.Random, duration_ns: int) -> Iterator[Annotation]:
    if rng.random() < 0.15:
        yield Tag(tag=rng.choice(TAGS))
    if rng.random() < 0.1:
        yield Note(text=rng.choice(NOTES))
    if rng.random() < 0.1:
        yield Flag(label=rng.choice(("mistake", "intervention")), start_ns=0, end_ns=NS_PER_S)
    if rng.random() < 0.1:
        yield InstructionEdit(action=rng.choice(("add", "replace")), text=f"put the {rng.choice(OBJECTS)} away")
    if rng.random() < 0.05:
        yield OutcomeEdit(outcome="partial")
    if rng.random() < 0.3:
        yield Segmentation(segments=(Segment(start_ns=0, end_ns=duration_ns, label="all of it"),))
    yield Trim(start_ns=0, end_ns=duration_ns)
    yield Score(score=rng.randint(1, 5))
    spent_s = round(rng.lognormvariate(3.5, 0.5), 1)
    if rng.random() < 0.8:
        yield Verdict(decision="approve", spent_s=spent_s)
    else:
        yield Verdict(decision="reject", reason=rng.choice(REASONS), spent_s=spent_s)
