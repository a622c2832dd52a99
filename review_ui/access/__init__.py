"""Who may see the review, and as whom: loopback needs nothing, beyond it everybody signs in."""

from review_ui.access.errors import AccessError, SignedOutError
from review_ui.access.policy import AccessPolicy, reviewer_of
from review_ui.access.tokens import TokenStore

__all__ = ["AccessError", "AccessPolicy", "SignedOutError", "TokenStore", "reviewer_of"]
