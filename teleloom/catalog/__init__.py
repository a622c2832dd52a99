"""The catalog of episodes, what people said about them, and the datasets that were built."""

from teleloom.catalog.annotations import (
    Annotation,
    AnnotationEvent,
    BadAnnotationError,
    InstructionEdit,
    Note,
    OutcomeEdit,
    Tag,
    Trim,
    Undo,
    Verdict,
    Weight,
    parse,
    summary,
)
from teleloom.catalog.catalog import Catalog, RebuildReport
from teleloom.catalog.errors import (
    BadQualityError,
    BuildConflictError,
    CatalogError,
    EpisodeConflictError,
    LeaseHeldError,
    LeaseLostError,
    StaleRevisionError,
    UnknownEpisodeError,
)
from teleloom.catalog.rows import BuildRow, EpisodeRow, Lease
from teleloom.catalog.view import EpisodeView, Status, derive

__all__ = [
    "Annotation",
    "AnnotationEvent",
    "BadAnnotationError",
    "BadQualityError",
    "BuildConflictError",
    "BuildRow",
    "Catalog",
    "CatalogError",
    "EpisodeConflictError",
    "EpisodeRow",
    "EpisodeView",
    "InstructionEdit",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "Note",
    "OutcomeEdit",
    "RebuildReport",
    "StaleRevisionError",
    "Status",
    "Tag",
    "Trim",
    "Undo",
    "UnknownEpisodeError",
    "Verdict",
    "Weight",
    "derive",
    "parse",
    "summary",
]
