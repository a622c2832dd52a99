"""A foreign episode as a file of a station: what it holds, how it is known again, and that review can show it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import simplejpeg
from conftest import Station
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.actions.convert import actions_of
from dataset_builder.actions.semantics import ActionSemantics
from dataset_builder.exchange.importing import conventions
from dataset_builder.exchange.importing.dataset import ForeignDataset, ForeignDatasetError, Source
from dataset_builder.exchange.importing.episode import (
    AlreadyImportedError,
    ImportedCamera,
    ImportedEpisode,
    RawArray,
    UnimportableError,
    encode_pixels,
    task_name,
    unknown_robot,
)
from dataset_builder.exchange.importing.episode_file import write_imported
from dataset_builder.exchange.importing.identity import imported_id
from dataset_builder.exchange.importing.run import import_dataset
from dataset_builder.exchange.report import NotCarried
from dataset_builder.ledger import LedgerImbalanceError
from dataset_builder.manifest import BuildManifest
from dataset_builder.rlds.records import decode_example
from dataset_builder.rlds.tfrecord import read_records
from review_ui.service import ReviewService
from review_ui.web.player_document import player_document, read_player_recording
from teleloom import pose
from teleloom.catalog import Catalog
from teleloom.episode.layout import episode_path
from teleloom.episode.reader import EpisodeReader
from teleloom.messages import ControlMode
from teleloom.quality.assess import assess

STEPS = 30


def frames(count: int = STEPS, shift: int = 0) -> list[bytes]:
    pictures = np.full((count, 32, 48, 3), 60, np.uint8)
    for i in range(count):
        pictures[i, 8:20, (i + shift) % 36 : (i + shift) % 36 + 12] = (220, 160, 40)
    return [simplejpeg.encode_jpeg(picture, 90) for picture in pictures]


def joint_space(seed: int = 0) -> ImportedEpisode:
    """ALOHA's kind: joints and no tool pose."""
    time = np.arange(STEPS)[:, None] / 10.0
    joints = 0.4 * np.sin(time + np.arange(6) + seed)
    return ImportedEpisode(
        format="aloha",
        dataset="cups",
        source=f"episode_{seed}",
        rate_hz=10.0,
        task="fold",
        instructions=("Fold the towel", "Fold it"),
        robot=unknown_robot("vx300s", [f"j{i}" for i in range(6)]),
        cameras={"top": ImportedCamera(frames(shift=seed))},
        raw={
            "action": RawArray((joints + 0.01).astype(np.float32), tuple(f"j{i}" for i in range(6))),
            "observations/qpos": RawArray(joints.astype(np.float32)),
        },
        joints=joints,
        joint_target=joints + 0.01,
        gripper=np.linspace(0.0, 1.0, STEPS),
        gripper_target=np.linspace(0.0, 1.0, STEPS),
        not_carried=("observations/effort",),
    )


def tool_space(seed: int = 0) -> ImportedEpisode:
    """Bridge's kind: a tool pose and no joints."""
    time = np.arange(STEPS) / 10.0
    turned = pose.quats_from_rotvecs(np.stack([0.3 * np.sin(time), 0.0 * time, 0.1 * time + seed], axis=1))
    poses = np.hstack([np.stack([0.4 + 0.1 * np.sin(time), 0.1 * time, 0.3 + 0.0 * time], axis=1), turned])
    return replace(
        joint_space(seed),
        format="rlds",
        robot=unknown_robot("widowx"),
        joints=None,
        joint_target=None,
        pose=poses,
        pose_target=conventions.next_poses(poses),
    )


