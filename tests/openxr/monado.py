"""Monado, a real OpenXR runtime, on a machine without a headset: installed, started, run against.

Its service listens on every network interface, so it lives in a network namespace of its own. The code under test is
run in the same namespace, and where Monado's client library needs a newer libc than this machine has, under the
dynamic linker that came with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PORT = 14243


class MonadoError(RuntimeError):
    """Monado cannot be had or started here. The message says what is missing."""


@functools.cache
def install() -> dict[str, str]:
    """The environment that scripts/monado.sh describes, after running it. Takes a minute the first time."""
    folder = REPOSITORY / ".cache" / "monado"
    done = subprocess.run([REPOSITORY / "scripts" / "monado.sh", folder], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise MonadoError(f"scripts/monado.sh cannot install Monado:\n{done.stderr[-2000:]}")
    lines = (folder / "monado.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def namespace_command() -> list[str]:
    """The command that runs another one in a network namespace of its own."""
    for command in (["unshare", "-n"], ["unshare", "-r", "-n"], ["sudo", "-n", "-E", "unshare", "-n"]):
        if shutil.which(command[0]) and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    raise MonadoError(
        "Monado needs a network namespace of its own, and 'unshare -n' (util-linux) is refused; run as root, install "
        "sudo, allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or in a container add "
        "the capability SYS_ADMIN"
    )


def run(script: Path, *arguments: str, timeout_s: float, dump_calls: bool = False) -> dict[str, Any]:
    """Run a script beside a Monado of its own and return the JSON object that is its last line.

    The script starts `Service` itself, so that it can also kill it. dump_calls: write every OpenXR call to the file
    named by XR_API_DUMP_FILE_NAME.
    """
    monado = install()
    with tempfile.TemporaryDirectory(prefix="monado-") as folder:
        env = {**os.environ, **monado, **_environment(Path(folder), dump_calls)}
        python = linked(monado, os.path.realpath(sys.executable), str(script), *arguments)
        process = subprocess.Popen(
            [*namespace_command(), *python],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end_group(process)
            _, errors = process.communicate()
            raise MonadoError(f"{script.name} took longer than {timeout_s:g} s:\n{errors[-4000:]}") from None
        finally:
            _end_group(process)
    if process.returncode:
        raise MonadoError(f"{script.name} failed ({process.returncode}):\n{errors[-6000:]}")
    result: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return result


def linked(monado: Mapping[str, str], *command: str) -> list[str]:
    """The command under Monado's own dynamic linker, where it has one."""
    linker = monado["MONADO_LINKER"]
    return [linker, "--library-path", monado["MONADO_LIBRARIES"], *command] if linker else [*command]


def _end_group(process: subprocess.Popen[str]) -> None:
    """End whatever is left of a process that was started as the leader of its own group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment(folder: Path, dump_calls: bool) -> dict[str, str]:
    """What service and client need to know; the client's Python finds this checkout and its packages."""
    layer = {
        "XR_ENABLE_API_LAYERS": "XR_APILAYER_LUNARG_api_dump",
        "XR_API_DUMP_FILE_NAME": str(folder / "calls.txt"),
        "XR_API_DUMP_EXPORT_TYPE": "text",
    }
    settings = folder / "monado" / "config_v0.json"
    settings.parent.mkdir()
    remote = {"version": 0, "port": PORT, "view_count": 2}
    settings.write_text(json.dumps({"active": "remote", "remote": remote}), encoding="utf-8")
    packages = [str(REPOSITORY), str(Path(__file__).parent), sysconfig.get_paths()["purelib"]]
    return {
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(packages),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MONADO_HOST_PYTHON": sys.executable,
        **(layer if dump_calls else {}),
    }


def be_prompt() -> None:
    """Let no other program make this process, its threads and what it starts late, as on a robot's PC; if allowed."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def raise_loopback() -> None:
    """Bring `lo` up in this process's network namespace, where a new one leaves it down."""
    request_flags, request_set, up = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        interface = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(control, request_flags, interface))[1]
        fcntl.ioctl(control, request_set, struct.pack("16sh22x", b"lo", flags | up))


class Service:
    """The running monado-service; used inside the namespace."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(os.environ["XDG_RUNTIME_DIR"])
        self.log = self._folder / "service.log"

    def start(self) -> None:
        """Start it, again if it was killed, and wait until clients can connect."""
        self._reap()
        raise_loopback()
        options = {"XRT_COMPOSITOR_NULL": "1", "XRT_NO_STDIN": "1", "P_OVERRIDE_ACTIVE_CONFIG": "remote"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                linked(os.environ, os.environ["MONADO_SERVICE"]),
                env={**os.environ, **options},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up = time.monotonic() + 20.0
        while not (self._folder / "monado_comp_ipc").exists():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise MonadoError(f"monado-service did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would, without waiting for its end."""
        if self._process is not None:
            self._process.kill()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            (self._folder / "monado_comp_ipc").unlink(missing_ok=True)

    def control(self, *arguments: str) -> str:
        """Run monado-ctl and return what it prints."""
        command = linked(os.environ, os.environ["MONADO_CTL"], *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return done.stdout + done.stderr

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._reap()
