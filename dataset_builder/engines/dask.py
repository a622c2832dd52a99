"""Dask: workers on this machine, or those of a scheduler that runs already."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dataset_builder.engines.contract import TRIES, Done, EngineError, TaskFailedError, Work, WorkerLostError
from teleloom.extras import require

CONNECT_S = 20.0


@dataclass(frozen=True)
class Tls:
    """Files in PEM format with which a client proves itself to a scheduler, and the scheduler to it."""

    ca: str
    certificate: str
    key: str


class Dask:
    """scheduler: `tcp://…` on this machine or `tls://…` anywhere; None starts `workers` of its own on loopback.

    Without `tls` its files come from Dask's configuration (`distributed.comm.tls`), as do all its other settings.
    The workers of a scheduler need this package, and the same paths to the episodes and the output.
    """

    name = "dask"
    is_elsewhere = True

    def __init__(self, workers: int = 2, scheduler: str | None = None, tls: Tls | None = None) -> None:
        if scheduler is not None and not scheduler.startswith("tls://") and not _is_loopback(scheduler):
            raise EngineError(
                f"{scheduler} is on another machine and not encrypted, and whoever reads along could run code on its "
                "workers; use tls:// with --tls CA CERT KEY, or a tunnel to a port of this machine"
            )
        self.workers = workers
        self.scheduler = scheduler
        self.tls = tls

    def run(self, work: Work, tasks: Sequence[str], done: Done) -> None:
        distributed = require("distributed", "dask")
        with ExitStack() as stack:
            client = self._client(distributed, stack, min(self.workers, len(tasks)))
            # A worker that dies has its tasks done by another, without Dask's counting it against `retries`.
            futures = client.map(work, list(tasks), pure=False, retries=0)
            places = {future.key: place for place, future in enumerate(futures)}
            try:
                for future in distributed.as_completed(futures):
                    if future.status != "finished":
                        raise _failure(distributed, future.exception())
                    done(places[future.key])
            finally:
                client.cancel(futures)

    def _client(self, distributed: Any, stack: ExitStack, workers: int) -> Any:
        dask = require("dask", "dask")
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": TRIES - 1}))
        if self.scheduler is None:
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                    worker_dashboard_address=None,
                )
            )
            return stack.enter_context(distributed.Client(cluster))
        tls = self.tls
        security = tls and distributed.Security(
            require_encryption=True, tls_ca_file=tls.ca, tls_client_cert=tls.certificate, tls_client_key=tls.key
        )
        try:
            return stack.enter_context(distributed.Client(self.scheduler, security=security, timeout=CONNECT_S))
        except (OSError, TypeError, ValueError) as error:
            raise EngineError(f"no Dask scheduler answers at {self.scheduler}: {error}") from None


def _failure(distributed: Any, error: Any) -> EngineError:
    if isinstance(error, distributed.scheduler.KilledWorker):
        return WorkerLostError("Dask gave up on it")
    return TaskFailedError(f"{type(error).__name__}: {error}")


def _is_loopback(address: str) -> bool:
    host = urlsplit(address if "://" in address else f"tcp://{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
