"""DAgger: who drove each step, what it counts, and which policy and round an episode comes from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Station
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from synthetic_episodes import Episode

from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from dataset_builder.rules.lineage import Lineage
from dataset_builder.rules.weights import (
    DEMONSTRATION,
    INTERVENTION,
    POLICY,
    StepWeights,
    action_modes,
    led_to_takeover,
    step_weights,
    takeovers,
)
from dataset_builder.source.rounds import Contribution, RoundSummary, round_numbers, summaries
from dataset_builder.source.trajectory import Trajectory
from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import Steps
from teleloom.messages import ControlMode

HOLD, HAND, AUTO, BLEND = (int(mode) for mode in ControlMode)
CORRECTED = Episode(seed=1, seconds=4.0, size=(16, 16), policy="bc-1", corrections=((1.5, 2.5), (3.2, 3.6)))
SIRIUS = StepWeights(demonstration=1.0, policy=0.5, intervention=3.0, pre_intervention=0.01, pre_intervention_steps=6)


def modes(text: str, corrected: str = "", *, policy_pilot: bool = False, before: int = 2) -> str:
    """Who acts at each step: of h(and), a(uto), b(lend), . (hold), corrections marked by x; as letters again."""
    control = np.array([{"h": HAND, "a": AUTO, "b": BLEND, ".": HOLD}[c] for c in text], dtype=np.uint8)
    flags = np.array([c == "x" for c in corrected.ljust(len(text))], dtype=bool)
    found = action_modes(control, flags, policy_pilot)
    names = np.array([{DEMONSTRATION: "d", POLICY: "p", INTERVENTION: "i"}[mode] for mode in found.tolist()])
    return "".join(np.where(led_to_takeover(found, before), "-", names).tolist())


@pytest.mark.parametrize(
    ("driving", "corrected", "wanted"),
    [
        ("hhhh", "", "dddd"),
        ("aaaa", "", "pppp"),
        ("aaaahhaaaa", "    xx    ", "pp--iipppp"),
        ("aaaahhaahh", "    xx  xx", "pp--ii--ii"),
        ("ahahahhh", " x x xxx", "-i-i-iii"),
        ("hhaaahh", "     xx", "ddp--ii"),
        ("aaabbhhbbaa", "   xxxx    ", "p--iiiipppp"),
        ("..hh..aa..hh", "          xx", "ddddddpp--ii"),
        ("aa..hh", "    xx", "pp--ii"),
        ("aahh.hhaa", "  xx xx", "--iiiiipp"),
        ("hh.aahh..aahh", "     xx    xx", "ddd--iiii--ii"),
    ],
)
def test_steps_are_put_down_to_whoever_drove_and_those_before_a_takeover_stand_out(
    driving: str, corrected: str, wanted: str
) -> None:
    assert modes(driving, corrected) == wanted


def test_where_nobody_ever_drove_the_pilot_that_was_on_duty_counts() -> None:
    assert modes("....") == "dddd"
    assert modes("....", policy_pilot=True) == "pppp"


def test_no_step_leads_to_a_takeover_where_none_is_asked_for() -> None:
    assert modes("aaahh", "   xx", before=0) == "pppii"


driving = st.lists(st.sampled_from([HOLD, HAND, AUTO]), min_size=1, max_size=80)


@given(driving, st.integers(0, 20))
def test_before_each_takeover_are_as_many_as_asked_for_or_as_the_policy_drove(steps: list[int], before: int) -> None:
    control = np.array(steps, dtype=np.uint8)
    found = action_modes(control, control == HAND, False).tolist()
    taken = [step for step in range(1, len(found)) if found[step] != POLICY and found[step - 1] == POLICY]
    assert takeovers(np.array(found)).tolist() == taken
    near = {step for takeover in taken for step in range(takeover - before, takeover)}
    wanted = [step for step in sorted(near & set(range(len(found)))) if found[step] == POLICY]
    assert np.flatnonzero(led_to_takeover(np.array(found), before)).tolist() == wanted


def test_weights_are_those_of_the_kind_of_step_times_that_of_the_episode() -> None:
    kinds = np.array([DEMONSTRATION, INTERVENTION, POLICY, POLICY], dtype=np.int8)
    led = np.array([False, False, False, True])
    weights = step_weights(SIRIUS, 2.0, kinds, led)
    assert weights.dtype == np.float32
    assert weights.tolist() == pytest.approx([2.0, 6.0, 1.0, 0.02])
    assert step_weights(StepWeights(), 1.0, kinds, led).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_a_correction_is_one_wherever_a_trim_begins(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = EpisodeReader.steps

    def gripping_anew(reader: EpisodeReader) -> Steps:
        steps = recorded(reader)
        held = (steps.t_ns >= 2_000_000_000) & (steps.t_ns < 2_300_000_000) & steps.is_intervention
        assert held.any()
        control = np.where(held, np.uint8(ControlMode.HOLD), steps.control_mode)
        return dataclasses.replace(steps, control_mode=control, is_intervention=steps.is_intervention & ~held)

    monkeypatch.setattr(EpisodeReader, "steps", gripping_anew)
    station.add(CORRECTED, {"kind": "trim", "start_ns": 2_000_000_000, "end_ns": 2_700_000_000})
    trajectory = one(station, weights=SIRIUS.model_dump())
    held = trajectory.control_mode == ControlMode.HOLD
    assert held[0]
    assert not trajectory.is_intervention[held].any()
    assert set(trajectory.action_mode[held].tolist()) == {INTERVENTION}
    assert set(trajectory.weight[held].tolist()) == {3.0}
    assert Contribution.of(trajectory).intervention_steps == np.count_nonzero(trajectory.action_mode == INTERVENTION)


def one(station: Station, **manifest: object) -> Trajectory:
    (trajectory,) = station.gather(BuildManifest.model_validate({"name": "k", **manifest})).kept
    return trajectory


def test_an_episode_with_corrections_step_by_step(station: Station) -> None:
    station.add(CORRECTED, {"kind": "weight", "weight": 2.0})
    trajectory = one(station, weights=SIRIUS.model_dump())
    seconds = trajectory.t_ns * 1e-9
    human = trajectory.action_mode == INTERVENTION
    assert set(trajectory.action_mode.tolist()) == {POLICY, INTERVENTION}
    assert np.array_equal(human, trajectory.is_intervention)
    # A step shows the newest command before the next step, so a takeover shows up to a step early.
    for start, end in CORRECTED.corrections:
        assert human[(seconds >= start) & (seconds < end - 0.1)].all()
        assert not human[(seconds >= end) & (seconds < end + 0.4)].any()
    first, second = takeovers(trajectory.action_mode)
    led = trajectory.led_to_takeover
    assert np.flatnonzero(led).tolist() == [*range(first - 6, first), *range(second - 6, second)]
    assert np.flatnonzero(trajectory.handover).tolist()[::2] == [first, second]
    assert trajectory.weight.tolist() == pytest.approx(np.where(human, 6.0, np.where(led, 0.02, 1.0)).tolist())
    assert np.isfinite(trajectory.policy_target).all()
    assert np.array_equal(np.isfinite(trajectory.human_target).all(axis=1), human)
    assert np.array_equal(trajectory.target[human], trajectory.human_target[human])
    assert np.array_equal(trajectory.target[~human], trajectory.policy_target[~human])


def test_what_led_to_a_takeover_does_so_wherever_trims_and_filters_cut(station: Station) -> None:
    takeover = {"kind": "flag", "label": "takeover", "start_ns": 1_400_000_000, "end_ns": 2_500_000_000}
    station.add(CORRECTED, takeover, {"kind": "trim", "start_ns": 500_000_000, "end_ns": 2_700_000_000})
    trajectory = one(station, filters={"drop_flags": ["takeover"]}, weights=SIRIUS.model_dump())
    assert set(trajectory.action_mode.tolist()) == {POLICY}
    before = trajectory.t_ns < 1_400_000_000
    assert np.count_nonzero(trajectory.led_to_takeover[before]) == 5
    assert trajectory.after_cut.tolist() == [index == before.sum() for index in range(len(trajectory))]


def contribution(version: str | None, wall_ns: int, **what: int) -> Contribution:
    counts = {"steps": 10, "policy_steps": 6, "human_steps": 4, "intervention_steps": 4, "corrections": 2} | what
    return Contribution(policy_version=version, recorded_wall_ns=wall_ns, outcome="success", **counts)


def test_without_declared_rounds_policies_count_in_the_order_of_their_first_recordings() -> None:
    some = [contribution("zeta", 5), contribution("alpha", 9), contribution(None, 7), contribution("alpha", 20)]
    assert round_numbers(some, Lineage()) == {None: 0, "zeta": 1, "alpha": 2}
    assert round_numbers([*some, contribution("alpha", 1)], Lineage()) == {None: 0, "alpha": 1, "zeta": 2}
    assert round_numbers([contribution("zeta", 5)], Lineage()) == {"zeta": 1}


def test_declared_rounds_hold_whatever_was_recorded_when() -> None:
    rounds = [
        {"round": 0},
        {"round": 1, "policy_version": "bc-1", "trained_on": "kitchen 1.0.0"},
        {"round": 1, "policy_version": "bc-1b", "trained_on": "kitchen 1.0.0"},
        {"round": 2, "policy_version": "bc-2", "trained_on": "kitchen 1.1.0", "parent": "bc-1"},
    ]
    lineage = Lineage.model_validate({"rounds": rounds})
    some = [contribution("bc-2", 1), contribution("bc-1", 2), contribution(None, 3), contribution("bc-2", 4)]
    assert round_numbers(some, lineage) == {None: 0, "bc-1": 1, "bc-2": 2}
    demonstrations, first, second = summaries(some, lineage)
    assert (demonstrations.round, demonstrations.policy_version, demonstrations.root) == (0, None, None)
    assert (first.round, first.trained_on, first.parent, first.root) == (1, "kitchen 1.0.0", None, "bc-1")
    assert second == RoundSummary(
        round=2,
        policy_version="bc-2",
        trained_on="kitchen 1.1.0",
        parent="bc-1",
        root="bc-1",
        episodes=2,
        steps=20,
        policy_steps=12,
        human_steps=8,
        intervention_steps=8,
        corrections=4,
        outcomes={"success": 2},
    )
    assert second.to_json()["outcomes"] == {"success": 2}


@pytest.mark.parametrize(
    ("rounds", "fault"),
    [
        ([{"round": 1, "policy_version": "a"}, {"round": 2, "policy_version": "a"}], "a are in two rounds"),
        ([{"round": 0}, {"round": 3}], "demonstrations are in two rounds"),
        ([{"round": 1, "policy_version": "a", "parent": "b"}], "'b', parent of 'a', is in no round; add it"),
        (
            [{"round": 2, "policy_version": "a"}, {"round": 2, "policy_version": "b", "parent": "a"}],
            "'b' must be in a later round than 'a'",
        ),
        ([{"round": 1, "policy_version": "a"}, {"round": 2, "parent": "a"}], "demonstrations have no parent"),
        ([{"round": -1}], "greater than or equal to 0"),
    ],
)
def test_rounds_that_cannot_be_are_refused(rounds: list[dict[str, object]], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Lineage.model_validate({"rounds": rounds})


def test_a_round_without_an_episode_is_warned_of(station: Station) -> None:
    station.add(CORRECTED)
    rounds = [{"round": 0}, {"round": 1, "policy_version": "bc-1"}, {"round": 2, "policy_version": "bc2"}]
    gathered = station.gather(BuildManifest.model_validate({"name": "k", "lineage": {"rounds": rounds}}))
    assert gathered.warnings == ("lineage.rounds: no episode that is in has policy_version 'bc2'",)


def test_a_policy_without_a_round_is_left_out_where_rounds_are_declared(station: Station) -> None:
    station.add(dataclasses.replace(CORRECTED, policy=None))
    known = station.add(dataclasses.replace(CORRECTED, seed=2))
    unknown = station.add(dataclasses.replace(CORRECTED, seed=3, policy="bc-7"))
    declared = {"rounds": [{"round": 1, "policy_version": "bc-1"}]}
    gathered = station.gather(BuildManifest.model_validate({"name": "k", "lineage": declared}))
    (entry,) = gathered.rejected
    assert (entry.episode_id, entry.reason) == (unknown, "unknown-policy")
    assert "its policy 'bc-7' is in no round; add it to `lineage.rounds`" in entry.detail
    some = [Contribution.of(trajectory) for trajectory in gathered.kept]
    demonstrations, first = summaries(some, Lineage.model_validate(declared))
    assert (demonstrations.policy_steps, demonstrations.corrections) == (0, 0)
    assert demonstrations.human_steps == demonstrations.steps
    (own,) = [t for t in gathered.kept if t.candidate.episode_id == known]
    assert first.corrections == 2
    assert first.intervention_steps == first.human_steps == int(own.is_intervention.sum())
    assert first.policy_steps == len(own) - first.human_steps
    assert len(station.gather(BuildManifest(name="k")).kept) == 3


def test_a_campaign_from_episodes_to_records_metadata_and_lock(station: Station, tmp_path: Path) -> None:
    starts = range(1, 7)
    demonstrations = {station.add(dataclasses.replace(CORRECTED, seed=seed, policy=None)): seed for seed in starts}
    attempts = {
        station.add(dataclasses.replace(CORRECTED, seed=seed, copy=1, policy=policy)): (seed, policy)
        for seed, policy in zip(starts, ["bc-1"] * 3 + ["bc-2"] * 3, strict=True)
    }
    rounds = [
        {"round": 1, "policy_version": "bc-1", "trained_on": "kitchen 0.1.0"},
        {"round": 2, "policy_version": "bc-2", "trained_on": "kitchen 0.2.0", "parent": "bc-1"},
    ]
    manifest = BuildManifest.model_validate(
        {
            "name": "kitchen",
            "splits": {"val_fraction": 0.4},
            "lineage": {"rounds": rounds},
            "weights": SIRIUS.model_dump(),
        }
    )
    path = station.build(tmp_path / "rlds", manifest).path
    records = {
        bytes(record["episode_metadata/episode_id"][0]).decode(): record
        for shard in path.glob("*.tfrecord-*")
        for record in map(decode_example, read_records(shard))
        if "episode_metadata/episode_id" in record
    }
    assert records.keys() == demonstrations.keys() | attempts.keys()
    for identity, (_, policy) in attempts.items():
        record = records[identity]
        assert record["episode_metadata/policy_version"] == [policy.encode()]
        intervention = np.array(record["steps/is_intervention"], dtype=bool)
        asked = {pilot: np.reshape(record[f"steps/action_{pilot}"], (-1, 7)) for pilot in ("policy", "human")}
        has = {pilot: np.array(record[f"steps/has_action_{pilot}"], dtype=bool) for pilot in ("policy", "human")}
        assert has["policy"].all()
        assert np.array_equal(has["human"], intervention)
        executed = np.reshape(record["steps/action"], (-1, 7))
        assert np.allclose(executed[~intervention], asked["policy"][~intervention], atol=1e-7)
        assert np.allclose(executed[intervention], asked["human"][intervention], atol=1e-7)
        assert np.abs(executed - asked["policy"])[intervention].max() == pytest.approx(0.01, abs=1e-6)
        assert set(np.array(record["steps/action_mode"])[intervention]) == {1}
        assert np.count_nonzero(np.equal(record["steps/intv_label"], -10)) == 12
        assert set(np.array(record["steps/weight"])[intervention]) == {3.0}
    metadata = json.loads((path / "metadata.json").read_text())
    zero, first, second = metadata["rounds"]
    assert (zero["round"], zero["episodes"], zero["policy_steps"]) == (0, 6, 0)
    assert (first["round"], first["episodes"], first["corrections"], first["trained_on"]) == (1, 3, 6, "kitchen 0.1.0")
    assert (second["round"], second["root"], second["parent"]) == (2, "bc-1", "bc-1")
    steps = sum(each["steps"] for each in metadata["rounds"])
    assert steps == sum(len(record["steps/is_first"]) for record in records.values())
    pins = {pin["episode_id"]: pin for pin in json.loads((path / "build.lock.json").read_text())["episodes"]}
    side = {seed: pins[identity]["split"] for identity, seed in demonstrations.items()}
    assert set(side.values()) == {"train", "val"}
    for identity, (seed, policy) in attempts.items():
        assert pins[identity]["split"] == side[seed]
        assert pins[identity]["round"] == {"bc-1": 1, "bc-2": 2}[policy]
