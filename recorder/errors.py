"""What can go wrong while recording; every message says where and what to do."""

from __future__ import annotations


class RecorderError(RuntimeError):
    """Recording cannot go on as asked."""


class DiskFullError(RecorderError):
    """The disk has no room, or less than the reserve. The message names the disk."""


class JournalError(RecorderError):
    """A journal that cannot be read or finalised. Its message says why; the journal stays where it is."""


class UnusableJournalError(JournalError):
    """A journal with nothing in it that could become an episode."""
