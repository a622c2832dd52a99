"""Datasets of other projects, as their own tools write them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import av
import h5py
import numpy as np

from teleloom import pose

STEPS = 24
WALL_MS = 1_690_000_000_000
UUID = "ILIAD+50aee79f+2023-07-12-20h-55m-08s"
WRIST, OUTSIDE = "18026681", "22008760"

_TFDS = '''
import sys
import numpy as np
import tensorflow_datasets as tfds

F = tfds.features


class Odd(tfds.core.GeneratorBasedBuilder):
    """Every kind of feature that a step may have."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        step = {
            "observation": {
                "image": F.Image(shape=(24, 32, 3), encoding_format="jpeg"),
                "png": F.Image(shape=(24, 32, 3), encoding_format="png"),
                "depth": F.Image(shape=(24, 32, 1), dtype=np.uint16, encoding_format="png"),
                "pixels": F.Tensor(shape=(24, 32, 3), dtype=np.uint8),
                "state": F.Tensor(shape=(8,), dtype=np.float64),
                "packed": F.Tensor(shape=(3,), dtype=np.float64, encoding=F.Encoding.ZLIB),
                "stored": F.Tensor(shape=(2, 3), dtype=np.float32, encoding=F.Encoding.BYTES),
                "counts": F.Tensor(shape=(3,), dtype=np.uint8),
                "words": F.Tensor(shape=(2,), dtype=np.str_),
            },
            "action": F.Tensor(shape=(7,), dtype=np.float32),
            "label": F.ClassLabel(names=["a", "b", "c"]),
            "language_instruction": F.Text(),
            "reward": F.Scalar(dtype=np.float32),
            "is_first": np.bool_,
            "ragged": F.Sequence(np.int64),
            "triple": F.Sequence(np.float32, length=3),
            "nested": F.Sequence({"x": F.Tensor(shape=(2,), dtype=np.float32)}),
            "boxes": F.Sequence(F.Sequence(np.float32)),
        }
        metadata = {"file_path": F.Text(), "number": np.int32, "tags": F.Sequence(F.Text())}
        return tfds.core.DatasetInfo(
            builder=self, features=F.FeaturesDict({"steps": F.Dataset(step), "episode_metadata": metadata})
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples(3, 0), "val": self._generate_examples(2, 50)}

    def _generate_examples(self, count, first):
        for episode in range(first, first + count):
            yield str(episode), {
                "steps": [step(episode, i, 12 + episode % 5) for i in range(12 + episode % 5)],
                "episode_metadata": {"file_path": f"/raw/{episode}", "number": episode, "tags": ["x"] * (episode % 3)},
            }


def step(episode, i, count):
    rng = np.random.default_rng([episode, i])
    picture = np.full((24, 32, 3), 40, np.uint8)
    picture[i : i + 6, episode % 20 : episode % 20 + 6] = (200, 90, 30)
    return {
        "observation": {
            "image": picture,
            "png": picture,
            "depth": np.full((24, 32, 1), 900 + i, np.uint16),
            "pixels": picture,
            "state": np.concatenate([rng.uniform(0.2, 0.6, 3), 0.2 * rng.normal(size=3), [0.02, -0.02]]),
            "packed": np.array([episode, i, 0.5]),
            "stored": np.full((2, 3), i, np.float32),
            "counts": np.array([i, 200, episode], np.uint8),
            "words": ["a", "b\\u00fc"],
        },
        "action": rng.normal(size=7).astype(np.float32),
        "label": i % 3,
        "language_instruction": f"push block {episode}",
        "reward": float(i == count - 1),
        "is_first": i == 0,
        "ragged": list(range(i)),
        "triple": [1.0, 2.0, float(i)],
        "nested": [{"x": np.ones(2, np.float32)}] * i,
        "boxes": [[1.0]] * i,
    }