@pytest.mark.parametrize("make", [joint_space, tool_space])
def test_an_imported_episode_is_a_sound_file_whose_raw_arrays_are_the_formats_own(tmp_path: Path, make) -> None:
    episode = make()
    identity = write_imported(tmp_path, episode)
    with EpisodeReader(episode_path(tmp_path, identity)) as reader:
        reader.verify()
        kept = reader.stream("imported")
        assert kept["action"].dtype == np.float32
        assert np.array_equal(kept["action"], episode.raw["action"].values)
        assert np.array_equal(kept["observations.qpos"], episode.raw["observations/qpos"].values)
        assert json.loads(reader.attributes("imported")["names"]) == {"action": [f"j{i}" for i in range(6)]}
        assert [reader.frame_bytes("top", i) for i in range(STEPS)] == list(episode.cameras["top"].frames)
        steps = reader.steps()
        assert len(steps) == STEPS
        assert np.array_equal(steps.t_ns, np.arange(STEPS) * 100_000_000)
        known = {"joints": steps.state[:, :-1], "pose": steps.ee_pose, "joint_target": steps.action_joint[:, :-1]}
        for name, values in (known | {"pose_target": steps.action[:, :7]}).items():
            expected = getattr(episode, name)
            assert np.array_equal(values, expected) if expected is not None else np.isnan(values).all()
        assert np.array_equal(steps.action[:, 7], episode.gripper_target)
        assert reader.meta.task.spoken == "Fold the towel"
        assert "step / 10 Hz" in reader.meta.notes
        assert "observations/effort" in reader.meta.notes


