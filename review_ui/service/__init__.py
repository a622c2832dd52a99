"""What a reviewer can do, whatever shows it: the app, the command line or a program."""

from review_ui.service.adjudication import Dispute
from review_ui.service.assignments import Assignment
from review_ui.service.config import ReviewConfig
from review_ui.service.decisions import BulkResult
from review_ui.service.errors import NotAllowedError, NothingToUndoError, StaleError
from review_ui.service.history import HistoryLine
from review_ui.service.progress import Progress
from review_ui.service.ranking import RankReport
from review_ui.service.reliability import Agreement, Coefficient
from review_ui.service.roles import Reviewer, Role
from review_ui.service.service import ReviewService
from review_ui.service.telemetry import ReviewerFigures

__all__ = [
    "Agreement",
    "Assignment",
    "BulkResult",
    "Coefficient",
    "Dispute",
    "HistoryLine",
    "NotAllowedError",
    "NothingToUndoError",
    "Progress",
    "RankReport",
    "ReviewConfig",
    "ReviewService",
    "Reviewer",
    "ReviewerFigures",
    "Role",
    "StaleError",
]
