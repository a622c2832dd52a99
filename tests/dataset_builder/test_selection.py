"""Selecting: what the manifest asks for is in, and everything else says which criterion left it out."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import MANIFEST, Station
from pydantic import ValidationError
from synthetic_episodes import WALL_NS, Episode, write

from dataset_builder.ledger import Rejected
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.query import Query
from teleloom.catalog import Catalog, UnknownEpisodeError
from teleloom.episode.layout import episode_path

MINUTE_NS = 60_000_000_000
SHORT = Episode(seed=0, seconds=0.4, cameras=("front", "wrist"), size=(16, 16))


def add(bench: Station, seed: int, *annotations: dict[str, object], **what: object) -> str:
    return bench.add(dataclasses.replace(SHORT, seed=seed, **what), *annotations)


def moment(seed: int) -> datetime:
    """When the episode of this seed was recorded."""
    return datetime.fromtimestamp((WALL_NS + seed * MINUTE_NS) / 1e9, UTC)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Station, dict[str, str]]:
    """Five approved episodes that differ in everything one can select by, by a name for each."""
    station = Station(tmp_path_factory.mktemp("mixed") / "station")
    station.root.mkdir()
    return station, {
        "plain": add(station, 0),
        "stack": add(station, 1, {"kind": "tag", "tag": "slow"}, task="stack", operator="ben"),
        "office": add(station, 2, {"kind": "score", "score": 2}, scene="office", station="bench-2"),
        "failed": add(station, 3, {"kind": "outcome", "outcome": "failure"}, {"kind": "tag", "tag": "slow"}),
        "policy": add(station, 4, {"kind": "score", "score": 5}, policy="bc-1", corrections=((0.2, 0.4),)),
    }


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, "plain stack office failed policy"),
        ({"tasks": ["stack"]}, "stack"),
        ({"robot": "panda"}, "plain stack office failed policy"),
        ({"stations": ["bench-2"]}, "office"),
        ({"operators": ["ben", "nobody"]}, "stack"),
        ({"scenes": ["office"]}, "office"),
        ({"outcomes": ["success", "partial"]}, "plain stack office policy"),
        ({"tags": ["slow"]}, "stack failed"),
        ({"without_tags": ["slow"]}, "plain office policy"),
        ({"min_score": 2}, "office policy"),
        ({"min_score": 3}, "policy"),
        ({"recorded_from": moment(2)}, "office failed policy"),
        ({"recorded_to": moment(2)}, "plain stack"),
        ({"recorded_from": moment(1), "recorded_to": moment(3)}, "stack office"),
        ({"policy_versions": ["bc-1"]}, "policy"),
        ({"policy_versions": ["human"]}, "plain stack office failed"),
        ({"tasks": ["put_in_bowl"], "without_tags": ["slow"], "outcomes": ["success"], "scenes": ["kitchen"]},
         "plain policy"),
    ],
)  # fmt: skip
def test_each_criterion_lets_in_what_has_it_and_names_itself_for_the_rest(
    mixed: tuple[Station, dict[str, str]], query: dict[str, object], wanted: str
) -> None:
    station, ids = mixed
    manifest = MANIFEST.model_copy(update={"select": Query.model_validate(query)})
    gathered = station.gather(manifest)
    selection = station.select(manifest.select)
    assert {t.candidate.episode_id for t in gathered.kept} == {ids[name] for name in wanted.split()}
    rejected = [*selection.rejected, *gathered.rejected]
    assert {entry.episode_id for entry in rejected} == set(ids.values()) - {ids[name] for name in wanted.split()}
    for entry in rejected:
        assert entry.reason == "not-selected"
        assert entry.detail.split(":")[0].removeprefix("select.") in query
        assert entry.detail.endswith("change `select` in the manifest if you want it")
        assert entry.task in ("put_in_bowl", "stack")


def test_episodes_by_id_alone(mixed: tuple[Station, dict[str, str]]) -> None:
    station, ids = mixed
    selection = station.select(Query(episodes=(ids["stack"], ids["failed"])))
    assert [candidate.episode_id for candidate in selection.candidates] == sorted((ids["stack"], ids["failed"]))
    with pytest.raises(UnknownEpisodeError, match=r"select.episodes: the catalog has no 0000-none; correct or remove"):
        station.select(Query(episodes=(ids["stack"], "0000-none")))


def test_what_nobody_recorded_is_warned_of(mixed: tuple[Station, dict[str, str]]) -> None:
    station, _ = mixed
    query = Query(tasks=("stack", "stakc"), operators=("ben",), tags=(), scenes=("kitchen", "attic"))
    assert station.select(query).warnings == (
        "select.tasks: no episode of the catalog has 'stakc'; there is put_in_bowl, stack",
    )
    gathered = station.gather(MANIFEST.model_copy(update={"select": query}))
    assert gathered.warnings == ("select.scenes: no episode that is in has 'attic'",)


@pytest.mark.parametrize(("rate_hz", "cameras"), [(None, []), (30.0, []), (31.0, ["front"])])
def test_steps_that_would_repeat_frames_are_warned_of(
    station: Station, rate_hz: float | None, cameras: list[str]
) -> None:
    station.add(Episode(seed=1, frames_hz=30.0))
    manifest = BuildManifest.model_validate({"name": "k", "step_rate_hz": rate_hz, "cameras": {"front": "image"}})
    assert station.gather(manifest).warnings == tuple(
        f"step_rate_hz is 31, and camera '{camera}' has 30 frames a second: steps repeat frames; lower step_rate_hz, "
        "or leave the camera out"
        for camera in cameras
    )


def test_times_without_a_zone_are_utc_and_must_be_in_order() -> None:
    query = Query.model_validate({"recorded_from": "2026-03-01", "recorded_to": "2026-03-02T01:00:00+02:00"})
    assert query.recorded_from == datetime(2026, 3, 1, tzinfo=UTC)
    assert query.recorded_to == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert Query.model_validate_json(query.model_dump_json()) == query
    with pytest.raises(ValidationError, match="must lie before recorded_to"):
        Query.model_validate({"recorded_from": "2026-03-02", "recorded_to": "2026-03-01"})


def test_a_copy_is_in_where_the_original_is_not_selected(station: Station) -> None:
    first, second = sorted((add(station, 1), add(station, 1, copy=1)))
    (entry,) = station.select().rejected
    assert (entry.episode_id, entry.reason) == (second, "duplicate")
    assert first in entry.detail
    selection = station.select(Query(episodes=(second,)))
    assert [candidate.episode_id for candidate in selection.candidates] == [second]
    assert [entry.reason for entry in selection.rejected] == ["not-selected"]


def test_an_episode_that_review_did_not_approve_is_never_looked_at(station: Station) -> None:
    identity = station.add(SHORT, approve=False)
    episode_path(station.root, identity).write_bytes(b"")
    (entry,) = station.select(Query(tasks=("another",))).rejected
    assert entry == Rejected(
        identity, "not-approved", "nobody has approved it; review it with `teleloom review`", "put_in_bowl"
    )


def test_what_was_said_is_read_of_no_more_episodes_than_needed(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = add(station, 1, task="stack")
    add(station, 2)
    station.add(dataclasses.replace(SHORT, seed=3), approve=False)
    rejection = {"kind": "verdict", "decision": "reject", "reason": "slipped"}
    refused = station.add(dataclasses.replace(SHORT, seed=4), rejection, approve=False)
    asked: list[str] = []
    views = Catalog.views
    monkeypatch.setattr(Catalog, "views", lambda self, ids: asked.extend(ids) or views(self, ids))
    selection = station.select(Query(tasks=("stack",)))
    assert sorted(asked) == sorted((stack, refused))
    assert [candidate.episode_id for candidate in selection.candidates] == [stack]
    assert any("tester rejected it: slipped" in entry.detail for entry in selection.rejected)


def test_the_whole_episodes_folder_may_be_a_link_but_no_single_file(station: Station, tmp_path: Path) -> None:
    inside, outside = add(station, 1), add(station, 2)
    folder, disk = station.root / "episodes", tmp_path / "disk"
    folder.rename(disk)
    folder.symlink_to(disk)
    assert {candidate.episode_id for candidate in station.select().candidates} == {inside, outside}
    elsewhere = tmp_path / "elsewhere.h5"
    episode_path(station.root, outside).rename(elsewhere)
    episode_path(station.root, outside).symlink_to(elsewhere)
    (entry,) = station.select().rejected
    assert (entry.episode_id, entry.reason) == (outside, "outside-root")
    assert "leads out of the station's folder" in entry.detail


def test_a_file_under_the_name_of_an_episode_that_lies_elsewhere_has_an_entry_of_its_own(
    station: Station, tmp_path: Path
) -> None:
    identity = write(tmp_path, SHORT)
    with Catalog.open(station.root) as catalog:
        catalog.register(episode_path(tmp_path, identity))
    (station.root / "episodes").mkdir()
    episode_path(station.root, identity).write_bytes(b"nothing of the kind")
    selection = station.select()
    assert selection.inputs == (identity, f"{identity}.h5")
    assert [entry.reason for entry in selection.rejected] == ["not-approved", "bad-file"]


def test_only_the_steps_within_the_trim_are_read_and_the_trim_does_not_move_who_led_to_a_takeover(
    station: Station,
) -> None:
    driven = {"policy": "bc-1", "corrections": ((1.0, 2.0),), "seconds": 2.0}
    whole = {t.candidate.episode_id: t for t in station.gather().kept}
    assert whole == {}
    first = add(station, 1, **driven)
    second = add(station, 2, {"kind": "trim", "start_ns": 300_000_000, "end_ns": 900_000_000}, **driven)
    both = {t.candidate.episode_id: t for t in station.gather(BuildManifest(name="k")).kept}
    inside = (both[first].t_ns >= 300_000_000) & (both[first].t_ns < 900_000_000)
    assert 0 < len(both[second]) < len(both[first])
    assert np.array_equal(both[second].t_ns, both[first].t_ns[inside])
    assert both[second].led_to_takeover.all()
    assert both[second].weight.shape == both[second].t_ns.shape
