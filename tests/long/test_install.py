"""A plain install with the simulator, in a virtual environment of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024 * 1024
HEAVY = {"tensorflow", "tensorflow_datasets", "torch", "streamlit", "xr"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds teleloom[sim] and nothing else."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    # A build leaves its scraps in the tree that it builds from.
    source = folder.with_name("source")
    shutil.copytree(ROOT, source, ignore=_scraps)
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{source}[sim]"]
    subprocess.run(install, check=True, cwd=folder)
    return python


def _scraps(folder: str, names: list[str]) -> set[str]:
    """What is no source; the builder's own folder `build` is."""
    built = {"build"} if Path(folder) == ROOT else set()
    return shutil.ignore_patterns(".*", "*-out", "__pycache__")(folder, names) | built


def test_takes_at_most_450_megabytes(installed: Path) -> None:
    files = [path for path in installed.parents[1].rglob("*") if path.is_file() and not path.is_symlink()]
    megabytes = sum(path.stat().st_size for path in files) / MEGABYTE
    print(f"teleloom[sim] installed: {megabytes:.0f} MB")
    assert megabytes <= 450


def test_runs_the_demo_and_loads_no_training_or_headset_library(installed: Path, tmp_path: Path) -> None:
    program = (
        "import json, sys\n"
        "from station.cli import main\n"
        "main(['demo', '--out', 'out', '--json'], standalone_mode=False)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([installed, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    summary, modules = (json.loads(line) for line in done.stdout.strip().splitlines())
    assert summary["verify"]["sound"]
    assert not HEAVY & set(modules)


def test_a_headset_is_refused_with_the_command_that_installs_its_extra(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed, "-m", "station", "record", "root", "--operator", "openxr"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'teleloom[xr]'" in done.stderr
    assert "Traceback" not in done.stderr
