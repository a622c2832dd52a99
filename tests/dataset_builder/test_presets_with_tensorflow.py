"""The presets' checks with the real TensorFlow, in a process of their own, as in test_tensorflow_datasets.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("preset_tensorflow_checks.py")


def test_each_preset_is_on_disk_what_its_loaders_want() -> None:
    """Everything in preset_tensorflow_checks.py; none of it may be skipped."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
