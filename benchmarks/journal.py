"""What a message costs on its way into the journal, against the MCAP library's own chunked writer in the same run.

Both write the same episode, one camera frame of 75 kB to thirteen small messages, to the same folder. The chunked
writer is what most recorders use; at a kill it loses its open chunk, and the journal loses nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mcap.writer import CompressionType, Writer

from recorder.journal import JournalWriter
from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.messages import AnyMessage, CameraFrame, ControlMode, ControlTick, RobotState, encode
from teleloom.specs import RobotSpec

SECONDS = 20
ROUNDS = 5
FRAME_BYTES = 75_000
JOINTS = 7


def make_meta() -> EpisodeMeta:
    """Metadata of an episode with a seven-joint arm."""
    limits = (1.0,) * JOINTS
    robot = RobotSpec(
        name="arm",
        joint_names=tuple(f"joint{i}" for i in range(JOINTS)),
        q_min=limits,
        q_max=limits,
        dq_max=limits,
        ddq_max=limits,
        effort_max=limits,
        home_q=limits,
        rate_hz=200,
        model="<mujoco/>",
    )
    return EpisodeMeta(
        episode_id="benchmark",
        station="bench",
        operator="bench",
        task=TaskInfo(name="bench", instructions=(Instruction(text="write as fast as you can"),)),
        robot=robot,
        anchor=WallAnchor(monotonic_ns=0, wall_ns=0),
        software_version="0",
    )


def make_messages() -> list[tuple[str, AnyMessage]]:
    """SECONDS of robot states and control ticks at 200 Hz and one camera at 30 Hz."""
    pose = (0.4, 0.1, 0.3, 0.0, 1.0, 0.0, 0.0)
    joints = (0.1,) * JOINTS
    data = b"\xff\xd8\xff" + os.urandom(FRAME_BYTES - 5) + b"\xff\xd9"
    messages: list[tuple[str, AnyMessage]] = []
    for i in range(SECONDS * 200):
        t_ns = i * 5_000_000
        messages.append(
            ("robot", RobotState(t_ns=t_ns, seq=i, q=joints, dq=joints, effort=joints, ee_pose=pose, gripper=1.0))
        )
        tick = ControlTick(
            t_ns=t_ns,
            seq=i,
            mode=ControlMode.HUMAN,
            engaged=True,
            target_raw=pose,
            target_filtered=pose,
            target_executed=pose,
            gripper_command=1.0,
            q_command=joints,
            dq_command=joints,
            human_target=(pose, 1.0),
            latency_ns=(1000,) * 7,
        )
        messages.append(("tick", tick))
        if i * 30 % 200 < 30:
            frame = CameraFrame(t_ns=t_ns, seq=i, camera="front", codec="jpeg", width=640, height=480, data=data)
            messages.append(("cameras/front", frame))
    return messages


def write_journal(path: Path, messages: list[tuple[str, AnyMessage]]) -> None:
    """Ours: every message reaches the kernel before the next."""
    writer = JournalWriter(path, make_meta())
    for stream, message in messages:
        writer.append(stream, message)
    writer.end()
    writer.close()


def write_chunked(path: Path, messages: list[tuple[str, AnyMessage]]) -> None:
    """The library's writer with its defaults: chunks of 1 MB with a CRC; no compression, as JPEG has none left."""
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start()
        channels: dict[str, int] = {}
        for stream, message in messages:
            if stream not in channels:
                channels[stream] = writer.register_channel(topic=stream, message_encoding="msgpack", schema_id=0)
            writer.add_message(channels[stream], log_time=message.t_ns, data=encode(message), publish_time=message.t_ns)
        writer.finish()


def cpu_us_per_message(write: Callable[[Path, list[tuple[str, AnyMessage]]], None], folder: Path) -> float:
    """The least CPU time, user and system, over ROUNDS, per message in microseconds."""
    messages = make_messages()
    best = float("inf")
    for number in range(ROUNDS):
        path = folder / f"{write.__name__}-{number}.mcap"
        start = time.process_time()
        write(path, messages)
        best = min(best, time.process_time() - start)
        path.unlink()
    return best / len(messages) * 1e6


def main() -> None:
    """Print both figures and, last, one JSON object."""
    folder = Path(tempfile.mkdtemp(prefix="journal-benchmark-"))
    try:
        ours = cpu_us_per_message(write_journal, folder)
        chunked = cpu_us_per_message(write_chunked, folder)
    finally:
        shutil.rmtree(folder)
    print(f"journal: {ours:.1f} µs CPU per message; chunked MCAP writer: {chunked:.1f} µs CPU per message")
    result = {
        "name": "journal append",
        "figure": round(ours, 2),
        "unit": "µs CPU per message",
        "baseline": round(chunked, 2),
        "ratio": round(chunked / ours, 2),
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