def test_the_id_follows_from_the_content_alone_so_a_second_import_is_known(tmp_path: Path) -> None:
    episode = joint_space()
    identity = write_imported(tmp_path, episode)
    before = episode_path(tmp_path, identity).read_bytes()
    with pytest.raises(AlreadyImportedError) as again:
        write_imported(tmp_path, replace(episode, dataset="moved", source="elsewhere"))
    assert (again.value.reason, again.value.episode_id) == ("duplicate", identity)
    with pytest.raises(AlreadyImportedError) as otherwise:
        write_imported(tmp_path, replace(episode, gripper=1.0 - episode.gripper))
    assert otherwise.value.reason == "imported-otherwise"
    assert episode_path(tmp_path, identity).read_bytes() == before
    others = {imported_id(joint_space(1)), imported_id(replace(episode, instructions=("Other",))), identity}
    assert len(others) == 3
    assert identity[14] == "8"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"raw": {}}, "zero-steps"),
        ({"rate_hz": 0.0}, "bad-rate"),
        ({"rate_hz": float("nan")}, "bad-rate"),
        ({"instructions": ()}, "no-instruction"),
        ({"joints": np.zeros((STEPS, 5))}, "wrong-shape"),
        ({"pose": np.zeros((STEPS, 6))}, "wrong-shape"),
        ({"t_ns": np.zeros(STEPS, np.int64)}, "bad-times"),
        ({"cameras": {"top": ImportedCamera(frames(STEPS + 1))}}, "missing-frames"),
        ({"cameras": {"top": ImportedCamera([])}}, "missing-frames"),
        ({"cameras": {"top": ImportedCamera([b"no jpeg"] * STEPS)}}, "broken-image"),
        (
            {"cameras": {"top": ImportedCamera([*frames()[:-1], encode_pixels(np.zeros((8, 8, 3), np.uint8), 90)])}},
            "image-format",
        ),
        ({"raw": {"action": RawArray(np.array(["a"] * STEPS))}}, "wrong-shape"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_reason_and_leaves_nothing(
    tmp_path: Path, spoil: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnimportableError) as refused:
        write_imported(tmp_path, replace(joint_space(), **spoil))
    assert refused.value.reason == reason
    assert list(tmp_path.rglob("*.h5")) == []


def test_times_modes_and_interventions_of_the_format_are_kept(tmp_path: Path) -> None:
    t_ns = np.cumsum(np.full(STEPS, 90_000_000)) + 7
    mode = np.where(np.arange(STEPS) < 10, ControlMode.POLICY, ControlMode.HUMAN).astype(np.uint8)
    taken = t_ns - 5_000_000
    episode = replace(
        joint_space(),
        t_ns=t_ns,
        mode=mode,
        is_intervention=mode == ControlMode.HUMAN,
        cameras={"top": ImportedCamera(frames(), t_ns=taken)},
    )
    with EpisodeReader(episode_path(tmp_path, write_imported(tmp_path, episode))) as reader:
        tick = reader.stream("tick")
        assert np.array_equal(tick["t_ns"], t_ns)
        assert np.array_equal(tick["mode"], mode)
        assert np.array_equal(tick["is_intervention"], mode == ControlMode.HUMAN)
        assert np.array_equal(reader.stream("cameras/top")["t_ns"], taken)
        assert reader.meta.pilot == "human+policy"
        assert "step /" not in reader.meta.notes
        asked = tick["policy_target"][:, 7]
        assert np.array_equal(asked[:10], episode.gripper_target[:10])
        assert np.isnan(asked[10:]).all()


@pytest.mark.parametrize("make", [joint_space, tool_space])
def test_what_a_format_does_not_hold_is_no_fault_of_the_episode(tmp_path: Path, make) -> None:
    with EpisodeReader(episode_path(tmp_path, write_imported(tmp_path, make()))) as reader:
        report = assess(reader)
    assert [finding for finding in report.findings if finding.severity == "fault"] == []
    assert report.metrics["duration_s"] == pytest.approx(2.9)


LANES = {
    "joint_space": ["Joints", "Gripper", "Tracking error"],
    "tool_space": ["Gripper", "Tool height", "Tool speed"],
}


@pytest.mark.parametrize("make", [joint_space, tool_space])
def test_the_player_draws_what_is_known_and_nothing_else(tmp_path: Path, make) -> None:
    report = station_of(tmp_path, [make()])
    with Catalog.open(tmp_path) as catalog:
        row = catalog.episode(report.imported[0].episode_id)
        with EpisodeReader(catalog.path_of(row)) as reader:
            recorded = read_player_recording(reader)
        document = json.loads(msgspec.json.encode(player_document(row, recorded, None)))
    assert document["fault"] is None
    assert [camera["name"] for camera in document["cameras"]] == ["top"]
    lanes = [lane["name"] for lane in document["lanes"]]
    assert lanes == LANES[make.__name__]


@pytest.mark.parametrize(
    ("make", "action"),
    [(joint_space, {"kind": "absolute", "of": "joint_position"}), (tool_space, {})],
)
def test_joint_data_and_tool_data_each_build_into_a_dataset_that_needs_no_more(
    tmp_path: Path, make, action: dict[str, str]
) -> None:
    station = Station(tmp_path / "station")
    station.root.mkdir()
    episodes = [make(seed) for seed in range(2)]
    for entry in station_of(station.root, episodes).imported:
        station.annotate(entry.episode_id, {"kind": "verdict", "decision": "approve"})
    manifest = {"name": "cups", "cameras": {"top": "image"}, "action": action, "splits": {"val_fraction": 0.0}}
    built = station.build(tmp_path / "rlds", BuildManifest.model_validate(manifest))
    assert built.ledger.rejected == ()
    records = [decode_example(data) for shard in built.path.glob("*.tfrecord-*") for data in read_records(shard)]
    found = [np.reshape(record["steps/action"], (STEPS, -1)) for record in records]
    for episode in episodes:
        if make is joint_space:
            expected = np.column_stack([episode.joint_target, episode.gripper_target])
        else:
            path = np.column_stack([episode.pose_target, episode.gripper_target])
            expected = actions_of(path, episode.pose, ActionSemantics())
        assert any(np.allclose(values, expected, atol=1e-6) for values in found)


def test_a_nan_amid_numbers_is_a_fault_of_an_imported_episode_too(tmp_path: Path) -> None:
    episode = joint_space()
    joints = episode.joints.copy()
    joints[4:7, 2] = np.nan
    with EpisodeReader(episode_path(tmp_path, write_imported(tmp_path, replace(episode, joints=joints)))) as reader:
        assert [finding.kind for finding in assess(reader).findings if finding.severity == "fault"] == ["not-finite"]


@pytest.mark.parametrize("make", [joint_space, tool_space])
def test_review_shows_imported_episodes_and_takes_a_verdict(tmp_path: Path, make) -> None:
    report = station_of(tmp_path, [make(0), make(1)])
    with Catalog.open(tmp_path) as catalog:
        service = ReviewService(catalog)
        assert service.rank().ranked == 2
        rows = catalog.episodes(status="unreviewed")
        assert sorted(row.id for row in rows) == sorted(entry.episode_id for entry in report.imported)
        assert all(row.quality is not None for row in rows)
        catalog.approve(rows[0].id, "ada", catalog.view(rows[0].id).revision)
        assert catalog.view(rows[0].id).status == "approved"


def test_the_report_balances_and_an_import_again_skips_everything(tmp_path: Path) -> None:
    good, bad = joint_space(0), replace(joint_space(1), instructions=())
    first = station_of(tmp_path, [good, bad, replace(good, source="copy")])
    assert [len(entries) for entries in (first.imported, first.skipped, first.rejected)] == [1, 1, 1]
    assert first.rejected[0].reason == "no-instruction"
    second = station_of(tmp_path, [good, bad])
    assert [len(entries) for entries in (second.imported, second.skipped, second.rejected)] == [0, 1, 1]
    written = sorted((tmp_path / "imports").glob("*.json"))
    assert [path.name for path in written] == ["aloha-cups-1.json", "aloha-cups-2.json"]
    document = json.loads(written[0].read_text())
    assert document["counts"] == {
        "inputs": 3,
        "imported": 1,
        "skipped": 1,
        "rejected": 1,
        "steps": STEPS,
        "rejected_by_reason": {"no-instruction": 1},
    }
    assert document["not_carried"] == [{"field": "depth", "why": "no place"}]
    with pytest.raises(LedgerImbalanceError, match="copy"):
        replace(first, skipped=()).to_json()


def test_a_file_that_a_killed_import_had_written_is_entered_by_the_next(tmp_path: Path) -> None:
    identity = write_imported(tmp_path, joint_space())
    half = tmp_path / "episodes" / f".{identity}.h5.0123abcd.tmp"
    half.write_bytes(b"half")
    others = tmp_path / "episodes" / ".01a0c453-2b20-78c2-becf-931aed15f5d3.h5.0123abcd.tmp"
    others.write_bytes(b"of a recorder")
    report = station_of(tmp_path, [joint_space()])
    assert [entry.episode_id for entry in report.skipped] == [identity]
    with Catalog.open(tmp_path) as catalog:
        assert [row.id for row in catalog.episodes()] == [identity]
        assert catalog.episode(identity).quality is not None
    assert not half.exists()
    assert others.exists()


def test_a_file_that_cannot_be_waited_for_is_not_taken_for_another_import(tmp_path: Path) -> None:
    def busy() -> ImportedEpisode:
        raise BlockingIOError("the file is held")

    dataset = ForeignDataset("aloha", "cups", 1, [Source("0", busy)])
    with Catalog.open(tmp_path) as catalog, pytest.raises(BlockingIOError, match="held"):
        import_dataset(dataset, tmp_path, catalog, lambda *_: None)


def test_two_imports_into_one_station_at_once_are_refused(tmp_path: Path) -> None:
    def nested() -> ImportedEpisode:
        with pytest.raises(ForeignDatasetError, match="another import"):
            station_of(tmp_path, [joint_space(1)])
        return joint_space()

    dataset = ForeignDataset("aloha", "cups", 1, [Source("0", nested)])
    with Catalog.open(tmp_path) as catalog:
        assert len(import_dataset(dataset, tmp_path, catalog, lambda *_: None).imported) == 1


@given(st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6), st.sampled_from(sorted(conventions.POSE_FORMS)))
def test_every_way_to_write_a_pose_gives_the_same_pose(values: list[float], form: str) -> None:
    position, quat = np.array(values[:3]), pose.quat_from_rotvec(values[3:])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = pose.matrix_from_quat(quat), position
    written = {
        "xyz_quat": [*position, *quat],
        "xyz_quat_wxyz": [*position, quat[3], *quat[:3]],
        "xyz_rotvec": [*position, *pose.rotvec_from_quat(quat)],
        "xyz_euler": [*position, *pose.euler_xyz_from_quats(quat[None])[0]],
        "xyz_matrix": [*position, *matrix[:3, :3].ravel()],
        "matrix": matrix.ravel(),
    }
    (found,) = conventions.poses(np.array([written[form]]), form)
    away_m, turned = pose.distance(found, pose.make(position, quat))
    assert away_m < 1e-9
    assert turned < 1e-6


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("opening", [0.25]),
        ("closing", [0.75]),
        ("sign_open", [-0.5]),
        ("sign_closed", [0.5]),
        ("width_m", [0.02]),
        ("finger_m", [0.01]),
        ("fingers_m", [0.01, -0.01]),
    ],
)
def test_every_way_to_write_a_gripper_gives_the_same_opening(form: str, value: list[float]) -> None:
    assert conventions.openings(np.array([value]), form, 0.08) == pytest.approx([0.25])


