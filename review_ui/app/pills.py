"""Status, verdict and outcome as coloured pills in Markdown. Every one says its word: colour is never alone."""

from __future__ import annotations

from review_ui.app.theme import STATUS_COLOURS

_STATUS_ICONS = {"approved": "check", "rejected": "close", "disputed": "balance", "unreviewed": "hourglass_empty"}
_VERDICTS = {"approve": "approved", "reject": "rejected"}
_OUTCOME_COLOURS = {"success": "green", "partial": "orange", "failure": "red"}


def status_pill(status: str) -> str:
    """The pill of an episode's status."""
    return f":{STATUS_COLOURS[status]}-badge[:material/{_STATUS_ICONS[status]}: {status}]"


def verdict_pill(decision: str) -> str:
    """The pill of one reviewer's decision."""
    return status_pill(_VERDICTS.get(decision, "unreviewed"))


def outcome_pill(outcome: str | None) -> str:
    """The pill of an outcome; nothing where none was given."""
    return f":{_OUTCOME_COLOURS.get(outcome, 'gray')}-badge[{outcome}]" if outcome else ""
