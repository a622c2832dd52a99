"""How far people who judged the same episodes agree: pure functions on arrays."""

from review_ui.agreement.alpha import Level, TooLittleError, alpha
from review_ui.agreement.boundaries import BoundaryMatch, match_boundaries, segment_boundaries

__all__ = ["BoundaryMatch", "Level", "TooLittleError", "alpha", "match_boundaries", "segment_boundaries"]