def test_pixels_are_encoded_as_they_are_and_grey_becomes_colour() -> None:
    picture = np.full((16, 24, 3), (200, 30, 60), np.uint8)
    assert np.abs(simplejpeg.decode_jpeg(encode_pixels(picture, 95)).astype(int) - picture).max() <= 4
    assert simplejpeg.decode_jpeg(encode_pixels(picture[:, :, :1], 95)).shape == (16, 24, 3)
    with pytest.raises(UnimportableError, match="uint16"):
        encode_pixels(picture.astype(np.uint16), 95)


def test_a_task_is_named_after_its_instruction() -> None:
    assert task_name("Put the Red block, in the bowl!") == "put_the_red_block_in_the_bowl"
    assert task_name("…") == ""


def station_of(root: Path, episodes: list[ImportedEpisode]):
    sources = [Source(f"{i}:{episode.source}", lambda episode=episode: episode) for i, episode in enumerate(episodes)]
    dataset = ForeignDataset("aloha", "cups", len(sources), sources, (NotCarried("depth", "no place"),))
    with Catalog.open(root) as catalog:
        return import_dataset(dataset, root, catalog, lambda *_: None)


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"instructions": (" ",)}, "no-instruction", "give --instruction TEXT"),
        ({"task": ""}, "unfit", "name: String should have at least 1 character"),
        ({"cameras": {"": ImportedCamera(frames())}}, "unfit", "camera without a name"),
        ({"operator": "\ud800"}, "unfit", "surrogates not allowed"),
    ],
)
def test_what_an_episode_cannot_hold_rejects_it_alone(
    tmp_path: Path, change: dict[str, object], reason: str, message: str
) -> None:
    with pytest.raises(UnimportableError, match=message) as caught:
        write_imported(tmp_path, replace(joint_space(), **change))
    assert caught.value.reason == reason
    assert list(tmp_path.glob("episodes/*.h5")) == []


