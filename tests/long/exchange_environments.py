"""Environments of their own for the packages whose readers judge our exports: they want other versions of much.

They are kept in TELELOOM_TEST_ENVIRONMENTS, or in the folder for temporary files, and made where they are missing;
with CUDA's libraries, which PyPI's PyTorch brings along, they take 8 GB.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

# Without their dependencies: lerobot's robots and robomimic's simulators want to be compiled, and no reader wants them.
LEROBOT = ("lerobot==0.4.4",)
LEROBOT_NEEDS = (
    "torch>=2.2.1,<2.11",
    "torchvision>=0.21,<0.26",
    "datasets>=4,<5",
    "huggingface-hub>=0.34.2,<0.36",
    "accelerate>=1.10,<2",
    "av>=15,<16",
    "numpy>=2,<2.3",
    "jsonlines>=4,<5",
    "packaging>=24.2,<26",
    "deepdiff>=7.0.1,<9",
    "draccus==0.10.0",
    "einops>=0.8,<0.9",
    "termcolor>=2.4,<4",
    "setuptools>=71,<81",
)
ROBOMIMIC = ("robomimic==0.3.0",)
ROBOMIMIC_NEEDS = (
    "torch==2.13.0",
    "numpy",
    "h5py",
    "psutil",
    "tqdm",
    "termcolor",
    "tensorboard",
    "tensorboardX",
    "imageio",
    "matplotlib",
    "six",
)
DONE = "complete"


def interpreter(name: str, package: tuple[str, ...], needs: tuple[str, ...]) -> Path:
    """The interpreter of the environment that holds `package`, made now if it is not there."""
    key = hashlib.sha256(json.dumps([package, needs]).encode()).hexdigest()[:12]
    root = Path(os.environ.get("TELELOOM_TEST_ENVIRONMENTS", Path(tempfile.gettempdir()) / "teleloom-environments"))
    folder = root / f"{name}-{key}"
    python = folder / "bin" / "python"
    if not (folder / DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        for install in (["--no-deps", *package], list(needs)):
            subprocess.run([python, "-m", "pip", "install", "-q", *install], check=True)
        (folder / DONE).touch()
    return python


def run(python: Path, program: str, *arguments: object, cache: Path) -> None:
    """Run a program beside this file in an environment, without the network. Its output is shown when it fails."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache), "HF_DATASETS_OFFLINE": "1"}
    command = [python, Path(__file__).with_name(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | offline)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
