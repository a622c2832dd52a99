"""Splits: whole groups on one side, where they stay when data is added, and always something to train on."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import pytest
from conftest import Station
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from synthetic_episodes import Episode

from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.splits import (
    TEST,
    TRAIN,
    VAL,
    LeakError,
    Placed,
    Splits,
    assign,
    check_leaks,
    empty_splits,
    position,
)
from dataset_builder.source.trajectory import Trajectory

SHORT = Episode(seed=0, seconds=0.4, size=(16, 16))

keys = st.text("abcdef", min_size=1, max_size=4)
groups = st.dictionaries(st.text("0123456789", min_size=1, max_size=4), keys, max_size=30)
fractions = st.tuples(st.floats(0.0, 0.6), st.floats(0.0, 0.39)).map(
    lambda pair: Splits(val_fraction=pair[0], test_fraction=pair[1])
)


def held_out_whole(of: dict[str, str], splits: Splits) -> bool:
    """Whether no group falls to train by itself."""
    return all(position(key) < splits.val_fraction + splits.test_fraction for key in of.values())


@given(groups, fractions, st.booleans())
def test_a_group_is_on_one_side_and_something_is_left_to_train_on(
    of: dict[str, str], splits: Splits, fill: bool
) -> None:
    sides = assign(of, splits.model_copy(update={"fill_empty": fill}))
    assert sides.keys() == of.keys()
    assert len({(of[episode], side) for episode, side in sides.items()}) == len(set(of.values()))
    assert not of or TRAIN in sides.values()
    assert set(sides.values()) <= {TRAIN, *splits.wanted}
    check_leaks(Placed(episode, side, of[episode], f"recording {episode}") for episode, side in sides.items())


@given(groups, groups, fractions)
def test_nothing_changes_sides_when_data_is_added_or_taken_away(
    of: dict[str, str], added: dict[str, str], splits: Splits
) -> None:
    if held_out_whole(of, splits):
        return
    before, after = assign(of, splits), assign(added | of, splits)
    assert {episode: after[episode] for episode in of} == before


@given(groups, groups, fractions)
def test_what_was_trained_on_for_want_of_anything_else_moves_alone(
    of: dict[str, str], added: dict[str, str], splits: Splits
) -> None:
    before, after = assign(of, splits), assign(added | of, splits)
    moved = {of[episode] for episode in of if before[episode] != after[episode]}
    assert len(moved) <= (1 if held_out_whole(of, splits) else 0)
    assert all(before[episode] == TRAIN for episode in of if of[episode] in moved)


def test_the_shares_are_those_asked_for() -> None:
    count = 20_000
    splits = Splits(val_fraction=0.1, test_fraction=0.25)
    sides = Counter(assign({str(i): f"task=stack scene=kitchen seed={i}" for i in range(count)}, splits).values())
    for side, share in ((VAL, 0.1), (TEST, 0.25), (TRAIN, 0.65)):
        assert abs(sides[side] - share * count) < 4 * math.sqrt(count * share * (1 - share))


def test_a_larger_share_takes_from_train_alone() -> None:
    of = {str(i): str(i) for i in range(500)}
    small, large = (assign(of, Splits(val_fraction=share)) for share in (0.1, 0.2))
    assert {episode for episode in of if small[episode] == VAL} < {episode for episode in of if large[episode] == VAL}


def test_a_side_is_a_matter_of_the_key_alone_on_every_machine() -> None:
    assert position("task=stack scene=kitchen seed=7") == pytest.approx(0.394117, abs=1e-6)


def test_fractions_must_leave_something() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Splits(val_fraction=0.6, test_fraction=0.4)


def test_a_split_that_was_asked_for_and_is_empty_is_said_to_be() -> None:
    of = {"a": "seed=1", "b": "seed=2", "c": "seed=2"}
    splits = Splits(val_fraction=0.01, test_fraction=0.02)
    sides = assign(of, splits)
    assert set(sides.values()) == {TRAIN}
    assert empty_splits(of, sides, splits) == (
        "no val split: none of the 2 groups falls into its share of 0.01; record more, raise splits.val_fraction, "
        "or set splits.fill_empty: true",
        "no test split: none of the 2 groups falls into its share of 0.02; record more, raise splits.test_fraction, "
        "or set splits.fill_empty: true",
    )
    assert empty_splits(of, sides, Splits(val_fraction=0.0)) == ()


@given(groups, fractions)
def test_empty_splits_are_filled_where_told_as_long_as_train_keeps_a_group(of: dict[str, str], splits: Splits) -> None:
    plain, filled = assign(of, splits), assign(of, splits.model_copy(update={"fill_empty": True}))
    training = {of[episode] for episode, side in filled.items() if side == TRAIN}
    assert len(training) <= 1 or set(filled.values()) == {TRAIN, *splits.wanted}
    moved = {of[episode] for episode in of if plain[episode] != filled[episode]}
    empty = set(splits.wanted) - set(plain.values())
    assert len(moved) <= len(empty)
    assert {filled[episode] for episode in of if of[episode] in moved} <= empty


def test_leaks_are_named() -> None:
    one = Placed("a", TRAIN, "seed=1", "hash 1")
    check_leaks([one, Placed("b", VAL, "seed=2", "hash 2"), Placed("c", TRAIN, "seed=1", "hash 3")])
    with pytest.raises(LeakError, match=r"^group seed=1 is in train \(a\), val \(b\)$"):
        check_leaks([one, Placed("b", VAL, "seed=1", "hash 2")])
    with pytest.raises(LeakError, match=r"^recording hash 1 is in test \(b\), train \(a\)$"):
        check_leaks([one, Placed("b", TEST, "seed=2", "hash 1")])


def kept(station: Station, **manifest: object) -> dict[str, Trajectory]:
    gathered = station.gather(BuildManifest.model_validate({"name": "k", **manifest}))
    return {trajectory.candidate.episode_id: trajectory for trajectory in gathered.kept}


def test_a_policys_attempt_stays_with_the_demonstration_from_the_same_start(station: Station) -> None:
    demonstration = station.add(dataclasses.replace(SHORT, seed=7))
    attempt = station.add(dataclasses.replace(SHORT, seed=7, copy=1, seconds=0.5, policy="bc-1"))
    other = station.add(dataclasses.replace(SHORT, seed=8, policy="bc-1"))
    for group_by in (["task", "scene", "seed"], ["lineage"]):
        by_id = kept(station, splits={"group_by": group_by})
        assert by_id[demonstration].group == by_id[attempt].group
        assert by_id[other].group != by_id[attempt].group


def test_on_a_real_robot_all_that_descends_from_one_policy_is_one_lineage(station: Station) -> None:
    first, second = (
        station.add(dataclasses.replace(SHORT, seed=seed, real=True, policy=policy))
        for seed, policy in ((1, "bc-1"), (2, "bc-2"))
    )
    other = station.add(dataclasses.replace(SHORT, seed=3, real=True, policy="from-scratch"))
    demonstrations = [station.add(dataclasses.replace(SHORT, seed=seed, real=True)) for seed in (4, 5)]
    rounds = [
        {"round": 1, "policy_version": "bc-1"},
        {"round": 2, "policy_version": "bc-2", "parent": "bc-1"},
        {"round": 2, "policy_version": "from-scratch"},
    ]
    by_id = kept(station, splits={"group_by": ["lineage"]}, lineage={"rounds": rounds})
    assert by_id[first].lineage == by_id[second].lineage == "policy:bc-1"
    assert by_id[other].lineage == "policy:from-scratch"
    assert len({trajectory.group for trajectory in by_id.values()}) == 4
    assert by_id[demonstrations[0]].group != by_id[demonstrations[1]].group
    unrelated = kept(station, splits={"group_by": ["lineage"]})
    assert unrelated[first].group != unrelated[second].group


def test_a_copy_goes_where_the_recording_went_whichever_of_them_is_in(station: Station) -> None:
    copies = [station.add(dataclasses.replace(SHORT, seed=1, real=True, copy=copy)) for copy in (0, 1)]
    for group_by in (["task", "scene", "seed"], ["episode"], ["lineage"]):
        in_turn = [kept(station, splits={"group_by": group_by}, select={"episodes": [copy]}) for copy in copies]
        assert len({by_id[copy].group for by_id, copy in zip(in_turn, copies, strict=True)}) == 1


def test_groups_by_operator_and_station(station: Station) -> None:
    names = (("anna", "bench-1"), ("anna", "bench-2"), ("ben", "bench-2"))
    ids = [
        station.add(dataclasses.replace(SHORT, seed=seed, operator=operator, station=bench))
        for seed, (operator, bench) in enumerate(names)
    ]
    by_id = kept(station, splits={"group_by": ["operator"]})
    assert [by_id[each].group for each in ids] == ["operator=anna", "operator=anna", "operator=ben"]
    by_id = kept(station, splits={"group_by": ["station", "task"]})
    assert [by_id[each].group for each in ids] == [
        "station=bench-1 task=put_in_bowl",
        "station=bench-2 task=put_in_bowl",
        "station=bench-2 task=put_in_bowl",
    ]
