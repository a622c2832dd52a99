"""Episodes whose every frame says its own number: what a player shows can be read back from its pixels.

The top of each frame carries two rows of 16 black or white cells. First row: white, 14 bits of the frame's row in its
stream, parity. Second row: white, 4 bits of the camera's place, 10 bits of the episode's number, parity. The cells
are so large that they outlive JPEG, H.264 and being drawn at another size.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from teleloom.episode.ids import episode_id
from teleloom.episode.layout import episode_path
from teleloom.episode.meta import EpisodeMeta, Instruction, Outcome, TaskInfo, WallAnchor
from teleloom.episode.streams import JOINTS, LAYOUTS, Stream, frames_to_stream
from teleloom.episode.writer import write_episode
from teleloom.messages import STAGES, ControlMode, ControlTick, Event, Message, RobotState
from teleloom.specs import CameraSpec, RobotSpec

Timing = Literal["constant", "jittered", "gapped"]
Image = NDArray[np.uint8]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]

START_NS = 7_000_000_000
WALL_NS = 1_800_000_000_000_000_000
MS = 1_000_000
FRAME_HZ = 30
CONTROL_HZ = 200
ARM_JOINTS = 7
SIZE = (640, 480)
MARKED_CAMERAS = ("front", "side", "wrist")
CELLS = 16
ROWS_IN_HEIGHT = 12
BANDS = 5
MCU = 16
PHASES = 30

READ_MARK_JS = """
function readMark({data, width, height}) {
  const cells = 16, rowHeight = Math.floor(height / 12);
  const light = (cell, row) => {
    const x = Math.floor((cell + 0.5) * width / cells), y = Math.floor((row + 0.5) * rowHeight);
    let sum = 0;
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) {
      const at = 4 * ((y + dy) * width + x + dx);
      sum += data[at] + data[at + 1] + data[at + 2];
    }
    return sum / 75 > 127 ? 1 : 0;
  };
  const bits = (row) => Array.from({length: cells}, (_, cell) => light(cell, row));
  const value = (row) => {
    const all = bits(row), ones = all.slice(0, 15).reduce((a, b) => a + b, 0);
    if (!all[0] || ones % 2 !== all[15]) return -1;
    return all.slice(1, 15).reduce((number, bit) => 2 * number + bit, 0);
  };
  const where = value(1);
  return {frame: value(0), camera: where < 0 ? -1 : where >> 10, episode: where < 0 ? -1 : where & 1023};
}
"""
"""JavaScript: `readMark(imageData) -> {frame, camera, episode}`; -1 where there is no mark (a blank canvas)."""


@dataclass(frozen=True)
class Mark:
    """What a frame says: its row in the camera's stream, the camera's place in the sorted names, its episode."""

    frame: int
    camera: int
    episode: int


def read_mark(image: Image) -> int:
    """The frame number burned into an RGB image (H, W, 3). Raises ValueError where there is none."""
    return read_whole_mark(image).frame


def read_whole_mark(image: Image) -> Mark:
    """All that is burned into an RGB image (H, W, 3). Raises ValueError where a mark cannot be read."""
    frame, where = (_read_cells(image, row) for row in (0, 1))
    return Mark(frame, where >> 10, where & 1023)


def _read_cells(image: Image, row: int) -> int:
    height, width = image.shape[:2]
    y = int((row + 0.5) * (height // ROWS_IN_HEIGHT))
    columns = [int((cell + 0.5) * width / CELLS) for cell in range(CELLS)]
    bits = [int(image[y - 2 : y + 3, x - 2 : x + 3].mean() > 127) for x in columns]
    if not bits[0] or sum(bits[:-1]) % 2 != bits[-1]:
        raise ValueError(f"no mark in row {row} of the image: {bits}")
    return int("".join(map(str, bits[1:-1])), 2)


def make_id(number: int) -> str:
    """The id of the episode with this number; ids sort by number."""
    return episode_id(WALL_NS + number * 60_000 * MS, number.to_bytes(10, "big"))


def write_marked(
    root: Path,
    number: int,
    seconds: float = 3.0,
    cameras: int | Sequence[str] = 3,
    timing: Timing = "constant",
    task: str = "put_in_bowl",
    outcome: Outcome = "success",
) -> Path:
    """Write episode `number` (0 to 1023) under `root`/episodes; the same arguments give the same bytes.

    Each camera starts later than the one before and at another phase. The arm rests at both ends, is stopped by the
    supervisor twice, and a person takes over from the policy once; every third episode strays from its command.
    """
    names = tuple(sorted(MARKED_CAMERAS[:cameras] if isinstance(cameras, int) else cameras))
    streams = control_streams(seconds, strays=number % 3 == 1)
    for place, name in enumerate(names):
        times = frame_times(seconds, place, timing)
        streams[f"cameras/{name}"] = camera_stream(times, place, number)
    path = episode_path(root, make_id(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_episode(path, make_meta(number, names, task, outcome), streams, make_events(seconds))
    return path


def make_meta(number: int, cameras: Sequence[str], task: str, outcome: Outcome) -> EpisodeMeta:
    """Metadata of a seven-joint arm with these cameras."""
    robot = RobotSpec(
        name="panda",
        joint_names=tuple(f"joint{i + 1}" for i in range(ARM_JOINTS)),
        q_min=(-3.0,) * ARM_JOINTS,
        q_max=(3.0,) * ARM_JOINTS,
        dq_max=(2.0,) * ARM_JOINTS,
        ddq_max=(10.0,) * ARM_JOINTS,
        effort_max=(80.0,) * ARM_JOINTS,
        home_q=(0.0,) * ARM_JOINTS,
        rate_hz=CONTROL_HZ,
        model="<mujoco/>",
    )
    instructions = (
        Instruction(text="Put the lemon into the bowl.", spoken=True),
        Instruction(text="Place the yellow fruit in the dish."),
    )
    return EpisodeMeta(
        episode_id=make_id(number),
        station="bench",
        operator="anna" if number % 2 else "ben",
        task=TaskInfo(name=task, instructions=instructions, scene="kitchen"),
        robot=robot,
        cameras=tuple(CameraSpec(name=name, width=SIZE[0], height=SIZE[1], rate_hz=FRAME_HZ) for name in cameras),
        anchor=WallAnchor(monotonic_ns=START_NS, wall_ns=WALL_NS + number * 60_000 * MS),
        software_version="0.1.0",
        pilot="human+policy",
        policy_version="p1",
        seed=number,
        simulated=True,
        outcome=outcome,
    )


def frame_times(seconds: float, place: int, timing: Timing) -> Times:
    """When the camera at `place` saw its frames, ns: it starts 45 ms later than the one before it.

    jittered: each frame up to 12 ms early or late. gapped: half a second is missing after a third of the time.
    """
    count = int(seconds * FRAME_HZ)
    t_ns = START_NS + (place * 45 + 4) * MS + np.rint(np.arange(count) * (1e9 / FRAME_HZ)).astype(np.int64)
    if timing == "jittered":
        t_ns = t_ns + np.random.default_rng(place).integers(-12 * MS, 12 * MS, count)
        t_ns[0] = max(t_ns[0], START_NS)
    if timing == "gapped":
        gap = START_NS + int(seconds / 3 * 1e9)
        t_ns = t_ns[(t_ns < gap) | (t_ns >= gap + 500 * MS)]
    return t_ns[t_ns <= START_NS + int(seconds * 1e9)]


def camera_stream(t_ns: Times, place: int, number: int, size: tuple[int, int] = SIZE) -> Stream:
    """A camera's stream whose frames carry their marks."""
    frames = [marked_jpeg(i, place, number, size) for i in range(len(t_ns))]
    times = {"t_ns": t_ns.tolist(), "t_device_ns": [-1] * len(t_ns), "seq": list(range(len(t_ns)))}
    return frames_to_stream(frames, times, "jpeg", size, "rgb")