def test_metadata_that_was_kept_whole_is_checked_with_what_the_user_says(tmp_path: Path) -> None:
    identity = write_imported(tmp_path, joint_space())
    with EpisodeReader(episode_path(tmp_path, identity)) as reader:
        meta = reader.meta
    longer = meta.model_copy(update={"task": meta.task.model_copy(update={"name": "x" * 101})})
    with pytest.raises(UnimportableError, match="at most 100 characters"):
        write_imported(tmp_path, replace(joint_space(1), meta=longer))
    assert len(list(tmp_path.glob("episodes/*.h5"))) == 1


def test_arrays_whose_names_meet_in_the_file_are_both_kept(tmp_path: Path) -> None:
    values = {name: np.full((STEPS, 2), float(i)) for i, name in enumerate(("a/b", "a.b", "raw.a.b", "t_ns"))}
    raw = {name: RawArray(array, (name, "other")) for name, array in values.items()}
    identity = write_imported(tmp_path, replace(joint_space(), raw=raw))
    with EpisodeReader(episode_path(tmp_path, identity)) as reader:
        names = json.loads(reader.attributes("imported")["names"])
        kept = {names[column][0]: reader.stream("imported")[column] for column in names}
    assert sorted(kept) == sorted(values)
    for name, array in values.items():
        assert np.array_equal(kept[name], array)
