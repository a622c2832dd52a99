"""What was written is read back, by our reader and by plain h5py, and equal content has equal hashes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from episode_samples import JOINTS, MS, camera, control_tick, jpeg, make_events, make_meta, make_streams, pose

from teleloom.episode.reader import EpisodeReader
from teleloom.episode.steps import build_steps
from teleloom.episode.streams import StreamBuilder, columns_of, frame_is_whole, message_type, time_order
from teleloom.episode.writer import created_iso, write_episode
from teleloom.messages import STAGES, ControlTick, PolicyAction, RobotState, XrFrame


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    path = tmp_path / "episode.h5"
    write_episode(path, make_meta(), make_streams(), make_events())
    return path


def test_every_stream_comes_back_as_it_was(episode: Path) -> None:
    streams = make_streams()
    with EpisodeReader(episode) as reader:
        assert reader.meta == make_meta()
        assert reader.id == make_meta().episode_id
        assert reader.stream_names == tuple(sorted(streams))
        assert reader.cameras == ("front", "wrist")
        for name, stream in streams.items():
            found = reader.stream(name)
            assert sorted(found) == sorted(stream.columns)
            for column, values in stream.columns.items():
                assert found[column].dtype == values.dtype
                np.testing.assert_array_equal(found[column], values)
            assert reader.attributes(name) == stream.attributes
        assert list(reader.frames("wrist", range(10))) == [jpeg(i) for i in range(10)]
        assert reader.events() == make_events()
        reader.verify()


def test_stored_steps_are_those_of_the_pure_function_at_any_rate(episode: Path) -> None:
    columns = {name: stream.columns for name, stream in make_streams().items()}
    with EpisodeReader(episode) as reader:
        for stored, rate_hz in ((reader.steps(), 10.0), (reader.steps(30.0), 30.0)):
            computed = build_steps(columns, rate_hz, make_meta().robot.joint_names)
            assert stored.rate_hz == rate_hz
            assert stored.state_names == (*make_meta().robot.joint_names, "gripper")
            assert stored.action_names == ("x", "y", "z", "qx", "qy", "qz", "qw", "gripper")
            np.testing.assert_array_equal(stored.t_ns, computed.t_ns)
            np.testing.assert_array_equal(stored.action, computed.action)
            np.testing.assert_array_equal(stored.state, computed.state)
            assert sorted(stored.streams) == sorted(computed.streams)
            for name, aligned in computed.streams.items():
                np.testing.assert_array_equal(stored.streams[name].index, aligned.index)
                np.testing.assert_array_equal(stored.streams[name].age_ns, aligned.age_ns)


def test_plain_h5py_reads_it_and_finds_its_way(episode: Path) -> None:
    with h5py.File(episode) as file:
        assert file.attrs["format"] == b"teleloom.episode"
        assert file.attrs["version"] == 1
        assert file.attrs["created"] == b"2023-11-14T22:13:20.123+00:00"
        assert json.loads(file["meta"][()])["task"]["name"] == "put"
        end = file["streams/cameras/front/end"][()]
        assert file["streams/cameras/front/data"][end[3] : end[4]].tobytes() == jpeg(4)
        assert file["streams/tick/latency_ns"].shape == (200, len(STAGES))
        assert json.loads(file["streams/tick"].attrs["intervention_names"]) == ["speed"]
        assert file["events/reason"].asstr()[1] == "speed"
        assert json.loads(file["events/json"][()].decode().split("\n")[1]) == {"axis": "x", "by": [1, 2.5]}
        assert file["steps/action"].shape == (9, 8)
        assert json.loads(file["ledger"][()])["streams"]["robot"]["written"] == 200


def test_ledger_counts_every_stream_and_the_alignment_of_each_camera(episode: Path) -> None:
    with EpisodeReader(episode) as reader:
        ledger = reader.ledger
    robot = ledger["streams"]["robot"]
    assert (robot["received"], robot["written"], robot["dropped"], robot["missing_seq"]) == (200, 200, {}, 0)
    assert (robot["rate_hz"], robot["worst_gap_ns"]) == (200.0, 5 * MS)
    assert ledger["alignment"]["front"] == {"p50_ns": 0, "p99_ns": 0, "max_ns": 0, "steps": 9}
    assert ledger["alignment"]["wrist"] == {"p50_ns": 3 * MS, "p99_ns": 3 * MS, "max_ns": 3 * MS, "steps": 9}
    assert ledger["steps"] == {"count": 9, "rate_hz": 10.0}


def test_frames_of_the_hand_that_a_newer_one_overtook_are_superseded_and_not_lost(tmp_path: Path) -> None:
    streams = make_streams()
    for name in ("xr", "robot", "cameras/front"):
        streams[name] = streams[name].rows(np.delete(np.arange(len(streams[name])), [3, 4, 7]))
    write_episode(tmp_path / "a.h5", make_meta(), streams, make_events())
    with EpisodeReader(tmp_path / "a.h5") as reader:
        entries = reader.ledger["streams"]
    numbers = {name: (entries[name]["missing_seq"], entries[name]["superseded"]) for name in entries}
    assert numbers["xr"] == (0, 3)
    assert numbers["robot"] == numbers["cameras/front"] == (3, 0)
    assert numbers["tick"] == (0, 0)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("a.h5", "b.h5"):
        write_episode(tmp_path / name, make_meta(), make_streams(), make_events())
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_content_hash_follows_the_streams_and_not_the_metadata(tmp_path: Path, episode: Path) -> None:
    other = make_meta("another").model_copy(update={"operator": "someone else", "step_rate_hz": 5.0})
    write_episode(tmp_path / "other.h5", other, make_streams(), make_events())
    changed = make_streams()
    changed["robot"].columns["q"][17, 3] += 1e-12
    write_episode(tmp_path / "changed.h5", make_meta(), changed, make_events())
    fewer = make_streams()
    write_episode(tmp_path / "fewer.h5", make_meta(), fewer, make_events()[:1])
    hashes = []
    for path in (episode, tmp_path / "other.h5", tmp_path / "changed.h5", tmp_path / "fewer.h5"):
        with EpisodeReader(path) as reader:
            hashes.append((reader.content_hash(), reader.stream_hashes()))
    assert hashes[0] == hashes[1]
    assert len({content for content, _ in hashes}) == 3
    assert [name for name, digest in hashes[0][1].items() if hashes[2][1][name] != digest] == ["robot"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    streams = make_streams()
    streams["robot"].columns["q"] = streams["robot"].columns["q"][:-1]
    with pytest.raises(ValueError, match="199 rows for 200"):
        write_episode(tmp_path / "episode.h5", make_meta(), streams)
    assert os.listdir(tmp_path) == []


def test_an_episode_without_any_stream_is_still_an_episode(tmp_path: Path) -> None:
    write_episode(tmp_path / "empty.h5", make_meta(), {})
    with EpisodeReader(tmp_path / "empty.h5") as reader:
        reader.verify()
        assert reader.stream_names == ()
        assert len(reader.steps()) == 0
        assert reader.events() == []


def test_what_a_message_does_not_say_is_nan_or_minus_one() -> None:
    robot = columns_of(
        [RobotState(t_ns=1, seq=0, q=(0.0,) * 6, dq=(0.0,) * 6, effort=(), ee_pose=pose(0), gripper=1.0)]
    )
    assert robot["t_device_ns"].tolist() == [-1]
    assert np.isnan(robot["wrench"]).all()
    assert robot["effort"].shape == (1, 6)
    assert np.isnan(robot["effort"]).all()
    xr = columns_of([XrFrame(t_ns=1, seq=0)])
    assert np.isnan(xr["left_pose"]).all()
    assert not xr["left_active"][0]
    tick = columns_of([control_tick(1, 0)])
    assert tick["latency_ns"].tolist() == [[-1] * len(STAGES)]
    assert np.isnan(tick["human_target"]).all()


def test_interventions_are_bits_whose_names_stand_beside_them_across_blocks() -> None:
    builder = StreamBuilder(ControlTick, JOINTS)
    builder.BLOCK = 4
    names = [(), ("speed",), ("workspace", "speed"), ("stale",)]
    for i in range(10):
        builder.add(control_tick(i, i, interventions=names[i % 4]))
    stream = builder.build()
    known = json.loads(str(stream.attributes["intervention_names"]))
    masks = stream.columns["interventions"]
    assert masks.dtype == np.uint64
    for i, mask in enumerate(masks):
        assert {name for bit, name in enumerate(known) if int(mask) >> bit & 1} == set(names[i % 4])


def test_interventions_past_the_63rd_share_the_last_bit() -> None:
    builder = StreamBuilder(ControlTick, JOINTS)
    for i in range(80):
        builder.add(control_tick(i, i, interventions=(f"kind-{i}",)))
    stream = builder.build()
    assert json.loads(str(stream.attributes["intervention_names"]))[62:] == ["kind-62", "other"]
    assert stream.columns["interventions"].tolist() == [1 << min(i, 63) for i in range(80)]


def test_policy_chunks_of_several_lengths_share_one_array() -> None:
    chunks = (((1.0, 2.0),), ((3.0, 4.0), (5.0, 6.0)), ())
    builder = StreamBuilder(PolicyAction, JOINTS)
    builder.BLOCK = 1
    for i, chunk in enumerate(chunks):
        builder.add(PolicyAction(t_ns=i, seq=i, policy_version=f"v{i % 2}", chunk=chunk, latency_ns=1))
    stream = builder.build()
    assert stream.columns["chunk"].shape == (3, 2, 2)
    assert stream.columns["policy_version"].tolist() == [0, 1, 0]
    assert stream.columns["chunk"][1].tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert np.isnan(stream.columns["chunk"][2]).all()


def test_messages_that_cannot_be_rows_are_counted_by_their_reason() -> None:
    builder = StreamBuilder(ControlTick, JOINTS)
    good = control_tick(1, 1)
    for message in (
        good,
        control_tick(-1, 2),
        ControlTick(**{**{f: getattr(good, f) for f in good.__struct_fields__}, "q_command": (0.0,) * 6}),
        control_tick(2, 3, latency_ns=(1, 2)),
        XrFrame(t_ns=1, seq=1),
    ):
        builder.add(message)
    assert builder.dropped == {"bad_time": 1, "wrong_joint_count": 1, "bad_latency": 1, "wrong_type": 1}
    assert len(builder.build()) == 1


def test_rows_are_sorted_by_time_and_repeats_are_left_out() -> None:
    t_ns, seq = np.array([30, 10, 10, 30, 20]), np.array([3, 1, 0, 3, 2])
    assert time_order(t_ns, seq).tolist() == [2, 1, 4, 0]


def test_stream_names_are_checked() -> None:
    assert message_type("cameras/front").__name__ == "CameraFrame"
    for name in ("cameras/", "cameras/a/b", "nothing"):
        with pytest.raises(ValueError, match="cameras/<name>"):
            message_type(name)


def test_a_frame_is_whole_when_it_begins_and_ends_as_its_codec_does() -> None:
    assert frame_is_whole(jpeg(1), "jpeg")
    assert frame_is_whole(memoryview(jpeg(1)), "jpeg")
    assert not frame_is_whole(jpeg(1)[:-1], "jpeg")
    assert not frame_is_whole(b"", "jpeg")
    assert frame_is_whole(b"\x28\xb5\x2f\xfd....", "zstd-u16")
    assert not frame_is_whole(jpeg(1), "zstd-u16")
    assert not frame_is_whole(jpeg(1), "png")


def test_created_is_utc_to_the_millisecond() -> None:
    assert created_iso(0) == "1970-01-01T00:00:00.000+00:00"


def test_reading_a_frame_or_stream_that_is_not_there_says_what_is(episode: Path) -> None:
    with EpisodeReader(episode) as reader:
        with pytest.raises(IndexError, match="frames 0 to 9, not 10"):
            reader.frame_bytes("front", 10)
        with pytest.raises(IndexError):
            reader.frame_bytes("front", -1)
        with pytest.raises(KeyError, match="cameras/wrist"):
            reader.stream("cameras/side")


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from episode_samples import make_events, make_meta, make_streams
from teleloom.episode.writer import write_episode

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
try:
    write_episode(Path(sys.argv[2]), make_meta(), make_streams(), make_events())
except OSError as error:
    sys.exit(f"{error.strerror}")
"""


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_full_disk_raises_and_takes_nothing_down(episode: Path, tmp_path: Path, part: float) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    limit = int(part * episode.stat().st_size)
    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[2]}"}
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(limit), str(folder / "episode.h5")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (1, "File too large\n")
    assert list(folder.iterdir()) == []


def test_streams_without_rows_are_kept_and_not_waited_for(tmp_path: Path) -> None:
    streams = make_streams() | {"cameras/side": camera([])}
    write_episode(tmp_path / "e.h5", make_meta(), streams)
    with EpisodeReader(tmp_path / "e.h5") as reader:
        assert len(reader.stream("cameras/side")["t_ns"]) == 0
        assert len(reader.steps()) == 9
        assert "cameras/side" not in reader.steps().streams
