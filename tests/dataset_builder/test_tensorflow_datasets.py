"""The checks with the real TensorFlow, in a process of their own.

TensorFlow and Mesa's software renderer each bring an LLVM, and a process that holds both crashes when it draws.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = ("tensorflow_checks.py", "preset_tensorflow_checks.py")


def test_tensorflow_reads_what_was_written() -> None:
    """Everything in the files; none of it may be skipped. One process does all: to import TensorFlow takes seconds."""
    files = [str(Path(__file__).with_name(name)) for name in CHECKS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