def control_streams(seconds: float, strays: bool) -> dict[str, Stream]:
    """Robot and control ticks at 200 Hz: rest, a motion there and back, rest. strays: 0.2 rad off its command once."""
    t_ns = START_NS + np.arange(int(seconds * CONTROL_HZ) + 1, dtype=np.int64) * (1_000_000_000 // CONTROL_HZ)
    told, measured = _motion(t_ns, seconds, lag_s=0.0), _motion(t_ns, seconds, lag_s=0.03)
    off = _between(t_ns, seconds, 0.55, 0.7) & strays
    told[off, 1] += 0.25
    gripper = np.where(_between(t_ns, seconds, 0.4, 0.75), 0.1, 0.95)
    rows = np.arange(len(t_ns))
    shared = {"seq": rows, "gripper": gripper, "gripper_command": gripper}
    robot = shared | {"t_ns": t_ns, "q": measured, "dq": np.gradient(measured, 1 / CONTROL_HZ, axis=0)}
    robot |= {"effort": 5.0 * measured, "ee_pose": _tool(measured)}
    robot["wrench"] = np.hstack([10.0 * np.sin(measured[:, :3]), np.zeros((len(rows), 3))])
    policy, taken_over = _between(t_ns, seconds, 0.3, 0.45), _between(t_ns, seconds, 0.45, 0.6)
    tick: dict[str, Any] = shared | {"t_ns": t_ns + MS, "q_command": told, "dq_command": np.zeros_like(told)}
    tick |= {"target_executed": _tool(told), "mode": np.where(policy, ControlMode.POLICY, ControlMode.HUMAN)}
    tick |= {"engaged": np.ones(len(rows), dtype=bool), "is_intervention": taken_over}
    tick["latency_ns"] = np.full((len(rows), len(STAGES)), 100_000)
    ticks = _stream(ControlTick, tick)
    limited, outside = _between(t_ns, seconds, 0.35, 0.4), _between(t_ns, seconds, 0.62, 0.66)
    ticks.columns["interventions"] = limited.astype(np.uint64) | outside.astype(np.uint64) << np.uint64(1)
    ticks.attributes.update(intervention_names=json.dumps(["speed", "workspace"]), stages=json.dumps(list(STAGES)))
    return {"robot": _stream(RobotState, robot), "tick": ticks}


def make_events(seconds: float) -> list[Event]:
    """A takeover, two interventions and a button."""
    happened = ((0.35, "intervention", "speed"), (0.45, "takeover", "human"), (0.62, "intervention", "workspace"))
    pressed = (0.8, "button", "primary")
    return [
        Event(t_ns=START_NS + int(share * seconds * 1e9), seq=seq, kind=kind, reason=reason)
        for seq, (share, kind, reason) in enumerate((*happened, pressed))
    ]


def _between(t_ns: Times, seconds: float, first: float, last: float) -> NDArray[np.bool_]:
    share = (t_ns - START_NS) / (seconds * 1e9)
    return np.asarray((share >= first) & (share < last))


def _motion(t_ns: Times, seconds: float, lag_s: float) -> Floats:
    """Joints (N, J), rad: at rest up to 0.15 and from 0.85 of the time; a smooth swing between."""
    share = np.clip(((t_ns - START_NS) / 1e9 - lag_s) / seconds, 0.0, 1.0)
    swing = np.sin(np.pi * np.clip((share - 0.15) / 0.7, 0.0, 1.0)) ** 3
    return np.outer(swing, 0.4 * np.cos(np.arange(ARM_JOINTS)))


def _tool(q: Floats) -> Floats:
    """A made-up tool pose (N, 7) that moves with the joints."""
    position = np.array([0.4, 0.0, 0.1]) + q[:, :3] * np.array([0.2, 0.3, 0.5])
    return np.hstack([position, np.tile([1.0, 0.0, 0.0, 0.0], (len(q), 1))])


def _stream(kind: type[Message], values: dict[str, Any]) -> Stream:
    """A stream from whole columns; what is not given says that it was not measured."""
    count = len(values["t_ns"])
    columns = {}
    for column in LAYOUTS[kind]:
        shape = (count, *(ARM_JOINTS if width == JOINTS else width for width in column.shape))
        missing: float = np.nan if column.dtype.startswith("f") else 0 if column.dtype in ("u1", "?") else -1
        given = values.get(column.name, np.full(shape, missing))
        columns[column.name] = np.ascontiguousarray(given, dtype=column.dtype)
    return Stream(columns)


def marked_jpeg(frame: int, place: int, number: int, size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG with its mark. Only its top is encoded anew: restart markers let ready-made bands follow it."""
    top, *rest = _bands(place, frame % PHASES, size)
    image = top.copy()
    for row, value in enumerate((frame, place << 10 | number)):
        _draw_cells(image, row, value, size)
    head, scan = _split(_encode(image))
    return _join(head, [scan, *rest], size, len(image))


def _draw_cells(image: Image, row: int, value: int, size: tuple[int, int]) -> None:
    bits = [1, *(value >> shift & 1 for shift in range(CELLS - 3, -1, -1))]
    bits.append(sum(bits) % 2)
    tall = size[1] // ROWS_IN_HEIGHT
    edges = [round(cell * size[0] / CELLS) for cell in range(CELLS + 1)]
    for bit, left, right in zip(bits, edges, edges[1:], strict=False):
        image[row * tall : (row + 1) * tall, left:right] = 255 * bit


@functools.lru_cache(maxsize=512)
def _bands(place: int, phase: int, size: tuple[int, int]) -> tuple[Any, ...]:
    """The background in bands: the top as pixels, the others as JPEG scans."""
    image = _background(place, phase, size)
    tall = -(-size[1] // BANDS // MCU) * MCU if size[1] % (BANDS * MCU) else size[1] // BANDS
    pieces = [np.ascontiguousarray(image[y : y + tall]) for y in range(0, size[1], tall)]
    return (pieces[0], *(_split(_encode(piece))[1] for piece in pieces[1:]))


def _background(place: int, phase: int, size: tuple[int, int]) -> Image:
    """A table under a lamp, a bowl and a ball that goes round in PHASES frames."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    tint = np.array([[150, 120, 90], [90, 130, 150], [120, 150, 100]])[place % 3]
    image = (tint * (0.6 + 0.4 * np.exp(-3 * ((x - 0.7) ** 2 + (y - 0.4) ** 2)))[..., None]).astype(np.uint8)
    angle = 2 * np.pi * phase / PHASES
    for centre, radius, colour in (
        ((0.67, 0.65), 0.16, (60, 60, 75)),
        ((0.67 + 0.3 * np.cos(angle), 0.65 + 0.2 * np.sin(angle)), 0.06, (235, 205, 60)),
    ):
        image[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2] = colour
    return image


def _encode(image: Image) -> bytes:
    return simplejpeg.encode_jpeg(image, 90, colorsubsampling="420")


def _split(jpeg: bytes) -> tuple[bytes, bytes]:
    """A JPEG's head, up to the scan's entropy-coded bytes, and those bytes without the end marker."""
    position = 2
    while jpeg[position + 1] != 0xDA:
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    start = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    return jpeg[:start], jpeg[start:-2]


def _join(head: bytes, scans: Sequence[bytes], size: tuple[int, int], band_height: int) -> bytes:
    """One JPEG of `size` from the scans of its bands, each starting afresh after a restart marker."""
    whole = bytearray(head)
    frame_header = whole.index(b"\xff\xc0")
    whole[frame_header + 5 : frame_header + 7] = size[1].to_bytes(2, "big")
    interval = -(-size[0] // MCU) * (band_height // MCU)
    scan_header = whole.index(b"\xff\xda")
    whole[scan_header:scan_header] = b"\xff\xdd\x00\x04" + interval.to_bytes(2, "big")
    for number, scan in enumerate(scans):
        whole += (bytes([0xFF, 0xD0 + (number - 1) % 8]) if number else b"") + scan
    return bytes(whole + b"\xff\xd9")
