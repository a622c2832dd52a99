"""Small real episode files for the catalog's tests."""

from __future__ import annotations

from pathlib import Path

from teleloom.episode.ids import episode_id
from teleloom.episode.meta import EpisodeMeta, Instruction, Outcome, TaskInfo, WallAnchor
from teleloom.episode.streams import StreamBuilder
from teleloom.episode.writer import write_episode
from teleloom.messages import ControlMode, ControlTick, RobotState
from teleloom.specs import RobotSpec

START_NS = 1_000_000_000
WALL_NS = 1_800_000_000_000_000_000
HOME = (0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0)

ROBOT = RobotSpec(
    name="one-joint",
    joint_names=("j",),
    q_min=(-1.0,),
    q_max=(1.0,),
    dq_max=(1.0,),
    ddq_max=(1.0,),
    effort_max=(1.0,),
    home_q=(0.0,),
    rate_hz=100.0,
    model="<mujoco/>",
)


def make_id(number: int) -> str:
    """The id of the episode that began `number` minutes after the first; ids sort by number."""
    return episode_id(WALL_NS + number * 60_000_000_000, bytes([number % 256]) * 10)


def write(root: Path, number: int, task: str = "stack", outcome: Outcome = "success", shift: float = 0.0) -> Path:
    """A half-second episode under `root`/episodes. `shift` changes what its streams hold."""
    meta = EpisodeMeta(
        episode_id=make_id(number),
        station="bench",
        operator="anna",
        task=TaskInfo(
            name=task,
            instructions=(Instruction(text="pile them up"), Instruction(text="stack the cubes", spoken=True)),
        ),
        robot=ROBOT,
        anchor=WallAnchor(monotonic_ns=START_NS, wall_ns=WALL_NS + number * 60_000_000_000),
        software_version="0",
        outcome=outcome,
        success_check=outcome == "success",
    )
    robot, tick = StreamBuilder(RobotState, 1), StreamBuilder(ControlTick, 1)
    for seq in range(51):
        t_ns = START_NS + seq * 10_000_000
        q = (seq * 0.001 + shift,)
        robot.add(RobotState(t_ns=t_ns, seq=seq, q=q, dq=(0.1,), effort=(0.0,), ee_pose=HOME, gripper=1.0))
        tick.add(
            ControlTick(
                t_ns=t_ns,
                seq=seq,
                mode=ControlMode.HUMAN,
                engaged=True,
                target_executed=HOME,
                gripper_command=1.0,
                q_command=q,
                dq_command=(0.1,),
                human_target=(HOME, 1.0),
            )
        )
    path = root / "episodes" / f"{meta.episode_id}.h5"
    path.parent.mkdir(exist_ok=True)
    write_episode(path, meta, {"robot": robot.build(), "tick": tick.build()})
    return path
