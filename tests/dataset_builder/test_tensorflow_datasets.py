"""The checks with the real TensorFlow, in a process of their own.

TensorFlow and Mesa's software renderer each bring an LLVM, and a process that holds both crashes when it draws.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("checks", ["tensorflow_checks.py", "preset_tensorflow_checks.py"])
def test_tensorflow_reads_what_was_written(checks: str) -> None:
    """Everything in the file; none of it may be skipped."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).with_name(checks))],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
