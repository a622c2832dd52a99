"""`teleloom doctor` on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from station.doctor import examine


def doctor(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "station", "doctor", "--json", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_finds_what_the_tests_themselves_need(tmp_path: Path) -> None:
    code, checks = doctor(str(tmp_path), "--reserve-gb", "0.001")
    verdicts = {check["name"]: check["verdict"] for check in checks}
    assert code == 0
    assert verdicts["Python"] == verdicts["rendering"] == verdicts["extra [sim]"] == verdicts["disk"] == "ok"


def test_a_disk_below_the_reserve_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    code, checks = doctor(str(tmp_path), "--reserve-gb", "1000000000")
    (disk,) = [check for check in checks if check["name"] == "disk"]
    assert code == 1
    assert disk["verdict"] == "problem"
    assert "free space" in disk["remedy"]


def test_every_check_that_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    for check in examine(tmp_path, 0):
        assert check.verdict == "ok" or check.remedy
