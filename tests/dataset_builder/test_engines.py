"""Engines: the same bytes wherever shards are written, also when a worker is killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import distributed
import engine_tasks
import pytest
from conftest import Station
from synthetic_episodes import Episode, camera_stream, frames_of

from dataset_builder.build.run import BuildResult, build_dataset
from dataset_builder.engines.beam import Beam
from dataset_builder.engines.choice import chosen_engine, default_engine
from dataset_builder.engines.contract import Engine, EngineError, TaskFailedError, WorkerLostError
from dataset_builder.engines.dask import Dask, Tls
from dataset_builder.engines.here import Here
from dataset_builder.engines.pool import Pool
from dataset_builder.manifest import BuildManifest
from dataset_builder.rules.sharding import Sharding
from dataset_builder.rules.splits import Splits

MANIFEST = BuildManifest(name="kitchen", shards=Sharding(max_episodes=2), splits=Splits(val_fraction=0.3))


def files(path: Path) -> dict[str, bytes]:
    """Every file; the lock too, as the way from the dataset to the station is the same in all of these tests."""
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """Twelve episodes, and one with broken images, which is found only while shards are written."""
    root = tmp_path_factory.mktemp("many") / "station"
    root.mkdir()
    station = Station(root)
    for seed in range(12):
        station.add(Episode(seed=seed, seconds=1.0))
    broken = Episode(seed=12, seconds=1.0)
    frames = frames_of(broken, "front")
    station.add(broken, spoil={"cameras/front": camera_stream(broken, "front", [*frames[:20], *[b"junk"] * 10])})
    return station


@pytest.fixture(scope="module")
def expected(many: Station, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset, every file of it, as one process writes it."""
    result = build(many, tmp_path_factory.mktemp("here") / "rlds", Here())
    assert [entry.reason for entry in result.ledger.rejected] == ["broken-image"]
    return files(result.path)


def build(station: Station, out: Path, engine: Engine) -> BuildResult:
    return build_dataset(station.select(), MANIFEST, out, engine=engine)


def finished(parts: Path) -> int:
    return len(list(parts.glob("*.json")))


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_pool_of_two_writes_what_one_process_does(many: Station, expected: dict[str, bytes], tmp_path: Path) -> None:
    result = build(many, tmp_path / "station-side", Pool(2))
    assert files(result.path) == expected
    assert result.written > 6


def test_a_pool_that_loses_a_worker_writes_the_same(many: Station, expected: dict[str, bytes], tmp_path: Path) -> None:
    parts = tmp_path / "rlds" / "kitchen" / ".1.0.0.parts"
    victims: list[int] = []

    def kill() -> None:
        wait_until(lambda: parts.is_dir() and finished(parts) > 0)
        victims.append(multiprocessing.active_children()[0].pid or 0)
        os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = build(many, tmp_path / "rlds", Pool(2))
    killer.join()
    assert len(victims) == 1
    assert files(result.path) == expected


def test_two_dask_workers_one_killed_on_the_way_write_the_same(
    many: Station, expected: dict[str, bytes], tmp_path: Path
) -> None:
    parts = tmp_path / "rlds" / "kitchen" / ".1.0.0.parts"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGSTOP)  # It is given shards, and writes none.

        def kill() -> None:
            wait_until(lambda: parts.is_dir() and finished(parts) > 0)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        result = build(many, tmp_path / "rlds", Dask(scheduler=cluster.scheduler_address))
        killer.join()
    assert files(result.path) == expected


@pytest.mark.long
def test_dask_starts_workers_of_its_own(many: Station, expected: dict[str, bytes], tmp_path: Path) -> None:
    assert files(build(many, tmp_path / "rlds", Dask(workers=2)).path) == expected


def test_beams_direct_runner_writes_the_same(many: Station, expected: dict[str, bytes], tmp_path: Path) -> None:
    assert files(build(many, tmp_path / "rlds", Beam()).path) == expected


@pytest.mark.parametrize("engine", [Here(), Pool(2)], ids=["here", "pool"])
def test_every_task_is_done_once_and_reported_once(tmp_path: Path, engine: Engine) -> None:
    tasks = [str(tmp_path / f"task-{i}") for i in range(20)]
    done: list[int] = []
    engine.run(engine_tasks.make, tasks, done.append)
    assert sorted(done) == list(range(20))
    workers = {Path(task).read_text() for task in tasks}
    assert (str(os.getpid()) in workers) == (not engine.is_elsewhere)


def test_workers_know_the_environment_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("OF_TODAY", value)
        Pool(2).run(engine_tasks.tell_environment, [str(tmp_path / value)], lambda _: None)
        assert (tmp_path / value).read_text() == value


