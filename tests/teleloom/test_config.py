from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from teleloom.config import Config, ConfigError, load_yaml
from teleloom.specs import RobotSpec


class Limits(Config):
    speed_m_s: float = Field(default=0.5, gt=0)


class Station(Config):
    name: str = "bench"
    limits: Limits = Limits()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "station.yaml"
    path.write_text(text)
    return path


def test_a_file_is_read_and_what_it_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    assert load_yaml(written(tmp_path, "limits: {speed_m_s: 0.2}"), Station) == Station(limits=Limits(speed_m_s=0.2))
    assert load_yaml(written(tmp_path, ""), Station) == Station()


def test_every_fault_is_named_with_its_place_and_the_keys_that_exist(tmp_path: Path) -> None:
    path = written(tmp_path, "nam: x\nlimits:\n  speed: 1\n  speed_m_s: -1\n")
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Station)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path} cannot be used:"
    assert "  nam: unknown key; known here: limits, name" in lines
    assert "  limits.speed: unknown key; known here: speed_m_s" in lines
    assert any(line.startswith("  limits.speed_m_s: ") and "greater than 0" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "is not YAML"),
        ("- 1", r"\(top level\)"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("name: 2026-13-01", "is not YAML: month must be in"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load_yaml(written(tmp_path, text), Station)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*nowhere\.yaml: No such file"):
        load_yaml(tmp_path / "nowhere.yaml", Station)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Station().name = "other"  # type: ignore[misc]


def test_a_robot_needs_one_limit_for_each_joint() -> None:
    limits = dict.fromkeys(("q_min", "q_max", "dq_max", "ddq_max", "effort_max"), (1.0, 1.0))
    with pytest.raises(ValidationError, match="home_q has 1 values for 2 joints"):
        RobotSpec(name="r", joint_names=("a", "b"), home_q=(0.0,), rate_hz=100, model="<mujoco/>", **limits)
