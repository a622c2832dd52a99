"""Mixtures in real training processes: workers, ranks, a kill in the middle, PyTorch and TensorFlow."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mixture_parts import Kitchen, shared_kitchen
from mixture_trainer import digest

from dataset_builder.mixture.manifest import MixtureManifest
from dataset_builder.mixture.mixture import BadMixtureError, Mixture
from dataset_builder.mixture.stream import Place, Stream
from dataset_builder.mixture.torch import MixtureDataset, MixtureLoader

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
TRAINER = Path(__file__).with_name("mixture_trainer.py")


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return shared_kitchen(tmp_path_factory)


def start(*arguments: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(TRAINER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def expected(path: Path, count: int) -> list[str]:
    mixture = Mixture.open(path)
    return [digest(dict(mixture.batch(number))) for number in range(count)]


@pytest.mark.parametrize(("before", "after"), [(2, 3), pytest.param(0, 2, marks=pytest.mark.long)])
def test_a_training_killed_in_mid_epoch_goes_on_with_the_very_next_batch(
    kitchen: Kitchen, tmp_path: Path, before: int, after: int
) -> None:
    manifest = kitchen.write(augmentation={"rotation_deg": 5}, action_noise=0.05)
    state = tmp_path / "state.json"
    process = start(manifest, state, before)
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline()) for _ in range(7)]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    kept = json.loads(state.read_text())["next_batch"]
    assert kept >= 6
    resumed = MixtureLoader(MixtureDataset(manifest), after)
    resumed.load_state_dict(json.loads(state.read_text()))
    whole = expected(manifest, kept + 5)
    assert [entry["batch"] for entry in seen] == list(range(7))
    assert [entry["digest"] for entry in seen] == whole[:7]
    assert [digest(batch) for batch in islice(resumed, 5)] == whole[kept:]


def test_four_workers_on_each_of_two_ranks_see_each_sample_once_an_epoch(kitchen: Kitchen) -> None:
    manifest = kitchen.write("epoch.yaml", questions=None, batch_size=5)
    steps = len(Mixture.open(manifest).sources[0])
    items: Counter[int] = Counter()
    for rank in range(2):
        loader = MixtureLoader(MixtureDataset(manifest, place=Place(rank, 2)), 4)
        for turn, batch in enumerate(islice(loader, -(-steps // 10))):
            assert int(batch["batch"]) == rank + 2 * turn
            items.update(batch["item"][batch["epoch"] == 0].tolist())
    assert items == dict.fromkeys(range(steps), 1)


def test_torch_gives_the_same_batches_as_the_core(kitchen: Kitchen) -> None:
    manifest = kitchen.write("same.yaml", augmentation={}, exact_share=True)
    seen = [digest(batch) for batch in islice(MixtureDataset(manifest), 6)]
    assert seen == expected(manifest, 6)


def test_the_ranks_together_get_every_batch_once_from_any_state(kitchen: Kitchen) -> None:
    manifest = MixtureManifest.model_validate(kitchen.document())
    streams = [Stream(manifest, kitchen.folder, Place(rank, 3)) for rank in range(3)]
    first = [int(next(stream.batches())["batch"]) for stream in streams]
    assert first == [0, 1, 2]
    states = [stream.state(done=4) for stream in streams]
    assert states[0] == states[1] == states[2]
    wider = [Stream(manifest, kitchen.folder, Place(rank, 2)) for rank in range(2)]
    for stream in wider:
        stream.resume(json.loads(json.dumps(states[0])))
    assert [int(next(stream.batches())["batch"]) for stream in wider] == [12, 13]
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Place(2, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_where_it_was_left(kitchen: Kitchen, workers: int) -> None:
    manifest = kitchen.write("loader.yaml")
    loader = MixtureLoader(MixtureDataset(manifest), workers)
    assert [int(batch["batch"]) for batch in islice(loader, 4)] == [0, 1, 2, 3]
    assert loader.state_dict()["next_batch"] == 4
    other = MixtureLoader(MixtureDataset(manifest), 1)
    other.load_state_dict(loader.state_dict())
    assert [int(batch["batch"]) for batch in islice(other, 2)] == [4, 5]
    assert [int(batch["batch"]) for batch in islice(other, 2)] == [6, 7]
    assert other.state_dict()["next_batch"] == 8


def test_workers_that_outlive_a_loaded_state_are_refused(kitchen: Kitchen) -> None:
    dataset = MixtureDataset(kitchen.write("persistent.yaml"))
    with pytest.raises(ValueError, match="persistent_workers would go on where they were"):
        MixtureLoader(dataset, 2, persistent_workers=True)


def test_workers_that_overtake_each_other_are_refused(kitchen: Kitchen) -> None:
    dataset = MixtureDataset(kitchen.write("overtaking.yaml"))
    with pytest.raises(ValueError, match="without in_order a state would give batches twice"):
        MixtureLoader(dataset, 2, in_order=False)
    assert MixtureLoader(dataset, 2, in_order=True).state_dict()["next_batch"] == 0


def test_a_worker_can_keep_and_restore_its_own_place(kitchen: Kitchen) -> None:
    dataset = MixtureDataset(kitchen.write("worker.yaml"))
    made = iter(dataset)
    seen = [int(next(made)["batch"]) for _ in range(3)]
    state = json.loads(json.dumps(dataset.state_dict()))
    after = int(next(made)["batch"])
    other = MixtureDataset(kitchen.folder / "worker.yaml")
    other.load_state_dict(state)
    assert seen == [0, 1, 2]
    assert int(next(iter(other))["batch"]) == after == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_what_the_dataset_says_in_the_main_process_holds_for_any_number_of_workers(
    kitchen: Kitchen, workers: int
) -> None:
    dataset = MixtureDataset(kitchen.write("alone.yaml"))
    assert [int(batch["batch"]) for batch in islice(dataset, 3)] == [0, 1, 2]
    loader = MixtureLoader(MixtureDataset(kitchen.folder / "alone.yaml"), workers)
    loader.load_state_dict(json.loads(json.dumps(dataset.state_dict())))
    assert [int(batch["batch"]) for batch in islice(loader, 2)] == [3, 4]


def test_a_second_iteration_ends_the_first_so_that_nothing_is_given_twice(kitchen: Kitchen) -> None:
    loader = MixtureLoader(MixtureDataset(kitchen.write("twice.yaml")))
    first = iter(loader)
    seen = [int(next(first)["batch"]) for _ in range(2)]
    second = iter(loader)
    seen.append(int(next(second)["batch"]))
    assert next(first, None) is None
    seen.append(int(next(second)["batch"]))
    assert seen == [0, 1, 2, 3]
    assert loader.state_dict()["next_batch"] == 4


def test_ranks_that_do_not_know_of_each_other_are_refused(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = kitchen.write("ranks.yaml")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="call init_process_group first"):
        MixtureDataset(manifest)
    assert MixtureDataset(manifest, place=Place(1, 2)).stream.place == Place(1, 2)
    monkeypatch.setenv("WORLD_SIZE", "")
    assert MixtureDataset(manifest).stream.place == Place()


def test_a_state_of_another_mixture_is_refused(kitchen: Kitchen) -> None:
    state = MixtureLoader(MixtureDataset(kitchen.write("a.yaml"))).state_dict()
    with pytest.raises(BadMixtureError, match="state is that of another mixture"):
        MixtureLoader(MixtureDataset(kitchen.write("b.yaml", seed=5))).load_state_dict(state)


def test_spawned_workers_open_the_mixture_themselves(kitchen: Kitchen) -> None:
    dataset = MixtureDataset(kitchen.write("spawn.yaml"))
    sent = pickle.dumps(dataset)
    assert len(sent) < 10_000
    received = pickle.loads(sent)
    mine, theirs = next(iter(dataset)), next(iter(received))
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
