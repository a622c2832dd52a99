"""Segments: approved episodes that nobody has split into parts yet, one after the other, in the player."""

from __future__ import annotations

from review_ui.app.pages import review


def show() -> None:
    """Draw the page."""
    review.play("segments")
