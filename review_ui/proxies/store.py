"""Where the proxies of a root lie, which are up to date, and which somebody is waiting for.

`ROOT/proxies/EPISODE/` holds the videos and the sidecar of one episode. It is made under another name and renamed, so
it is there whole or not at all. `ROOT/proxies/.wanted/` holds an empty file for each episode that somebody looks at
and that has no proxy yet: the encoder makes those first, also after it was killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from review_ui.proxies.sidecar import BadProxyError, EpisodeProxy, read_sidecar, sidecar_name
from teleloom.episode.layout import EPISODE_ID
from teleloom.files import free_bytes, sync_file, sync_folder

FOLDER = "proxies"
WANTED = ".wanted"
KEEP_FREE_BYTES = 1024**3
"""A recorder may write to the same disk: proxies must not take its last gigabyte."""

SETTLING_S = 60.0
"""A folder this young may be one that its encoder has not locked yet."""


class Episode(Protocol):
    """What the store must know of an episode; a catalog's row knows it."""

    @property
    def id(self) -> str: ...
    @property
    def content_hash(self) -> str: ...


EpisodeT = TypeVar("EpisodeT", bound=Episode)


class ProxyStore:
    """The proxies under a root. Safe to use from several threads and processes at once."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def path(self, episode_id: str) -> Path:
        """The folder of an episode's proxy, made or not. Raises ValueError for an id that is no plain name."""
        if not EPISODE_ID.fullmatch(episode_id):
            raise ValueError(f"episode id {episode_id!r}: only letters, digits, - and _, at most 64 of them")
        return self.folder / episode_id

    def has(self, episode: Episode) -> bool:
        """Whether there is a proxy of this very content, by the settings of today."""
        return (self.path(episode.id) / sidecar_name(episode.content_hash)).is_file()

    def missing(self, episodes: Iterable[EpisodeT]) -> list[EpisodeT]:
        """The episodes without a proxy that is up to date, in the order given."""
        return [episode for episode in episodes if not self.has(episode)]

    def document(self, episode: Episode) -> EpisodeProxy | None:
        """The sidecar of an episode's proxy; None where there is none that is up to date and whole."""
        try:
            proxy = read_sidecar(self.path(episode.id) / sidecar_name(episode.content_hash))
        except (OSError, BadProxyError):
            return None
        return proxy if proxy.content_hash == episode.content_hash else None

    def video(self, episode: Episode, camera: str) -> Path | None:
        """The mp4 of one camera, None where there is none."""
        proxy = self.document(episode)
        if proxy is None or camera not in proxy.cameras:
            return None
        return self.path(episode.id) / Path(proxy.cameras[camera].file).name

    @contextmanager
    def making(self, episode_id: str) -> Iterator[Path]:
        """Yield an empty folder that becomes the episode's proxy when the block ends well, in place of an older one.

        Raises OSError when the disk refuses or has less than KEEP_FREE_BYTES left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if free_bytes(self.folder) < KEEP_FREE_BYTES:
            raise OSError(errno.ENOSPC, "less than a gigabyte is free, which is left to recordings", str(self.folder))
        target = self.path(episode_id)
        temporary = self.folder / f".{episode_id}.{secrets.token_hex(4)}.tmp"
        temporary.mkdir()
        try:
            with _locked(temporary):
                yield temporary
                for file in temporary.iterdir():
                    sync_file(file)
                sync_folder(temporary)
                self._put(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        sync_folder(self.folder)

    def want(self, episode_id: str) -> None:
        """Ask for an episode's proxy before all others. Where the disk refuses nothing happens: there is the JPEG."""
        wish = self._wish(episode_id)
        with suppress(OSError):
            wish.parent.mkdir(parents=True, exist_ok=True)
            wish.touch()

    def wanted(self) -> list[str]:
        """The ids of the episodes asked for, the newest wish first: it is what somebody looks at now."""
        wishes: list[tuple[float, str]] = []
        with suppress(OSError), os.scandir(self.folder / WANTED) as entries:
            for entry in entries:
                with suppress(OSError):
                    wishes.append((entry.stat().st_mtime, entry.name))
        return [name for _, name in sorted(wishes, reverse=True) if EPISODE_ID.fullmatch(name)]

    def granted(self, episode_id: str) -> None:
        """Take a wish back: it is fulfilled, or cannot be."""
        self._wish(episode_id).unlink(missing_ok=True)

    def remove_left_overs(self, older_than_s: float = SETTLING_S) -> None:
        """Remove the half-made folders of encoders that were killed; those being made are locked and stay."""
        for folder in self.folder.glob(".*.tmp"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime >= older_than_s:
                    with _locked(folder):
                        shutil.rmtree(folder, ignore_errors=True)

    def _put(self, made: Path, target: Path) -> None:
        """Rename `made` to `target`; a folder that is there moves away first, as none replaces another."""
        while True:
            old = self.folder / f".{target.name}.{secrets.token_hex(4)}.old.tmp"
            with suppress(FileNotFoundError):
                target.rename(old)
            try:
                made.rename(target)
                return
            except OSError:
                if not target.exists():
                    raise
            finally:
                shutil.rmtree(old, ignore_errors=True)

    def _wish(self, episode_id: str) -> Path:
        return self.folder / WANTED / self.path(episode_id).name


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which ends with the process. Raises BlockingIOError when another one holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
