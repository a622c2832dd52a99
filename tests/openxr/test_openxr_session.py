"""OpenXrOperator against Monado, a real runtime."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import monado
import numpy as np
import pytest

from teleop.operator import OperatorError
from teleop.sources.openxr.operator import OpenXrOperator

DRIVE = Path(__file__).with_name("drive_session.py")


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return monado.run(DRIVE, "controls", timeout_s=60)


@pytest.fixture(scope="module")
def life() -> dict[str, Any]:
    return monado.run(DRIVE, "lifecycle", timeout_s=60, dump_calls=True)


def test_poses_arrive_in_the_robots_axes(seen: dict[str, Any]) -> None:
    # Sent: 0.1 m left, 0.7 m up and 0.1 m back from home, seen from the operator; turned by 90 degrees about "up".
    step = np.subtract(seen["moved"]["pose"][:3], seen["home"]["pose"][:3])
    np.testing.assert_allclose(step, [-0.1, 0.1, 0.7], atol=1e-4)
    np.testing.assert_allclose(seen["home"]["pose"][3:], [0.5, -0.5, -0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(np.abs(seen["moved"]["pose"][3:]), [0.70711, 0.0, 0.0, 0.70711], atol=1e-4)


def test_velocities_turn_with_the_axes(seen: dict[str, Any]) -> None:
    np.testing.assert_allclose(seen["moved"]["linear_velocity"], [-0.3, -0.1, 0.2], atol=1e-6)
    # The remote driver takes angular velocity in the controller's own axes: 90 degrees about "up" come first.
    np.testing.assert_allclose(seen["moved"]["angular_velocity"], [0.4, -0.6, 0.5], atol=1e-6)


def test_controls_arrive(seen: dict[str, Any]) -> None:
    moved = seen["moved"]
    assert (moved["squeeze"], moved["trigger"]) == (0.5, 0.25)
    np.testing.assert_allclose(moved["stick"], [0.3, -0.4], atol=1e-6)
    assert moved["primary"]
    assert not moved["secondary"]


def test_a_controller_switched_off_is_inactive_and_its_clutch_is_not_let_go(seen: dict[str, Any]) -> None:
    inactive = seen["inactive"]
    assert not inactive["active"]
    assert not inactive["tracked"]
    assert inactive["squeeze"] == 0.5
    assert not inactive["primary"]
    np.testing.assert_allclose(inactive["pose"], seen["moved"]["pose"], atol=1e-4)


def test_recentring_breaks_tracking_for_one_frame(seen: dict[str, Any]) -> None:
    assert seen["recentred"]["active"]
    assert not seen["recentred"]["tracked"]
    assert seen["frames_to_recover"] <= 2
    assert seen["events"].count("recentred") == 1


def test_a_silent_sender_is_noticed_within_100_ms(seen: dict[str, Any]) -> None:
    assert statistics.median(seen["frozen_ms"]) <= 100.0
    assert min(seen["frozen_ms"]) >= 50.0
    # Where the machine itself stalls, the sender falls silent once more.
    said = [reason for reason in seen["events"] if reason in ("frozen", "moving")]
    assert said == [("frozen", "moving")[i % 2] for i in range(len(said))]
    assert said.count("moving") >= 3


def test_frames_come_at_the_configured_rate(seen: dict[str, Any]) -> None:
    assert 10.5 <= seen["median_gap_ms"] <= 12.5


def test_haptics_reach_both_controllers_through_the_runtime(life: dict[str, Any]) -> None:
    # The recording pattern, asked for 50 times in half a second, took the fault's place and was played out each time.
    for hand in ("1", "2"):
        assert life["vibrations"].get(f"{hand}: 150 ms at 1.0", 0) <= 1
        assert 2 <= life["vibrations"][f"{hand}: 100 ms at 0.8"] <= 4


def test_a_second_session_is_refused_with_a_reason(life: dict[str, Any]) -> None:
    assert "already" in life["second"]


def test_a_runtime_that_dies_leaves_the_hand_inactive_and_comes_back(life: dict[str, Any]) -> None:
    assert not life["lost"]["active"]
    assert not life["lost"]["tracked"]
    assert life["back"]["active"]
    assert life["seq_goes_on"]
    assert [reason for reason in life["events"] if reason in ("connected", "lost")] == [
        "connected",
        "lost",
        "connected",
    ]


def test_without_a_runtime_the_error_says_what_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XR_RUNTIME_JSON", str(tmp_path / "absent.json"))
    with pytest.raises(OperatorError, match=r"start one .*XR_RUNTIME_JSON"):
        OpenXrOperator().open()