Odd(data_dir=sys.argv[1]).download_and_prepare()
'''


def tfds_dataset(folder: Path) -> Path:
    """What `write_with_tfds` gave with tensorflow-datasets 4.9.10, kept as no test can wait for TensorFlow."""
    with zipfile.ZipFile(Path(__file__).with_name("tfds_odd.zip")) as kept:
        kept.extractall(folder / "odd" / "1.2.0")
    return folder / "odd" / "1.2.0"


def write_with_tfds(folder: Path) -> Path:
    """A dataset of 3 + 2 episodes with every kind of feature, written by TensorFlow Datasets; its folder."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", _TFDS, str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder / "odd" / "1.2.0"


def write_droid(
    folder: Path, success: bool = True, stereo: bool = True, frames: int = STEPS, offset: float = 0.0
) -> Path:
    """A raw DROID episode of STEPS steps as droid's TrajectoryWriter and svo2mp4 leave it; its folder."""
    folder.mkdir(parents=True)
    time = np.arange(STEPS) / 15.0
    position = np.stack([0.4 + 0.1 * np.sin(time + offset), 0.1 * np.cos(time), 0.3 + 0.02 * time], axis=1)
    angles = np.stack([3.0 + 0.1 * time, 0.2 * time, -0.3 * time], axis=1)
    measured, told = np.hstack([position, angles]), np.hstack([position + 0.01, angles + 0.02])
    joints = np.sin(time[:, None] + np.arange(7)) + offset
    read = WALL_MS + np.round(np.arange(STEPS) * 1000 / 15).astype(np.int64)
    arrays = {
        "action/cartesian_position": told,
        "action/cartesian_velocity": np.zeros((STEPS, 6)),
        "action/gripper_position": np.linspace(0.0, 1.0, STEPS),
        "action/gripper_velocity": np.zeros(STEPS),
        "action/joint_position": joints + 0.05,
        "action/joint_velocity": np.zeros((STEPS, 7)),
        "action/robot_state/cartesian_position": measured,
        "observation/robot_state/cartesian_position": measured,
        "observation/robot_state/gripper_position": np.linspace(0.0, 0.9, STEPS),
        "observation/robot_state/joint_positions": joints,
        "observation/robot_state/joint_velocities": np.cos(time[:, None] + np.arange(7)),
        "observation/robot_state/motor_torques_measured": np.ones((STEPS, 7)),
        "observation/robot_state/prev_command_successful": np.ones(STEPS, dtype=bool),
        "observation/controller_info/movement_enabled": np.arange(STEPS) >= 3,
        "observation/timestamp/robot_state/read_start": read,
        "observation/timestamp/control/step_start": read,
        "observation/camera_type/" + WRIST: np.zeros(STEPS, dtype=np.int64),
        "observation/camera_type/" + OUTSIDE: np.ones(STEPS, dtype=np.int64),
    }
    for serial in (WRIST, OUTSIDE):
        arrays[f"observation/timestamp/cameras/{serial}_estimated_capture"] = read - 20
        arrays[f"observation/camera_extrinsics/{serial}_left"] = np.zeros((STEPS, 6))
    with h5py.File(folder / "trajectory.h5", "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]))
        file.attrs.update({"user": "Ada", "current_task": "Move the mug", "success": success, "building": "Gates"})
    document = {
        "uuid": UUID,
        "lab": "ILIAD",
        "user": "Ada L",
        "success": success,
        "scene_id": 7,
        "building": "Gates",
        "current_task": "Move the mug",
        "wrist_cam_serial": WRIST,
        "ext1_cam_serial": OUTSIDE,
    }
    (folder / f"metadata_{UUID}.json").write_text(json.dumps(document))
    for serial in (WRIST, OUTSIDE):
        for kind in ("MP4", "SVO"):
            (folder / "recordings" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "recordings" / "MP4" / f"{serial}.mp4").write_bytes(video(frames))
        (folder / "recordings" / "SVO" / f"{serial}.svo").write_bytes(b"SVO")
    if stereo:
        (folder / "recordings" / "MP4" / f"{WRIST}-stereo.mp4").write_bytes(b"")
    return folder


@cache
def video(frames: int) -> bytes:
    """An H.264 video in which a bright square moves."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=15, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(frames):
            picture = np.full((64, 96, 3), 30, np.uint8)
            picture[20:36, 2 * i : 2 * i + 16] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def euler_pose(row: np.ndarray) -> np.ndarray:
    """The tool pose of DROID's x y z and angles about the fixed axes, worked out from rotation matrices."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(row[3:]), np.sin(row[3:])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return pose.make(row[:3], pose.quat_from_matrix(about_z @ about_y @ about_x))