def test_a_killed_workers_task_is_done_by_another(tmp_path: Path) -> None:
    tasks = [str(tmp_path / name) for name in ("a", "b", "deadly", "c", "d")]
    done: list[int] = []
    Pool(2).run(engine_tasks.die_once, tasks, done.append)
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert all(Path(task).exists() for task in tasks)


def test_a_task_that_kills_every_worker_is_given_up_after_three(tmp_path: Path) -> None:
    with pytest.raises(WorkerLostError, match=r"each of its 3 workers died \(killed by SIGKILL\).*--workers"):
        Pool(2).run(engine_tasks.die, [str(tmp_path / name) for name in ("a", "deadly")], lambda _: None)
    assert (tmp_path / "deadly.deaths").read_text() == "xxx"
    assert not multiprocessing.active_children()


_INTERRUPTED = """
import os, signal, sys
import slow_work
from dataset_builder.engines.pool import Pool

signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background ignores it.
os.environ["SLOW_IMPORT"] = "1"
try:
    Pool(2).run(slow_work.work, ["a", "b"], print)
except KeyboardInterrupt:
    sys.exit("stopped")
"""
_SLOW_WORK = """
import os, time
from pathlib import Path

if "SLOW_IMPORT" in os.environ:
    Path(__file__).with_name("importing").touch()
    time.sleep(1.0)

def work(task):
    time.sleep(60.0)
"""


def test_ctrl_c_while_the_server_imports_leaves_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "slow_work.py").write_text(_SLOW_WORK)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    command = [sys.executable, "-c", _INTERRUPTED]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        wait_until((tmp_path / "importing").exists)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60.0)
    assert (process.returncode, said) == (1, "stopped\n")


def test_an_error_in_a_worker_is_told(tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError, match="No space left on device") as failed:
        Pool(2).run(engine_tasks.fail, [str(tmp_path / "a"), str(tmp_path / "b")], lambda _: None)
    assert not multiprocessing.active_children(), failed  # It keeps open what workers end by when nobody else has it.
    with pytest.raises(TaskFailedError, match="No space left on device"):
        Beam().run(engine_tasks.fail, [str(tmp_path / "a")], lambda _: None)


def test_little_work_stays_in_this_process_and_much_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert isinstance(default_engine(300_000_000, 10), Here)
    assert isinstance(default_engine(3_000_000_000, 1), Here)
    assert isinstance(default_engine(3_000_000_000, 3), Pool)
    assert chosen_engine("pool") is None
    assert isinstance(chosen_engine("pool", workers=1), Here)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "pool", "scheduler": "tcp://127.0.0.1:8786"}, "--scheduler belongs to --engine dask"),
        ({"name": "dask", "runner": "FlinkRunner"}, "--runner belongs to --engine beam"),
        ({"name": "pool", "options": ("a=b",)}, "--pipeline-option belongs to --engine beam"),
        ({"name": "dask", "tls": ("a", "b", "c")}, "--tls is for a --scheduler"),
        ({"name": "dask", "scheduler": "tcp://localhost:1", "workers": 2}, "leave --workers out"),
        ({"name": "dask", "scheduler": "tcp://head.example:8786"}, "not encrypted.*use tls://"),
        ({"name": "beam", "runner": "FlinkRunner", "workers": 2}, "its own --pipeline-option"),
    ],
)
def test_options_that_do_nothing_or_harm_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        chosen_engine(**options)  # type: ignore[arg-type]


def test_what_lies_in_memory_is_out_of_a_workers_reach(many: Station) -> None:
    with pytest.raises(EngineError, match="memory of this process"):
        build_dataset(many.select(), MANIFEST, "memory://rlds-of-nobody", engine=Pool(2))


def test_a_scheduler_behind_tls_is_reached_with_its_files_and_refused_without(tmp_path: Path) -> None:
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *made.split(), "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    files = {f"tls_{who}_cert": certificate for who in ("client", "scheduler", "worker")}
    files |= {f"tls_{who}_key": key for who in ("client", "scheduler", "worker")}
    security = distributed.Security(require_encryption=True, tls_ca_file=certificate, **files)
    with distributed.LocalCluster(
        n_workers=1,
        processes=False,
        host="127.0.0.1",
        protocol="tls",
        security=security,
        dashboard_address=None,
        worker_dashboard_address=None,
    ) as cluster:
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        tasks = [str(tmp_path / name) for name in ("a", "b", "c")]
        Dask(scheduler=cluster.scheduler_address, tls=Tls(certificate, certificate, key)).run(
            engine_tasks.make, tasks, lambda _: None
        )
        assert all(Path(task).exists() for task in tasks)
        with pytest.raises(EngineError, match="no Dask scheduler answers at tls://"):
            Dask(scheduler=cluster.scheduler_address).run(engine_tasks.make, tasks, lambda _: None)
