"""`teleloom bench` on small scripts: what it takes for a measurement and what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.bench import BenchmarkError, as_markdown, run_benchmark

SCRIPT = '''"""How long nothing takes, against nothing.

Both do nothing.

Run: python benchmarks/nothing.py
"""
print("some words first")
print('{"name": "nothing", "figure": 2.0, "unit": "s", "baseline": 4.0, "ratio": 2.0}')
'''


def test_the_last_line_is_the_measurement_and_the_docstring_explains_it(tmp_path: Path) -> None:
    script = tmp_path / "nothing.py"
    script.write_text(SCRIPT)
    measured = run_benchmark(script)
    assert (measured.figure, measured.ratio) == (2.0, 2.0)
    page = as_markdown({script: measured})
    assert "| nothing | 2 s | 4 | 2 |" in page
    assert "**nothing.py**: How long nothing takes, against nothing.\n\nBoth do nothing.\n" in page
    assert "Run:" not in page


@pytest.mark.parametrize(
    "ending", ["print('done')", 'print(\'{"name": "x"}\')', "raise SystemExit(3)", "print()"], ids=str
)
def test_a_script_without_a_measurement_is_refused_by_name(ending: str, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(ending)
    with pytest.raises(BenchmarkError, match=r"broken\.py"):
        run_benchmark(script)


def test_every_benchmark_of_the_project_says_what_it_measures() -> None:
    scripts = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("*.py"))
    assert len(scripts) >= 6
    for script in scripts:
        assert script.read_text().startswith('"""'), script.name
