"""Small made-up episodes for the tests of the episode format."""

from __future__ import annotations

from collections.abc import Sequence

from teleloom.episode.meta import EpisodeMeta, Instruction, TaskInfo, WallAnchor
from teleloom.episode.streams import Stream, StreamBuilder, frames_to_stream
from teleloom.messages import (
    Controller,
    ControlMode,
    ControlTick,
    Event,
    JointCommand,
    Message,
    PolicyAction,
    Pose,
    RobotState,
    XrFrame,
)
from teleloom.specs import CameraSpec, RobotSpec

JOINTS = 7
MS = 1_000_000


def make_meta(episode_id: str = "0190c6a0-0000-7000-8000-000000000001") -> EpisodeMeta:
    return EpisodeMeta(
        episode_id=episode_id,
        station="bench",
        operator="tester",
        task=TaskInfo(name="put", instructions=(Instruction(text="put the lemon into the bowl", spoken=True),)),
        robot=RobotSpec(
            name="panda",
            joint_names=tuple(f"joint{i}" for i in range(JOINTS)),
            q_min=(-3.0,) * JOINTS,
            q_max=(3.0,) * JOINTS,
            dq_max=(2.0,) * JOINTS,
            ddq_max=(10.0,) * JOINTS,
            effort_max=(80.0,) * JOINTS,
            home_q=(0.0,) * JOINTS,
            rate_hz=200,
            model="<mujoco/>",
        ),
        cameras=(CameraSpec(name="front", width=64, height=48, rate_hz=10),),
        anchor=WallAnchor(monotonic_ns=0, wall_ns=1_700_000_000_123_000_000),
        software_version="0.1.0",
    )


def pose(x: float) -> Pose:
    return (x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def robot_state(t_ns: int, seq: int) -> RobotState:
    """A state whose every value tells its number."""
    values = (float(seq),) * JOINTS
    return RobotState(t_ns=t_ns, seq=seq, q=values, dq=values, effort=values, ee_pose=pose(seq), gripper=float(seq))


def control_tick(t_ns: int, seq: int, mode: ControlMode = ControlMode.HUMAN, **fields: object) -> ControlTick:
    """A tick whose target and joints tell its number."""
    values = (float(seq),) * JOINTS
    return ControlTick(
        t_ns=t_ns,
        seq=seq,
        mode=mode,
        engaged=True,
        target_executed=pose(seq),
        gripper_command=0.5,
        q_command=values,
        dq_command=values,
        **fields,  # type: ignore[arg-type]
    )


def jpeg(number: int, size: int = 200) -> bytes:
    """Bytes that begin and end as a JPEG does and carry a number."""
    return b"\xff\xd8\xff" + number.to_bytes(8, "big") + bytes(size) + b"\xff\xd9"


def table(messages: Sequence[Message]) -> Stream:
    builder = StreamBuilder(type(messages[0]), JOINTS)
    for message in messages:
        builder.add(message)
    assert not builder.dropped
    return builder.build()


def camera(times_ns: Sequence[int]) -> Stream:
    count = len(times_ns)
    times = {"t_ns": times_ns, "t_device_ns": [-1] * count, "seq": range(count)}
    return frames_to_stream([jpeg(i) for i in range(count)], times, "jpeg", (64, 48), "rgb")


def make_streams(seconds: float = 1.0) -> dict[str, Stream]:
    """Robot and ticks at 200 Hz, a hand at 90 Hz, two cameras at 10 Hz, a policy now and then."""
    count = int(seconds * 200)
    times = [i * 5 * MS for i in range(count)]
    hand = Controller(pose=pose(0.0), squeeze=1.0)
    return {
        "robot": table([robot_state(t, i) for i, t in enumerate(times)]),
        "tick": table([control_tick(t + MS, i, interventions=("speed",) * (i % 2)) for i, t in enumerate(times)]),
        "command": table(
            [JointCommand(t_ns=t, seq=i, q=(0.0,) * 7, dq=(0.0,) * 7, gripper=1.0) for i, t in enumerate(times)]
        ),
        "xr": table([XrFrame(t_ns=i * 11 * MS, seq=i, head=pose(1.6), right=hand) for i in range(int(seconds * 90))]),
        "policy": table(
            [
                PolicyAction(t_ns=i * 300 * MS, seq=i, policy_version="p1", chunk=((0.0,) * 8,) * 4, latency_ns=9)
                for i in range(3)
            ]
        ),
        "cameras/front": camera([i * 100 * MS for i in range(int(seconds * 10))]),
        "cameras/wrist": camera([i * 100 * MS + 3 * MS for i in range(int(seconds * 10))]),
    }


def make_events() -> list[Event]:
    return [
        Event(t_ns=5 * MS, seq=0, kind="button", reason="primary"),
        Event(t_ns=9 * MS, seq=1, kind="intervention", reason="speed", data={"axis": "x", "by": [1, 2.5]}),
    ]
