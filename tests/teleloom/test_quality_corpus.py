"""The ranking of a corpus: what makes an episode stand out among its like, and what does not."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleloom.quality.corpus import EpisodeFeatures, Risk, features_of, rank
from teleloom.quality.corpus.robust import badness, fences, weight_of, widening
from teleloom.quality.corpus.twins import nearest
from teleloom.quality.report import Finding, QualityReport, conclude

START_NS, END_NS = 5_000_000_000, 13_000_000_000
SHOWN = (7_000_000_000, 8_000_000_000)


def episode(number: int, rng: np.random.Generator, **metrics: float) -> EpisodeFeatures:
    """One of many ordinary episodes, each doing the task in another scene."""
    known = {
        "duration_s": rng.normal(8.0, 0.8),
        "sparc": rng.normal(-4.0, 0.4),
        "shake_rad_s": rng.normal(0.13, 0.02),
        "idle_longest_s": rng.normal(1.0, 0.2),
        "cameras/front.sharpness": rng.normal(2000.0, 150.0),
        "cameras/front.lag_s": rng.normal(0.03, 0.005),
    }
    way = np.linspace(rng.normal(0.0, 0.2, 4), rng.normal(0.3, 0.2, 4), 16)
    return EpisodeFeatures(
        episode_id=f"episode {number:03d}",
        task="stack",
        robot="panda",
        start_ns=START_NS,
        end_ns=END_NS,
        findings=(),
        metrics=known | metrics,
        evidence={name: SHOWN for name in known if name != "duration_s"},
        signature=tuple(way.ravel().tolist()),
    )


def corpus(count: int = 40, seed: int = 0) -> list[EpisodeFeatures]:
    rng = np.random.default_rng(seed)
    return [episode(number, rng) for number in range(count)]


def odd_one(**metrics: float) -> EpisodeFeatures:
    return episode(999, np.random.default_rng(99), **{"duration_s": 8.0, **metrics})


def risk_of_odd_one(**metrics: float) -> Risk:
    return rank([*corpus(), odd_one(**metrics)])["episode 999"]


def finding(severity: str, kind: str = "gap", source: str = "robot") -> Finding:
    return Finding(
        kind=kind, severity=severity, start_ns=SHOWN[0], end_ns=SHOWN[1], message="it said so", source=source
    )


@pytest.mark.parametrize(
    ("metrics", "kind", "source", "message"),
    [
        ({"sparc": -9.0}, "jerky", "robot", "jerkier than all others of 'stack' on panda: SPARC -9.0, usual -3.9"),
        ({"shake_rad_s": 0.5}, "jerky", "robot", "shakes more than all others of 'stack' on panda: above 2.5 Hz 0.50"),
        (
            {"idle_longest_s": 6.0},
            "idle",
            "robot",
            "rests longer at a stretch than all others of 'stack' on panda: 6.0 s",
        ),
        ({"cameras/front.sharpness": 300.0}, "blur", "cameras/front", "cameras/front is blurrier than all others of"),
        ({"cameras/front.lag_s": 0.2}, "skew", "cameras/front", "200 ms, usual 3"),
        ({"cameras/front.lag_s": -0.2}, "skew", "cameras/front", "-200 ms, usual 3"),
    ],
)
def test_a_figure_that_stands_out_is_a_reason_with_its_figures_and_the_time_that_shows_it(
    metrics: dict[str, float], kind: str, source: str, message: str
) -> None:
    risks = rank([*corpus(), odd_one(**metrics)])
    assert max(risks, key=lambda name: risks[name].risk) == "episode 999"
    gravest = risks["episode 999"].reasons[0]
    assert (gravest.kind, gravest.source, (gravest.start_ns, gravest.end_ns)) == (kind, source, SHOWN)
    assert message in gravest.message


@pytest.mark.parametrize("metrics", [{"sparc": -1.5}, {"shake_rad_s": 0.0}, {"cameras/front.sharpness": 9000.0}])
def test_what_stands_out_on_the_good_side_is_no_reason(metrics: dict[str, float]) -> None:
    assert risk_of_odd_one(**metrics).risk == 0.0


def test_ordinary_episodes_give_few_reasons() -> None:
    flagged = [name for seed in range(5) for name, risk in rank(corpus(seed=seed)).items() if risk.risk > 0.0]
    assert len(flagged) <= 0.1 * 5 * 40


@pytest.mark.parametrize(("duration_s", "kind", "starts"), [(25.0, "too-long", 10.0), (2.0, "too-short", 0.0)])
def test_a_duration_beyond_the_fences_is_a_reason(duration_s: float, kind: str, starts: float) -> None:
    long = replace(odd_one(duration_s=duration_s), end_ns=START_NS + round(duration_s * 1e9))
    reason = rank([*corpus(), long])["episode 999"].reasons[0]
    assert (reason.kind, reason.end_ns) == (kind, long.end_ns)
    assert (reason.start_ns - START_NS) / 1e9 == pytest.approx(starts, abs=1.5)
    assert f"{duration_s:.1f} s" in reason.message


def test_episodes_of_other_tasks_and_robots_are_not_compared() -> None:
    shaking = odd_one(shake_rad_s=0.5)
    for other in ({"task": "wipe"}, {"robot": "ur5e"}):
        assert rank([*corpus(), replace(shaking, **other)])["episode 999"].risk == 0.0


def test_among_few_only_the_findings_speak() -> None:
    few = [*corpus(3), replace(odd_one(shake_rad_s=0.4), findings=(finding("fault"),))]
    risks = rank(few)
    assert [reason.kind for reason in risks["episode 999"].reasons] == ["gap"]
    assert all(risk.risk == 0.0 for name, risk in risks.items() if name != "episode 999")


def test_a_fault_outranks_a_warning_and_a_note_is_no_reason() -> None:
    first, second, third, *rest = corpus()
    faulty = [replace(e, findings=(finding(s),)) for e, s in ((first, "fault"), (second, "warning"), (third, "note"))]
    risks = rank([*faulty, *rest])
    assert risks[first.episode_id].risk > risks[second.episode_id].risk > risks[third.episode_id].risk
    assert risks[first.episode_id].reasons[0].message == "it said so"


def test_a_warning_that_everyone_has_says_little() -> None:
    everyone = [replace(e, findings=(finding("warning"),)) for e in corpus()]
    assert max(risk.risk for risk in rank(everyone).values()) < 0.3
    alone = [everyone[0], *corpus()[1:]]
    assert rank(alone)[everyone[0].episode_id].risk > 0.4


def test_jerk_seen_by_two_measures_is_one_reason() -> None:
    kinds = [reason.kind for reason in risk_of_odd_one(sparc=-9.0, shake_rad_s=0.5).reasons]
    assert kinds.count("jerky") == 1


def test_a_near_duplicate_names_its_twin_and_the_later_one_is_the_riskier() -> None:
    episodes = corpus()
    copied = np.array(episodes[7].signature) + np.random.default_rng(5).normal(0.0, 0.001, 64)
    again = replace(odd_one(duration_s=episodes[7].metrics["duration_s"] * 1.02), signature=tuple(copied.tolist()))
    risks = rank([*episodes, again])
    later, earlier = risks["episode 999"].reasons[0], risks["episode 007"].reasons[0]
    assert (later.kind, later.other, (later.start_ns, later.end_ns)) == (
        "near-duplicate",
        "episode 007",
        (START_NS, END_NS),
    )
    assert (earlier.kind, earlier.other) == ("near-duplicate", "episode 999")
    assert later.weight == pytest.approx(2.0 * earlier.weight, rel=0.01)


def test_a_task_that_is_always_done_the_same_way_has_no_near_duplicates() -> None:
    rng = np.random.default_rng(3)
    same = np.tile(np.linspace(0.0, 0.5, 16)[:, None], (1, 4)).ravel()
    episodes = [replace(e, signature=tuple((same + rng.normal(0.0, 0.002, 64)).tolist())) for e in corpus()]
    assert not [r for risk in rank(episodes).values() for r in risk.reasons if r.kind == "near-duplicate"]


def test_an_end_far_from_where_the_others_end_is_a_reason_that_shows_the_end() -> None:
    rng = np.random.default_rng(4)
    ends = np.array([0.4, 0.1, 0.1, 0.08])
    episodes = []
    for one in [*corpus(), odd_one()]:
        away = 0.3 if one.episode_id == "episode 999" else 0.0
        way = np.linspace(rng.normal(0.0, 0.2, 4), ends + rng.normal(0.0, 0.01, 4) + away, 16)
        episodes.append(replace(one, signature=tuple(way.ravel().tolist())))
    reason = rank(episodes)["episode 999"].reasons[0]
    assert (reason.kind, reason.start_ns, reason.end_ns) == ("final-pose", END_NS - 1_000_000_000, END_NS)


def test_a_figure_that_only_some_episodes_have_is_compared_among_those() -> None:
    with_lag, without = corpus(40), corpus(40, seed=1)
    bare = [
        replace(e, episode_id=f"other {e.episode_id}", metrics={"duration_s": e.metrics["duration_s"]}) for e in without
    ]
    assert rank([*with_lag, *bare, odd_one(shake_rad_s=0.5)])["episode 999"].reasons[0].kind == "jerky"


def test_the_robust_z_is_the_published_one_and_few_widen_it() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 100.0])
    by_hand = 0.6745 * (100.0 - 5.0) / 2.0 / widening(9)
    assert badness(values, "both", 0.0)[-1] == pytest.approx(by_hand, rel=1e-3)
    assert widening(8) == 2.0
    assert widening(40) == pytest.approx(1.04)
    assert np.isnan(badness(np.array([1.0, np.nan, 2.0]), "high", 0.1)[1])


def test_figures_that_all_agree_make_no_outlier_of_a_small_difference() -> None:
    values = np.array([*np.zeros(40), 0.01])
    assert badness(values, "high", 0.05)[-1] < 1.0
    assert badness(values, "high", 0.001)[-1] > 3.5


def test_fences_are_those_of_tukey_widened_for_few() -> None:
    low, high, spread = fences(np.arange(1.0, 1001.0), 0.0)
    assert (low, high, spread) == pytest.approx((250.75 - 749.25, 750.25 + 749.25, 499.5), rel=1e-3)


def test_weights_grow_with_z_and_stay_under_one() -> None:
    weights = [weight_of(z) for z in (0.0, 3.5, 5.5, 12.0, 1000.0)]
    assert weights == sorted(weights)
    assert (weights[0], weights[-1]) == (0.0, 0.95)


def test_the_nearest_is_found_across_blocks() -> None:
    rng = np.random.default_rng(1)
    ways = rng.normal(size=(2500, 16, 4))
    ways[2400] = ways[3] + 0.0005
    apart, other = nearest(ways, np.full(2500, 8.0))
    assert (other[3], other[2400]) == (2400, 3)
    assert apart[3] == pytest.approx(0.001, rel=1e-3)


def test_thousands_of_episodes_of_one_task_are_ranked_in_seconds() -> None:
    rng = np.random.default_rng(2)
    many = [episode(number, rng) for number in range(4000)]
    began = time.process_time()
    assert len(rank(many)) == 4000
    assert time.process_time() - began < 10.0


@settings(max_examples=30, deadline=None)
@given(data=st.data(), count=st.integers(1, 12))
def test_whatever_the_figures_a_risk_lies_between_none_and_one_and_the_order_of_episodes_does_not_matter(
    data: st.DataObject, count: int
) -> None:
    rng = np.random.default_rng(0)
    figures = st.floats(-1e12, 1e12, allow_nan=False)
    episodes = [
        episode(n, rng, sparc=data.draw(figures), duration_s=data.draw(figures), **{"tick.jitter": data.draw(figures)})
        for n in range(count)
    ]
    risks = rank(episodes)
    assert all(0.0 <= risk.risk <= 1.0 for risk in risks.values())
    assert rank(data.draw(st.permutations(episodes))) == risks


def test_features_are_read_from_the_catalog_s_json_and_from_reports_of_old() -> None:
    report = conclude([finding("fault")], {"sparc": -4.0}, 0.75, {"duration_s": (3, 9), "sparc": (4, 5)}, (0.5,) * 64)
    row = {"id": "a", "task": "stack", "robot": "panda", "quality": report.model_dump(mode="json"), "more": 1}
    known = features_of(row)
    assert known is not None
    assert (known.episode_id, known.group, known.start_ns, known.end_ns) == ("a", ("stack", "panda"), 3, 9)
    assert (known.metrics, known.evidence["sparc"], known.signature) == ({"sparc": -4.0}, (4, 5), (0.5,) * 64)
    old = {name: value for name, value in row["quality"].items() if name not in ("evidence", "signature")}
    of_old = features_of(row | {"quality": old})
    assert of_old is not None
    assert (of_old.start_ns, of_old.end_ns, of_old.signature) == (*SHOWN, ())
    assert rank([of_old])["a"].risk == pytest.approx(0.9)


def test_an_episode_without_a_report_that_can_be_read_has_no_features() -> None:
    row = {"id": "a", "task": "stack", "robot": "panda"}
    assert features_of(row) is None
    assert features_of(row | {"quality": None}) is None
    assert features_of(row | {"quality": {"score": "high"}}) is None


def test_reports_keep_evidence_and_signature_through_json() -> None:
    report = conclude([], {"sparc": -4.0}, 0.75, {"sparc": (4, 5)}, (0.25, 0.5))
    assert QualityReport.model_validate_json(report.model_dump_json()) == report
