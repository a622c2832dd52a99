"""What goes wrong with access."""

from __future__ import annotations


class AccessError(ValueError):
    """A server that would be open to people it should not be, or access files that cannot be used."""


class SignedOutError(AccessError):
    """Nobody is signed in on this connection."""
