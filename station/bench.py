"""`teleloom bench`: run every benchmark and write down what was measured."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from teleloom.files import atomic_write_bytes

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Measurement:
    """What a benchmark's last line says: its figure, the baseline's figure from the same run, and their ratio."""

    name: str
    figure: float
    unit: str
    baseline: float | None
    ratio: float | None


class BenchmarkError(RuntimeError):
    """A benchmark that failed or did not end with its JSON line."""


def run_benchmark(script: Path) -> Measurement:
    """Run one benchmark in its own process. Raises BenchmarkError with the end of what it printed."""
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise BenchmarkError(f"{script.name} exited with {done.returncode}:\n{tail}")
    try:
        return Measurement(**json.loads(lines[-1]))
    except (json.JSONDecodeError, TypeError) as error:
        raise BenchmarkError(f"{script.name}: its last line is not a measurement ({error}): {lines[-1]}") from None


def as_markdown(measurements: dict[Path, Measurement]) -> str:
    """The page `docs/benchmarks.md`: the figures, and what each script says that it measures and against what."""
    rows = [
        "| " + " | ".join([m.name, f"{_number(m.figure)} {m.unit}", _number(m.baseline), _number(m.ratio)]) + " |"
        for m in measurements.values()
    ]
    explained = [f"**{path.name}**: {_explanation(path)}\n" for path in measurements]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`. Each row is one script of `benchmarks/`; figure and baseline were measured in",
            "the same run, so the ratio means more than either figure on a machine that others share.",
            f"This run: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
            "",
            "| benchmark | figure | baseline | ratio |",
            "|---|---|---|---|",
            *rows,
            "",
            *explained,
        ]
    )


def _explanation(script: Path) -> str:
    """The script's docstring without the last paragraph where that says how to run it."""
    paragraphs = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").split("\n\n")
    return "\n\n".join(text for text in paragraphs if f"benchmarks/{script.name}" not in text)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


@click.command(epilog="\b\nExample:\n  teleloom bench ik build")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and leave docs/benchmarks.md alone.")
def bench(names: tuple[str, ...], as_json: bool) -> None:
    """Run the benchmarks NAMES (all, and write docs/benchmarks.md, when none is named).

    Works in a checkout of the project: the scripts are not part of the installed package.
    """
    folder = ROOT / "benchmarks"
    known = {path.stem: path for path in sorted(folder.glob("*.py"))}
    if not known:
        raise click.ClickException(f"no benchmarks in {folder}; run this in a checkout of teleloom")
    unknown = set(names) - set(known)
    if unknown:
        raise click.ClickException(f"no benchmark {', '.join(sorted(unknown))}; there is: {', '.join(known)}")
    console = Console(stderr=True)
    measurements: dict[Path, Measurement] = {}
    for name in names or known:
        with console.status(f"{name} …"):
            try:
                last = measurements[known[name]] = run_benchmark(known[name])
            except BenchmarkError as error:
                raise click.ClickException(str(error)) from None
        against = f"baseline {_number(last.baseline)}, ratio {_number(last.ratio)}"
        console.print(f"{last.name}: {_number(last.figure)} {last.unit} ({against})")
    if as_json:
        click.echo(json.dumps([vars(m) for m in measurements.values()]))
    elif not names:
        atomic_write_bytes(ROOT / "docs" / "benchmarks.md", as_markdown(measurements).encode())
