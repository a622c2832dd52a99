"""The command line as a whole: what it offers, and how it says that a part is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from station.cli import main

COMMANDS = ("bench", "build", "demo", "doctor", "inspect", "record", "recover", "review", "verify")
HEAVY = ("tensorflow", "tensorflow_datasets", "torch", "streamlit", "xr")


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def without(module: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where `module` cannot be found, neither by it nor by the processes that it starts."""
    (folder / "sitecustomize.py").write_text(MISSING.format(module=module))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.run(
        [sys.executable, "-m", "station", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
        cwd=folder,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    context = click.Context(main, info_name="teleloom")
    command = main.get_command(context, name)
    assert command is not None
    help_text = command.get_help(click.Context(command, parent=context, info_name=name))
    assert "Example" in help_text
    assert f"teleloom {name}" in help_text


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "review"])
def test_every_command_prints_json_when_asked(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


def test_an_unknown_command_fails_and_names_what_there_is() -> None:
    done = subprocess.run([sys.executable, "-m", "station", "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_the_simulated_path_needs_no_training_or_headset_library() -> None:
    done = python(
        "import json, sys\n"
        "import station.demo, station.record, recorder.commands, dataset_builder.commands, review_ui.commands\n"
        "import teleop.sources.makers, teleop.sources.scripted.operator, teleop.sources.replay, robots.mujoco.live\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert not set(HEAVY) & set(loaded)


def test_a_robot_pc_records_without_the_simulator() -> None:
    done = python("import json, sys, recorder.recorder, recorder.commands\nprint(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert not {"mujoco", "daqp", *HEAVY} & {name.split(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("mujoco", "sim", ("demo",)),
        ("daqp", "sim", ("record", "nowhere", "--lockstep")),
        ("xr", "xr", ("record", "nowhere", "--operator", "openxr")),
        ("psycopg", "postgres", ("review", "list", ".", "--catalog", "postgresql+psycopg://nobody@127.0.0.1/none")),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    module: str, extra: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = without(module, tmp_path, *arguments)
    assert done.returncode != 0
    assert f"pip install 'teleloom[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
