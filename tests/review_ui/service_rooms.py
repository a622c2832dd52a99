"""A catalog of small real episodes with a clock that the test sets, and people who review it."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import create_engine, make_url, text

from review_ui.service import Reviewer, ReviewService
from teleloom.catalog import Annotation, Catalog, parse
from teleloom.clock import NS_PER_S

ANNA, BEN, CARA = (Reviewer(name, "annotator") for name in ("anna", "ben", "cara"))
LEA = Reviewer("lea", "lead")
APPROVE = {"kind": "verdict", "decision": "approve"}
REJECT = {"kind": "verdict", "decision": "reject", "reason": "cube fell"}


def _load(name: str) -> ModuleType:
    """A module of the catalog's tests, whichever tests are run."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "teleloom" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_episodes = _load("catalog_episodes")
make_id, write, WALL_NS, START_NS = _episodes.make_id, _episodes.write, _episodes.WALL_NS, _episodes.START_NS
postgresql = _load("conftest").postgresql


class Wall:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.ns = WALL_NS

    def __call__(self) -> int:
        self.ns += 1000  # No two events at the same time.
        return self.ns

    def forward(self, seconds: float) -> None:
        self.ns += round(seconds * NS_PER_S)


class Room:
    """The service over a catalog, and short ways to use it."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.root = root
        self.wall = Wall()
        self.catalog = Catalog.open(url or root, root=root, now=self.wall)
        self.service = ReviewService(self.catalog, now=self.wall)

    def add(self, *numbers: int, task: str = "stack", risk: float | None = None) -> tuple[str, ...]:
        """Enter these episodes; without a given risk, the lower number is the riskier one."""
        for number in numbers:
            self.catalog.register(write(self.root, number, task=task))
            self.catalog.set_risks({make_id(number): (1 - number / 1000 if risk is None else risk, [])})
        return tuple(make_id(number) for number in numbers)

    def say(self, reviewer: Reviewer, episode_id: str, *said: dict[str, Any], operation: str | None = None) -> Any:
        """Commit on what the reviewer sees now."""
        seen = self.service.open(reviewer, episode_id).view.revision
        return self.service.commit(reviewer, episode_id, said_as(*said), seen, operation)


def said_as(*said: dict[str, Any]) -> list[Annotation]:
    return [parse(each) for each in said]


@contextmanager
def open_room(root: Path, server: str | None = None) -> Iterator[Room]:
    """A room over SQLite, or over a new database on the PostgreSQL server at this URL."""
    room = Room(root, _new_database(server) if server else None)
    with room.catalog:
        yield room


def _new_database(server: str) -> str:
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"review_{uuid.uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
