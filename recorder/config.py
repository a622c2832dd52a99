"""How the recorder keeps house."""

from __future__ import annotations

from pydantic import Field

from teleloom.config import Config


class RecorderConfig(Config):
    """Settings of a recorder.

    lockstep: write in the caller's thread and finalise before `stop` returns, so that a simulation repeats byte for
    byte; a real station leaves it off, and no producer ever waits for the disk.
    min_free_bytes: recording refuses to start with less room on the disk.
    queue_messages, queue_bytes: how much may wait for the disk before messages are dropped, and counted.
    sync_interval_s: how often the journal is pushed to the disk, against power cuts; 0 leaves that to the system.
    quality: judge every finished episode.
    """

    lockstep: bool = False
    min_free_bytes: int = Field(default=2_000_000_000, ge=0)
    queue_messages: int = Field(default=4096, ge=1)
    queue_bytes: int = Field(default=256_000_000, ge=1)
    sync_interval_s: float = Field(default=1.0, ge=0)
    quality: bool = True
