"""Who sits before a Streamlit page."""

from __future__ import annotations

import streamlit as st

from review_ui.access.errors import SignedOutError
from review_ui.service.roles import Reviewer
from review_ui.web.context import ServerContext


def reviewer_of_session(context: ServerContext) -> Reviewer:
    """The reviewer of the session whose script runs. Raises SignedOutError when their session has ended since."""
    reviewer = context.access.reviewer(st.context.cookies.to_dict())
    if reviewer is None:
        raise SignedOutError("your session has ended; reload the page to sign in again")
    return reviewer
